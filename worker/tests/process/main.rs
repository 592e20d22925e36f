//! The worker as a process: greeting, exit codes, signals, back-pressure. No host library: frames by hand.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod load;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;
    use std::process::Command as Process;

    use tidegate_protocol::codec::{decode, encode_frame};
    use tidegate_protocol::error::ErrorKind;
    use tidegate_protocol::ids::RequestId;
    use tidegate_protocol::message::{FromWorker, LogLevel, LogTag};
    use tidegate_protocol::request::Command;
    use tidegate_protocol::response::Reply;
    use tidegate_protocol::{PROTOCOL_VERSION, exit};

    use super::harness::{Worker, hello, request};

    fn kind_of(message: Option<FromWorker>) -> (RequestId, ErrorKind) {
        match message {
            Some(FromWorker::Response { id, result: Err(error) }) => (id, error.kind),
            other => panic!("no error: {other:?}"),
        }
    }

    #[test]
    fn a_worker_greets_answers_and_closes_when_asked() {
        let mut worker = Worker::spawn(&[]);
        let Some(FromWorker::Hello(hello_of_worker)) = worker.next() else { panic!("no greeting") };
        assert_eq!(hello_of_worker.protocol_version, PROTOCOL_VERSION);
        assert_eq!(hello_of_worker.pid, worker.process.id());
        worker.say(&hello(PROTOCOL_VERSION));
        worker.say(&request(1, Command::CloseWorker));
        let answer = FromWorker::Response { id: RequestId(1), result: Ok(Reply::Done) };
        assert_eq!(worker.next(), Some(answer));
        assert_eq!(worker.exit_code(), Some(i32::from(exit::CLOSED)));
        assert_eq!(worker.stderr(), "");
    }

    #[test]
    fn the_end_of_the_pipe_is_the_end_of_the_worker() {
        let mut worker = Worker::greeted(&[]);
        worker.input = None;
        assert_eq!(worker.exit_code(), Some(0));
    }

    #[test]
    fn half_a_frame_does_not_keep_a_worker() {
        let mut worker = Worker::greeted(&[]);
        worker.say_bytes(&[200, 0, 0, 0, 1, 2, 3]);
        worker.input = None;
        assert_eq!(worker.exit_code(), Some(0));
    }

    #[test]
    fn a_host_that_reads_nothing_and_goes_takes_the_worker_along() {
        let mut worker = Worker::greeted(&[]);
        let mut frames = Vec::new();
        for id in 1..20_000 {
            encode_frame(&request(id, Command::GetMetrics), &mut frames).unwrap();
        }
        let mut input = worker.input.take().unwrap();
        // The answers are not read: the worker stops reading, and this write stops too.
        let gone = std::thread::spawn(move || drop(input.write_all(&frames)));
        let (unread, _) = std::io::pipe().unwrap();
        drop(std::mem::replace(&mut worker.output, unread));
        assert_eq!(worker.exit_code(), Some(0));
        gone.join().unwrap();
    }

    #[test]
    fn a_flood_of_requests_waits_for_its_answers_to_be_read() {
        let mut worker = Worker::greeted(&[]);
        let mut input = worker.input.take().unwrap();
        let count = 5_000;
        let writer = std::thread::spawn(move || {
            for id in 1..=count {
                let mut frame = Vec::new();
                encode_frame(&request(id, Command::GetMetrics), &mut frame).unwrap();
                input.write_all(&frame).unwrap();
            }
            input
        });
        let answers = std::iter::from_fn(|| worker.next()).take(usize::try_from(count).unwrap());
        let mut expected = 0;
        for answer in answers {
            expected += 1;
            assert!(matches!(answer, FromWorker::Response { id, .. } if id == RequestId(expected)));
        }
        assert_eq!(expected, count);
        drop(writer.join().unwrap());
        assert_eq!(worker.exit_code(), Some(0));
    }

    #[test]
    fn signals_close_in_order_or_do_nothing() {
        for name in ["TERM", "INT"] {
            let mut worker = Worker::greeted(&[]);
            worker.signal(name);
            assert_eq!(worker.exit_code(), Some(0), "SIG{name}");
        }
        let mut worker = Worker::greeted(&[]);
        for name in ["HUP", "PIPE", "ALRM", "USR1", "USR2"] {
            worker.signal(name);
        }
        worker.say(&request(1, Command::CloseWorker));
        assert!(matches!(worker.next(), Some(FromWorker::Response { .. })));
        assert_eq!(worker.exit_code(), Some(0));
    }

    #[test]
    fn broken_framing_is_told_and_ends_with_43() {
        let mut worker = Worker::greeted(&[]);
        worker.say_bytes(&u32::MAX.to_le_bytes());
        let Some(FromWorker::Log { text, .. }) = worker.next() else { panic!("no last words") };
        assert!(text.contains("4294967295"), "{text:?}");
        assert_eq!(worker.exit_code(), Some(i32::from(exit::BROKEN_FRAMING)));
    }

    #[test]
    fn a_host_of_another_version_is_told_and_refused_with_43() {
        let mut worker = Worker::spawn(&[]);
        worker.next();
        worker.say(&hello(PROTOCOL_VERSION + 1));
        let Some(FromWorker::Log { text, .. }) = worker.next() else { panic!("no last words") };
        assert!(text.contains("protocol version"), "{text:?}");
        assert_eq!(worker.exit_code(), Some(i32::from(exit::BROKEN_FRAMING)));
    }

    #[test]
    fn nonsense_is_answered_and_does_no_harm() {
        let mut worker = Worker::spawn(&[]);
        worker.next();
        worker.say(&request(5, Command::GetMetrics));
        assert_eq!(kind_of(worker.next()), (RequestId(5), ErrorKind::InvalidState));
        worker.say(&hello(PROTOCOL_VERSION));
        for content in [&[][..], &[0xff; 64], &[0; 3]] {
            worker.say_bytes(&u32::try_from(content.len()).unwrap().to_le_bytes());
            worker.say_bytes(content);
            assert_eq!(kind_of(worker.next()), (RequestId::NONE, ErrorKind::Malformed));
        }
        worker.say(&request(6, Command::CloseWorker));
        assert!(matches!(worker.next(), Some(FromWorker::Response { id: RequestId(6), .. })));
        assert_eq!(worker.exit_code(), Some(0));
    }

    #[test]
    fn bad_settings_end_with_42_and_a_sentence() {
        for arguments in [
            ["--log-level=loud"].as_slice(),
            &["--nonsense"],
            &["--packet-memory-limit=1"],
            &["--dtls-certificate-file=/nonexistent/certificate", "--dtls-private-key-file=/nonexistent/key"],
            &["--dtls-certificate-file=/dev/null", "--dtls-private-key-file=/dev/zero"],
        ] {
            let mut worker = Worker::spawn(arguments);
            assert_eq!(worker.exit_code(), Some(i32::from(exit::BAD_SETTINGS)), "{arguments:?}");
            let said = worker.stderr();
            assert!(said.starts_with("tidegate-worker: ") && said.lines().count() == 1, "{said}");
        }
    }

    #[test]
    fn unknown_log_tags_are_ignored_and_said_on_stderr() {
        let mut worker = Worker::greeted(&["--log-level=debug", "--log-tags=rtp,noise", "--log-tag=info"]);
        let Some(FromWorker::Log { level: LogLevel::Debug, tag: LogTag::Info, text }) = worker.next() else {
            panic!("no first line of the log");
        };
        assert!(text.starts_with("tidegate-worker ") && text.contains("packet_memory_limit_bytes"), "{text}");
        worker.say(&request(1, Command::CloseWorker));
        assert_eq!(worker.exit_code(), Some(0));
        let said = worker.stderr();
        assert!(said.contains("log tag \"noise\" is unknown") && said.lines().count() == 1, "{said}");
    }

    #[test]
    fn descriptors_that_are_not_there_end_with_44_and_a_sentence() {
        for fds in ["--control-fds=700,701", "--control-fds=1,0", "--control-socket=/nonexistent/socket"] {
            let mut worker = Worker::spawn(&[fds]);
            assert_eq!(worker.exit_code(), Some(i32::from(exit::BAD_DESCRIPTOR)), "{fds}");
            assert_eq!(worker.stderr().lines().count(), 1);
        }
    }

    #[test]
    fn descriptors_3_and_4_are_the_default() {
        let mut shell = Process::new("sh");
        shell.args(["-c", "exec \"$0\" 3<&0 4>&1 0</dev/null 1>&2", env!("CARGO_BIN_EXE_tidegate-worker")]);
        let mut worker = Worker::spawn_as(shell);
        assert!(matches!(worker.next(), Some(FromWorker::Hello(_))));
        worker.input = None;
        assert_eq!(worker.exit_code(), Some(0));
    }

    #[test]
    fn a_unix_socket_serves_as_well() {
        let path = std::env::temp_dir().join(format!("tidegate-{}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let mut process = Process::new(env!("CARGO_BIN_EXE_tidegate-worker"))
            .arg(format!("--control-socket={}", path.display()))
            .spawn()
            .unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut prefix = [0; 4];
        stream.read_exact(&mut prefix).unwrap();
        let mut content = vec![0; usize::try_from(u32::from_le_bytes(prefix)).unwrap()];
        stream.read_exact(&mut content).unwrap();
        assert!(matches!(decode(&content), Ok(FromWorker::Hello(_))));
        drop(stream);
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn version_and_help_are_printed() {
        for (argument, word) in [("--version", env!("CARGO_PKG_VERSION")), ("--help", "--control-fds")] {
            let output = Process::new(env!("CARGO_BIN_EXE_tidegate-worker")).arg(argument).output().unwrap();
            assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains(word));
        }
    }

    /// Number, target and whether it closes on exec, of every descriptor of a process.
    fn descriptors(process: &str) -> Vec<(String, String, bool)> {
        let entries = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter_map(|name| {
                let target = std::fs::read_link(format!("/proc/{process}/fd/{name}")).ok()?;
                let info = std::fs::read_to_string(format!("/proc/{process}/fdinfo/{name}")).ok()?;
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?.trim();
                let closes = i32::from_str_radix(flags, 8).unwrap() & O_CLOEXEC != 0;
                Some((name, target.to_string_lossy().into_owned(), closes))
            })
            .collect()
    }

    #[test]
    fn no_descriptor_of_a_worker_survives_an_exec() {
        let worker = Worker::greeted(&[]);
        // What this process was started with itself is not the worker's doing; nor is its standard error.
        let inherited: Vec<_> = descriptors("self").into_iter().map(|(_, target, _)| target).collect();
        let open: Vec<_> = descriptors(&worker.process.id().to_string())
            .into_iter()
            .filter(|(name, target, closes)| name != "2" && (*closes || !inherited.contains(target)))
            .collect();
        assert!(open.len() >= 4, "pipe, epoll, signals: {open:?}");
        assert!(open.iter().all(|(_, _, closes)| *closes), "{open:?}");
    }

    const O_CLOEXEC: i32 = 0o2_000_000;
}
