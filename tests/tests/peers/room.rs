//! The hall of the example `echo-room`, in this process, on loopback at free ports.
//!
//! Knows what its worker logs of handshakes and what it holds. Does not know peers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use echo_room::{Hall, MediaOptions, media_codecs, serve};
use libtest_mimic::Failed;
use tidegate::{LogLevel, LogTag, Router, RouterOptions, WebRtcServer, WorkerEvent, WorkerSettings};
use tokio::net::TcpListener;

/// A hall that serves.
#[derive(Debug)]
pub(crate) struct Room {
    hall: Arc<Hall>,
    address: SocketAddr,
    handshakes: Arc<Mutex<Vec<String>>>,
}

impl Room {
    pub(crate) async fn open() -> Result<Self, Failed> {
        let worker = WorkerSettings {
            log_level: LogLevel::Debug,
            log_tags: vec![LogTag::Dtls],
            ..WorkerSettings::default()
        };
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let media =
            MediaOptions { ips: vec![ip], announced_address: None, port: 0, codecs: media_codecs(), worker };
        let hall = Hall::open(media).await?;
        let handshakes = Arc::<Mutex<Vec<String>>>::default();
        let (mut events, heard) = (hall.worker().events(), Arc::clone(&handshakes));
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if let WorkerEvent::Log { tag: LogTag::Dtls, text, .. } = event {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
            }
        });
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(serve(Arc::clone(&hall), listener, std::future::pending()));
        Ok(Self { hall, address, handshakes })
    }

    /// Where a peer enters.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/signalling?room=peers", self.address)
    }

    /// A router of its worker's beside its rooms.
    pub(crate) async fn router(&self, options: RouterOptions) -> Result<Router, Failed> {
        Ok(self.hall.worker().create_router(options).await?)
    }

    /// The ports that everybody shares.
    pub(crate) fn server(&self) -> WebRtcServer {
        self.hall.server()
    }

    /// What the worker said of DTLS: a line for each handshake that succeeded or failed.
    pub(crate) fn handshakes(&self) -> Vec<String> {
        self.handshakes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Of a peer that has left nothing is left, neither in the worker nor on its ports.
    pub(crate) async fn is_left_clean(&self) -> Result<(), Failed> {
        let mut looks_left = LOOKS_MAX;
        loop {
            let (worker, server) = (self.hall.worker().dump().await?, self.hall.server().dump().await?);
            let held =
                worker.router_ids.len() as u64 + worker.transports + worker.producers + worker.consumers;
            let known = server.transport_ids.len() + server.local_ice_username_fragments.len();
            if held == 0 && known == 0 && server.tuples == 0 && worker.panics_contained == 0 {
                return Ok(());
            }
            looks_left -= 1;
            if looks_left == 0 {
                return Err(format!("left behind: {worker:?} {server:?}").into());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// 20 s.
const LOOKS_MAX: u32 = 1_000;
