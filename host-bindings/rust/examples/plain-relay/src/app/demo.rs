//! The demo: ffmpeg as the sender, and ffmpeg as viewer 1, which decodes and counts.
//!
//! Knows what ffmpeg reports of its progress. Does not know the worker.
//! Invariant: the viewer listens before the sender starts.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plain_relay::ffmpeg::{self, Process, Source, StartError};
use plain_relay::ports;
use plain_relay::relay::{Relay, Viewer};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::ChildStdout;

use super::session_files::SessionFiles;

/// Both processes.
#[derive(Debug)]
pub(crate) struct Demo {
    sender: Process,
    viewer: Process,
    decoded_frames: Arc<AtomicU64>,
}

/// What went wrong with the demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the demo needs a viewer; leave --viewers at 1 or more")]
    NoViewer,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the decoding ffmpeg did not open its ports within 10 s")]
    NotListening,
    #[error("the {0} ffmpeg ended by itself ({1}); what it said is above")]
    Ended(&'static str, ExitStatus),
    #[error("not one picture was decoded")]
    NothingDecoded,
}

impl Demo {
    /// Starts the viewer, waits until it listens, starts the sender.
    pub(crate) async fn start(relay: &Relay, files: &SessionFiles) -> Result<Self, DemoError> {
        let (Some(viewer), Some(file)) = (relay.viewers().first(), files.paths().first()) else {
            return Err(DemoError::NoViewer);
        };
        let mut arguments = ffmpeg::receive_to_judge(file);
        arguments.extend(DECODE.split_ascii_whitespace().map(str::to_owned));
        let mut player = ffmpeg::start(&arguments, Stdio::piped(), Stdio::inherit())?;
        let decoded_frames = Arc::new(AtomicU64::new(0));
        if let Some(progress) = player.child().stdout.take() {
            tokio::spawn(count_frames(progress, Arc::clone(&decoded_frames)));
        }
        if !ports::wait_until_bound(&listening_ports(viewer), START_MAX).await {
            return Err(DemoError::NotListening);
        }
        let [video, audio] = relay.outputs();
        let arguments = ffmpeg::send(Source::Camera, &video, &audio);
        let sender = ffmpeg::start(&arguments, Stdio::null(), Stdio::inherit())?;
        Ok(Self { sender, viewer: player, decoded_frames })
    }

    /// Fails when one of the two is gone.
    pub(crate) fn check(&mut self) -> Result<(), DemoError> {
        for (name, process) in [("sending", &mut self.sender), ("decoding", &mut self.viewer)] {
            if let Ok(Some(status)) = process.child().try_wait() {
                return Err(DemoError::Ended(name, status));
            }
        }
        Ok(())
    }

    /// How far the viewer is.
    pub(crate) fn status(&self) -> String {
        format!("viewer 1 decoded {} pictures", self.decoded_frames.load(Ordering::Relaxed))
    }

    /// Whether it did what it is for.
    pub(crate) fn verdict(&self) -> Result<(), DemoError> {
        match self.decoded_frames.load(Ordering::Relaxed) {
            0 => Err(DemoError::NothingDecoded),
            _ => Ok(()),
        }
    }
}

fn listening_ports(viewer: &Viewer) -> Vec<u16> {
    viewer.streams().iter().flat_map(|stream| [stream.port, stream.port.saturating_add(1)]).collect()
}

/// Follows `-progress`: blocks of `key=value` lines, one of them `frame=N`.
async fn count_frames(progress: ChildStdout, frames: Arc<AtomicU64>) {
    let mut lines = BufReader::new(progress).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(Ok(count)) = line.strip_prefix("frame=").map(str::parse) {
            frames.store(count, Ordering::Relaxed);
        }
    }
}

/// Decode picture and sound, throw both away, say every half second how far we are.
const DECODE: &str =
    "-map 0:v -map 0:a -fps_mode passthrough -progress pipe:1 -stats_period 0.5 -f framecrc -y /dev/null";
const START_MAX: Duration = Duration::from_secs(10);
