//! The gauge: what forwarding costs, beside the yardstick, in one interleaved run.
//!
//! A *scenario* says who sends what to whom; a *subject* forwards it (the worker, or a way of `ideal`); `run` measures
//! one subject once; `report` makes rows of medians. Knows everything above the load generator. Called by the
//! benchmark program. Its invariant: all subjects of a row get the same packets at the same times, from the same
//! number of sockets, on the same core.

pub mod flood;
pub mod idle;
pub mod idle_webrtc;
pub mod report;
pub mod run;
pub mod scenario;
pub mod secured;
pub mod srtp;
pub mod subject;
pub mod worker_bin;
pub mod yardstick;
