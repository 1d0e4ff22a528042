//! Choice of the next rate of a search: up in geometric steps until a rate is too
//! high, then between the highest rate that met the threshold and the lowest that
//! missed. A rate with an unknown outcome counts here as the more likely one.

/// Parameters of a search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// First rate, in pods per second.
    pub first: f64,
    /// Ratio of a step up, or down if the first rate is too high.
    pub factor: f64,
    /// Highest rate, in pods per second.
    pub highest: f64,
    /// Lowest rate, in pods per second.
    pub lowest: f64,
    /// Precision, as a share: the search ends when the ratio of the lowest missed
    /// rate to the highest met rate, less one, is at most this.
    pub precision: f64,
}

/// State of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Ascent {
    steps: Steps,
    /// Highest rate that met the threshold, or appears to; `None` if no rate does.
    pub met: Option<f64>,
    /// Lowest rate above it that missed, or appears to; `None` if no rate does.
    pub missed: Option<f64>,
}

impl Ascent {
    /// Starts a search.
    pub fn new(steps: Steps) -> Self {
        Self {
            steps,
            met: None,
            missed: None,
        }
    }

    /// Returns the next rate to try; `None` at the end of the search.
    pub fn next(&self) -> Option<f64> {
        let Steps {
            first,
            factor,
            highest,
            lowest,
            precision,
        } = self.steps;
        match (self.met, self.missed) {
            (None, None) => Some(first.clamp(lowest, highest)),
            (Some(met), None) => (met < highest).then(|| (met * factor).min(highest)),
            (None, Some(missed)) => (missed > lowest).then(|| (missed / factor).max(lowest)),
            (Some(met), Some(missed)) => {
                (missed / met > 1.0 + precision).then(|| (met * missed).sqrt())
            }
        }
    }

    /// Adds the outcome of a rate. A rate met above a missed one removes the missed
    /// one, and the other way round: the later measurement takes precedence.
    pub fn tell(&mut self, rate: f64, met: bool) {
        if met {
            self.met = Some(rate.max(self.met.unwrap_or(rate)));
            self.missed = self.missed.filter(|missed| *missed > rate);
        } else {
            self.missed = Some(rate.min(self.missed.unwrap_or(rate)));
            self.met = self.met.filter(|met| *met < rate);
        }
    }
}

/// Returns the index of the knee of a latency-throughput curve: the point farthest
/// below the line from the first to the last point, with both axes scaled to one
/// (Satopää et al., "Finding a Kneedle in a Haystack", 2011, for a convex increasing
/// curve). `None` for fewer than three points or a straight line.
pub fn knee(curve: &[(f64, f64)]) -> Option<usize> {
    let (first, last) = (curve.first()?, curve.last()?);
    let (width, height) = (last.0 - first.0, last.1 - first.1);
    if curve.len() < 3 || width <= 0.0 || height <= 0.0 {
        return None;
    }
    let below = |(x, y): &(f64, f64)| (x - first.0) / width - (y - first.1) / height;
    let inner = curve.iter().enumerate().take(curve.len() - 1).skip(1);
    inner
        .max_by(|(_, a), (_, b)| below(a).total_cmp(&below(b)))
        .filter(|(_, point)| below(point) > f64::EPSILON)
        .map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::conclusion::{Conclusion, LineOutcome, Unknown};
    use proptest::prelude::*;

    const STEPS: Steps = Steps {
        first: 50.0,
        factor: 2.0,
        highest: 100_000.0,
        lowest: 1.0,
        precision: 0.02,
    };

    /// Returns the final state and all tried rates against a server of this capacity.
    fn search(steps: Steps, capacity: f64) -> (Ascent, Vec<f64>) {
        let mut ascent = Ascent::new(steps);
        let mut tried = Vec::new();
        while let Some(rate) = ascent.next() {
            tried.push(rate);
            ascent.tell(rate, rate <= capacity);
            assert!(tried.len() < 100, "{tried:?}");
        }
        (ascent, tried)
    }

    #[test]
    fn a_search_doubles_and_then_closes_in() {
        let (ascent, tried) = search(STEPS, 300.0);
        assert_eq!(tried[..4], [50.0, 100.0, 200.0, 400.0]);
        let met = ascent.met.unwrap();
        assert!((294.0..=300.0).contains(&met), "{met}");
        assert!(tried.len() < 12, "{tried:?}");
    }

    #[test]
    fn a_search_ends_at_its_bounds() {
        let (ascent, _) = search(STEPS, 0.5);
        assert_eq!((ascent.met, ascent.missed), (None, Some(1.0)));
        let (ascent, _) = search(STEPS, f64::INFINITY);
        assert_eq!((ascent.met, ascent.missed), (Some(100_000.0), None));
    }

    #[test]
    fn a_later_measurement_corrects_an_earlier_one() {
        let mut ascent = Ascent::new(STEPS);
        ascent.tell(100.0, false);
        ascent.tell(120.0, true);
        assert_eq!((ascent.met, ascent.missed), (Some(120.0), None));
        ascent.tell(110.0, false);
        assert_eq!((ascent.met, ascent.missed), (None, Some(110.0)));
    }

    #[test]
    fn the_knee_is_where_latency_takes_off() {
        let curve = [(100.0, 2.0), (200.0, 2.1), (400.0, 2.5), (450.0, 20.0)];
        assert_eq!(knee(&curve), Some(2));
        assert_eq!(knee(&[(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]), None);
        assert_eq!(knee(&curve[..2]), None);
    }

    proptest! {
        /// Unknown outcomes lie about the capacity, as those of a busy machine do.
        #[test]
        fn the_conclusion_from_all_outcomes_agrees(
            capacity in 1.0..50_000.0_f64,
            doubt in 1.0..2.0_f64,
            appears in any::<bool>(),
        ) {
            let mut ascent = Ascent::new(STEPS);
            let mut lines = Vec::new();
            while let Some(rate) = ascent.next() {
                let known = rate < capacity / doubt || rate > capacity * doubt;
                let met = rate <= capacity;
                lines.push((rate, match (known, met) {
                    (true, true) => LineOutcome::Met,
                    (true, false) => LineOutcome::Missed,
                    (false, _) => LineOutcome::Unknown { why: Unknown::Late, needed_s: None },
                }));
                ascent.tell(rate, if known { met } else { appears });
                prop_assert!(lines.len() < 100);
            }
            let conclusion = Conclusion::of(&[], lines.iter().copied());
            prop_assert!(conclusion.met.is_none_or(|met| Some(met) <= ascent.met));
            let appears = ascent.missed.unwrap_or(f64::INFINITY);
            prop_assert!(conclusion.missed.is_none_or(|missed| appears <= missed));
            let all_known = lines.iter().all(|(_, outcome)| {
                matches!(outcome, LineOutcome::Met | LineOutcome::Missed)
            });
            if all_known {
                prop_assert_eq!((conclusion.met, conclusion.missed), (ascent.met, ascent.missed));
            }
        }

        #[test]
        fn every_capacity_is_found(capacity in 1.0..50_000.0_f64, first in 1.0..5_000.0_f64) {
            let (ascent, tried) = search(Steps { first, ..STEPS }, capacity);
            let met = ascent.met.unwrap();
            prop_assert!(met <= capacity && met * 1.02 >= capacity * 0.9999, "{met}");
            prop_assert!(tried.len() <= 30);
        }
    }
}
