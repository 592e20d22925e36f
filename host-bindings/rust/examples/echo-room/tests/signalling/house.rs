//! A house that serves, on loopback at free ports: a hall in this process or, with `ECHO_ROOM=node` in the environment, the
//! Node example in a process of its own.
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

use crate::node::NodeHouse;

/// A house that serves.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) address: SocketAddr,
    program: Program,
}

/// Which echo room it is.
#[derive(Debug)]
enum Program {
    Rust { hall: Arc<Hall>, stop: oneshot::Sender<()>, serving: JoinHandle<std::io::Result<()>> },
    Node(Box<NodeHouse>),
}

/// What a worker holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) routers: u64,
    /// Transports, producers and consumers.
    pub(crate) others: u64,
    pub(crate) panics_contained: u64,
}

impl House {
    pub(crate) async fn open() -> Result<Self, Failed> {
        Self::with(Limits::default(), WorkerSettings::default()).await
    }

    pub(crate) async fn within(limits: Limits) -> Result<Self, Failed> {
        Self::with(limits, WorkerSettings::default()).await
    }

    pub(crate) async fn with(limits: Limits, worker: WorkerSettings) -> Result<Self, Failed> {
        if is_node() {
            let (house, address) = NodeHouse::open(limits, &worker).await?;
            return Ok(Self { address, program: Program::Node(Box::new(house)) });
        }
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let media =
            MediaOptions { ips: vec![ip], announced_address: None, port: 0, codecs: media_codecs(), worker };
        let hall = Hall::open_within(media, limits).await?;
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(Arc::clone(&hall), listener, async {
            let _ = stopped.await;
        }));
        Ok(Self { address, program: Program::Rust { hall, stop, serving } })
    }

    /// The process of the worker of this moment.
    pub(crate) async fn worker_pid(&self) -> Result<u32, Failed> {
        match &self.program {
            Program::Rust { hall, .. } => Ok(hall.worker().pid()),
            Program::Node(house) => house.worker_pid().await,
        }
    }

    /// What that worker holds.
    pub(crate) async fn held(&self) -> Result<Held, Failed> {
        match &self.program {
            Program::Rust { hall, .. } => {
                let dump = hall.worker().dump().await?;
                Ok(Held {
                    routers: dump.router_ids.len() as u64,
                    others: dump.transports + dump.producers + dump.consumers,
                    panics_contained: dump.panics_contained,
                })
            }
            Program::Node(house) => house.held().await,
        }
    }

    /// Stops serving, and waits until that is done.
    pub(crate) async fn close(self) -> Result<(), Failed> {
        match self.program {
            Program::Rust { stop, serving, .. } => {
                let _ = stop.send(());
                Ok(serving.await??)
            }
            Program::Node(house) => house.close().await,
        }
    }

    /// Waits until nobody is left in the worker.
    pub(crate) async fn is_left_clean(&self) -> Result<(), Failed> {
        let mut looks_left = LOOKS_MAX;
        loop {
            let held = self.held().await?;
            if held.routers + held.others == 0 && held.panics_contained == 0 {
                return Ok(());
            }
            looks_left -= 1;
            if looks_left == 0 {
                return Err(format!("left behind: {held:?}").into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "which program is tested is for who runs the tests to say")]
pub(crate) fn is_node() -> bool {
    std::env::var("ECHO_ROOM").is_ok_and(|host| host == "node")
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// 20 s.
const LOOKS_MAX: u32 = 1_000;
