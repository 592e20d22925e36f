//! HTTP: the page, one conversation for each visitor, and WHIP and WHEP.
//!
//! Knows addresses and connections. Does not know requests.

use std::sync::Arc;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::conversation::{MESSAGE_BYTES_MAX, converse};
use crate::hall::Hall;
use crate::listener::Bounded;
use crate::page;
use crate::stage::Status;
use crate::whip::{self, Sessions};

/// Serves pages and signalling until `stop` is done; then closes the hall, which says goodbye to everybody and ends its
/// worker.
///
/// # Errors
/// What the system says of the listener.
pub async fn serve(
    hall: Arc<Hall>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let limits = hall.limits;
    let listener = Bounded::new(listener, limits.connections, limits.silence);
    let places = Arc::new(Semaphore::new(limits.sockets));
    let closing = {
        let hall = Arc::clone(&hall);
        async move {
            stop.await;
            hall.close().await;
        }
    };
    let mut status = hall.status();
    let serving = axum::serve(listener, routes(hall, places)).with_graceful_shutdown(closing);
    tokio::select! {
        served = serving => served,
        () = async {
            let _ = status.wait_for(|status| matches!(status, Status::Closed)).await;
            sleep(limits.silence).await;
        } => Ok(()),
    }
}

/// What every request may use.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) hall: Arc<Hall>,
    /// Places for WebSockets.
    places: Arc<Semaphore>,
    pub(crate) sessions: Arc<Sessions>,
}

fn routes(hall: Arc<Hall>, places: Arc<Semaphore>) -> Router {
    let sessions = Arc::new(Sessions::new(hall.limits.sessions));
    Router::new()
        .route("/", get(async || page::index()))
        .route("/{room}", get(async || page::index()))
        .route("/page/{*file}", get(async |Path(file): Path<String>| page::file(&file)))
        .route("/favicon.ico", get(async || page::file("icon.svg")))
        .route("/signalling", get(signalling))
        .merge(whip::routes())
        .fallback(async || (StatusCode::NOT_FOUND, "there is nothing here; rooms are at /NAME\n"))
        .with_state(Shared { hall, places, sessions })
}

#[derive(Debug, Deserialize)]
struct Which {
    /// Absent is refused like a bad name, in words that a page can show.
    #[serde(default)]
    room: String,
}

async fn signalling(
    State(Shared { hall, places, .. }): State<Shared>,
    Query(which): Query<Which>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let place = places.try_acquire_owned().ok();
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    upgrade.on_upgrade(move |socket| converse(hall, which.room, place, socket)).into_response()
}
