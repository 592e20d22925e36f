//! Browsers in an echo room: what they send comes back to them, and they say how much of it.
//!
//! Each case has a room, a worker and a fresh browser of its own. The page, `tests/browsers`, speaks to the worker
//! through `mediasoup-client` and the example `echo-room`; it counts, and here it is judged. Without the tools these
//! tests fail, with a sentence that says how to get them. Cases that last longer than a change should wait for are
//! ignored unless asked for: `cargo test -p tidegate-tests --test browsers -- --ignored`.
//!
//! | module | knows |
//! | --- | --- |
//! | `case` | what a browser is asked to do, and what it counted |
//! | `runner` | how the page's visit is started |
//! | `echo` | a worker, its room, and the network before them |
//! | `machine` | how busy the machine is |
//! | `secrecy` | whether media on the wire is sealed |
//! | `judge` | whether what was counted is enough |

mod case;
mod echo;
mod judge;
mod machine;
mod runner;
mod secrecy;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::case::{Browser, Case};

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let short = Case { frames: SHORT_FRAMES, ..Case::new("VP8") };
    let long = |video| Case { frames: LONG_FRAMES, is_steady: true, ..Case::new(video) };
    let soon = |video| Case { resumes: RESUMES, video, ..short };
    let lossy = Case { loss_permille: Some(30), ..short };
    let restart = Case { restart_ice: true, ..short };
    let firefox = Case { browser: Browser::Firefox, ..long("VP8") };
    let mut trials = vec![
        Trial::test("what_a_broken_worker_would_do_is_noticed", judge::faults_are_noticed),
        Trial::test("clear_media_on_the_wire_is_noticed", secrecy::clear_media_is_noticed),
        trial("vp8_and_opus_come_back_and_soon_after_resuming", Case { resumes: RESUMES, ..short }),
        trial("h264_comes_back", Case { video: "H264", ..short }),
        trial("vp9_comes_back_over_own_ports", Case { video: "VP9", own_ports: true, ..short }),
        trial("ice_over_tcp_only_carries_and_uses_no_udp", Case { force_tcp: true, ..short }),
        trial("three_percent_loss_is_repaired_and_nothing_on_the_wire_is_clear", lossy),
        trial("media_goes_on_after_an_ice_restart", restart),
    ];
    let in_full = [
        trial("vp8_comes_back_for_20_s", long("VP8")),
        trial("h264_comes_back_for_20_s", long("H264")),
        trial("vp9_comes_back_for_20_s", long("VP9")),
        trial("av1_comes_back_for_20_s", long("AV1")),
        trial("vp8_comes_back_over_own_ports_for_20_s", Case { own_ports: true, ..long("VP8") }),
        trial("vp8_comes_back_over_tcp_for_20_s", Case { force_tcp: true, ..long("VP8") }),
        trial(
            "nothing_of_20_s_is_clear_on_a_wire_that_loses_nothing",
            Case { loss_permille: Some(0), ..long("VP8") },
        ),
        trial("vp8_survives_loss_for_20_s", Case { loss_permille: Some(30), ..long("VP8") }),
        trial("vp8_survives_an_ice_restart_within_20_s", Case { restart_ice: true, ..long("VP8") }),
        trial("h264_is_there_soon_after_resuming", soon("H264")),
        trial("vp9_is_there_soon_after_resuming", soon("VP9")),
        trial("av1_is_there_soon_after_resuming", soon("AV1")),
        trial("firefox_sees_its_vp8_for_20_s", firefox),
        trial("firefox_over_own_ports_for_20_s", Case { own_ports: true, ..firefox }),
        trial("firefox_over_tcp_for_20_s", Case { force_tcp: true, ..firefox }),
        trial("firefox_survives_loss_for_20_s", Case { loss_permille: Some(30), ..firefox }),
        trial("firefox_survives_an_ice_restart_within_20_s", Case { restart_ice: true, ..firefox }),
        trial("firefox_sees_it_soon_after_resuming", Case { browser: Browser::Firefox, ..soon("VP8") }),
    ];
    trials.extend(in_full.map(|trial| trial.with_ignored_flag(true)));
    let mut arguments = Arguments::from_args();
    // A browser keeps a machine of two cores busy; two of them would freeze each other.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &'static str, case: Case) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(play(name, case))
    })
}

async fn play(name: &str, case: Case) -> Result<(), Failed> {
    let echo = echo::Echo::open(&case).await?;
    let pressure = machine::Pressure::begin();
    let counted = runner::run(&case, &echo).await;
    let judged = match counted {
        Ok(counted) => {
            println!("{name}: {counted}{}{}; {pressure}", echo.delay(&case).await?, echo.network());
            judge::all(&case, &counted).and_then(|()| echo.judge_network(&case))
        }
        Err(failed) => Err(failed),
    };
    let judged = match judged {
        Ok(()) => echo.judge_worker(&case).await,
        failed => failed,
    };
    judged.map_err(|failed| {
        {
            let sentence = failed.message().unwrap_or_default();
            format!("{sentence}; {pressure}\n{}", echo.log())
        }
        .into()
    })
}

/// Four seconds.
const SHORT_FRAMES: u32 = 120;
/// Twenty seconds.
const LONG_FRAMES: u32 = 600;
/// Enough for a median.
const RESUMES: u32 = 7;
