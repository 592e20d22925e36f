//! Memory over virtual time, as a picture.
//!
//! Knows samples. Does not know where the picture goes. Called by `cargo soak`.
//! Invariant: all three curves over all of the time.

use std::error::Error;

use super::series::{Curve, Sample};
use crate::chart::{self, Panel};

/// An SVG of the three curves, one below the other.
///
/// # Errors
/// It cannot be drawn.
pub fn svg(title: &str, samples: &[Sample]) -> Result<String, Box<dyn Error>> {
    let panels = Curve::ALL.map(|curve| Panel {
        caption: curve.name().to_owned(),
        points: samples.iter().map(|sample| (hours(sample), curve.of(sample) as f64 / 1e3)).collect(),
        line: None,
    });
    chart::svg(title, "virtual hours", "kB", &panels)
}

fn hours(sample: &Sample) -> f64 {
    sample.at_ms as f64 / 3_600_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_has_every_curve_and_every_sample() {
        let sample = |at_ms| Sample { at_ms, pool_bytes: at_ms % 500, ..Sample::default() };
        let samples: Vec<Sample> = (0..200).map(|n| sample(n * 1_000)).collect();
        let picture = svg("three curves", &samples).unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("three curves"));
        assert!(Curve::ALL.iter().all(|curve| picture.contains(curve.name())));
        let longest = picture.split("<polyline").map(|line| line.split(' ').count()).max();
        assert!(longest.is_some_and(|points| points >= 200), "{longest:?}");
    }
}
