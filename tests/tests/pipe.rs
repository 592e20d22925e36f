//! What a worker promises on its pipe, fact by fact, and a few lives of the fuzzer.
//!
//! Spawns real workers (this package's `pipe-fuzz` acts as one) and speaks the raw protocol to them. Waits for what
//! happens, never for time to pass.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use nix::sys::signal::Signal;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::frame::FRAME_BYTES_MAX;
use tidegate_protocol::ids::{RequestId, RouterId, TransportId};
use tidegate_protocol::message::{FromWorker, LogLevel};
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::ListenPort;
use tidegate_protocol::{PROTOCOL_VERSION, exit};
use tidegate_tests::fuzz::child::{Ended, Wiring, WorkerProgram};
use tidegate_tests::fuzz::commands::{Expect, create_transport, listen_on, plain_options};
use tidegate_tests::fuzz::life::{Broken, Life};
use tidegate_tests::fuzz::report::Report;
use tidegate_tests::fuzz::{Dice, Options, endings, mutate, run, unread};

#[test]
fn unknown_request_is_answered_malformed_under_its_own_number() {
    with_worker(|life| {
        let mut content = mutate::content_of(RequestId(77), Command::DumpWorker);
        content.truncate(12);
        content.extend(9_999u32.to_le_bytes());
        life.send_content(&content);
        life.settle()?;
        assert_eq!(life.report.errors_of(ErrorKind::Malformed), 1);
        serves(life)
    });
}

#[test]
fn megabytes_of_zeros_are_answered_malformed_and_cost_no_memory() {
    with_worker(|life| {
        for length in [0, 1, 11, 1 << 20, FRAME_BYTES_MAX] {
            life.send_content(&vec![0; length]);
        }
        life.settle()?;
        assert_eq!(life.report.errors_of(ErrorKind::Malformed), 5);
        life.look_at_memory()?;
        serves(life)
    });
}

#[test]
fn hostile_length_ends_the_worker_by_code_43_after_a_last_log_line() {
    for length in [FRAME_BYTES_MAX + 1, 0xffff_ffff] {
        with_worker(|life| {
            let length = u32::try_from(length).expect("a length of 32 bits");
            life.worker.host.queue_bytes(&length.to_le_bytes());
            endings::end(life, exit::BROKEN_FRAMING, NO_HURRY)?;
            match life.last_message.take() {
                Some(FromWorker::Log { level: LogLevel::Error, text, .. }) => {
                    assert!(text.contains(&length.to_string()), "{text}");
                }
                other => panic!("{other:?}"),
            }
            Ok(())
        });
    }
}

#[test]
fn other_protocol_version_is_refused_by_code_43_after_a_last_log_line() {
    with_ungreeted_worker(|life| {
        life.worker.host.queue_greeting(PROTOCOL_VERSION + 1);
        endings::end(life, exit::BROKEN_FRAMING, NO_HURRY)
    });
}

#[test]
fn request_before_the_greeting_is_answered_invalid_state() {
    with_ungreeted_worker(|life| {
        life.request(Command::DumpWorker, Expect::Refused(ErrorKind::InvalidState));
        life.settle()?;
        life.worker.host.greet();
        serves(life)
    });
}

#[test]
fn end_of_the_pipe_ends_the_worker_within_a_second() {
    with_worker(endings::close_pipe);
}

#[test]
fn end_of_the_pipe_inside_a_frame_ends_the_worker_within_a_second() {
    with_worker(|life| {
        life.worker.host.queue_bytes(&[100, 0, 0, 0, 1, 2, 3]);
        endings::write_out(life)?;
        endings::close_pipe(life)
    });
}

#[test]
fn end_of_the_pipe_ends_the_worker_within_a_second_while_datagrams_flood_in() {
    with_worker(|life| {
        let port =
            UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        life.request(Command::CreateRouter { router: RouterId(1) }, Expect::Good);
        let listen = listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(port));
        life.request(create_transport(1, 2, plain_options(listen, true, true)), Expect::Good);
        life.settle()?;
        let flood = Flood::to(port);
        // It has begun when the worker has counted some of it.
        while dropped_by(life, TransportId(2))? < 1_000 {}
        let ended = endings::close_pipe(life);
        drop(flood);
        ended
    });
}

#[test]
fn signals_to_close_are_obeyed() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        with_worker(|life| endings::by_signal(life, signal));
    }
}

#[test]
fn signals_of_terminals_and_pipes_are_ignored() {
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGPIPE, Signal::SIGALRM] {
        with_worker(|life| {
            life.worker.signal(signal).map_err(|error| error.to_string())?;
            serves(life)?;
            assert_eq!(life.worker.try_wait().expect("a child"), None, "{signal} ended the worker");
            endings::close_pipe(life)
        });
    }
}

#[test]
fn wrong_settings_and_descriptors_end_the_start_by_codes_42_and_44_with_a_sentence() {
    let mut report = Report::default();
    endings::refused_starts(&program(), &mut report).expect("codes 42 and 44");
    let codes: Vec<Ended> = report.ends.into_keys().collect();
    assert_eq!(codes, [exit::BAD_SETTINGS, exit::BAD_DESCRIPTOR].map(|code| Ended::Code(code.into())));
}

#[test]
fn too_many_open_files_are_a_limit_not_an_end() {
    endings::without_files(&program(), Dice::new(1, 1), &mut Report::default()).expect("LimitReached");
}

#[test]
fn unread_answers_hold_requests_back_and_all_come_when_they_are_read() {
    with_worker(|life| {
        life.worker.host.reads = false;
        unread::ask_until_it_stalls(life)?;
        life.look_at_memory()?;
        life.worker.host.reads = true;
        life.settle()?;
        serves(life)
    });
}

#[test]
fn a_few_lives_break_no_promise() {
    let options = Options { seconds: 3, seed: 20_261_121, only: None, program: program() };
    let report = run(&options, |_, _| {});
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.signals(), 0, "{report}");
    assert_eq!(report.errors_of(ErrorKind::Internal), 0, "{report}");
    assert!(report.requests > 100, "{report}");
}

/// Runs `story` with a worker that was greeted, over pipes and once more over a socket.
fn with_worker(story: impl Fn(&mut Life<'_>) -> Result<(), Broken>) {
    with_ungreeted_worker(|life| {
        life.worker.host.greet();
        story(life)
    });
}

fn with_ungreeted_worker(story: impl Fn(&mut Life<'_>) -> Result<(), Broken>) {
    for wiring in [Wiring::Pipes, Wiring::Socket] {
        let worker = program().spawn(wiring, &[]).expect("a worker");
        let mut report = Report::default();
        let mut life = Life::new(worker, Dice::new(1, 2), &mut report).expect("sockets");
        let told = life.greeting().and_then(|()| story(&mut life));
        told.unwrap_or_else(|broken| panic!("{wiring:?}: {broken}"));
    }
}

/// The worker answers still.
fn serves(life: &mut Life<'_>) -> Result<(), Broken> {
    life.request(Command::DumpWorker, Expect::Good);
    life.settle()
}

fn program() -> WorkerProgram {
    WorkerProgram::embedded(PathBuf::from(env!("CARGO_BIN_EXE_pipe-fuzz")))
}

/// Datagrams that a transport has thrown away because they were no RTP.
fn dropped_by(life: &mut Life<'_>, transport: TransportId) -> Result<u64, Broken> {
    life.request(Command::GetTransportStats { transport }, Expect::Good);
    life.settle()?;
    match &life.last_reply {
        Some(Reply::TransportStats(stats)) => Ok(stats.dropped.not_rtp),
        other => Err(format!("statistics were answered by {other:?}")),
    }
}

/// Sends as many datagrams as it can, until it is dropped.
struct Flood {
    stop: Arc<AtomicBool>,
    sender: Option<JoinHandle<()>>,
}

impl Flood {
    fn to(port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let sender = std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            while !stopped.load(Ordering::Relaxed) {
                // Once the worker is gone nobody listens any more.
                let _ = socket.send_to(&[0xff; 200], (Ipv4Addr::LOCALHOST, port));
            }
        });
        Self { stop, sender: Some(sender) }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let joined = self.sender.take().map(JoinHandle::join);
        assert!(matches!(joined, Some(Ok(()))), "the flood ran dry");
    }
}

const NO_HURRY: u64 = u64::MAX;
