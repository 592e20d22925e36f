//! Session descriptions (RFC 8866) for players that learn from a file what they will receive.
//!
//! Knows the text format. Does not know transports or consumers: payload types and ports come as values.
//! Invariant: a description holds one `m=` line a stream, in the order given.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::{MediaKind, kind_name};

/// One stream that a player will receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Audio or video.
    pub kind: MediaKind,
    /// The player's RTP port; it expects RTCP on the next one (RFC 3550 11).
    pub port: u16,
    /// 0 to 127.
    pub payload_type: u8,
    /// As in `a=rtpmap` (RFC 8866 6.6), for example `VP8/90000` or `opus/48000/2`.
    pub encoding: String,
}

/// The description of `streams`, which arrive at `address`.
pub fn describe(address: IpAddr, streams: &[Stream]) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let mut text = format!(
        "v=0\r\no=- 0 0 IN {family} {address}\r\ns=Tidegate plain-relay\r\nc=IN {family} {address}\r\nt=0 0\r\n"
    );
    for Stream { kind, port, payload_type, encoding } in streams {
        let kind = kind_name(*kind);
        // Writing to a String cannot fail.
        let _ =
            write!(text, "m={kind} {port} RTP/AVP {payload_type}\r\na=rtpmap:{payload_type} {encoding}\r\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn describes_video_and_audio_in_order() {
        let streams = [
            Stream { kind: MediaKind::Video, port: 6000, payload_type: 101, encoding: "VP8/90000".into() },
            Stream { kind: MediaKind::Audio, port: 6002, payload_type: 100, encoding: "opus/48000/2".into() },
        ];
        let text = describe([192, 0, 2, 1].into(), &streams);
        let expected = "v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=Tidegate plain-relay\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                        m=video 6000 RTP/AVP 101\r\na=rtpmap:101 VP8/90000\r\n\
                        m=audio 6002 RTP/AVP 100\r\na=rtpmap:100 opus/48000/2\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn names_the_address_family() {
        assert!(describe(Ipv6Addr::LOCALHOST.into(), &[]).contains("c=IN IP6 ::1\r\n"));
    }
}
