//! The media worker as a library: a pure core in a thin shell (see `worker/README.md`).

pub mod base;
pub mod rtcp;
pub mod rtp;
pub mod stream;
