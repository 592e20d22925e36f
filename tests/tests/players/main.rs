//! ffmpeg to ffmpeg through the worker: what viewers decode is what the sender's own file decodes to.
//!
//! The relay is the one of the example `plain-relay`, the command lines are those that it shows. Everything runs on
//! loopback, at ports that are free. Without ffmpeg these tests fail, with a sentence that says how to get it.

mod player;
mod recording;
mod scenes;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let trials = vec![
        trial("two_viewers_decode_what_the_file_decodes_to", scenes::two_viewers),
        trial("sender_from_anywhere_is_learnt_over_ipv6", scenes::learnt_sender_over_ipv6),
        trial("resumed_viewer_goes_on_at_a_key_frame_without_a_broken_picture", scenes::pause_and_resume),
        trial("second_sender_with_the_same_stream_goes_on", scenes::restarted_sender),
    ];
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    recording::remove_files();
    conclusion.exit_code()
}

/// A test that runs `scene` on a runtime of its own.
fn trial<F>(name: &str, scene: fn() -> F) -> Trial
where
    F: Future<Output = Result<(), Failed>> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, scene()).await? })
    })
}

/// Several times what the longest scene takes on an idle machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);
