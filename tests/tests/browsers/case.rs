//! What a browser is asked to do, and what it counted.
//!
//! Knows the page's JSON. Does not know how a browser is started, nor what is enough.

use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
}

/// One visit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) browser: Browser,
    /// The picture's codec; the sound is Opus.
    pub(crate) video: &'static str,
    /// Encoded, while it is counted.
    pub(crate) frames: u32,
    pub(crate) own_ports: bool,
    pub(crate) force_tcp: bool,
    /// Each way, by a proxy before the worker; with 0 it carries all.
    pub(crate) loss_permille: Option<u32>,
    pub(crate) restart_ice: bool,
    /// How often the picture is paused and resumed after that, to see how fast it comes.
    pub(crate) resumes: u32,
}

impl Case {
    /// Chromium on the worker's one server, without trouble.
    pub(crate) const fn new(video: &'static str) -> Self {
        Self {
            browser: Browser::Chromium,
            video,
            frames: 0,
            own_ports: false,
            force_tcp: false,
            loss_permille: None,
            restart_ice: false,
            resumes: 0,
        }
    }

    /// As the runner takes it.
    pub(crate) fn described(&self, program: &str, signalling: &str, through_udp_port: Option<u16>) -> Value {
        let browser = match self.browser {
            Browser::Chromium => "chromium",
            Browser::Firefox => "firefox",
        };
        json!({
            "browser": browser,
            "executable": program,
            "signalling": signalling,
            "video": self.video,
            "frames": self.frames,
            "ownPorts": self.own_ports,
            "forceTcp": self.force_tcp,
            "throughUdpPort": through_udp_port,
            "restartIce": self.restart_ice,
            "resumes": self.resumes,
        })
    }
}

/// What the page counted between two moments at which no picture was under way.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counted {
    pub(crate) version: String,
    pub(crate) frames_encoded: u32,
    pub(crate) frames_decoded: u32,
    pub(crate) freeze_count: u32,
    pub(crate) sent_energy: f64,
    pub(crate) heard_energy: f64,
    /// NACKs that it sent, and those it was sent.
    pub(crate) sent_nacks: u32,
    pub(crate) received_nacks: u32,
    pub(crate) video_codec: Option<String>,
    /// From asking to resume the consumer to the picture on the screen; the first with ICE and DTLS before it.
    pub(crate) first_frame_ms: Vec<f64>,
    pub(crate) ice_restarts: u32,
    pub(crate) candidates: Vec<Candidate>,
    /// To send and to receive.
    pub(crate) transports: [Transport; 2],
}

/// Where the page was told that the worker is.
#[derive(Debug, Deserialize)]
pub(crate) struct Candidate {
    pub(crate) protocol: String,
}

/// How packets went, by the browser and by the worker.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transport {
    /// The version's number on the wire, in hexadecimal digits, where the browser tells it.
    tls_version: Option<String>,
    dtls_cipher: Option<String>,
    srtp_cipher: Option<String>,
    /// Of all pairs that carried anything.
    pub(crate) protocols: Vec<String>,
    worker: Value,
}

impl Transport {
    /// By which protocol the worker sends.
    pub(crate) fn selected_by_the_worker(&self) -> Option<&str> {
        self.worker.pointer("/webrtc/ice_selected_tuple/protocol")?.as_str()
    }
}

impl Counted {
    /// Of the sound's energy, how much came back.
    pub(crate) fn energy_ratio(&self) -> f64 {
        self.heard_energy / self.sent_energy
    }

    /// From asking to resume to the picture, ICE and DTLS done.
    pub(crate) fn median_first_frame_ms(&self) -> Option<f64> {
        let mut resumed = self.first_frame_ms.get(1..)?.to_vec();
        resumed.sort_by(f64::total_cmp);
        resumed.get(resumed.len() / 2).copied()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, frames_encoded, frames_decoded, freeze_count, .. } = self;
        let codec = self.video_codec.as_deref().unwrap_or("an unknown codec");
        write!(
            out,
            "{version}: {frames_decoded} of {frames_encoded} frames of {codec}, {freeze_count} freezes, "
        )?;
        write!(out, "{:.0} % of the sound's energy, ", 100.0 * self.energy_ratio())?;
        write!(out, "NACKs: {} sent, {} received; ", self.sent_nacks, self.received_nacks)?;
        let rounded: Vec<String> = self.first_frame_ms.iter().map(|ms| format!("{ms:.0}")).collect();
        write!(out, "first picture after {} ms", rounded.join(", "))?;
        if let Some(median) = self.median_first_frame_ms() {
            write!(out, " (median when resumed: {median:.0} ms)")?;
        }
        for (name, transport) in ["sends", "receives"].iter().zip(&self.transports) {
            let told = |told: &Option<String>| told.clone().unwrap_or_else(|| "not told".to_owned());
            let version = match transport.tls_version.as_deref() {
                Some("FEFC") => "DTLS 1.3".to_owned(),
                Some("FEFD") => "DTLS 1.2".to_owned(),
                other => format!("DTLS {}", other.unwrap_or("version not told")),
            };
            let (suite, srtp) = (told(&transport.dtls_cipher), told(&transport.srtp_cipher));
            let tuple = transport.selected_by_the_worker().unwrap_or("nothing");
            write!(out, "; {name} by {tuple}, {version}, {suite}, {srtp}")?;
        }
        Ok(())
    }
}
