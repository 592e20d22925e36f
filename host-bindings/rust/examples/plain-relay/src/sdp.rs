//! Session descriptions (RFC 8866) for players that learn from a file what they will receive.
//!
//! Knows the text format. Does not know transports or consumers: payload types and ports come as values.
//! Invariant: a description holds one `m=` line a stream, in the order given.

use std::fmt::Write as _;
use std::net::IpAddr;

use tidegate::SrtpParameters;

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
    /// Under which key it comes, if it is SRTP.
    pub srtp: Option<SrtpParameters>,
}

/// The description of `streams`, which arrive at `address`.
pub fn describe(address: IpAddr, streams: &[Stream]) -> String {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    let mut text = format!(
        "v=0\r\no=- 0 0 IN {family} {address}\r\ns=Tidegate plain-relay\r\nc=IN {family} {address}\r\nt=0 0\r\n"
    );
    for Stream { kind, port, payload_type, encoding, srtp } in streams {
        let (kind, profile) = (kind_name(*kind), if srtp.is_some() { "RTP/SAVP" } else { "RTP/AVP" });
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "m={kind} {port} {profile} {payload_type}\r\na=rtpmap:{payload_type} {encoding}\r\n"
        );
        if let Some(SrtpParameters { crypto_suite, key_base64 }) = srtp {
            // RFC 4568 9.2.
            let _ = write!(text, "a=crypto:1 {} inline:{key_base64}\r\n", crypto_suite.name());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn stream(kind: MediaKind, port: u16, payload_type: u8, encoding: &str) -> Stream {
        Stream { kind, port, payload_type, encoding: encoding.to_owned(), srtp: None }
    }

    #[test]
    fn describes_keys() {
        let srtp = Some(SrtpParameters::new(tidegate::SrtpCryptoSuite::AeadAes128Gcm, "c2VjcmV0"));
        let secured = Stream { srtp, ..stream(MediaKind::Video, 6000, 101, "VP8/90000") };
        let text = describe([192, 0, 2, 1].into(), &[secured]);
        let lines = "m=video 6000 RTP/SAVP 101\r\na=rtpmap:101 VP8/90000\r\na=crypto:1 AEAD_AES_128_GCM inline:c2VjcmV0\r\n";
        assert!(text.ends_with(lines), "{text}");
    }

    #[test]
    fn describes_video_and_audio_in_order() {
        let opus = stream(MediaKind::Audio, 6002, 100, "opus/48000/2");
        let streams = [stream(MediaKind::Video, 6000, 101, "VP8/90000"), opus];
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
