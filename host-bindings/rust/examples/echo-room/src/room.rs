//! A room: a router, who is in it, and what they send.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidegate::{
    ActiveSpeakerObserver, ActiveSpeakerObserverEvent, ActiveSpeakerObserverOptions, MediaKind, Producer,
    RequestError, Router, RouterOptions, RtpType,
};
use tokio::sync::mpsc;

use crate::hall::{EnterError, Hall};
use crate::limits::RoomName;
use crate::signalling::Event;
use crate::stage::Stage;

/// Who is where, and who is heard.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    hall: Arc<Hall>,
    stage: Arc<Stage>,
    router: Router,
    speakers: ActiveSpeakerObserver,
    present: Mutex<Present>,
}

/// Somebody's place in a room. Dropping it is leaving.
#[derive(Debug)]
pub struct Place {
    /// Their name in the room.
    pub id: String,
    /// Which room.
    pub room: Arc<Room>,
}

/// By which door somebody came: what their name begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The page, or another client of the signalling: `peer-1`.
    Page,
    /// WHIP: `whip-1`.
    Whip,
    /// WHEP: `whep-1`.
    Whep,
}

/// Everybody in a room.
#[derive(Debug, Default)]
struct Present {
    last_number: u64,
    last_track: u64,
    peers: BTreeMap<String, mpsc::Sender<Event>>,
    producers: BTreeMap<String, Sent>,
}

/// A track that somebody sends.
#[derive(Clone, Debug)]
struct Sent {
    peer_id: String,
    producer: Producer,
    /// Higher than those of all that began before.
    number: u64,
}

impl Room {
    pub(crate) async fn open(
        hall: &Arc<Hall>,
        stage: &Arc<Stage>,
        name: &RoomName,
    ) -> Result<Arc<Self>, RequestError> {
        let router = stage.worker.create_router(RouterOptions::new(hall.media.codecs.clone())).await?;
        let speakers = router.create_active_speaker_observer(ActiveSpeakerObserverOptions::default()).await?;
        let mut changes = speakers.events();
        let room = Arc::new(Self {
            name: name.clone(),
            hall: Arc::clone(hall),
            stage: Arc::clone(stage),
            router,
            speakers,
            present: Mutex::default(),
        });
        let told = Arc::downgrade(&room);
        tokio::spawn(async move {
            while let Some(change) = changes.next().await {
                let Some(room) = told.upgrade() else { break };
                if let ActiveSpeakerObserverEvent::DominantSpeaker { producer_id } = change {
                    room.on_speaker(&producer_id);
                }
            }
        });
        Ok(room)
    }

    /// Its router.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// The hall that it is in.
    pub fn hall(&self) -> &Arc<Hall> {
        &self.hall
    }

    /// The worker that it is in.
    pub(crate) fn stage(&self) -> &Arc<Stage> {
        &self.stage
    }

    /// How many are in it.
    pub(crate) fn visitors(&self) -> usize {
        self.present().peers.len()
    }

    /// Lets somebody in, who is told what happens from now on.
    pub(crate) fn enter(self: Arc<Self>, door: Door, news: mpsc::Sender<Event>) -> Result<Place, EnterError> {
        let most = self.hall.limits.visitors;
        let mut present = self.present();
        if present.peers.len() >= most {
            return Err(EnterError::RoomFull(most));
        }
        present.last_number += 1;
        let id = format!("{}-{}", door.name(), present.last_number);
        present.peers.insert(id.clone(), news);
        drop(present);
        Ok(Place { id, room: self })
    }

    /// Somebody goes, and what they sent with them.
    fn leave(&self, peer_id: &str) {
        let mut present = self.present();
        present.peers.remove(peer_id);
        present.producers.retain(|_, sent| sent.peer_id != peer_id);
        // With the worker all go at once, and each is told that.
        if self.stage.worker.is_closed() {
            return;
        }
        present.tell_all(&Event::PeerLeft { peer_id: peer_id.to_owned() });
    }

    /// Somebody sends a track: everybody is told, they themselves too.
    pub(crate) async fn add_producer(&self, peer_id: &str, producer: &Producer) -> Result<(), RequestError> {
        if producer.kind() == MediaKind::Audio {
            self.speakers.add_producer(producer).await?;
        }
        let mut present = self.present();
        present.last_track += 1;
        let (peer_id, number) = (peer_id.to_owned(), present.last_track);
        let sent = Sent { peer_id, producer: producer.clone(), number };
        let event = sent.announced();
        present.producers.insert(producer.id().to_owned(), sent);
        present.tell_all(&event);
        Ok(())
    }

    pub(crate) fn remove_producer(&self, producer_id: &str) {
        self.present().producers.remove(producer_id);
    }

    /// A track by its id.
    pub(crate) fn producer(&self, producer_id: &str) -> Option<Producer> {
        self.present().producers.get(producer_id).map(|sent| sent.producer.clone())
    }

    /// What a player is shown who can choose nothing: the picture that was begun last, of one visitor or of all, and with
    /// it the sound of the same visitor, or else the newest. One encoding each: what has several cannot be consumed.
    pub(crate) fn newest(&self, peer_id: Option<&str>) -> Vec<Producer> {
        let present = self.present();
        let playable = |kind: MediaKind| {
            let sent = present.producers.values().filter(move |sent| sent.producer.kind() == kind);
            let sent = sent.filter(|sent| sent.producer.rtp_type() != RtpType::Simulcast);
            sent.filter(|sent| peer_id.is_none_or(|id| sent.peer_id == id))
        };
        let video = playable(MediaKind::Video).max_by_key(|sent| sent.number);
        let of_same = |sent: &Sent| video.is_some_and(|video| video.peer_id == sent.peer_id);
        let audio = playable(MediaKind::Audio).max_by_key(|sent| (of_same(sent), sent.number));
        [video, audio].into_iter().flatten().map(|sent| sent.producer.clone()).collect()
    }

    /// All tracks that are sent, as news for who comes later.
    pub(crate) fn announced(&self) -> Vec<Event> {
        self.present().producers.values().map(Sent::announced).collect()
    }

    fn on_speaker(&self, producer_id: &str) {
        let present = self.present();
        if let Some(sent) = present.producers.get(producer_id) {
            present.tell_all(&Event::DominantSpeaker { peer_id: sent.peer_id.clone() });
        }
    }

    fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.hall.forget(&self.name);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.leave(&self.id);
    }
}

impl Door {
    fn name(self) -> &'static str {
        match self {
            Self::Page => "peer",
            Self::Whip => "whip",
            Self::Whep => "whep",
        }
    }
}

impl Present {
    /// Who does not read their news misses some: their page is stuck, and reloading it tells all.
    fn tell_all(&self, event: &Event) {
        for news in self.peers.values() {
            let _ = news.try_send(event.clone());
        }
    }
}

impl Sent {
    fn announced(&self) -> Event {
        Event::NewProducer {
            peer_id: self.peer_id.clone(),
            producer_id: self.producer.id().to_owned(),
            kind: self.producer.kind(),
        }
    }
}
