//! Bytes that nobody meant: every outcome is an error or a message that says no more than its bytes.

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidegate_protocol::bounded::List;
    use tidegate_protocol::codec;
    use tidegate_protocol::dump::{NamedProducer, ProducerConsumers, SsrcConsumer, StreamDump};
    use tidegate_protocol::frame::FRAME_BYTES_MAX;
    use tidegate_protocol::message::{FromWorker, ToWorker};
    use tidegate_protocol::metrics::{Histogram, Metric};
    use tidegate_protocol::rtp::{EncodingMapping, RtpCodecParameters, RtpEncodingParameters};
    use tidegate_protocol::stats::RtpStreamStats;

    use crate::samples::{self, Sample};
    use crate::{content, frame};

    /// Decodes as both directions. What decodes must encode into the very same bytes: so it holds nothing that is
    /// not in them, whatever their lengths claim.
    fn assert_harmless(bytes: &[u8]) {
        if let Ok(message) = codec::decode::<ToWorker>(bytes) {
            assert_eq!(content(&frame(&message)), bytes);
        }
        if let Ok(message) = codec::decode::<FromWorker>(bytes) {
            assert_eq!(content(&frame(&message)), bytes);
        }
        codec::request_id(bytes);
        codec::greeting_version(bytes);
    }

    fn golden_contents() -> Vec<Vec<u8>> {
        let frames = samples::all().into_iter().map(|sample| match sample {
            Sample::ToWorker(_, message) => frame(&message),
            Sample::FromWorker(_, message) => frame(&message),
        });
        frames.map(|frame| content(&frame)).collect()
    }

    #[test]
    fn every_truncation_of_every_message_is_an_error() {
        for sample in samples::all() {
            let (name, whole) = match &sample {
                Sample::ToWorker(name, message) => (name, frame(message)),
                Sample::FromWorker(name, message) => (name, frame(message)),
            };
            let whole = content(&whole);
            for length in 0..whole.len() {
                let torn = &whole[..length];
                let refused = match &sample {
                    Sample::ToWorker(..) => codec::decode::<ToWorker>(torn).is_err(),
                    Sample::FromWorker(..) => codec::decode::<FromWorker>(torn).is_err(),
                };
                assert!(refused, "{name} cut to {length} bytes was taken for a message");
            }
        }
    }

    #[test]
    fn a_megabyte_of_zeros_after_any_beginning_is_harmless() {
        let mut bytes = vec![0; 1 << 20];
        assert!(codec::decode::<ToWorker>(&bytes).is_err());
        assert!(codec::decode::<FromWorker>(&bytes).is_err());
        for whole in golden_contents() {
            for length in (0..whole.len()).step_by(4) {
                bytes[..length].copy_from_slice(&whole[..length]);
                assert_harmless(&bytes);
                bytes[..length].fill(0);
            }
        }
    }

    #[test]
    fn hostile_lengths_at_any_place_are_harmless() {
        let mut bytes = vec![0; 1 << 20];
        for whole in golden_contents() {
            for place in 0..whole.len() {
                for length in [17, 65, 65_537, 1 << 20, 1 << 36, u64::MAX] {
                    bytes[..place].copy_from_slice(&whole[..place]);
                    bytes[place..place + 8].copy_from_slice(&u64::to_le_bytes(length));
                    assert!(codec::decode::<ToWorker>(&bytes).is_err(), "trailing zeros must be refused");
                    assert!(codec::decode::<FromWorker>(&bytes).is_err(), "trailing zeros must be refused");
                }
            }
            bytes[..whole.len() + 8].fill(0);
        }
    }

    /// What a list of the wire's can come to in memory, beyond what its elements own, which is in the bytes.
    fn bytes_at_most<T, const MAX: usize>(_: &List<T, MAX>) -> usize {
        // A vector that grows by doubling has at most twice the room it needs.
        2 * MAX * size_of::<T>()
    }

    #[test]
    fn no_list_can_take_more_memory_than_twice_a_frame() {
        let lists = [
            bytes_at_most(&List::<ProducerConsumers, 65_536>::new()),
            bytes_at_most(&List::<NamedProducer, 65_536>::new()),
            bytes_at_most(&List::<SsrcConsumer, 65_536>::new()),
            bytes_at_most(&List::<u64, 65_536>::new()),
            bytes_at_most(&List::<RtpCodecParameters, 64>::new()),
            bytes_at_most(&List::<RtpEncodingParameters, 16>::new()),
            bytes_at_most(&List::<EncodingMapping, 16>::new()),
            bytes_at_most(&List::<RtpStreamStats, 32>::new()),
            bytes_at_most(&List::<StreamDump, 32>::new()),
            bytes_at_most(&List::<Metric, 512>::new()),
            bytes_at_most(&List::<Histogram, 64>::new()),
        ];
        for bytes in lists {
            assert!(bytes <= 2 * FRAME_BYTES_MAX, "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn random_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            assert_harmless(&bytes);
        }

        #[test]
        fn random_bytes_with_a_plausible_beginning_are_harmless(
            tags in (0..4u32, 0..4u32, 0..40u32),
            bytes in prop::collection::vec(prop_oneof![4 => Just(0u8), 2 => Just(1u8), 1 => any::<u8>()], 0..2048),
        ) {
            // As a request and as a response: tag, number, tag.
            let mut request = tags.0.to_le_bytes().to_vec();
            request.extend(7u64.to_le_bytes());
            request.extend(tags.2.to_le_bytes());
            request.extend(&bytes);
            assert_harmless(&request);
            let mut response = tags.0.to_le_bytes().to_vec();
            response.extend(7u64.to_le_bytes());
            response.extend(tags.1.to_le_bytes());
            response.extend(tags.2.to_le_bytes());
            response.extend(&bytes);
            assert_harmless(&response);
        }

        #[test]
        fn messages_with_changed_bytes_are_harmless(
            which in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            let mut whole = which.get(&golden_contents()).clone();
            for (place, byte) in changes {
                *place.get_mut(&mut whole) = byte;
            }
            assert_harmless(&whole);
        }
    }
}
