//! A worker with one room in it, and the tracks that visitors send into the room.

use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate::{
    ListenInfo, Producer, Protocol, Router, RouterOptions, RtpCodecCapability, WebRtcServer,
    WebRtcServerOptions, Worker, WorkerSettings,
};
use tokio::sync::broadcast;

pub struct Room {
    pub worker: Worker,
    pub server: WebRtcServer,
    pub router: Router,
    /// Tells everybody the id of each new track.
    pub news: broadcast::Sender<String>,
    tracks: Mutex<BTreeMap<String, Producer>>,
}

impl Room {
    /// Starts a worker and listens for media at `ip`.
    pub async fn open(ip: IpAddr) -> Result<Arc<Self>, Box<dyn Error + Send + Sync>> {
        let settings = WorkerSettings { packet_memory_limit: Some(64 << 20), ..WorkerSettings::default() };
        let worker = Worker::spawn(settings).await?;
        let udp = ListenInfo::new(ip);
        let tcp = ListenInfo { protocol: Protocol::Tcp, ..udp.clone() };
        let server = worker.create_webrtc_server(WebRtcServerOptions::new(vec![udp, tcp])).await?;
        let codecs = vec![RtpCodecCapability::opus(), RtpCodecCapability::vp8()];
        let router = worker.create_router(RouterOptions::new(codecs)).await?;
        let (news, _) = broadcast::channel(256);
        Ok(Arc::new(Self { worker, server, router, news, tracks: Mutex::default() }))
    }

    pub fn add(&self, track: Producer) {
        let id = track.id().to_owned();
        self.tracks().insert(id.clone(), track);
        // Nobody may be listening.
        let _ = self.news.send(id);
    }

    pub fn remove(&self, id: &str) {
        self.tracks().remove(id);
    }

    pub fn track(&self, id: &str) -> Option<Producer> {
        self.tracks().get(id).cloned()
    }

    pub fn track_ids(&self) -> Vec<String> {
        self.tracks().keys().cloned().collect()
    }

    fn tracks(&self) -> MutexGuard<'_, BTreeMap<String, Producer>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
