//! GStreamer with feedback and retransmissions (RFC 4585, RFC 4588): how it sends a file and answers NACK by RTX, and
//! how it plays what it asks for by NACK.
//!
//! Sending, `rtpbin` runs the session. Receiving, its parts do, one behind the other: `rtpbin` itself asks for the
//! element that undoes RTX by a signal, which a command line cannot answer.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::{depayload_and_decode, end, payloader};
use crate::codec::Codec;
use crate::process::words;

/// A stream and its retransmissions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repaired {
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    pub(crate) rtx_payload_type: u8,
    pub(crate) rtx_ssrc: u32,
}

/// The arguments that send the video of `file` at its own pace to `rtp`, reports to `rtcp`, and hear feedback at the port
/// `own_rtcp`.
pub(crate) fn send(
    codec: Codec,
    file: &Path,
    stream: Repaired,
    [rtp, rtcp]: [SocketAddr; 2],
    own_rtcp: u16,
) -> Vec<String> {
    let Repaired { payload_type, ssrc, .. } = stream;
    words(&format!(
        "-q filesrc location={} ! matroskademux name=file file.video_0 ! queue ! {} pt={payload_type} ssrc={ssrc} \
         ! rtprtxsend max-size-packets=0 max-size-time=3000 {} ! session.send_rtp_sink_0 \
         rtpbin name=session rtp-profile=avpf \
         session.send_rtp_src_0 ! udpsink host={} port={} \
         session.send_rtcp_src_0 ! udpsink host={} port={} sync=false async=false \
         udpsrc address={} port={own_rtcp} ! session.recv_rtcp_sink_0",
        file.display(),
        payloader(codec),
        maps(stream),
        rtp.ip(),
        rtp.port(),
        rtcp.ip(),
        rtcp.port(),
        rtcp.ip()
    ))
}

/// The arguments that decode what comes to `port` at `ip`, reports at the next one, and send feedback to `rtcp`: a
/// checksum of each picture to the standard output.
///
/// Lost is what later packets show to be missing; with `rtx-next-seqnum` a machine that stumbles would count too.
pub(crate) fn play(
    codec: Codec,
    stream: Repaired,
    (ip, port): (IpAddr, u16),
    rtcp: SocketAddr,
    directory: &Path,
) -> Vec<String> {
    let Repaired { payload_type, .. } = stream;
    let name = format!("{codec:?}").to_ascii_uppercase();
    words(&format!(
        "-e -q rtpsession name=session rtp-profile=avpf probation=0 rtcp-min-interval={REPORT_NS} \
         bandwidth={BITS_PER_SECOND} rtcp-fraction={RTCP_BITS_PER_SECOND} \
         udpsrc address={ip} port={} ! session.recv_rtcp_sink \
         session.send_rtcp_src ! udpsink host={} port={} sync=false async=false \
         udpsrc address={ip} port={port} reuse=false \
         caps=application/x-rtp,media=video,encoding-name={name},clock-rate=90000,payload={payload_type} \
         ! session.recv_rtp_sink session.recv_rtp_src ! rtprtxreceive {} ! rtpssrcdemux \
         ! rtpjitterbuffer latency={LATENCY_MS} do-retransmission=true rtx-next-seqnum=false ! {} ! {}",
        port + 1,
        rtcp.ip(),
        rtcp.port(),
        maps(stream),
        depayload_and_decode(codec),
        end(codec, directory)
    ))
}

fn maps(stream: Repaired) -> String {
    let Repaired { payload_type, ssrc, rtx_payload_type, rtx_ssrc } = stream;
    format!(
        "payload-type-map=application/x-rtp-pt-map,{payload_type}=(uint){rtx_payload_type} \
         ssrc-map=application/x-rtp-ssrc-map,{ssrc}=(uint){rtx_ssrc}"
    )
}

/// The least time between reports, before which feedback may have to wait (RFC 4585 3.5).
const REPORT_NS: u32 = 20_000_000;
/// What the session is told to expect. From the share that RTCP may have of it follows how long feedback waits: with
/// GStreamer's 5 % of what it has measured, for a fifth of a second and at the beginning for more than half of one,
/// which is as long as a worker remembers packets for peers as near as these.
const BITS_PER_SECOND: u32 = 20_000_000;
const RTCP_BITS_PER_SECOND: u32 = 1_000_000;
/// Several round trips of our lossy networks.
const LATENCY_MS: u32 = 1_200;
