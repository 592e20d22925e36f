//! One participant of an echo room: two WebRTC transports as pages have them, one to send and one to get.
//!
//! Knows what a guest says and understands. Does not know rooms, nor who else is there; creates nothing in the worker.
//! Used by `house`. Now and then a packet of video is withheld or overheard, so that both sides ask again.
//! Invariant: what it gets is what its consumers are for; anything else is an error.

use std::sync::Arc;

use tidegate_protocol::ids::{ConsumerId, TransportId};
use tidegate_protocol::transport::Protocol;
use tidegate_worker::base::sequence::Serial16;
use tidegate_worker::dtls::{Context, Role, Version};

use super::incoming::{Arrivals, Counted, Incoming};
use super::outgoing::{Outgoing, WIDE_ID};
use crate::caller::{Caller, Host, now};
use crate::clock;
use crate::driver::{Driver, Failure};
use crate::endpoint::Heard;
use crate::scenarios::draw::Draw;
use crate::traffic::media::Stamp;
use crate::world::is_rtcp;
use crate::world::rtcp::{self, Rtcp};
use crate::world::rtp::RtpView;
use crate::world::webrtc::WebRtc;

/// Somebody in a room, or on the way.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) number: u64,
    pub(super) room: usize,
    /// When it goes.
    pub(super) leaves_ns: u64,
    /// What it offers.
    pub(super) version: Version,
    /// It has been let in: its streams flow.
    pub(super) is_in: bool,
    pub(super) sends: Leg,
    pub(super) gets: Leg,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) incoming: Vec<Incoming>,
    /// Of streams that have ended.
    pub(super) counted: Counted,
    pub(super) done: Done,
    /// Of its streams' clocks.
    origin_ns: u64,
    next_wide: Serial16,
    arrivals: Arrivals,
    reports_ns: u64,
    feedback_ns: u64,
    draw: Draw,
}

/// What a guest did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) sent: u64,
    pub(super) sent_again: u64,
    pub(super) key_frames_wanted: u64,
    pub(super) feedback: u64,
}

/// One of its two transports.
#[derive(Debug)]
pub(super) struct Leg {
    caller: Caller,
    step: Step,
    asks_ns: u64,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Asks,
    ShakesHands,
    Connected,
}

impl Leg {
    /// Calls a transport.
    fn new(told: &WebRtc, context: &Arc<Context>) -> Result<Self, Failure> {
        let caller = Caller::new(told, Protocol::Udp, context).map_err(|error| error.to_string())?;
        Ok(Self { caller, step: Step::Asks, asks_ns: 0 })
    }

    /// The worker's name for it.
    pub(super) const fn transport(&self) -> TransportId {
        TransportId(self.caller.transport)
    }

    /// The worker knows its peer.
    pub(super) const fn is_connected_now(&mut self) {
        self.step = Step::Connected;
    }

    fn is_ready(&self) -> bool {
        self.step == Step::Connected && self.caller.endpoint.has_keys()
    }

    /// Takes what has come, and goes on asking and shaking hands.
    fn goes_on(&mut self, host: &mut Driver, now_ns: u64) -> Result<(), Failure> {
        if now_ns >= self.asks_ns {
            self.caller.asks().map_err(failed)?;
            self.asks_ns = now_ns + if self.step == Step::Asks { ASK_AGAIN_NS } else { CONSENT_NS };
        }
        self.caller.goes_on().map_err(failed)?;
        if let Some(failure) = &self.caller.failure {
            return Err(format!("a handshake failed: {failure}"));
        }
        if self.caller.is_closed {
            return Err("the worker closed a connection of somebody who is there".to_owned());
        }
        if self.caller.takes_answer() && self.step == Step::Asks {
            self.step = Step::ShakesHands;
            host.connect(self.caller.transport, &self.caller.endpoint.fingerprint())?;
            self.caller.endpoint.begins(now(), Role::Client);
        }
        Ok(())
    }

    fn says(&mut self, packets: &[Rtcp]) -> Result<(), Failure> {
        if packets.is_empty() {
            return Ok(());
        }
        self.caller.plays(&rtcp::write(packets)).map_err(failed)
    }

    fn says_goodbye(&mut self) -> Result<(), Failure> {
        self.caller.endpoint.says_goodbye(now());
        self.caller.goes_on().map_err(failed)
    }
}

impl Guest {
    /// Somebody who was told of two transports.
    pub(super) fn new(
        number: u64,
        room: usize,
        leaves_ns: u64,
        version: Version,
        told: [&WebRtc; 2],
        context: &Arc<Context>,
    ) -> Result<Self, Failure> {
        let [sends, gets] = told;
        let now_ns = clock::monotonic_ns();
        Ok(Self {
            number,
            room,
            leaves_ns,
            version,
            is_in: false,
            sends: Leg::new(sends, context)?,
            gets: Leg::new(gets, context)?,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            counted: Counted::default(),
            done: Done::default(),
            origin_ns: now_ns,
            next_wide: Serial16::new(WIDE_FIRST),
            arrivals: Arrivals::default(),
            reports_ns: now_ns,
            feedback_ns: now_ns,
            draw: Draw::of(number),
        })
    }

    /// Whether both transports are connected.
    pub(super) fn is_ready(&self) -> bool {
        self.sends.is_ready() && self.gets.is_ready()
    }

    /// Microseconds of its streams' clocks.
    pub(super) fn clock_us(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.origin_ns) / 1_000
    }

    /// Takes what has come and sends what is due.
    pub(super) fn goes_on(&mut self, host: &mut Driver, now_ns: u64) -> Result<(), Failure> {
        self.sends.goes_on(host, now_ns)?;
        self.gets.goes_on(host, now_ns)?;
        for heard in std::mem::take(&mut self.sends.caller.heard) {
            if let Heard::Media(bytes) = heard {
                self.hears_feedback(&bytes)?;
            }
        }
        for heard in std::mem::take(&mut self.gets.caller.heard) {
            if let Heard::Media(bytes) = heard {
                self.hears_media(&bytes, now_ns)?;
            }
        }
        if self.is_in {
            self.plays(now_ns)?;
            self.reports(now_ns)?;
        }
        Ok(())
    }

    /// It gets one more stream, and wants a key frame of video.
    pub(super) fn begins_to_get(&mut self, incoming: Incoming) -> Result<(), Failure> {
        let (sender, media) = (self.sender(), incoming.stream.ssrc);
        let wants = incoming.stream.pli;
        self.incoming.push(incoming);
        if !wants {
            return Ok(());
        }
        let blocks = Vec::new();
        self.gets.says(&[Rtcp::ReceiverReport { ssrc: sender, blocks }, Rtcp::Pli { sender, media }])
    }

    /// A consumer of its has ended.
    pub(super) fn ends(&mut self, consumer: ConsumerId) -> bool {
        let place = self.incoming.iter().position(|incoming| incoming.consumer == consumer);
        let ended = place.map(|place| self.incoming.swap_remove(place));
        if let Some(ended) = &ended {
            self.counted.add(ended.counted);
        }
        ended.is_some()
    }

    /// All that it counted.
    pub(super) fn all_counted(&self) -> Counted {
        let mut all = self.counted;
        self.incoming.iter().for_each(|incoming| all.add(incoming.counted));
        all
    }

    /// Ends DTLS on both.
    pub(super) fn says_goodbye(&mut self) -> Result<(), Failure> {
        self.sends.says_goodbye()?;
        self.gets.says_goodbye()
    }

    fn plays(&mut self, now_ns: u64) -> Result<(), Failure> {
        let now_us = self.clock_us(now_ns);
        for outgoing in &mut self.outgoing {
            // Whoever could not send for a while goes on bit by bit, as pacers do.
            for _ in 0..SENT_AT_ONCE {
                if !outgoing.is_due(now_us) {
                    break;
                }
                let packet = outgoing.write(self.next_wide);
                self.next_wide = self.next_wide.next();
                self.done.sent += 1;
                let is_withheld = outgoing.is_repaired() && self.draw.chance(WITHHELD_PERMILLE);
                if !is_withheld {
                    self.sends.caller.plays(&packet).map_err(failed)?;
                }
            }
        }
        Ok(())
    }

    fn reports(&mut self, now_ns: u64) -> Result<(), Failure> {
        let sender = self.sender();
        for incoming in &mut self.incoming {
            let sequences = incoming.asks(now_ns);
            if !sequences.is_empty() {
                self.gets.says(&[Rtcp::Nack { sender, media: incoming.stream.ssrc, sequences }])?;
            }
        }
        if now_ns >= self.feedback_ns {
            self.feedback_ns = now_ns + FEEDBACK_NS;
            let media = self.incoming.first().map_or(0, |incoming| incoming.stream.ssrc);
            for packet in self.arrivals.feedback(sender, media) {
                self.gets.says(&[packet])?;
            }
        }
        if now_ns >= self.reports_ns {
            self.reports_ns = now_ns + REPORTS_NS;
            let now_us = self.clock_us(now_ns);
            for outgoing in &self.outgoing {
                self.sends.says(&outgoing.report(now_us, ntp()))?;
            }
            let blocks = self.incoming.iter().filter_map(|incoming| incoming.block(now_ns)).collect();
            self.gets.says(&[
                Rtcp::ReceiverReport { ssrc: sender, blocks },
                Rtcp::Cname { ssrc: sender, cname: CNAME.to_owned() },
            ])?;
        }
        Ok(())
    }

    /// What the worker says on the transport that sends.
    fn hears_feedback(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if !is_rtcp(bytes) {
            return Err("media came on a transport without consumers".to_owned());
        }
        for packet in rtcp::read(bytes)? {
            match packet {
                Rtcp::Pli { media, .. } | Rtcp::Fir { media, .. } => {
                    self.done.key_frames_wanted += 1;
                    let named = self.outgoing.iter_mut().filter(|outgoing| outgoing.stream.ssrc == media);
                    named.for_each(Outgoing::want_key_frame);
                }
                Rtcp::Nack { media, sequences, .. } => self.sends_again(media, &sequences)?,
                Rtcp::WideFeedback { .. } => self.done.feedback += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn sends_again(&mut self, media: u32, sequences: &[u16]) -> Result<(), Failure> {
        let Some(outgoing) = self.outgoing.iter_mut().find(|outgoing| outgoing.stream.ssrc == media) else {
            return Ok(());
        };
        for sequence in sequences {
            if let Some(packet) = outgoing.write_again(*sequence, self.next_wide) {
                self.next_wide = self.next_wide.next();
                self.done.sent_again += 1;
                self.sends.caller.plays(&packet).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// What the worker says on the transport that gets.
    fn hears_media(&mut self, bytes: &[u8], now_ns: u64) -> Result<(), Failure> {
        if is_rtcp(bytes) {
            for packet in rtcp::read(bytes)? {
                if let Rtcp::SenderReport { ssrc, ntp, .. } = packet
                    && let Some(of) = self.incoming.iter_mut().find(|incoming| incoming.stream.ssrc == ssrc)
                {
                    of.takes_report(ntp, now_ns);
                }
            }
            return Ok(());
        }
        let packet = RtpView::read(bytes)?;
        if let Some([high, low]) = packet.extension(WIDE_ID) {
            self.arrivals.arrives(u16::from_be_bytes([*high, *low]), now_ns);
        }
        let ssrc = packet.ssrc;
        let of =
            |incoming: &&mut Incoming| incoming.stream.ssrc == ssrc || incoming.stream.rtx_ssrc == Some(ssrc);
        // One that has just ended.
        let Some(incoming) = self.incoming.iter_mut().find(of) else { return Ok(()) };
        if incoming.stream.ssrc != ssrc {
            // RFC 4588 4; one without a payload probes the way.
            if let Some([high, low]) = packet.payload.get(..2) {
                incoming.arrives(u16::from_be_bytes([*high, *low]), now_ns, true);
            }
            return Ok(());
        }
        if incoming.stream.nack && self.draw.chance(WITHHELD_PERMILLE) {
            return Ok(());
        }
        match Stamp::read(bytes) {
            Some(stamp) if stamp.stream == incoming.stamp => incoming.arrives(packet.sequence, now_ns, false),
            other => return Err(format!("guest {} got {other:?} on stream {ssrc}", self.number)),
        }
        Ok(())
    }

    /// Under which SSRC it reports.
    fn sender(&self) -> u32 {
        self.outgoing.first().map_or(1, |outgoing| outgoing.stream.ssrc)
    }
}

fn failed(error: std::io::Error) -> Failure {
    error.to_string()
}

/// The wall clock as RFC 3550 4 has it.
fn ntp() -> u64 {
    let wall_ns = u128::from(clock::wall_ns());
    let since_1900 = wall_ns / 1_000_000_000 + 2_208_988_800;
    let fraction = (wall_ns % 1_000_000_000) << 32;
    u64::try_from(((since_1900 & 0xFFFF_FFFF) << 32) | (fraction / 1_000_000_000)).unwrap_or(0)
}

/// Of one stream, each time that a guest is looked at.
const SENT_AT_ONCE: usize = 4;
const ASK_AGAIN_NS: u64 = 1_000_000_000;
/// As browsers ask.
const CONSENT_NS: u64 = 5_000_000_000;
const REPORTS_NS: u64 = 1_000_000_000;
/// As Chromium tells.
const FEEDBACK_NS: u64 = 100_000_000;
/// Of video, each way.
const WITHHELD_PERMILLE: u32 = 3;
/// So that it wraps soon.
const WIDE_FIRST: u16 = 65_000;
const CNAME: &str = "guest";
