//! What a transport sends when. Today: everything at the end of the turn, in the order in which consumers got it.
//!
//! Knows which of its consumers have something unsent, how much was asked for again in this turn, and the transport-wide
//! sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01 2). A pacer and the list of sent packets will live here.

use crate::base::sequence::Serial16;
use crate::base::time::Time;
use crate::media::ConsumerKey;
use crate::network::{Content, Destination};
use crate::random::Random;
use crate::rtp::write::{ExtensionValues, Measured, Outgoing};
use crate::srtp::{Body, Protect};
use crate::turn::Turn;

/// A transport's sending side.
#[derive(Debug)]
pub(crate) struct Sender {
    pending: Vec<ConsumerKey>,
    next_wide_sequence: Serial16,
    /// Numbers that NACKs named at `asked_at`, up to [`ASKED_MAX`].
    asked: u16,
    asked_at: Time,
    /// With SRTP.
    srtp: Option<Box<Protect>>,
}

impl Sender {
    pub(crate) fn new(random: &mut Random) -> Self {
        let start = u16::try_from(random.in_range(0, 32_767)).unwrap_or(0);
        Self {
            pending: Vec::new(),
            next_wide_sequence: Serial16::new(start),
            asked: 0,
            asked_at: Time::ZERO,
            srtp: None,
        }
    }

    /// From now on what leaves is protected.
    pub(crate) fn protect(&mut self, session: Box<Protect>) {
        self.srtp = Some(session);
    }

    /// By how much RTP packets grow on the wire.
    pub(crate) fn tag_bytes(&self) -> usize {
        self.srtp.as_ref().map_or(0, |session| session.suite().rtp_tag_bytes())
    }

    /// The number with which a stream under `ssrc` must go on, if there was one before under these keys.
    pub(crate) fn next_sequence(&self, ssrc: u32) -> Option<Serial16> {
        self.srtp.as_ref()?.next_sequence(ssrc)
    }

    /// Nothing is sent under `ssrc` any more.
    pub(crate) fn retire(&mut self, ssrc: u32) {
        if let Some(session) = &mut self.srtp {
            session.retire(ssrc);
        }
    }

    /// Writes an RTP packet into the batch as it leaves. Its length without what SRTP adds, or `None` when it cannot be
    /// written.
    pub(crate) fn seal(
        &mut self,
        packet: &Outgoing<'_>,
        values: &ExtensionValues<'_>,
        content: Content,
        destination: &Destination,
        turn: &mut Turn<'_>,
    ) -> Option<usize> {
        let packet = Measured::new(packet, values);
        let bytes = packet.packet_bytes();
        let total = bytes + self.tag_bytes();
        let room = turn.room(total)?;
        match &mut self.srtp {
            None => packet.write(room).ok()?,
            Some(session) => {
                packet.write_around(room).ok()?;
                let (header_bytes, payload_offset) = (packet.header_bytes(), packet.payload_offset());
                session.rtp(room, Body { header_bytes, payload_offset, payload: packet.payload() }).ok()?;
            }
        }
        turn.outbox.batch.commit_as(content, destination, total);
        Some(bytes)
    }

    /// Writes an RTCP compound into the batch as it leaves; its length on the wire.
    pub(crate) fn seal_compound(
        &mut self,
        compound: &[u8],
        destination: Destination,
        turn: &mut Turn<'_>,
    ) -> Option<usize> {
        let trailer_bytes = self.srtp.as_ref().map_or(0, |session| session.suite().rtcp_trailer_bytes());
        let room = turn.room(compound.len() + trailer_bytes)?;
        room.get_mut(..compound.len())?.copy_from_slice(compound);
        let total = match &mut self.srtp {
            None => compound.len(),
            Some(session) => session.rtcp(room, compound.len()).ok()?,
        };
        turn.outbox.batch.commit(destination, total);
        Some(total)
    }

    /// A consumer has something to send. Whether it is the first one of this transport.
    pub(crate) fn enqueue(&mut self, consumer: ConsumerKey) -> bool {
        // A consumer is planned once a run, and has one stream: only its last run can have put it here.
        if self.pending.last() != Some(&consumer) {
            self.pending.push(consumer);
        }
        self.pending.len() == 1
    }

    /// Whether a consumer waits.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Hands every waiting consumer to `seal` and forgets it.
    pub(crate) fn for_each_pending(&mut self, mut seal: impl FnMut(ConsumerKey, &mut Self)) {
        let mut pending = std::mem::take(&mut self.pending);
        for consumer in pending.drain(..) {
            seal(consumer, self);
        }
        // Nothing is enqueued while sealing, so the emptied list takes its place back with its room.
        self.pending = pending;
    }

    /// The peer asks for so many packets; how many of them are looked for. All times of a turn are one.
    pub(crate) fn admit_asked(&mut self, numbers: usize, now: Time) -> usize {
        if self.asked_at != now {
            (self.asked, self.asked_at) = (0, now);
        }
        let admitted = u16::try_from(numbers).unwrap_or(u16::MAX).min(ASKED_MAX - self.asked);
        self.asked += admitted;
        admitted.into()
    }

    /// The number of the next packet that leaves this transport.
    pub(crate) fn take_wide_sequence(&mut self) -> Serial16 {
        let sequence = self.next_wide_sequence;
        self.next_wide_sequence = sequence.next();
        sequence
    }

    pub(crate) fn forget(&mut self, consumer: ConsumerKey) {
        self.pending.retain(|other| *other != consumer);
    }
}

/// Numbers of a turn that are looked for, all consumers together: four receivers that miss a thousand packets each, the
/// most that libwebrtc asks for at once. What is honest and more is asked for again.
const ASKED_MAX: u16 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_answers_so_many_numbers_and_the_next_as_many() {
        let mut sender = Sender::new(&mut Random::from_seed([1; 32]));
        let now = Time::from_millis(5);
        assert_eq!([4_000, 90, 17, 1].map(|numbers| sender.admit_asked(numbers, now)), [4_000, 90, 6, 0]);
        let next = Time::from_millis(6);
        assert_eq!([usize::MAX, 1].map(|numbers| sender.admit_asked(numbers, next)), [4_096, 0]);
    }
}
