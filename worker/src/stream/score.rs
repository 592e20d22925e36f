//! The score of one stream, 0 to 10: how much of what was sent gets through, repairs counted at a discount.
//!
//! Knows packet counters. Does not know where they come from, nor RTCP: the caller gives totals once per RTCP interval
//! (receive side) or per receiver report (send side) and tells of silence. Called by producers and consumers.
//! Invariant: the published score is the weighted mean of the samples held, or the value of the last reset.

use crate::base::time::Time;

/// Counters of a received stream since its start, media packets only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Packets that should have come, by their numbers.
    pub expected: u64,
    /// Packets that came.
    pub received: u64,
    /// Packets that were missing and came after a request.
    pub repaired: u64,
    /// Packets that came again.
    pub retransmitted: u64,
    /// Whether repairs come on a stream of their own, so that they are not among `received`.
    pub has_rtx: bool,
}

/// Counters of a sent stream since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Packets sent, resends not counted.
    pub sent: u64,
    /// What the receiver says is lost; it may be negative by duplicates and go back.
    pub lost: i64,
    /// Packets that the receiver asked for repeatedly, or that answered a request.
    pub repaired: u64,
    /// Packets sent again.
    pub retransmitted: u64,
}

/// The last samples and the score made of them.
#[derive(Clone, Debug)]
pub struct Score {
    value: u8,
    count: u8,
    /// The first `count`, oldest first.
    samples: [u8; SAMPLES_MAX],
    active_since: Option<Time>,
    /// The totals of the last call.
    previous: [u64; 4],
}

const _: () = assert!(size_of::<Score>() <= 80);

impl Score {
    /// A new stream is taken to be good.
    pub const fn new(now: Time) -> Self {
        Self { value: MAX, count: 0, samples: [0; SAMPLES_MAX], active_since: Some(now), previous: [0; 4] }
    }

    /// The published score.
    pub const fn value(&self) -> u8 {
        self.value
    }

    /// Since when the score has not been 0; `None` while it is.
    pub const fn active_since(&self) -> Option<Time> {
        self.active_since
    }

    /// Takes in the totals at the end of an RTCP interval. Returns the new score when it changed. Not to be called
    /// while the stream is inactive.
    pub fn on_interval(&mut self, totals: Received, now: Time) -> Option<u8> {
        let Received { expected, received, repaired, retransmitted, has_rtx } = totals;
        let [expected, received, repaired, retransmitted] =
            self.since_last([expected, received, repaired, retransmitted]);
        self.add(sample_of_received(Received { expected, received, repaired, retransmitted, has_rtx }), now)
    }

    /// Takes in what a receiver report says. Returns the new score when it changed.
    pub fn on_report(&mut self, totals: Sent, now: Time) -> Option<u8> {
        let Sent { sent, lost, repaired, retransmitted } = totals;
        let lost = u64::try_from(lost).unwrap_or(0);
        let [sent, lost, repaired, retransmitted] = self.since_last([sent, lost, repaired, retransmitted]);
        let lost = lost.min(sent);
        self.add(sample(sent, lost, repaired.min(lost), retransmitted).unwrap_or(MAX), now)
    }

    /// Sets the score at once and forgets the samples: 0 when the stream falls silent, 10 at its first packet after.
    /// Returns the new score when it changed.
    pub fn reset(&mut self, value: u8, now: Time) -> Option<u8> {
        self.count = 0;
        self.publish(value.min(MAX), now)
    }

    /// What was added since the last totals. A total that went back (a restart) adds nothing.
    fn since_last(&mut self, totals: [u64; 4]) -> [u64; 4] {
        let mut added = totals;
        for (total, previous) in added.iter_mut().zip(self.previous) {
            *total = total.saturating_sub(previous);
        }
        self.previous = totals;
        added
    }

    fn add(&mut self, sample: u8, now: Time) -> Option<u8> {
        if usize::from(self.count) == SAMPLES_MAX {
            self.samples.rotate_left(1);
            self.count -= 1;
        }
        self.samples[usize::from(self.count)] = sample;
        self.count += 1;
        self.publish(weighted_mean(&self.samples[..usize::from(self.count)]), now)
    }

    fn publish(&mut self, value: u8, now: Time) -> Option<u8> {
        if value == self.value {
            return None;
        }
        if value == 0 {
            self.active_since = None;
        } else if self.value == 0 {
            self.active_since = Some(now);
        }
        self.value = value;
        Some(value)
    }
}

fn sample_of_received(interval: Received) -> u8 {
    let Received { expected, received, repaired, retransmitted, has_rtx } = interval;
    if expected == 0 {
        return MAX;
    }
    let lost = expected.saturating_sub(received).min(received);
    // Without RTX the repairs are among the received, and each was lost once.
    let (lost, repaired) = if has_rtx { (lost, repaired.min(lost)) } else { (lost.max(repaired), repaired) };
    sample(received, lost, repaired, retransmitted).unwrap_or(0)
}

/// `round(((through - lost + repaired x weight) / through)^4 x 10)`. The weight of a repair falls with the share of
/// packets that needed one, `(1 / (repaired / through + 1))^4`, and with what was sent again in vain,
/// `x repaired / retransmitted`. `None` when nothing went through.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10 before")]
fn sample(through: u64, lost: u64, repaired: u64, retransmitted: u64) -> Option<u8> {
    if through == 0 {
        return None;
    }
    let (through, lost, repaired) = (through as f64, lost as f64, repaired as f64);
    let mut weight = (1.0 / (repaired / through + 1.0)).powi(4);
    if retransmitted > 0 {
        weight *= repaired / retransmitted as f64;
    }
    let unrepaired = lost - repaired * weight;
    let delivered = ((through - unrepaired) / through).clamp(0.0, 1.0);
    Some((delivered.powi(4) * f64::from(MAX)).round().clamp(0.0, f64::from(MAX)) as u8)
}

/// The rounded mean in which the i-th oldest sample has the weight i.
fn weighted_mean(samples: &[u8]) -> u8 {
    let (mut sum, mut weights) = (0_u32, 0_u32);
    for (weight, &sample) in (1_u32..).zip(samples) {
        sum += weight * u32::from(sample);
        weights += weight;
    }
    let rounded = (2 * sum + weights).checked_div(2 * weights);
    rounded.and_then(|mean| u8::try_from(mean).ok()).unwrap_or(MAX)
}

/// The best score.
pub const MAX: u8 = 10;
/// How many samples count: 24 to 36 seconds at the usual interval.
pub const SAMPLES_MAX: usize = 24;

const _: () = assert!(SAMPLES_MAX <= u8::MAX as usize);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn received(expected: u64, received: u64, repaired: u64, retransmitted: u64, has_rtx: bool) -> Received {
        Received { expected, received, repaired, retransmitted, has_rtx }
    }

    fn first_interval(totals: Received) -> u8 {
        let mut score = Score::new(Time::ZERO);
        score.on_interval(totals, Time::ZERO);
        score.value()
    }

    #[test]
    fn loss_lowers_the_score_by_the_fourth_power() {
        assert_eq!(first_interval(received(100, 100, 0, 0, true)), 10);
        // (95 - 5) / 95 = 0.947, to the fourth 0.805.
        assert_eq!(first_interval(received(100, 95, 0, 0, true)), 8);
        // (80 - 20) / 80 = 0.75, to the fourth 0.316.
        assert_eq!(first_interval(received(100, 80, 0, 0, true)), 3);
        assert_eq!(first_interval(received(100, 40, 0, 0, true)), 0, "more lost than received");
    }

    #[test]
    fn repairs_make_good_at_a_discount() {
        // weight = (1 / (20/80 + 1))^4 = 0.4096; lost = 20 - 8.19; (80 - 11.8) / 80 = 0.852, to the fourth 0.528.
        assert_eq!(first_interval(received(100, 80, 20, 20, true)), 5);
        // Sent twice each: weight 0.2048; lost = 15.9; 0.801^4 = 0.412.
        assert_eq!(first_interval(received(100, 80, 20, 40, true)), 4);
        // Without RTX nothing looks lost: 20 of 100 were. weight 0.482; lost = 10.4; 0.896^4 = 0.645.
        assert_eq!(first_interval(received(100, 100, 20, 20, false)), 6);
        assert_eq!(first_interval(received(100, 100, 20, 20, true)), 10, "nothing was lost to be repaired");
    }

    #[test]
    fn silence_is_not_loss_but_absence_is() {
        assert_eq!(first_interval(received(0, 0, 0, 0, true)), 10);
        assert_eq!(first_interval(received(50, 0, 0, 0, true)), 0);
    }

    #[test]
    fn newer_samples_weigh_more() {
        let mut score = Score::new(Time::ZERO);
        let mut totals = received(0, 0, 0, 0, true);
        let mut add = |expected, got| {
            totals.expected += expected;
            totals.received += got;
            score.on_interval(totals, Time::ZERO);
            score.value()
        };
        assert_eq!(add(100, 0), 0);
        assert_eq!(add(100, 100), 7, "(0 x 1 + 10 x 2) / 3");
        assert_eq!(add(100, 100), 8, "(0 x 1 + 10 x 2 + 10 x 3) / 6");
        let after: Vec<u8> = (0..24).map(|_| add(100, 100)).collect();
        assert_eq!(after.last(), Some(&10), "the bad one is forgotten");
    }

    #[test]
    fn a_change_is_told_once() {
        let mut score = Score::new(Time::from_millis(5));
        assert_eq!(score.on_interval(received(100, 100, 0, 0, true), Time::from_millis(10)), None);
        assert_eq!(score.reset(0, Time::from_millis(20)), Some(0));
        assert_eq!((score.reset(0, Time::from_millis(21)), score.active_since()), (None, None));
        assert_eq!(score.reset(10, Time::from_millis(30)), Some(10));
        assert_eq!(score.active_since(), Some(Time::from_millis(30)));
    }

    #[test]
    fn the_send_side_follows_receiver_reports() {
        let mut score = Score::new(Time::ZERO);
        let sent = |sent, lost, repaired, retransmitted| Sent { sent, lost, repaired, retransmitted };
        score.on_report(sent(100, -3, 0, 0), Time::ZERO);
        assert_eq!(score.value(), 10);
        score.on_report(sent(100, -3, 0, 0), Time::ZERO);
        assert_eq!(score.value(), 10, "nothing sent");
        // (100 - 20) / 100 to the fourth is 0.41; mean (10 + 10 x 2 + 4 x 3) / 6.
        score.on_report(sent(200, 20, 0, 0), Time::ZERO);
        assert_eq!(score.value(), 7);
        score.on_report(sent(300, 15, 0, 0), Time::ZERO);
        assert_eq!(score.value(), 8, "lost went back: nothing lost, (42 + 40) / 10");
        // weight (1 / 1.2)^4 = 0.482; lost 20 - 9.6; 0.896^4: 6. (10 + 20 + 12 + 40 + 30) / 15 = 7.5.
        score.on_report(sent(400, 35, 50, 20), Time::ZERO);
        assert_eq!(score.value(), 7);
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        #[test]
        fn whatever_the_counters_the_score_is_one(
            totals in prop::collection::vec(any::<(u64, u64, u64, u64, bool, i64)>(), 1..60),
        ) {
            let (mut one, mut other) = (Score::new(Time::ZERO), Score::new(Time::ZERO));
            for (a, b, c, d, has_rtx, lost) in totals {
                one.on_interval(received(a, b, c, d, has_rtx), Time::ZERO);
                other.on_report(Sent { sent: a, lost, repaired: c, retransmitted: d }, Time::ZERO);
                prop_assert!(one.value() <= MAX && other.value() <= MAX);
                prop_assert_eq!(one.active_since().is_some(), one.value() > 0);
            }
        }

        #[test]
        fn more_loss_never_scores_higher(sent in 1..2_000_u64, one in 0..2_000_u64, other in 0..2_000_u64) {
            let (less, more) = (one.min(other).min(sent), one.max(other).min(sent));
            prop_assert!(sample(sent, less, 0, 0) >= sample(sent, more, 0, 0));
        }
    }
}
