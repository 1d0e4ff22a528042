//! Runs at one rate, and the outcome of the rate.
//!
//! A run that meets the thresholds decides, because one disturbance must not end the search;
//! for the same reason it takes two runs to miss them. Runs with too few pods for a percentile
//! are added up until they have enough.

use crate::drive::engine::Measured;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::result::conclusion::Unknown;
use crate::result::judgement::{Cause, Evidence, Judgement, RateJudgement};
use crate::result::search::Point;
use crate::result::slo::Slo;
use crate::result::{self, Lag, LoadResult, RunResult};

/// Misses of a rate until the rate counts as missed.
const MISSES: usize = 2;

/// Runs of a rate until its outcome counts as unknown.
const MOST: usize = 4;

/// Runs at one rate so far.
#[derive(Debug)]
pub struct Tries {
    rate: f64,
    slos: Vec<Slo>,
    operations: &'static [Operation],
    runs: usize,
    misses: usize,
    pool: Pool,
    appears_met: bool,
}

/// State of the runs at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The outcome needs another run.
    Again,
    /// The search goes on above the rate if the value is set, else below it.
    Done(bool),
}

/// Sum of the runs with too few pods.
#[derive(Debug, Default)]
struct Pool {
    recorder: Recorder,
    runs: u64,
    wall_s: f64,
    offered_s: f64,
    loads: Vec<LoadResult>,
}

impl Tries {
    /// Begins without a run.
    pub fn new(rate: f64, slos: &[Slo], operations: &'static [Operation]) -> Self {
        Self {
            rate,
            slos: slos.to_vec(),
            operations,
            runs: 0,
            misses: 0,
            pool: Pool::default(),
            appears_met: false,
        }
    }

    /// Judges a run, and the runs with too few pods together. Returns a point for each.
    pub fn add(&mut self, measured: &Measured, result: &RunResult) -> (Step, Vec<Point>) {
        let phases = result.phases.iter().filter(|phase| phase.measured);
        let offered_s = phases.map(|phase| phase.duration_s).sum();
        let evidence = Evidence {
            recorder: &measured.recorder,
            operations: self.operations,
            wall_s: result.wall_s,
            load: &result.load,
            offered_s,
        };
        let judged = RateJudgement::of(&self.slos, &evidence);
        let mut points = vec![Point {
            pods_per_s: result.totals.pods_per_s,
            pod: result.pod().cloned(),
            processes: result.processes.clone(),
            ..self.point(&judged, &evidence, 1)
        }];
        self.runs += 1;
        self.appears_met = judged.appears_met;
        let mut judgement = judged.judgement();
        if let Judgement::Unknown(Cause::TooFewPods { .. }) = judgement {
            self.pool.add(&evidence);
            if self.pool.runs > 1 {
                let (pooled, point) = self.judge_pool();
                judgement = pooled;
                points.push(point);
                // Only the last sum is a line of its own.
                if judgement != Judgement::Met && judgement != Judgement::Missed && self.runs < MOST
                {
                    points.pop();
                }
            }
            if judgement == Judgement::Missed {
                // A sum has several runs.
                self.misses = MISSES;
            }
        } else if judgement == Judgement::Missed {
            self.misses += 1;
        }
        (self.step(judgement), points)
    }

    fn step(&self, judgement: Judgement) -> Step {
        if judgement == Judgement::Met {
            Step::Done(true)
        } else if self.misses >= MISSES {
            Step::Done(false)
        } else if self.runs < MOST {
            Step::Again
        } else {
            Step::Done(self.misses == 0 && self.appears_met)
        }
    }

    fn judge_pool(&mut self) -> (Judgement, Point) {
        let pool = &self.pool;
        let load = pool.load();
        let evidence = Evidence {
            recorder: &pool.recorder,
            operations: self.operations,
            wall_s: pool.wall_s,
            load: &load,
            offered_s: pool.offered_s / pool.runs as f64,
        };
        let judged = RateJudgement::of(&self.slos, &evidence);
        self.appears_met = judged.appears_met;
        (
            judged.judgement(),
            self.point(&judged, &evidence, pool.runs),
        )
    }

    fn point(&self, judged: &RateJudgement, evidence: &Evidence<'_>, runs: u64) -> Point {
        let judgement = judged.judgement();
        let (unknown, needed) = match judgement {
            Judgement::Met | Judgement::Missed => (None, None),
            Judgement::Unknown(Cause::Late) => (Some(Unknown::Late), None),
            Judgement::Unknown(Cause::TooFewPods { needed }) => (Some(Unknown::TooFewPods), needed),
        };
        let pods = evidence.recorder.histogram(Operation::Pod).len();
        Point {
            rate: self.rate,
            met: judgement == Judgement::Met,
            counts: unknown.is_none(),
            unknown,
            needed_s: needed.map(|needed| needed as f64 / self.rate),
            runs,
            slo: judged.thresholds.iter().map(ToString::to_string).collect(),
            load: evidence.load.clone(),
            pods_per_s: pods as f64 / evidence.wall_s.max(f64::MIN_POSITIVE),
            pod: result::operations(evidence.recorder, &[Operation::Pod]).pop(),
            processes: Vec::new(),
        }
    }
}

impl Pool {
    fn add(&mut self, evidence: &Evidence<'_>) {
        self.recorder.merge(evidence.recorder);
        self.runs += 1;
        self.wall_s += evidence.wall_s;
        self.offered_s += evidence.offered_s;
        self.loads.push(evidence.load.clone());
    }

    /// Returns the mean rates, the lags of all runs and the largest number in progress.
    fn load(&self) -> LoadResult {
        let mean = |of: fn(&LoadResult) -> Option<f64>| {
            let sum: Option<f64> = self.loads.iter().map(of).sum();
            sum.map(|sum| sum / self.runs as f64)
        };
        LoadResult {
            mode: result::LoadMode::Open,
            offered_pods_per_s: mean(|load| load.offered_pods_per_s),
            started_pods_per_s: mean(|load| load.started_pods_per_s),
            lag: Some(Lag::new(self.recorder.lags())),
            max_in_flight: self
                .loads
                .iter()
                .map(|load| load.max_in_flight)
                .max()
                .unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::result::PhaseResult;
    use crate::result::fixture::example;

    /// Returns a run of 10 s with the given numbers of pods of 5 ms and of 60 ms.
    fn run(fast: u64, slow: u64) -> (Measured, RunResult) {
        let mut recorder = Recorder::default();
        for number in 0..fast + slow {
            let took = if number < fast { 5 } else { 60 };
            recorder.lag(Duration::from_micros(50));
            recorder.success(Operation::Pod, Duration::from_millis(took));
        }
        let measured = Measured {
            recorder,
            wall: Duration::from_secs(10),
            warm_up: Duration::ZERO,
            pods: fast + slow,
            rpcs: 0,
            abandoned: 0,
            most_in_flight: 1,
            arrivals: Vec::new(),
            held: None,
            lost: false,
            timed_out: false,
            cpu: None,
        };
        let mut result = example();
        result.wall_s = 10.0;
        result.load = LoadResult {
            mode: result::LoadMode::Open,
            offered_pods_per_s: Some(10.0),
            started_pods_per_s: Some(10.0),
            lag: Some(Lag::new(measured.recorder.lags())),
            max_in_flight: 1,
        };
        result.phases = vec![PhaseResult {
            name: "measured".to_owned(),
            measured: true,
            start_s: 0.0,
            duration_s: 10.0,
            offered: fast + slow,
            started: fast + slow,
            pod: result.operations[0].clone(),
        }];
        (measured, result)
    }

    /// Returns the steps after runs with these numbers of fast and slow pods, and all points.
    fn steps(runs: &[(u64, u64)]) -> (Vec<Step>, Vec<Point>) {
        let slos = ["pod.p99<50ms".parse().unwrap()];
        let mut tries = Tries::new(10.0, &slos, Operation::OF_TASKS);
        let mut all = Vec::new();
        let steps = runs.iter().map(|(fast, slow)| {
            let (measured, result) = run(*fast, *slow);
            let (step, points) = tries.add(&measured, &result);
            all.extend(points);
            step
        });
        (steps.collect(), all)
    }

    fn verdicts(points: &[Point]) -> Vec<String> {
        points.iter().map(Point::verdict).collect()
    }

    #[test]
    fn a_run_that_meets_decides_and_a_miss_is_tried_again() {
        let (done, points) = steps(&[(1000, 0)]);
        assert_eq!(done, [Step::Done(true)]);
        assert_eq!(verdicts(&points), ["met"]);
        let (done, points) = steps(&[(900, 100), (900, 100)]);
        assert_eq!(done, [Step::Again, Step::Done(false)]);
        assert_eq!(verdicts(&points), ["missed", "missed"]);
        let (done, _) = steps(&[(900, 100), (1000, 0)]);
        assert_eq!(done, [Step::Again, Step::Done(true)]);
    }

    #[test]
    fn runs_with_too_few_pods_are_added_up_until_they_have_enough() {
        let (done, points) = steps(&[(150, 0), (150, 0), (150, 0)]);
        assert_eq!(done, [Step::Again, Step::Again, Step::Done(true)]);
        let few = "too few pods";
        assert_eq!(verdicts(&points), [few, few, few, "met in 3 runs together"]);
        assert_eq!(points[3].pod.as_ref().unwrap().count, 450);
        assert!((points[3].pods_per_s - 15.0).abs() < 1e-9);
        let (done, points) = steps(&[(98, 2), (97, 3), (97, 3)]);
        assert_eq!(done, [Step::Again, Step::Again, Step::Done(false)]);
        assert_eq!(points[3].verdict(), "missed in 3 runs together");
    }

    #[test]
    fn after_four_runs_too_few_pods_are_unknown_with_the_duration_that_is_needed() {
        let (done, points) = steps(&[(50, 0); 4]);
        assert_eq!(done[3], Step::Done(true));
        let last = points.last().unwrap();
        assert_eq!(last.verdict(), "too few pods in 4 runs together");
        assert_eq!((last.counts, last.needed_s), (false, Some(36.8)));
        let conclusion = result::search::conclude(&[], &points);
        assert_eq!(conclusion.met, None);
        assert!(
            conclusion.sentences()[1].contains("--duration 37s would be enough"),
            "{conclusion}"
        );
    }
}
