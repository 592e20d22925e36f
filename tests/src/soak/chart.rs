//! Memory over virtual time, as a picture.
//!
//! Knows samples and how to draw them. Does not know where the picture goes. Called by `cargo soak`.
//! Invariant: all three curves over all of the time, each with an axis of its own, from zero on.

use std::error::Error;

use plotters::prelude::*;

use super::series::{Curve, Sample};

/// An SVG of the three curves, one below the other.
///
/// # Errors
/// It cannot be drawn.
pub fn svg(title: &str, samples: &[Sample]) -> Result<String, Box<dyn Error>> {
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(title, ("sans-serif", 18))?;
        for (area, curve) in root.split_evenly((Curve::ALL.len(), 1)).iter().zip(Curve::ALL) {
            draw(area, curve, samples)?;
        }
        root.present()?;
    }
    Ok(picture)
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    curve: Curve,
    samples: &[Sample],
) -> Result<(), Box<dyn Error>> {
    let points = || samples.iter().map(|sample| (hours(sample), curve.of(sample) as f64 / 1e3));
    let end = points().map(|point| point.0).fold(0.01, f64::max);
    let most = points().map(|point| point.1).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(curve.name(), ("sans-serif", 14))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.1)?;
    chart.configure_mesh().x_desc("virtual hours").y_desc("kB").draw()?;
    chart.draw_series(LineSeries::new(points(), &BLUE))?;
    Ok(())
}

fn hours(sample: &Sample) -> f64 {
    sample.at_ms as f64 / 3_600_000.0
}

const SIZE: (u32, u32) = (1_200, 900);

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
