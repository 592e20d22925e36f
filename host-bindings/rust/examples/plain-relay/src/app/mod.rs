//! The program: sets the relay up, says how to use it, shows figures until it is told to stop.
//!
//! Knows the terminal. Does not know the host library beyond the worker's start and end: that is `relay`'s.
//! Invariant: however it ends, sender, viewer and worker end with it and its temporary files are gone.

mod demo;
pub(crate) mod options;
mod screen;
mod session_files;

use std::net::IpAddr;
use std::time::Duration;

use plain_relay::ffmpeg::Output;
use plain_relay::figures::{Meter, Sample};
use plain_relay::relay::{Relay, Sender};
use plain_relay::{ffmpeg, gstreamer, ports};
use tidegate::{RequestError, SpawnError, Worker, WorkerExit, WorkerSettings};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use self::demo::{Demo, DemoError};
use self::options::Options;
use self::screen::Screen;
use self::session_files::{FileError, SessionFiles};

/// Why the program ends with a failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error(transparent)]
    Demo(#[from] DemoError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("viewer {0} would need ports above 65,535; choose a lower --viewer-port or fewer --viewers")]
    ViewerPort(u16),
    #[error("no free pair of UDP ports for a viewer at {0}; name one with --viewer-port")]
    NoFreePort(IpAddr),
    #[error("cannot wait for signals: {0}")]
    Signal(#[source] std::io::Error),
    #[error("the worker {0}")]
    WorkerDied(WorkerExit),
}

/// Runs until the time is up, Ctrl-C or SIGTERM.
pub(crate) async fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    run_relay(options).await.map_err(Into::into)
}

async fn run_relay(options: &Options) -> Result<(), RunError> {
    let mut stop = Stop::new(options.duration())?;
    let worker = Worker::spawn(WorkerSettings::default()).await?;
    let mut relay = Relay::start(worker, options.listen, options.sender_port(), Sender::Anywhere).await?;
    for index in 0..options.viewers {
        let ports = viewer_ports(options, index)?;
        relay.add_viewer(options.viewer_ip(), ports).await?;
    }
    let files = SessionFiles::write(&relay, options.sdp_directory.as_deref())?;
    let mut screen = Screen::new(options.json);
    explain(&relay, &files, options, &screen);
    let mut demo = if options.demo { Some(Demo::start(&relay, &files).await?) } else { None };
    let last = watch(&relay, &mut screen, &mut demo, &mut stop).await?;
    if let Some(last) = &last {
        screen.finish(last);
    }
    match demo {
        Some(demo) => Ok(demo.verdict()?),
        None => Ok(()),
    }
}

/// Shows a sample a second until it is time to stop. Gives back the last one.
async fn watch(
    relay: &Relay,
    screen: &mut Screen,
    demo: &mut Option<Demo>,
    stop: &mut Stop,
) -> Result<Option<Sample>, RunError> {
    let mut meter = Meter::new(relay.worker()).await?;
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + SHOW_EVERY, SHOW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    loop {
        tokio::select! {
            biased;
            () = stop.wanted() => return Ok(last),
            died = relay.worker().died() => return ended(died, stop, last).await,
            _ = ticks.tick() => {}
        }
        if let Some(demo) = demo.as_mut() {
            demo.check()?;
        }
        let sample = match meter.sample(relay).await {
            Err(RequestError::WorkerClosed { exit: Some(exit) }) => {
                return ended(Some(exit), stop, last).await;
            }
            sample => sample?,
        };
        screen.show(&sample, demo.as_ref().map(Demo::status).as_deref());
        last = Some(sample);
    }
}

/// The worker is gone. After Ctrl-C on a terminal that is no failure: the signal went to the worker as well, and may
/// be noticed here only after its end.
async fn ended(
    exit: Option<WorkerExit>,
    stop: &mut Stop,
    last: Option<Sample>,
) -> Result<Option<Sample>, RunError> {
    let asked = tokio::time::timeout(SIGNAL_LAG, stop.wanted()).await.is_ok();
    match exit {
        Some(exit) if !asked => Err(RunError::WorkerDied(exit)),
        _ => Ok(last),
    }
}

fn viewer_ports(options: &Options, index: u16) -> Result<[u16; 2], RunError> {
    if options.demo && options.viewer_port.is_none() {
        let free =
            || ports::free_pair(options.viewer_ip()).ok_or_else(|| RunError::NoFreePort(options.viewer_ip()));
        return Ok([free()?, free()?]);
    }
    options.viewer_ports(index).ok_or(RunError::ViewerPort(index + 1))
}

/// Says how to send and how to watch.
fn explain(relay: &Relay, files: &SessionFiles, options: &Options, screen: &Screen) {
    let [video, audio] = relay.outputs().map(from_fixed_ports);
    screen.say(&format!(
        "Tidegate worker {} is ready (process {}).",
        relay.worker().version(),
        relay.worker().pid()
    ));
    if options.demo {
        screen
            .say("ffmpeg sends a test picture and a beep; another ffmpeg decodes what viewer 1 receives.\n");
        return;
    }
    let send = ffmpeg::command_line("ffmpeg", &ffmpeg::send(ffmpeg::Source::Camera, &video, &audio));
    screen.say(&format!("\nSend with ffmpeg:\n\n  {send}\n"));
    screen.say(&format!("or with GStreamer:\n\n  {}\n", gstreamer::send(&video, &audio)));
    for (index, (viewer, file)) in relay.viewers().iter().zip(files.paths()).enumerate().take(EXPLAINED_MAX) {
        let watch = ffmpeg::command_line("ffplay", &ffmpeg::play(file));
        screen.say(&format!("Watch as viewer {}:\n\n  {watch}\n", index + 1));
        screen.say(&format!("or with GStreamer:\n\n  {}\n", gstreamer::receive(viewer)));
    }
    if let Some(more) = relay.viewers().len().checked_sub(EXPLAINED_MAX).filter(|more| *more > 0) {
        screen.say(&format!("{more} more viewers: {}/viewer-N.sdp\n", files.directory().display()));
    }
    screen.say("Players first, then the sender. Ctrl-C ends it.\n");
}

/// A sender that is stopped and started again should come from the ports that the worker has learnt.
fn from_fixed_ports(output: Output) -> Output {
    let port = |port: u16| port.checked_add(SENDER_PORTS_ABOVE);
    Output { local_ports: port(output.rtp.port()).zip(port(output.rtcp_port)), ..output }
}

/// When to stop.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    deadline: Option<tokio::time::Instant>,
}

impl Stop {
    fn new(duration: Option<Duration>) -> Result<Self, RunError> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(RunError::Signal)?,
            terminate: signal(SignalKind::terminate()).map_err(RunError::Signal)?,
            deadline: duration.map(|duration| tokio::time::Instant::now() + duration),
        })
    }

    /// Returns when it is time.
    async fn wanted(&mut self) {
        let time_is_up = async {
            match self.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = time_is_up => {}
        }
    }
}

const SHOW_EVERY: Duration = Duration::from_secs(1);
/// Clear of the four ports that we listen on ourselves, for sender and worker may share a machine.
const SENDER_PORTS_ABOVE: u16 = 10;
/// More command lines than this help nobody.
const EXPLAINED_MAX: usize = 2;
/// A signal to the whole process group reaches everyone within this.
const SIGNAL_LAG: Duration = Duration::from_millis(200);
