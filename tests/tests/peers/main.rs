//! WebRTC stacks of other people, outside browsers, against a worker: each connects, sends, takes back what it sent, and
//! closes.
//!
//! The rooms are those of the example `echo-room`, in this process; each peer is one program under `tests/peers` that
//! speaks its signalling. What the programs need, `tests/scripts/install-peers` installs; as that asks the network, the
//! tests with peers are ignored unless asked for:
//! `cargo test -p tidegate-tests --features str0m --test peers -- --ignored`. Without the feature there is no str0m.
//!
//! | module | knows |
//! | --- | --- |
//! | `peer` | which programs there are, how one is started and what it reports |
//! | `room` | the hall in this process, and what its worker tells of DTLS and holds |
//! | `judge` | whether a report is what it must be |
//! | `sans_io` | str0m, a peer in this process; with the feature `str0m` |
//! | `refused` | OpenSSL, in this process, when it must not get in; asks no network |

mod judge;
mod peer;
mod refused;
mod room;
#[cfg(feature = "str0m")]
mod sans_io;

use std::process::ExitCode;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::peer::{Peer, Role};
use crate::room::Room;

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let mut trials = judge::planted_faults();
    trials.extend(refused::trials());
    for &peer in Peer::ALL {
        for (role, name) in [(Role::Client, "client"), (Role::Server, "server")] {
            let name = format!("{}_as_dtls_{name}_sends_receives_and_closes", peer.name());
            trials.push(Trial::test(name, move || visit(peer, role, 0)).with_ignored_flag(true));
        }
    }
    let name = "webrtcbin_whose_keepalives_are_indications_stays_longer_than_consent_lasts";
    let stays = || visit(Peer::Webrtcbin, Role::Client, CONSENT_S + 10);
    trials.push(Trial::test(name, stays).with_ignored_flag(true));
    let mut arguments = Arguments::from_args();
    // Each peer encodes and decodes in real time.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// One peer alone in a room, from its first request until nothing is left of it.
fn visit(peer: Peer, role: Role, stay_s: u64) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let room = Room::open().await?;
        let report = tokio::time::timeout(PATIENCE, peer.visit(&room, role, stay_s)).await;
        let handshakes = room.handshakes();
        let report =
            report.map_err(|_| format!("no end within {PATIENCE:?}; the worker: {handshakes:?}"))??;
        println!("{}", judge::row(peer, role, &report, &handshakes));
        judge::judge(peer, role, &report, &handshakes)?;
        room.is_left_clean().await
    })
}

/// Seconds: the worker's default.
const CONSENT_S: u64 = 30;
/// Several times what the slowest peer takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(150);
