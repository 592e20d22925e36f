//! WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): publishers and players that know HTTP and SDP, and no signalling of
//! ours.
//!
//! | request | what it does |
//! | --- | --- |
//! | `POST /whip/ROOM` | an offer to send: 201, the answer, and where the session is |
//! | `POST /whep/ROOM` | an offer to receive: likewise |
//! | `PATCH /whip/ROOM/ID`, `/whep/ROOM/ID` | candidates: 204; other credentials: an ICE restart, 200 |
//! | `DELETE` of these | the end, 200 |
//! | `OPTIONS` of all | what they take (CORS) |
//!
//! A publisher is a visitor like any other: everybody in the room is sent what it sends. A session is closed by itself
//! when its media has not connected within [`Limits::connecting`](crate::Limits), when that is lost, when the client says
//! goodbye by DTLS, when all that it plays has ended, and with its worker. Nothing is renegotiated: whoever wants another
//! codec or track begins another session.
//!
//! | module | knows |
//! | --- | --- |
//! | `http` | methods, status codes and header fields |
//! | `sessions` | which sessions there are, and when one ends by itself |
//! | `session` | how one is made of an offer, and restarted |
//! | `refusal` | why something is refused, and by which status code |

mod http;
mod refusal;
mod session;
mod sessions;

pub(crate) use http::routes;
pub(crate) use sessions::Sessions;
