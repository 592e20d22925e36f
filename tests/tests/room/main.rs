//! The echo room's own page in browsers: two visitors through a minute in which their worker is killed, one reloads, and
//! the network breaks; and, where it is asked for (`--ignored`), one with Firefox who meets one with Chromium.
//!
//! The rooms are those of the example `echo-room`, in this process, or with `ECHO_ROOM=node` in the environment those of the
//! Node example of that name, in a process of its own; `tests/browsers/room` says what the visitors do and tells what they
//! saw. Screenshots are left in `target/room` (`target/room-node`). Without the tools the test fails, with a sentence that
//! says how to get them.
//!
//! | module | knows |
//! | --- | --- |
//! | `browser` | how the page's visitors are started |
//! | `judge` | whether what they saw is what must be |
//! | `node` | the Node example's process |

mod browser;
mod judge;
mod node;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;

use echo_room::{Hall, MediaOptions, media_codecs, serve};
use libtest_mimic::{Arguments, Failed, Trial};
use tidegate::WorkerSettings;
use tidegate_tests::visitor;
use tokio::net::TcpListener;

use crate::node::NodeRoom;

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let mut trials = judge::planted_faults();
    trials.push(Trial::test("two_visitors_see_and_hear_each_other_whatever_happens", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if is_node() { runtime.block_on(visit_node()) } else { runtime.block_on(visit()) }
    }));
    let meeting = Trial::test("firefox_and_chromium_see_and_hear_each_other", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(meet())
    });
    trials.push(meeting.with_ignored_flag(true));
    let mut arguments = Arguments::from_args();
    // A browser keeps a machine of two cores busy; more of them would freeze each other.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Rooms whose worker listens at `ip`, and the port of their page on loopback.
async fn open(ip: IpAddr) -> Result<(Arc<Hall>, u16), Failed> {
    let worker = WorkerSettings::default();
    let media =
        MediaOptions { ips: vec![ip], announced_address: None, port: 0, codecs: media_codecs(), worker };
    let hall = Hall::open(media).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    // It ends with the runtime.
    tokio::spawn(serve(Arc::clone(&hall), listener, std::future::pending()));
    Ok((hall, port))
}

async fn meet() -> Result<(), Failed> {
    let (hall, port) = open(visitor::address_for_firefox()?).await?;
    let (_, loopback_port) = open(Ipv4Addr::LOCALHOST.into()).await?;
    let met = browser::meet(port, loopback_port).await?;
    println!("{}: {met:?}", met.versions.join(" and "));
    judge::judge_meeting(&met)?;
    contained_nothing(&hall).await
}

async fn visit() -> Result<(), Failed> {
    let (hall, port) = open(Ipv4Addr::LOCALHOST.into()).await?;
    watch(port, "room").await?;
    contained_nothing(&hall).await
}

async fn visit_node() -> Result<(), Failed> {
    let room = NodeRoom::open().await?;
    watch(room.port, "room-node").await
}

/// Lets visitors in at `port`, and judges what they saw; screenshots are left in this folder of `target`.
async fn watch(port: u16, screenshots: &str) -> Result<(), Failed> {
    let seen = browser::visit(port, screenshots).await?;
    let (death, heard) = (&seen.death, &seen.heard);
    println!(
        "{}: pictures move {:.0} ms after the worker was killed, {:.0} ms after the network is back; heard at {heard:.2?}; \
         {:?}",
        seen.version, death.moving_again_ms, seen.reconnected_ms, seen.rows
    );
    judge::judge(&seen)
}

async fn contained_nothing(hall: &Hall) -> Result<(), Failed> {
    let panics = hall.worker().dump().await?.panics_contained;
    if panics == 0 { Ok(()) } else { Err(format!("{panics} panics contained").into()) }
}

#[expect(clippy::disallowed_methods, reason = "which program is tested is for who runs the tests to say")]
fn is_node() -> bool {
    std::env::var("ECHO_ROOM").is_ok_and(|host| host == "node")
}
