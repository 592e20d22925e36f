//! Sound and picture of one sender stay together at a receiver, whatever the jitter of either on its way to us.
#![expect(clippy::tests_outside_test_module, reason = "an integration test is one test module")]

use std::collections::BTreeMap;

use tidegate_tests::world::parameters::Stream;
use tidegate_tests::world::peer::{CONSUMED, Call, Sender};
use tidegate_tests::world::rtcp::{self, Rtcp};
use tidegate_tests::world::{Beginning, World, seed_bytes};
use tidegate_worker::random::Random;

const MICROPHONE: u32 = 0x1111;
const CAMERA: u32 = 0x2222;
const WAY_MS: u64 = 20;

/// Half of a participant: a stream whose media and reports are under way for 20 ms and up to `jitter_ms` more.
struct Half {
    sender: Sender,
    first_timestamp: u32,
    jitter_ms: u32,
    every_ms: u64,
    /// What arrives when.
    on_its_way: BTreeMap<u64, Vec<Vec<u8>>>,
    /// Order is kept: nothing arrives before this.
    last_arrival: u64,
}

impl Half {
    fn new(sender: Sender, every_ms: u64, jitter_ms: u32) -> Self {
        let first_timestamp = sender.timestamp;
        Self { sender, first_timestamp, jitter_ms, every_ms, on_its_way: BTreeMap::new(), last_arrival: 0 }
    }

    /// The stream's timestamp at a time by the sender's clock.
    fn timestamp_at(&self, ms: u64) -> u32 {
        let ticks = u32::try_from(ms * u64::from(self.sender.stream.clock_rate) / 1_000).unwrap();
        self.first_timestamp.wrapping_add(ticks)
    }

    /// When a timestamp was captured, in milliseconds by the sender's clock.
    fn captured_ms(&self, timestamp: u32) -> f64 {
        let ticks = timestamp.wrapping_sub(self.first_timestamp).cast_signed();
        f64::from(ticks) * 1_000.0 / f64::from(self.sender.stream.clock_rate)
    }

    fn departs(&mut self, ms: u64, bytes: Vec<u8>, dice: &mut Random) {
        let jitter = u64::from(dice.in_range(0, self.jitter_ms));
        self.last_arrival = self.last_arrival.max(ms + WAY_MS + jitter);
        self.on_its_way.entry(self.last_arrival).or_default().push(bytes);
    }

    /// A millisecond passes: media and, once a second, a report leave; `ntp` is the sender's clock.
    fn lives(&mut self, world: &mut World, ms: u64, ntp: u64, dice: &mut Random) {
        if ms.is_multiple_of(self.every_ms) {
            self.sender.timestamp = self.timestamp_at(ms);
            let packet = if self.every_ms == 20 {
                self.sender.sound()
            } else {
                self.sender.frame(ms == 0, &[300]).remove(0)
            };
            self.departs(ms, packet.write(), dice);
        }
        if ms % 1_000 == 500 {
            let ssrc = self.sender.stream.ssrc;
            let timestamp = self.timestamp_at(ms);
            let report =
                Rtcp::SenderReport { ssrc, ntp, timestamp, packets: 1, bytes: 1, blocks: Vec::new() };
            self.departs(ms, rtcp::write(&[report]), dice);
        }
        for bytes in self.on_its_way.remove(&ms).unwrap_or_default() {
            world.network.inject(self.sender.address, self.sender.to, bytes);
        }
    }
}

/// By how many milliseconds a receiver would shift sound against picture, by the newest reports of both, each second from
/// the `from`th on.
fn skews(seed: u64, jitter_ms: [u32; 2], from: u64) -> Vec<f64> {
    let mut world = World::from(Beginning::of(seed));
    let mut dice = Random::from_seed(seed_bytes(seed));
    let (sound, picture) = (Stream::opus(MICROPHONE), Stream::vp8(CAMERA));
    let call = Call::of(&mut world, &sound);
    let producer = world.produce(call.inbound.id, &picture);
    world.consume(call.outbound.id, producer, &picture, &picture.consumed_as(CONSUMED + 1));
    let camera =
        Sender { timestamp: 90_000_000, ..Sender::new(call.sender.address, call.sender.to, picture) };
    let mut halves = [Half::new(call.sender, 20, jitter_ms[0]), Half::new(camera, 33, jitter_ms[1])];
    // The sender's clock is years off.
    let ntp = (2_000_000_000_u64 << 32) + dice.next_u64() % (1 << 32);
    let mut newest = [None; 2];
    let mut skews = Vec::new();
    for ms in 0..20_000 {
        for half in &mut halves {
            half.lives(&mut world, ms, ntp + (ms << 32) / 1_000, &mut dice);
        }
        world.receive();
        world.run_for(1);
        for packet in call.receiver.hears(&mut world) {
            if let Rtcp::SenderReport { ssrc, ntp, timestamp, .. } = packet {
                newest[(ssrc - CONSUMED) as usize] = Some((ntp, timestamp));
            }
        }
        if let ([Some((sound_ntp, sound)), Some((picture_ntp, picture))], 0) = (newest, ms % 1_000)
            && ms >= from * 1_000
        {
            let reported = (sound_ntp.wrapping_sub(picture_ntp).cast_signed() as f64) / 4_294_967.296;
            skews.push(reported - (halves[0].captured_ms(sound) - halves[1].captured_ms(picture)));
        }
    }
    assert!(skews.len() > 10);
    skews
}

#[test]
fn jitter_of_50_ms_on_picture_or_sound_skews_them_by_less_than_20_ms() {
    for seed in 1..=12 {
        for jitter in [[0, 50], [50, 0]] {
            let skews = skews(seed, jitter, 5);
            let worst = skews.iter().fold(0.0_f64, |worst, skew| worst.max(skew.abs()));
            assert!(worst < 2.0, "seed {seed}, jitter {jitter:?}: {skews:.1?}");
        }
    }
}

#[test]
fn without_jitter_sound_and_picture_are_together_to_the_millisecond() {
    let skews = skews(1, [0, 0], 5);
    assert!(skews.iter().all(|skew| skew.abs() < 1.0), "{skews:.1?}");
}
