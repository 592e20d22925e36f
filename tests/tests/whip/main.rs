//! WHIP and WHEP with clients of others: GStreamer's webrtcbin, and pages with nothing but `RTCPeerConnection`.
//!
//! The rooms are those of the example `echo-room`, in this process; `tests/browsers/whip` says who publishes and plays,
//! starts GStreamer (`tests/peers/python/whip.py`) and tells what was seen. Without the tools the test fails, with a
//! sentence that says how to get them. Firefox is for those who ask for it (`--ignored`): it needs an address that is not
//! loopback.
//!
//! | module | knows |
//! | --- | --- |
//! | `seen` | what publishers and players saw |
//! | `judge` | whether it is what must be |

mod judge;
mod seen;

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use echo_room::{Hall, MediaOptions, media_codecs, serve};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::json;
use tidegate::WorkerSettings;
use tidegate_tests::visitor;
use tokio::net::TcpListener;

use crate::seen::{Foxes, Pages, Seen};

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let mut trials = judge::planted_faults();
    trials.push(Trial::test("gstreamer_and_pages_publish_and_play_by_http_alone", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(visit())
    }));
    let foxes = Trial::test("what_firefox_publishes_chromium_plays_and_the_other_way_round", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(foxes())
    });
    trials.push(foxes.with_ignored_flag(true));
    let mut arguments = Arguments::from_args();
    // A browser keeps a machine of two cores busy; more of them would freeze each other.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Rooms whose worker listens at `ip`, and the port of their HTTP on loopback.
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

async fn foxes() -> Result<(), Failed> {
    let (hall, port) = open(visitor::address_for_firefox()?).await?;
    let scene = json!({ "firefox": visitor::firefox()?, "chromium": visitor::chromium()?, "port": port });
    let seen: Foxes = visitor::visit("whip/firefox.js", &scene, PATIENCE).await?;
    let first_ms = |pages: &Pages| pages.played.first_picture_ms.unwrap_or_default();
    let (published, played) = (&seen.published, &seen.played);
    println!("{}: {:.0} and {:.0} ms", seen.versions.join(" and "), first_ms(published), first_ms(played));
    judge::pages(published)?;
    judge::pages(played)?;
    is_left_clean(&hall).await
}

async fn visit() -> Result<(), Failed> {
    let (hall, port) = open(Ipv4Addr::LOCALHOST.into()).await?;
    // The system's own Python: its bindings of GStreamer are no package of an index.
    let scene = json!({ "executable": visitor::chromium()?, "python": "/usr/bin/python3", "port": port });
    let seen: Seen = visitor::visit("whip/run.js", &scene, PATIENCE).await?;
    println!("{}", judge::row(&seen));
    judge::judge(&seen)?;
    is_left_clean(&hall).await
}

/// Nothing is left of anybody, the one that was killed included.
async fn is_left_clean(hall: &Hall) -> Result<(), Failed> {
    for _ in 0..LOOKS_MAX {
        let dump = hall.worker().dump().await?;
        let held = dump.router_ids.len() as u64 + dump.transports + dump.producers + dump.consumers;
        if held == 0 && dump.panics_contained == 0 {
            return Ok(());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(format!("left behind: {:?}", hall.worker().dump().await?).into())
}

/// Several times what it takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// 20 s.
const LOOKS_MAX: u32 = 1_000;
