//! The program itself, or with `ECHO_ROOM=node` in the environment the Node example's: what it says, and that nothing of
//! it stays.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The program, its address and its worker.
struct Program {
    child: Child,
    address: String,
    worker: u32,
}

/// A signal, and to whom it goes.
type Way = (Signal, fn(&Program, Signal));

impl Program {
    fn start() -> Self {
        let mut child = command("127.0.0.1:0").process_group(0).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split('/').nth(2).unwrap_or_else(|| panic!("{line}")).to_owned();
        let children = format!("/proc/{0}/task", child.id());
        let workers: Vec<u32> = std::fs::read_dir(children)
            .unwrap()
            .flat_map(|task| {
                let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap();
                children.split_ascii_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(workers.len(), 1, "{workers:?}");
        Self { child, address, worker: workers[0] }
    }

    fn send(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// As a terminal does on Ctrl-C: to the program and its worker.
    fn send_to_group(&self, signal: Signal) {
        killpg(self.pid(), signal).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(listen: &str) -> Command {
    let mut command = if is_node() {
        let mut node = Command::new("node");
        node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../node/examples/echo-room/src/main.js"));
        node
    } else {
        Command::new(env!("CARGO_BIN_EXE_echo-room"))
    };
    command.args(["--listen", listen, "--media-port", "0"]).stdin(Stdio::null());
    command
}

#[expect(clippy::disallowed_methods, reason = "which program is tested is for who runs the tests to say")]
fn is_node() -> bool {
    std::env::var("ECHO_ROOM").is_ok_and(|host| host == "node")
}

#[test]
fn signals_end_it_and_its_worker_with_visitors_inside() {
    let ways: [Way; 3] = [
        (Signal::SIGTERM, Program::send),
        (Signal::SIGINT, Program::send),
        (Signal::SIGINT, Program::send_to_group),
    ];
    for (signal, send) in ways {
        let mut program = Program::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // A visitor who says nothing and does not go.
        let visitor = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(&program.address).await.unwrap();
            let url = format!("ws://{}/signalling?room=a", program.address);
            tokio_tungstenite::client_async(url, stream).await.unwrap()
        });
        send(&program, signal);
        let status = program.child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(!Path::new(&format!("/proc/{}", program.worker)).exists(), "{signal}");
        drop(visitor);
    }
}

#[test]
fn worker_ends_with_a_program_that_was_killed() {
    let mut program = Program::start();
    program.send(Signal::SIGKILL);
    program.child.wait().unwrap();
    let worker = format!("/proc/{}/cmdline", program.worker);
    // Ended and not yet reaped, its command line is empty.
    while std::fs::read(&worker).is_ok_and(|line| !line.is_empty()) {
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_taken_address_is_named_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut child = command(&address).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(said.contains(&address) && said.contains("--listen"), "{said}");
}
