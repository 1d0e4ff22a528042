//! Exact test of two groups of runs for several figures together.
//!
//! A permutation test (Fisher, The Design of Experiments, 1935; Pitman, Significance Tests
//! Which May Be Applied to Samples from Any Populations, 1937): if both groups are runs of
//! one program, each division of all runs into groups of these sizes is equally likely. The
//! p-value of a difference is the share of divisions with a difference of at least that size.
//! It needs no assumption about the distribution of the figures: outliers and a wide spread
//! cost power and raise no alarms.
//!
//! The figures are tested together, by the largest of their standardised differences in each
//! division (Westfall and Young, Resampling-Based Multiple Testing, 1993: single-step max-T).
//! The probability that any of the figures raises an alarm without a difference is at most the
//! level, and correlated figures, such as a rate and a latency, cost hardly more than one.
//!
//! The standardised difference is the correlation of the figure with the division, which rises
//! with Student's t. Tests with ranks were simulated as well: with three runs a side they find
//! a slowdown of 11 % in 6 % of comparisons, this test in 75 %, because few ranks leave ties
//! between figures.

use std::cmp::Ordering;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Highest number of divisions that are all evaluated: those of 10 and 10 runs.
const MOST_DIVISIONS: u64 = 184_756;

/// Number of divisions that are drawn at random if there are more.
const DRAWN: u64 = 20_000;

/// Difference below which two standardised differences count as equal: above the rounding
/// errors of a thousand additions.
const TIE: f64 = 1e-9;

/// Sum of squares, relative to a squared value, below which a figure has no spread but rounding
/// errors.
const ROUNDING: f64 = 1e-24;

/// Adjusted p-values of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Probability, without a difference, that any figure of B is this much higher than in A.
    pub higher: f64,
    /// Probability, without a difference, that any figure of B is this much lower than in A.
    pub lower: f64,
}

/// Returns the number of divisions of `a + b` runs into groups of `a` and `b`; the largest
/// number if there are more.
pub fn divisions(a: usize, b: usize) -> u64 {
    let (few, all) = (a.min(b), a + b);
    let mut count: u64 = 1;
    for place in 0..few {
        let Some(product) = count.checked_mul((all - place) as u64) else {
            return u64::MAX;
        };
        count = product / (place as u64 + 1);
    }
    count
}

/// Returns the adjusted p-values of each figure. Each run is a list with one value of each
/// figure; values of one figure must have a common scale, such as logarithms.
///
/// Evaluates all divisions up to those of 10 and 10 runs, and beyond them 20,000 that are
/// drawn at random and the one that was measured (Phipson and Smyth, Permutation P-values
/// Should Never Be Zero, 2010).
pub fn chances(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Chance> {
    let (mut a, mut b) = (a.to_vec(), b.to_vec());
    a.sort_by(|one, other| by_figures(one, other));
    b.sort_by(|one, other| by_figures(one, other));
    // The smaller group is the one whose places are enumerated. With a fixed order of the
    // groups, an exchange of A and B exchanges the p-values even if divisions are drawn.
    let exchanged = match a.len().cmp(&b.len()) {
        Ordering::Equal => {
            let runs = a.iter().zip(&b);
            let first = runs.map(|(a, b)| by_figures(a, b));
            first.fold(Ordering::Equal, Ordering::then) == Ordering::Greater
        }
        larger => larger == Ordering::Greater,
    };
    let (few, others) = if exchanged { (&b, &a) } else { (&a, &b) };
    let counted = Counted::of(&scores(few, others), few.len());
    counted
        .chances()
        .map(|chance| {
            if exchanged {
                chance
            } else {
                Chance {
                    higher: chance.lower,
                    lower: chance.higher,
                }
            }
        })
        .collect()
}

fn by_figures(one: &[f64], other: &[f64]) -> Ordering {
    let pairs = one.iter().zip(other);
    pairs
        .map(|(one, other)| one.total_cmp(other))
        .fold(Ordering::Equal, Ordering::then)
}

/// Returns the values of each figure less their mean, divided by the root of their sum of
/// squares: figure by figure, and in it the runs of both groups.
fn scores(few: &[Vec<f64>], others: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let figures = few.first().or(others.first()).map_or(0, Vec::len);
    (0..figures)
        .map(|figure| {
            let runs = few.iter().chain(others);
            let mut values: Vec<f64> = runs.map(|run| run[figure]).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            for value in &mut values {
                *value = if squares > ROUNDING * (1.0 + mean.powi(2)) {
                    (*value - mean) / squares.sqrt()
                } else {
                    0.0
                };
            }
            values
        })
        .collect()
}

/// Numbers of divisions in which the most extreme figure is at least as extreme as each
/// figure was measured.
struct Counted {
    measured: Vec<f64>,
    high: Vec<u64>,
    low: Vec<u64>,
    divisions: u64,
}

impl Counted {
    fn of(scores: &[Vec<f64>], few: usize) -> Self {
        let runs = scores.first().map_or(0, Vec::len);
        let sums = |places: &[usize], into: &mut Vec<f64>| {
            into.clear();
            let of = |figure: &Vec<f64>| places.iter().map(|place| figure[*place]).sum::<f64>();
            into.extend(scores.iter().map(of));
        };
        let mut into = Vec::new();
        let first: Vec<usize> = (0..few).collect();
        sums(&first, &mut into);
        let mut counted = Self {
            measured: into.clone(),
            high: vec![0; scores.len()],
            low: vec![0; scores.len()],
            divisions: 0,
        };
        if divisions(few, runs - few) <= MOST_DIVISIONS {
            let mut places = first;
            loop {
                sums(&places, &mut into);
                counted.add(&into);
                if !advance(&mut places, runs) {
                    return counted;
                }
            }
        }
        counted.add(&into);
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut places: Vec<usize> = (0..runs).collect();
        for _ in 0..DRAWN {
            for place in 0..few {
                let wide = u128::from(random.next_u64()) * (runs - place) as u128;
                let ahead = usize::try_from(wide >> 64).unwrap_or_default();
                places.swap(place, place + ahead);
            }
            sums(&places[..few], &mut into);
            counted.add(&into);
        }
        counted
    }

    fn add(&mut self, sums: &[f64]) {
        self.divisions += 1;
        let highest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let lowest = sums.iter().copied().fold(f64::INFINITY, f64::min);
        for (figure, measured) in self.measured.iter().enumerate() {
            self.high[figure] += u64::from(highest >= measured - TIE);
            self.low[figure] += u64::from(lowest <= measured + TIE);
        }
    }

    /// Returns the p-values of the group whose places were enumerated.
    fn chances(&self) -> impl Iterator<Item = Chance> {
        let share = |count: u64| count as f64 / self.divisions as f64;
        let both = self.high.iter().zip(&self.low);
        both.map(move |(high, low)| Chance {
            higher: share(*high),
            lower: share(*low),
        })
    }
}

/// Advances to the next combination of rising places below `all`; returns whether there is
/// one.
fn advance(places: &mut [usize], all: usize) -> bool {
    let count = places.len();
    let Some(moved) = (0..count).rfind(|at| places[*at] < all - count + at) else {
        return false;
    };
    places[moved] += 1;
    for at in moved + 1..count {
        places[at] = places[at - 1] + 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_figure(values: &[f64]) -> Vec<Vec<f64>> {
        values.iter().map(|value| vec![*value]).collect()
    }

    #[test]
    fn divisions_are_the_binomial_coefficients() {
        for (a, b, count) in [(1, 1, 2), (2, 2, 6), (3, 3, 20), (5, 5, 252), (2, 5, 21)] {
            assert_eq!(divisions(a, b), count);
            assert_eq!(divisions(b, a), count);
        }
        assert_eq!(divisions(10, 10), MOST_DIVISIONS);
        assert_eq!(divisions(1000, 1000), u64::MAX);
        assert_eq!(divisions(0, 5), 1);
    }

    #[test]
    fn groups_without_overlap_are_one_division_of_all() {
        let (a, b) = (one_figure(&[1.0, 2.0, 3.0]), one_figure(&[4.0, 5.0, 9.0]));
        let chance = chances(&a, &b)[0];
        assert!((chance.higher - 1.0 / 20.0).abs() < 1e-12, "{chance:?}");
        assert!((chance.lower - 1.0).abs() < 1e-12, "{chance:?}");
        // Two of the six divisions have at least this difference.
        let (a, b) = (one_figure(&[1.0, 3.0]), one_figure(&[2.0, 5.0]));
        assert!((chances(&a, &b)[0].higher - 2.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_second_figure_raises_the_p_value_of_the_first() {
        let alone = |figures: usize| {
            let run = |values: [f64; 2]| values[..figures].to_vec();
            let a = [[1.0, 5.0], [2.0, 1.0], [3.5, 4.0], [3.0, 2.0]].map(run);
            let b = [[3.2, 3.0], [5.0, 6.0], [6.0, 0.0], [7.0, 1.5]].map(run);
            chances(&a, &b)[0].higher
        };
        assert!(alone(2) > alone(1));
        assert!(alone(2) <= 2.0 * alone(1) + 1e-12);
    }

    #[test]
    fn equal_values_are_no_difference() {
        let same = one_figure(&[2.0; 4]);
        assert_eq!(
            chances(&same, &same)[0],
            Chance {
                higher: 1.0,
                lower: 1.0
            }
        );
        assert_eq!(chances(&[], &[]), []);
        // A constant whose mean has a rounding error hides no other figure.
        let run = |value: f64| vec![value, 6e6_f64.ln()];
        let (a, b) = ([1.0, 2.0, 3.0].map(run), [4.0, 5.0, 6.0].map(run));
        assert!((chances(&a, &b)[0].higher - 1.0 / 20.0).abs() < 1e-12);
    }

    #[test]
    fn many_runs_are_tested_by_drawn_divisions() {
        let values = |shift: f64| -> Vec<Vec<f64>> {
            (0..30)
                .map(|run| vec![f64::from(run % 7) + shift])
                .collect()
        };
        let (equal, higher) = (
            chances(&values(0.0), &values(0.0)),
            chances(&values(0.0), &values(3.0)),
        );
        assert!(equal[0].higher > 0.3, "{equal:?}");
        assert!(
            higher[0].higher < 0.001 && higher[0].higher > 0.0,
            "{higher:?}"
        );
        let back = chances(&values(3.0), &values(0.0));
        assert_eq!(
            (back[0].higher, back[0].lower),
            (higher[0].lower, higher[0].higher)
        );
    }

    proptest! {
        #[test]
        fn an_exchange_of_the_groups_exchanges_the_p_values(
            a in prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 2), 1..6),
            b in prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 2), 1..6),
        ) {
            for (there, back) in chances(&a, &b).into_iter().zip(chances(&b, &a)) {
                prop_assert_eq!(there, Chance { higher: back.lower, lower: back.higher });
            }
        }

        #[test]
        fn the_order_of_the_runs_is_irrelevant(
            a in prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 2), 1..6),
            b in prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 2), 1..6),
        ) {
            let (mut turned, mut also) = (a.clone(), b.clone());
            turned.reverse();
            also.rotate_left(b.len() / 2);
            prop_assert_eq!(chances(&a, &b), chances(&turned, &also));
        }

        #[test]
        fn p_values_are_multiples_of_the_share_of_one_division(
            a in prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 3), 1..5),
            b in prop::collection::vec(prop::collection::vec(-9.0..9.0_f64, 3), 1..5),
        ) {
            let all = divisions(a.len(), b.len()) as f64;
            for chance in chances(&a, &b) {
                for p in [chance.higher, chance.lower] {
                    prop_assert!(p >= 1.0 / all - 1e-12 && p <= 1.0);
                    prop_assert!((p * all - (p * all).round()).abs() < 1e-6);
                }
            }
        }
    }
}
