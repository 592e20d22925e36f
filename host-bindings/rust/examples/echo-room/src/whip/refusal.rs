//! Why a request is refused, and by which status code.

use axum::http::StatusCode;
use tidegate::RequestError;

use crate::hall::EnterError;
use crate::limits::BadName;
use crate::sdp::OfferError;

/// Why a request is refused. Each sentence is for whoever asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{0}")]
    Name(#[from] BadName),
    #[error("send {0} as Content-Type")]
    ContentType(&'static str),
    #[error("the body cannot be read: {1}")]
    Body(StatusCode, String),
    #[error("{0}")]
    Offer(#[from] OfferError),
    /// It makes sense, but not to this room.
    #[error("{0}")]
    Unacceptable(String),
    #[error("nothing is sent in this room that could be played; come back later")]
    NothingToPlay,
    #[error("there are {0} sessions already, which is the most; come back later")]
    TooMany(usize),
    #[error("{0}")]
    Full(String),
    #[error("{reason}; come back later")]
    Down { reason: String, retry_s: u64 },
    #[error("there is no such session; it may have ended")]
    Unknown,
    #[error("name the ICE session by If-Match: its ETag, or * to restart it")]
    NoPrecondition,
    #[error("this ICE session is over; the one that goes on has another ETag")]
    StaleEtag,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Name(_) | Self::Offer(OfferError::Malformed(_)) => StatusCode::BAD_REQUEST,
            Self::ContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(status, _) => *status,
            Self::Offer(OfferError::Unacceptable(_)) | Self::Unacceptable(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            // What draft-ietf-wish-whep says where a live publisher is needed.
            Self::NothingToPlay => StatusCode::CONFLICT,
            Self::TooMany(_) | Self::Full(_) | Self::Down { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::NOT_FOUND,
            // RFC 6585 3, RFC 9110 13.1.1.
            Self::NoPrecondition => StatusCode::PRECONDITION_REQUIRED,
            Self::StaleEtag => StatusCode::PRECONDITION_FAILED,
        }
    }

    /// Seconds to wait before asking again, where that helps.
    pub(crate) fn retry_s(&self) -> Option<u64> {
        match self {
            Self::NothingToPlay => Some(PLAY_AGAIN_S),
            Self::TooMany(_) | Self::Full(_) => Some(COME_BACK_S),
            Self::Down { retry_s, .. } => Some(*retry_s),
            _ => None,
        }
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Negotiation(_) | RequestError::Refused(_) | RequestError::InvalidOption(_) => {
                Self::Unacceptable(error.to_string())
            }
            // Another worker follows.
            _ => Self::Down { reason: error.to_string(), retry_s: 1 },
        }
    }
}

impl From<EnterError> for Refusal {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::Request(error) => error.into(),
            full => Self::Full(full.to_string()),
        }
    }
}

const PLAY_AGAIN_S: u64 = 2;
const COME_BACK_S: u64 = 5;
