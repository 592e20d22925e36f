//! One viewer's player: a process that listens, decodes, and writes what it decoded.
//!
//! Knows how players start and end. Does not know their options (`ffmpeg`, `gstreamer`) or what must come out.

use std::fs::{self, File};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Failed;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plain_relay::ports;
use plain_relay::relay::Viewer;
use tidegate::SrtpParameters;
use tidegate_worker::srtp::{Keys, Protect, Suite};
use tokio::process::Child;

use crate::codec::Codecs;
use crate::decoded::{self, Decoded};
use crate::{ffmpeg, gstreamer, process, recording};

/// What plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Ffmpeg,
    Gstreamer,
    /// As a viewer, behind a way that loses packets.
    LossyGstreamer,
}

/// A running player.
#[derive(Debug)]
pub(crate) struct Player {
    tool: Tool,
    process: Child,
    directory: PathBuf,
    /// Where it listens for RTCP, with the SSRC that comes there, and under which key.
    rtcp: Vec<(SocketAddr, u32, Option<SrtpParameters>)>,
    ports: Vec<u16>,
}

impl Player {
    /// Starts a player for `viewer` and waits until it listens on all its ports.
    pub(crate) async fn start(
        tool: Tool,
        name: &str,
        codecs: Codecs,
        viewer: &Viewer,
    ) -> Result<Self, Failed> {
        let directory = recording::directory(name)?;
        let (program, arguments, output) = match tool {
            Tool::Ffmpeg => ("ffmpeg", ffmpeg::play(viewer, &directory)?, Stdio::null()),
            Tool::Gstreamer | Tool::LossyGstreamer => {
                let way = if tool == Tool::Gstreamer { gstreamer::CLEAR } else { gstreamer::LOSSY };
                let arguments = gstreamer::play(codecs, viewer, way, &directory);
                (gstreamer::PROGRAM, arguments, File::create(decoded::pictures_file(&directory))?.into())
            }
        };
        let log = File::create(directory.join(LOG))?;
        let process = process::start(program, &arguments, output, log.into())?;
        let rtp_ports: Vec<u16> = viewer.streams().iter().map(|stream| stream.port).collect();
        let ports: Vec<u16> = rtp_ports.iter().flat_map(|port| [*port, port + 1]).collect();
        if !ports::wait_until_bound(&ports, START_MAX).await {
            return Err(format!("the player does not listen: {}", log_of(&directory)).into());
        }
        let ssrcs =
            viewer.consumers().iter().filter_map(|consumer| consumer.rtp_parameters().encodings[0].ssrc);
        let rtcp = viewer.streams().iter().zip(ssrcs);
        let rtcp = rtcp
            .map(|(stream, ssrc)| (SocketAddr::new(viewer.ip(), stream.port + 1), ssrc, stream.srtp.clone()));
        let rtcp = rtcp.collect();
        Ok(Self { tool, process, directory, rtcp, ports })
    }

    /// What it decoded so far.
    pub(crate) fn decoded(&self) -> Decoded {
        Decoded::read(&self.directory)
    }

    /// Tells it that the streams are over, once it has read all that came, and gives back all that it decoded.
    pub(crate) async fn finish(mut self) -> Result<Decoded, Failed> {
        while self.ports.iter().any(|port| ports::unread_bytes(*port) > Some(0)) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        match self.tool {
            Tool::Ffmpeg => self.say_goodbye()?,
            Tool::Gstreamer | Tool::LossyGstreamer => interrupt(&self.process)?,
        }
        let status = tokio::time::timeout(END_MAX, self.process.wait()).await;
        let status = status.map_err(|_| format!("the player does not end: {}", self.log()))??;
        if !status.success() {
            return Err(format!("the player ended with {status}: {}", self.log()).into());
        }
        Ok(self.decoded())
    }

    /// What it complained of.
    pub(crate) fn log(&self) -> String {
        log_of(&self.directory)
    }

    /// ffmpeg learns the end of a session without signalling from BYE alone.
    fn say_goodbye(&self) -> Result<(), Failed> {
        for (address, ssrc, srtp) in &self.rtcp {
            let socket = UdpSocket::bind((address.ip(), 0))?;
            let mut goodbye = goodbye(*ssrc).to_vec();
            if let Some(srtp) = srtp {
                protect(&mut goodbye, srtp)?;
            }
            socket.send_to(&goodbye, address)?;
        }
        Ok(())
    }
}

/// Asks a process to bring what it has to its end.
pub(crate) fn interrupt(process: &Child) -> Result<(), Failed> {
    let id = process.id().ok_or("the process has ended already")?;
    Ok(kill(Pid::from_raw(i32::try_from(id)?), Signal::SIGINT)?)
}

fn log_of(directory: &Path) -> String {
    fs::read_to_string(directory.join(LOG)).unwrap_or_default()
}

/// An empty receiver report and a BYE (RFC 3550 6.4.2, 6.6) from `ssrc`.
fn goodbye(ssrc: u32) -> [u8; 16] {
    let [a, b, c, d] = ssrc.to_be_bytes();
    [0x80, 201, 0, 1, a, b, c, d, 0x81, 203, 0, 1, a, b, c, d]
}

/// As the worker would, under its key: players take it from nobody else.
fn protect(compound: &mut Vec<u8>, key: &SrtpParameters) -> Result<(), Failed> {
    let suite = Suite::from_name(key.crypto_suite.name()).ok_or("no such suite")?;
    let keys = Keys::new(suite, &openssl::base64::decode_block(&key.key_base64)?)?;
    let plain_bytes = compound.len();
    compound.resize(plain_bytes + suite.rtcp_trailer_bytes(), 0);
    let bytes = Protect::new(&keys).ok_or("no cipher")?.rtcp(compound, plain_bytes)?;
    compound.truncate(bytes);
    Ok(())
}

const LOG: &str = "player.log";
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const START_MAX: Duration = Duration::from_secs(20);
const END_MAX: Duration = Duration::from_secs(20);
