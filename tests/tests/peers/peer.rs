//! Programs that are peers: how each is started, and what it says at its end.
//!
//! Knows their command lines and the JSON of `tests/peers`. Does not know what a report must say.
//! Invariant: a program does not outlive its visit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use libtest_mimic::Failed;
use serde::Deserialize;
use tokio::process::Command;

use crate::room::Room;

/// A WebRTC stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// libwebrtc in Node, with mediasoup-client.
    Libwebrtc,
    /// GStreamer: OpenSSL with an RSA certificate.
    Webrtcbin,
    /// In Python: OpenSSL and libsrtp.
    Aiortc,
    /// In Rust: OpenSSL.
    #[cfg(feature = "str0m")]
    Str0m,
}

/// Which end of DTLS a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    Client,
    Server,
}

/// What a peer did and saw.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Report {
    /// RTP packets, by medium.
    pub(crate) sent: BTreeMap<String, u64>,
    pub(crate) received: BTreeMap<String, u64>,
    /// Frames that came out of its decoders, by medium.
    pub(crate) decoded: BTreeMap<String, u64>,
    pub(crate) transports: Vec<Ended>,
}

/// A transport at its end.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ended {
    /// `send` or `recv`.
    pub(crate) direction: String,
    pub(crate) role: Role,
    /// What the worker said of DTLS after the peer had closed it.
    pub(crate) state: String,
    /// What it said of ICE, where the peer looked.
    #[serde(default)]
    pub(crate) ice_state: Option<String>,
    /// As far as the stack tells.
    #[serde(default)]
    pub(crate) suite: Option<String>,
    #[serde(default)]
    pub(crate) certificate: Option<String>,
}

impl Peer {
    pub(crate) const ALL: &[Self] = &[
        Self::Libwebrtc,
        Self::Webrtcbin,
        Self::Aiortc,
        #[cfg(feature = "str0m")]
        Self::Str0m,
    ];

    /// For names of tests.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Libwebrtc => "libwebrtc",
            Self::Webrtcbin => "webrtcbin",
            Self::Aiortc => "aiortc",
            #[cfg(feature = "str0m")]
            Self::Str0m => "str0m",
        }
    }

    /// Which end of DTLS it is when it is to be `role`: mediasoup-client is the client wherever it answers an offer.
    pub(crate) fn role(self, role: Role, direction: &str) -> Role {
        if self == Self::Libwebrtc && direction == "recv" { Role::Client } else { role }
    }

    /// Runs it against `room`, to its end. webrtcbin stays at least `stay_s` seconds.
    pub(crate) async fn visit(self, room: &Room, role: Role, stay_s: u64) -> Result<Report, Failed> {
        let tests = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let installed = installed();
        let python = installed.join("venv/bin/python");
        let (program, script) = match self {
            Self::Libwebrtc => (PathBuf::from("node"), "peers/node/wrtc.js"),
            Self::Webrtcbin => (python, "peers/python/webrtcbin.py"),
            Self::Aiortc => (python, "peers/python/aiortc_peer.py"),
            #[cfg(feature = "str0m")]
            Self::Str0m => return crate::sans_io::visit(room, role).await,
        };
        let mut command = Command::new(&program);
        command.arg(tests.join(script)).arg(room.url()).arg(if role == Role::Client {
            "client"
        } else {
            "server"
        });
        command.arg(stay_s.to_string()).env("TIDEGATE_PEERS", &installed).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| {
            format!("cannot start {} ({error}); run tests/scripts/install-peers", program.display())
        })?;
        let output = child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = || format!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr));
        let last = said.lines().last().filter(|_| output.status.success()).ok_or_else(complaint)?;
        Ok(serde_json::from_str(last).map_err(|error| format!("{error}: {}", complaint()))?)
    }
}

/// Where `tests/scripts/install-peers` puts what the programs need.
fn installed() -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    std::env::var_os("TIDEGATE_PEERS").map_or_else(default, PathBuf::from)
}
