//! Slowdowns that `loadgen compare` finds with a known variation from run to run.

use crate::result::calibration::{CompareFinds, Found};
use crate::result::machine_spread::FigureSpread;
use crate::stats::{CONFIDENCE, student};

/// Numbers of runs of each program.
pub const RUNS_A_SIDE: [usize; 4] = [1, 3, 5, 10];

/// Standard normal quantile of 80 %: a slowdown that is this many standard errors above a
/// threshold exceeds it in four of five comparisons.
const FOUR_OF_FIVE: f64 = 0.8416;

/// Smallest difference of CPU time that counts without an option of `loadgen compare`.
const MIN_EFFECT: f64 = 0.05;

/// The same for latencies.
const MIN_LATENCY_EFFECT: f64 = 0.10;

/// Difference, in standard deviations between runs, that a comparison with so many runs a side
/// finds in four of five cases. The simulation in the tests of `compare` counts them.
pub(crate) const IN_DEVIATIONS: [(usize, f64); 3] = [(3, 4.2), (5, 2.6), (10, 1.75)];

/// Largest slowdown that is told.
const MOST: f64 = 2.0;

/// Returns for each number of runs a side the smallest slowdown that is found in four of five
/// comparisons, in each figure that decides. `runs` is the number of runs of the calibration:
/// with one run a side it gives the degrees of freedom.
pub fn compare(figures: &[FigureSpread], runs: usize) -> Vec<CompareFinds> {
    let deciding = || figures.iter().filter(|known| known.figure.decides());
    let together = 1.0 - 0.1 / deciding().count().max(1) as f64;
    let single = student::t_quantile(CONFIDENCE.max(together), runs as f64 - 1.0);
    RUNS_A_SIDE
        .iter()
        .map(|count| CompareFinds {
            runs: *count,
            figures: deciding()
                .map(|known| Found {
                    figure: known.figure.words(),
                    slowdown: slowdown(known, *count, single),
                })
                .collect(),
        })
        .collect()
}

fn slowdown(known: &FigureSpread, runs: usize, single: f64) -> Option<f64> {
    let error = known.spread * (2.0 / runs as f64).sqrt();
    let beyond_chance = match IN_DEVIATIONS.iter().find(|(count, _)| *count == runs) {
        Some((_, deviations)) => deviations * known.spread,
        None => error * (single + FOUR_OF_FIVE),
    };
    let least = if known.figure.is_cpu_under_test() {
        MIN_EFFECT
    } else {
        MIN_LATENCY_EFFECT
    };
    let beyond_least = least.ln_1p() + FOUR_OF_FIVE * error;
    Some(beyond_chance.max(beyond_least).exp_m1()).filter(|slowdown| *slowdown <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::key_figure::KeyFigure;

    fn finds(spread: f64) -> Vec<Option<f64>> {
        let known = FigureSpread {
            figure: KeyFigure::cpu("sandboxer"),
            median: 1.0,
            spread,
            values: Vec::new(),
        };
        let finds = compare(&[known], 20);
        finds
            .iter()
            .map(|finds| finds.figures[0].slowdown)
            .collect()
    }

    #[test]
    fn more_runs_find_less() {
        for spread in [0.01, 0.03, 0.1] {
            let found = finds(spread);
            // Three runs a side rely on no calibration, and find about as much as one with it.
            let several = &found[1..];
            assert!(
                several.windows(2).all(|pair| pair[1] <= pair[0]),
                "{found:?}"
            );
            assert!(found[2] <= found[0], "{found:?}");
        }
        let found = finds(0.03);
        assert!(found[2].unwrap() < 0.09, "five runs: {found:?}");
        // Nothing below the minimum effect is found.
        assert!(
            finds(0.0)
                .iter()
                .all(|found| (found.unwrap() - 0.05).abs() < 1e-9)
        );
    }

    #[test]
    fn a_wild_machine_finds_nothing_with_one_run() {
        assert_eq!(finds(0.5)[0], None);
    }
}
