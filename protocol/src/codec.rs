//! A frame's bytes to a message and back: bincode 1 with fixed integers, little endian.
//!
//! The one file that names the serialiser, so that it can be replaced. It reads from a slice only (a reader would
//! trust lengths), under a byte limit, and refuses trailing bytes.

use bincode::Options;
use serde::{Deserialize, Serialize};

use crate::frame::FRAME_BYTES_MAX;
use crate::ids::RequestId;

/// The bytes are no message of this version. The sentence is the serialiser's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of protocol version {version}: {0}", version = crate::PROTOCOL_VERSION)]
pub struct DecodeError(pub String);

/// The message is too long for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit a frame of {FRAME_BYTES_MAX} bytes")]
pub struct EncodeError;

/// Reads one message from all of `bytes`, the content of one frame.
pub fn decode<'a, M: Deserialize<'a>>(bytes: &'a [u8]) -> Result<M, DecodeError> {
    options().deserialize(bytes).map_err(|error| DecodeError(error.to_string()))
}

/// Appends `message` to `out` as a whole frame, length first. On an error `out` is as it was.
pub fn encode_frame<M: Serialize>(message: &M, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let written = options().serialize_into(&mut *out, message);
    let length = u32::try_from(out.len() - start - 4).map_err(|_| EncodeError);
    match (written, length, out.get_mut(start..start + 4)) {
        (Ok(()), Ok(length), Some(prefix)) => {
            prefix.copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(EncodeError)
        }
    }
}

/// The request number in a frame whose rest could not be decoded, so that even nonsense gets its answer.
pub fn request_id(bytes: &[u8]) -> RequestId {
    #[derive(Deserialize)]
    enum Head {
        Request { id: RequestId },
    }
    let head = bytes.get(..HEAD_BYTES).and_then(|head| options().deserialize(head).ok());
    head.map_or(RequestId::NONE, |Head::Request { id }| id)
}

/// The protocol version of a worker's greeting, also of one whose other fields this version does not know; `None` when
/// `bytes` begin no greeting. The first message's tag and version therefore keep their place in every version.
pub fn greeting_version(bytes: &[u8]) -> Option<u32> {
    #[derive(Deserialize)]
    enum Head {
        Hello { protocol_version: u32 },
    }
    let head = bytes.get(..GREETING_HEAD_BYTES)?;
    options().deserialize(head).ok().map(|Head::Hello { protocol_version }| protocol_version)
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().with_limit(FRAME_BYTES_MAX as u64)
}

/// A `u32` tag and a `u64` number, as a request begins.
const HEAD_BYTES: usize = 12;
/// A `u32` tag and a `u32` version, as a greeting begins.
const GREETING_HEAD_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ToWorker;
    use crate::request::Command;

    #[test]
    fn nonsense_after_a_request_number_still_names_the_request() {
        let mut frame = Vec::new();
        let request = ToWorker::Request { id: RequestId(77), command: Command::GetMetrics };
        encode_frame(&request, &mut frame).unwrap();
        let mut content = frame[4..].to_vec();
        content.truncate(HEAD_BYTES);
        content.extend([0xff; 40]);
        assert!(decode::<ToWorker>(&content).is_err());
        assert_eq!(request_id(&content), RequestId(77));
        assert_eq!(request_id(&[0xff; 40]), RequestId::NONE);
        assert_eq!(request_id(&[]), RequestId::NONE);
    }

    #[test]
    fn greeting_of_another_version_tells_its_version() {
        let mut content = 0u32.to_le_bytes().to_vec();
        content.extend(99u32.to_le_bytes());
        content.extend([0xff; 9]);
        assert_eq!(greeting_version(&content), Some(99));
        assert_eq!(greeting_version(&[1, 0, 0, 0, 1, 0, 0, 0]), None);
        assert_eq!(greeting_version(&[0; 7]), None);
    }

    #[test]
    fn a_frame_is_appended_with_its_length_first() {
        let mut out = vec![9];
        encode_frame(&0x0708_u16, &mut out).unwrap();
        assert_eq!(out, [9, 2, 0, 0, 0, 8, 7]);
    }

    #[test]
    fn a_message_too_long_for_a_frame_leaves_what_was_there() {
        let mut out = vec![9];
        assert_eq!(
            encode_frame(&vec![0_u8; FRAME_BYTES_MAX], &mut out),
            Err(EncodeError),
            "8 more for its length"
        );
        assert_eq!(out, [9]);
        assert_eq!(encode_frame(&vec![0_u8; FRAME_BYTES_MAX - 8], &mut out), Ok(()));
    }

    #[test]
    fn trailing_bytes_are_refused() {
        let mut frame = Vec::new();
        encode_frame(&ToWorker::Request { id: RequestId(1), command: Command::GetMetrics }, &mut frame)
            .unwrap();
        frame.push(0);
        assert!(decode::<ToWorker>(&frame[4..]).is_err());
    }
}
