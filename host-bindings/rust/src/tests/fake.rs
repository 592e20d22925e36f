//! A worker that a test plays: it speaks the protocol over in-memory pipes and does what the test says.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tidegate_protocol::PROTOCOL_VERSION;
use tidegate_protocol::bounded::{List, Text};
use tidegate_protocol::codec;
use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::event::{ConsumerScore, Event};
use tidegate_protocol::frame::FrameReader;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::{FromWorker, Hello, ToWorker};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::{PlainTuples, Reply};
use tidegate_protocol::rtp::RtpType;
use tidegate_protocol::transport::{Protocol, TransportTuple};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{mpsc, watch};

use crate::error::ExitReason;
use crate::output::LastWords;
use crate::process::{Launched, Process};
use crate::{
    Consumer, ConsumerOptions, ListenInfo, MediaKind, PlainTransport, PlainTransportOptions, Producer,
    ProducerOptions, Router, RouterOptions, RtpCodecCapability, RtpCodecParameters, RtpEncodingParameters,
    RtpParameters, SpawnError, Worker, WorkerSettings,
};

/// The worker's side.
pub(super) struct Fake {
    /// Dropped: the worker closes its pipes.
    pipes: Option<Pipes>,
    frames: FrameReader,
    exit: watch::Sender<Option<ExitReason>>,
}

struct Pipes {
    from_host: DuplexStream,
    to_host: DuplexStream,
}

/// The process as the host sees it.
pub(super) struct FakeProcess(watch::Sender<Option<ExitReason>>);

impl Process for FakeProcess {
    async fn wait(&mut self) -> ExitReason {
        let mut exit = self.0.subscribe();
        exit.wait_for(Option::is_some).await.ok().and_then(|exit| *exit).unwrap_or(ExitReason::Unknown)
    }

    fn kill(&mut self) {
        self.0.send_replace(Some(ExitReason::Signal(9)));
    }
}

/// A worker in the making: what `launch` would give, and the other end of it.
pub(super) fn launched(last_words: &'static str) -> (Launched<FakeProcess>, Fake) {
    // One stream a direction, as with pipes: each end closes by itself.
    let (reader, to_host) = tokio::io::duplex(PIPE_BYTES);
    let (writer, from_host) = tokio::io::duplex(PIPE_BYTES);
    let exit = watch::Sender::new(None);
    let (sink, lines) = mpsc::channel(16);
    let launched = Launched {
        process: FakeProcess(exit.clone()),
        reader: Box::new(reader),
        writer: Box::new(writer),
        last_words: LastWords::of(last_words.as_bytes(), sink),
        lines,
    };
    (launched, Fake { pipes: Some(Pipes { from_host, to_host }), frames: FrameReader::default(), exit })
}

/// A worker that has greeted.
pub(super) async fn greeted() -> (Worker, Fake) {
    greeted_with("").await
}

/// A worker that has greeted and printed something.
pub(super) async fn greeted_with(last_words: &'static str) -> (Worker, Fake) {
    let (launched, mut fake) = launched(last_words);
    fake.say(&FromWorker::Hello(hello(PROTOCOL_VERSION))).await;
    let worker = Worker::attach(launched, &WorkerSettings::default()).await.unwrap();
    assert!(matches!(fake.heard().await, Some(ToWorker::HelloReply(_))));
    (worker, fake)
}

/// What spawning comes to when the worker first says `content`.
pub(super) async fn spawn_after(content: &[u8]) -> (Result<Worker, SpawnError>, Fake) {
    let (launched, mut fake) = launched("");
    fake.say_raw(content).await;
    (Worker::attach(launched, &WorkerSettings::default()).await, fake)
}

pub(super) fn hello(protocol_version: u32) -> Hello {
    Hello {
        protocol_version,
        worker_version: Text::clipped("1.2.3"),
        pid: 4711,
        features: List::first_of([Text::clipped("fake")]),
    }
}

/// One of each, made while `fake` says yes to everything.
pub(super) struct Session {
    pub(super) worker: Worker,
    pub(super) router: Router,
    pub(super) transport: PlainTransport,
    pub(super) producer: Producer,
    pub(super) consumer: Consumer,
}

pub(super) async fn session() -> (Session, Fake) {
    let (worker, mut fake) = greeted().await;
    let made = async {
        let router = worker.create_router(router_options()).await.unwrap();
        let transport = router.create_plain_transport(plain_options()).await.unwrap();
        let producer = transport.produce(producer_options()).await.unwrap();
        let consumer = transport.consume(consumer_options(&router, &producer)).await.unwrap();
        (router, transport, producer, consumer)
    };
    let ((router, transport, producer, consumer), ()) = tokio::join!(made, fake.agree(4));
    (Session { worker, router, transport, producer, consumer }, fake)
}

pub(super) fn router_options() -> RouterOptions {
    RouterOptions::new(vec![RtpCodecCapability::opus(), RtpCodecCapability::vp8()])
}

/// What a peer like the router itself can receive.
pub(super) fn consumer_options(router: &Router, producer: &Producer) -> ConsumerOptions {
    ConsumerOptions::new(producer, router.rtp_capabilities())
}

pub(super) fn plain_options() -> PlainTransportOptions {
    PlainTransportOptions::new(ListenInfo::new(Ipv4Addr::LOCALHOST))
}

pub(super) fn producer_options() -> ProducerOptions {
    let rtp_parameters = RtpParameters {
        codecs: vec![RtpCodecParameters::vp8(96), RtpCodecParameters::rtx(97, 96)],
        encodings: vec![RtpEncodingParameters::of_ssrc(1111)],
        ..Default::default()
    };
    ProducerOptions::new(MediaKind::Video, rtp_parameters)
}

impl Fake {
    /// The next message of the host; `None` once the host closed the pipe.
    pub(super) async fn heard(&mut self) -> Option<ToWorker> {
        let pipes = self.pipes.as_mut().unwrap();
        loop {
            if let Some(content) = self.frames.next_frame().unwrap() {
                return Some(codec::decode(content).unwrap());
            }
            let mut chunk = [0; 4096];
            match pipes.from_host.read(&mut chunk).await.unwrap() {
                0 => return None,
                bytes => self.frames.push(&chunk[..bytes]),
            }
        }
    }

    /// The next request.
    pub(super) async fn request(&mut self) -> (RequestId, Command) {
        match self.heard().await {
            Some(ToWorker::Request { id, command }) => (id, command),
            other => panic!("a request was expected, not {other:?}"),
        }
    }

    /// Answers the next `requests` with yes.
    pub(super) async fn agree(&mut self, requests: usize) {
        for _ in 0..requests {
            let (id, command) = self.request().await;
            self.answer(id, Ok(yes(&command))).await;
        }
    }

    pub(super) async fn answer(&mut self, id: RequestId, result: Result<Reply, CommandError>) {
        self.say(&FromWorker::Response { id, result }).await;
    }

    pub(super) async fn refuse(&mut self, kind: ErrorKind, sentence: &str) {
        let (id, _) = self.request().await;
        self.answer(id, Err(CommandError::new(kind, sentence))).await;
    }

    pub(super) async fn event(&mut self, event: Event) {
        self.say(&FromWorker::Event(event)).await;
    }

    /// Writes all of them at once, so that the host reads them at once.
    pub(super) async fn say_all(&mut self, messages: &[FromWorker]) {
        let mut bytes = Vec::new();
        for message in messages {
            codec::encode_frame(message, &mut bytes).unwrap();
        }
        self.write(&bytes).await;
    }

    pub(super) async fn say(&mut self, message: &FromWorker) {
        let mut bytes = Vec::new();
        codec::encode_frame(message, &mut bytes).unwrap();
        self.write(&bytes).await;
    }

    /// Frames bytes that need not be a message.
    pub(super) async fn say_raw(&mut self, content: &[u8]) {
        let mut bytes = u32::try_from(content.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(content);
        self.write(&bytes).await;
    }

    /// Writes bytes that need not be a frame.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.pipes.as_mut().unwrap().to_host.write_all(bytes).await.unwrap();
    }

    /// Closes the pipes but stays.
    pub(super) fn close_pipes(&mut self) {
        self.pipes = None;
    }

    /// Leaves: the pipes close and the process ends.
    pub(super) fn die(&mut self, reason: ExitReason) {
        self.close_pipes();
        self.exit.send_replace(Some(reason));
    }

    /// How the process ended, once it did.
    pub(super) async fn ended(&self) -> ExitReason {
        FakeProcess(self.exit.clone()).wait().await
    }
}

/// How a worker says yes.
fn yes(command: &Command) -> Reply {
    match command {
        Command::CreatePlainTransport { .. } | Command::ConnectPlainTransport { .. } => {
            Reply::PlainTransport(PlainTuples { tuple: tuple(None), rtcp_tuple: None, srtp_parameters: None })
        }
        Command::Produce { .. } => Reply::Produced { producer_type: RtpType::Simple },
        Command::Consume { paused, .. } => {
            Reply::Consumed { paused: *paused, producer_paused: false, score: ConsumerScore::default() }
        }
        _ => Reply::Done,
    }
}

pub(super) fn tuple(remote_port: Option<u16>) -> TransportTuple {
    TransportTuple {
        local_address: Text::clipped("127.0.0.1"),
        local_port: 10_000,
        remote_ip: remote_port.map(|_| IpAddr::from(Ipv4Addr::LOCALHOST)),
        remote_port,
        protocol: Protocol::Udp,
    }
}

/// Lets every task do what it can, without time passing.
pub(super) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// What a pipe of Linux holds.
const PIPE_BYTES: usize = 64 << 10;
/// Longer than every time-out of the host; with a paused clock it passes at once.
pub(super) const LONG: Duration = Duration::from_secs(60);
