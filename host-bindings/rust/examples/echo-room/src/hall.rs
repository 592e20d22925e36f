//! The worker, the one that follows it when it dies, and the rooms.
//!
//! Knows who is where. Does not know JSON or sockets. Invariant: no room of a dead worker is entered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tidegate::{
    ListenInfo, ParameterValue, Protocol, RequestError, RtpCodecCapability, WebRtcServer, Worker,
    WorkerSettings,
};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::figures::{Figures, Meter};
use crate::limits::{Limits, RoomName};
use crate::room::{Door, Place, Room};
use crate::signalling::Event;
use crate::stage::{BackOff, OpenError, Ports, Stage, Status};

/// How media travels.
#[derive(Clone, Debug)]
pub struct MediaOptions {
    /// Where the worker listens; pages are told of all of them.
    pub ips: Vec<IpAddr>,
    /// What pages are told instead, behind address translation.
    pub announced_address: Option<String>,
    /// One UDP and one TCP port of each address for everybody; 0 lets the system choose.
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
    pub(crate) limits: Limits,
    /// The last worker that started; it may be dead.
    stage: Mutex<Arc<Stage>>,
    status: watch::Sender<Status>,
    figures: watch::Sender<Arc<Figures>>,
    rooms: Mutex<BTreeMap<RoomName, Weak<Room>>>,
}

/// Why somebody does not get in.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// Enough people.
    #[error("this room is full: {0} are in it; choose another room, or wait until somebody leaves")]
    RoomFull(usize),
    /// Enough rooms.
    #[error("there are {0} rooms already, which is the most; go to one of them, or come back later")]
    TooManyRooms(usize),
    /// No worker to make a room in, or it would not.
    #[error(transparent)]
    Request(#[from] RequestError),
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

impl Hall {
    /// Starts a worker and opens its ports.
    ///
    /// # Errors
    /// [`OpenError`], whose sentence says what to do.
    pub async fn open(media: MediaOptions) -> Result<Arc<Self>, OpenError> {
        Self::open_within(media, Limits::default()).await
    }

    /// Likewise, with limits of one's own.
    ///
    /// # Errors
    /// Likewise.
    pub async fn open_within(media: MediaOptions, limits: Limits) -> Result<Arc<Self>, OpenError> {
        let stage = Arc::new(Stage::open(1, &media, None, None).await?);
        let ports = stage.ports().await?;
        let hall = Arc::new(Self {
            media,
            limits,
            status: watch::Sender::new(Status::Running(Arc::clone(&stage))),
            stage: Mutex::new(stage),
            figures: watch::Sender::default(),
            rooms: Mutex::default(),
        });
        tokio::spawn(keep_a_worker(Arc::downgrade(&hall), ports));
        tokio::spawn(keep_figures(Arc::downgrade(&hall)));
        Ok(hall)
    }

    /// The last worker that started.
    pub fn worker(&self) -> Worker {
        self.stage().worker.clone()
    }

    /// The ports that everybody shares.
    pub fn server(&self) -> WebRtcServer {
        self.stage().server.clone()
    }

    /// Follows what becomes of workers.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Follows what the worker costs, once a second while anybody does.
    pub(crate) fn figures(&self) -> watch::Receiver<Arc<Figures>> {
        self.figures.subscribe()
    }

    /// Lets somebody into a room of this worker, which is made if there is none of that name; what happens there comes
    /// out of `news`.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        stage: &Arc<Stage>,
        name: &RoomName,
        door: Door,
        news: mpsc::Sender<Event>,
    ) -> Result<Place, EnterError> {
        self.room(stage, name).await?.enter(door, news)
    }

    /// The room of that name in this worker, if it is there.
    pub(crate) fn open_room_named(&self, stage: &Stage, name: &RoomName) -> Option<Arc<Room>> {
        let open = self.rooms().get(name).and_then(Weak::upgrade);
        open.filter(|room| room.stage().number == stage.number)
    }

    async fn room(self: &Arc<Self>, stage: &Arc<Stage>, name: &RoomName) -> Result<Arc<Room>, EnterError> {
        if let Some(room) = self.open_room(stage, name)? {
            return Ok(room);
        }
        let made = Room::open(self, stage, name).await?;
        // Others were at it too.
        if let Some(room) = self.open_room(stage, name)? {
            return Ok(room);
        }
        let mut rooms = self.rooms();
        if self.stage().number != stage.number {
            // A room of the next worker may be there by now.
            drop(rooms);
            return Err(RequestError::WorkerClosed { exit: None }.into());
        }
        rooms.insert(name.clone(), Arc::downgrade(&made));
        Ok(made)
    }

    /// The room, if it is there; an error if it may not be made.
    fn open_room(&self, stage: &Stage, name: &RoomName) -> Result<Option<Arc<Room>>, EnterError> {
        let (open, rooms) = {
            let rooms = self.rooms();
            (rooms.get(name).and_then(Weak::upgrade), rooms.len())
        };
        // Nothing is locked any more: this may drop a room, which forgets itself.
        let open = open.filter(|room| room.stage().number == stage.number);
        if open.is_none() && rooms >= self.limits.rooms {
            return Err(EnterError::TooManyRooms(self.limits.rooms));
        }
        Ok(open)
    }

    /// Forgets a room that nobody is in.
    pub(crate) fn forget(&self, name: &RoomName) {
        self.rooms().retain(|other, room| other != name || room.strong_count() > 0);
    }

    /// Rooms, and visitors in all of them.
    pub(crate) fn attendance(&self) -> (usize, usize) {
        let rooms: Vec<Arc<Room>> = self.rooms().values().filter_map(Weak::upgrade).collect();
        (rooms.len(), rooms.iter().map(|room| room.visitors()).sum())
    }

    /// Says goodbye to everybody and ends the worker; done when its process is gone.
    pub async fn close(&self) {
        self.status.send_replace(Status::Closed);
        let worker = self.worker();
        worker.close();
        worker.closed().await;
    }

    fn is_closed(&self) -> bool {
        matches!(&*self.status.borrow(), Status::Closed)
    }

    /// Changes where things stand, unless this hall was closed.
    fn turn_to(&self, status: Status) {
        self.status.send_if_modified(|now| {
            let open = !matches!(now, Status::Closed);
            if open {
                *now = status;
            }
            open
        });
    }

    fn stage(&self) -> Arc<Stage> {
        Arc::clone(&self.stage.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn rooms(&self) -> MutexGuard<'_, BTreeMap<RoomName, Weak<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for the worker's death, time and again, and starts the next one. Ends with the hall.
async fn keep_a_worker(hall: Weak<Hall>, ports: Ports) {
    let mut back_off = BackOff::default();
    loop {
        let born = Instant::now();
        let Some(died) = hall.upgrade().map(|hall| hall.worker().died()) else { return };
        let end = tokio::select! {
            // First, for it ends the worker itself, which looks to the other like a wish of ours.
            biased;
            end = watch_over(&hall) => end,
            exit = died => exit.map(|exit| format!("the worker {exit}")),
        };
        let Some(mut reason) = end else { return };
        let mut lived = born.elapsed();
        loop {
            let Some(open) = hall.upgrade().filter(|hall| !hall.is_closed()) else { return };
            let death = Arc::new(back_off.death(lived, reason));
            open.rooms().clear();
            open.turn_to(Status::Down(Arc::clone(&death)));
            let (media, number, pause) = (open.media.clone(), open.stage().number + 1, death.restart_in);
            drop(open);
            tokio::time::sleep(pause).await;
            let next = Stage::open(number, &media, Some(&ports), Some(death)).await;
            let Some(open) = hall.upgrade().filter(|hall| !hall.is_closed()) else { return };
            match next {
                Ok(stage) => {
                    let stage = Arc::new(stage);
                    *open.stage.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&stage);
                    open.turn_to(Status::Running(stage));
                    break;
                }
                Err(error) => (reason, lived) = (error.to_string(), Duration::ZERO),
            }
        }
    }
}

/// Ends a worker that lives and does not answer; the reason. `None` when the hall is gone.
async fn watch_over(hall: &Weak<Hall>) -> Option<String> {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let worker = hall.upgrade()?.worker();
        if let Err(error @ RequestError::Timeout { .. }) = worker.get_resource_usage().await {
            worker.close();
            worker.closed().await;
            return Some(error.to_string());
        }
        if worker.is_closed() {
            // Its death is the other one's to tell.
            return std::future::pending().await;
        }
    }
}

/// Measures once a second while anybody wants to know.
async fn keep_figures(hall: Weak<Hall>) {
    let mut meter = Meter::default();
    let mut beat = tokio::time::interval(FIGURES_EVERY);
    loop {
        beat.tick().await;
        let Some(hall) = hall.upgrade() else { return };
        if hall.figures.receiver_count() > 0 {
            let worker = hall.worker();
            let worker = if worker.is_closed() { None } else { Some(worker) };
            let figures = meter.look(worker.as_ref(), hall.attendance()).await;
            hall.figures.send_replace(Arc::new(figures));
        }
    }
}

/// The places to listen, with no port chosen.
pub(crate) fn listen_infos(media: &MediaOptions, protocol: Protocol) -> impl Iterator<Item = ListenInfo> {
    media.ips.iter().map(move |ip| ListenInfo {
        protocol,
        announced_address: media.announced_address.clone(),
        ..ListenInfo::new(*ip)
    })
}

/// A worker is asked so often whether it still answers; it has the ten seconds of any request to do so.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const FIGURES_EVERY: Duration = Duration::from_secs(1);
