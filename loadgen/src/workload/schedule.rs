//! Intended start times of the pods of an open loop: a pure function of the phases
//! and the seed.
//!
//! In a phase, arrivals are first laid out on the scale of the expected number of
//! pods: one apart, or with exponentially distributed gaps of mean one. Each arrival
//! is then placed at the time at which the rate of the phase has produced that
//! expected number. A Poisson process with a ramp is therefore a Poisson process as
//! well (time change of a Poisson process: Ross, Introduction to Probability Models,
//! section 5.4.1).

use std::time::Duration;

use crate::workload::draw::Draw;
use crate::workload::part::Part;
use crate::workload::scenario::{Arrivals, Phase, Rate};

/// Intended starts of the pods of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    phases: Vec<Phase>,
    arrivals: Vec<Arrival>,
}

/// Intended start of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Time since the beginning of the first phase.
    pub at: Duration,
    /// Index of the phase of the pod.
    pub phase: usize,
}

impl Schedule {
    /// Computes the arrivals of all phases.
    pub fn new(phases: &[Phase], seed: u64) -> Self {
        let mut arrivals = Vec::new();
        let mut begin = Duration::ZERO;
        for (number, phase) in phases.iter().enumerate() {
            let mut draw = Draw::of_arrivals(seed, number as u64);
            let mut expected = 0.0;
            loop {
                if phase.arrivals == Arrivals::Poisson {
                    expected += draw.exponential();
                }
                let Some(at) = phase.rate.when(expected, phase.duration) else {
                    break;
                };
                arrivals.push(Arrival {
                    at: begin + at,
                    phase: number,
                });
                if phase.arrivals == Arrivals::Constant {
                    expected += 1.0;
                }
            }
            begin += phase.duration;
        }
        Self {
            phases: phases.to_vec(),
            arrivals,
        }
    }

    /// Builds a schedule of known arrivals, in order: one phase that ends with the
    /// last.
    pub fn of(arrivals: &[Duration]) -> Self {
        // A rate needs a duration above zero, and a single pod has none.
        let last = arrivals.last().copied().unwrap_or_default();
        let duration = last.max(Duration::from_millis(1));
        let phase = Phase {
            name: "replay".to_owned(),
            duration,
            rate: Rate::Constant(arrivals.len() as f64 / duration.as_secs_f64()),
            arrivals: Arrivals::Constant,
            measured: true,
        };
        Self {
            phases: vec![phase],
            arrivals: arrivals
                .iter()
                .map(|at| Arrival { at: *at, phase: 0 })
                .collect(),
        }
    }

    /// Returns the arrivals of the pods of a part.
    #[must_use]
    pub fn part(&self, part: Part) -> Self {
        let arrivals = (0..part.share(self.pods())).filter_map(|place| {
            let index = usize::try_from(part.index(place)).ok()?;
            self.arrivals.get(index).copied()
        });
        Self {
            phases: self.phases.clone(),
            arrivals: arrivals.collect(),
        }
    }

    /// Returns the phases.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// Returns the intended starts in order of time.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Returns the number of pods.
    pub fn pods(&self) -> u64 {
        self.arrivals.len() as u64
    }

    /// Returns the beginning of a phase, counted from the beginning of the first.
    pub fn start_of(&self, phase: usize) -> Duration {
        self.phases[..phase].iter().map(|p| p.duration).sum()
    }

    /// Returns the end of a phase, counted from the beginning of the first.
    pub fn end_of(&self, phase: usize) -> Duration {
        self.phases[..=phase].iter().map(|p| p.duration).sum()
    }

    /// Returns the number of pods that start in a phase.
    pub fn pods_of(&self, phase: usize) -> u64 {
        self.arrivals.iter().filter(|a| a.phase == phase).count() as u64
    }

    /// Returns the total length of the measured phases.
    pub fn measured_time(&self) -> Duration {
        let measured = self.phases.iter().filter(|phase| phase.measured);
        measured.map(|phase| phase.duration).sum()
    }
}

impl Rate {
    /// Returns the time since the beginning of a phase of this length at which the
    /// expected number of pods is `expected`; `None` if the phase ends before.
    fn when(&self, expected: f64, phase: Duration) -> Option<Duration> {
        let whole = phase.as_secs_f64();
        let at = match self {
            Self::Constant(rate) => expected / rate,
            Self::Ramp(from, to) => {
                // expected = from t + slope / 2 t^2, solved for t without cancellation.
                let slope = (to - from) / whole;
                let root = from * from + 2.0 * slope * expected;
                if root < 0.0 {
                    return None;
                }
                let below = from + root.sqrt();
                if below > 0.0 {
                    2.0 * expected / below
                } else if expected > 0.0 {
                    return None;
                } else {
                    0.0
                }
            }
            Self::Steps(rates) => return when_of_steps(rates, expected, whole),
        };
        (at < whole).then(|| Duration::from_secs_f64(at))
    }
}

fn when_of_steps(rates: &[f64], mut expected: f64, whole: f64) -> Option<Duration> {
    let length = whole / rates.len() as f64;
    for (number, rate) in rates.iter().enumerate() {
        let within = rate * length;
        if expected < within {
            let at = number as f64 * length + expected / rate;
            return Some(Duration::from_secs_f64(at));
        }
        expected -= within;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn phase(rate: Rate, seconds: u64, arrivals: Arrivals) -> Phase {
        Phase {
            name: "only".to_owned(),
            duration: Duration::from_secs(seconds),
            rate,
            arrivals,
            measured: true,
        }
    }

    fn times(phases: &[Phase]) -> Vec<f64> {
        let schedule = Schedule::new(phases, 7);
        let arrivals = schedule.arrivals().iter();
        arrivals.map(|a| a.at.as_secs_f64()).collect()
    }

    #[test]
    fn constant_arrivals_are_even() {
        let found = times(&[phase(Rate::Constant(4.0), 1, Arrivals::Constant)]);
        assert_eq!(found, [0.0, 0.25, 0.5, 0.75]);
    }

    #[test]
    fn a_ramp_brings_the_mean_of_its_ends() {
        for (from, to) in [(0.0, 100.0), (100.0, 0.0), (20.0, 80.0)] {
            let found = times(&[phase(Rate::Ramp(from, to), 10, Arrivals::Constant)]);
            assert_eq!(found.len(), 500, "{from} to {to}");
            let first = found.iter().filter(|at| **at < 5.0).count();
            let expected = 5.0 * f64::midpoint(from, f64::midpoint(from, to));
            assert!((first as f64 - expected).abs() <= 1.0, "{first} {expected}");
        }
    }

    #[test]
    fn steps_last_equally_long() {
        let found = times(&[phase(Rate::Steps(vec![10.0, 30.0]), 2, Arrivals::Constant)]);
        assert_eq!(found.iter().filter(|at| **at < 1.0).count(), 10);
        assert_eq!(found.len(), 40);
    }

    #[test]
    fn phases_follow_each_other() {
        let phases = [
            phase(Rate::Constant(1.0), 2, Arrivals::Constant),
            phase(Rate::Constant(2.0), 1, Arrivals::Constant),
        ];
        assert_eq!(times(&phases), [0.0, 1.0, 2.0, 2.5]);
        let schedule = Schedule::new(&phases, 1);
        assert_eq!(schedule.end_of(0), Duration::from_secs(2));
        assert_eq!(schedule.end_of(1), Duration::from_secs(3));
        assert_eq!((schedule.pods_of(0), schedule.pods_of(1)), (2, 2));
    }

    /// In a Poisson process, the standard deviation of the gaps equals their mean,
    /// and the variance of the number in a window equals its mean.
    #[test]
    fn poisson_arrivals_are_memoryless() {
        let found = times(&[phase(Rate::Constant(1000.0), 60, Arrivals::Poisson)]);
        let count = found.len() as f64;
        // Four standard deviations of a count of 60,000.
        assert!((count - 60_000.0).abs() < 980.0, "{count}");
        let gaps: Vec<f64> = found.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        let spread = variance.sqrt() / mean;
        assert!((spread - 1.0).abs() < 0.02, "{spread}");
        // A share of e^-1 is longer than the mean.
        let longer = gaps.iter().filter(|gap| **gap > mean).count() as f64 / count;
        assert!((longer - 0.3679).abs() < 0.01, "{longer}");
    }

    #[test]
    fn parts_have_all_arrivals_together() {
        let whole = Schedule::new(&[phase(Rate::Constant(50.0), 2, Arrivals::Poisson)], 1);
        let parts = (0..3).map(|number| whole.part(Part { number, of: 3 }));
        let mut together: Vec<_> = parts.flat_map(|part| part.arrivals().to_vec()).collect();
        together.sort_by_key(|arrival| arrival.at);
        assert_eq!(together, whole.arrivals());
    }

    #[test]
    fn seeds_differ_and_repeat() {
        let phases = [phase(Rate::Constant(50.0), 5, Arrivals::Poisson)];
        assert_eq!(Schedule::new(&phases, 1), Schedule::new(&phases, 1));
        assert_ne!(Schedule::new(&phases, 1), Schedule::new(&phases, 2));
    }

    proptest! {
        #[test]
        fn arrivals_are_in_order_and_in_their_phase(
            seed: u64,
            from in 0.0..200.0_f64,
            to in 0.1..200.0_f64,
            steps in prop::collection::vec(0.1..200.0_f64, 1..5),
            poisson: bool,
        ) {
            let arrivals = if poisson { Arrivals::Poisson } else { Arrivals::Constant };
            let phases = [
                phase(Rate::Ramp(from, to), 3, arrivals),
                phase(Rate::Steps(steps), 2, arrivals),
                phase(Rate::Constant(to), 1, arrivals),
            ];
            let schedule = Schedule::new(&phases, seed);
            let mut last = Duration::ZERO;
            for arrival in schedule.arrivals() {
                prop_assert!(last <= arrival.at);
                prop_assert!(arrival.at <= schedule.end_of(arrival.phase));
                prop_assert!(arrival.at >= schedule.start_of(arrival.phase));
                last = arrival.at;
            }
        }
    }
}
