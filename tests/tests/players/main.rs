//! ffmpeg and GStreamer through the worker, as senders and as viewers: what viewers decode is what the sender's own
//! file decodes to.
//!
//! The relay and ffmpeg's command line as a sender are those of the example `plain-relay`. Everything runs on
//! loopback, at ports that are free. Without the tools these tests fail, with a sentence that says how to get them.
//!
//! | module | knows |
//! | --- | --- |
//! | `codec` | RTP parameters of each codec |
//! | `ffmpeg`, `gstreamer`, `process` | the tools' options, and how a tool is started |
//! | `recording`, `decoded` | what is sent, and what a decoder wrote |
//! | `player` | a viewer's process, from its start to its end |
//! | `watch` | what the worker tells |
//! | `lossy` | a room of one video stream, and networks that lose packets around it |
//! | `judge` | whether what came out is what was sent |
//! | `scenes` | what is played |

mod codec;
mod decoded;
mod ffmpeg;
mod gstreamer;
mod judge;
mod lossy;
mod player;
mod process;
mod recording;
mod scenes;
mod watch;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tidegate::SrtpCryptoSuite::{AeadAes128Gcm, AeadAes256Gcm, AesCm128HmacSha1_32, AesCm128HmacSha1_80};

use crate::codec::Codec::{G722, H264, Opus, Pcma, Pcmu, Vp8, Vp9};
use crate::player::Tool::{Ffmpeg, Gstreamer};
use crate::scenes::codecs::plays_through;
use crate::scenes::{late, life, planted, repaired, secured};

fn main() -> ExitCode {
    // Started again by the host, this executable is the worker. The usual test harness would take the arguments.
    tidegate::embedded::run_if_worker();
    let mut trials = vec![
        trial("judge_notices_what_is_lost_or_altered", planted::faults_are_noticed),
        trial("judge_notices_gaps_where_none_should_be", planted::wrong_gaps_are_noticed),
        trial("two_viewers_decode_what_the_file_decodes_to", life::two_viewers),
        trial("sender_from_anywhere_is_learnt_over_ipv6", life::learnt_sender_over_ipv6),
        trial("resumed_viewer_goes_on_at_a_key_frame_without_a_broken_picture", life::pause_and_resume),
        trial("second_sender_with_the_same_stream_goes_on", life::restarted_sender),
        trial("h264_and_a_law_come_through", || plays_through(Ffmpeg, [H264, Pcma], &[Ffmpeg])),
        trial("vp9_and_mu_law_come_through", || plays_through(Ffmpeg, [Vp9, Pcmu], &[Ffmpeg])),
        trial("g722_comes_through", || plays_through(Ffmpeg, [Vp8, G722], &[Ffmpeg])),
        trial("gstreamer_sends_vp8_to_both", || plays_through(Gstreamer, [Vp8, Opus], &[Gstreamer, Ffmpeg])),
        trial("gstreamer_sends_h264_to_both", || {
            plays_through(Gstreamer, [H264, Opus], &[Gstreamer, Ffmpeg])
        }),
        trial("gstreamer_plays_vp8_of_ffmpeg", || plays_through(Ffmpeg, [Vp8, Opus], &[Gstreamer])),
        trial("gstreamer_plays_h264_of_ffmpeg", || plays_through(Ffmpeg, [H264, Opus], &[Gstreamer])),
        trial("late_viewers_of_h264_begin_at_the_next_key_frame", late::next_key_frame),
        trial("late_viewers_of_live_vp8_begin_at_a_key_frame_asked_for_by_the_worker", || {
            late::requested_key_frame([Vp8, Opus])
        }),
        trial("late_viewers_of_live_h264_begin_at_a_key_frame_asked_for_by_the_worker", || {
            late::requested_key_frame([H264, Opus])
        }),
        trial("loss_that_a_viewer_reports_is_counted_and_noticed", late::reported_loss),
        trial("lossy_legs_of_vp8_are_repaired_by_rtx", || repaired::on_both_legs(Vp8)),
        trial("lossy_legs_of_h264_are_repaired_by_rtx", || repaired::on_both_legs(H264)),
        trial("lossy_legs_of_viewers_of_ffmpeg_are_repaired_by_rtx", repaired::on_the_viewers_leg),
        trial("lossless_legs_of_vp8_ask_for_nothing_again", || repaired::nothing_to_repair(Vp8)),
        trial("lossless_legs_of_h264_ask_for_nothing_again", || repaired::nothing_to_repair(H264)),
    ];
    trials.extend(secured_trials());
    let mut arguments = Arguments::from_args();
    // Players mostly wait for pictures to come: more of them than cores leave cores enough.
    arguments.test_threads = arguments.test_threads.or(Some(THREADS));
    let conclusion = libtest_mimic::run(&arguments, trials);
    recording::remove_files();
    conclusion.exit_code()
}

/// Every suite, from each tool and to each that has it.
fn secured_trials() -> [Trial; 5] {
    [
        trial("srtp_of_ffmpeg_comes_through_to_both", || {
            secured::plays_through(
                (Ffmpeg, AesCm128HmacSha1_80),
                &[(Ffmpeg, AesCm128HmacSha1_80), (Gstreamer, AeadAes128Gcm)],
            )
        }),
        trial("srtp_with_short_tags_comes_through", || {
            secured::plays_through(
                (Ffmpeg, AesCm128HmacSha1_32),
                &[(Ffmpeg, AesCm128HmacSha1_32), (Gstreamer, AesCm128HmacSha1_32)],
            )
        }),
        trial("srtp_of_gstreamer_comes_through_to_both", || {
            secured::plays_through(
                (Gstreamer, AeadAes128Gcm),
                &[(Gstreamer, AeadAes256Gcm), (Ffmpeg, AesCm128HmacSha1_80)],
            )
        }),
        trial("srtp_with_keys_of_256_bits_comes_through", || {
            secured::plays_through((Gstreamer, AeadAes256Gcm), &[(Gstreamer, AesCm128HmacSha1_80)])
        }),
        trial("srtp_under_another_key_is_not_heard", secured::another_key),
    ]
}

/// A test that runs `scene` on a runtime of its own.
fn trial<F>(name: &str, scene: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<(), Failed>>,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, scene()).await? })
    })
}

/// Several times what the longest scene takes on an idle machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(90);

const THREADS: usize = 4;
