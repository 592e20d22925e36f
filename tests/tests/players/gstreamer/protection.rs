//! SRTP in GStreamer's pipelines: libsrtp behind `srtpenc` and `srtpdec`.
//!
//! Knows the elements and what they call the suites. Does not know streams or sockets.

use openssl::base64::{decode_block, encode_block};
use tidegate::{SrtpCryptoSuite, SrtpParameters};

/// What protects or opens a session's packets, as parts of a pipeline; all are empty where nothing does.
#[derive(Debug, Default)]
pub(super) struct Protection {
    /// The element, linked by name.
    pub(super) element: String,
    /// Between the session's RTP and its socket.
    pub(super) rtp: String,
    /// The same of RTCP.
    pub(super) rtcp: String,
}

/// Puts SRTP under `key` on what a session sends.
pub(super) fn put_on(session: usize, key: Option<&SrtpParameters>) -> Protection {
    let Some(key) = key else { return Protection::default() };
    let ([cipher, auth, rtcp_auth], hex) = (names(key.crypto_suite), hex(key));
    Protection {
        element: format!(
            "srtpenc name=e{session} key={hex} \
             rtp-cipher={cipher} rtp-auth={auth} rtcp-cipher={cipher} rtcp-auth={rtcp_auth}"
        ),
        rtp: format!("e{session}.rtp_sink_0 e{session}.rtp_src_0 !"),
        rtcp: format!("e{session}.rtcp_sink_0 e{session}.rtcp_src_0 !"),
    }
}

/// Takes SRTP off what a session receives. Under which key it comes is in the caps of its RTP.
pub(super) fn take_off(session: usize, is_srtp: bool) -> Protection {
    if !is_srtp {
        return Protection::default();
    }
    Protection {
        element: format!("srtpdec name=d{session}"),
        rtp: format!("d{session}.rtp_sink d{session}.rtp_src !"),
        rtcp: format!("application/x-srtcp ! d{session}.rtcp_sink d{session}.rtcp_src !"),
    }
}

/// Caps of packets from `ssrc` under `key`, but for what they carry: the media type, and further fields.
pub(super) fn caps(key: Option<&SrtpParameters>, ssrc: u32) -> (&'static str, String) {
    let Some(key) = key else { return ("application/x-rtp", String::new()) };
    let ([cipher, auth, rtcp_auth], hex) = (names(key.crypto_suite), hex(key));
    let keys = format!(
        ",ssrc=(uint){ssrc},srtp-key=(buffer){hex},srtp-cipher={cipher},srtp-auth={auth},\
         srtcp-cipher={cipher},srtcp-auth={rtcp_auth}"
    );
    ("application/x-srtp", keys)
}

/// Under which a viewer with this suite sends its own reports.
pub(crate) fn own_key(suite: SrtpCryptoSuite) -> SrtpParameters {
    SrtpParameters::new(suite, encode_block(&vec![0x5A; suite.key_length()]))
}

/// Cipher, authentication of RTP, and of RTCP, which keeps its tag of 80 bits (RFC 4568 6.2.2).
const fn names(suite: SrtpCryptoSuite) -> [&'static str; 3] {
    match suite {
        SrtpCryptoSuite::AeadAes256Gcm => ["aes-256-gcm", "null", "null"],
        SrtpCryptoSuite::AeadAes128Gcm => ["aes-128-gcm", "null", "null"],
        SrtpCryptoSuite::AesCm128HmacSha1_80 => ["aes-128-icm", "hmac-sha1-80", "hmac-sha1-80"],
        SrtpCryptoSuite::AesCm128HmacSha1_32 => ["aes-128-icm", "hmac-sha1-32", "hmac-sha1-80"],
    }
}

/// As elements take keys.
fn hex(key: &SrtpParameters) -> String {
    let bytes = decode_block(&key.key_base64).unwrap_or_default();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
