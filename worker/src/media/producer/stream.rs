//! One stream that a producer's peer sends.
//!
//! Owns the engines of the receiving side and carries results from one to the next. Does not know the network.
//! Invariant: the run is the tail of the history that came in this turn, and outside a turn it is empty.

use std::time::Duration;

use smallvec::SmallVec;
use tidegate_protocol::rtp::MediaKind;

use crate::base::pool::Packet;
use crate::base::sequence::{Seq, Serial8};
use crate::base::time::Time;
use crate::media::parameters::{Codec, ExtensionIds};
use crate::media::producer::describe::Encoder;
use crate::media::producer::key_frames::KeyFrameRequests;
use crate::rtcp::ReportBlock;
use crate::rtp::ExtensionKind;
use crate::rtp::header::Header;
use crate::rtp::values::Orientation;
use crate::stream::Kind;
use crate::stream::bitrate::{self, Bitrate};
use crate::stream::capture::CaptureClock;
use crate::stream::history::{Position, StreamHistory, retain};
use crate::stream::jitter::Jitter;
use crate::stream::nack::LossList;
use crate::stream::receive::Tracker;
use crate::stream::report::Reception;
use crate::stream::score::{self, Score};
use crate::turn::Turn;

/// A received stream with its engines.
#[derive(Debug)]
pub(crate) struct ReceivedStream {
    pub(crate) ssrc: u32,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) kind: MediaKind,
    /// The peer pauses in silence: silence lasts longer before it is taken for absence.
    dtx: bool,
    pub(crate) codec: Codec,
    pub(crate) extensions: ExtensionIds,
    pub(crate) tracker: Tracker,
    pub(crate) losses: LossList,
    pub(crate) reception: Reception,
    pub(crate) jitter: Jitter,
    pub(crate) capture: CaptureClock,
    pub(crate) score: Score,
    pub(crate) media: Bitrate,
    /// Of the last interval, in 1/256.
    pub(crate) fraction_lost: u8,
    /// To the peer, by its answer to our reference time.
    pub(crate) round_trip: Option<Duration>,
    pub(crate) counters: ReceivedCounters,
    pub(crate) key_frames: KeyFrameRequests,
    pub(crate) fir_sequence: Serial8,
    /// How the camera was held in the newest packet that says so.
    pub(crate) orientation: Option<Orientation>,
    /// What is known of what the peer sends it with.
    pub(crate) encoder: Encoder,
    /// Raised when the peer began anew; consumers notice and start again.
    pub(crate) beginning: u8,
    history: StreamHistory<Stored>,
    run_start: Option<Position>,
    retain: Duration,
    run_wanted: bool,
    pub(crate) history_armed: Option<Time>,
    pub(crate) key_frames_armed: Option<Time>,
    pub(crate) nacks_armed: Option<Time>,
}

const _: () = assert!(size_of::<ReceivedStream>() <= 800);

/// What a stream takes over from its producer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamOptions {
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) dtx: bool,
    pub(crate) kind: MediaKind,
    pub(crate) extensions: ExtensionIds,
    pub(crate) key_frame_request_delay: Duration,
}

/// What happened to a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceivedCounters {
    pub(crate) discarded: u64,
    pub(crate) rtx_discarded: u64,
    pub(crate) nacks: u64,
    pub(crate) nacked_packets: u64,
    pub(crate) plis: u64,
    pub(crate) firs: u64,
}

/// A packet as consumers read it: written once, never changed.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) packet: Packet,
    pub(crate) header: Header,
    pub(crate) seq: Seq,
    pub(crate) received_at: Time,
    pub(crate) extensions: ExtensionIds,
    pub(crate) mapped_payload_type: u8,
    pub(crate) beginning: u8,
    pub(crate) is_key_frame: bool,
    /// A consumer can start with it: a decoder can, and what came before it and belongs behind it is held; sound that is
    /// not late.
    pub(crate) is_start: bool,
    pub(crate) is_silence: bool,
}

const _: () = assert!(size_of::<Stored>() <= 96);

impl Stored {
    /// The value of an extension that the peer sent.
    pub(crate) fn extension(&self, kind: ExtensionKind) -> Option<&[u8]> {
        self.header.extensions.get(self.extensions.get(kind)?, &self.packet)
    }
}

impl ReceivedStream {
    /// A stream whose first packet has just come with `ssrc`.
    pub(crate) fn new(ssrc: u32, producer: &StreamOptions, codec: Codec, now: Time) -> Self {
        Self {
            ssrc,
            rtx_ssrc: producer.rtx_ssrc,
            kind: producer.kind,
            dtx: producer.dtx,
            codec,
            extensions: producer.extensions,
            tracker: Tracker::new(),
            losses: LossList::new(),
            reception: Reception::new(),
            jitter: Jitter::new(),
            capture: CaptureClock::new(),
            score: Score::new(now),
            media: Bitrate::new(rate_window(producer.dtx)),
            fraction_lost: 0,
            round_trip: None,
            counters: ReceivedCounters::default(),
            key_frames: KeyFrameRequests::new(producer.key_frame_request_delay),
            fir_sequence: Serial8::new(0),
            orientation: None,
            encoder: Encoder::default(),
            beginning: 0,
            history: StreamHistory::new(),
            run_start: None,
            retain: retain(None, if producer.kind == MediaKind::Video { Kind::Video } else { Kind::Audio }),
            run_wanted: false,
            history_armed: None,
            key_frames_armed: None,
            nacks_armed: None,
        }
    }

    /// Takes a packet into the run. Whether it is the run's first one; `None` when there is no memory.
    pub(crate) fn push(&mut self, stored: Stored, turn: &mut Turn<'_>) -> Option<bool> {
        let bytes = u32::try_from(stored.packet.class().capacity()).unwrap_or(u32::MAX);
        let position = self.history.push(stored, turn.now, bytes, turn.pool).ok()?;
        let first = self.run_start.is_none();
        self.run_start.get_or_insert(position);
        Some(first)
    }

    /// The packets that came in this turn.
    pub(crate) fn run(&self) -> impl Iterator<Item = (Position, &Stored)> {
        let start = self.run_start.unwrap_or_else(|| self.history.end());
        self.history.iter_from(start)
    }

    /// Whether a consumer can start with a packet of this number that comes only now: whether all that came from behind
    /// it is held. Else it would be missing for good, for nobody asks for it again.
    fn holds_all_above(&self, seq: Seq) -> bool {
        !self.is_late(seq) || self.tracker.arrived_above(seq) == Some(self.above(seq, self.beginning).count())
    }

    /// Whether packets behind it came before it.
    pub(crate) fn is_late(&self, seq: Seq) -> bool {
        self.tracker.highest().is_some_and(|highest| highest > seq)
    }

    /// Whether a consumer can start with the packet `seq`. Where each packet can be started with, none has to be that is
    /// late: what came before it is of before the consumer joined or went on.
    pub(crate) fn is_start(&self, seq: Seq, is_key_frame: bool) -> bool {
        if self.tells_key_frames() { is_key_frame && self.holds_all_above(seq) } else { !self.is_late(seq) }
    }

    /// What is held of the packets that came before `stored`, which is at `position`, and belong behind it; in order of
    /// number.
    pub(crate) fn ahead_of(
        &self,
        position: Position,
        stored: &Stored,
    ) -> SmallVec<[(Position, &Stored); AHEAD_USUAL]> {
        let above = self.above(stored.seq, stored.beginning);
        let mut ahead: SmallVec<[_; AHEAD_USUAL]> = above.filter(|(other, _)| *other < position).collect();
        ahead.sort_unstable_by_key(|(_, stored)| stored.seq);
        ahead
    }

    fn above(&self, seq: Seq, beginning: u8) -> impl Iterator<Item = (Position, &Stored)> {
        let last = self.history.iter_last(AHEAD_MAX);
        last.filter(move |(_, stored)| stored.seq > seq && stored.beginning == beginning)
    }

    /// Whether a run has begun and not ended.
    pub(crate) fn has_run(&self) -> bool {
        self.run_start.is_some()
    }

    /// All packets that are held.
    pub(crate) fn stored_packets(&self) -> impl Iterator<Item = &Stored> {
        self.history.iter_from(self.history.oldest()).map(|(_, stored)| stored)
    }

    /// Bytes of the history itself, as charged to the budget.
    pub(crate) fn ring_bytes(&self) -> usize {
        self.history.ring_bytes()
    }

    /// Some consumer sends packets of this run and may be asked for them again, or waits for a key frame: its first packet
    /// may come after others of it.
    pub(crate) fn wanted(&mut self) {
        self.run_wanted = true;
    }

    /// Ends the turn: what nobody can ask for again is not kept.
    pub(crate) fn end_run(&mut self, turn: &mut Turn<'_>) {
        let wanted = std::mem::take(&mut self.run_wanted);
        if let Some(start) = self.run_start.take().filter(|_| !wanted) {
            self.history.take_back(start);
        }
        self.history.expire(turn.now, self.retain, turn.pool);
    }

    /// Ends a run of which nobody knows how far it was planned: its packets stay, for some may wait to be sent.
    pub(crate) fn abandon_run(&mut self, turn: &mut Turn<'_>) {
        self.run_wanted = true;
        self.end_run(turn);
    }

    /// Whether consumers may still ask for a packet; it may be held for a little longer than that.
    pub(crate) fn keeps(&self, stored: &Stored, now: Time) -> bool {
        now.since(stored.received_at) <= self.retain
    }

    /// The packet that a consumer remembers by the low half of its position.
    pub(crate) fn stored(&self, position: u32) -> Option<&Stored> {
        self.history.resolve(position)
    }

    /// Lets go of what is older than consumers may ask for.
    pub(crate) fn expire(&mut self, rtt_max: Option<Duration>, turn: &mut Turn<'_>) {
        self.retain = retain(rtt_max, self.stream_kind());
        self.history.expire(turn.now, self.retain, turn.pool);
    }

    /// A consumer's round trip was measured: packets are kept at least as long as it needs from now on. (That they may
    /// be kept for less is found when they age.)
    pub(crate) fn on_round_trip(&mut self, measured: Duration) {
        self.retain = self.retain.max(retain(Some(measured), self.stream_kind()));
    }

    /// How long packets are kept.
    pub(crate) fn retain(&self) -> Duration {
        self.retain
    }

    /// Bytes of packet memory that are kept for repair.
    pub(crate) fn held_bytes(&self) -> usize {
        self.history.held_bytes()
    }

    /// Lets the oldest packet go, to make room.
    pub(crate) fn evict_oldest(&mut self) -> bool {
        self.history.evict_oldest().is_some()
    }

    /// Lets all packets go.
    pub(crate) fn forget_packets(&mut self, turn: &mut Turn<'_>) {
        self.run_start = None;
        self.history.clear(turn.pool);
    }

    /// The producer was paused: what was lost stays lost.
    pub(crate) fn on_pause(&mut self, turn: &mut Turn<'_>) {
        self.losses.clear();
        self.key_frames.cancel();
        self.forget_packets(turn);
    }

    /// The producer was resumed: its peer may have stopped meanwhile, and is given the time to go on.
    pub(crate) fn on_resume(&mut self, now: Time) {
        if self.score.active_since().is_some() {
            self.media.touch(now);
        }
    }

    /// The peer changed to another codec that was agreed. Its clock, its feedback and its key frames count from now on.
    pub(crate) fn change_codec(&mut self, codec: Codec) {
        let before = std::mem::replace(&mut self.codec, codec);
        if before.clock_rate != codec.clock_rate {
            self.jitter.change_clock(before.clock_rate, codec.clock_rate);
            self.capture.restart();
        }
        if before.feedback.nack != codec.feedback.nack {
            self.losses.clear();
        }
        self.encoder = Encoder::default();
    }

    /// Packets have another SSRC from now on: the sender of the one before fell silent, and was started anew.
    pub(crate) fn adopt(&mut self, ssrc: u32, rtx_ssrc: Option<u32>) {
        self.ssrc = ssrc;
        self.rtx_ssrc = rtx_ssrc;
        self.tracker.renew();
        self.reception = Reception::new();
        self.fraction_lost = 0;
    }

    pub(crate) fn is_video(&self) -> bool {
        self.kind == MediaKind::Video
    }

    pub(crate) fn tells_key_frames(&self) -> bool {
        self.codec.format.tells_key_frames()
    }

    pub(crate) fn clock_rate(&self) -> u32 {
        self.codec.clock_rate
    }

    /// What its rates are taken over.
    pub(crate) fn rate_window(&self) -> Duration {
        rate_window(self.dtx)
    }

    /// When the stream will have failed to be there, should nothing more come. Padding alone is no sign of life.
    pub(crate) fn inactive_at(&self) -> Option<Time> {
        let limit = if self.dtx { bitrate::INACTIVE_AFTER_DTX } else { bitrate::INACTIVE_AFTER };
        let heard_at = self.media.last_at().or_else(|| self.score.active_since())?;
        Some(heard_at + limit)
    }

    /// Whether nothing has come for so long that nobody may be there.
    pub(crate) fn is_silent(&self, now: Time) -> bool {
        self.inactive_at().is_none_or(|at| at <= now)
    }

    /// Gives a stream that nothing comes of the score 0; whether that is news.
    pub(crate) fn fall_silent(&mut self, now: Time) -> bool {
        self.is_silent(now) && self.score.reset(0, now).is_some()
    }

    /// Once an interval: the new score; whether it changed. That of a silent stream is [`fall_silent`]'s.
    ///
    /// [`fall_silent`]: Self::fall_silent
    pub(crate) fn update_score(&mut self, now: Time) -> bool {
        if self.is_silent(now) {
            return false;
        }
        let totals = score::Received {
            expected: self.reception.expected(),
            received: self.reception.received(),
            repaired: self.losses.packets_repaired(),
            retransmitted: self.losses.packets_retransmitted(),
            has_rtx: self.rtx_ssrc.is_some(),
        };
        self.score.on_interval(totals, now).is_some()
    }

    /// What a receiver report says of this stream now.
    pub(crate) fn report_block(&mut self, now: Time) -> Option<ReportBlock> {
        let silent_for = self.media.last_at().map(|at| now.since(at));
        if silent_for.is_none_or(|span| span > SILENT_AFTER) {
            return None;
        }
        let block = self.reception.report(self.ssrc, self.jitter.timestamp_units(), now)?;
        self.fraction_lost = block.fraction_lost;
        Some(block)
    }

    /// While packets come they age out as the turns end; the timer is for what stays behind when they stop, and for
    /// what changes slowly. So it need not follow the oldest packet, which would wake the process all the time.
    pub(crate) fn arm_history(&mut self, now: Time) -> Option<Time> {
        let oldest_ends = self.history.next_expiry(self.retain)?;
        let newest_ends = self.media.last_at().unwrap_or(now) + self.retain;
        arm(&mut self.history_armed, Some(oldest_ends.max(newest_ends)))
    }

    pub(crate) fn arm_key_frames(&mut self) -> Option<Time> {
        arm(&mut self.key_frames_armed, self.key_frames.next_deadline())
    }

    pub(crate) fn arm_nacks(&mut self) -> Option<Time> {
        arm(&mut self.nacks_armed, self.losses.next_deadline())
    }

    fn stream_kind(&self) -> Kind {
        if self.is_video() { Kind::Video } else { Kind::Audio }
    }
}

const fn rate_window(dtx: bool) -> Duration {
    if dtx { bitrate::WINDOW_DTX } else { bitrate::WINDOW }
}

/// A timer of a producer went off; a stream whose own is set for later waits for that one. (If it set another, timers
/// would beget timers as long as the stream lives: each loss, each rest would add one.)
pub(crate) fn went_off(armed: &mut Option<Time>, now: Time) {
    let _ = armed.take_if(|at| *at <= now);
}

/// The time to set a timer for, if one is needed and none that is early enough is set.
fn arm(armed: &mut Option<Time>, needed: Option<Time>) -> Option<Time> {
    let needed = needed?;
    if armed.is_some_and(|armed| armed <= needed) {
        return None;
    }
    *armed = Some(needed);
    Some(needed)
}

/// A stream silent for longer is not reported on.
const SILENT_AFTER: Duration = Duration::from_secs(2);
/// How many packets are looked at for those that came before a key frame's first one: a repaired one comes a round trip
/// late, which a stream of 20 Mb/s fills with as many.
const AHEAD_MAX: usize = 512;
/// Up to which no memory is needed.
const AHEAD_USUAL: usize = 32;
