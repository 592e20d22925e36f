//! SDP of WHIP and WHEP: offers read, answers written, and the fragments of trickle ICE. Pure functions.
//!
//! Knows lines and what they mean to RTP, ICE and DTLS. Does not know HTTP, rooms or workers. Called by
//! [`whip`](crate::whip). Invariant: whatever the bytes, they are read in bounded time, or refused with a sentence.
//!
//! Lines are read and written with the crate `sdp-types`, which GStreamer's authors keep. Compared with it, `webrtc-sdp`
//! (Firefox's) is under the MPL, which asks more than attribution, and refuses whole offers for one attribute that it
//! takes for wrong; `sdp` (webrtc-rs) leaves attributes as text, which would have left their grammar to us; and the
//! parser within `str0m` comes with its whole stack. `sdp-types` has four small dependencies, reads attributes by type,
//! one by one, and strips line breaks from what it writes, so that nothing in an offer can add lines to an answer.
//!
//! | module | knows |
//! | --- | --- |
//! | `offer` | what an offer says |
//! | `publish` | what a room receives of an offer: codec, streams, header extensions |
//! | `play` | what an offerer can receive |
//! | `answer` | how an answer is written |
//! | `fragment` | what a client trickles, and what it is told after an ICE restart |

mod answer;
mod fragment;
mod offer;
mod play;
mod publish;

pub use answer::{Answer, Answered};
pub use fragment::Fragment;
pub(crate) use offer::SDP_BYTES_MAX;
pub use offer::{Direction, Ice, Offer, OfferError, Section};
pub use play::receivable;
pub use publish::received;
