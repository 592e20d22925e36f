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
    /// No freeze is forgiven: for runs to which the machine belongs alone.
    pub(crate) is_steady: bool,
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
            is_steady: false,
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
    /// From asking to resume the picture's new consumer to the picture on the screen; ICE and DTLS may still go on.
    first_picture_ms: f64,
    /// Likewise after pauses, when all is connected.
    pub(crate) resumed_ms: Vec<f64>,
    /// The same between two connections of the page, by turns with the former.
    pub(crate) loopback_ms: Vec<f64>,
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
    /// The version's number on the wire, in hexadecimal digits.
    tls_version: Option<String>,
    dtls_cipher: Option<String>,
    srtp_cipher: Option<String>,
    /// Of all pairs that carried anything.
    pub(crate) protocols: Vec<String>,
    worker: Value,
}

impl Transport {
    /// What the browser says of DTLS and SRTP is all there.
    pub(crate) fn tells_its_suites(&self) -> bool {
        [&self.tls_version, &self.dtls_cipher, &self.srtp_cipher].iter().all(|told| told.is_some())
    }

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
}

impl fmt::Display for Transport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |told: &Option<String>| told.clone().unwrap_or_else(|| "not told".to_owned());
        let version = match self.tls_version.as_deref() {
            Some("FEFC") => "1.3",
            Some("FEFD") => "1.2",
            other => other.unwrap_or("of a version that is not told"),
        };
        let tuple = self.selected_by_the_worker().unwrap_or("nothing");
        let (suite, srtp) = (told(&self.dtls_cipher), told(&self.srtp_cipher));
        write!(out, "{tuple}, DTLS {version}, {suite}, {srtp}")
    }
}

/// The middle one; the upper of two.
pub(crate) fn median(times: &[f64]) -> Option<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn listed(times: &[f64]) -> String {
    let rounded: Vec<String> = times.iter().map(|ms| format!("{ms:.0}")).collect();
    rounded.join(", ")
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
        write!(out, "first picture after {:.0} ms", self.first_picture_ms)?;
        for (name, times) in [("resumed", &self.resumed_ms), ("without a worker", &self.loopback_ms)] {
            if let Some(median) = median(times) {
                write!(out, ", {name} after {median:.0} (median of {})", listed(times))?;
            }
        }
        let [sends, receives] = &self.transports;
        write!(out, "; sends by {sends}; receives by {receives}")
    }
}
