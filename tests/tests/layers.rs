//! Layers of received streams in statistics.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use tidegate_tests::world::World;
use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::Call;

const DEPENDENCY_DESCRIPTOR: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";
const DESCRIPTOR_ID: u8 = 13;

fn camera(mime_type: &'static str) -> Stream {
    Stream { mime_type, ..Stream::vp8(0x1111) }
}

/// Each layer with its share of the bytes, in percent.
fn shares(world: &mut World, call: &Call) -> Vec<(u8, u8, u64)> {
    let stats = world.producer_stats(call.producer);
    let sum: u64 = stats.bitrate_by_layer.iter().map(|layer| layer.bitrate).sum();
    assert!(
        stats.bitrate_by_layer.is_empty() || sum.abs_diff(stats.bitrate) <= stats.bitrate / 20,
        "{stats:?}"
    );
    let share = |bitrate: u64| (bitrate * 100 + sum / 2) / sum;
    stats.bitrate_by_layer.iter().map(|layer| (layer.spatial, layer.temporal, share(layer.bitrate))).collect()
}

#[test]
fn bitrate_of_each_layer_is_told_by_itself_and_that_of_a_stream_without_layers_is_not() {
    // VP9 with two spatial layers, of 300 and 900 bytes; VP8 with two temporal ones, every second frame twice as large.
    let vp9 = |frame: usize, spatial: u8| {
        let head = [
            0xAC | if spatial == 0 { 0x0A } else { 0x08 },
            0x80 | 0x12,
            u8::try_from(frame & 0xFF).unwrap(),
            spatial << 1,
            1,
        ];
        ([&head[..], &vec![7; if spatial == 0 { 295 } else { 895 }]].concat(), frame)
    };
    let mut world = World::new();
    let mut call = Call::of(&mut world, &camera("video/VP9"));
    for frame in 0..100 {
        for spatial in [0, 1] {
            let packet = call.sender.packet(vp9(frame, spatial).0);
            call.sender.sends(&mut world, &[packet]);
        }
        call.sender.timestamp += 3_000;
        world.run_for(33);
    }
    let told = shares(&mut world, &call);
    assert_eq!(
        told.iter().map(|(spatial, temporal, _)| (*spatial, *temporal)).collect::<Vec<_>>(),
        [(0, 0), (1, 0)]
    );
    assert!((24..=27).contains(&told[0].2), "{told:?}");

    let mut world = World::new();
    let mut call = Call::of(&mut world, &camera("video/VP8"));
    for frame in 0..100_u8 {
        let temporal = frame % 2;
        let head = [0x90, 0x20, temporal << 6, 1];
        let packet = call.sender.packet([&head[..], &vec![7; 400 * (1 + usize::from(temporal))]].concat());
        call.sender.sends(&mut world, &[packet]);
        call.sender.timestamp += 3_000;
        world.run_for(33);
    }
    let told = shares(&mut world, &call);
    assert_eq!((told[0].0, told[0].1, told[1].0, told[1].1), (0, 0, 0, 1));
    assert!((32..=36).contains(&told[0].2), "{told:?}");
    // A sender that begins anew may have other layers.
    call.sender.sequence = call.sender.sequence.wrapping_add(30_000);
    call.sender.sends_key_frame(&mut world);
    assert_eq!(shares(&mut world, &call), []);
}

#[test]
fn layers_that_only_a_dependency_descriptor_tells_have_bitrates_too() {
    // A structure with two temporal layers (two templates, one decode target each), as for any codec.
    let structure = structure_of_two_temporal_layers();
    let mut world = World::new();
    let source = camera("video/H264").with_extensions(&[(DEPENDENCY_DESCRIPTOR, DESCRIPTOR_ID)]);
    let mut call = Call::of(&mut world, &source);
    for frame in 0..100_u16 {
        let template = u8::from(frame % 2 == 1);
        let number = frame.to_be_bytes();
        let mut value = vec![0xC0 | template, number[0], number[1]];
        if frame == 0 {
            value = structure.clone();
        }
        let mut payload = vec![0x61, 0xE0];
        payload.resize(200 * (1 + usize::from(template)), 0);
        let mut packet = call.sender.packet(payload);
        packet.extensions = vec![(DESCRIPTOR_ID, value)];
        call.sender.sends(&mut world, &[packet]);
        call.sender.timestamp += 3_000;
        world.run_for(33);
    }
    let told = shares(&mut world, &call);
    assert_eq!(
        told.iter().map(|(spatial, temporal, _)| (*spatial, *temporal)).collect::<Vec<_>>(),
        [(0, 0), (0, 1)]
    );
    assert!((30..=38).contains(&told[0].2), "{told:?}");
}

/// Bits, most significant first.
fn bits(fields: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut used = 0;
    for (value, width) in fields {
        for bit in (0..*width).rev() {
            if used % 8 == 0 {
                bytes.push(0);
            }
            *bytes.last_mut().unwrap() |= u8::try_from(value >> bit & 1).unwrap() << (7 - used % 8);
            used += 1;
        }
    }
    bytes
}

/// The value of a first packet that brings a structure of two templates, the second one a temporal layer higher.
fn structure_of_two_temporal_layers() -> Vec<u8> {
    bits(&[
        // start_of_frame, end_of_frame, template 0, frame number 0; a structure and nothing else of its own
        (1, 1),
        (1, 1),
        (0, 6),
        (0, 16),
        (1, 1),
        (0, 4),
        // template_id_offset; decode targets minus one
        (0, 6),
        (1, 5),
        // next_layer_idc: the next template is one temporal layer up; then there is no more
        (1, 2),
        (3, 2),
        // decode target indications: T0 is needed by both, T1 by the second alone
        (2, 2),
        (2, 2),
        (0, 2),
        (1, 2),
        // frame differences: none; one of one frame, and no more
        (0, 1),
        (1, 1),
        (0, 4),
        (0, 1),
        // no chains (ns(3) of 0); no resolutions
        (0, 1),
        (0, 1),
    ])
}
