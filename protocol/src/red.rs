//! RED's only format parameter: the payload types of the blocks in its packets (RFC 2198 5).
//!
//! Knows the forms in which SDP libraries hand it on. Does not know codecs. Called by [`ortc`](crate::ortc) and by the
//! worker. Invariant: a list that was read has 1 to [`BLOCKS_MAX`] payload types of 0 to 127.

use std::borrow::Cow;

/// Most blocks of a packet, and so most payload types of a list. RFC 2198 sets no limit; receivers in the field take
/// this many, and senders make two or three.
pub const BLOCKS_MAX: usize = 32;

/// The name of RED's parameter, of which SDP knows the value only (`a=fmtp:63 111/111`).
pub const PARAMETER: &str = "";

/// A list of payload types that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{PARAMETER}\" must be 1 to {BLOCKS_MAX} payload types with slashes between them, for example \"111/111\""
)]
pub struct NotAList;

/// The payload types that a RED codec's `parameters` (names and values) list, the newest block's first. `None` where
/// they list none.
///
/// The list is the value of the parameter without a name, or itself the name of one without a value: libraries that
/// expect `name=value` read `111/111` so.
///
/// # Errors
/// [`NotAList`] where it is malformed, too long, or names a payload type above 127.
pub fn payload_types<'a>(
    parameters: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>,
) -> Result<Option<Vec<u8>>, NotAList> {
    let is_list =
        |name: &str| name.contains('/') && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'/'));
    for (name, value) in parameters {
        if name == PARAMETER {
            return read(&value).map(Some);
        }
        if is_list(name) {
            return read(name).map(Some);
        }
    }
    Ok(None)
}

/// The list as a parameter's value.
pub fn list(payload_types: &[u8]) -> String {
    payload_types.iter().map(u8::to_string).collect::<Vec<_>>().join("/")
}

fn read(text: &str) -> Result<Vec<u8>, NotAList> {
    let one = |text: &str| text.parse::<u8>().ok().filter(|&number| number <= 127).ok_or(NotAList);
    // One more than fits is enough to know.
    let read: Vec<u8> = text.split('/').take(BLOCKS_MAX + 1).map(one).collect::<Result<_, _>>()?;
    if read.len() > BLOCKS_MAX { Err(NotAList) } else { Ok(read) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Result<Option<Vec<u8>>, NotAList> {
        payload_types([("useless", Cow::Borrowed("1/2")), (name, Cow::Borrowed(value))])
    }

    #[test]
    fn list_is_read_in_both_forms_and_written_in_one() {
        assert_eq!(of("", "111/111"), Ok(Some(vec![111, 111])));
        assert_eq!(of("111/0/127", ""), Ok(Some(vec![111, 0, 127])));
        assert_eq!(of("", "5"), Ok(Some(vec![5])));
        assert_eq!(of("apt", "111"), Ok(None));
        assert_eq!(list(&[111, 0, 127]), "111/0/127");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let long = ["1"; BLOCKS_MAX + 1].join("/");
        for value in ["", "/", "111/", "128/1", "-1/1", "a/b", "111 /111", &long] {
            assert_eq!(of("", value), Err(NotAList), "{value}");
        }
        assert_eq!(of("111//111", ""), Err(NotAList));
        assert_eq!(of("", &long[2..]), Ok(Some(vec![1; BLOCKS_MAX])));
    }
}
