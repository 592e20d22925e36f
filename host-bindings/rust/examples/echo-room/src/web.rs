//! HTTP and WebSocket: the page, and one conversation for each visitor.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::hall::Hall;
use crate::peer::Peer;
use crate::signalling::{Asked, Told};

/// Serves pages and signalling until `stop` is done.
///
/// # Errors
/// What the system says of the listener.
pub async fn serve(
    hall: Arc<Hall>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, routes(hall)).with_graceful_shutdown(stop).await
}

fn routes(hall: Arc<Hall>) -> Router {
    Router::new().route("/", get(page)).route("/signalling", get(signalling)).with_state(hall)
}

async fn page() -> impl IntoResponse {
    Html("<!doctype html><title>Tidegate</title>")
}

#[derive(Debug, Deserialize)]
struct Which {
    room: String,
}

async fn signalling(
    State(hall): State<Arc<Hall>>,
    Query(which): Query<Which>,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.max_message_size(MESSAGE_BYTES_MAX).on_upgrade(move |socket| converse(hall, which.room, socket))
}

/// One visitor's conversation, to its end.
async fn converse(hall: Arc<Hall>, room: String, socket: WebSocket) {
    let (mut out, mut heard) = socket.split();
    let room = match hall.room(&room).await {
        Ok(room) => room,
        Err(error) => {
            let _ = out.send(written(&Told::Refusal { id: None, error: error.to_string() })).await;
            return;
        }
    };
    let (news, mut events) = mpsc::channel(NEWS_MAX);
    let mut peer = Peer::enter(room, news);
    loop {
        let told = tokio::select! {
            Some(event) = events.recv() => Told::Event(event),
            message = heard.next() => match message {
                Some(Ok(Message::Text(text))) => answer(&mut peer, text.as_str()).await,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if out.send(written(&told)).await.is_err() {
            return;
        }
    }
}

async fn answer(peer: &mut Peer, text: &str) -> Told {
    match serde_json::from_str::<Asked>(text) {
        Ok(Asked { id, request }) => match peer.on_request(request).await {
            Ok(ok) => Told::Answer { id, ok },
            Err(refused) => Told::Refusal { id: Some(id), error: refused.to_string() },
        },
        Err(error) => Told::Refusal { id: id_of(text), error: format!("no request: {error}") },
    }
}

/// The number of a request whose rest makes no sense.
fn id_of(text: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(text).ok()?.get("id")?.as_u64()
}

fn written(told: &Told) -> Message {
    Message::Text(serde_json::to_string(told).unwrap_or_default().into())
}

/// RTP parameters of a page with many codecs take some 10 KB.
const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Events that wait for a page.
const NEWS_MAX: usize = 1_024;
