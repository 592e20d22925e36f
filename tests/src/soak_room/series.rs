//! Memory over real time, and how fast it grows.
//!
//! What is judged is the low-water mark: the least of the readings of each minute, and over the last half of the time the
//! line of least squares through these. What comes late in a burst, because the machine was busy elsewhere, is held for
//! seconds and given back: that is no growth, and would hide growth. What is never given back raises every mark.
//!
//! Knows curves. Does not know processes. Used by `soak_room`.
//! Invariant: points are in the order of time.

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
    /// Of the line of least squares through the low-water marks, in kB a minute.
    pub slope_kb_per_min: f64,
    /// That slope's standard error, by the scatter around the line: chance alone makes a flat curve rise by twice this once
    /// in forty runs.
    pub error_kb_per_min: f64,
    /// The same line through all readings, in kB a minute.
    pub slope_of_all_kb_per_min: f64,
    /// The least, in kB.
    pub min_kb: f64,
    /// The most, in kB.
    pub max_kb: f64,
    /// The mean, in kB.
    pub mean_kb: f64,
    /// The line's ends: minutes and kB.
    pub line: [(f64, f64); 2],
    /// From half-time to the end.
    pub minutes: f64,
}

impl Curve {
    /// What it did over the last half; `None` when there are too few marks to tell.
    pub fn trend(&self) -> Option<Trend> {
        let end = self.points.last()?.0;
        let half: Vec<(f64, f64)> = self.points.iter().copied().filter(|(at, _)| *at >= end / 2.0).collect();
        let marks = low_water_marks(&half);
        if marks.len() < MARKS_MIN {
            return None;
        }
        let (slope, origin) = least_squares(&marks)?;
        let at = |minutes: f64| (minutes, origin + slope * minutes);
        let values = || half.iter().map(|point| point.1);
        let begin = half.first()?.0;
        Some(Trend {
            slope_kb_per_min: slope,
            error_kb_per_min: slope_error(&marks, slope, origin),
            slope_of_all_kb_per_min: least_squares(&half)?.0,
            min_kb: values().fold(f64::INFINITY, f64::min),
            max_kb: values().fold(0.0, f64::max),
            mean_kb: values().sum::<f64>() / half.len() as f64,
            line: [at(begin), at(end)],
            minutes: end - begin,
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
    /// Whether it grows faster than anything may. In a short run chance alone makes slopes: there it has to be clear.
    pub fn grows(&self) -> bool {
        let surely = if self.is_long() { 0.0 } else { 2.0 * self.error_kb_per_min };
        self.slope_kb_per_min - surely > SLOPE_MAX_KB_PER_MIN
    }

    /// Whether chance does not count.
    pub fn is_long(&self) -> bool {
        self.minutes >= LONG_MIN
    }
}

/// The least of each minute, when it was, of whole minutes.
fn low_water_marks(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let Some((begin, _)) = points.first() else { return Vec::new() };
    let window = |at: f64| (at - begin).floor();
    let whole = points.last().map_or(0.0, |(end, _)| window(*end + READING_MIN));
    let windows = points.chunk_by(|one, next| window(one.0) >= window(next.0));
    let whole = windows.filter(|readings| readings.first().is_some_and(|(at, _)| window(*at) < whole));
    whole
        .filter_map(|readings| readings.iter().copied().min_by(|one, other| one.1.total_cmp(&other.1)))
        .collect()
}

/// The usual one of a slope.
fn slope_error(marks: &[(f64, f64)], slope: f64, origin: f64) -> f64 {
    let count = marks.len() as f64;
    let mean_at = marks.iter().map(|mark| mark.0).sum::<f64>() / count;
    let spread: f64 = marks.iter().map(|(at, _)| (at - mean_at).powi(2)).sum();
    let scatter: f64 = marks.iter().map(|(at, kb)| (kb - origin - slope * at).powi(2)).sum();
    (scatter / (count - 2.0) / spread).sqrt()
}

/// Faster than this nothing may grow.
pub const SLOPE_MAX_KB_PER_MIN: f64 = 1.0;
/// Between two readings, and some: a minute that lacks no more is whole.
const READING_MIN: f64 = 0.025;
/// Fewer tell nothing: so many are in ten minutes.
const MARKS_MIN: usize = 5;
/// The half of a run of thirty minutes.
const LONG_MIN: f64 = 14.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(samples: u32, kb: impl Fn(u32) -> f64) -> Curve {
        let points = (0..samples).map(|second| (f64::from(second) / 60.0, kb(second))).collect();
        Curve { name: "heap", is_judged: true, points }
    }

    /// As memory is: it goes up and down within a minute, now and then far up.
    fn wave(second: u32) -> f64 {
        let burst = if second % 613 < 8 { 3_000.0 } else { 0.0 };
        700.0 + f64::from(second % 37) + burst
    }

    #[test]
    fn what_goes_up_and_down_does_not_grow_though_its_bursts_seem_to() {
        let late = |second: u32| wave(second) + if second > 3_590 { 5_000.0 } else { 0.0 };
        let trend = curve(3_600, late).trend().unwrap();
        assert!(!trend.grows() && trend.slope_kb_per_min.abs() < 0.2, "{trend:?}");
        assert!(trend.slope_of_all_kb_per_min > 2.0, "{trend:?}");
        assert!(trend.min_kb < 701.0 && trend.max_kb > 5_700.0, "{trend:?}");
        assert!((trend.line[0].0 - 30.0).abs() < 0.1 && trend.is_long(), "{trend:?}");
    }

    #[test]
    fn two_kilobytes_a_minute_grow_whatever_lies_above() {
        let leak = |second: u32| wave(second) + f64::from(second) / 30.0;
        let trend = curve(3_600, leak).trend().unwrap();
        assert!(trend.grows() && (1.8..2.2).contains(&trend.slope_kb_per_min), "{trend:?}");
        assert!(trend.error_kb_per_min < 0.3, "{trend:?}");
    }

    #[test]
    fn in_a_short_run_a_slope_has_to_be_clear_and_in_a_long_one_it_has_not() {
        let saw = |second: u32| 700.0 + f64::from(second / 60 * 2 % 7) * 10.0;
        let rises = |kb_per_min: f64| move |second: u32| saw(second) + f64::from(second) / 60.0 * kb_per_min;
        let (short, long) =
            (curve(960, rises(8.0)).trend().unwrap(), curve(3_600, rises(1.3)).trend().unwrap());
        assert!(short.slope_kb_per_min > 1.0 && !short.grows(), "{short:?}");
        assert!(long.slope_kb_per_min > 1.0 && long.grows(), "{long:?}");
        assert!(curve(960, rises(60.0)).trend().unwrap().grows());
    }

    #[test]
    fn a_mark_is_the_least_of_a_whole_minute() {
        let points: Vec<_> =
            (0..185).map(|second| (f64::from(second) / 60.0, f64::from(second % 60))).collect();
        let marks = low_water_marks(&points);
        assert_eq!(marks, [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0)]);
    }

    #[test]
    fn what_rises_before_half_time_is_warming_up() {
        let trend = curve(3_600, |second| f64::from(second.min(1_500)) * 10.0).trend().unwrap();
        assert!(trend.slope_kb_per_min.abs() < 1e-6, "{trend:?}");
    }

    #[test]
    fn few_samples_tell_nothing() {
        assert_eq!(curve(540, |_| 1.0).trend(), None);
        assert!(curve(540, |_| 1.0).panel().line.is_none());
    }
}
