//! Visitors of every kind before a server and its worker: polite ones, confused ones, too many, and some whose worker dies.
//!
//! Hall, server and worker are real, on loopback at ports that the system chooses; visitors speak the signalling as
//! `README.md` documents it.
//!
//! | module | knows |
//! | --- | --- |
//! | `visitor` | a WebSocket, what is asked and told on it |
//! | `house` | a house that serves: this crate's hall, or (`ECHO_ROOM=node`) the Node example |
//! | `node` | the process of the latter |
//! | `requests` | what is answered to right and wrong requests |
//! | `bounds` | what happens where there is too much of something |
//! | `deaths` | what happens when the worker ends |
//! | `http` | requests and answers without a library |
//! | `whip` | WHIP and WHEP: every status code |

mod bounds;
mod deaths;
mod house;
mod http;
mod node;
mod requests;
mod visitor;
mod whip;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let mut trials = requests::trials();
    trials.extend(bounds::trials());
    trials.extend(deaths::trials());
    if !house::is_node() {
        // The Node example has no WHIP.
        trials.extend(whip::trials());
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A test that needs a runtime.
fn trial<F: Future<Output = Result<(), Failed>>>(
    name: &'static str,
    story: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, story()).await? })
    })
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

/// Many times what any of them takes.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
