//! Memory over real time, and how fast it grows.
//!
//! Knows curves. Does not know processes. Used by `soak_room`.
//! Invariant: points are in the order of time; what is judged is the last half of it.

use serde::Serialize;

use crate::chart::Panel;
use crate::stats::least_squares;

/// One kind of memory, over the time of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// What it is and whose.
    pub name: &'static str,
    /// Whether it may fail a run.
    pub is_judged: bool,
    /// Minutes since the beginning, and kB (of 1,024 bytes).
    pub points: Vec<(f64, f64)>,
}

/// What a curve did over the last half of the time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// Of the line of least squares, in kB a minute.
    pub slope_kb_per_min: f64,
    /// The slope's standard error by the scatter around the line, as neighbouring samples are alike: chance alone makes a
    /// flat curve rise by twice this once in forty runs.
    pub error_kb_per_min: f64,
    /// The least, in kB.
    pub min_kb: f64,
    /// The most, in kB.
    pub max_kb: f64,
    /// The mean, in kB.
    pub mean_kb: f64,
    /// The line's ends: minutes and kB.
    pub line: [(f64, f64); 2],
}

impl Curve {
    /// What it did over the last half; `None` when there are too few samples to tell.
    pub fn trend(&self) -> Option<Trend> {
        let end = self.points.last()?.0;
        let half: Vec<(f64, f64)> = self.points.iter().copied().filter(|(at, _)| *at >= end / 2.0).collect();
        if half.len() < SAMPLES_MIN {
            return None;
        }
        let (slope, origin) = least_squares(&half)?;
        let at = |minutes: f64| (minutes, origin + slope * minutes);
        let values = || half.iter().map(|point| point.1);
        Some(Trend {
            slope_kb_per_min: slope,
            error_kb_per_min: slope_error(&half, slope, origin),
            min_kb: values().fold(f64::INFINITY, f64::min),
            max_kb: values().fold(0.0, f64::max),
            mean_kb: values().sum::<f64>() / half.len() as f64,
            line: [at(half.first()?.0), at(end)],
        })
    }

    /// For the picture.
    pub fn panel(&self) -> Panel {
        let trend = self.trend();
        let slope = trend.map_or_else(String::new, |trend| {
            format!(": {:+.2} kB/min over the last half", trend.slope_kb_per_min)
        });
        Panel {
            caption: format!("{}{slope}", self.name),
            points: self.points.clone(),
            line: trend.map(|trend| trend.line),
        }
    }
}

impl Trend {
    /// Whether it grows faster than anything may.
    pub fn grows(&self) -> bool {
        self.slope_kb_per_min > SLOPE_MAX_KB_PER_MIN
    }
}

/// By batches of the scatter: within one samples may be alike, their means are as good as independent.
fn slope_error(points: &[(f64, f64)], slope: f64, origin: f64) -> f64 {
    let batch = points.len().div_ceil(BATCHES);
    let means: Vec<(f64, f64)> = points
        .chunks(batch)
        .map(|chunk| {
            let count = chunk.len() as f64;
            let at = chunk.iter().map(|point| point.0).sum::<f64>() / count;
            let off = chunk.iter().map(|(at, value)| value - origin - slope * at).sum::<f64>() / count;
            (at, off)
        })
        .collect();
    let count = means.len() as f64;
    let mean_at = means.iter().map(|point| point.0).sum::<f64>() / count;
    let spread: f64 = means.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
    let scatter: f64 = means.iter().map(|(_, off)| off.powi(2)).sum();
    if spread > 0.0 && count > 2.0 { (scatter / (count - 2.0) / spread).sqrt() } else { f64::INFINITY }
}

/// Faster than this nothing may grow.
pub const SLOPE_MAX_KB_PER_MIN: f64 = 1.0;
/// Fewer in half of the time tell nothing.
const SAMPLES_MIN: usize = 10;
const BATCHES: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(samples: u32, kb: impl Fn(u32) -> f64) -> Curve {
        let points = (0..samples).map(|second| (f64::from(second) / 60.0, kb(second))).collect();
        Curve { name: "heap", is_judged: true, points }
    }

    fn wave(second: u32) -> f64 {
        700.0 + f64::from(second % 90)
    }

    #[test]
    fn what_goes_up_and_down_does_not_grow() {
        let trend = curve(3_600, wave).trend().unwrap();
        assert!(!trend.grows() && trend.slope_kb_per_min.abs() < 0.5, "{trend:?}");
        assert_eq!((trend.min_kb, trend.max_kb), (700.0, 789.0));
        assert!((trend.line[0].0 - 30.0).abs() < 0.1, "{trend:?}");
    }

    #[test]
    fn two_kilobytes_a_minute_grow_whatever_lies_above() {
        let leak = |second: u32| wave(second) + f64::from(second) / 30.0;
        let trend = curve(3_600, leak).trend().unwrap();
        assert!(trend.grows() && (1.7..2.3).contains(&trend.slope_kb_per_min), "{trend:?}");
        assert!(trend.error_kb_per_min < 0.5, "{trend:?}");
    }

    #[test]
    fn what_rises_before_half_time_is_warming_up() {
        let trend = curve(3_600, |second| f64::from(second.min(1_500)) * 10.0).trend().unwrap();
        assert!(trend.slope_kb_per_min.abs() < 1e-6, "{trend:?}");
    }

    #[test]
    fn few_samples_tell_nothing() {
        assert_eq!(curve(15, |_| 1.0).trend(), None);
        assert!(curve(15, |_| 1.0).panel().line.is_none());
    }
}
