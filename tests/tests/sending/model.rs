//! What a camera sent and what became of it, and what a receiver got: nothing is ever forgotten here.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_protocol::ids::ConsumerId;
use tidegate_tests::world::World;
use tidegate_tests::world::peer::Receiver;
use tidegate_tests::world::rtp::RtpPacket;

/// Everything that was filmed.
#[derive(Debug)]
pub(crate) struct Camera {
    next: u64,
    /// When packets came to the worker, in milliseconds.
    admitted: BTreeMap<u64, u64>,
    /// Which were lost or overtaken, or are of a time of which nothing is said.
    out_of_order: BTreeSet<u64>,
    /// How long packets are kept, in milliseconds, since when.
    retention: Vec<(u64, u64)>,
    /// How often the stream or somebody's part of it began anew.
    pub(crate) beginnings: u32,
}

impl Camera {
    pub(crate) fn new() -> Self {
        let (next, admitted, out_of_order) = (0, BTreeMap::new(), BTreeSet::new());
        Self { next, admitted, out_of_order, retention: vec![(0, 550)], beginnings: 0 }
    }

    /// A VP8 payload that says which one it is.
    pub(crate) fn payload(&mut self, is_key: bool, is_first: bool) -> Vec<u8> {
        self.next += 1;
        let descriptor = if is_first { 0x10 } else { 0x00 };
        let header = if is_key { 0x00 } else { 0x01 };
        [&[descriptor, header][..], &self.next.to_be_bytes(), &[0x55; 16]].concat()
    }

    /// Not the last packet.
    pub(crate) fn is_out_of_order(&mut self) {
        self.out_of_order.insert(self.next);
    }

    pub(crate) fn frame_is_out_of_order(&mut self, packets: u32) {
        self.out_of_order.extend(self.next.saturating_sub(packets.into())..=self.next);
    }

    pub(crate) fn admits(&mut self, packets: &[RtpPacket], now: u64) {
        for packet in packets.iter().filter(|packet| !packet.payload.is_empty()) {
            self.admitted.entry(which(&packet.payload)).or_insert(now);
        }
    }

    /// Around here somebody may get nothing for a while.
    pub(crate) fn restarts(&mut self) {
        self.beginnings += 1;
    }

    pub(crate) fn note_retention(&mut self, peers: &[Peer], now: u64) {
        let asking = peers.iter().filter(|peer| peer.answers != Answers::Never);
        let longest = asking.map(|peer| peer.round_trip_ms.unwrap_or(100)).max().unwrap_or(100);
        self.retention.push((now, (3 * longest + 250).clamp(500, 2_000)));
    }

    /// How long packets were kept until now.
    pub(crate) fn retain(&self) -> Retain {
        Retain { since: self.retention.clone() }
    }
}

/// How long packets were kept when.
#[derive(Debug)]
pub(crate) struct Retain {
    since: Vec<(u64, u64)>,
}

impl Retain {
    /// All values that held at some time from `from` on.
    fn from(&self, from: u64) -> impl Iterator<Item = u64> {
        let before = self.since.iter().rposition(|(at, _)| *at <= from).unwrap_or(0);
        self.since[before..].iter().map(|(_, millis)| *millis)
    }
}

/// How a peer's NACKs are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    AsFirstSent,
    AsRtx,
    Never,
}

/// A receiver and all that it got.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) receiver: Receiver,
    pub(crate) consumer: ConsumerId,
    pub(crate) ssrc: u32,
    pub(crate) answers: Answers,
    pub(crate) round_trip_ms: Option<u64>,
    /// How many resends came.
    pub(crate) answered: usize,
    /// By own number, extended.
    got: BTreeMap<u64, Got>,
    known: BTreeSet<u64>,
}

#[derive(Debug)]
struct Got {
    bytes: Vec<u8>,
    which: u64,
    at: u64,
    resent_at: Option<u64>,
    beginnings: u32,
    is_forgotten: bool,
}

impl Peer {
    pub(crate) fn new(receiver: Receiver, consumer: ConsumerId, ssrc: u32, answers: Answers) -> Self {
        let (got, known) = (BTreeMap::new(), BTreeSet::new());
        Self { receiver, consumer, ssrc, answers, round_trip_ms: None, answered: 0, got, known }
    }

    /// The highest number so far.
    pub(crate) fn newest(&self) -> u16 {
        self.got.last_key_value().map_or(0, |(number, _)| wire(*number))
    }

    pub(crate) fn wraps(&self) -> u64 {
        self.got.last_key_value().map_or(0, |(number, _)| number / 65_536 - 1)
    }

    /// The worker forgets what it sent: a pause.
    pub(crate) fn forgets(&mut self) {
        self.got.values_mut().rev().take(10_000).for_each(|got| got.is_forgotten = true);
    }

    /// Takes what came, none of which was asked for: each packet once, under a number that was never used.
    pub(crate) fn takes_media(&mut self, world: &mut World, camera: &Camera) {
        for bytes in self.receiver.gets_bytes(world) {
            let packet = RtpPacket::read(&bytes).unwrap();
            assert_eq!(packet.ssrc, self.ssrc);
            let which = which(&packet.payload);
            assert!(self.known.insert(which), "{which} came twice");
            let got = Got {
                bytes,
                which,
                at: world.elapsed_ms(),
                resent_at: None,
                beginnings: camera.beginnings,
                is_forgotten: false,
            };
            let number = self.extended(packet.sequence);
            assert!(self.got.insert(number, got).is_none(), "{number} was used twice");
        }
    }

    /// Asks, and checks what comes of it.
    pub(crate) fn asks(&mut self, world: &mut World, camera: &Camera, numbers: &[u16], retain: Retain) {
        world.run_for(1);
        self.takes_media(world, camera);
        self.receiver.nacks(world, self.ssrc, numbers);
        let mut answered = BTreeSet::new();
        for bytes in self.receiver.gets_bytes(world) {
            let number = self.check_answer(&bytes);
            assert!(answered.insert(number), "{number} was answered twice");
            self.answered += 1;
        }
        let now = world.elapsed_ms();
        for number in numbers {
            let number = self.extended(*number);
            let expected = self.expected(number, now, camera, &retain);
            let is_answered = answered.remove(&number);
            assert!(
                expected.is_none_or(|expected| expected == is_answered),
                "{:?}: {number} answered: {is_answered}, at {now} {:?}, retention {:?}, admitted {:?}",
                self.answers,
                self.got.get(&number),
                retain.since.last(),
                self.got.get(&number).and_then(|got| camera.admitted.get(&got.which)),
            );
            if let Some(got) = self.got.get_mut(&number).filter(|_| is_answered) {
                got.resent_at = Some(now);
            }
        }
        assert_eq!(answered, BTreeSet::new(), "nobody asked for these");
    }

    /// The number that was sent again, as it was.
    fn check_answer(&self, bytes: &[u8]) -> u64 {
        let again = RtpPacket::read(bytes).unwrap();
        if self.answers == Answers::AsFirstSent {
            let number = self.extended(again.sequence);
            assert!(self.got[&number].bytes == bytes, "{number} is not what it was");
            return number;
        }
        let (original, payload) = again.payload.split_at(2);
        let number = self.extended(u16::from_be_bytes([original[0], original[1]]));
        let first = RtpPacket::read(&self.got[&number].bytes).unwrap();
        assert_ne!(again.ssrc, self.ssrc);
        assert_eq!((payload, again.marker), (&first.payload[..], first.marker));
        assert_eq!(again.timestamp, first.timestamp);
        number
    }

    /// Whether a number must be answered now; `None` where either will do.
    fn expected(&self, number: u64, now: u64, camera: &Camera, retain: &Retain) -> Option<bool> {
        let Some(got) = self.got.get(&number) else { return Some(false) };
        if got.is_forgotten || self.answers == Answers::Never {
            return Some(false);
        }
        let came_at = camera.admitted[&got.which];
        let age = now - came_at;
        // That less will do is found when packets age.
        let longest = retain.from(now.saturating_sub(2_600)).max().unwrap_or(0);
        if age > longest + 4 {
            return Some(false);
        }
        let round_trip = self.round_trip_ms.unwrap_or(100).clamp(10, 2_000);
        let rested = got.resent_at.map_or(u64::MAX, |at| now - at);
        if rested < round_trip - 3 {
            return Some(false);
        }
        let shortest = retain.from(came_at.saturating_sub(2_600)).min().unwrap_or(0);
        let is_kept = age + 4 < shortest && camera.beginnings < got.beginnings + 4;
        let newest = self.got.last_key_value().map_or(0, |(newest, _)| *newest);
        let is_remembered = newest.saturating_sub(number) < ENTRIES_MAX;
        (is_kept && is_remembered && rested > round_trip + 3 && now >= got.at).then_some(true)
    }

    /// Numbers grow as the camera's packets did, with holes only where one was lost or overtaken.
    pub(crate) fn check_numbers(&self, camera: &Camera) {
        let mut holes = 0;
        for ((number, got), (next, after)) in self.got.iter().zip(self.got.iter().skip(1)) {
            assert!(got.which < after.which, "{number} is {} and {next} {}", got.which, after.which);
            let between = got.which + 1..after.which;
            let missing = camera.out_of_order.range(between).count() as u64;
            let hole = next - number - 1;
            assert!(hole <= missing, "{hole} numbers are missing behind {number}, and {missing} packets");
            holes += hole;
        }
        assert!(holes > 100, "{holes} holes: losses stay open");
    }

    fn extended(&self, sequence: u16) -> u64 {
        let Some((&newest, _)) = self.got.last_key_value() else { return 65_536 + u64::from(sequence) };
        let ahead = sequence.wrapping_sub(wire(newest)).cast_signed();
        newest.saturating_add_signed(ahead.into())
    }
}

fn wire(number: u64) -> u16 {
    u16::try_from(number % 65_536).unwrap()
}

fn which(payload: &[u8]) -> u64 {
    u64::from_be_bytes(payload[2..10].try_into().unwrap())
}

/// A consumer remembers so many packets at most.
const ENTRIES_MAX: u64 = 4_096;
