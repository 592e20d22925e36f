//! Every codec through the worker, from each tool to each: what viewers decode is what the sender's file decodes to.

use libtest_mimic::Failed;
use plain_relay::relay::{Relay, Sender};

use super::{LOOPBACK, ended, relay, send};
use crate::codec::Codecs;
use crate::judge::{self, ensure};
use crate::player::{Player, Tool};
use crate::recording::{Recording, recording};
use crate::watch::{no_panics, reports_went_out, sender_reports_arrived, sent_to, settled};

/// One sender; a viewer with each of these tools. All decode the recording.
pub(crate) async fn plays_through(sender: Tool, codecs: Codecs, tools: &[Tool]) -> Result<(), Failed> {
    let recording = recording(codecs)?;
    let relay = relay(LOOPBACK, Sender::Anywhere, codecs, tools.len()).await?;
    played(sender, &recording, &relay, tools, "clear").await
}

/// Sends all of the recording; each viewer plays it with its tool and decodes all of it.
pub(super) async fn played(
    sender: Tool,
    recording: &Recording,
    relay: &Relay,
    tools: &[Tool],
    scene: &str,
) -> Result<(), Failed> {
    let codecs = recording.codecs;
    let mut players = Vec::new();
    for (tool, viewer) in tools.iter().zip(relay.viewers()) {
        let [video, audio] = codecs;
        let name = format!("{scene}-{sender:?}-{video:?}-{audio:?}-{tool:?}");
        players.push(Player::start(*tool, &name, codecs, viewer).await?);
    }
    ended(send(sender, recording, relay)?, relay).await?;
    settled(relay).await?;
    for ((player, viewer), tool) in players.into_iter().zip(relay.viewers()).zip(tools) {
        let log = player.log();
        let decoded = player.finish().await?;
        let judged = judge::all_came_through(recording, &decoded);
        judged.map_err(|failed| format!("{tool:?} as viewer: {:?}; {log}", failed.message()))?;
        // ffmpeg says so.
        ensure(!log.contains("missed"), || format!("a player missed packets: {log}"))?;
        if *tool == Tool::Gstreamer {
            // It answered the worker's reports.
            let sent = sent_to(viewer).await?;
            let answered = sent.iter().all(|stats| stats.round_trip_time_us > 0 && stats.packets_lost == 0);
            ensure(answered, || format!("no round-trip time is known: {sent:?}"))?;
        }
    }
    sender_reports_arrived(relay).await?;
    reports_went_out(relay).await?;
    no_panics(relay.worker()).await
}
