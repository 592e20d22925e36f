//! Medians, and a histogram that keeps percentiles of millions of latencies in 15 kB.
//!
//! Knows numbers. Called by the sinks (latencies) and by reports (medians of repeats).

/// The middle value, or the mean of the two middle ones; `None` of none. Values that are not numbers count as largest.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let is_odd = sorted.len() % 2 == 1;
    if is_odd {
        return Some(upper);
    }
    let lower = *sorted.get(sorted.len() / 2 - 1)?;
    Some(f64::midpoint(lower, upper))
}

/// The line of least squares through points: its slope, and its value at 0; `None` without two different times.
pub fn least_squares(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_at, mean_value) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
    let common: f64 = points.iter().map(|(at, value)| (at - mean_at) * (value - mean_value)).sum();
    let slope = (spread > 0.0).then(|| common / spread)?;
    Some((slope, mean_value - slope * mean_at))
}

/// Counts values in buckets 3 % wide.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0 }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(value)) {
            *bucket += 1;
            self.count += 1;
        }
    }

    /// How many values were recorded.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Adds the values of another one.
    pub fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(mine, theirs)| *mine += theirs);
        self.count += other.count;
    }

    /// The value that `per_mille` thousandths of all values do not exceed (500: the median), at most 3 % above the
    /// true one; `None` when nothing was recorded.
    pub fn quantile(&self, per_mille: u64) -> Option<u64> {
        let rank = self.count.saturating_mul(per_mille).div_ceil(1_000).max(1);
        let mut passed = 0;
        let reaches = |(_, count): &(usize, &u64)| {
            passed += **count;
            passed >= rank
        };
        let (bucket, _) = self.buckets.iter().enumerate().find(reaches)?;
        Some(upper_edge(bucket))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// Values below 64 have a bucket each; above, every power of two has 32.
fn bucket_of(value: u64) -> usize {
    if value < EXACT {
        return usize::try_from(value).unwrap_or(usize::MAX);
    }
    let shift = u64::from(value.ilog2() - SUB_BITS);
    usize::try_from(shift * SUB_BUCKETS + (value >> shift)).unwrap_or(usize::MAX)
}

fn upper_edge(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    if bucket < EXACT {
        return bucket;
    }
    let shift = bucket / SUB_BUCKETS - 1;
    let within = bucket % SUB_BUCKETS + SUB_BUCKETS;
    (u128::from(within + 1) << shift)
        .checked_sub(1)
        .and_then(|edge| u64::try_from(edge).ok())
        .unwrap_or(u64::MAX)
}

const SUB_BITS: u32 = 5;
const SUB_BUCKETS: u64 = 1 << SUB_BITS;
const EXACT: u64 = 2 * SUB_BUCKETS;
const BUCKETS: usize = 32 * (64 - 5 + 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_does_not_depend_on_order_and_is_the_middle_of_an_even_number() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    #[test]
    fn every_value_lies_in_the_bucket_whose_edge_is_at_most_three_percent_above() {
        let around_powers = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for value in around_powers.chain([u64::MAX]) {
            let edge = upper_edge(bucket_of(value));
            assert!(bucket_of(value) < BUCKETS, "{value}");
            assert!(edge >= value && edge - value <= value / 32, "{value} in the bucket up to {edge}");
        }
    }

    #[test]
    fn quantiles_of_a_hundred_values_are_where_they_should_be() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(500), None);
        (1..=50).for_each(|value| histogram.record(value));
        let mut slow = Histogram::new();
        (0..50).for_each(|_| slow.record(1_000_000));
        histogram.merge(&slow);
        assert_eq!(histogram.quantile(500), Some(50));
        assert_eq!(histogram.quantile(0), Some(1));
        assert!(histogram.quantile(990).is_some_and(|value| (1_000_000..1_032_000).contains(&value)));
        assert_eq!(histogram.count(), 100);
    }
}
