//! Memory over virtual time, and whether it is flat.
//!
//! Knows samples. Does not know where they come from. Used by `soak`; drawn by `chart`.
//! Invariant: samples are in the order of time.

use serde::Serialize;

use crate::stats::least_squares;

/// Memory at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Virtual time since the beginning.
    pub at_ms: u64,
    /// Packet memory that is held.
    pub pool_bytes: u64,
    /// Of that, what histories and rings hold beside packets.
    pub history_bytes: u64,
    /// Of this whole process: the worker, and the world around it.
    pub resident_bytes: u64,
}

/// One of the three curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// [`Sample::pool_bytes`].
    Pool,
    /// [`Sample::history_bytes`].
    History,
    /// [`Sample::resident_bytes`].
    Resident,
}

impl Curve {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Pool, Self::History, Self::Resident];

    /// As it is called in charts and complaints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool use",
            Self::History => "history size",
            Self::Resident => "resident memory",
        }
    }

    /// Its value.
    pub const fn of(self, sample: &Sample) -> u64 {
        match self {
            Self::Pool => sample.pool_bytes,
            Self::History => sample.history_bytes,
            Self::Resident => sample.resident_bytes,
        }
    }

    /// A curve may rise this much from chance, of its mean or in bytes: people come and go (so that the worker's memory
    /// follows who is there), and allocators keep what they had.
    const fn chance(self) -> (f64, f64) {
        match self {
            Self::Pool | Self::History => (0.15, 128.0 * 1024.0),
            Self::Resident => (0.05, 2.0 * 1024.0 * 1024.0),
        }
    }
}

/// What a curve did over the last half of the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Trend {
    /// The mean.
    pub mean_bytes: f64,
    /// The highest over all of the time.
    pub max_bytes: u64,
    /// How much the line of least squares rises from half-time to the end; negative when it falls.
    pub rise_bytes: f64,
    /// How much it may rise.
    pub allowed_bytes: f64,
}

impl Trend {
    /// Of a curve, when there are samples enough to tell.
    pub fn of(curve: Curve, samples: &[Sample]) -> Option<Self> {
        let half = samples.get(samples.len() / 2..)?;
        if half.len() < SAMPLES_MIN {
            return None;
        }
        let points: Vec<(f64, f64)> =
            half.iter().map(|sample| (sample.at_ms as f64, curve.of(sample) as f64)).collect();
        let count = points.len() as f64;
        let mean_bytes = points.iter().map(|point| point.1).sum::<f64>() / count;
        let slope = least_squares(&points).map_or(0.0, |(slope, _)| slope);
        let time = points.last()?.0 - points.first()?.0;
        let (share, bytes) = curve.chance();
        Some(Self {
            mean_bytes,
            max_bytes: samples.iter().map(|sample| curve.of(sample)).max()?,
            rise_bytes: slope * time,
            allowed_bytes: (mean_bytes * share).max(bytes),
        })
    }

    /// Whether it rose no more than chance may have it.
    pub fn is_flat(&self) -> bool {
        self.rise_bytes <= self.allowed_bytes
    }
}

/// Fewer samples in half of the time tell nothing.
const SAMPLES_MIN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: u64, bytes: impl Fn(u64) -> u64) -> Vec<Sample> {
        let sample = |at_ms| Sample { at_ms, pool_bytes: bytes(at_ms), ..Sample::default() };
        (0..count).map(|n| sample(n * 1_000)).collect()
    }

    #[test]
    fn what_goes_up_and_down_is_flat_and_what_only_goes_up_is_not() {
        let wave = |at: u64| 4_000_000 + at / 1_000 % 7 * 300_000;
        let flat = Trend::of(Curve::Pool, &samples(1_000, wave)).unwrap();
        assert!(flat.is_flat() && flat.max_bytes == 5_800_000, "{flat:?}");
        let leak = Trend::of(Curve::Pool, &samples(1_000, |at| wave(at) + 2 * at)).unwrap();
        assert!(!leak.is_flat() && (980_000.0..1_020_000.0).contains(&leak.rise_bytes), "{leak:?}");
        let falls = Trend::of(Curve::Pool, &samples(1_000, |at| 9_000_000 - at)).unwrap();
        assert!(falls.is_flat() && falls.rise_bytes < 0.0);
    }

    #[test]
    fn a_rise_before_half_time_is_warming_up() {
        let trend = Trend::of(Curve::Pool, &samples(1_000, |at| at.min(400_000) * 10)).unwrap();
        assert!(trend.is_flat(), "{trend:?}");
    }

    #[test]
    fn few_samples_tell_nothing() {
        assert_eq!(Trend::of(Curve::Pool, &samples(150, |_| 1)), None);
    }
}
