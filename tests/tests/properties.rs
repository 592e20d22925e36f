//! What must hold for any bytes holds for the corpora and for a bounded number of drawn and mutated inputs.
//!
//! `cargo parser-fuzz` tries more, the targets of `tests/fuzz` search by coverage; what they find is added to the
//! corpora and so stays tried here.
//! Invariant: the inputs are the same in every run.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_protocol::codec::decode;
use tidegate_protocol::message::{FromWorker, ToWorker};
use tidegate_tests::properties::inputs::{Inputs, corpus, corpus_path};
use tidegate_tests::properties::{ALL, Property, dtls};
use tidegate_worker::ice::stun::{Message, username_of};
use tidegate_worker::rtcp::{Packet, XrBlock, packets};
use tidegate_worker::rtp::dependency_descriptor::{Descriptor, Structure};
use tidegate_worker::rtp::payload::{av1, h264, h265, opus, red, vp8, vp9};
use tidegate_worker::rtp::{ExtensionId, Header};

#[test]
fn every_checked_in_input_holds() {
    for property in ALL {
        let corpus = corpus(property.name).unwrap_or_else(|error| panic!("{}: {error}", property.name));
        assert!(corpus.len() >= CORPUS_FILES_MIN, "{} has {} inputs only", property.name, corpus.len());
        for (file, bytes) in corpus {
            check(property, &bytes, || format!("{}/{file}", property.name));
        }
    }
}

#[test]
fn every_corpus_belongs_to_a_property() {
    let all = corpus_path(".");
    for entry in std::fs::read_dir(&all).expect("the corpora are there") {
        let name = entry.expect("it can be read").file_name().into_string().expect("a plain name");
        assert!(ALL.iter().any(|property| property.name == name), "{name} is no property's");
    }
}

#[test]
fn every_property_has_a_coverage_guided_target() {
    let manifest = std::fs::read_to_string(corpus_path("../Cargo.toml")).expect("the crate of targets");
    let targets: Vec<_> =
        manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
    let wanted: Vec<_> = ALL.iter().map(|property| format!("{}.rs\"", property.name)).collect();
    assert_eq!(targets, wanted);
    for property in ALL {
        let path = corpus_path("../fuzz_targets").join(property.name).with_extension("rs");
        let target = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(
            target.contains(&format!("properties::{}(data)", property.name)),
            "{path:?} calls another one"
        );
    }
}

#[test]
fn drawn_and_mutated_inputs_for_rtp_hold() {
    hold("rtp_", 4_000);
    hold("rtx", 4_000);
    hold("audio_level", 10_000);
}

#[test]
fn drawn_and_mutated_inputs_for_payloads_hold() {
    hold("vp8", 20_000);
    hold("opus", 20_000);
    hold("red", 20_000);
    for codec in ["vp9", "h264", "h265", "av1"] {
        hold(codec, 10_000);
    }
    hold("dependency_descriptor", 10_000);
}

#[test]
fn drawn_and_mutated_inputs_for_rtcp_hold() {
    hold("rtcp_", 4_000);
}

#[test]
fn drawn_and_mutated_inputs_for_numbers_hold() {
    hold("serials", 4_000);
    hold("arrivals", 4_000);
}

#[test]
fn drawn_and_mutated_stun_and_streams_of_frames_hold() {
    hold("stun", 20_000);
    hold("ice", 4_000);
    hold("framing", 10_000);
}

#[test]
fn srtp_opens_only_what_was_protected() {
    hold("srtp", 2_000);
}

#[test]
fn drawn_and_mutated_inputs_for_the_pipe_hold() {
    hold("frames", 1_000);
    hold("requests", 4_000);
    hold("messages", 4_000);
}

#[test]
fn drawn_and_mutated_scripts_for_dtls_hold() {
    // The property is about something: what nobody disturbs connects.
    for (file, script) in corpus("dtls").expect("the corpus is there") {
        let connects = dtls::both_connect(&script);
        assert!(connects || !file.ends_with("-clean"), "{file} does not connect");
    }
    hold("dtls", 60);
}

#[test]
fn drawn_and_mutated_scripts_for_the_whole_worker_hold() {
    hold("worker", 150);
}

#[test]
fn every_property_is_among_those_tried_above() {
    let tried = [
        "rtp_",
        "rtx",
        "audio_level",
        "vp8",
        "opus",
        "red",
        "vp9",
        "h264",
        "h265",
        "av1",
        "dependency_descriptor",
        "rtcp_",
        "serials",
        "dtls",
        "arrivals",
        "stun",
        "ice",
        "framing",
        "srtp",
        "frames",
        "requests",
        "messages",
        "worker",
    ];
    for property in ALL {
        assert!(tried.iter().any(|prefix| property.name.starts_with(prefix)), "{}", property.name);
    }
}

#[test]
fn readers_of_datagrams_allocate_nothing_and_their_work_is_bounded_by_the_bytes() {
    for property in ALL.iter().filter(|property| property.name != "worker") {
        let inputs = Inputs::new(property, SEED).unwrap_or_else(|error| panic!("{}: {error}", property.name));
        for bytes in (0..1_000).map(|number| inputs.get(number)) {
            let mut items = 0;
            let counted = allocation_counter::measure(|| items = walked(&bytes));
            assert_eq!(counted.count_total, 0, "{}: {bytes:02x?}", property.name);
            // A NACK names up to 17 numbers with 4 bytes; everything else is sparser.
            assert!(items <= 5 * bytes.len() + 1, "{items} items: {bytes:02x?}");
        }
    }
}

#[test]
fn reading_a_message_takes_memory_in_proportion_to_its_bytes() {
    for name in ["requests", "messages"] {
        let property = ALL.iter().find(|property| property.name == name).expect("it is there");
        let inputs = Inputs::new(property, SEED).unwrap_or_else(|error| panic!("{name}: {error}"));
        for bytes in (0..2_000).map(|number| inputs.get(number)) {
            let counted = allocation_counter::measure(|| {
                // What comes of it is the property's own matter.
                let _ = decode::<ToWorker>(&bytes).map(drop);
                let _ = decode::<FromWorker>(&bytes).map(drop);
            });
            let most = 16 * bytes.len() as u64 + 4_096;
            assert!(counted.bytes_max <= most, "{} bytes: {bytes:02x?}", counted.bytes_max);
        }
    }
}

/// Reads all that the worker's readers find in a datagram, and counts it.
fn walked(bytes: &[u8]) -> usize {
    let mut items = walked_payload(bytes);
    if let Ok(header) = Header::parse(bytes) {
        let ids = (1..=255).filter_map(ExtensionId::new);
        let found = ids.filter(|id| header.extensions.get(*id, bytes).is_some()).count();
        items += header.extensions.iter(bytes).count().max(found) + header.payload(bytes).len().min(1);
    }
    items + packets(bytes).map(|packet| packet.map_or(1, |packet| walked_packet(&packet))).sum::<usize>()
}

fn walked_payload(payload: &[u8]) -> usize {
    let stun = Message::parse(payload).map_or(0, |message| 1 + message.unknown_attributes().types().len());
    let mut items = stun + usize::from(username_of(payload).is_some());
    items += usize::from(opus::is_dtx(payload)) + usize::from(vp8::Descriptor::parse(payload).is_some());
    items += red::Descriptor::parse(payload).map_or(0, |found| found.blocks(payload).count());
    items += usize::from(h264::Descriptor::parse(payload).is_some_and(|descriptor| descriptor.key_frame));
    items += usize::from(h265::Descriptor::parse(payload).is_some_and(|descriptor| descriptor.key_frame));
    items += usize::from(av1::Descriptor::parse(payload).is_some_and(|descriptor| descriptor.key_frame));
    if let Some(structure) = vp9::Descriptor::parse(payload).and_then(|descriptor| descriptor.structure) {
        items += structure.sizes(payload).count() + structure.group(payload).count();
    }
    if let Some(structure) = Structure::attached(payload) {
        items += structure.layers().count() + structure.sizes().count();
        let frame = Descriptor::parse(payload, None).and_then(|descriptor| descriptor.frame);
        items += frame.map_or(0, |frame| frame.references(payload, &structure).count());
    }
    items
}

fn walked_packet(packet: &Packet<'_>) -> usize {
    match packet {
        Packet::SenderReport(report) => report.blocks().count(),
        Packet::ReceiverReport(report) => report.blocks().count(),
        Packet::Sdes(sdes) => {
            sdes.cnames().count() + sdes.chunks().map(|chunk| chunk.items().count()).sum::<usize>()
        }
        Packet::Bye(bye) => bye.ssrcs().count(),
        Packet::Nack(nack) => nack.sequences().count(),
        Packet::Fir(fir) => fir.entries().count(),
        Packet::WideFeedback(feedback) => feedback.received().count(),
        Packet::Remb(remb) => remb.ssrcs().count(),
        Packet::Xr(xr) => xr
            .blocks()
            .map(|block| match block {
                XrBlock::Dlrr(dlrr) => dlrr.reports().count(),
                XrBlock::Rrtr(_) | XrBlock::Unknown(_) => 1,
            })
            .sum(),
        Packet::Pli(_) | Packet::Unknown(_) => 1,
    }
}

/// The properties whose names begin so hold for so many inputs each.
fn hold(prefix: &str, count: u64) {
    let chosen: Vec<_> = ALL.iter().filter(|property| property.name.starts_with(prefix)).collect();
    assert!(!chosen.is_empty(), "{prefix}");
    for property in chosen {
        let inputs = Inputs::new(property, SEED).unwrap_or_else(|error| panic!("{}: {error}", property.name));
        for number in 0..count {
            check(property, &inputs.get(number), || {
                format!("{} input {number} of seed {SEED}", property.name)
            });
        }
    }
}

/// Says which input it was when the property does not hold: the panic itself says the rest.
fn check(property: &Property, bytes: &[u8], which: impl Fn() -> String) {
    let outcome = std::panic::catch_unwind(|| (property.check)(bytes));
    assert!(outcome.is_ok(), "{}: {bytes:02x?}", which());
}

const SEED: u64 = 1;
const CORPUS_FILES_MIN: usize = 8;
