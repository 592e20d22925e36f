//! The worker's exit codes.

/// Closed in order: asked to, by signal, or because the host closed the pipe.
pub const CLOSED: u8 = 0;
/// The command line could not be understood; the reason is on stderr.
pub const BAD_SETTINGS: u8 = 42;
/// The byte stream on the pipe broke its framing (a frame longer than [`crate::frame::FRAME_BYTES_MAX`]) or the
/// greeting was refused; a last log event says which.
pub const BROKEN_FRAMING: u8 = 43;
/// A control descriptor or socket could not be used at start; the reason is on stderr.
pub const BAD_DESCRIPTOR: u8 = 44;
/// Three contained panics within ten seconds, or the event loop itself failed.
pub const INTERNAL: u8 = 70;
