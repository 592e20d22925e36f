//! The pipe between host and worker, as bytes that arrive in pieces cut anywhere, both ways.
//!
//! The worker's end is its event loop's: the same frame reader, the same [`Session`], the same bounds. The host's end
//! reads as a host library does. Knows bytes, frames and messages. Does not know what they mean, nor the clock.
//! Invariant: a message is a whole frame, and comes out as it went in, whatever the pieces.

use tidegate_protocol::PROTOCOL_VERSION;
use tidegate_protocol::bounded::Text;
use tidegate_protocol::codec::{decode, encode_frame};
use tidegate_protocol::frame::FrameReader;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, HelloReply, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_worker::outbox::Outbox;
use tidegate_worker::random::Random;
use tidegate_worker::session::{Heard, Session, hello, say};
use tidegate_worker::turn::Turn;
use tidegate_worker::worker::Worker;

/// Both ends and what is between them.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Written by the host; those before `read` have arrived.
    to_worker: Bytes,
    frames: FrameReader,
    session: Session,
    from_worker: Bytes,
    host_frames: FrameReader,
    random: Random,
}

/// Bytes that one end wrote; those before `read` have reached the other.
#[derive(Debug, Default)]
struct Bytes {
    written: Vec<u8>,
    read: usize,
}

impl Bytes {
    /// The next piece: at least one byte, at most all.
    fn piece(&mut self, random: &mut Random) -> &[u8] {
        if self.read == self.written.len() {
            self.written.clear();
            self.read = 0;
        }
        let left = u32::try_from(self.waiting()).expect("less than 4 GiB");
        let length = if left == 0 { 0 } else { random.in_range(1, left) as usize };
        let start = self.read;
        self.read += length;
        &self.written[start..self.read]
    }

    fn waiting(&self) -> usize {
        self.written.len() - self.read
    }
}

impl Pipe {
    /// A pipe over which host and worker have greeted.
    pub(super) fn new(random: Random) -> Self {
        let mut pipe = Self {
            to_worker: Bytes::default(),
            frames: FrameReader::default(),
            session: Session::new(),
            from_worker: Bytes::default(),
            host_frames: FrameReader::default(),
            random,
        };
        encode_frame(&hello(1), &mut pipe.from_worker.written).expect("a greeting fits a frame");
        let mut heard = Vec::new();
        pipe.host_reads_all(&mut heard);
        assert!(matches!(*heard, [FromWorker::Hello(_)]), "{heard:?}");
        let host = Text::clipped("simulated host");
        pipe.host_says(&ToWorker::HelloReply(HelloReply { protocol_version: PROTOCOL_VERSION, host }));
        pipe
    }

    /// The host writes a request.
    pub(super) fn ask(&mut self, id: RequestId, command: Command) {
        self.host_says(&ToWorker::Request { id, command });
    }

    /// The worker's turn: reads what has arrived, as the event loop does.
    pub(super) fn read_requests(&mut self, worker: &mut Worker, turn: &mut Turn<'_>) {
        let piece = self.to_worker.piece(&mut self.random);
        self.frames.push(piece);
        for _ in 0..REQUESTS_PER_TURN {
            if !self.has_room() || turn.outbox.is_full() {
                return;
            }
            let content = self.frames.next_frame().expect("the host writes frames");
            let Some(content) = content else { break };
            match self.session.on_frame(content, turn.outbox) {
                Heard::Nothing => {}
                Heard::Request(id, command) => worker.on_request(id, command, turn),
                Heard::End(code, words) => panic!("the worker would end with code {code}: {words}"),
            }
            self.queue_output(turn.outbox);
        }
        self.frames.shrink();
    }

    /// The end of a turn: the worker writes what there is room for, the host reads a piece of it.
    pub(super) fn write_output(&mut self, outbox: &mut Outbox, said: &mut Vec<FromWorker>) {
        self.queue_output(outbox);
        assert!(outbox.is_empty() || !self.has_room(), "messages wait while the pipe has room");
        self.host_reads(said);
    }

    /// The host reads all that was written.
    pub(super) fn host_reads_all(&mut self, said: &mut Vec<FromWorker>) {
        while self.from_worker.waiting() > 0 {
            self.host_reads(said);
        }
    }

    /// Whether all that the worker wrote was read. (What waits in its outbox has no room before.)
    pub(super) fn is_quiet(&self) -> bool {
        self.from_worker.waiting() == 0
    }

    fn host_reads(&mut self, said: &mut Vec<FromWorker>) {
        let piece = self.from_worker.piece(&mut self.random);
        self.host_frames.push(piece);
        while let Some(content) = self.host_frames.next_frame().expect("the worker writes frames") {
            said.push(decode(content).expect("the worker writes messages"));
        }
    }

    fn host_says(&mut self, message: &ToWorker) {
        encode_frame(message, &mut self.to_worker.written).expect("a request fits a frame");
    }

    fn queue_output(&mut self, outbox: &mut Outbox) {
        while self.has_room() {
            let Some(message) = outbox.pop() else { break };
            say(message, |message| encode_frame(message, &mut self.from_worker.written));
        }
    }

    fn has_room(&self) -> bool {
        self.from_worker.waiting() < OUTPUT_BYTES_MAX
    }
}

/// As the event loop's.
const REQUESTS_PER_TURN: usize = 256;
/// As the control pipe's.
const OUTPUT_BYTES_MAX: usize = tidegate_worker::sys::pipe::OUTPUT_BYTES_MAX;
