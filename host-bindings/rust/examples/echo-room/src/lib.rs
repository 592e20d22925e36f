//! Rooms in the browser: everybody sees and hears everybody, themselves included, through a Tidegate worker.
//!
//! * [`Hall`]: the worker, the one that follows it when it dies, and the rooms by name
//! * [`stage`]: one worker with its ports open
//! * [`room`]: who is in a room, and who consumes whom
//! * [`peer`]: one visitor: transports, what they send, what they are sent
//! * [`signalling`]: the JSON that a page and this server say to each other
//! * [`figures`]: what the worker costs and moves
//! * [`conversation`]: one WebSocket, over the lives of several workers
//! * [`whip`]: WHIP and WHEP: publishers and players that know HTTP and SDP only
//! * [`sdp`]: offers, answers and what they are to RTP, ICE and DTLS
//! * [`web`]: HTTP: the page (`page/`), and conversations
//! * [`limits`]: how much anybody may ask
//!
//! `README.md` documents the signalling for whoever writes another client.
#![forbid(unsafe_code)]

pub mod conversation;
pub mod figures;
pub mod hall;
pub mod limits;
mod listener;
mod page;
pub mod peer;
pub mod room;
pub mod sdp;
pub mod signalling;
pub mod stage;
pub mod web;
pub mod whip;

pub use hall::{Hall, MediaOptions, media_codecs};
pub use limits::Limits;
pub use stage::Status;
pub use web::serve;
