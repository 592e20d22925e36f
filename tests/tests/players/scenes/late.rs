//! Viewers that join while the sender sends, and what they tell the worker.

use std::process::Stdio;

use libtest_mimic::Failed;
use plain_relay::ffmpeg::Output;
use plain_relay::relay::{Relay, Sender, Viewer};
use tidegate::{Worker, WorkerSettings};

use super::{LOOPBACK, ended, free_pair, relay, send, stopped};
use crate::codec::{Codec, Codecs};
use crate::judge::{self, ensure};
use crate::player::{Player, Tool, interrupt};
use crate::recording::{self, recording, recording_of};
use crate::watch::{no_panics, sent_to, settled, until};
use crate::{ffmpeg, gstreamer, process};

/// A sender whose key frames come when they come: what late viewers show begins at the next one, and nothing before it
/// reaches their decoders.
pub(crate) async fn next_key_frame() -> Result<(), Failed> {
    // Longer than players take to start; it is stopped when they have shown enough.
    let recording = recording_of(H264, 12)?;
    let mut relay = relay(LOOPBACK, Sender::Anywhere, H264, 1).await?;
    let early = Player::start(Tool::Ffmpeg, "before-late", H264, &relay.viewers()[0]).await?;
    let sender = send(Tool::Ffmpeg, &recording, &relay)?;
    until(async || Ok(!early.decoded().pictures.is_empty())).await?;
    for _ in 0..2 {
        relay.add_paused_viewer(LOOPBACK, [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?]).await?;
    }
    let [_, first, second] = relay.viewers() else { return Err("not three viewers".into()) };
    let late = tokio::try_join!(
        Player::start(Tool::Ffmpeg, "late-ffmpeg", H264, first),
        Player::start(Tool::Gstreamer, "late-gstreamer", H264, second),
    )?;
    let late = <[Player; 2]>::from(late);
    // Not right behind the first key frame.
    until(async || Ok(early.decoded().pictures.len() > 10)).await?;
    let joined_at = early.decoded().pictures.len();
    resume(first).await?;
    resume(second).await?;
    until(async || Ok(late.iter().all(|player| player.decoded().pictures.len() > 10))).await?;
    stopped(sender).await?;
    settled(&relay).await?;
    let sent = recording.until_picture(early.finish().await?.pictures.len());
    for player in late {
        let log = player.log();
        let shown = judge::begins_at_a_key_frame(&sent, &player.finish().await?, joined_at);
        shown.map_err(|failed| format!("{:?}; {log}", failed.message()))?;
        // ffmpeg says so of each picture whose parameter sets it has not seen.
        ensure(!log.contains("non-existing PPS"), || format!("its decoder got pictures before: {log}"))?;
    }
    no_panics(relay.worker()).await
}

/// A sender that makes key frames only when asked to: the worker asks, for viewers that do and that do not.
pub(crate) async fn requested_key_frame(codecs: Codecs) -> Result<(), Failed> {
    let [video, _] = codecs;
    let name = |what: &str| format!("{video:?}-live-{what}");
    let own_ports = [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?];
    let mut relay = live_relay(codecs, own_ports).await?;
    relay.add_viewer(LOOPBACK, [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?]).await?;
    let directory = recording::directory(&name("sender"))?;
    let file = directory.join("sent.mkv");
    let early = Player::start(Tool::Ffmpeg, &name("early"), codecs, &relay.viewers()[0]).await?;
    let [first, second] = relay.outputs();
    let outputs = [(first, own_ports[0]), (second, own_ports[1])]
        .map(|(output, port)| Output { local_ports: Some((port, port + 1)), ..output });
    let arguments = gstreamer::send_live(codecs, &file, outputs);
    let sender = process::start(gstreamer::PROGRAM, &arguments, Stdio::null(), Stdio::inherit())?;
    let mut late = Vec::new();
    for tool in [Tool::Ffmpeg, Tool::Gstreamer] {
        until(async || Ok(early.decoded().pictures.len() > 10)).await?;
        relay.add_paused_viewer(LOOPBACK, [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?]).await?;
        let viewer = relay.viewers().last().ok_or("no viewer")?;
        let player = Player::start(tool, &name(&format!("late-{tool:?}")), codecs, viewer).await?;
        let joined_at = early.decoded().pictures.len();
        resume(viewer).await?;
        until(async || Ok(player.decoded().pictures.len() > 10)).await?;
        late.push((player, joined_at));
    }
    interrupt(&sender)?;
    until(async || Ok(ffmpeg::is_finished(&file))).await?;
    settled(&relay).await?;
    let sent = recording::read(codecs, file, &directory)?;
    judge::all_came_through(&sent, &early.finish().await?)?;
    for (player, joined_at) in late {
        let log = player.log();
        let shown = judge::begins_at_a_key_frame(&sent, &player.finish().await?, joined_at);
        shown.map_err(|failed| format!("{:?}; {log}", failed.message()))?;
    }
    no_panics(relay.worker()).await
}

/// What a viewer loses it reports, and the consumer's counters say it. What it shows would not pass anywhere else.
pub(crate) async fn reported_loss() -> Result<(), Failed> {
    let recording = recording(VP8)?;
    let relay = relay(LOOPBACK, Sender::Anywhere, VP8, 1).await?;
    let viewer = &relay.viewers()[0];
    let player = Player::start(Tool::LossyGstreamer, "lossy", VP8, viewer).await?;
    let sender = send(Tool::Ffmpeg, &recording, &relay)?;
    ended(sender, &relay).await?;
    settled(&relay).await?;
    let sent = sent_to(viewer).await?;
    for stats in &sent {
        let lost = u64::try_from(stats.packets_lost).unwrap_or(0);
        let likely = lost * 50 >= stats.packet_count && lost * 4 <= stats.packet_count;
        ensure(likely && stats.round_trip_time_us > 0, || {
            format!("one packet of ten was lost, but the worker counts this: {stats:?}")
        })?;
    }
    let judged = judge::all_came_through(&recording, &player.finish().await?);
    ensure(judged.is_err(), || "one packet of ten was lost, and nobody noticed".to_owned())?;
    no_panics(relay.worker()).await
}

async fn live_relay(codecs: Codecs, [video_port, audio_port]: [u16; 2]) -> Result<Relay, Failed> {
    let worker = Worker::spawn(WorkerSettings::default()).await?;
    let sender = Sender::At { ip: LOOPBACK, video_port, audio_port };
    let [video, audio] = codecs;
    let parameters = [video.parameters_with_pli(), audio.parameters()];
    Ok(Relay::start_with(worker, LOOPBACK, None, sender, parameters).await?)
}

async fn resume(viewer: &Viewer) -> Result<(), Failed> {
    for consumer in viewer.consumers() {
        consumer.resume().await?;
    }
    Ok(())
}

const H264: Codecs = [Codec::H264, Codec::Opus];
const VP8: Codecs = [Codec::Vp8, Codec::Opus];
