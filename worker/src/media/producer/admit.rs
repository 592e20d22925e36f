//! A packet enters its stream.
//!
//! Knows the producer and the packet. Everything that can be wrong with a packet that was well formed is decided
//! here: duplicates, restarts, unknown payload types, repairs of what was not lost.

use std::time::Duration;

use tidegate_protocol::event::{Event, VideoOrientation};
use tidegate_protocol::stats::Direction;

use crate::base::pool::Buffer;
use crate::base::sequence::Seq;
use crate::base::time::Time;
use crate::media::demux::Role;
use crate::media::parameters::{Codec, Format};
use crate::media::producer::Producer;
use crate::media::producer::describe::{Described, Encoder, Look};
use crate::media::producer::stream::{ReceivedStream, Stored, StreamOptions};
use crate::media::trace::{self, Tracer};
use crate::outbox::LogTag;
use crate::rtp::header::Header;
use crate::rtp::payload::red;
use crate::rtp::values::{self, AudioLevel, Orientation};
use crate::rtp::{ExtensionKind, rtx};
use crate::stream::nack::Arrival;
use crate::stream::receive::{Stamp, Verdict};
use crate::stream::score;
use crate::turn::Turn;

/// A well-formed packet of a producer's stream.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) header: Header,
    pub(crate) buffer: Buffer,
    pub(crate) received_at: Time,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// It joined the run, as its first packet.
    pub(crate) begins_run: bool,
    /// Something was lost that should be asked for again.
    pub(crate) lost: bool,
    /// The peer began, or so much was lost: only a key frame helps.
    pub(crate) needs_key_frame: bool,
    /// The stream's score is another now.
    pub(crate) score_changed: bool,
    /// The peer began anew: consumers start again with it.
    pub(crate) restarted: bool,
    /// The stream began, or came back from silence.
    pub(crate) awoke: bool,
    /// The camera is held otherwise than in the stream's packets before.
    pub(crate) turned: bool,
    /// No memory was left for it.
    pub(crate) no_memory: bool,
    /// It is new, and its producer is not paused.
    pub(crate) is_live: bool,
}

impl Producer {
    /// Takes a packet of the encoding with index `encoding` into its stream.
    pub(crate) fn admit(
        &mut self,
        encoding: u8,
        role: Role,
        received: Received,
        turn: &mut Turn<'_>,
    ) -> Admitted {
        let Some(mut received) = (match role {
            Role::Media => Some(received),
            Role::Rtx => self.restore(encoding, received),
            // Counted by whoever got it; nobody's numbers fit what it would recover.
            Role::Fec => None,
        }) else {
            return Admitted::default();
        };
        let codec = self.codec_of(received.header.payload_type);
        let Some(codec) = codec.filter(|codec| codec.format != Format::Red || self.map_blocks(&mut received))
        else {
            if let Some(stream) = self.stream_mut(usize::from(encoding)) {
                stream.counters.discarded += 1;
            }
            return Admitted::default();
        };
        let (id, paused) = (self.id, self.is_paused());
        let tracer = self.traced.has_packets().then(|| self.tracer());
        let is_observed = self.observed.is_some();
        let begins = self.streams.get(usize::from(encoding)).is_some_and(Option::is_none);
        let Some(stream) = self.stream_for(encoding, received.header.ssrc, codec, turn.now) else {
            return Admitted::default();
        };
        let level = if is_observed { stream.level_of(role, &received) } else { None };
        if begins {
            let (ssrc, mime_type) = (stream.ssrc, codec.format.mime_type());
            turn.debug(LogTag::Rtp, || format!("producer {}: SSRC {ssrc} begins, {mime_type}", id.0));
        }
        let admitted = stream.admit(received, codec, role, paused, tracer, turn);
        if admitted.restarted {
            let (ssrc, number) = (stream.ssrc, stream.tracker.highest().map(|seq| seq.wire().wire()));
            turn.debug(LogTag::Rtp, || {
                format!("producer {}: SSRC {ssrc} begins anew at {}", id.0, number.unwrap_or_default())
            });
        }
        if admitted.turned {
            self.tell_orientation(encoding, turn);
        }
        if let Some((observed, level)) = self.observed.as_deref_mut().zip(level)
            && admitted.is_live
        {
            observed.on_level(level, turn.now);
        }
        admitted
    }

    /// Tells how the camera is held. The encodings of one camera turn together, so that the first one's word is news.
    fn tell_orientation(&mut self, encoding: u8, turn: &mut Turn<'_>) {
        let stream = self.streams.get(usize::from(encoding)).and_then(Option::as_deref);
        let Some(held) = stream.and_then(|stream| stream.orientation) else { return };
        if self.orientation.replace(held) != Some(held) {
            let (camera, flip, rotation) = (held.is_back_camera(), held.is_flipped(), held.rotation());
            let orientation = VideoOrientation { camera, flip, rotation };
            turn.outbox.event(Event::ProducerVideoOrientation { producer: self.id, orientation });
        }
    }

    fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.codecs.iter().find(|codec| codec.payload_type == payload_type).copied()
    }

    /// Gives the blocks of a RED packet the router's payload types. False for a packet that no consumer could read:
    /// malformed, or with a block of a codec that RED was not negotiated for.
    fn map_blocks(&self, received: &mut Received) -> bool {
        let (start, bytes) = (received.header.payload_offset(), received.header.payload_len());
        let Some(payload) = received.buffer.get_mut(start..start + bytes) else { return false };
        let mapped = |payload_type| {
            let codec = self.codec_of(payload_type).filter(|codec| codec.in_red)?;
            Some(codec.mapped_payload_type)
        };
        // Padding alone has a number to account for.
        payload.is_empty()
            || red::Descriptor::parse(payload).is_some_and(|found| red::rewrite(payload, &found, mapped))
    }

    /// Takes the original packet out of a retransmission (RFC 4588).
    fn restore(&mut self, encoding: u8, mut received: Received) -> Option<Received> {
        let stream = self.streams.get_mut(usize::from(encoding))?.as_deref_mut()?;
        let codec =
            self.codecs.iter().find(|codec| codec.rtx_payload_type == Some(received.header.payload_type))?;
        stream.rtx_ssrc = Some(received.header.ssrc);
        let length =
            rtx::unwrap(&mut received.buffer, &mut received.header, stream.ssrc, codec.payload_type).ok()?;
        received.buffer.set_len(length);
        Some(received)
    }

    /// The encoding's stream, made at its first packet.
    fn stream_for(
        &mut self,
        encoding: u8,
        ssrc: u32,
        codec: Codec,
        now: Time,
    ) -> Option<&mut ReceivedStream> {
        let index = usize::from(encoding);
        let announced = self.encodings.get(index)?;
        let options = StreamOptions {
            rtx_ssrc: announced.rtx_ssrc,
            dtx: announced.traits.dtx(),
            kind: self.kind,
            extensions: self.extensions,
            key_frame_request_delay: Duration::from_millis(self.key_frame_request_delay_ms.into()),
        };
        let slot = self.streams.get_mut(index)?;
        let stream = slot.get_or_insert_with(|| Box::new(ReceivedStream::new(ssrc, &options, codec, now)));
        if stream.ssrc != ssrc {
            stream.adopt(ssrc, options.rtx_ssrc);
        }
        Some(stream)
    }
}

impl ReceivedStream {
    fn admit(
        &mut self,
        received: Received,
        codec: Codec,
        role: Role,
        paused: bool,
        tracer: Option<Tracer>,
        turn: &mut Turn<'_>,
    ) -> Admitted {
        let mut admitted = Admitted::default();
        let starts = self.tracker.highest().is_none();
        let Some(seq) = self.judge(&received.header, role, codec, &mut admitted) else { return admitted };
        let changes = self.changes_to(codec, seq, role);
        if changes {
            self.change_codec(codec);
        }
        let look = Look { header: &received.header, packet: &received.buffer, extensions: &self.extensions };
        let said = self.encoder.describe(codec.format, look);
        let is_key_frame = said.is_key_frame;
        admitted.turned = self.watch_orientation(seq, &received.header, &received.buffer);
        if let Some(tracer) = tracer {
            let Received { header, buffer, .. } = &received;
            let is_rtx = role == Role::Rtx;
            let packet =
                trace::as_received(header, buffer, &self.extensions, codec.format, is_key_frame, is_rtx);
            tracer.packet(Direction::Inbound, packet, turn);
        }
        admitted.needs_key_frame |= (starts || changes) && !is_key_frame;
        self.count(&received, role, seq, codec.clock_rate, &mut admitted, turn.now);
        self.encoder.count_layer(said.layer, &received.header, turn.now, self.rate_window());
        if is_key_frame {
            self.key_frames.on_key_frame();
        }
        admitted.score_changed |= starts;
        admitted.awoke |= starts;
        if paused {
            return admitted;
        }
        admitted.is_live = true;
        if self.codec.feedback.nack && !self.watch_losses(seq, role, is_key_frame, &mut admitted, turn.now) {
            return admitted;
        }
        let stored = self.store(received, codec, seq, said, turn);
        match self.push(stored, turn) {
            Some(first) => admitted.begins_run = first,
            None => admitted.no_memory = true,
        }
        admitted
    }

    /// The packet as consumers will read it.
    fn store(&self, received: Received, codec: Codec, seq: Seq, said: Described, turn: &Turn<'_>) -> Stored {
        let Received { header, mut buffer, received_at } = received;
        self.translate_capture_clock(&header, &mut buffer, turn);
        let is_start = self.is_start(seq, said.is_key_frame);
        Stored {
            packet: buffer.freeze(),
            header,
            seq,
            received_at,
            extensions: self.extensions,
            mapped_payload_type: codec.mapped_payload_type,
            beginning: self.beginning,
            is_key_frame: said.is_key_frame,
            is_start,
            is_silence: said.is_silence,
        }
    }

    /// An absolute capture time may say how the capturing system's clock differs from the peer's, by which the peer
    /// reports. We report by our own clock: the difference becomes one to ours, and while that is not known, none.
    fn translate_capture_clock(&self, header: &Header, packet: &mut [u8], turn: &Turn<'_>) {
        let Some(id) = self.extensions.get(ExtensionKind::AbsCaptureTime) else { return };
        let value = header.extensions.get_mut(id, packet);
        let Some(value) = value.filter(|value| values::has_capture_clock(value)) else { return };
        let delay = self.round_trip.unwrap_or_default() / 2;
        if let Some(ahead) = self.capture.ahead_of(turn.wall.0, turn.now, delay) {
            values::shift_capture_clock(value, ahead);
        } else {
            header.extensions.shorten(id, packet, values::CAPTURE_TIME_BYTES);
        }
    }

    /// What a packet of the stream itself says of its loudness (RFC 6464).
    fn level_of(&self, role: Role, received: &Received) -> Option<AudioLevel> {
        let id = self.extensions.get(ExtensionKind::AudioLevel).filter(|_| role == Role::Media)?;
        received.header.extensions.get(id, &received.buffer).and_then(AudioLevel::read)
    }

    /// Whether the peer goes on with another codec than before. Late packets and repairs are of the past, and some codecs
    /// only come in between.
    fn changes_to(&self, codec: Codec, seq: Seq, role: Role) -> bool {
        codec.payload_type != self.codec.payload_type
            && role == Role::Media
            && self.tracker.highest() == Some(seq)
            && !codec.format.comes_in_between()
    }

    /// The packet's extended number; `None` when it came before or cannot be believed.
    fn judge(&mut self, header: &Header, role: Role, codec: Codec, admitted: &mut Admitted) -> Option<Seq> {
        let stamp = Stamp { timestamp: header.timestamp, clock_rate: codec.clock_rate };
        let verdict = match role {
            Role::Media => self.tracker.on_packet(header.sequence, stamp),
            Role::Rtx | Role::Fec => self.tracker.on_repair(header.sequence, stamp),
        };
        match verdict {
            Verdict::New { seq, .. } | Verdict::Late(seq) => return Some(seq),
            Verdict::Restarted(seq) => {
                self.begin_anew();
                admitted.restarted = true;
                admitted.needs_key_frame = true;
                return Some(seq);
            }
            // Senders probe with retransmissions of what has arrived: no second arrival of the stream itself.
            Verdict::Duplicate if role == Role::Media => self.reception.on_duplicate(),
            Verdict::Duplicate | Verdict::Suspicious => {}
        }
        self.discard(role);
        None
    }

    /// A packet brings nothing.
    fn discard(&mut self, role: Role) {
        match role {
            Role::Media => self.counters.discarded += 1,
            Role::Rtx | Role::Fec => self.counters.rtx_discarded += 1,
        }
    }

    /// Whether the camera is held otherwise than before. Senders say it only now and then; what comes late is of the past.
    fn watch_orientation(&mut self, seq: Seq, header: &Header, packet: &[u8]) -> bool {
        let Some(id) = self.extensions.get(ExtensionKind::VideoOrientation) else { return false };
        let said = header.extensions.get(id, packet).and_then(Orientation::read);
        let Some(held) = said.filter(|_| self.tracker.highest() == Some(seq)) else { return false };
        self.orientation.replace(held) != Some(held)
    }

    /// Padding alone (probing) is not media: it has a number to account for and nothing to count.
    fn count(
        &mut self,
        received: &Received,
        role: Role,
        seq: Seq,
        clock_rate: u32,
        admitted: &mut Admitted,
        now: Time,
    ) {
        let header = &received.header;
        if header.payload_len() > 0 {
            if self.is_silent(now) {
                // Back from silence: whatever was lost before says nothing about now.
                admitted.score_changed = self.score.reset(score::MAX, now).is_some();
                admitted.awoke = true;
            }
            self.media.add(now, header.packet_len());
        }
        // A repair has a stream of its own: for reports its original stays lost (RFC 4588 4).
        if role == Role::Media {
            if clock_rate == self.codec.clock_rate {
                self.jitter.on_packet(header.timestamp, received.received_at, clock_rate);
            }
            if admitted.restarted {
                self.reception.on_restart(seq);
            } else {
                self.reception.on_packet(seq);
            }
        }
    }

    /// Keeps the list of losses. False: a repair that nobody waits for.
    fn watch_losses(
        &mut self,
        seq: Seq,
        role: Role,
        is_key_frame: bool,
        admitted: &mut Admitted,
        now: Time,
    ) -> bool {
        if is_key_frame {
            self.losses.on_key_frame(seq);
        }
        // The list does not begin with what comes late, as after a pause: what is behind it came while nothing was listed.
        let arrival = match role {
            _ if !self.losses.has_begun() && self.is_late(seq) => Arrival::Unlisted,
            Role::Media => self.losses.on_arrival(seq, now),
            Role::Rtx | Role::Fec => self.losses.on_retransmission(seq, now),
        };
        match arrival {
            Arrival::Newest { missing } => admitted.lost = missing > 0,
            Arrival::KeyFrameNeeded => admitted.needs_key_frame = true,
            Arrival::Unlisted if role == Role::Rtx => {
                self.discard(role);
                return false;
            }
            Arrival::Unlisted | Arrival::Found { .. } => {}
        }
        true
    }

    /// The peer began anew: what was lost is lost, and consumers start again.
    fn begin_anew(&mut self) {
        self.beginning = self.beginning.wrapping_add(1);
        self.losses.clear();
        self.jitter.restart();
        self.capture.restart();
        self.encoder = Encoder::default();
    }
}
