//! What senders and viewers do in the course of time: they are known or learnt, pause, end and come back.

use std::net::{IpAddr, Ipv6Addr};

use libtest_mimic::Failed;
use plain_relay::relay::Sender;

use super::{LOOPBACK, ended, free_pair, relay, send, send_from};
use crate::codec::{Codec, Codecs};
use crate::judge::{self, ensure, places};
use crate::player::{Player, Tool};
use crate::recording::{recording, recording_of};
use crate::watch::{no_panics, packets_received, reports_went_out, sender_reports_arrived, settled, until};

/// A sender at known addresses, two viewers; RTCP flows both ways.
pub(crate) async fn two_viewers() -> Result<(), Failed> {
    let recording = recording(CODECS)?;
    let [video_port, audio_port] = [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?];
    let relay = relay(LOOPBACK, Sender::At { ip: LOOPBACK, video_port, audio_port }, CODECS, 2).await?;
    let players = [
        Player::start(Tool::Ffmpeg, "two-viewers-1", CODECS, &relay.viewers()[0]).await?,
        Player::start(Tool::Ffmpeg, "two-viewers-2", CODECS, &relay.viewers()[1]).await?,
    ];
    ended(send_from(&recording, &relay, [video_port, audio_port], None)?, &relay).await?;
    settled(&relay).await?;
    for player in players {
        let log = player.log();
        judge::all_came_through(&recording, &player.finish().await?)?;
        ensure(!log.contains("missed"), || format!("a player missed packets: {log}"))?;
    }
    sender_reports_arrived(&relay).await?;
    reports_went_out(&relay).await?;
    no_panics(relay.worker()).await
}

/// The worker learns from where the sender sends.
pub(crate) async fn learnt_sender_over_ipv6() -> Result<(), Failed> {
    let recording = recording(CODECS)?;
    let ip = IpAddr::from(Ipv6Addr::LOCALHOST);
    let relay = relay(ip, Sender::Anywhere, CODECS, 1).await?;
    let player = Player::start(Tool::Ffmpeg, "ipv6", CODECS, &relay.viewers()[0]).await?;
    ended(send(Tool::Ffmpeg, &recording, &relay)?, &relay).await?;
    settled(&relay).await?;
    judge::all_came_through(&recording, &player.finish().await?)?;
    for transport in relay.ingest_transports() {
        let rtcp = transport.rtcp_tuple().and_then(|tuple| tuple.remote_port);
        ensure(transport.tuple().remote_ip == Some(ip), || format!("no peer was learnt: {transport:?}"))?;
        ensure(rtcp.is_some(), || format!("no RTCP peer was learnt: {transport:?}"))?;
    }
    sender_reports_arrived(&relay).await?;
    no_panics(relay.worker()).await
}

/// What a viewer misses while it is paused is whole groups of pictures, and nothing that it shows is broken.
pub(crate) async fn pause_and_resume() -> Result<(), Failed> {
    // Longer than the others, lest a slow machine resumes after the last key frame.
    let recording = recording_of(CODECS, 6)?;
    let relay = relay(LOOPBACK, Sender::Anywhere, CODECS, 1).await?;
    let player = Player::start(Tool::Ffmpeg, "pause", CODECS, &relay.viewers()[0]).await?;
    let sender = send(Tool::Ffmpeg, &recording, &relay)?;
    until(async || Ok(player.decoded().pictures.len() >= 20)).await?;
    let video = &relay.viewers()[0].consumers()[0];
    video.pause().await?;
    let [paused_at, _] = packets_received(&relay).await?;
    until(async || Ok(packets_received(&relay).await?[0] >= paused_at + 60)).await?;
    video.resume().await?;
    ended(sender, &relay).await?;
    settled(&relay).await?;
    let log = player.log();
    let decoded = player.finish().await?;
    judge::one_gap_before_a_key_frame(&recording, &decoded)?;
    judge::sound_came_through(&recording, &decoded)?;
    // The consumer's numbers go on as if nothing had been left out.
    ensure(!log.contains("missed"), || format!("the player missed packets: {log}"))?;
    no_panics(relay.worker()).await
}

/// A sender that was started again counts and times its packets anew. Viewers see both plays; of the second they may
/// miss the first group of pictures, for the first packet with other numbers is not believed (RFC 3550 A.1).
pub(crate) async fn restarted_sender() -> Result<(), Failed> {
    let recording = recording_of(CODECS, 3)?;
    let relay = relay(LOOPBACK, Sender::Anywhere, CODECS, 1).await?;
    let player = Player::start(Tool::Ffmpeg, "restart", CODECS, &relay.viewers()[0]).await?;
    let own_ports = [free_pair(LOOPBACK)?, free_pair(LOOPBACK)?];
    // Far enough from one another not to look like loss or reordering.
    for first_sequence in [1_000, 40_000] {
        ended(send_from(&recording, &relay, own_ports, Some(first_sequence))?, &relay).await?;
    }
    settled(&relay).await?;
    let log = player.log();
    let shown = player.finish().await?.pictures;
    let sent = &recording.decoded.pictures;
    let twice: Vec<&String> = sent.iter().chain(sent).collect();
    let equal = places(&twice, &shown).len();
    let first_group = recording.key_frames.get(1).copied().unwrap_or(0);
    let [video, _] = relay.producers();
    let stats = video.get_stats().await?;
    ensure(equal * 100 >= (twice.len() - first_group) * 98, || {
        format!(
            "{equal} of {} pictures came through, {} were shown; {stats:?}; {log}",
            twice.len(),
            shown.len()
        )
    })?;
    no_panics(relay.worker()).await
}

const CODECS: Codecs = [Codec::Vp8, Codec::Opus];
