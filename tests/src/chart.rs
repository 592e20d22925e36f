//! Curves over time as a picture.
//!
//! Knows points and how to draw them. Does not know what they mean, nor where the picture goes. Called by long runs.
//! Invariant: every curve over all of the time, one below the other, each with an axis of its own, from zero on.

use std::error::Error;

use plotters::prelude::*;

/// One curve.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What stands above it.
    pub caption: String,
    /// Time and value.
    pub points: Vec<(f64, f64)>,
    /// A straight line through it, by its two ends.
    pub line: Option<[(f64, f64); 2]>,
}

/// An SVG of the curves; `time` and `unit` stand at the axes.
///
/// # Errors
/// It cannot be drawn.
pub fn svg(title: &str, time: &str, unit: &str, panels: &[Panel]) -> Result<String, Box<dyn Error>> {
    let mut picture = String::new();
    {
        let root = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(title, ("sans-serif", 18))?;
        for (area, panel) in root.split_evenly((panels.len().max(1), 1)).iter().zip(panels) {
            draw(area, time, unit, panel)?;
        }
        root.present()?;
    }
    Ok(picture)
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    time: &str,
    unit: &str,
    panel: &Panel,
) -> Result<(), Box<dyn Error>> {
    let points = || panel.points.iter().copied();
    let end = points().map(|point| point.0).fold(0.01, f64::max);
    let most = points().map(|point| point.1).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.caption, ("sans-serif", 14))
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..end, 0.0..most * 1.1)?;
    chart.configure_mesh().x_desc(time).y_desc(unit).draw()?;
    chart.draw_series(LineSeries::new(points(), &BLUE))?;
    if let Some(line) = panel.line {
        chart.draw_series(LineSeries::new(line, RED.stroke_width(2)))?;
    }
    Ok(())
}

const SIZE: (u32, u32) = (1_200, 900);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_has_every_curve_its_points_and_its_line() {
        let points: Vec<(f64, f64)> = (0..200).map(|n| (f64::from(n), f64::from(n % 7))).collect();
        let panel = |caption: &str, line| Panel { caption: caption.to_owned(), points: points.clone(), line };
        let panels = [panel("one", None), panel("other", Some([(100.0, 1.0), (199.0, 2.0)]))];
        let picture = svg("both", "minutes", "kB", &panels).unwrap();
        assert!(picture.starts_with("<svg") && picture.contains("both") && picture.contains("minutes"));
        assert!(picture.contains("one") && picture.contains("other"));
        let longest = picture.split("<polyline").map(|line| line.split(' ').count()).max();
        assert!(longest.is_some_and(|points| points >= 200), "{longest:?}");
        assert_eq!(picture.matches("#FF0000").count(), 1);
    }
}
