//! Requests about WebRTC transports and their servers.

use tidegate_protocol::error::{CommandError, ErrorKind};
use tidegate_protocol::webrtc::WebRtcCommand;

use crate::control::Answer;

/// None can be carried out yet.
pub(super) fn dispatch(_command: &WebRtcCommand) -> Answer {
    Err(CommandError::new(ErrorKind::Unsupported, "WebRTC is not there yet; use plain transports"))
}
