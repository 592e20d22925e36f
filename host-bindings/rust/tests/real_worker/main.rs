//! The host with real workers, which are this executable started again.
//!
//! `cargo test -p tidegate --test real_worker [filter]`. Its own main, because a worker must not begin with a test
//! harness; every test has a runtime of its own.

mod endpoints;
mod helper;
mod life;
mod media;
mod negotiation;
mod observers;
mod system;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tidegate::{WorkerBin, WorkerSettings};

fn main() -> ExitCode {
    tidegate::embedded::run_if_worker();
    if let Some(code) = helper::run_if_helper() {
        return code;
    }
    let arguments = Arguments::from_args();
    let media = media::tests()
        .into_iter()
        .chain(negotiation::tests())
        .chain(endpoints::tests())
        .chain(observers::tests());
    let tests = life::tests().into_iter().chain(media);
    libtest_mimic::run(&arguments, tests.collect()).exit_code()
}

/// A test that runs on a runtime of its own; a panic fails it.
fn trial<F: Future<Output = ()> + Send + 'static>(
    name: &str,
    test: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    Trial::test(name, || {
        system::runtime().block_on(test());
        Ok(())
    })
}

/// This executable as the worker, whatever the environment says.
fn settings() -> WorkerSettings {
    WorkerSettings { worker_bin: WorkerBin::Embedded, ..WorkerSettings::default() }
}
