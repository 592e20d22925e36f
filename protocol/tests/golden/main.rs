//! The bytes of every message, held by `vectors/golden.txt`; and what hostile bytes may come to.

mod hostile;
mod samples;

use std::collections::BTreeSet;

use samples::Sample;
use serde::Serialize;
use tidegate_protocol::codec;
use tidegate_protocol::frame::FrameReader;
use tidegate_protocol::message::{FromWorker, ToWorker};

/// A message as a whole frame.
pub(crate) fn frame(message: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::encode_frame(message, &mut bytes).expect("a sample fits a frame");
    bytes
}

/// The content of the one frame in `bytes`.
fn content(bytes: &[u8]) -> Vec<u8> {
    let mut reader = FrameReader::default();
    reader.push(bytes);
    let content = reader.next_frame().unwrap().unwrap().to_vec();
    assert_eq!(reader.next_frame(), Ok(None));
    content
}

const FILE: &str = include_str!("../../vectors/golden.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_holds_exactly_the_messages_of_this_version() {
        assert!(
            FILE == samples::file(),
            "vectors/golden.txt is stale: if the wire was meant to change, raise PROTOCOL_VERSION and run \
             `cargo run -p tidegate-protocol --example golden`"
        );
    }

    #[test]
    fn every_vector_decodes_into_its_message_and_encodes_back() {
        let lines: Vec<&str> = FILE.lines().filter(|line| !line.starts_with('#')).collect();
        let samples = samples::all();
        assert_eq!(lines.len(), samples.len());
        for (line, sample) in lines.into_iter().zip(samples) {
            let (name, hex) = line.split_once(' ').unwrap();
            let digits: Vec<u8> =
                hex.chars().map(|digit| u8::try_from(digit.to_digit(16).unwrap()).unwrap()).collect();
            let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
            let decoded = match &sample {
                Sample::ToWorker(..) => {
                    Sample::ToWorker(name.to_owned(), codec::decode(&content(&bytes)).unwrap())
                }
                Sample::FromWorker(..) => {
                    Sample::FromWorker(name.to_owned(), codec::decode(&content(&bytes)).unwrap())
                }
            };
            assert_eq!(decoded, sample);
            let encoded = match &sample {
                Sample::ToWorker(_, message) => frame(message),
                Sample::FromWorker(_, message) => frame(message),
            };
            assert_eq!(encoded, bytes, "{name}");
        }
    }

    /// The variants' tags in `samples` are all that the decoder knows: none is missing.
    fn assert_every_variant<T: Serialize + for<'a> serde::Deserialize<'a>>(samples: &[T]) {
        let tag = |sample: &T| u32::from_le_bytes(frame(sample)[4..8].try_into().unwrap());
        let tags: BTreeSet<u32> = samples.iter().map(tag).collect();
        let variants = u32::try_from(tags.len()).unwrap();
        assert_eq!(tags.last(), Some(&(variants - 1)), "a variant before the last has no sample");
        let mut unknown = variants.to_le_bytes().to_vec();
        unknown.extend([0; 4096]);
        let error = codec::decode::<T>(&unknown).err().unwrap().to_string();
        assert!(error.contains("invalid value"), "variant {variants} has no sample: {error}");
    }

    #[test]
    fn every_variant_of_every_kind_has_a_vector() {
        assert_every_variant(&samples::commands());
        assert_every_variant(&samples::replies());
        assert_every_variant(&samples::events());
        let (mut to_worker, mut from_worker) = (Vec::<ToWorker>::new(), Vec::<FromWorker>::new());
        for sample in samples::all() {
            match sample {
                Sample::ToWorker(_, message) => to_worker.push(message),
                Sample::FromWorker(_, message) => from_worker.push(message),
            }
        }
        assert_every_variant(&to_worker);
        assert_every_variant(&from_worker);
    }

    #[test]
    fn frames_of_two_directions_are_not_mixed_up_silently() {
        // A host that listens on the wrong end must get an error, not another message: the greeting sees to it.
        let hello = samples::all().into_iter().find_map(|sample| match sample {
            Sample::FromWorker(name, message) if name == "hello" => Some(frame(&message)),
            _ => None,
        });
        assert!(codec::decode::<ToWorker>(&content(&hello.unwrap())).is_err());
    }
}
