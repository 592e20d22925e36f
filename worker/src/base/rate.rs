//! Bytes and packets per second over a sliding window.
//!
//! Knows amounts and times. Does not know what was counted. Used by streams and transports for statistics and limits.
//! Invariant: what is reported never includes anything older than the window and an eighth of it.
//!
//! The window is cut into eight slots and a ring of nine holds them, so that the slot which has partly left the window
//! still counts for the part which has not: the result does not step as slots leave, and costs no allocation however
//! many packets come. Within a slot the flow is taken to be even; only the slot that is leaving can be off by that.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::time::Time;

/// A rate over the time just past. Before a whole window has gone by since the first amount, the time before it counts
/// as silence.
#[derive(Clone, Debug)]
pub struct Rate {
    /// The number, counted from the clock's origin, of the newest slot with an amount.
    newest: u64,
    slot_micros: u32,
    bytes: [u32; SLOTS],
    packets: [u16; SLOTS],
}

impl Rate {
    /// A rate over `window`: between 8 us and 9.5 hours, and made so when it is not.
    pub fn new(window: Duration) -> Self {
        let slot_micros = u32::try_from(window.as_micros() / WHOLE_SLOTS).unwrap_or(u32::MAX).max(1);
        Self { newest: 0, slot_micros, bytes: [0; SLOTS], packets: [0; SLOTS] }
    }

    /// Counts one packet of `bytes` at `now`. A time before that of the newest amount counts as the newest.
    ///
    /// One slot counts to 65,535 packets and 4 GiB and stays there.
    pub fn add(&mut self, now: Time, bytes: usize) {
        self.advance(self.slot_of(now));
        let at = ring_index(self.newest);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.bytes[at] = self.bytes[at].saturating_add(bytes);
        self.packets[at] = self.packets[at].saturating_add(1);
    }

    /// Bits per second over the window that ends at `now`.
    pub fn bits_per_second(&self, now: Time) -> u64 {
        self.per_second(8 * self.weigh(now, &self.bytes))
    }

    /// Packets per second over the window that ends at `now`, rounded to the nearest.
    pub fn packets_per_second(&self, now: Time) -> u64 {
        self.per_second(self.weigh(now, &self.packets))
    }

    /// Forgets every amount.
    pub fn reset(&mut self) {
        self.bytes = [0; SLOTS];
        self.packets = [0; SLOTS];
    }

    /// Makes `slot` the newest, if it is newer, and forgets what lies under it in the ring.
    fn advance(&mut self, slot: u64) {
        let steps = slot.saturating_sub(self.newest).min(SLOTS as u64);
        for step in 0..steps {
            let at = ring_index(slot - step);
            self.bytes[at] = 0;
            self.packets[at] = 0;
        }
        self.newest = self.newest.max(slot);
    }

    /// The sum over the window that ends at `now`, times `slot_micros`.
    fn weigh<N: Copy + Into<u64>>(&self, now: Time, amounts: &[N; SLOTS]) -> u128 {
        let current = self.slot_of(now).max(self.newest);
        let age = |slot: u64| current - slot;
        let slot_micros = u64::from(self.slot_micros);
        let elapsed = now.as_micros().saturating_sub(current.saturating_mul(slot_micros)).min(slot_micros);
        let weight = |age: u64| match age {
            0..OLDEST => slot_micros,
            OLDEST => slot_micros - elapsed,
            _ => 0,
        };
        let slots = (0..SLOTS as u64).map_while(|step| self.newest.checked_sub(step));
        slots.map(|slot| u128::from(weight(age(slot))) * u128::from(amounts[ring_index(slot)].into())).sum()
    }

    /// From a weighed sum to an amount per second: the window is eight slots.
    fn per_second(&self, weighed: u128) -> u64 {
        let slot_micros = u128::from(self.slot_micros);
        let divisor = WHOLE_SLOTS * slot_micros * slot_micros;
        u64::try_from((weighed * 1_000_000 + divisor / 2) / divisor).unwrap_or(u64::MAX)
    }

    fn slot_of(&self, time: Time) -> u64 {
        time.as_micros() / u64::from(self.slot_micros)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "below SLOTS")]
fn ring_index(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

/// Slots of a whole window.
const WHOLE_SLOTS: u128 = 8;
/// And the one that is leaving it.
const SLOTS: usize = 9;
/// The age of that one, in slots.
const OLDEST: u64 = 8;

const _: () = assert!(size_of::<Rate>() <= 72);

#[cfg(test)]
mod tests;
