//! The rooms of one worker: who comes, who goes and how, and what the worker is asked for it.
//!
//! Knows guests and the worker's host. Does not know how long it goes on, nor memory. Used by `soak_room`.
//! Invariant: as many are there at any time as at any other, of each version of DTLS as many, three or four in a room; and as
//! many went without a word within the time that the worker waits for them. So memory has no reason to rise, nor to fall.

use std::sync::Arc;

use tidegate_protocol::dump::WorkerDump;
use tidegate_protocol::event::Event;
use tidegate_protocol::ids::{ConsumerId, ProducerId, RouterId, TransportId, WebRtcServerId};
use tidegate_protocol::metrics::Metrics;
use tidegate_protocol::request::Command;
use tidegate_protocol::response::Reply;
use tidegate_protocol::transport::{ListenInfo, ListenPort, Protocol};
use tidegate_protocol::webrtc::{DtlsState, IceState, WebRtcCommand};
use tidegate_worker::dtls::{Context, Version};

use super::Options;
use super::guest::{Done, Guest};
use super::incoming::{Counted, Incoming};
use super::outgoing::{Outgoing, WIDE_ID};
use crate::caller::on_server;
use crate::clock;
use crate::driver::{Driver, Failure};
use crate::endpoint::context;
use crate::scenarios::draw::Draw;
use crate::traffic::Traffic;
use crate::world::parameters::{Stream, list};
use crate::world::webrtc::on_loopback;

/// All rooms.
#[derive(Debug)]
pub(super) struct House {
    pub(super) driver: Driver,
    rooms: Vec<RouterId>,
    server: WebRtcServerId,
    /// DTLS 1.2's and 1.3's.
    contexts: [Arc<Context>; 2],
    guests: Vec<Guest>,
    /// Transports of those who went without a word.
    ghosts: Vec<TransportId>,
    /// When the next ones come, and with which version of DTLS.
    comers: Vec<(u64, Version)>,
    /// When the next one goes without a word, and with which.
    vanishes: (u64, Version),
    video: Traffic,
    stays: u64,
    next_ssrc: u32,
    draw: Draw,
    totals: Totals,
}

/// What has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Guests whose streams flowed.
    pub joins: u64,
    /// Guests that left, with or without a word.
    pub leaves: u64,
    /// Of those, who went without a word.
    pub vanished: u64,
    /// Transports of theirs that the worker gave up because nobody consented any more.
    pub consent_expiries: u64,
    /// Packets that guests sent, withheld ones included.
    pub sent: u64,
    /// Packets that the worker asked for again and was sent.
    pub sent_again: u64,
    /// Key frames that the worker asked guests for.
    pub key_frames_wanted: u64,
    /// Transport-wide feedback that guests got.
    pub feedback: u64,
    /// Packets that guests received.
    pub received: u64,
    /// Of those, asked for and resent.
    pub repaired: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that never came.
    pub lost: u64,
}

impl Totals {
    const fn take(&mut self, counted: Counted, done: Done) {
        self.received += counted.received;
        self.repaired += counted.repaired;
        self.duplicates += counted.duplicates;
        self.lost += counted.lost;
        self.sent += done.sent;
        self.sent_again += done.sent_again;
        self.key_frames_wanted += done.key_frames_wanted;
        self.feedback += done.feedback;
    }
}

impl House {
    /// Empty rooms, into which people come within seconds.
    pub(super) fn opens(
        mut driver: Driver,
        options: &Options,
        video: Traffic,
        receive_buffer_bytes: u32,
    ) -> Result<Self, Failure> {
        let server = WebRtcServerId(driver.id());
        let listen = ListenInfo { receive_buffer_bytes, ..on_loopback(Protocol::Udp, ListenPort::Any) };
        driver.call(Command::WebRtc(WebRtcCommand::CreateServer {
            server,
            listen_infos: list(vec![listen]),
        }))?;
        let mut routers = Vec::new();
        for _ in 0..options.rooms {
            let router = RouterId(driver.id());
            driver.call(Command::CreateRouter { router })?;
            routers.push(router);
        }
        let mut draw = Draw::of(options.seed);
        let now_ns = clock::monotonic_ns();
        let versions = [Version::Dtls12, Version::Dtls13].into_iter().cycle();
        let comers = versions
            .take(options.people)
            .map(|version| (now_ns + draw.millis(0, 5_000) * 1_000_000, version));
        let comers = comers.collect();
        Ok(Self {
            driver,
            rooms: routers,
            server,
            contexts: [context(Version::Dtls12), context(Version::Dtls13)],
            guests: Vec::new(),
            ghosts: Vec::new(),
            comers,
            vanishes: (now_ns + u64::from(STAY_MS.0) * 1_000_000, Version::Dtls12),
            video,
            stays: 0,
            next_ssrc: 1_000,
            draw,
            totals: Totals::default(),
        })
    }

    /// Who is let in now.
    pub(super) fn present(&self) -> usize {
        self.guests.iter().filter(|guest| guest.is_in).count()
    }

    /// What has happened so far.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = self.totals;
        self.guests.iter().for_each(|guest| totals.take(guest.all_counted(), guest.done));
        totals
    }

    /// Everything that is due.
    pub(super) fn goes_on(&mut self) -> Result<(), Failure> {
        for event in self.driver.hear()? {
            self.on_event(event)?;
        }
        let now_ns = clock::monotonic_ns();
        let coming: Vec<_> = self.comers.extract_if(.., |(at, _)| *at <= now_ns).collect();
        for (_, version) in coming {
            self.comes(now_ns, version)?;
        }
        for place in 0..self.guests.len() {
            let Some(guest) = self.guests.get_mut(place) else { break };
            guest.goes_on(&mut self.driver, now_ns)?;
            if !guest.is_in && guest.is_ready() {
                self.is_let_in(place, now_ns)?;
            }
        }
        let leaving = |guest: &mut Guest| guest.is_in && guest.leaves_ns <= now_ns;
        let leavers: Vec<Guest> = self.guests.extract_if(.., leaving).collect();
        for guest in leavers {
            self.is_followed(&guest, now_ns);
            self.leaves(guest)?;
        }
        if self.vanishes.0 <= now_ns {
            self.one_vanishes(now_ns);
        }
        Ok(())
    }

    /// All that the worker counts.
    pub(super) fn metrics(&mut self) -> Result<Metrics, Failure> {
        match self.driver.call(Command::GetMetrics)? {
            Reply::Metrics(metrics) => Ok(metrics),
            other => Err(format!("metrics were answered {other:?}")),
        }
    }

    /// All that the worker holds.
    pub(super) fn dump(&mut self) -> Result<WorkerDump, Failure> {
        match self.driver.call(Command::DumpWorker)? {
            Reply::WorkerDump(dump) => Ok(dump),
            other => Err(format!("a dump was answered {other:?}")),
        }
    }

    /// Everybody leaves, and rooms and ports are closed.
    pub(super) fn closes(&mut self) -> Result<(), Failure> {
        for guest in std::mem::take(&mut self.guests) {
            if guest.is_in {
                self.leaves(guest)?;
            } else {
                self.close_transports([guest.sends.transport(), guest.gets.transport()])?;
            }
        }
        for transport in std::mem::take(&mut self.ghosts) {
            self.driver.call(Command::CloseTransport { transport })?;
        }
        for router in std::mem::take(&mut self.rooms) {
            self.driver.call(Command::CloseRouter { router })?;
        }
        self.driver.call(Command::WebRtc(WebRtcCommand::CloseServer { server: self.server }))?;
        Ok(())
    }

    fn comes(&mut self, now_ns: u64, version: Version) -> Result<(), Failure> {
        let room = self.emptiest();
        let router = *self.rooms.get(room).ok_or("no room")?;
        let options = on_server(self.server, CONSENT_S);
        let sends = self.driver.create_webrtc_transport(router.0, &options)?;
        let gets = self.driver.create_webrtc_transport(router.0, &options)?;
        let number = self.stays;
        self.stays += 1;
        let [older, newer] = &self.contexts;
        let context = if version == Version::Dtls12 { older } else { newer };
        let leaves_ns = now_ns + self.draw.millis(STAY_MS.0, STAY_MS.1) * 1_000_000;
        self.guests.push(Guest::new(number, room, leaves_ns, version, [&sends, &gets], context)?);
        Ok(())
    }

    /// One of the rooms in which the fewest are.
    fn emptiest(&mut self) -> usize {
        let count = |room| self.guests.iter().filter(|guest| guest.room == room).count();
        let counts: Vec<usize> = (0..self.rooms.len()).map(count).collect();
        let fewest = counts.iter().min().copied().unwrap_or(0);
        let candidates: Vec<usize> =
            (0..counts.len()).filter(|room| counts.get(*room) == Some(&fewest)).collect();
        self.draw.pick(&candidates)
    }

    /// Its streams begin, and everybody in its room gets everybody's, itself included. All is asked for at once, as nobody
    /// plays while the worker is waited for.
    fn is_let_in(&mut self, place: usize, now_ns: u64) -> Result<(), Failure> {
        let mut commands = self.produces(place, now_ns)?;
        let room = self.guests.get(place).ok_or("nobody")?.room;
        let here = |guest: &Guest| guest.is_in && guest.room == room;
        let everybody: Vec<usize> =
            (0..self.guests.len()).filter(|other| self.guests.get(*other).is_some_and(here)).collect();
        let mut beginning = Vec::new();
        for other in everybody {
            self.gets_all_of(place, other, &mut commands, &mut beginning)?;
            if other != place {
                self.gets_all_of(other, place, &mut commands, &mut beginning)?;
            }
        }
        self.driver.call_all(commands)?;
        for (place, incoming) in beginning {
            self.guests.get_mut(place).ok_or("nobody")?.begins_to_get(incoming)?;
        }
        self.totals.joins += 1;
        Ok(())
    }

    /// A microphone and a camera.
    fn produces(&mut self, place: usize, now_ns: u64) -> Result<Vec<Command>, Failure> {
        let mut commands = Vec::new();
        for traffic in [Traffic::Opus, self.video] {
            let ssrc = self.take_ssrcs();
            let producer = ProducerId(self.driver.id());
            let guest = self.guests.get_mut(place).ok_or("nobody")?;
            let stream = match traffic {
                Traffic::Opus => Stream::opus(ssrc),
                _ => Stream::vp8(ssrc).with_rtx(ssrc + 1),
            };
            let stream = stream.with_transport_cc(WIDE_ID);
            commands.push(stream.produce(guest.sends.transport(), producer));
            let start_us = guest.clock_us(now_ns);
            guest.outgoing.push(Outgoing::new(stream, producer, traffic, start_us, ssrc));
            guest.is_in = true;
        }
        Ok(commands)
    }

    fn gets_all_of(
        &mut self,
        place: usize,
        other: usize,
        commands: &mut Vec<Command>,
        beginning: &mut Vec<(usize, Incoming)>,
    ) -> Result<(), Failure> {
        let from = self.guests.get(other).ok_or("nobody")?;
        let sent: Vec<(Stream, ProducerId)> =
            from.outgoing.iter().map(|outgoing| (outgoing.stream.clone(), outgoing.producer)).collect();
        let transport = self.guests.get(place).ok_or("nobody")?.gets.transport();
        for (source, producer) in sent {
            let ssrc = self.take_ssrcs();
            let stream = source.consumed_as(ssrc).with_transport_cc(WIDE_ID);
            let stream = if source.rtx_ssrc.is_some() { stream.with_rtx(ssrc + 1) } else { stream };
            let consumer = ConsumerId(self.driver.id());
            commands.push(stream.consume(transport, consumer, producer, &source));
            beginning.push((place, Incoming::new(stream, consumer, source.ssrc)));
        }
        Ok(())
    }

    const fn take_ssrcs(&mut self) -> u32 {
        let ssrc = self.next_ssrc;
        self.next_ssrc = ssrc.wrapping_add(2);
        ssrc
    }

    /// Somebody of the same kind comes.
    fn is_followed(&mut self, guest: &Guest, now_ns: u64) {
        let away_ns = self.draw.millis(AWAY_MS.0, AWAY_MS.1) * 1_000_000;
        self.comers.push((now_ns + away_ns, guest.version));
    }

    fn leaves(&mut self, mut guest: Guest) -> Result<(), Failure> {
        self.counts_leave(&guest);
        if self.draw.chance(GOODBYE_PERMILLE) {
            guest.says_goodbye()?;
        }
        self.close_transports([guest.sends.transport(), guest.gets.transport()])
    }

    /// Who would be the next of its kind to leave goes without a word, and the worker has to find out.
    fn one_vanishes(&mut self, now_ns: u64) {
        let (at_ns, version) = self.vanishes;
        let every_ns = VANISH_MS / self.rooms.len().max(1) as u64 * 1_000_000;
        let next = if version == Version::Dtls12 { Version::Dtls13 } else { Version::Dtls12 };
        self.vanishes = (at_ns + every_ns, next);
        let of_kind = |(_, guest): &(usize, &Guest)| guest.is_in && guest.version == version;
        let soonest = self.guests.iter().enumerate().filter(of_kind).min_by_key(|(_, guest)| guest.leaves_ns);
        let Some((place, _)) = soonest else { return };
        let guest = self.guests.swap_remove(place);
        self.is_followed(&guest, now_ns);
        self.counts_leave(&guest);
        self.totals.vanished += 1;
        self.ghosts.extend([guest.sends.transport(), guest.gets.transport()]);
    }

    fn counts_leave(&mut self, guest: &Guest) {
        self.totals.take(guest.all_counted(), guest.done);
        self.totals.leaves += 1;
    }

    fn close_transports(&mut self, transports: [TransportId; 2]) -> Result<(), Failure> {
        let close = |transport| Command::CloseTransport { transport };
        self.driver.call_all(transports.map(close).to_vec()).map(|_| ())
    }

    fn on_event(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::DtlsState { transport, state: DtlsState::Connected, .. } => {
                let legs = self.guests.iter_mut().flat_map(|guest| [&mut guest.sends, &mut guest.gets]);
                legs.filter(|leg| leg.transport() == transport).for_each(|leg| leg.is_connected_now());
            }
            Event::ConsumerProducerClosed { consumer } => {
                // Nobody has it when its owner left in the same moment.
                let _ = self.guests.iter_mut().any(|guest| guest.ends(consumer));
            }
            Event::IceState { transport, state: IceState::Disconnected } => {
                let place = self.ghosts.iter().position(|ghost| *ghost == transport);
                if let Some(place) = place {
                    self.ghosts.swap_remove(place);
                    self.totals.consent_expiries += 1;
                    self.driver.call(Command::CloseTransport { transport })?;
                } else if self
                    .guests
                    .iter()
                    .any(|guest| [guest.sends.transport(), guest.gets.transport()].contains(&transport))
                {
                    return Err("somebody who is there lost consent".to_owned());
                }
            }
            Event::TransportInternalError { message, .. } => {
                return Err(format!("a defect was contained: {}", &*message));
            }
            Event::MemoryLimit { .. } => return Err("packet memory is full".to_owned()),
            _ => {}
        }
        Ok(())
    }
}

/// How long somebody stays.
const STAY_MS: (u32, u32) = (20_000, 90_000);
/// Until somebody else comes.
const AWAY_MS: (u32, u32) = (200, 1_500);
/// RFC 7675 5.1, as in the worker's default.
const CONSENT_S: u8 = 30;
/// In a single room. In four one goes every 15 s: of so many the worker waits for consent at any time.
const VANISH_MS: u64 = 60_000;
const GOODBYE_PERMILLE: u32 = 500;
