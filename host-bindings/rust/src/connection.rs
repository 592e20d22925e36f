//! The host's end of the pipe: requests out, their answers and events in, both in order.
//!
//! Knows frames, request numbers and which entity an event is for. Does not know what entities are, nor processes.
//! Entities call [`Connection::request`] and [`Connection::send`]; the tasks of [`pump`] call
//! [`Connection::on_message`]; the supervisor calls [`Connection::end`].
//!
//! Invariant: `pending` holds, in the order in which they were written, exactly the requests that are not answered.
//! So an answer always belongs to the first of them, and whatever came after the answer on the pipe is looked at
//! after the answer took effect.

pub(crate) mod pump;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tidegate_protocol::codec;
use tidegate_protocol::error::CommandError;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::error::{InvalidOption, RequestError, WorkerExit};
use crate::events::Emitter;
use crate::random::random_u64;
use crate::sync::lock;
use crate::worker::WorkerEvent;

/// One worker's pipe, shared by all entities in it.
pub(crate) struct Connection {
    traffic: Mutex<Traffic>,
    /// Room in the outgoing queue. Closed with the connection, which wakes all that wait for it.
    room: Arc<Semaphore>,
    fate: watch::Sender<Fate>,
    request_timeout: Duration,
    targets: Mutex<BTreeMap<u64, Weak<dyn Target>>>,
    last_id: AtomicU64,
    next_ssrc: AtomicU32,
    /// What concerns the worker as a whole.
    pub(crate) events: Emitter<WorkerEvent>,
}

/// Where a worker stands.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// Greeted and not closed.
    Running,
    /// This host closed it; the process may still be there.
    Closing,
    /// The process is gone.
    Ended {
        exit: WorkerExit,
        /// Whether this host had closed it.
        asked: bool,
    },
}

/// Takes the events of one entity.
pub(crate) trait Target: Send + Sync {
    fn on_event(&self, event: Event);
}

/// A frame on its way out, and its place in the queue.
pub(crate) struct Outgoing {
    pub(crate) frame: Vec<u8>,
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

impl Connection {
    /// A connection whose outgoing frames come out of the second value.
    pub(crate) fn new(request_timeout: Duration) -> (Arc<Self>, mpsc::UnboundedReceiver<Outgoing>) {
        let (outgoing, frames) = mpsc::unbounded_channel();
        let traffic = Traffic { outgoing: Some(outgoing), pending: VecDeque::new(), last_request: 0 };
        let connection = Self {
            traffic: Mutex::new(traffic),
            room: Arc::new(Semaphore::new(WAITING_FRAMES_MAX)),
            fate: watch::Sender::new(Fate::Running),
            request_timeout,
            targets: Mutex::default(),
            last_id: AtomicU64::new(0),
            next_ssrc: AtomicU32::new(u32::try_from(random_u64() % u64::from(SSRCS)).unwrap_or(0)),
            events: Emitter::new(),
        };
        (Arc::new(connection), frames)
    }

    /// Asks, and waits for the answer. `take_effect` is run on the answer before anything that came after it is
    /// looked at; `None` from it says that the answer is not one to this request.
    pub(crate) async fn request<T: Send + 'static>(
        &self,
        command: Command,
        take_effect: impl FnOnce(Reply) -> Option<T> + Send + 'static,
    ) -> Result<T, RequestError> {
        let (answer, answered) = oneshot::channel();
        let complete = move |result: Result<Reply, RequestError>| {
            let result = result.and_then(|reply| take_effect(reply).ok_or(RequestError::UnexpectedReply));
            // Nobody waits any more when the caller was cancelled or timed out.
            let _ = answer.send(result);
        };
        let exchange = async {
            let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| self.closed_error())?;
            self.submit(command, Box::new(complete), Some(room))?;
            answered.await.unwrap_or_else(|_| Err(self.closed_error()))
        };
        match timeout(self.request_timeout, exchange).await {
            Ok(result) => result,
            Err(_) => Err(RequestError::Timeout { after: self.request_timeout }),
        }
    }

    /// Asks without caring for the answer: closes, which cannot wait for room and are at most one an entity.
    pub(crate) fn send(&self, command: Command) {
        // Fails only when the worker is gone, and everything in it.
        let _ = self.submit(command, Box::new(|_| ()), None);
    }

    /// Takes one message from the worker; an error says what is wrong with it.
    pub(crate) fn on_message(&self, message: FromWorker) -> Result<(), &'static str> {
        match message {
            FromWorker::Response { id, result } => self.on_response(id, result),
            FromWorker::Event(event) => {
                self.on_event(event);
                Ok(())
            }
            FromWorker::Log { level, tag, text } => {
                self.events.emit(WorkerEvent::Log { level, tag, text: text.as_str().to_owned() });
                Ok(())
            }
            FromWorker::Hello(_) => Err("it greeted twice"),
        }
    }

    /// This host wants no more: every pending and later request fails, the pipe closes.
    pub(crate) fn close(&self) {
        self.stop(|fate| match fate {
            Fate::Running => Some(Fate::Closing),
            Fate::Closing | Fate::Ended { .. } => None,
        });
    }

    /// The worker is gone: every pending and later request fails with its exit.
    pub(crate) fn end(&self, exit: WorkerExit) {
        let mut died = None;
        self.stop(|fate| match fate {
            Fate::Running => {
                died = Some(exit.clone());
                Some(Fate::Ended { exit, asked: false })
            }
            Fate::Closing => Some(Fate::Ended { exit, asked: true }),
            Fate::Ended { .. } => None,
        });
        if let Some(exit) = died {
            self.events.emit(WorkerEvent::Died(exit));
        }
    }

    /// Follows where the worker stands.
    pub(crate) fn fate(&self) -> watch::Receiver<Fate> {
        self.fate.subscribe()
    }

    /// The error of whoever comes when the worker is closed or gone.
    pub(crate) fn ended(&self) -> Option<RequestError> {
        let running = matches!(&*self.fate.borrow(), Fate::Running);
        (!running).then(|| self.closed_error())
    }

    /// A number for a new entity.
    pub(crate) fn new_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The first of `count` SSRCs in a row, 16 at most, that this worker did not use before (within the last 100
    /// million). They come in order from a random one on, because random ones would collide: at 1,000 in one time of
    /// 2,000.
    pub(crate) fn new_ssrcs(&self, count: usize) -> u32 {
        let count = u32::try_from(count).map_or(SSRCS_IN_A_ROW_MAX, |count| count.min(SSRCS_IN_A_ROW_MAX));
        let first = self.next_ssrc.fetch_add(count, Ordering::Relaxed) % (SSRCS - SSRCS_IN_A_ROW_MAX);
        SSRC_MIN + first
    }

    /// From now on events about `id` go to `target`.
    pub(crate) fn register(&self, id: u64, target: Weak<dyn Target>) {
        lock(&self.targets).insert(id, target);
    }

    /// From now on events about `id` are dropped.
    pub(crate) fn forget(&self, id: u64) {
        lock(&self.targets).remove(&id);
    }

    fn submit(
        &self,
        command: Command,
        complete: Complete,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<(), RequestError> {
        let mut traffic = lock(&self.traffic);
        let id = RequestId(traffic.last_request + 1);
        let mut frame = Vec::new();
        codec::encode_frame(&ToWorker::Request { id, command }, &mut frame)
            .map_err(|_| InvalidOption::TooLarge)?;
        let outgoing = traffic.outgoing.as_ref().ok_or_else(|| self.closed_error())?;
        // Fails when the writer saw the pipe break; then the supervisor is about to end all pending requests.
        let _ = outgoing.send(Outgoing { frame, room });
        traffic.last_request = id.0;
        traffic.pending.push_back(Pending { id, complete });
        Ok(())
    }

    fn on_response(&self, id: RequestId, result: Result<Reply, CommandError>) -> Result<(), &'static str> {
        let first = {
            let mut traffic = lock(&self.traffic);
            if traffic.outgoing.is_none() {
                return Ok(()); // Closed in the meantime: this request has failed already.
            }
            traffic.pending.pop_front()
        };
        match first {
            Some(pending) if pending.id == id => {
                (pending.complete)(result.map_err(RequestError::Refused));
                Ok(())
            }
            Some(pending) => {
                (pending.complete)(Err(RequestError::UnexpectedReply));
                Err("it answered requests out of order")
            }
            None => Err("it answered a request that was never made"),
        }
    }

    fn on_event(&self, event: Event) {
        let Some(id) = event.entity() else {
            if let Event::MemoryLimit { limit_bytes, dropped } = event {
                self.events.emit(WorkerEvent::MemoryLimit { limit_bytes, dropped });
            }
            return;
        };
        // The lock is released before the target acts: acting may close entities, which takes it again.
        let target = lock(&self.targets).get(&id.0).and_then(Weak::upgrade);
        if let Some(target) = target {
            target.on_event(event);
        }
    }

    fn stop(&self, next: impl FnOnce(&Fate) -> Option<Fate>) {
        let moved = self.fate.send_if_modified(|fate| match next(fate) {
            Some(next) => {
                *fate = next;
                true
            }
            None => false,
        });
        if !moved {
            return;
        }
        self.room.close();
        let pending = {
            let mut traffic = lock(&self.traffic);
            traffic.outgoing = None;
            std::mem::take(&mut traffic.pending)
        };
        for request in pending {
            (request.complete)(Err(self.closed_error()));
        }
    }

    fn closed_error(&self) -> RequestError {
        match &*self.fate.borrow() {
            Fate::Ended { exit, asked: false } => RequestError::WorkerClosed { exit: Some(exit.clone()) },
            Fate::Running | Fate::Closing | Fate::Ended { .. } => RequestError::WorkerClosed { exit: None },
        }
    }
}

/// Waits until a worker was closed or is gone.
pub(crate) async fn stopped(mut fate: watch::Receiver<Fate>) {
    // An error means that the connection itself is gone.
    let _ = fate.wait_for(|fate| !matches!(fate, Fate::Running)).await;
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("fate", &*self.fate.borrow()).finish_non_exhaustive()
    }
}

/// Requests that wait to be written; more wait in their callers. Enough to fill a pipe's 64 KiB with small ones.
const WAITING_FRAMES_MAX: usize = 256;
/// SSRCs are chosen as mediasoup does: nine decimal digits, readable in dumps.
const SSRC_MIN: u32 = 100_000_000;
/// How many of them there are.
const SSRCS: u32 = 899_999_999;
/// The most that one entity takes: 16 encodings, or a stream and its retransmissions.
const SSRCS_IN_A_ROW_MAX: u32 = 16;

struct Traffic {
    /// `None` once closed.
    outgoing: Option<mpsc::UnboundedSender<Outgoing>>,
    pending: VecDeque<Pending>,
    last_request: u64,
}

struct Pending {
    id: RequestId,
    complete: Complete,
}

type Complete = Box<dyn FnOnce(Result<Reply, RequestError>) + Send>;
