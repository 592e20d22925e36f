//! One visitor's WebSocket, from its first message to its last, over the lives of several workers.
//!
//! Knows frames, order and patience. Does not know what requests do. Called by [`web`](crate::web).
//! Invariant: whoever talks in here is bounded: in message size, in what waits for them, in how long they may be silent.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::figures::Figures;
use crate::hall::{EnterError, Hall};
use crate::limits::RoomName;
use crate::peer::Peer;
use crate::room::Door;
use crate::signalling::{Asked, Event, Request, Told};
use crate::stage::{Death, Stage, Status};

/// A visitor.
pub(crate) struct Conversation {
    hall: Arc<Hall>,
    room: RoomName,
    out: SplitSink<WebSocket, Message>,
    status: watch::Receiver<Status>,
    /// Of the last worker that they entered.
    stage: u64,
    /// In the room; not while there is no worker.
    peer: Option<Peer>,
    events: mpsc::Receiver<Event>,
    figures: Option<watch::Receiver<Arc<Figures>>>,
}

/// Why a conversation ends: what the visitor is told, and a code of RFC 6455 7.4.
#[derive(Debug)]
enum End {
    /// They are gone, or do not listen.
    Gone,
    /// They are told why.
    Told(u16, String),
}

/// Talks with a visitor until either has enough. `place` is theirs among all; `None` is for whoever came too late.
pub(crate) async fn converse(
    hall: Arc<Hall>,
    room: String,
    place: Option<OwnedSemaphorePermit>,
    socket: WebSocket,
) {
    let (out, heard) = socket.split();
    let limit = hall.limits.sockets;
    let room = match room.parse::<RoomName>() {
        _ if place.is_none() => {
            Err(End::Told(close_code::AGAIN, format!("{limit} visitors are here already; come back later")))
        }
        Ok(room) => Ok(room),
        Err(bad) => Err(End::Told(CLOSE_BAD_NAME, bad.to_string())),
    };
    match room {
        Ok(room) => Conversation::new(hall, room, out).run(heard).await,
        Err(end) => say_goodbye(out, heard, end).await,
    }
    drop(place);
}

impl Conversation {
    fn new(hall: Arc<Hall>, room: RoomName, out: SplitSink<WebSocket, Message>) -> Self {
        let mut status = hall.status();
        status.mark_changed();
        let (_, events) = mpsc::channel(1);
        Self { hall, room, out, status, stage: 0, peer: None, events, figures: None }
    }

    async fn run(mut self, mut heard: SplitStream<WebSocket>) {
        let every = self.hall.limits.silence / 3;
        let mut beat = interval_at(Instant::now() + every, every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            let done = tokio::select! {
                changed = self.status.changed() => match changed {
                    Ok(()) => self.on_status().await,
                    Err(_) => Err(End::Gone),
                },
                Some(event) = self.events.recv() => self.tell(&Told::Event(event)).await,
                figures = next_figures(&mut self.figures) => {
                    self.tell(&Told::Event(Event::Figures(Box::new(figures)))).await
                }
                message = heard.next() => self.on_message(message).await,
                // Answered by every browser; the connection itself notices silence.
                _ = beat.tick() => self.send(Message::Ping(Vec::new().into())).await,
            };
            if let Err(end) = done {
                break end;
            }
        };
        // What they had goes first: the goodbye may take a while.
        drop(self.peer.take());
        say_goodbye(self.out, heard, end).await;
    }

    async fn on_status(&mut self) -> Result<(), End> {
        let status = self.status.borrow_and_update().clone();
        match status {
            Status::Running(stage) if stage.number == self.stage => Ok(()),
            Status::Running(stage) => {
                // The death of the worker before went by too quickly to be seen.
                if let Some(death) = stage.after.clone().filter(|_| self.peer.is_some()) {
                    self.on_death(&death).await?;
                }
                self.enter(&stage).await
            }
            Status::Down(death) => self.on_death(&death).await,
            Status::Closed => Err(End::Told(close_code::AWAY, "the server is being stopped".to_owned())),
        }
    }

    async fn on_death(&mut self, death: &Death) -> Result<(), End> {
        self.peer = None;
        let event = Event::WorkerDied {
            reason: death.reason.clone(),
            in_a_row: death.in_a_row,
            restart_in_ms: u64::try_from(death.restart_in.as_millis()).unwrap_or(u64::MAX),
        };
        self.tell(&Told::Event(event)).await
    }

    async fn enter(&mut self, stage: &Arc<Stage>) -> Result<(), End> {
        let (news, events) = mpsc::channel(NEWS_MAX);
        match self.hall.enter(stage, &self.room, Door::Page, news.clone()).await {
            Ok(place) => {
                let peer = Peer::new(place, news);
                (self.peer, self.events, self.stage) = (Some(peer), events, stage.number);
                Ok(())
            }
            // It died meanwhile: the next one's status follows.
            Err(EnterError::Request(_)) if stage.worker.is_closed() => Ok(()),
            Err(EnterError::Request(error)) => Err(End::Told(close_code::ERROR, error.to_string())),
            Err(full) => Err(End::Told(CLOSE_FULL, full.to_string())),
        }
    }

    async fn on_message(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        match message {
            Some(Ok(Message::Text(text))) => {
                let told = self.answer(text.as_str()).await;
                self.tell(&told).await
            }
            Some(Ok(Message::Binary(_))) => {
                let error = "requests are JSON in text messages, not binary ones".to_owned();
                self.tell(&Told::Refusal { id: None, error }).await
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(End::Gone),
            // Too long, not UTF-8, frames that are none, or a broken connection.
            Some(Err(error)) => Err(End::Told(close_code::POLICY, format!("the last message: {error}"))),
        }
    }

    async fn answer(&mut self, text: &str) -> Told {
        let Asked { id, request } = match serde_json::from_str(text) {
            Ok(asked) => asked,
            Err(error) => {
                return Told::Refusal { id: id_of(text), error: format!("no request: {error}") };
            }
        };
        if matches!(request, Request::WatchFigures) {
            self.figures.get_or_insert_with(|| self.hall.figures());
            return Told::Answer { id, ok: serde_json::Value::Null };
        }
        let Some(peer) = &mut self.peer else {
            let error = "there is no worker now; begin anew after the next `welcome`".to_owned();
            return Told::Refusal { id: Some(id), error };
        };
        match peer.on_request(request).await {
            Ok(ok) => Told::Answer { id, ok },
            Err(refused) => Told::Refusal { id: Some(id), error: refused.to_string() },
        }
    }

    async fn tell(&mut self, told: &Told) -> Result<(), End> {
        self.send(written(told)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.hall.limits.silence, self.out.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// The next figures for whoever asked for them.
async fn next_figures(watched: &mut Option<watch::Receiver<Arc<Figures>>>) -> Figures {
    if let Some(watched) = watched
        && watched.changed().await.is_ok()
    {
        return Figures::clone(&watched.borrow_and_update());
    }
    std::future::pending().await
}

/// Says why, and waits a moment for the other side to hear it.
async fn say_goodbye(mut out: SplitSink<WebSocket, Message>, mut heard: SplitStream<WebSocket>, end: End) {
    let End::Told(code, error) = end else { return };
    let reason = clipped(&error).to_owned();
    let farewell = async {
        // The reason of a close frame is short: the whole of it goes before.
        out.send(written(&Told::Refusal { id: None, error })).await?;
        out.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await?;
        while let Some(Ok(_)) = heard.next().await {}
        Ok::<(), axum::Error>(())
    };
    let _ = timeout(GOODBYE_MAX, farewell).await;
}

/// As much of a reason as fits a close frame.
fn clipped(reason: &str) -> &str {
    let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default()
}

/// The number of a request whose rest makes no sense.
fn id_of(text: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(text).ok()?.get("id")?.as_u64()
}

fn written(told: &Told) -> Message {
    Message::Text(serde_json::to_string(told).unwrap_or_default().into())
}

/// Close code for a name that no room can have.
pub const CLOSE_BAD_NAME: u16 = 4_000;
/// Close code when the room is full, or there are too many rooms.
pub const CLOSE_FULL: u16 = 4_001;
/// RTP parameters of a page with many codecs take some 10 KB.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Events that wait for a page.
const NEWS_MAX: usize = 1_024;
/// RFC 6455 5.5: 125 bytes, two of them for the code.
const CLOSE_REASON_BYTES_MAX: usize = 123;
const GOODBYE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_clipped_between_characters() {
        assert_eq!(clipped("short"), "short");
        let long = "ж".repeat(100);
        assert_eq!(clipped(&long), "ж".repeat(61));
    }
}
