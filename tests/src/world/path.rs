//! One way between a peer and the worker: what happens to datagrams on it.
//!
//! Knows times, lengths and its own random numbers. Does not know addresses or bytes: it says when a datagram arrives,
//! and how often. Called by `SimulatedNetwork` for each datagram of an imperfect path, and by the proxy between real
//! players and a real worker.
//! Invariant: what was offered is either carried or counted under the one reason for which it was not.

use std::time::Duration;

use tidegate_worker::base::time::Time;
use tidegate_worker::random::Random;

/// What a path does to datagrams. The default does nothing: they arrive at once and in order.
///
/// Things happen in this order: random loss, loss in bursts, the bottleneck's queue, delay, duplication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Each datagram takes at least so long.
    pub delay: Duration,
    /// And up to so much longer, evenly spread. Order is kept: who comes behind waits.
    pub jitter: Duration,
    /// So many of a thousand are lost, each for itself.
    pub loss_permille: u32,
    /// Loss in bursts.
    pub bursts: Option<Bursts>,
    /// So many of a thousand are overtaken by what is sent within [`Self::reorder_by`] after them.
    pub reorder_permille: u32,
    /// How much later those come.
    pub reorder_by: Duration,
    /// So many of a thousand come twice.
    pub duplicate_permille: u32,
    /// Where datagrams wait for one another.
    pub bottleneck: Option<Bottleneck>,
}

/// Loss after Gilbert and Elliott: a good and a bad state, entered at random with each datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bursts {
    /// From good to bad, of a thousand datagrams.
    pub begin_permille: u32,
    /// From bad to good, of a thousand datagrams: 1,000 divided by this is the mean length of a burst.
    pub end_permille: u32,
    /// So many of a thousand are lost in the bad state.
    pub loss_permille: u32,
}

/// A link of limited rate with a queue before it that drops what comes when it is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bottleneck {
    /// Of the link, headers included.
    pub bits_per_second: u64,
    /// The queue's length.
    pub queue_bytes: u64,
}

impl Impairment {
    /// The same delay and jitter, and nothing else.
    #[must_use]
    pub fn calmed(&self) -> Self {
        Self { delay: self.delay, jitter: self.jitter, ..Self::default() }
    }

    /// Whether datagrams arrive at once, all of them, once.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of the datagrams of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathStats {
    /// Datagrams that were sent on it.
    pub offered: u64,
    /// Those that arrive, each counted once.
    pub carried: u64,
    /// Lost at random.
    pub lost: u64,
    /// Lost in bursts.
    pub lost_in_bursts: u64,
    /// The bottleneck's queue was full.
    pub dropped_by_queue: u64,
    /// Came a second time.
    pub duplicated: u64,
    /// Came late on purpose.
    pub reordered: u64,
}

/// When a datagram arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// `None`: never.
    pub at: Option<Time>,
    /// A second time.
    pub again_at: Option<Time>,
}

/// One way with its state.
#[derive(Clone, Debug)]
pub struct Path {
    impairment: Impairment,
    random: Random,
    is_bad: bool,
    /// When the bottleneck will have sent what waits.
    busy_until: Time,
    /// When the last one in order arrives.
    last_at: Time,
    pub(super) stats: PathStats,
}

impl Path {
    /// A way whose choices follow from `random`.
    pub fn new(impairment: Impairment, random: Random) -> Self {
        let (busy_until, last_at) = (Time::default(), Time::default());
        Self { impairment, random, is_bad: false, busy_until, last_at, stats: PathStats::default() }
    }

    /// Changes what happens to datagrams from now on.
    pub(super) fn set(&mut self, impairment: Impairment) {
        self.impairment = impairment;
    }

    /// Keeps delay and jitter, and nothing else.
    pub(super) fn calm(&mut self) {
        self.impairment = self.impairment.calmed();
    }

    /// Offers a datagram of so many bytes, which leaves at `now`.
    pub fn carry(&mut self, bytes: usize, now: Time) -> Fate {
        self.stats.offered += 1;
        if self.impairment.is_none() {
            self.stats.carried += 1;
            return Fate { at: Some(now), again_at: None };
        }
        let Some(sent_at) = self.pass(bytes, now) else { return Fate { at: None, again_at: None } };
        self.stats.carried += 1;
        let Impairment { delay, reorder_permille, reorder_by, duplicate_permille, .. } = self.impairment;
        let at = sent_at + delay + self.jitter();
        let at = if self.happens(reorder_permille) {
            self.stats.reordered += 1;
            at + reorder_by
        } else {
            self.last_at = self.last_at.max(at);
            self.last_at
        };
        let again_at = self.happens(duplicate_permille).then(|| at + self.jitter());
        self.stats.duplicated += u64::from(again_at.is_some());
        Fate { at: Some(at), again_at }
    }

    /// When a datagram has passed all that could drop it; `None` when something did.
    fn pass(&mut self, bytes: usize, now: Time) -> Option<Time> {
        if self.happens(self.impairment.loss_permille) {
            self.stats.lost += 1;
            return None;
        }
        if let Some(bursts) = self.impairment.bursts
            && self.is_lost_in(bursts)
        {
            self.stats.lost_in_bursts += 1;
            return None;
        }
        let Some(bottleneck) = self.impairment.bottleneck else { return Some(now) };
        let sent_at = self.queue(bottleneck, bytes as u64 + HEADERS_BYTES, now);
        self.stats.dropped_by_queue += u64::from(sent_at.is_none());
        sent_at
    }

    fn is_lost_in(&mut self, bursts: Bursts) -> bool {
        let turns = if self.is_bad { bursts.end_permille } else { bursts.begin_permille };
        self.is_bad ^= self.happens(turns);
        self.is_bad && self.happens(bursts.loss_permille)
    }

    fn queue(&mut self, bottleneck: Bottleneck, bytes: u64, now: Time) -> Option<Time> {
        let rate = bottleneck.bits_per_second.max(1);
        let waiting = self.busy_until.since(now).as_nanos() * u128::from(rate) / 8_000_000_000;
        if waiting + u128::from(bytes) > u128::from(bottleneck.queue_bytes) {
            return None;
        }
        let sending = Duration::from_nanos(bytes.saturating_mul(8_000_000_000) / rate);
        self.busy_until = self.busy_until.max(now) + sending;
        Some(self.busy_until)
    }

    fn jitter(&mut self) -> Duration {
        let most = u32::try_from(self.impairment.jitter.as_micros()).expect("jitter below an hour");
        if most == 0 { Duration::ZERO } else { Duration::from_micros(self.random.in_range(0, most).into()) }
    }

    fn happens(&mut self, permille: u32) -> bool {
        permille > 0 && self.random.in_range(0, 999) < permille
    }
}

/// IPv4 and UDP.
const HEADERS_BYTES: u64 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: u64 = 20_000;

    /// When each of many datagrams of 972 bytes arrives that leave a millisecond apart.
    fn carried(impairment: Impairment) -> (Vec<(Time, Fate)>, PathStats) {
        let mut path = Path::new(impairment, Random::from_seed([7; 32]));
        let fates = (1..=COUNT).map(|n| (Time::from_millis(n), path.carry(972, Time::from_millis(n))));
        let fates = fates.collect();
        let stats = path.stats;
        let known = stats.carried + stats.lost + stats.lost_in_bursts + stats.dropped_by_queue;
        assert_eq!((stats.offered, known), (COUNT, COUNT));
        (fates, stats)
    }

    #[test]
    fn perfect_path_is_immediate() {
        let (fates, stats) = carried(Impairment::default());
        assert!(fates.iter().all(|(sent, fate)| fate.at == Some(*sent) && fate.again_at.is_none()));
        assert_eq!(stats.carried, COUNT);
    }

    #[test]
    fn random_loss_and_duplication_are_as_frequent_as_asked() {
        let (fates, stats) =
            carried(Impairment { loss_permille: 50, duplicate_permille: 20, ..Impairment::default() });
        assert!((900..1_100).contains(&stats.lost) && (320..440).contains(&stats.duplicated), "{stats:?}");
        assert_eq!(fates.iter().filter(|(_, fate)| fate.at.is_none()).count() as u64, stats.lost);
    }

    #[test]
    fn bursts_are_as_long_as_asked() {
        let bursts = Bursts { begin_permille: 10, end_permille: 200, loss_permille: 1_000 };
        let (fates, stats) = carried(Impairment { bursts: Some(bursts), ..Impairment::default() });
        let begins = fates.windows(2).filter(|pair| pair[0].1.at.is_some() && pair[1].1.at.is_none()).count();
        let mean = stats.lost_in_bursts as f64 / begins as f64;
        assert!((4.5..5.5).contains(&mean), "bursts of {mean}");
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let delay = Duration::from_millis(20);
        let jitter = Impairment { delay, jitter: Duration::from_millis(10), ..Impairment::default() };
        let (fates, _) = carried(jitter);
        assert!(fates.is_sorted_by_key(|(_, fate)| fate.at));
        let late =
            |(sent, fate): &(Time, Fate)| fate.at.is_some_and(|at| at.since(*sent) > delay + delay / 4);
        assert!(fates.iter().filter(|fate| late(fate)).count() > 8_000, "some wait long");
        let reorder_by = Duration::from_millis(5);
        let (fates, stats) =
            carried(Impairment { delay, reorder_permille: 30, reorder_by, ..Impairment::default() });
        let overtaken = fates.windows(2).filter(|pair| pair[0].1.at > pair[1].1.at).count() as u64;
        assert!(stats.reordered > 500 && overtaken > 500, "{stats:?} {overtaken}");
    }

    #[test]
    fn bottleneck_delays_up_to_its_queue_and_drops_the_rest() {
        // 1,000 bytes a millisecond are offered, half of that passes.
        let bottleneck = Some(Bottleneck { bits_per_second: 4_000_000, queue_bytes: 20_000 });
        let (fates, stats) = carried(Impairment { bottleneck, ..Impairment::default() });
        let longest = fates.iter().filter_map(|(sent, fate)| Some(fate.at?.since(*sent))).max().unwrap();
        assert!((38..=40).contains(&longest.as_millis()), "{longest:?}");
        assert!((9_950..10_050).contains(&stats.carried), "{stats:?}");
    }
}
