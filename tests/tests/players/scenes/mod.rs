//! What is played, and what must come of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use plain_relay::ffmpeg::{self, Output, Process, Source};
use plain_relay::ports;
use plain_relay::relay::{Relay, Sender};
use tidegate::{Worker, WorkerSettings};

use crate::player::Player;
use crate::recording::{Decoded, Recording, recording};

/// A sender at known addresses, two viewers; RTCP flows both ways.
pub(crate) async fn two_viewers() -> Result<(), Failed> {
    let recording = recording()?;
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (video_port, audio_port) = (free_pair(ip)?, free_pair(ip)?);
    let relay = relay(ip, Sender::At { ip, video_port, audio_port }, 2).await?;
    let players = [
        Player::start("two-viewers-1", &relay.viewers()[0]).await?,
        Player::start("two-viewers-2", &relay.viewers()[1]).await?,
    ];
    let mut sender = send(recording, &relay, Some([video_port, audio_port]))?;
    ended(&mut sender).await?;
    settled(&relay).await?;
    for player in players {
        let log = player.log();
        check(recording, &player.finish().await?)?;
        ensure(!log.contains("missed"), || format!("a player missed packets: {log}"))?;
    }
    sender_reports_arrived(&relay).await?;
    reports_went_out(&relay).await?;
    no_panics(relay.worker()).await
}

/// The worker learns from where the sender sends.
pub(crate) async fn learnt_sender_over_ipv6() -> Result<(), Failed> {
    let recording = recording()?;
    let ip = IpAddr::from(Ipv6Addr::LOCALHOST);
    let relay = relay(ip, Sender::Anywhere, 1).await?;
    let player = Player::start("ipv6", &relay.viewers()[0]).await?;
    let mut sender = send(recording, &relay, None)?;
    ended(&mut sender).await?;
    settled(&relay).await?;
    check(recording, &player.finish().await?)?;
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
    let recording = recording()?;
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let relay = relay(ip, Sender::Anywhere, 1).await?;
    let player = Player::start("pause", &relay.viewers()[0]).await?;
    let mut sender = send(recording, &relay, None)?;
    until(async || Ok(player.decoded().pictures.len() >= 40)).await?;
    let video = &relay.viewers()[0].consumers()[0];
    video.pause().await?;
    let paused_at = video_packets(&relay).await?;
    until(async || Ok(video_packets(&relay).await? >= paused_at + 60)).await?;
    video.resume().await?;
    ended(&mut sender).await?;
    settled(&relay).await?;
    let log = player.log();
    let decoded = player.finish().await?;
    check_one_gap(recording, &decoded)?;
    check_audio(recording, &decoded)?;
    // The consumer's numbers go on as if nothing had been left out.
    ensure(!log.contains("missed"), || format!("the player missed packets: {log}"))?;
    no_panics(relay.worker()).await
}

/// A sender that was started again counts and times its packets anew. Viewers see both plays; of the second they may
/// miss the first group of pictures, for the first packet with other numbers is not believed (RFC 3550 A.1).
pub(crate) async fn restarted_sender() -> Result<(), Failed> {
    let recording = recording()?;
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let relay = relay(ip, Sender::Anywhere, 1).await?;
    let player = Player::start("restart", &relay.viewers()[0]).await?;
    let own_ports = Some([free_pair(ip)?, free_pair(ip)?]);
    // Far enough from one another not to look like loss or reordering.
    for first_sequence in [1_000, 40_000] {
        ended(&mut send_from(recording, &relay, own_ports, Some(first_sequence))?).await?;
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

/// A worker, its relay and `viewers` viewers, whose ports are free.
async fn relay(ip: IpAddr, sender: Sender, viewers: usize) -> Result<Relay, Failed> {
    let worker = Worker::spawn(WorkerSettings::default()).await?;
    let mut relay = Relay::start(worker, ip, None, sender).await?;
    for _ in 0..viewers {
        relay.add_viewer(ip, [free_pair(ip)?, free_pair(ip)?]).await?;
    }
    Ok(relay)
}

fn send(recording: &Recording, relay: &Relay, own_ports: Option<[u16; 2]>) -> Result<Process, Failed> {
    send_from(recording, relay, own_ports, None)
}

/// Sends the recording from these RTP ports (RTCP from the next ones) and with this first sequence number; what is not
/// given ffmpeg chooses.
fn send_from(
    recording: &Recording,
    relay: &Relay,
    own_ports: Option<[u16; 2]>,
    first_sequence: Option<u16>,
) -> Result<Process, Failed> {
    let [video, audio] = relay.outputs();
    let from = |output: Output, index: usize| Output {
        local_ports: own_ports.map(|ports| (ports[index], ports[index] + 1)),
        first_sequence,
        ..output
    };
    let arguments = ffmpeg::send(Source::File(&recording.file), &from(video, 0), &from(audio, 1));
    Ok(ffmpeg::start(&arguments, Stdio::null(), Stdio::inherit())?)
}

/// Waits for the sender's end.
async fn ended(sender: &mut Process) -> Result<(), Failed> {
    let status = sender.child().wait().await?;
    ensure(status.success(), || format!("the sender ended with {status}"))
}

/// Waits until nothing moves in the worker any more.
async fn settled(relay: &Relay) -> Result<(), Failed> {
    let mut last = Vec::new();
    until(async || {
        let mut counts = Vec::new();
        for producer in relay.producers() {
            counts.extend(producer.get_stats().await?.iter().map(|stats| stats.packet_count));
        }
        for consumer in relay.viewers().iter().flat_map(|viewer| viewer.consumers()) {
            counts.push(consumer.get_stats().await?.own.packet_count);
        }
        let still = counts == last;
        last = counts;
        Ok(still)
    })
    .await
}

/// Asks every now and then until `condition` holds. The whole test has a limit of time.
async fn until(mut condition: impl AsyncFnMut() -> Result<bool, Failed>) -> Result<(), Failed> {
    while !condition().await? {
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(())
}

async fn video_packets(relay: &Relay) -> Result<u64, Failed> {
    let [video, _] = relay.producers();
    Ok(video.get_stats().await?.iter().map(|stats| stats.packet_count).sum())
}

/// At least 98 of 100 pictures came through unchanged and in order, nothing else did, and the sound is as long.
fn check(recording: &Recording, decoded: &Decoded) -> Result<(), Failed> {
    let sent: Vec<&String> = recording.decoded.pictures.iter().collect();
    let equal = places(&sent, &decoded.pictures).len();
    let (all, shown) = (sent.len(), decoded.pictures.len());
    ensure(equal * 100 >= all * 98, || {
        format!("{equal} of {all} pictures came through; {shown} were shown")
    })?;
    ensure((shown - equal) * 100 <= all * 2, || {
        format!("{} of {shown} pictures were broken", shown - equal)
    })?;
    check_audio(recording, decoded)
}

/// At most 1 % of the sound is missing or too much.
fn check_audio(recording: &Recording, decoded: &Decoded) -> Result<(), Failed> {
    let (sent, heard) = (recording.decoded.audio_samples, decoded.audio_samples);
    ensure(sent.abs_diff(heard) * 100 <= sent, || format!("{heard} samples were heard of {sent}"))
}

/// All pictures came through unchanged and in order but for one gap, which ends at a key frame.
fn check_one_gap(recording: &Recording, decoded: &Decoded) -> Result<(), Failed> {
    let sent: Vec<&String> = recording.decoded.pictures.iter().collect();
    let places = places(&sent, &decoded.pictures);
    let (equal, shown) = (places.len(), decoded.pictures.len());
    ensure(equal == shown, || format!("{} of {shown} pictures were broken", shown - equal))?;
    let gaps: Vec<usize> =
        places.windows(2).filter(|pair| pair[1] != pair[0] + 1).map(|pair| pair[1]).collect();
    ensure(gaps.len() == 1, || format!("{} gaps, which end at {gaps:?}", gaps.len()))?;
    ensure(recording.key_frames.contains(&gaps[0]), || format!("the gap ends at picture {}", gaps[0]))?;
    ensure(places.last() >= Some(&(sent.len() - 4)), || {
        format!("the last picture shown was {:?}", places.last())
    })
}

/// Where in `sent` the pictures of `shown` stand, as long as they stand in order.
fn places(sent: &[&String], shown: &[String]) -> Vec<usize> {
    let mut from = 0;
    let mut places = Vec::new();
    for picture in shown {
        if let Some(distance) = sent[from..].iter().position(|sent| *sent == picture) {
            places.push(from + distance);
            from += distance + 1;
        }
    }
    places
}

/// ffmpeg's sender reports come to the RTCP port of each ingest.
async fn sender_reports_arrived(relay: &Relay) -> Result<(), Failed> {
    for transport in relay.ingest_transports() {
        let stats = transport.get_stats().await?;
        let others = stats.received.packets - stats.rtp_received.packets;
        ensure(others > 0, || format!("no RTCP came from the sender: {stats:?}"))?;
        let dropped = stats.dropped;
        ensure(dropped == tidegate::stats::DroppedPackets::default(), || {
            format!("packets were dropped: {dropped:?}")
        })?;
    }
    Ok(())
}

/// The worker's sender reports went to the RTCP ports of the viewers. (ffmpeg answers none of them.)
async fn reports_went_out(relay: &Relay) -> Result<(), Failed> {
    for transport in relay.viewers().iter().flat_map(|viewer| viewer.transports()) {
        let stats = transport.get_stats().await?;
        let reports = stats.sent.packets - stats.rtp_sent.packets;
        ensure(reports > 0, || format!("no report went to a viewer: {stats:?}"))?;
    }
    Ok(())
}

async fn no_panics(worker: &Worker) -> Result<(), Failed> {
    let contained = worker.dump().await?.panics_contained;
    ensure(contained == 0, || format!("{contained} panics in the worker"))
}

fn free_pair(ip: IpAddr) -> Result<u16, Failed> {
    ports::free_pair(ip).ok_or_else(|| format!("no free pair of ports at {ip}").into())
}

fn ensure(holds: bool, sentence: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(sentence().into()) }
}

const ASK_EVERY: Duration = Duration::from_millis(100);
