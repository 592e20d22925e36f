//! What the worker must know of a codec's payload: key frames, layers, silence.
//!
//! Knows payload descriptors and the first byte of a frame. Does not decode. Called by `Producer::admit` on the payload
//! of a parsed packet, and by `media::consumer` where a descriptor is rewritten.

pub mod opus;
pub mod vp8;
