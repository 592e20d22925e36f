//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1): which packets of a transport
//! arrived, and when.
//!
//! Knows statuses, chunks and deltas. Times are [`Serial32`] ticks of 250 us: the 24 bits of reference time, in 64 ms,
//! and eight more, so that both wrap together, every 12.4 days. When to report what is `bwe::feedback`.
//! Invariant: what is read again from a written packet are exactly the ticks that were given; no rounding adds up.

use crate::base::sequence::{Serial16, Serial32};
use crate::rtcp::cursor::{Sink, take, take_slice, take_u32};

/// Feedback message type.
pub(super) const FORMAT: u8 = 15;

/// Bytes of the body before the chunks.
pub(super) const HEAD_BYTES: usize = 16;

/// What names a feedback packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideFeedbackHead {
    /// The one who reports.
    pub sender_ssrc: u32,
    /// One of the streams that the transport brings.
    pub media_ssrc: u32,
    /// Transport-wide number of the first status.
    pub base: Serial16,
    /// Counts feedback packets of a transport, so that losses among them show.
    pub count: u8,
}

/// A transport-wide feedback packet.
#[derive(Clone, Debug)]
pub struct WideFeedback<'a> {
    /// What names it.
    pub head: WideFeedbackHead,
    /// How many numbers from `base` on it tells about, at least one. Those that are not [received](Self::received)
    /// had not arrived.
    pub status_count: u16,
    /// The reference time, in ticks of 250 us: a multiple of 256.
    pub reference: Serial32,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl<'a> WideFeedback<'a> {
    /// Refuses no status at all, the reserved symbol 3, and fewer chunks or deltas than there must be.
    pub(super) fn parse(mut body: &'a [u8]) -> Option<Self> {
        let (sender_ssrc, media_ssrc) = (take_u32(&mut body)?, take_u32(&mut body)?);
        let (base, status_count) = (take_u16(&mut body)?, take_u16(&mut body)?);
        let [high, middle, low, count] = take(&mut body)?;
        if status_count == 0 {
            return None;
        }
        let (start, mut left, mut delta_bytes) = (body, status_count, 0);
        while left > 0 {
            let chunk = Chunk(take_u16(&mut body)?);
            let statuses = chunk.len().min(left);
            delta_bytes += chunk.delta_bytes(statuses)?;
            left -= statuses;
        }
        Some(Self {
            head: WideFeedbackHead { sender_ssrc, media_ssrc, base: Serial16::new(base), count },
            status_count,
            reference: Serial32::new(u32::from_be_bytes([high, middle, low, 0])),
            chunks: start.get(..start.len() - body.len())?,
            // Zeros up to a whole word may follow.
            deltas: take_slice(&mut body, delta_bytes)?,
        })
    }

    /// The numbers that arrived, in their order, and when, in ticks of 250 us of the reporter's clock. Takes a step for
    /// each of them and each 2 bytes more, however many statuses a hostile sender claims.
    pub fn received(&self) -> impl Iterator<Item = (Serial16, Serial32)> + use<'a> {
        Received {
            number: self.head.base,
            tick: self.reference,
            statuses_left: self.status_count,
            chunk: Chunk(0),
            next_in_chunk: 0,
            chunk_len: 0,
            chunks: self.chunks,
            deltas: self.deltas,
        }
    }
}

struct Received<'a> {
    number: Serial16,
    tick: Serial32,
    /// Beyond the present chunk.
    statuses_left: u16,
    chunk: Chunk,
    next_in_chunk: u16,
    chunk_len: u16,
    chunks: &'a [u8],
    deltas: &'a [u8],
}

impl Iterator for Received<'_> {
    type Item = (Serial16, Serial32);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while self.next_in_chunk >= self.chunk_len {
                self.begin_chunk()?;
            }
            let symbol = self.chunk.symbol(self.next_in_chunk);
            let number = self.number;
            self.next_in_chunk += 1;
            self.number = number.next();
            let delta = match symbol {
                SMALL => take::<1>(&mut self.deltas).map(|[delta]| i16::from(delta))?,
                LARGE => take(&mut self.deltas).map(i16::from_be_bytes)?,
                _ => continue,
            };
            self.tick = self.tick.add(i32::from(delta).cast_unsigned());
            return Some((number, self.tick));
        }
    }
}

impl Received<'_> {
    fn begin_chunk(&mut self) -> Option<()> {
        self.chunk = Chunk(take_u16(&mut self.chunks)?);
        self.chunk_len = self.chunk.len().min(self.statuses_left);
        self.statuses_left -= self.chunk_len;
        self.next_in_chunk = 0;
        if self.chunk.is_gap() {
            self.number = self.number.add(self.chunk_len);
            self.next_in_chunk = self.chunk_len;
        }
        Some(())
    }
}

/// A packet chunk (3.1.2 to 3.1.4): a run of one symbol, 14 of one bit or 7 of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk(u16);

impl Chunk {
    /// The chunk that takes most of the first of `statuses`, and how many that are; `None` without any.
    fn pack(statuses: &(impl Iterator<Item = Status> + Clone)) -> Option<(Self, usize)> {
        let symbols = || statuses.clone().map(Status::symbol);
        let first = symbols().next()?;
        let run = symbols().take(usize::from(RUN_MAX)).take_while(|symbol| *symbol == first).count();
        // Of a vector only the symbols after the last status may be without meaning.
        let in_one_bit = symbols().take(ONE_BIT_SYMBOLS.into());
        let one_bit = if in_one_bit.clone().any(|symbol| symbol == LARGE) { 0 } else { in_one_bit.count() };
        let two_bit = symbols().take(TWO_BIT_SYMBOLS.into()).count();
        let vector = |of: u16, width: u32| {
            let symbols = symbols().chain(std::iter::repeat(MISSING)).take(of.into());
            symbols.fold(0, |bits, symbol| bits << width | symbol)
        };
        Some(if run >= one_bit.max(two_bit) {
            (Self(first << 13 | u16::try_from(run).ok()?), run)
        } else if one_bit >= two_bit {
            (Self(VECTOR | vector(ONE_BIT_SYMBOLS, 1)), one_bit)
        } else {
            (Self(VECTOR | TWO_BIT | vector(TWO_BIT_SYMBOLS, 2)), two_bit)
        })
    }

    /// How many symbols it has room for, or repeats.
    fn len(self) -> u16 {
        match (self.0 & VECTOR != 0, self.0 & TWO_BIT != 0) {
            (false, _) => self.0 & RUN_MAX,
            (true, false) => ONE_BIT_SYMBOLS,
            (true, true) => TWO_BIT_SYMBOLS,
        }
    }

    /// The symbol at `index`, which is below `len`.
    fn symbol(self, index: u16) -> u16 {
        match (self.0 & VECTOR != 0, self.0 & TWO_BIT != 0) {
            (false, _) => self.0 >> 13,
            (true, false) => self.0 >> 13_u16.saturating_sub(index) & 1,
            (true, true) => self.0 >> 12_u16.saturating_sub(2 * index) & 3,
        }
    }

    /// Whether it is a run of numbers that did not arrive.
    fn is_gap(self) -> bool {
        self.0 >> 13 == MISSING
    }

    /// Bytes of the deltas of its first `statuses`; `None` when one has the reserved symbol.
    fn delta_bytes(self, statuses: u16) -> Option<usize> {
        if self.0 & VECTOR == 0 {
            let known = statuses == 0 || self.symbol(0) <= LARGE;
            return known.then(|| usize::from(self.symbol(0)) * usize::from(statuses));
        }
        let mut symbols = (0..statuses).map(|index| self.symbol(index));
        symbols.try_fold(0, |bytes, symbol| (symbol <= LARGE).then(|| bytes + usize::from(symbol)))
    }
}

/// What is told of one number: how long after the one that arrived before it, if it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status(Option<i16>);

impl Status {
    fn symbol(self) -> u16 {
        match self.0 {
            None => MISSING,
            Some(0..=255) => SMALL,
            Some(_) => LARGE,
        }
    }

    /// A symbol is as many bytes of delta.
    fn delta_bytes(self) -> usize {
        usize::from(self.symbol())
    }

    fn write_delta(self, sink: &mut Sink<'_>) -> Option<()> {
        let Some(delta) = self.0 else { return Some(()) };
        match u8::try_from(delta) {
            Ok(small) => sink.put(&[small]),
            Err(_) => sink.put(&delta.to_be_bytes()),
        }
    }
}

/// Turns arrivals into statuses; ends at one whose delta cannot be said.
#[derive(Clone, Debug)]
struct Statuses<I> {
    arrivals: I,
    previous: Serial32,
}

impl<I: Iterator<Item = Option<Serial32>>> Iterator for Statuses<I> {
    type Item = Status;

    fn next(&mut self) -> Option<Status> {
        let Some(tick) = self.arrivals.next()? else { return Some(Status(None)) };
        let delta = i16::try_from(tick.distance_from(self.previous)).ok()?;
        self.previous = tick;
        Some(Status(Some(delta)))
    }
}

/// The chunks that statuses are packed into.
#[derive(Clone, Debug)]
struct Chunks<I> {
    rest: I,
}

impl<I: Iterator<Item = Status> + Clone> Iterator for Chunks<I> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let (chunk, statuses) = Chunk::pack(&self.rest)?;
        self.rest.nth(statuses.checked_sub(1)?);
        Some(chunk)
    }
}

/// What the body of a feedback packet will hold.
#[derive(Debug)]
pub(super) struct Body<I> {
    reference: Serial32,
    statuses: Statuses<I>,
    status_count: u16,
    bytes: usize,
}

impl<I: Iterator<Item = Option<Serial32>> + Clone> Body<I> {
    /// As many of `arrivals`, from the first on, as fit into `room` bytes of body and can be said; `None` when no arrival
    /// is among them.
    pub(super) fn plan(arrivals: I, room: usize) -> Option<Self> {
        let first = arrivals.clone().flatten().next()?;
        // The reference is not after the first arrival and less than 256 ticks before it: its delta is a small one.
        let reference = Serial32::new(first.wire() & !0xFF);
        let statuses = Statuses { arrivals, previous: reference };
        // Whole words, the last of which zeros may fill.
        let status_count = count_fitting(statuses.clone(), (room & !3).checked_sub(HEAD_BYTES)?);
        let told = statuses.clone().take(status_count.into());
        let delta_bytes: usize = told.clone().map(Status::delta_bytes).sum();
        let chunk_bytes = CHUNK_BYTES * Chunks { rest: told }.count();
        let bytes = (HEAD_BYTES + chunk_bytes + delta_bytes).next_multiple_of(4);
        (delta_bytes > 0).then_some(Self { reference, statuses, status_count, bytes })
    }

    /// How many of the arrivals it tells, those missing included.
    pub(super) fn status_count(&self) -> u16 {
        self.status_count
    }

    /// A multiple of 4.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn write(&self, head: &WideFeedbackHead, mut sink: Sink<'_>) -> Option<()> {
        let [high, middle, low, _] = self.reference.wire().to_be_bytes();
        sink.put_u32(head.sender_ssrc)?;
        sink.put_u32(head.media_ssrc)?;
        sink.put(&head.base.wire().to_be_bytes())?;
        sink.put(&self.status_count.to_be_bytes())?;
        sink.put(&[high, middle, low, head.count])?;
        let told = self.statuses.clone().take(self.status_count.into());
        Chunks { rest: told.clone() }.try_for_each(|Chunk(bits)| sink.put(&bits.to_be_bytes()))?;
        told.clone().try_for_each(|status| status.write_delta(&mut sink))?;
        sink.fill();
        Some(())
    }
}

/// How many of the first statuses fit into `room` bytes of chunks and deltas.
fn count_fitting(statuses: impl Iterator<Item = Status> + Clone, room: usize) -> u16 {
    let (mut rest, mut used, mut count) = (statuses, 0, 0_u16);
    while let Some((_, in_chunk)) = Chunk::pack(&rest) {
        used += CHUNK_BYTES;
        for status in rest.by_ref().take(in_chunk) {
            used += status.delta_bytes();
            // Cut inside a chunk, what is told may need fewer chunks than this, never more.
            if used > room || count == u16::MAX {
                return count;
            }
            count += 1;
        }
    }
    count
}

fn take_u16(bytes: &mut &[u8]) -> Option<u16> {
    take(bytes).map(u16::from_be_bytes)
}

/// A chunk that is no run.
const VECTOR: u16 = 0x8000;
/// A vector chunk with two bits for each symbol.
const TWO_BIT: u16 = 0x4000;
/// Longest run of a chunk.
const RUN_MAX: u16 = 0x1FFF;
/// Symbols of a vector chunk with one bit each, for packets that are missing or have a small delta.
const ONE_BIT_SYMBOLS: u16 = 14;
/// Symbols of a vector chunk with two bits each.
const TWO_BIT_SYMBOLS: u16 = 7;
/// Bytes of a chunk.
const CHUNK_BYTES: usize = 2;
/// Symbol of a number that did not arrive.
const MISSING: u16 = 0;
/// Symbol of one byte of delta: 0 to 63.75 ms.
const SMALL: u16 = 1;
/// Symbol of two bytes of delta, signed: 8.2 s either way.
const LARGE: u16 = 2;

#[cfg(test)]
mod tests;
