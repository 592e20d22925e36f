//! Hosts in processes of their own: to be killed, to be counted, to lose their executable.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use tidegate::Worker;

use crate::{settings, system};

/// Runs what the command line names as a helper, if it does.
pub(crate) fn run_if_helper() -> Option<ExitCode> {
    let helper = match std::env::args().nth(1)?.as_str() {
        TWO_WORKERS => two_workers,
        REPLACED => replaced,
        MANY_WORKERS => many_workers,
        // As a host starts its worker: this executable as a program that is none and says nothing.
        first if first.starts_with("--log-level=") => silent,
        _ => return None,
    };
    helper();
    Some(ExitCode::SUCCESS)
}

/// This executable as the helper `name`, its standard output readable.
pub(crate) fn command(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(name).stdout(Stdio::piped());
    command
}

/// Spawns two workers, prints their process ids and stays until it is killed.
pub(crate) const TWO_WORKERS: &str = "helper:two-workers";
/// Removes its own executable, then spawns a worker and prints whether that answers.
pub(crate) const REPLACED: &str = "helper:replaced";
/// Spawns and closes workers, prints how many descriptors more are open than before, and how many children are left.
pub(crate) const MANY_WORKERS: &str = "helper:many-workers";

fn two_workers() {
    system::runtime().block_on(async {
        let (one, two) = (spawn().await, spawn().await);
        println!("{} {}", one.pid(), two.pid());
        std::io::stdout().flush().unwrap();
        std::future::pending::<()>().await;
    });
}

fn replaced() {
    std::fs::remove_file(std::env::current_exe().unwrap()).unwrap();
    system::runtime().block_on(async {
        let worker = spawn().await;
        println!("{}", worker.dump().await.unwrap().pid == worker.pid());
    });
}

fn many_workers() {
    system::runtime().block_on(async {
        drop_and_wait(spawn().await).await; // what the runtime opens once
        let before = system::descriptors("self").len();
        for _ in 0..50 {
            drop_and_wait(spawn().await).await;
        }
        let after = system::descriptors("self").len();
        let pid = std::process::id();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        println!("{} {}", after.abs_diff(before), children.split_whitespace().count());
    });
}

fn silent() {
    system::runtime().block_on(std::future::pending::<()>());
}

async fn spawn() -> Worker {
    Worker::spawn(settings()).await.unwrap()
}

async fn drop_and_wait(worker: Worker) {
    let closed = worker.closed();
    drop(worker);
    closed.await;
}
