//! Tests of the control pipe over real pipes.

use std::os::fd::IntoRawFd;
use std::time::Duration;

use mio::{Events, Poll};
use tidegate_protocol::bounded::Text;
use tidegate_protocol::frame::FRAME_BYTES_MAX;
use tidegate_protocol::message::{LogLevel, LogTag};

use super::*;

struct Bench {
    poll: Poll,
    pipe: ControlPipe,
    host: UnixStream,
}

impl Bench {
    fn new() -> Self {
        let (host, ours) = UnixStream::pair().unwrap();
        let fd = ours.into_raw_fd();
        let ends = ControlEnds::open(&ControlAddress::Descriptors { input: fd, output: fd }).unwrap();
        let poll = Poll::new().unwrap();
        let pipe = ControlPipe::new(ends, poll.registry().try_clone().unwrap()).unwrap();
        Self { poll, pipe, host }
    }

    fn poll(&mut self) {
        let mut events = Events::with_capacity(8);
        self.poll.poll(&mut events, Some(Duration::from_secs(2))).unwrap();
        assert!(!events.is_empty(), "nothing happened");
        for event in &events {
            self.pipe.on_event(event);
        }
        self.pipe.begin_turn();
    }

    fn frames(&mut self) -> Result<Vec<Vec<u8>>, InputEnd> {
        let mut frames = Vec::new();
        while let Some(frame) = self.pipe.next_frame()? {
            frames.push(frame.to_vec());
        }
        Ok(frames)
    }
}

fn frame(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_le_bytes()[..], content].concat()
}

fn log_line(text: &str) -> FromWorker {
    FromWorker::Log { level: LogLevel::Error, tag: LogTag::Info, text: Text::clipped(text) }
}

#[test]
fn frames_arrive_in_pieces_and_in_heaps() {
    let mut bench = Bench::new();
    assert_eq!(bench.frames(), Ok(vec![]));
    let stream = [frame(b"one"), frame(b""), frame(b"three")].concat();
    bench.host.write_all(&stream[..5]).unwrap();
    bench.poll();
    assert_eq!(bench.frames(), Ok(vec![]));
    bench.host.write_all(&stream[5..]).unwrap();
    bench.poll();
    assert_eq!(bench.frames(), Ok(vec![b"one".to_vec(), vec![], b"three".to_vec()]));
    assert!(!bench.pipe.has_input());
}

#[test]
fn what_was_written_before_the_end_is_read_before_the_end_is_told() {
    let mut bench = Bench::new();
    bench.host.write_all(&frame(b"last")).unwrap();
    bench.host.shutdown(std::net::Shutdown::Both).unwrap();
    bench.poll();
    assert!(bench.pipe.is_hung_up());
    assert_eq!(bench.pipe.next_frame(), Ok(Some(&b"last"[..])));
    assert_eq!(bench.pipe.next_frame(), Err(InputEnd::Closed));
}

#[test]
fn a_length_that_no_frame_has_breaks_the_framing() {
    let mut bench = Bench::new();
    let announced = u32::try_from(FRAME_BYTES_MAX).unwrap() + 1;
    bench.host.write_all(&announced.to_le_bytes()).unwrap();
    bench.poll();
    assert_eq!(bench.pipe.next_frame(), Err(InputEnd::Broken(BrokenFraming(announced))));
}

#[test]
fn a_turn_reads_its_share_and_comes_back_for_the_rest() {
    let mut bench = Bench::new();
    let mut host = bench.host.try_clone().unwrap();
    let content = vec![7; FRAME_BYTES_MAX];
    let writer = std::thread::spawn(move || host.write_all(&frame(&content)));
    let mut turns = 0;
    let longest = loop {
        if !bench.pipe.has_input() {
            bench.poll();
        }
        bench.pipe.begin_turn();
        turns += 1;
        if let Some(frame) = bench.pipe.next_frame().unwrap() {
            break frame.len();
        }
    };
    writer.join().unwrap().unwrap();
    assert_eq!(longest, FRAME_BYTES_MAX);
    assert!(turns >= 4, "{turns} turns");
    assert_eq!(bench.pipe.next_frame(), Ok(None));
    assert!(bench.pipe.frames.held_bytes() < 100_000);
}

#[test]
fn output_waits_for_a_slow_host_without_growing_and_without_loss() {
    let mut bench = Bench::new();
    let mut queued = 0;
    while bench.pipe.has_room() {
        bench.pipe.queue(&log_line(&"x".repeat(1000))).unwrap();
        queued += 1;
        bench.pipe.flush();
    }
    assert!(bench.pipe.output.blocked);
    assert!(bench.pipe.output.buffer.capacity() < 4 * OUTPUT_BYTES_MAX);
    let mut host = bench.host.try_clone().unwrap();
    let reader = std::thread::spawn(move || {
        let mut frames = FrameReader::default();
        let (mut bytes, mut count) = ([0; 1000], 0);
        while count < queued {
            let length = host.read(&mut bytes).unwrap();
            frames.push(&bytes[..length]);
            while frames.next_frame().unwrap().is_some() {
                count += 1;
            }
        }
    });
    while !bench.pipe.flush() {
        bench.poll();
    }
    reader.join().unwrap();
    assert!(!bench.pipe.output.blocked && bench.pipe.output.buffer.capacity() <= OUTPUT_BYTES_KEPT);
}

#[test]
fn a_host_that_reads_no_more_breaks_the_output_and_nothing_else() {
    let mut bench = Bench::new();
    bench.host.shutdown(std::net::Shutdown::Both).unwrap();
    let signals = crate::sys::signals::ignore_broken_pipes();
    assert!(signals.is_ok());
    bench.pipe.queue(&log_line("to nobody")).unwrap();
    assert!(bench.pipe.flush() && bench.pipe.is_output_broken());
    bench.pipe.queue(&log_line("still nobody")).unwrap();
    assert!(bench.pipe.flush());
}

#[test]
fn descriptors_that_cannot_serve_are_refused_with_a_sentence() {
    let closed = ControlEnds::open(&ControlAddress::Descriptors { input: 971, output: 972 }).unwrap_err();
    assert!(closed.to_string().contains("descriptor 971 cannot be the control input"), "{closed}");
    let (reader, writer) = io::pipe().unwrap();
    let (reader, writer) = (reader.into_raw_fd(), writer.into_raw_fd());
    let swapped = ControlAddress::Descriptors { input: writer, output: reader };
    assert!(ControlEnds::open(&swapped).unwrap_err().to_string().contains("control input"));
    let file = File::open("/proc/self/exe").unwrap().into_raw_fd();
    let ends = ControlEnds::open(&ControlAddress::Descriptors { input: file, output: writer }).unwrap();
    let poll = Poll::new().unwrap();
    let error = ControlPipe::new(ends, poll.registry().try_clone().unwrap()).unwrap_err();
    assert!(error.to_string().contains("control input"), "{error}");
    let nobody = ControlAddress::Socket("/nonexistent/control".into());
    assert!(ControlEnds::open(&nobody).unwrap_err().to_string().contains("must listen"));
}
