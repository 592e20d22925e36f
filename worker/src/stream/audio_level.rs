//! How loud streams were over an interval, and which of them are worth telling.
//!
//! Knows levels (RFC 6464: decibels below the loudest sound, 0 to 127) and names that it does not look into. Does not
//! know producers, packets or time: whoever owns a [`Loudest`] asks it once an interval. [`Levels`] counts what came
//! since ever; who remembers what it was at the beginning of an interval has that interval's mean by subtraction, so that
//! any number of intervals cost a packet two additions.
//! Invariant: silence is told once, and only after something else was.

use smallvec::SmallVec;

/// Fewer packets than this in an interval say nothing: a stream that pauses in silence sends some too.
pub const PACKETS_MIN: u32 = 10;

/// Levels of all packets so far, modulo 2^32: an interval of less than 33 million packets is counted rightly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    sum_db: u32,
    packets: u32,
}

const _: () = assert!(size_of::<Levels>() == 8);

impl Levels {
    /// A packet of this level came; above 127 is 127.
    pub fn add(&mut self, below_full_db: u8) {
        self.sum_db = self.sum_db.wrapping_add(below_full_db.min(SILENCE_DB).into());
        self.packets = self.packets.wrapping_add(1);
    }

    /// The mean level since `earlier`, in whole decibels below the loudest, 0 to 127; `None` when fewer than
    /// [`PACKETS_MIN`] packets came since.
    pub fn mean_since(self, earlier: Self) -> Option<u8> {
        let packets = self.packets.wrapping_sub(earlier.packets);
        if packets < PACKETS_MIN {
            return None;
        }
        let sum = u64::from(self.sum_db.wrapping_sub(earlier.sum_db));
        let mean = (sum + u64::from(packets) / 2) / u64::from(packets);
        Some(u8::try_from(mean).map_or(SILENCE_DB, |mean| mean.min(SILENCE_DB)))
    }
}

/// Chooses the loudest of an interval.
#[derive(Clone, Copy, Debug)]
pub struct Loudest {
    max_entries: u8,
    /// Quieter than this is silence.
    threshold_db: u8,
    /// Somebody was told to be heard, and nobody has said since that it is quiet.
    told: bool,
}

/// The loudest with their levels, loudest first; empty: silence began.
pub type Heard<K> = SmallVec<[(K, u8); 8]>;

impl Loudest {
    /// Tells at most `max_entries` at a time (at least one), none quieter than `threshold_db` below the loudest.
    pub fn new(max_entries: u8, threshold_db: u8) -> Self {
        Self { max_entries: max_entries.max(1), threshold_db, told: false }
    }

    /// The end of an interval: what to tell, if anything. Of equally loud ones the first is first.
    pub fn choose<K: Copy>(&mut self, means: impl Iterator<Item = (K, u8)>) -> Option<Heard<K>> {
        let most = usize::from(self.max_entries);
        let mut heard = Heard::new();
        for (name, mean) in means.filter(|(_, mean)| *mean <= self.threshold_db) {
            let place = heard.partition_point(|(_, other)| *other <= mean);
            if place < most {
                heard.truncate(most - 1);
                heard.insert(place, (name, mean));
            }
        }
        let was_told = std::mem::replace(&mut self.told, !heard.is_empty());
        (was_told || self.told).then_some(heard)
    }

    /// Nothing is listened to any more. Whether silence is to be told: somebody was still told to be heard.
    pub fn stop(&mut self) -> bool {
        std::mem::take(&mut self.told)
    }
}

const SILENCE_DB: u8 = 127;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn levels(of: &[u8]) -> Levels {
        let mut levels = Levels::default();
        of.iter().for_each(|level| levels.add(*level));
        levels
    }

    #[test]
    fn the_mean_of_an_interval_is_rounded_and_knows_nothing_of_what_was_before() {
        let mut levels = levels(&[127; 500]);
        let before = levels;
        for _ in 0..5 {
            levels.add(30);
            levels.add(31);
        }
        assert_eq!(levels.mean_since(before), Some(31), "30.5 is nearer to 31, half upwards");
        assert_eq!(levels.mean_since(levels), None);
    }

    #[test]
    fn nine_packets_say_nothing_and_ten_do() {
        assert_eq!(levels(&[5; 9]).mean_since(Levels::default()), None);
        assert_eq!(levels(&[5; 10]).mean_since(Levels::default()), Some(5));
    }

    #[test]
    fn counting_goes_on_where_the_counters_wrap() {
        let earlier = Levels { sum_db: u32::MAX - 100, packets: u32::MAX - 3 };
        let mut levels = earlier;
        (0..20).for_each(|_| levels.add(60));
        assert_eq!(levels.mean_since(earlier), Some(60));
    }

    #[test]
    fn the_loudest_are_told_loudest_first_and_no_more_than_were_asked_for() {
        let mut loudest = Loudest::new(2, 80);
        let means = [('a', 50), ('b', 20), ('c', 80), ('d', 20), ('e', 81)];
        let told = loudest.choose(means.into_iter());
        assert_eq!(told.as_deref(), Some(&[('b', 20), ('d', 20)][..]));
        let told = loudest.choose([('c', 80), ('e', 81)].into_iter());
        assert_eq!(told.as_deref(), Some(&[('c', 80)][..]), "at the threshold is loud enough");
    }

    #[test]
    fn silence_is_told_once_and_not_before_a_sound() {
        let mut loudest = Loudest::new(1, 80);
        let quiet = || [('a', 100)].into_iter();
        assert_eq!(loudest.choose(quiet()), None);
        assert!(!loudest.stop());
        assert!(loudest.choose([('a', 10)].into_iter()).is_some_and(|heard| heard.len() == 1));
        assert!(loudest.choose(quiet()).is_some_and(|heard| heard.is_empty()));
        assert_eq!(loudest.choose(quiet()), None);
        assert!(loudest.choose([('a', 10)].into_iter()).is_some());
        assert!(loudest.stop(), "who stops listening knows of no sound");
        assert!(!loudest.stop());
    }

    proptest! {
        #![proptest_config(crate::stream::model_config())]

        #[test]
        fn what_is_told_is_what_sorting_everything_would_give(
            intervals in prop::collection::vec(prop::collection::vec(0u8..=127, 0..40), 1..20),
            max_entries in 1u8..=64,
            threshold in 0u8..=127,
        ) {
            let mut loudest = Loudest::new(max_entries, threshold);
            let mut was_heard = false;
            for means in intervals {
                let named = means.iter().copied().enumerate();
                let told = loudest.choose(named.clone());
                let mut expected: Vec<_> = named.filter(|(_, mean)| *mean <= threshold).collect();
                expected.sort_by_key(|(_, mean)| *mean);
                expected.truncate(max_entries.into());
                prop_assert_eq!(told.is_some(), was_heard || !expected.is_empty());
                was_heard = !expected.is_empty();
                prop_assert_eq!(told.unwrap_or_default().into_vec(), expected);
            }
        }

        #[test]
        fn a_mean_lies_between_the_quietest_and_the_loudest(
            of in prop::collection::vec(any::<u8>(), 0..200),
            before in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let earlier = levels(&before);
            let mut all = earlier;
            of.iter().for_each(|level| all.add(*level));
            let mean = all.mean_since(earlier);
            prop_assert_eq!(mean.is_some(), of.len() >= PACKETS_MIN as usize);
            if let Some(mean) = mean {
                let bounded = || of.iter().map(|level| (*level).min(SILENCE_DB));
                prop_assert!(bounded().min() <= Some(mean) && Some(mean) <= bounded().max());
            }
        }
    }
}
