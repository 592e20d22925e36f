//! The worker and the rooms in it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tidegate::{
    ListenInfo, ParameterValue, Protocol, RequestError, RtpCodecCapability, SpawnError, WebRtcServer,
    WebRtcServerOptions, Worker, WorkerSettings,
};

use crate::room::Room;

/// How media travels.
#[derive(Clone, Debug)]
pub struct MediaOptions {
    /// Where the worker listens.
    pub ip: IpAddr,
    /// What pages are told instead, behind address translation.
    pub announced_address: Option<String>,
    /// One UDP and one TCP port for everybody; 0 lets the system choose.
    pub port: u16,
    /// What rooms can forward.
    pub codecs: Vec<RtpCodecCapability>,
    /// How the worker is started.
    pub worker: WorkerSettings,
}

/// The worker, and the rooms by name.
#[derive(Debug)]
pub struct Hall {
    pub(crate) media: MediaOptions,
    worker: Worker,
    server: WebRtcServer,
    rooms: Mutex<BTreeMap<String, Weak<Room>>>,
}

/// What browsers can send, best supported first.
pub fn media_codecs() -> Vec<RtpCodecCapability> {
    let video =
        |mime_type: &str| RtpCodecCapability { mime_type: mime_type.to_owned(), ..RtpCodecCapability::vp8() };
    // Constrained baseline, level 3.1: what every browser has.
    let h264 = [
        ("packetization-mode", ParameterValue::Number(1)),
        ("level-asymmetry-allowed", ParameterValue::Number(1)),
        ("profile-level-id", ParameterValue::Text("42e01f".to_owned())),
    ];
    let parameters = h264.map(|(name, value)| (name.to_owned(), value)).into();
    vec![
        RtpCodecCapability::opus(),
        RtpCodecCapability::vp8(),
        video("video/VP9"),
        RtpCodecCapability { parameters, ..video("video/H264") },
        video("video/AV1"),
    ]
}

/// Why there is no hall.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The worker did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The worker refused its ports.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Hall {
    /// Starts a worker and opens its ports.
    ///
    /// # Errors
    /// [`OpenError`], whose sentence says what to do.
    pub async fn open(media: MediaOptions) -> Result<Arc<Self>, OpenError> {
        let worker = Worker::spawn(media.worker.clone()).await?;
        let listen = |protocol| ListenInfo { protocol, ..listen_info(&media).with_port(media.port) };
        let options = WebRtcServerOptions::new(vec![listen(Protocol::Udp), listen(Protocol::Tcp)]);
        let server = worker.create_webrtc_server(options).await?;
        Ok(Arc::new(Self { media, worker, server, rooms: Mutex::default() }))
    }

    /// The worker.
    pub fn worker(&self) -> &Worker {
        &self.worker
    }

    /// The ports that everybody shares.
    pub fn server(&self) -> &WebRtcServer {
        &self.server
    }

    /// The room of this name; it is there as long as somebody is in it.
    ///
    /// # Errors
    /// [`RequestError`] when it had to be made and could not.
    pub async fn room(self: &Arc<Self>, name: &str) -> Result<Arc<Room>, RequestError> {
        if let Some(room) = self.rooms().get(name).and_then(Weak::upgrade) {
            return Ok(room);
        }
        let made = Room::open(self, name).await?;
        let mut rooms = self.rooms();
        // Somebody else may have been faster.
        if let Some(room) = rooms.get(name).and_then(Weak::upgrade) {
            return Ok(room);
        }
        rooms.insert(name.to_owned(), Arc::downgrade(&made));
        Ok(made)
    }

    /// Forgets a room that nobody is in.
    pub(crate) fn forget(&self, name: &str) {
        self.rooms().retain(|other, room| other != name || room.strong_count() > 0);
    }

    fn rooms(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Weak<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place to listen, with no port chosen.
pub(crate) fn listen_info(media: &MediaOptions) -> ListenInfo {
    ListenInfo { announced_address: media.announced_address.clone(), ..ListenInfo::new(media.ip) }
}
