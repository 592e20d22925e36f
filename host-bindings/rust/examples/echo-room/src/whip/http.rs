//! Methods, status codes and header fields of WHIP and WHEP.
//!
//! Knows HTTP. Does not know SDP. Called by [`web`](crate::web). Invariant: every answer may be read by any page (CORS).

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH,
    LOCATION, RETRY_AFTER,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, patch, post};
use serde::Deserialize;

use crate::limits::RoomName;
use crate::room::Door;
use crate::sdp::{Fragment, Offer, SDP_BYTES_MAX};
use crate::web::Shared;
use crate::whip::refusal::Refusal;
use crate::whip::session::{Made, Patched, Session};

/// The endpoints and their sessions.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/whip/{room}", post(publish).options(endpoint_options))
        .route("/whep/{room}", post(play).options(endpoint_options))
        .route("/whip/{room}/{session}", session_routes(Door::Whip))
        .route("/whep/{room}/{session}", session_routes(Door::Whep))
        .layer(DefaultBodyLimit::max(SDP_BYTES_MAX))
        .layer(map_response(with_cors))
}

fn session_routes(door: Door) -> MethodRouter<Shared> {
    patch(move |state, path, headers, body| trickle(door, state, path, headers, body))
        .delete(move |state, path| end(door, state, path))
        .options(session_options)
}

/// Whose tracks to play.
#[derive(Debug, Deserialize)]
struct Wanted {
    /// All visitors' when absent.
    peer: Option<String>,
}

type Body = Result<Bytes, BytesRejection>;

async fn publish(
    State(shared): State<Shared>,
    uri: Uri,
    Path(room): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let room = room.parse::<RoomName>()?;
    let offer = offer(&headers, body)?;
    let made = Session::publish(&shared.hall, room, &offer, shared.sessions.place()?).await?;
    created(&shared, uri.path(), made)
}

async fn play(
    State(shared): State<Shared>,
    uri: Uri,
    Path(room): Path<String>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let room = room.parse::<RoomName>()?;
    let offer = offer(&headers, body)?;
    let peer = wanted.peer.as_deref();
    let made = Session::play(&shared.hall, room, peer, &offer, shared.sessions.place()?).await?;
    created(&shared, uri.path(), made)
}

async fn trickle(
    door: Door,
    State(shared): State<Shared>,
    Path((room, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let session = shared.sessions.find(door, &room.parse()?, &name)?;
    let fragment = Fragment::parse(&read(&headers, body, FRAGMENT)?)?;
    if !names(&headers, &session.etag())? {
        return Err(Refusal::StaleEtag);
    }
    Ok(match session.patch(fragment).await? {
        Patched::Candidates => StatusCode::NO_CONTENT.into_response(),
        Patched::Restarted(fragment) => {
            let fields = [(CONTENT_TYPE, FRAGMENT.to_owned()), (ETAG, session.etag())];
            (StatusCode::OK, fields, fragment).into_response()
        }
    })
}

async fn end(
    door: Door,
    State(shared): State<Shared>,
    Path((room, name)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    shared.sessions.find(door, &room.parse()?, &name)?;
    shared.sessions.close(&name);
    Ok(StatusCode::OK)
}

async fn endpoint_options() -> impl IntoResponse {
    options("POST, OPTIONS", "accept-post", SDP)
}

async fn session_options() -> impl IntoResponse {
    options("PATCH, DELETE, OPTIONS", "accept-patch", FRAGMENT)
}

fn options(methods: &'static str, accept: &'static str, takes: &'static str) -> impl IntoResponse + use<> {
    [
        (HeaderName::from_static(accept), takes),
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match"),
        (ACCESS_CONTROL_MAX_AGE, "86400"),
    ]
}

/// The offer in a body of the right kind.
fn offer(headers: &HeaderMap, body: Body) -> Result<Offer, Refusal> {
    Ok(Offer::parse(&read(headers, body, SDP)?)?)
}

fn read(headers: &HeaderMap, body: Body, content_type: &'static str) -> Result<Bytes, Refusal> {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let given = given.split_once(';').map_or(given, |(given, _)| given).trim();
    if !given.eq_ignore_ascii_case(content_type) {
        return Err(Refusal::ContentType(content_type));
    }
    body.map_err(|rejection| Refusal::Body(rejection.status(), rejection.body_text()))
}

/// Whether the request's precondition names this ICE session: by its tag, or any.
fn names(headers: &HeaderMap, etag: &str) -> Result<bool, Refusal> {
    let given = headers.get(IF_MATCH).ok_or(Refusal::NoPrecondition)?;
    let mut tags = given.to_str().unwrap_or_default().split(',').map(str::trim);
    // RFC 9725's own example quotes the star.
    Ok(tags.any(|tag| tag == "*" || tag == "\"*\"" || tag == etag))
}

fn created(shared: &Shared, path: &str, made: Made) -> Result<Response, Refusal> {
    let (name, etag, answer) = shared.sessions.open(made, shared.hall.limits.connecting)?;
    let location = format!("{}/{name}", path.trim_end_matches('/'));
    let fields = [(LOCATION, location), (ETAG, etag), (CONTENT_TYPE, SDP.to_owned())];
    Ok((StatusCode::CREATED, fields, answer).into_response())
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        if let Some(seconds) = self.retry_s() {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Any page may ask: rooms are open to everybody, and no cookie means anything here.
async fn with_cors(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READABLE));
    response
}

const SDP: &str = "application/sdp";
/// RFC 8840 9.
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const READABLE: &str = "accept-patch, accept-post, etag, location, retry-after";
