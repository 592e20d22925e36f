//! What of a run a consumer gets, and under which number. The decision is remembered, not carried out: `seal` writes.
//!
//! Knows the consumer, its producer's stream and the run. Does not know the transport. Called once per consumer and
//! run: this loop and the one in `seal` are where a worker's time goes.

use smallvec::SmallVec;

use crate::base::sequence::Seq;
use crate::media::consumer::seal::Carried;
use crate::media::consumer::{Consumer, seal};
use crate::media::producer::stream::{ReceivedStream, Stored};
use crate::stream::history::Position;
use crate::stream::ring::{Entry, Rewrite};
use crate::turn::Turn;

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Packets that will be sent.
    pub(crate) packets: usize,
    /// It can only start at a key frame, and there was none.
    pub(crate) needs_key_frame: bool,
}

/// Plans the packets that `stream` took in this turn.
pub(crate) fn plan_run(
    consumer: &mut Consumer,
    stream: &ReceivedStream,
    equalize_padding: bool,
    turn: &mut Turn<'_>,
) -> Planned {
    #[cfg(test)]
    assert!(!consumer.is_defective, "a planted defect");
    let mut planned = Planned::default();
    let mut passing: SmallVec<[Passing; RUN_USUAL]> = SmallVec::new();
    let carried = &seal::carried(consumer);
    for (position, stored) in stream.run() {
        let begins = consumer.stream.follows != Some(stored.beginning);
        if begins && !may_begin(consumer, stored) {
            planned.needs_key_frame |= stream.tells_key_frames();
            continue;
        }
        if begins {
            follow(consumer, stream, stored, turn);
        }
        if let Some(packet) = plan(consumer, carried, position, stored, turn) {
            passing.push(packet);
        }
        if begins {
            planned.needs_key_frame = false;
            let ahead = stream.ahead_of(position, stored);
            passing.extend(
                ahead
                    .iter()
                    .filter_map(|(position, stored)| plan(consumer, carried, *position, stored, turn)),
            );
        }
    }
    if equalize_padding && stream.is_video() {
        equalize(&mut passing);
    }
    let retain = consumer.retain(stream);
    for packet in &passing {
        match consumer.stream.ring.push(
            packet.seq,
            Entry::new(packet.position, packet.rewrite),
            turn.now,
            retain,
            turn.pool,
        ) {
            Ok(()) => planned.packets += 1,
            Err(_) => discard(consumer, turn),
        }
    }
    planned
}

/// A packet that will be sent.
struct Passing {
    seq: Seq,
    position: u32,
    rewrite: Rewrite,
    /// Of payload and header extensions: what sizes of sealed packets differ by.
    bytes: u16,
}

// The body of the hot loop, and of one that is rarely run.
#[inline(always)]
fn plan(
    consumer: &mut Consumer,
    carried: &Carried,
    position: Position,
    stored: &Stored,
    turn: &Turn<'_>,
) -> Option<Passing> {
    if !passes(consumer, stored) {
        consumer.stream.continuity.drop_input(stored.seq);
        if !has_codec(consumer, stored) {
            // RED to who has Opus alone, for example: to be seen in its statistics.
            discard(consumer, turn);
        }
        return None;
    }
    let Some(seq) = consumer.stream.continuity.forward(stored.seq) else {
        discard(consumer, turn);
        return None;
    };
    consumer.stream.timestamps.forward(stored.header.timestamp, turn.now);
    let rewrite = Rewrite { segment: consumer.stream.segments.current(), ..Rewrite::default() };
    Some(Passing {
        seq,
        position: position.low(),
        rewrite,
        bytes: seal::variable_bytes(consumer, carried, stored),
    })
}

/// A packet does not pass though it is of its stream.
#[cold]
fn discard(consumer: &mut Consumer, turn: &Turn<'_>) {
    consumer.stream.course(turn.now).counters.discarded += 1;
}

/// Whether a consumer that follows nothing can start here: what the peer got before must be of before.
fn may_begin(consumer: &Consumer, stored: &Stored) -> bool {
    stored.is_start && !consumer.stream.continuity.is_past(stored.seq)
}

/// Starts with this packet: the first of all, after a pause, or because the producer's stream began anew.
fn follow(consumer: &mut Consumer, stream: &ReceivedStream, stored: &Stored, turn: &Turn<'_>) {
    let sent = &mut consumer.stream;
    sent.continuity.sync(stored.seq);
    if sent.followed.is_some_and(|beginning| beginning != stored.beginning) {
        sent.timestamps.sync(stored.header.timestamp, turn.now, stream.clock_rate());
    }
    sent.segments.begin(sent.timestamps.offset());
    sent.follows = Some(stored.beginning);
    sent.followed = Some(stored.beginning);
}

fn passes(consumer: &Consumer, stored: &Stored) -> bool {
    let silent = consumer.gate.ignore_dtx && stored.is_silence;
    // Padding alone probes the path to us; it is nothing to anybody behind us.
    let empty = stored.header.payload_len() == 0;
    !silent && !empty && has_codec(consumer, stored)
}

fn has_codec(consumer: &Consumer, stored: &Stored) -> bool {
    consumer.codecs.iter().any(|codec| codec.mapped_payload_type == stored.mapped_payload_type)
}

/// Makes packets of nearly one size equal with RTP padding (RFC 3550 5.1), so that they leave as one message. The
/// padding belongs to the entry, for a resend must be the same bytes.
fn equalize(run: &mut [Passing]) {
    let mut rest = run;
    while !rest.is_empty() {
        let (group, after) = rest.split_at_mut(group_len(rest));
        let largest = group.iter().map(|packet| packet.bytes).max().unwrap_or(0);
        // The last segment of a message may be shorter; it needs its padding only if a shorter packet can follow.
        let is_followed = after.first().is_some_and(|next| next.bytes < largest);
        let padded = if is_followed { group.len() } else { group.len().saturating_sub(1) };
        for packet in group.iter_mut().take(padded) {
            packet.rewrite.padding = u8::try_from(largest - packet.bytes).unwrap_or(0);
        }
        rest = after;
    }
}

/// How many packets from the first on differ by at most [`PADDING_MAX`] bytes.
fn group_len(run: &[Passing]) -> usize {
    let (mut smallest, mut largest) = (u16::MAX, 0);
    let fits = |packet: &&Passing| {
        (smallest, largest) = (smallest.min(packet.bytes), largest.max(packet.bytes));
        largest - smallest <= PADDING_MAX
    };
    run.iter().take_while(fits).count()
}

/// Most bytes of padding that equality is worth.
const PADDING_MAX: u16 = 16;
/// Packets of one stream in one turn, up to which planning needs no memory.
const RUN_USUAL: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sequence::Seq;

    fn paddings(sizes: &[u16]) -> Vec<u8> {
        let passing = |bytes: &u16| Passing {
            seq: Seq::new(1),
            position: 0,
            rewrite: Rewrite::default(),
            bytes: *bytes,
        };
        let mut run: Vec<Passing> = sizes.iter().map(passing).collect();
        equalize(&mut run);
        run.iter().map(|packet| packet.rewrite.padding).collect()
    }

    #[test]
    fn packets_of_a_frame_become_equal_but_the_last() {
        assert_eq!(paddings(&[1057, 1058, 1058, 1057]), [1, 0, 0, 0]);
    }

    #[test]
    fn shorter_packet_behind_a_group_closes_its_message() {
        assert_eq!(paddings(&[1100, 1098, 300]), [0, 2, 0]);
        assert_eq!(paddings(&[300, 298, 1100]), [0, 0, 0], "a longer one cannot join: nothing to gain");
    }

    #[test]
    fn sizes_far_apart_are_left_alone() {
        assert_eq!(paddings(&[100, 200, 300]), [0, 0, 0]);
        assert_eq!(paddings(&[]), []);
    }
}
