//! What publishers and players saw.
//!
//! Knows the JSON of `tests/browsers/whip` and of `tests/peers/python/whip.py`. Does not judge.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What all of them saw.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Seen {
    /// The browser's.
    pub(crate) version: String,
    pub(crate) pages: Pages,
    pub(crate) simulcast: Simulcast,
    pub(crate) peers: Peers,
}

/// Firefox with Chromium.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Foxes {
    pub(crate) versions: Vec<String>,
    /// What Firefox published, and what it played.
    pub(crate) published: Pages,
    pub(crate) played: Pages,
}

/// A page that offered several encodings.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Simulcast {
    /// That a player saw.
    pub(crate) frames: u32,
    /// Whether the answer accepts them.
    pub(crate) answered: bool,
}

/// A page that publishes and one that plays, of another origin than the server's.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pages {
    /// What the player was told when nothing was published yet.
    pub(crate) nothing: String,
    pub(crate) published: Negotiated,
    pub(crate) played: Negotiated,
    pub(crate) restarted: Restarted,
    /// Status of each DELETE.
    pub(crate) ended: Vec<u16>,
    pub(crate) moves: bool,
    /// Degrees; the publisher sends 200.
    pub(crate) hue: f64,
    pub(crate) frames: u32,
}

/// How a session began.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Negotiated {
    pub(crate) status: u16,
    /// Status of the PATCH.
    pub(crate) trickled: u16,
    /// Since the offer was begun.
    pub(crate) first_picture_ms: Option<f64>,
}

/// What an ICE restart led to.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Restarted {
    pub(crate) status: u16,
    /// Another ETag.
    pub(crate) is_new: bool,
}

/// GStreamer, and a visitor on the echo room's page.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peers {
    /// Of the visitor's tiles.
    pub(crate) names: Vec<String>,
    pub(crate) published: Peer,
    /// Of the visitor's picture: asked for by name, and as the newest.
    pub(crate) played: Peer,
    pub(crate) newest: Peer,
    /// Until a publisher that was killed was let go.
    pub(crate) killed_gone_ms: f64,
    /// What the browser complained of.
    pub(crate) complaints: Vec<String>,
}

/// One run of `whip.py`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Peer {
    /// Of each request.
    pub(crate) statuses: BTreeMap<String, u16>,
    /// RTP packets, by medium.
    pub(crate) packets: BTreeMap<String, u64>,
    /// Frames that came out of its decoders, by medium.
    pub(crate) decoded: BTreeMap<String, u64>,
    /// Pictures that differ.
    pub(crate) pictures: u64,
    pub(crate) first_picture_s: Option<f64>,
}
