//! What a network can carry: engine of bandwidth estimation, for one transport at a time.
//!
//! Knows transport-wide numbers, times and the feedback about them. Does not know entities or how bytes travel. Called
//! by `media::transport::congestion`. Of the two sides only the receiving one is here: what arrived, told to the one
//! who sent it.

#![forbid(unsafe_code)]

pub mod feedback;
