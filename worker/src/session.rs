//! The conversation with the host: what a frame asks for, and how a message becomes one.
//!
//! Knows the greeting, requests and their one answer each. Does not know descriptors, how bytes travel, or what a request
//! means. Called by the event loop for each frame and message; by tests with bytes of their own.
//! Invariant: every frame from which a request can be told gets one answer, in order, and nothing is carried out before
//! the host has greeted.

use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::codec::{EncodeError, decode, request_id};
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, Hello, HelloReply, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_protocol::{PROTOCOL_VERSION, exit};

use crate::outbox::Outbox;

/// What the host and we have said so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Session {
    greeted: bool,
}

/// What to do about a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// Nothing more: if it needed an answer, that is in the outbox.
    Nothing,
    /// A request to be carried out and answered.
    Request(RequestId, Command),
    /// The two do not understand one another: to end with this exit code, after these words.
    End(u8, String),
}

impl Session {
    /// Nobody has greeted.
    pub const fn new() -> Self {
        Self { greeted: false }
    }

    /// Takes the content of one frame.
    pub fn on_frame(&mut self, content: &[u8], outbox: &mut Outbox) -> Heard {
        match decode::<ToWorker>(content) {
            Ok(ToWorker::HelloReply(reply)) => self.on_hello(&reply),
            Ok(ToWorker::Request { id, command }) if self.greeted => Heard::Request(id, command),
            Ok(ToWorker::Request { id, .. }) => {
                let error = CommandError::new(ErrorKind::InvalidState, "greet with HelloReply first");
                outbox.respond(id, Err(error));
                Heard::Nothing
            }
            Err(error) => {
                let error = CommandError::new(ErrorKind::Malformed, error.to_string());
                outbox.respond(request_id(content), Err(error));
                Heard::Nothing
            }
        }
    }

    fn on_hello(&mut self, reply: &HelloReply) -> Heard {
        if reply.protocol_version != PROTOCOL_VERSION {
            let words = format!(
                "the host ({}) speaks protocol version {}, this worker {PROTOCOL_VERSION}; use packages of one release",
                &*reply.host, reply.protocol_version
            );
            return Heard::End(exit::BROKEN_FRAMING, words);
        }
        self.greeted = true;
        Heard::Nothing
    }
}

/// The worker's first message.
pub fn hello(pid: u32) -> FromWorker {
    FromWorker::Hello(Hello {
        protocol_version: PROTOCOL_VERSION,
        worker_version: Text::clipped(env!("CARGO_PKG_VERSION")),
        pid,
        features: List::new(),
    })
}

/// Has `queue` make a frame of a message; of an answer that does not fit one, of a short answer that says so.
pub fn say(message: FromWorker, mut queue: impl FnMut(&FromWorker) -> Result<(), EncodeError>) {
    if queue(&message).is_err()
        && let FromWorker::Response { id, .. } = message
    {
        let error = CommandError::new(ErrorKind::LimitReached, "the answer does not fit a frame of 4 MiB");
        let queued = queue(&FromWorker::Response { id, result: Err(error) });
        debug_assert!(queued.is_ok(), "a short answer fits");
    }
}

#[cfg(test)]
mod tests {
    use tidegate_protocol::codec::encode_frame;
    use tidegate_protocol::response::Reply;

    use super::*;
    use crate::outbox::LogSettings;
    use crate::random::Random;

    fn outbox() -> Outbox {
        Outbox::new(Random::from_seed([1; 32]).hasher(), LogSettings::default())
    }

    fn content(message: &ToWorker) -> Vec<u8> {
        let mut frame = Vec::new();
        encode_frame(message, &mut frame).unwrap();
        frame.split_off(4)
    }

    fn greeting(protocol_version: u32) -> Vec<u8> {
        content(&ToWorker::HelloReply(HelloReply { protocol_version, host: Text::clipped("host") }))
    }

    fn refusal(outbox: &mut Outbox) -> Option<(RequestId, ErrorKind)> {
        match outbox.pop()? {
            FromWorker::Response { id, result: Err(error) } => Some((id, error.kind)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_is_carried_out_before_the_greeting() {
        let (mut session, mut outbox) = (Session::new(), outbox());
        let request = content(&ToWorker::Request { id: RequestId(7), command: Command::GetMetrics });
        assert_eq!(session.on_frame(&request, &mut outbox), Heard::Nothing);
        assert_eq!(refusal(&mut outbox), Some((RequestId(7), ErrorKind::InvalidState)));
        assert_eq!(session.on_frame(&greeting(PROTOCOL_VERSION), &mut outbox), Heard::Nothing);
        let heard = session.on_frame(&request, &mut outbox);
        assert_eq!(heard, Heard::Request(RequestId(7), Command::GetMetrics));
        assert!(outbox.is_empty());
    }

    #[test]
    fn nonsense_is_answered_and_another_version_ends_the_conversation() {
        let (mut session, mut outbox) = (Session::new(), outbox());
        assert_eq!(session.on_frame(&[0xFF; 30], &mut outbox), Heard::Nothing);
        assert_eq!(refusal(&mut outbox), Some((RequestId::NONE, ErrorKind::Malformed)));
        let heard = session.on_frame(&greeting(PROTOCOL_VERSION + 1), &mut outbox);
        assert!(matches!(heard, Heard::End(exit::BROKEN_FRAMING, words) if words.contains("version")));
    }

    #[test]
    fn an_answer_that_does_not_fit_is_replaced_and_an_event_is_left_out() {
        let mut queued = Vec::new();
        let mut full = true;
        let answer = FromWorker::Response { id: RequestId(3), result: Ok(Reply::Done) };
        say(answer, |message| {
            queued.push(message.clone());
            if std::mem::take(&mut full) { Err(EncodeError) } else { Ok(()) }
        });
        let last = queued.pop();
        assert!(matches!(last, Some(FromWorker::Response { id: RequestId(3), result: Err(error) })
            if error.kind == ErrorKind::LimitReached));
        let mut attempts = 0;
        say(hello(1), |_| {
            attempts += 1;
            Err(EncodeError)
        });
        assert_eq!(attempts, 1);
    }
}
