//! The whole worker: bytes are a script of requests, datagrams and time, played in a [`World`].
//!
//! Beside the world's own invariants (no contained panic, bounded memory, all that is sent can be read, nothing held at
//! the end): requests are answered as the model of [`crate::fuzz`] says; no event names an entity that nobody made;
//! RTP leaves under SSRCs of living consumers only, a number of a stream always stands for the same payload, also when it
//! is sent again, and no payload leaves that did not come; the same script gives the same bytes out.
//! Knows the protocol and the bed. Called through [`super::ALL`].
//! Invariant: work is bounded by `STEPS_MAX` and by what one step may do, however long the script.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr};

use tidegate_protocol::codec::decode;
use tidegate_protocol::error::ErrorKind;
use tidegate_protocol::ids::RequestId;
use tidegate_protocol::message::ToWorker;
use tidegate_protocol::request::Command;
use tidegate_protocol::transport::ListenPort;

use super::rtp_expected::layout;
use crate::fuzz::Dice;
use crate::fuzz::commands::{self, Expect, Surroundings, ssrc_of};
use crate::fuzz::model::Model;
use crate::fuzz::mutate;
use crate::world::network::Sent;
use crate::world::peer::address;
use crate::world::rtp::RtpPacket;
use crate::world::{Beginning, World, is_rtcp};

mod datagrams;

use datagrams::Traffic;

/// Plays the script; when its first byte is odd, twice, and compares.
pub fn worker(data: &[u8]) {
    let transcript = play(data);
    if data.first().is_some_and(|first| first % 2 == 1) {
        assert_eq!(play(data), transcript, "the same script gave other bytes");
    }
}

/// Plays the script and gives a digest of all that left.
fn play(data: &[u8]) -> u64 {
    let mut dice = Dice::of_bytes(data);
    let mut play = Play::new(dice.byte());
    play.furnish(dice.byte());
    for _ in 0..STEPS_MAX {
        if dice.is_used_up() {
            break;
        }
        play.step(&mut dice);
        play.look_around();
    }
    play.transcript.finish()
}

/// A script under way.
struct Play {
    world: World,
    model: Model,
    around: Surroundings,
    traffic: Traffic,
    /// Digests of payloads that came, without what a worker may rewrite in front.
    came: BTreeSet<u64>,
    /// What a number of a stream stood for.
    left: BTreeMap<(SocketAddr, u32, u16), u64>,
    /// SSRCs that consumers may send with in this step.
    allowed: BTreeSet<u32>,
    /// SSRCs of media that consumers have had; the others are of retransmissions.
    media: BTreeSet<u32>,
    /// A request that somebody spoiled was done: entities are no more as the model makes them.
    is_strange: bool,
    transcript: DefaultHasher,
}

impl Play {
    fn new(flags: u8) -> Self {
        let limits = [128 << 20, 2 << 20, 512 << 10, 256 << 10];
        let beginning = Beginning {
            packet_memory_limit_bytes: limits[usize::from(flags >> 1 & 3)],
            seed: u64::from(flags >> 3),
            ..Beginning::default()
        };
        let around = Surroundings { peer: address(1, 4_000), taken_port: TAKEN_PORT };
        let mut world = World::from(beginning);
        world.network.occupy((Ipv4Addr::LOCALHOST, TAKEN_PORT).into());
        Self {
            world,
            model: Model::default(),
            around,
            traffic: Traffic::default(),
            came: BTreeSet::new(),
            left: BTreeMap::new(),
            allowed: BTreeSet::new(),
            media: BTreeSet::new(),
            is_strange: false,
            transcript: DefaultHasher::new(),
        }
    }

    /// A router with a camera, a microphone and some who watch, so that short scripts see traffic.
    fn furnish(&mut self, choice: u8) {
        let router = self.model.fresh_id();
        self.request(
            Command::CreateRouter { router: tidegate_protocol::ids::RouterId(router) },
            Expect::Good,
        );
        let (inbound, outbound) = (self.model.fresh_id(), self.model.fresh_id());
        for (id, comedia) in [(inbound, true), (outbound, false)] {
            let listen = commands::listen_on(Ipv4Addr::LOCALHOST.into(), ListenPort::Fixed(0));
            let options = commands::plain_options(listen, true, comedia);
            self.request(commands::create_transport(router, id, options), Expect::Good);
        }
        self.request(commands::connect(outbound, self.around.peer, None), Expect::Good);
        for is_video in [true, false] {
            let id = self.model.fresh_id();
            self.request(commands::produce(inbound, id, is_video), Expect::Good);
        }
        for producer in self.model.producers.clone() {
            for _ in 0..1 + choice % 3 {
                let id = self.model.fresh_id();
                self.request(commands::consume(outbound, id, &producer), Expect::Good);
            }
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(16) {
            0..3 => {
                let (command, expect) = commands::draw(&mut self.model, dice, self.around);
                self.request(command, expect);
            }
            3 => self.request_mutated(dice),
            4..11 => {
                let count = 1 + dice.below(8);
                self.send(count, dice);
            }
            11 | 12 => {
                // Much traffic for few bytes of script.
                let mut drawn = Dice::new(dice.byte().into(), 0);
                for _ in 0..=dice.below(12) {
                    let count = drawn.below(8);
                    self.send(count, &mut drawn);
                    self.world.run_for(17);
                }
            }
            _ => {
                let millis = *dice.pick(&[0, 1, 4, 20, 33, 100, 700, 3_000]).unwrap_or(&1);
                self.world.run_for(millis);
            }
        }
    }

    /// Lets so many datagrams arrive in one turn.
    fn send(&mut self, count: usize, dice: &mut Dice) {
        for _ in 0..count {
            let Some((from, to, bytes)) = self.traffic.draw(&self.model, self.around.peer, dice) else {
                break;
            };
            self.note_arrival(&bytes);
            self.world.network.inject(from, to, bytes);
        }
        self.world.receive();
    }

    fn request(&mut self, command: Command, expect: Expect) {
        self.model.on_sent(&command);
        let result = self.world.request(command.clone());
        let kind = result.as_ref().err().map(|error| error.kind);
        let fits = match expect {
            Expect::Good => kind.is_none(),
            Expect::Refused(wanted) => kind == Some(wanted),
            Expect::Any => kind != Some(ErrorKind::Internal),
        };
        assert!(fits, "{command:?} had to be answered {expect:?} and was {result:?}");
        if let Ok(reply) = result {
            self.is_strange |= expect == Expect::Any;
            self.model.on_reply(&command, &reply);
        }
    }

    /// A request in whose frame something was changed, when it can still be read.
    fn request_mutated(&mut self, dice: &mut Dice) {
        let (command, _) = commands::draw(&mut self.model, dice, self.around);
        let content = mutate::mutated(RequestId(1), command, dice);
        match decode::<ToWorker>(&content) {
            // The script ends the worker.
            Ok(ToWorker::HelloReply(_) | ToWorker::Request { command: Command::CloseWorker, .. })
            | Err(_) => {}
            Ok(ToWorker::Request { command, .. }) => self.request(command, Expect::Any),
        }
    }

    fn note_arrival(&mut self, bytes: &[u8]) {
        if let Some(layout) = layout(bytes).filter(|_| !is_rtcp(bytes)) {
            let payload = &bytes[layout.payload];
            self.came.extend(tails(payload));
        }
    }

    /// Checks what happened in a step.
    fn look_around(&mut self) {
        for event in self.world.take_events() {
            let entity = event.entity();
            assert!(entity.is_none_or(|entity| self.model.was_created(entity)), "{event:?} about nobody");
        }
        let living: BTreeSet<u32> = self.living().collect();
        self.allowed.extend(&living);
        self.media.extend(self.model.consumers.iter().map(|consumer| ssrc_of(consumer.id)));
        for peer in datagrams::peers(self.around.peer) {
            for sent in self.world.network.take_sent_to(peer) {
                self.transcript.write(&sent.bytes);
                (sent.at.since(tidegate_worker::base::time::Time::ZERO), peer).hash(&mut self.transcript);
                if !is_rtcp(&sent.bytes) {
                    self.check_media(&sent);
                }
            }
        }
        self.allowed = living;
    }

    fn check_media(&mut self, sent: &Sent) {
        let packet = RtpPacket::read(&sent.bytes).expect("the network has read it");
        let [digest, original] = tails(&packet.payload);
        assert!(
            packet.payload.len() <= REWRITTEN_BYTES_MAX
                || self.came.contains(&digest)
                || self.came.contains(&original),
            "a payload left that never came: {packet:?}"
        );
        if self.is_strange {
            return;
        }
        assert!(self.allowed.contains(&packet.ssrc), "no consumer that lives sends as {:#x}", packet.ssrc);
        self.traffic.heard(packet.ssrc, packet.sequence);
        let key = (sent.from, packet.ssrc, packet.sequence);
        let known = *self.left.entry(key).or_insert(digest);
        assert_eq!(known, digest, "number {} of {:#x} stands for two payloads", packet.sequence, packet.ssrc);
        // SSRCs of retransmissions are those of their media and one (`commands::parameters`).
        if let (false, [high, low, ..]) = (self.media.contains(&packet.ssrc), &packet.payload[..]) {
            let key = (sent.from, packet.ssrc - 1, u16::from_be_bytes([*high, *low]));
            assert_eq!(self.left.get(&key), Some(&original), "{key:?} was something else at first");
        }
    }

    fn living(&self) -> impl Iterator<Item = u32> {
        self.model.consumers.iter().flat_map(|consumer| {
            let ssrc = ssrc_of(consumer.id);
            [ssrc, ssrc + 1]
        })
    }
}

/// Digests of a payload without a descriptor that a worker may rewrite, alone and behind an RTX packet's number.
fn tails(payload: &[u8]) -> [u64; 2] {
    [REWRITTEN_BYTES_MAX, REWRITTEN_BYTES_MAX + 2].map(|from| {
        let mut hasher = DefaultHasher::new();
        hasher.write(payload.get(from..).unwrap_or_default());
        hasher.finish()
    })
}

/// A VP8 payload descriptor is not longer.
const REWRITTEN_BYTES_MAX: usize = 6;
const TAKEN_PORT: u16 = 9;
/// More steps than this tell nothing new.
const STEPS_MAX: usize = 400;
