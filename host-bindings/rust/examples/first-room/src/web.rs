//! The page, and a conversation with each page that is open.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::room::Room;
use crate::visitor::{Request, Visitor};

/// The room of the worker that runs now.
pub type Current = watch::Receiver<Arc<Room>>;

/// More than any request needs.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

pub fn routes(current: Current) -> Router {
    let script = |text: &'static str| get(([(CONTENT_TYPE, "text/javascript")], text));
    Router::new()
        .route("/", get(Html(include_str!("../page/index.html"))))
        .route("/room.js", script(include_str!("../page/room.js")))
        .route("/mediasoup-client.js", script(include_str!("../page/mediasoup-client.js")))
        .route("/signalling", get(signalling))
        .route("/metrics", get(metrics))
        .with_state(current)
}

async fn signalling(State(current): State<Current>, upgrade: WebSocketUpgrade) -> Response {
    let room = Arc::clone(&current.borrow());
    upgrade.max_message_size(MESSAGE_BYTES_MAX).on_upgrade(move |socket| converse(socket, room))
}

/// Until the page is closed, or the worker is gone.
async fn converse(mut socket: WebSocket, room: Arc<Room>) {
    let mut new_tracks = room.news.subscribe();
    let mut worker_gone = Box::pin(room.worker.closed());
    for id in room.track_ids() {
        if socket.send(Message::text(new_track(&id).to_string())).await.is_err() {
            return;
        }
    }
    let (events, mut told) = mpsc::channel(256);
    let mut visitor = Visitor::new(room, events);
    loop {
        let message = tokio::select! {
            Some(event) = told.recv() => event,
            track = new_tracks.recv() => match track {
                Ok(id) if visitor.sends(&id) => continue,
                Ok(id) => new_track(&id),
                // There were more than this connection could be told of.
                Err(_) => break,
            },
            request = socket.recv() => match request {
                Some(Ok(Message::Text(text))) => answer(&mut visitor, &text).await,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => break,
            },
            _ = &mut worker_gone => break,
        };
        if socket.send(Message::text(message.to_string())).await.is_err() {
            break;
        }
    }
}

fn new_track(id: &str) -> Value {
    json!({ "event": "newTrack", "data": { "producerId": id } })
}

/// `{"id": 1, "method": "...", "data": {...}}` is answered `{"id": 1, "ok": ...}` or `{"id": 1, "error": "..."}`.
async fn answer(visitor: &mut Visitor, text: &str) -> Value {
    let asked: Value = serde_json::from_str(text).unwrap_or_default();
    let id = asked["id"].clone();
    match serde_json::from_value::<Request>(asked) {
        Ok(request) => match visitor.on_request(request).await {
            Ok(ok) => json!({ "id": id, "ok": ok }),
            Err(error) => json!({ "id": id, "error": error.to_string() }),
        },
        Err(error) => json!({ "id": id, "error": format!("this is no request: {error}") }),
    }
}

/// All counters of the worker, a line each.
async fn metrics(State(current): State<Current>) -> Result<String, (StatusCode, String)> {
    let worker = current.borrow().worker.clone();
    let metrics = worker.get_metrics().await;
    let metrics = metrics.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok(metrics.values.iter().map(|metric| format!("{} {}\n", metric.name, metric.value)).collect())
}
