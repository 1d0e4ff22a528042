//! Rule of a gate: the looks after which it may decide, and the decision. Pure.
//!
//! For each metric a block gives one difference of logarithms, head less base; a
//! positive one means slower. All blocks so far give two bounds of the true
//! difference ([`SignedRank`]). The metric is
//!
//! - **slower**: the lower bound is above 0, so it is not by chance, and the estimate is
//!   at least the minimum effect, so it matters;
//! - **not slower**: the upper bound is below the minimum effect.
//!
//! The CPU time of the sandboxer per pod and the median latency of a pod decide. The
//! gate fails if one of them is slower. It passes once CPU time is not slower, unless
//! the estimate of latency is an increase by the minimum effect or more. A certain
//! upper bound for latency is not required, because latencies on a shared machine
//! vary too much for the gate ever to reach one.
//!
//! The gate looks only a few times, at numbers of blocks fixed in advance. Each lower
//! bound, for each look and deciding metric, is wrong with a probability of at most
//! `alpha / looks / metrics`, and each upper bound with at most [`MISS`]` / looks`.
//! By Bonferroni's inequality, at any stop the probability of an alarm without a
//! slower head is at most `alpha`, and of a pass with CPU time higher by the minimum
//! effect or more at most [`MISS`]. Boundaries that use the dependence between looks
//! (Pocock, Group Sequential Methods, 1977) would have more power; this rule needs no
//! assumption about that dependence.

use serde::{Deserialize, Serialize};

use super::block::{Block, Round};
use crate::stats::{SignedRank, mean};

/// Probability of a pass if the head is slower by just the minimum effect.
pub const MISS: f64 = 0.05;

/// Highest number of looks.
const MOST_LOOKS: u32 = 5;

/// Lowest number of blocks at a look: fewer would make the result depend too much on
/// each block.
const LEAST_BLOCKS: u32 = 8;

/// Compared figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU time of the sandboxer per pod.
    CpuPerPod,
    /// Median latency of a pod.
    PodP50,
    /// Mean latency of a pod.
    PodMean,
    /// Time per pod: the inverse of pods per second.
    TimePerPod,
}

impl Metric {
    /// All metrics, the deciding ones first.
    pub const ALL: [Self; 4] = [
        Self::CpuPerPod,
        Self::PodP50,
        Self::PodMean,
        Self::TimePerPod,
    ];

    /// Number of deciding metrics; the others are only shown.
    pub const DECIDE: u32 = 2;

    /// Returns the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuPerPod => "sandboxer's CPU per pod",
            Self::PodP50 => "pod p50",
            Self::PodMean => "pod mean",
            Self::TimePerPod => "time per pod",
        }
    }

    /// Returns the value of the metric in a round, in milliseconds.
    pub fn of(self, round: &Round) -> f64 {
        match self {
            Self::CpuPerPod => round.cpu_ms_per_pod,
            Self::PodP50 => round.p50_ms,
            Self::PodMean => round.mean_ms,
            Self::TimePerPod => 1000.0 / round.pods_per_s,
        }
    }

    /// Returns the difference of logarithms between head and base in a block;
    /// positive if the head is slower.
    pub fn difference(self, block: &Block) -> f64 {
        let level = |rounds: &[Round]| {
            let logs: Vec<f64> = rounds.iter().map(|round| self.of(round).ln()).collect();
            mean(&logs)
        };
        level(&block.head) - level(&block.base)
    }
}

/// Parameters of the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Smallest increase of CPU time that matters, as a share: 0.03 for 3 %.
    pub min_effect: f64,
    /// Smallest increase of latency that matters, as a share.
    pub min_latency_effect: f64,
    /// Highest probability of an alarm if nothing is slower.
    pub alpha: f64,
    /// Numbers of blocks after which the gate looks.
    pub looks: Vec<u32>,
}

/// Verdict on a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Slower beyond chance, and by the minimum effect or more.
    Slower,
    /// Not slower by the minimum effect.
    NotSlower,
    /// Undecided.
    Open,
    /// Shown only; the metric does not decide.
    Shown,
}

/// Metric over all blocks so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The metric.
    pub metric: Metric,
    /// Median over the rounds of the base, in milliseconds.
    pub base_ms: f64,
    /// Median over the rounds of the head, in milliseconds.
    pub head_ms: f64,
    /// Estimated increase from base to head, as a share; negative for a decrease.
    pub change: f64,
    /// Lower bound of the increase; `None` with too few blocks.
    pub at_least: Option<f64>,
    /// Upper bound of the increase; `None` with too few blocks.
    pub at_most: Option<f64>,
    /// Minimum effect of a deciding metric; `None` for others.
    pub min_effect: Option<f64>,
    /// Verdict on the metric.
    pub standing: Standing,
}

/// Decision of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The head is not slower by the minimum effect.
    Pass,
    /// The head is slower, by the minimum effect or more.
    Fail,
    /// Undecided.
    Undecided,
}

impl Judged {
    /// Returns whether the metric permits a pass.
    fn lets_pass(&self) -> bool {
        match self.standing {
            Standing::NotSlower | Standing::Shown => true,
            Standing::Slower => false,
            Standing::Open => {
                self.metric != Metric::CpuPerPod
                    && self.min_effect.is_some_and(|least| self.change < least)
            }
        }
    }
}

impl Rule {
    /// Plans looks for at most `most_blocks` blocks.
    ///
    /// # Errors
    /// The lowest sufficient number of blocks for this `alpha`, if `most_blocks` is
    /// below it.
    pub fn new(
        min_effect: f64,
        min_latency_effect: f64,
        alpha: f64,
        most_blocks: u32,
    ) -> Result<Self, u32> {
        // All n blocks are slower by chance with probability 1/2 to the power of n. A
        // look can only fail the gate once this is at most the error of a look.
        let first = |looks: u32| {
            let error = alpha / f64::from(looks * Metric::DECIDE);
            let enough =
                (LEAST_BLOCKS..).take_while(|blocks| 0.5_f64.powf(f64::from(*blocks)) > error);
            enough.last().map_or(LEAST_BLOCKS, |blocks| blocks + 1)
        };
        let count = (1..=MOST_LOOKS)
            .rev()
            .find(|looks| first(*looks) + 2 * (looks - 1) <= most_blocks)
            .ok_or_else(|| first(1))?;
        let first = first(count);
        let looks = (0..count).map(|look| match count - 1 {
            0 => most_blocks,
            steps => first + (most_blocks - first) * look / steps,
        });
        Ok(Self {
            min_effect,
            min_latency_effect,
            alpha,
            looks: looks.collect(),
        })
    }

    /// Returns whether the gate looks after this number of blocks.
    pub fn looks_after(&self, blocks: usize) -> bool {
        self.looks.iter().any(|look| *look as usize == blocks)
    }

    /// Returns the error probability of one lower bound.
    fn alarm(&self) -> f64 {
        self.alpha / (self.looks.len() as f64 * f64::from(Metric::DECIDE))
    }

    /// Returns the error probability of one upper bound. It is not divided by the number of
    /// metrics, because no pass is possible without the upper bound of CPU time.
    fn miss(&self) -> f64 {
        MISS / self.looks.len() as f64
    }

    fn min_effect_of(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::CpuPerPod => Some(self.min_effect),
            Metric::PodP50 => Some(self.min_latency_effect),
            Metric::PodMean | Metric::TimePerPod => None,
        }
    }

    /// Returns the verdict on each metric after these blocks, and the decision.
    pub fn judge(&self, blocks: &[Block]) -> (Vec<Judged>, Decision) {
        let judged: Vec<Judged> = Metric::ALL
            .into_iter()
            .map(|metric| self.metric(metric, blocks))
            .collect();
        let decision = if judged.iter().any(|j| j.standing == Standing::Slower) {
            Decision::Fail
        } else if judged.iter().all(Judged::lets_pass) {
            Decision::Pass
        } else {
            Decision::Undecided
        };
        (judged, decision)
    }

    fn metric(&self, metric: Metric, blocks: &[Block]) -> Judged {
        let differences: Vec<f64> = blocks.iter().map(|b| metric.difference(b)).collect();
        let rank = SignedRank::of(&differences);
        let (low, high) = (rank.at_least(self.alarm()), rank.at_most(self.miss()));
        let estimate = rank.estimate();
        let min_effect = self.min_effect_of(metric);
        let standing = match min_effect.map(f64::ln_1p) {
            None => Standing::Shown,
            Some(least) if low > 0.0 && estimate >= least => Standing::Slower,
            Some(least) if high < least => Standing::NotSlower,
            Some(_) => Standing::Open,
        };
        let share = |log: f64| log.is_finite().then(|| log.exp_m1());
        let level = |side: fn(&Block) -> &[Round]| {
            let values = blocks.iter().flat_map(side).map(|round| metric.of(round));
            crate::stats::median(values.collect())
        };
        Judged {
            metric,
            base_ms: level(|block| &block.base),
            head_ms: level(|block| &block.head),
            change: estimate.exp_m1(),
            at_least: share(low),
            at_most: share(high),
            min_effect,
            standing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::gate::block::Order;

    /// Returns blocks with these increases of CPU time and latency of the head,
    /// without noise.
    fn blocks(cpu: &[f64], latency: f64) -> Vec<Block> {
        let round = |cpu: f64, latency: f64| Round {
            cpu_ms_per_pod: cpu,
            p50_ms: latency,
            mean_ms: latency,
            pods_per_s: 1000.0 / latency,
        };
        cpu.iter()
            .map(|more| Block {
                order: Order::BaseOutside,
                base: vec![round(1.0, 5.0); 2],
                head: vec![round(1.0 + more, 5.0 * (1.0 + latency)); 2],
            })
            .collect()
    }

    fn rule() -> Rule {
        Rule::new(0.03, 0.10, 0.01, 32).unwrap()
    }

    fn decided(cpu: &[f64], latency: f64) -> Decision {
        rule().judge(&blocks(cpu, latency)).1
    }

    #[test]
    fn the_first_look_is_the_first_that_can_fail_and_the_last_is_after_all_blocks() {
        assert_eq!(rule().looks, [10, 15, 21, 26, 32]);
        let error = rule().alarm();
        assert!((error - 0.001).abs() < 1e-12);
        assert!(0.5_f64.powi(10) <= error && 0.5_f64.powi(9) > error);
    }

    #[test]
    fn few_blocks_have_fewer_looks_and_too_few_are_refused() {
        assert_eq!(Rule::new(0.03, 0.1, 0.01, 12).unwrap().looks, [9, 12]);
        assert_eq!(Rule::new(0.03, 0.1, 0.01, 8).unwrap().looks, [8]);
        assert_eq!(Rule::new(0.03, 0.1, 0.01, 7), Err(8));
        assert_eq!(Rule::new(0.03, 0.1, 1e-6, 8), Err(21));
        assert_eq!(Rule::new(0.03, 0.1, 0.2, 100).unwrap().looks[0], 8);
    }

    #[test]
    fn a_gate_fails_only_beyond_chance_and_by_the_minimum_effect() {
        assert_eq!(decided(&[0.05; 10], 0.0), Decision::Fail);
        // Certainly slower, by less than the minimum effect.
        assert_eq!(decided(&[0.02; 10], 0.0), Decision::Pass);
        // By the minimum effect, perhaps by chance.
        let mixed = [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, -0.3, -0.3, -0.3];
        assert_eq!(decided(&mixed, 0.0), Decision::Undecided);
        assert_eq!(decided(&[-0.2; 10], 0.0), Decision::Pass);
    }

    #[test]
    fn a_gate_cannot_fail_before_the_first_look() {
        assert_eq!(decided(&[0.5; 9], 0.0), Decision::Undecided);
        let (judged, decision) = rule().judge(&[]);
        assert_eq!(decision, Decision::Undecided);
        assert!(
            judged
                .iter()
                .all(|j| j.at_least.is_none() && j.at_most.is_none())
        );
    }

    #[test]
    fn latency_alone_can_fail_a_gate() {
        assert_eq!(decided(&[0.0; 10], 0.05), Decision::Pass);
        assert_eq!(decided(&[0.0; 10], 0.15), Decision::Fail);
    }

    #[test]
    fn varying_latency_keeps_a_gate_open_only_if_the_estimate_is_slower() {
        let with = |latencies: [f64; 2]| {
            let mut all = blocks(&[0.0; 5], latencies[0]);
            all.extend(blocks(&[0.0; 5], latencies[1]));
            rule().judge(&all).1
        };
        assert_eq!(with([0.5, -0.4]), Decision::Pass);
        assert_eq!(with([0.8, -0.1]), Decision::Undecided);
    }

    #[test]
    fn metrics_that_are_only_shown_decide_nothing() {
        let mut all = blocks(&[0.0; 10], 0.0);
        for block in &mut all {
            for round in &mut block.head {
                round.mean_ms *= 3.0;
                round.pods_per_s /= 3.0;
            }
        }
        let (judged, decision) = rule().judge(&all);
        assert_eq!(decision, Decision::Pass);
        assert!((judged[3].change - 2.0).abs() < 1e-9);
        assert_eq!(judged[3].standing, Standing::Shown);
    }
}
