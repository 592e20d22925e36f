//! A program that the guide builds: what it says, its worker, and how it ends.
//!
//! Invariant: none is left behind.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) struct Program {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    /// All workers that were seen.
    workers: Vec<u32>,
}

impl Program {
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output, workers: Vec::new() }
    }

    /// The next line that it says.
    pub(crate) fn line(&mut self) -> String {
        self.output.next().unwrap().unwrap()
    }

    /// Its worker's process id; call it when it has said something.
    pub(crate) fn worker(&mut self) -> u32 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let children =
            tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap());
        let worker = children.collect::<String>().trim().parse().unwrap();
        self.workers.push(worker);
        worker
    }

    pub(crate) fn kill_worker(&mut self) {
        kill(pid(self.worker()), Signal::SIGKILL).unwrap();
    }

    /// Interrupts it as Ctrl-C does: it ends well, and all its workers are gone.
    pub(crate) fn interrupt(mut self) {
        let processes = std::fs::read_dir("/proc").unwrap();
        let children: Vec<u32> =
            processes.filter_map(|entry| self.child_of(&entry.unwrap().path())).collect();
        self.workers.extend(children);
        kill(pid(self.child.id()), Signal::SIGINT).unwrap();
        self.ends();
    }

    /// It ends well by itself, and all its workers are gone.
    pub(crate) fn ends(mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        assert!(!self.workers.is_empty());
        for worker in &self.workers {
            assert!(!Path::new(&format!("/proc/{worker}")).exists(), "{worker}");
        }
    }

    /// The process in this folder, if it is a child of this program.
    fn child_of(&self, process: &Path) -> Option<u32> {
        let number = process.file_name()?.to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(process.join("stat")).ok()?;
        // Behind the name, in parentheses: the state, and whose child it is.
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?;
        (parent == self.child.id().to_string()).then_some(number)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap())
}
