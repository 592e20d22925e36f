//! The echo room's own page in a browser: two visitors through a minute in which their worker is killed, one reloads, and
//! the network breaks.
//!
//! The rooms are those of the example `echo-room`, in this process; `tests/browsers/room` says what the visitors do and
//! tells what they saw. Screenshots are left in `target/room`. Without the tools the test fails, with a sentence that says
//! how to get them.
//!
//! | module | knows |
//! | --- | --- |
//! | `browser` | how the page's visitors are started |
//! | `judge` | whether what they saw is what must be |

mod browser;
mod judge;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;

use echo_room::{Hall, MediaOptions, media_codecs, serve};
use libtest_mimic::{Arguments, Failed, Trial};
use tidegate::WorkerSettings;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let mut trials = judge::planted_faults();
    trials.push(Trial::test("two_visitors_see_and_hear_each_other_whatever_happens", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(visit())
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

async fn visit() -> Result<(), Failed> {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let worker = WorkerSettings::default();
    let media = MediaOptions { ip, announced_address: None, port: 0, codecs: media_codecs(), worker };
    let hall = Hall::open(media).await?;
    let listener = TcpListener::bind((ip, 0)).await?;
    let port = listener.local_addr()?.port();
    // It ends with the runtime.
    tokio::spawn(serve(Arc::clone(&hall), listener, std::future::pending()));
    let seen = browser::visit(port).await?;
    let (death, heard) = (&seen.death, &seen.heard);
    println!(
        "{}: pictures move {:.0} ms after the worker was killed, {:.0} ms after the network is back; heard at {heard:.2?}; \
         {:?}",
        seen.version, death.moving_again_ms, seen.reconnected_ms, seen.rows
    );
    judge::judge(&seen)?;
    let panics = hall.worker().dump().await?.panics_contained;
    if panics == 0 { Ok(()) } else { Err(format!("{panics} panics contained").into()) }
}
