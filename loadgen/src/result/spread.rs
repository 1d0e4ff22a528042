//! Variation of the figures of a program from run to run.

use super::key_figure::KeyFigure;
use super::key_figures;
use super::machine_spread::FigureSpread;
use super::run::RunResult;
use crate::stats::{median, two_samples};

/// Returns the variation of every figure that each of the runs has.
pub fn of<'a>(runs: impl IntoIterator<Item = &'a RunResult>) -> Vec<FigureSpread> {
    let runs: Vec<Vec<(KeyFigure, f64)>> = runs.into_iter().map(key_figures::of).collect();
    let Some(first) = runs.first() else {
        return Vec::new();
    };
    let names = first.iter().map(|(name, _)| name);
    names.filter_map(|name| of_figure(name, &runs)).collect()
}

fn of_figure(name: &KeyFigure, runs: &[Vec<(KeyFigure, f64)>]) -> Option<FigureSpread> {
    let value = |run: &Vec<(KeyFigure, f64)>| {
        let found = run.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value).filter(|value| *value > 0.0)
    };
    let values: Vec<f64> = runs.iter().map(value).collect::<Option<_>>()?;
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    Some(FigureSpread {
        figure: name.clone(),
        median: median(values.clone()),
        spread: two_samples::deviation(&logs),
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn the_spread_is_the_deviation_of_logarithms() {
        let runs = [1.0, 1.1, 1.21].map(|factor| {
            let mut run = example();
            run.totals.pods_per_s = 1000.0 * factor;
            run
        });
        let spread = of(&runs);
        let rate = spread
            .iter()
            .find(|s| s.figure == KeyFigure::rate())
            .unwrap();
        assert!((rate.median - 1100.0).abs() < 1e-9);
        assert!((rate.spread - 1.1_f64.ln()).abs() < 1e-9, "{rate:?}");
        assert_eq!(rate.values.len(), 3);
        let cpu = spread
            .iter()
            .find(|s| s.figure.is_cpu_under_test())
            .unwrap();
        assert!(cpu.spread.abs() < 1e-12);
        assert_eq!(of(&[]), []);
    }

    #[test]
    fn a_figure_that_a_run_lacks_has_no_spread() {
        let mut other = example();
        other.processes.clear();
        let spread = of(&[example(), other]);
        assert!(!spread.iter().any(|s| s.figure.is_cpu_under_test()));
    }
}
