//! How much a receiver may have sent again: as much as it was sent, and what it was sent lately at once.
//!
//! Without a bound one small NACK after the other would make us send a stream many times over, to a peer that floods us
//! or whose path is full already. Half of all packets lost, repairs included, is still repaired in the end: that takes
//! one resend for each packet sent.
//! Knows bytes. Does not know packets, time or NACKs. Called by `media::consumer` at each NACK and resend, never at a
//! first sending.
//! Invariant: what was taken exceeds what was sent by [`BURST_MIN`] and one packet a call of `earn` at most.

/// What is left for resends of one stream.
#[derive(Clone, Debug)]
pub struct Allowance {
    left_bytes: u32,
    /// How many of the stream's bytes have been counted, modulo 2^32.
    counted_bytes: u32,
}

const _: () = assert!(size_of::<Allowance>() <= 8);

impl Allowance {
    /// For a stream that has sent nothing: enough for the first picture, should all of it be lost.
    pub const fn new() -> Self {
        Self { left_bytes: BURST_MIN, counted_bytes: 0 }
    }

    /// Earns what the stream has sent since the last time, `sent_bytes` being its total so far, resends not counted. No
    /// more is saved than `recent_bytes`, what it sent as long ago as can be asked for: an outage that lost all that is
    /// still kept is repaired at once.
    pub fn earn(&mut self, sent_bytes: u64, recent_bytes: u64) {
        let sent_bytes = modulo_2_32(sent_bytes);
        let earned = sent_bytes.wrapping_sub(self.counted_bytes);
        self.counted_bytes = sent_bytes;
        let most = u32::try_from(recent_bytes).unwrap_or(u32::MAX).max(BURST_MIN);
        self.left_bytes = self.left_bytes.saturating_add(earned).min(most);
    }

    /// Whether anything is left.
    pub const fn has_any(&self) -> bool {
        self.left_bytes > 0
    }

    /// Takes what a resend took; the last one may take more than was left.
    pub fn take(&mut self, bytes: u64) {
        self.left_bytes = self.left_bytes.saturating_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new()
    }
}

/// What is always allowed at once: a large key frame, a second of half a megabit.
pub const BURST_MIN: u32 = 64 << 10;

#[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 is what is wanted")]
const fn modulo_2_32(bytes: u64) -> u32 {
    bytes as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stream_that_sends_nothing_more_runs_out() {
        let mut allowance = Allowance::new();
        let mut taken = 0;
        while allowance.has_any() {
            allowance.take(1_200);
            taken += 1_200;
        }
        assert_eq!(taken, u64::from(BURST_MIN).div_ceil(1_200) * 1_200);
        allowance.earn(0, 1_000_000);
        assert!(!allowance.has_any(), "what was counted already is worth nothing");
        allowance.earn(1, 0);
        assert!(allowance.has_any());
    }

    #[test]
    fn what_was_sent_lately_can_be_saved_and_no_more() {
        let mut allowance = Allowance::new();
        allowance.earn(10_000_000, 1_000_000);
        allowance.take(999_999);
        assert!(allowance.has_any());
        allowance.take(1);
        assert!(!allowance.has_any());
        allowance.earn(20_000_000, 1_000_000);
        allowance.earn(20_000_000, 0);
        allowance.take(BURST_MIN.into());
        assert!(!allowance.has_any(), "savings go with it");
    }

    #[test]
    fn totals_beyond_32_bits_earn_as_any_other() {
        let mut allowance = Allowance::new();
        let total = u64::from(u32::MAX) - 10;
        allowance.earn(total, 800_000_000);
        allowance.take(u64::MAX);
        assert!(!allowance.has_any());
        allowance.earn(total + 21, 800_000_000);
        allowance.take(20);
        assert!(allowance.has_any());
        allowance.take(1);
        assert!(!allowance.has_any());
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        #[test]
        fn resends_never_take_more_than_was_sent(
            steps in prop::collection::vec((0..200_000_u64, 0..50_000_000_u64, 0..2_000_u64), 1..300),
        ) {
            let mut allowance = Allowance::new();
            let (mut sent, mut taken, mut overdrawn) = (0, 0, 0);
            for (more, rate, packet) in steps {
                sent += more;
                allowance.earn(sent, rate);
                overdrawn += packet;
                while packet > 0 && allowance.has_any() {
                    allowance.take(packet);
                    taken += packet;
                }
                prop_assert!(taken <= sent + u64::from(BURST_MIN) + overdrawn);
                prop_assert_eq!(allowance.has_any(), packet == 0);
            }
        }
    }
}
