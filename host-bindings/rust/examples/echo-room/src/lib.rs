//! Rooms in the browser: everybody sees and hears everybody, themselves included, through a Tidegate worker.
//!
//! * [`Hall`]: the worker, its WebRTC server, and the rooms by name
//! * [`room`]: who is in a room, and who consumes whom
//! * [`peer`]: one visitor: transports, what they send, what they are sent
//! * [`signalling`]: the JSON that a page and this server say to each other
//! * [`web`]: HTTP and WebSocket
//!
//! `README.md` documents the signalling for whoever writes another client.
#![forbid(unsafe_code)]

pub mod hall;
pub mod peer;
pub mod room;
pub mod signalling;
pub mod web;

pub use hall::{Hall, MediaOptions, media_codecs};
pub use web::serve;
