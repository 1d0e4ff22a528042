//! Charts the distribution of latencies, far into its tail.

use hdrhistogram::Histogram;
use maud::Markup;

use display::human;
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, time};

/// Number of points on a curve between a percentile and the one half as far from 100 %.
const TICKS_PER_HALF: u32 = 8;

/// Marked percentiles, and their names.
const MARKS: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

/// A named distribution.
pub struct Curve<'a> {
    /// Name of the curve.
    pub name: &'a str,
    /// Latencies, in nanoseconds.
    pub histogram: &'a Histogram<u64>,
}

/// Draws the first curve and the curves to compare with it on one chart. The x axis gives
/// each additional nine of a percentile the same width; labels show the values of the
/// first curve.
pub fn chart(curves: &[Curve]) -> Markup {
    let largest = curves.iter().map(|curve| curve.histogram.len()).max();
    // The axis ends at the largest value, which is one of this many.
    let end = (largest.unwrap_or(0) as f64).max(100.0);
    let x = Axis {
        name: "percentile".to_owned(),
        scale: Scale::Log(1.0, end),
        ticks: [0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999]
            .into_iter()
            .map(|quantile| (beyond(quantile, end), percent(quantile)))
            .filter(|(place, _)| *place < end * 0.999)
            .collect(),
    };
    let values = curves
        .iter()
        .flat_map(|curve| [curve.histogram.min() as f64, curve.histogram.max() as f64]);
    let y = Axis::new("latency", Scale::log(values), 8, time);
    let mut chart = Chart::new("Latency by percentile", summary(curves), x, y);
    for (number, curve) in curves.iter().enumerate() {
        let points = curve.histogram.iter_quantiles(TICKS_PER_HALF).map(|value| {
            let x = beyond(value.quantile_iterated_to(), end);
            (x, Some(value.value_iterated_to() as f64))
        });
        chart.line(style(number), curve.name, points.collect::<Vec<_>>());
    }
    if let Some(Curve { histogram, .. }) = curves.first() {
        let reached = MARKS
            .iter()
            .filter(|(quantile, _)| beyond(*quantile, end) < end * 0.4);
        for (quantile, _) in reached {
            let value = histogram.value_at_quantile(*quantile);
            chart.mark(
                style(0),
                beyond(*quantile, end),
                value as f64,
                &human::nanoseconds(value),
            );
        }
        let max = histogram.max();
        chart.mark(style(0), end, max as f64, &human::nanoseconds(max));
    }
    chart.render()
}

fn style(number: usize) -> Style {
    if number == 0 { Style(0) } else { Style(1) }
}

/// Returns how rare values beyond a quantile are: one in this many.
fn beyond(quantile: f64, end: f64) -> f64 {
    let rest = 1.0 - quantile;
    if rest > 1.0 / end { 1.0 / rest } else { end }
}

/// Formats a percentile with the necessary number of nines: `99.9 %`.
fn percent(quantile: f64) -> String {
    let text = format!("{:.4}", quantile * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

fn summary(curves: &[Curve]) -> String {
    let of = |curve: &Curve| {
        let mut text = format!("{}:", curve.name);
        for (quantile, name) in MARKS {
            let value = human::nanoseconds(curve.histogram.value_at_quantile(quantile));
            text.extend([" ", name, " ", &value, ","]);
        }
        format!("{text} max {}.", human::nanoseconds(curve.histogram.max()))
    };
    curves.iter().map(of).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::recorder;

    #[test]
    fn percentiles_have_as_many_nines_as_they_need() {
        let shown: Vec<_> = [0.0, 0.5, 0.99, 0.9999, 0.999_999].map(percent).into();
        assert_eq!(shown, ["0%", "50%", "99%", "99.99%", "99.9999%"]);
    }

    #[test]
    fn values_beyond_a_percentile_are_one_in_a_number() {
        assert!((beyond(0.99, 1e6) - 100.0).abs() < 1e-6);
        assert!((beyond(1.0, 1e6) - 1e6).abs() < 1e-6);
    }

    #[test]
    fn an_empty_histogram_and_a_single_value_have_a_chart() {
        let mut histogram = recorder::histogram();
        let shown = |histogram: &Histogram<u64>| {
            let curve = Curve {
                name: "pod",
                histogram,
            };
            chart(&[curve]).into_string()
        };
        assert!(shown(&histogram).contains("<svg"));
        histogram.saturating_record(1_500_000);
        assert!(
            shown(&histogram).contains("max 1.50ms"),
            "{}",
            shown(&histogram)
        );
    }
}
