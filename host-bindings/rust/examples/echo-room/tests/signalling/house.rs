//! A hall that serves, on loopback at free ports.
//!
//! Knows how to open one and when nothing is left in it. Does not know visitors.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use echo_room::{Hall, Limits, MediaOptions, media_codecs, serve};
use libtest_mimic::Failed;
use tidegate::WorkerSettings;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A hall that serves.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) hall: Arc<Hall>,
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl House {
    pub(crate) async fn open() -> Result<Self, Failed> {
        Self::with(Limits::default(), WorkerSettings::default()).await
    }

    pub(crate) async fn within(limits: Limits) -> Result<Self, Failed> {
        Self::with(limits, WorkerSettings::default()).await
    }

    pub(crate) async fn with(limits: Limits, worker: WorkerSettings) -> Result<Self, Failed> {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let media = MediaOptions { ip, announced_address: None, port: 0, codecs: media_codecs(), worker };
        let hall = Hall::open_within(media, limits).await?;
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(Arc::clone(&hall), listener, async {
            let _ = stopped.await;
        }));
        Ok(Self { hall, address, stop, serving })
    }

    /// Stops serving, and waits until that is done.
    pub(crate) async fn close(self) -> Result<(), Failed> {
        let _ = self.stop.send(());
        Ok(self.serving.await??)
    }

    /// Waits until nobody is left in the worker.
    pub(crate) async fn is_left_clean(&self) -> Result<(), Failed> {
        let mut looks_left = LOOKS_MAX;
        loop {
            let dump = self.hall.worker().dump().await?;
            let held = dump.router_ids.len() as u64 + dump.transports + dump.producers + dump.consumers;
            if held == 0 && dump.panics_contained == 0 {
                return Ok(());
            }
            looks_left -= 1;
            if looks_left == 0 {
                return Err(format!("left behind: {dump:?}").into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// 20 s.
const LOOKS_MAX: u32 = 1_000;
