//! What must hold for any bytes: one property a parser, and one for the whole worker.
//!
//! A property is a function that panics when the worker is wrong. The same one is run by `cargo test` on the checked-in
//! corpora and on a bounded number of drawn and mutated inputs (`tests/properties.rs`), by `cargo parser-fuzz` on as
//! many as one likes, and by the coverage-guided targets in `tests/fuzz`.
//!
//! * [`rtp`], [`values`], [`mod@audio_level`], [`rtcp`], [`mod@rtcp_write`], [`payload`], [`mod@red`], [`codecs`],
//!   [`mod@dependency_descriptor`], [`numbers`]: the wire, against readers of our own
//!   (`rtp_expected`, `rtcp_expected`, and the strict ones of [`crate::world`])
//! * [`wide_feedback`]: what is told of arrivals, against a model
//! * [`mod@stun`]: STUN, the agent that answers it, and frames in a TCP stream
//! * [`mod@dtls`]: two ends of DTLS and somebody between them
//! * [`mod@srtp`]: what opens and what does not
//! * [`protocol`]: frames and messages of the pipe
//! * [`mod@worker`]: the whole worker in a [`crate::world::World`], bytes read as a script
//! * [`inputs`], `drawn`: where inputs come from; [`campaign`]: many of them on all cores
//!
//! Knows public faces only. Invariant: a property is a function of its bytes, and its work is bounded by their number.

pub mod audio_level;
pub mod campaign;
pub mod codecs;
pub mod dependency_descriptor;
pub mod dtls;
pub mod inputs;
pub mod numbers;
pub mod payload;
pub mod protocol;
pub mod red;
pub mod rtcp;
pub mod rtcp_write;
pub mod rtp;
pub mod srtp;
pub mod stun;
pub mod values;
pub mod wide_feedback;
pub mod worker;

mod drawn;
mod drawn_stun;
mod rtcp_expected;
mod rtp_expected;

pub use audio_level::audio_level;
pub use codecs::{av1, h264, h265, vp9};
pub use dependency_descriptor::dependency_descriptor;
pub use dtls::dtls;
pub use numbers::serials;
pub use payload::{opus, vp8};
pub use protocol::{frames, messages, requests};
pub use red::red;
pub use rtcp::{
    rtcp_bye, rtcp_compound, rtcp_feedback, rtcp_remb, rtcp_report, rtcp_sdes, rtcp_twcc, rtcp_xr,
};
pub use rtcp_write::rtcp_write;
pub use rtp::{rtp_extensions, rtp_header, rtp_write, rtx};
pub use srtp::srtp;
pub use stun::{framing, ice, stun};
pub use values::rtp_values;
pub use wide_feedback::arrivals;
pub use worker::worker;

use crate::fuzz::Dice;

/// A property and what it takes to try it.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Of the function, of its fuzz target and of its corpus.
    pub name: &'static str,
    /// Panics when the property is broken.
    pub check: fn(&[u8]),
    /// An input that is likely to be interesting.
    pub draw: fn(&mut Dice) -> Vec<u8>,
    /// It is given one input where others are given so many.
    pub costs: u64,
}

/// All properties.
pub const ALL: &[Property] = &[
    property("rtp_header", rtp_header, drawn::rtp, 1),
    property("rtp_extensions", rtp_extensions, drawn::extensions, 1),
    property("audio_level", audio_level, drawn::audio_level, 1),
    property("rtp_write", rtp_write, drawn::choices, 1),
    property("rtp_values", rtp_values, drawn::extensions, 1),
    property("rtx", rtx, drawn::rtx, 1),
    property("vp8", vp8, drawn::vp8, 1),
    property("opus", opus, drawn::opus, 1),
    property("red", red, drawn::red, 1),
    property("vp9", vp9, drawn::vp9, 1),
    property("h264", h264, drawn::h264, 1),
    property("h265", h265, drawn::h265, 1),
    property("av1", av1, drawn::av1, 1),
    property("dependency_descriptor", dependency_descriptor, drawn::dependency_descriptor, 1),
    property("rtcp_compound", rtcp_compound, drawn::compound, 1),
    property("rtcp_report", rtcp_report, drawn::report, 1),
    property("rtcp_sdes", rtcp_sdes, drawn::sdes, 1),
    property("rtcp_bye", rtcp_bye, drawn::bye, 1),
    property("rtcp_feedback", rtcp_feedback, drawn::feedback, 1),
    property("rtcp_twcc", rtcp_twcc, drawn::twcc, 1),
    property("rtcp_remb", rtcp_remb, drawn::remb, 1),
    property("rtcp_xr", rtcp_xr, drawn::xr, 1),
    property("rtcp_write", rtcp_write, drawn::choices, 1),
    property("arrivals", arrivals, drawn::choices, 4),
    property("srtp", srtp, drawn::choices, 20),
    property("serials", serials, drawn::choices, 1),
    property("stun", stun, drawn_stun::stun, 1),
    property("ice", ice, drawn::choices, 4),
    property("framing", framing, drawn_stun::framing, 1),
    property("dtls", dtls, drawn::script, 2_000),
    property("frames", frames, drawn::choices, 1),
    property("requests", requests, drawn::request, 1),
    property("messages", messages, drawn::message, 1),
    property("worker", worker, drawn::script, 1_000),
];

/// The property of that name.
pub fn named(name: &str) -> Option<&'static Property> {
    ALL.iter().find(|property| property.name == name)
}

const fn property(
    name: &'static str,
    check: fn(&[u8]),
    draw: fn(&mut Dice) -> Vec<u8>,
    costs: u64,
) -> Property {
    Property { name, check, draw, costs }
}
