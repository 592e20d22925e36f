//! The media worker as a library: a pure core in a thin shell.
//!
//! The worker is a function of (state, input, now) that writes into an outbox. Layers, lower ones know nothing of
//! upper ones (`tests/tests/tidy.rs` holds them to it; `worker/README.md` tells a packet's whole path):
//!
//! * shell: [`event_loop`], [`sys`], [`settings`], [`moderation`]: the only I/O, the only clock
//! * [`session`]: frames to requests, messages to frames; [`worker`]: the core's entry points
//! * root of the pure part: [`turn`], [`outbox`], [`network`], [`random`], [`counters`]
//! * engines, one protocol each, sans-I/O: [`stream`], [`bwe`], [`ice`], [`dtls`], [`srtp`]
//! * wire, bytes to values and back: [`rtp`], [`rtcp`]
//! * [`base`]: memory, tables, numbers, deadlines

pub mod base;
pub mod bwe;
mod control;
pub mod counters;
pub mod dtls;
pub mod event_loop;
pub mod ice;
mod media;
pub mod moderation;
pub mod network;
pub mod outbox;
pub mod random;
pub mod rtcp;
pub mod rtp;
pub mod session;
pub mod settings;
pub mod srtp;
mod start;
pub mod stream;
pub mod sys;
pub mod turn;
pub mod worker;

pub use start::main_with_args;
