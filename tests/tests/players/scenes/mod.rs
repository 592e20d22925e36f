//! What is played. This file: what the scenes have in common.

pub(crate) mod codecs;
pub(crate) mod late;
pub(crate) mod life;
pub(crate) mod planted;
pub(crate) mod repaired;
pub(crate) mod secured;

use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use plain_relay::ffmpeg::{Output, Source};
use plain_relay::ports;
use plain_relay::relay::{Relay, Sender};
use tidegate::{Worker, WorkerSettings};
use tokio::process::Child;

use crate::codec::Codecs;
use crate::judge::ensure;
use crate::player::{Tool, interrupt};
use crate::recording::Recording;
use crate::watch::{packets_received, until};
use crate::{gstreamer, process};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A worker, its relay for these codecs and `viewers` viewers, whose ports are free.
async fn relay(ip: IpAddr, sender: Sender, codecs: Codecs, viewers: usize) -> Result<Relay, Failed> {
    let worker = Worker::spawn(WorkerSettings::default()).await?;
    let codecs = codecs.map(|codec| codec.parameters());
    let mut relay = Relay::start_with(worker, ip, None, sender, codecs).await?;
    for _ in 0..viewers {
        relay.add_viewer(ip, [free_pair(ip)?, free_pair(ip)?]).await?;
    }
    Ok(relay)
}

/// A sender at work; gone when dropped.
#[derive(Debug)]
struct Sending {
    process: Child,
    /// RTP packets of video and audio, where the process does not tell its end by ending.
    packets: Option<[u64; 2]>,
}

/// Sends the recording from ports that the tool chooses.
fn send(tool: Tool, recording: &Recording, relay: &Relay) -> Result<Sending, Failed> {
    if tool == Tool::Ffmpeg {
        return send_to(recording, relay.outputs());
    }
    let arguments = gstreamer::send(recording.codecs, &recording.file, relay.outputs());
    let process = process::start(gstreamer::PROGRAM, &arguments, Stdio::null(), Stdio::inherit())?;
    Ok(Sending { process, packets: Some(recording.gstreamer_packets) })
}

/// Sends the recording with ffmpeg from these RTP ports, RTCP from the next ones, and with this first sequence number.
fn send_from(
    recording: &Recording,
    relay: &Relay,
    own_ports: [u16; 2],
    first_sequence: Option<u16>,
) -> Result<Sending, Failed> {
    let [video, audio] = relay.outputs();
    let [video_port, audio_port] = own_ports.map(|port| Some((port, port + 1)));
    let outputs = [
        Output { local_ports: video_port, first_sequence, ..video },
        Output { local_ports: audio_port, first_sequence, ..audio },
    ];
    send_to(recording, outputs)
}

fn send_to(recording: &Recording, [video, audio]: [Output; 2]) -> Result<Sending, Failed> {
    let arguments = plain_relay::ffmpeg::send(Source::File(&recording.file), &video, &audio);
    let process = process::start("ffmpeg", &arguments, Stdio::null(), Stdio::inherit())?;
    Ok(Sending { process, packets: None })
}

/// Waits until all was sent.
async fn ended(mut sending: Sending, relay: &Relay) -> Result<(), Failed> {
    let Some(packets) = sending.packets else {
        let status = sending.process.wait().await?;
        return ensure(status.success(), || format!("the sender ended with {status}"));
    };
    let arrived = until(async || Ok(packets_received(relay).await? == packets));
    match tokio::time::timeout(SEND_MAX, arrived).await {
        Ok(arrived) => arrived,
        Err(_) => {
            let received = packets_received(relay).await?;
            Err(format!("{received:?} packets of video and audio arrived of {packets:?}").into())
        }
    }
}

/// Stops an ffmpeg between two packets of its file, and so between two pictures.
async fn stopped(mut sending: Sending) -> Result<(), Failed> {
    interrupt(&sending.process)?;
    // What status it ends with when interrupted does not matter.
    sending.process.wait().await?;
    Ok(())
}

fn free_pair(ip: IpAddr) -> Result<u16, Failed> {
    ports::free_pair(ip).ok_or_else(|| format!("no free pair of ports at {ip}").into())
}

/// Several times what our recordings take.
const SEND_MAX: Duration = Duration::from_secs(20);
