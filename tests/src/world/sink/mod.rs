//! An autonomous receiver of one stream: asks for what is missing, reports, asks for key frames when it cannot go on.
//!
//! Knows what a real receiver does, written without the worker's code, and what was really sent: every packet is
//! compared with its source's. Driven by the world's run loop. Parts: `reception` counts numbers, `frames` plays the
//! decoder, `identity` compares.
//! Invariant: what a [`Sink`] does not complain about is what its source sent, each packet once, under numbers that tell
//! what is missing, and nothing of it from before it joined.

mod frames;
mod holes;
mod identity;
mod reception;

pub use holes::{Explained, Explains};
pub use reception::Patience;

use std::net::SocketAddr;
use std::time::Duration;

use tidegate_worker::base::time::Time;
use tidegate_worker::random::Random;

use self::frames::Frames;
use self::identity::Identity;
use self::reception::{Came, GivenUp, REMEMBERS, Reception, Way, low16};
use super::actors::{Post, SourceId};
use super::flights::Parcel;
use super::parameters::{Stream, TRANSPORT_WIDE_CC};
use super::rtcp::{self, Rtcp};
use super::rtp::RtpView;
use super::source::{Record, Source, compact};

/// What to receive, where and how.
#[derive(Clone, Debug)]
pub struct SinkOptions {
    /// The stream as its consumer was told. NACK, RTX, PLI and FIR as it says.
    pub stream: Stream,
    /// Where it listens, RTP and RTCP.
    pub address: SocketAddr,
    /// When to ask again.
    pub patience: Patience,
    /// How often it reports; the first time after a random part of that. `None`: never.
    pub report_every: Option<Duration>,
    /// How long a frame may hold up others until a key frame is asked for.
    pub freeze: Duration,
    /// For how many numbers it knows what came: more than the worker sends again.
    pub remembers: usize,
    /// Whether each number that never comes must be explained, and by what. Counted always.
    pub explains: Option<Explains>,
}

impl SinkOptions {
    /// A receiver with usual habits.
    pub fn new(stream: Stream, address: SocketAddr) -> Self {
        Self {
            stream,
            address,
            patience: Patience::default(),
            report_every: Some(Duration::from_secs(1)),
            freeze: Duration::from_millis(1_000),
            remembers: REMEMBERS,
            explains: None,
        }
    }
}

/// What a sink got and asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// Packets, each counted once however often it came.
    pub packets: u64,
    /// Those among them that were asked for.
    pub repaired: u64,
    /// Second arrivals: the network's copies and answers that were not needed any more.
    pub duplicates: u64,
    /// Numbers asked for, each time anew.
    pub nacked: u64,
    /// Key frames asked for.
    pub key_frame_requests: u64,
    /// Numbers that never came, though they were asked for.
    pub given_up: u64,
    /// Numbers that are missing now and waited for.
    pub missing: usize,
    /// Frames that could be shown.
    pub frames_shown: u64,
    /// Frames left out to go on with a key frame.
    pub frames_skipped: u64,
    /// Times it began again under a new shift of numbers.
    pub resyncs: u32,
    /// Sender reports heard.
    pub sender_reports: u64,
    /// The source's number of the first packet that came, and of the highest.
    pub first_and_last: Option<(u32, u32)>,
    /// Whether the first packet that came was the first of a key frame.
    pub began_at_key_frame: bool,
    /// Packets too old to be compared with their source's memory.
    pub unrecorded: u64,
    /// Why numbers never came, as far as that [must be explained](SinkOptions::explains).
    pub explained: Explained,
}

/// An autonomous receiver.
#[derive(Debug)]
pub struct Sink {
    options: SinkOptions,
    source: SourceId,
    rtcp_to: SocketAddr,
    joined_at: Time,
    own_ssrc: u32,
    next_report_at: Option<Time>,
    reception: Option<Reception>,
    rtx: Option<Reception>,
    identity: Identity,
    frames: Frames,
    is_deaf: bool,
    fir_sequence: u8,
    /// Of the last report; NTP's era may end.
    last_ntp: Option<u64>,
    stats: SinkStats,
    due: Vec<i64>,
    /// Given up now, to be explained.
    given_up: Vec<GivenUp>,
    /// What is missing since before this time may stay so: there was a pause. `None`: there is one.
    excused_until: Option<Time>,
    explained: Explained,
    wide_id: Option<u8>,
    /// Lost before anything came.
    lost_early: Vec<u16>,
}

impl Sink {
    pub(super) fn new(
        options: SinkOptions,
        source: SourceId,
        rtcp_to: SocketAddr,
        now: Time,
        mut random: Random,
    ) -> Self {
        let next_report_at = options.report_every.map(|every| {
            let most = u32::try_from(every.as_micros()).unwrap_or(u32::MAX).max(50_001);
            now + Duration::from_micros(random.in_range(50_000, most).into())
        });
        let wide = options.stream.extensions.iter().find(|(uri, _)| *uri == TRANSPORT_WIDE_CC);
        Self {
            wide_id: wide.map(|(_, id)| *id),
            options,
            source,
            rtcp_to,
            joined_at: now,
            own_ssrc: random.next_u32(),
            next_report_at,
            reception: None,
            rtx: None,
            identity: Identity::default(),
            frames: Frames::default(),
            is_deaf: false,
            fir_sequence: 0,
            last_ntp: None,
            stats: SinkStats::default(),
            due: Vec::new(),
            given_up: Vec::new(),
            excused_until: Some(now),
            explained: Explained::default(),
            lost_early: Vec::new(),
        }
    }

    /// What it got and asked for so far.
    pub fn stats(&self) -> SinkStats {
        SinkStats {
            given_up: self.reception.as_ref().map_or(0, |reception| reception.given_up),
            missing: self.reception.as_ref().map_or(0, Reception::missing),
            frames_shown: self.frames.shown,
            frames_skipped: self.frames.skipped,
            resyncs: self.identity.resyncs,
            unrecorded: self.identity.unrecorded,
            explained: self.explained,
            ..self.stats
        }
    }

    /// How it was set up.
    pub fn options(&self) -> &SinkOptions {
        &self.options
    }

    /// Whose packets it gets.
    pub fn source(&self) -> SourceId {
        self.source
    }

    /// It will have to start again once: its consumer was paused, or its source begins anew. What is missing now is not
    /// waited for any more.
    pub fn expect_resync(&mut self) {
        self.identity.resyncs_allowed += 1;
        if let Some(reception) = &mut self.reception {
            reception.forget_missing();
        }
    }

    /// Its consumer or producer is paused: when it goes on it may begin again once, and what is missing stays so.
    pub fn pause(&mut self) {
        // One beginning may still be on its way here, from before this pause.
        self.identity.resyncs_allowed = (self.identity.resyncs_allowed + 1).min(2);
        if let Some(reception) = &mut self.reception {
            reception.forget_missing();
        }
        self.excused_until = None;
    }

    /// It goes on. What was missed before `excused_until` may stay so.
    pub fn go_on(&mut self, excused_until: Time) {
        self.excused_until = Some(excused_until);
    }

    /// How often the numbers that it got wrapped, and those of retransmissions.
    pub fn wraps(&self) -> (u64, u64) {
        let of = |reception: &Option<Reception>| reception.as_ref().map_or(0, Reception::wraps);
        (of(&self.reception), of(&self.rtx))
    }

    /// Hears and says nothing any more, as one whose machine lost power.
    pub fn vanish(&mut self) {
        self.is_deaf = true;
        self.next_report_at = None;
    }

    /// Whether every packet from its first to the last that its source sent came.
    ///
    /// # Panics
    /// It is not so; the sentence says what is missing.
    pub fn assert_complete(&self, source: &Source) {
        let stats = self.stats();
        let Some((first, last)) = stats.first_and_last else { panic!("nothing came: {stats:?}") };
        let ssrc = self.options.stream.ssrc;
        assert_eq!(last + 1, source.end(), "the last packets did not come to {ssrc:#x}: {stats:?}");
        let expected = u64::from(last - first) + 1;
        assert_eq!(
            stats.packets, expected,
            "packets {first} to {last} should have come to {ssrc:#x}: {stats:?}"
        );
    }

    pub(super) fn has_vanished(&self) -> bool {
        self.is_deaf
    }

    /// How often a packet or report was compared with what its source did.
    pub(super) fn checks(&self) -> u64 {
        self.identity.checks + self.explained.all()
    }

    /// The transport-wide number of a packet.
    pub(super) fn wide_number(&self, packet: &RtpView<'_>) -> Option<u16> {
        let value = packet.extension(self.wide_id?)?;
        value.try_into().ok().map(u16::from_be_bytes)
    }

    pub(super) fn is_for(&self, ssrc: u32) -> bool {
        self.options.stream.ssrc == ssrc || self.options.stream.rtx_ssrc == Some(ssrc)
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        if self.is_deaf {
            return None;
        }
        let missing = self.reception.as_ref().and_then(Reception::next_due);
        let frozen = self.frames.next_at(self.options.freeze).filter(|_| self.asks_for_key_frames());
        [self.next_report_at, missing, frozen].into_iter().flatten().min()
    }

    pub(super) fn on_timer(&mut self, source: Option<&Source>, post: &mut Post<'_>) {
        if self.is_deaf {
            return;
        }
        self.ask_for_missing(source, post);
        if self.asks_for_key_frames() && self.frames.needs_key_frame(self.options.freeze, post.now) {
            self.ask_for_key_frame(post);
        }
        if self.next_report_at.is_some_and(|at| at <= post.now) {
            self.report(post);
            self.next_report_at = self.options.report_every.map(|every| post.now + every);
        }
    }

    pub(super) fn on_rtp(&mut self, packet: &RtpView<'_>, parcel: &Parcel, source: &Source, post: &Post<'_>) {
        if self.is_deaf {
            return;
        }
        let Some((sequence, way, payload)) = self.unwrap(packet, parcel.is_copy, post.now) else { return };
        let ask_after = self.options.stream.nack.then_some(self.options.patience.first_after);
        let reception =
            self.reception.get_or_insert_with(|| Reception::new(sequence, self.options.remembers));
        for lost in self.lost_early.drain(..) {
            reception.on_lost(reception.extend(lost));
        }
        let number = reception.extend(sequence);
        let came = reception.on_packet(number, way, parcel.is_copy, ask_after, post.now);
        if way == Way::Media {
            reception.on_transit(packet.timestamp, self.options.stream.clock_rate, post.now);
        }
        let record = self.identity.check(packet, payload, number, self.joined_at, source);
        match came {
            Came::Again => self.stats.duplicates += 1,
            Came::First | Came::Repaired => {
                self.stats.repaired += u64::from(came == Came::Repaired);
                self.count(record, source.is_video(), post.now);
            }
        }
    }

    pub(super) fn on_rtcp(&mut self, packets: &[Rtcp], source: &Source, post: &Post<'_>) {
        let own = self.options.stream.ssrc;
        for packet in packets {
            if let Rtcp::SenderReport { ssrc, ntp, timestamp, .. } = packet
                && *ssrc == own
                && !self.is_deaf
            {
                assert!(!is_after(*ntp, post.wall), "a report from the future: {packet:?}");
                self.stats.sender_reports += 1;
                self.identity.check_report(*ntp, *timestamp, post, source);
                if self.last_ntp.is_none_or(|last| is_after(*ntp, last))
                    && let Some(reception) = &mut self.reception
                {
                    self.last_ntp = Some(*ntp);
                    reception.on_sender_report(compact(*ntp), post.now);
                }
            }
        }
    }

    /// The number and payload that the stream itself gave a packet, also when it came by RTX (RFC 4588).
    fn unwrap<'a>(&mut self, packet: &RtpView<'a>, is_copy: bool, now: Time) -> Option<(u16, Way, &'a [u8])> {
        let stream = &self.options.stream;
        if packet.ssrc == stream.ssrc {
            assert_eq!(packet.payload_type, stream.payload_type, "payload type of {packet:?}");
            return Some((packet.sequence, Way::Media, packet.payload));
        }
        assert_eq!(packet.payload_type, stream.rtx_payload_type, "payload type of {packet:?}");
        let rtx = self.rtx.get_or_insert_with(|| Reception::new(packet.sequence, self.options.remembers));
        let number = rtx.extend(packet.sequence);
        rtx.on_packet(number, Way::Media, is_copy, None, now);
        let (original, payload) = packet.payload.split_first_chunk::<2>()?;
        Some((u16::from_be_bytes(*original), Way::Rtx, payload))
    }

    /// A packet came for the first time.
    fn count(&mut self, record: Option<&Record>, is_video: bool, now: Time) {
        self.stats.packets += 1;
        let Some(record) = record else { return };
        let number = record.number;
        if self.stats.first_and_last.is_none() {
            self.stats.began_at_key_frame = record.is_key_frame && record.index == 0;
        }
        let (first, last) = self.stats.first_and_last.unwrap_or((number, number));
        self.stats.first_and_last = Some((first.min(number), last.max(number)));
        if is_video {
            self.frames.on_packet(record, now);
        } else {
            self.frames.shown += 1;
        }
    }

    fn asks_for_key_frames(&self) -> bool {
        self.options.stream.pli || self.options.stream.fir
    }

    fn ask_for_missing(&mut self, source: Option<&Source>, post: &mut Post<'_>) {
        let Some(reception) = &mut self.reception else { return };
        self.due.clear();
        self.given_up.clear();
        reception.due(&self.options.patience, post.now, &mut self.due, &mut self.given_up);
        self.explain(source);
        if self.due.is_empty() {
            return;
        }
        self.stats.nacked += self.due.len() as u64;
        let sequences = self.due.iter().map(|number| low16(*number)).collect();
        let media = self.options.stream.ssrc;
        let nack = Rtcp::Nack { sender: self.own_ssrc, media, sequences };
        let arrivals = post.send(self.rtcp_to, post.now, None, &rtcp::write(&[nack]));
        let Some(reception) = &mut self.reception else { return };
        for number in &self.due {
            reception.on_asked(*number, arrivals, post.now);
        }
    }

    /// Asks for a key frame: by PLI where that was agreed, else by FIR.
    pub(super) fn ask_for_key_frame(&mut self, post: &mut Post<'_>) {
        self.stats.key_frame_requests += 1;
        let (sender, media) = (self.own_ssrc, self.options.stream.ssrc);
        let request = if self.options.stream.pli {
            Rtcp::Pli { sender, media }
        } else {
            self.fir_sequence = self.fir_sequence.wrapping_add(1);
            Rtcp::Fir { sender, media, sequence: self.fir_sequence }
        };
        post.send(self.rtcp_to, post.now, None, &rtcp::write(&[request]));
    }

    fn report(&mut self, post: &mut Post<'_>) {
        let Some(reception) = &mut self.reception else { return };
        let block = reception.report(self.options.stream.ssrc, post.now);
        let report = Rtcp::ReceiverReport { ssrc: self.own_ssrc, blocks: vec![block] };
        post.send(self.rtcp_to, post.now, None, &rtcp::write(&[report]));
    }
}

/// Whether an NTP time is later than another, also where an era ends between them.
fn is_after(ntp: u64, other: u64) -> bool {
    ntp != other && ntp.wrapping_sub(other) < 1 << 63
}
