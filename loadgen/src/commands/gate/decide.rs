//! When a gate has seen enough, and what it says then. Pure.
//!
//! For each metric a block gives one difference of logarithms, head less base:
//! positive is slower. From all blocks so far come two bounds of the true difference
//! ([`SignedRank`]), and
//!
//! - **slower**: the lower bound is above 0, so it is not by chance, and the estimate is
//!   at least the minimum effect, so it matters;
//! - **not slower**: the upper bound is below the minimum effect.
//!
//! The sandboxer's CPU time per pod and the pod's median latency decide. One that is
//! slower fails the gate. It passes once CPU time is not slower, unless latency looks
//! slower and may be: on a shared machine latencies vary so much that to wait until
//! they, too, are surely not slower would mean to wait for ever.
//!
//! It looks a few times only, at numbers of blocks that are fixed beforehand. Each lower
//! bound of each look and deciding metric is wrong with a probability of at most
//! `alpha / looks / metrics`, each upper bound with one of [`MISS`]` / looks`. So whenever
//! it stops, an alarm though nothing is slower has at most the probability `alpha`, and a
//! pass though CPU time is more by the minimum effect or above at most [`MISS`]
//! (Bonferroni's inequality). This costs some power against boundaries that know how
//! looks depend on each other (Pocock, Group Sequential Methods, 1977), and needs to
//! assume nothing about it.

use serde::{Deserialize, Serialize};

use super::block::{Block, Round};
use crate::stats::{SignedRank, mean};

/// How likely it may pass what is slower by just the minimum effect.
pub const MISS: f64 = 0.05;

/// How often it looks at most.
const MOST_LOOKS: u32 = 5;

/// A look at fewer blocks than this would depend on them too much.
const LEAST_BLOCKS: u32 = 8;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The sandboxer's CPU time per pod.
    CpuPerPod,
    /// The median latency of a pod.
    PodP50,
    /// The mean latency of a pod.
    PodMean,
    /// Time per pod: the inverse of pods per second.
    TimePerPod,
}

impl Metric {
    /// All of them, those that decide first.
    pub const ALL: [Self; 4] = [
        Self::CpuPerPod,
        Self::PodP50,
        Self::PodMean,
        Self::TimePerPod,
    ];

    /// How many of them decide; the rest are shown.
    pub const DECIDE: u32 = 2;

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuPerPod => "sandboxer's CPU per pod",
            Self::PodP50 => "pod p50",
            Self::PodMean => "pod mean",
            Self::TimePerPod => "time per pod",
        }
    }

    /// Its value in a round, in milliseconds.
    pub fn of(self, round: &Round) -> f64 {
        match self {
            Self::CpuPerPod => round.cpu_ms_per_pod,
            Self::PodP50 => round.p50_ms,
            Self::PodMean => round.mean_ms,
            Self::TimePerPod => 1000.0 / round.pods_per_s,
        }
    }

    /// How much slower the head is in a block, as a difference of logarithms.
    pub fn difference(self, block: &Block) -> f64 {
        let level = |rounds: &[Round]| {
            let logs: Vec<f64> = rounds.iter().map(|round| self.of(round).ln()).collect();
            mean(&logs)
        };
        level(&block.head) - level(&block.base)
    }
}

/// What a gate goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// How much more CPU time is too much, as a share: 0.03 for 3 %.
    pub min_effect: f64,
    /// How much more latency is.
    pub min_latency_effect: f64,
    /// How likely an alarm may be if nothing is slower.
    pub alpha: f64,
    /// After how many blocks it looks.
    pub looks: Vec<u32>,
}

/// What is to be said of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Beyond chance and by the minimum effect or more.
    Slower,
    /// By less than the minimum effect, if at all.
    NotSlower,
    /// Neither can be said.
    Open,
    /// It is shown, and decides nothing.
    Shown,
}

/// A metric over all blocks so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Which.
    pub metric: Metric,
    /// Its median over the base's rounds, in milliseconds.
    pub base_ms: f64,
    /// Its median over the head's rounds.
    pub head_ms: f64,
    /// How much longer the head takes, as a share; negative if less.
    pub change: f64,
    /// The least that this can be; `None` if there are too few blocks to say.
    pub at_least: Option<f64>,
    /// The most.
    pub at_most: Option<f64>,
    /// How much is too much, for one that decides.
    pub min_effect: Option<f64>,
    /// What follows.
    pub standing: Standing,
}

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The head is not slower by the minimum effect.
    Pass,
    /// It is slower, by that or more.
    Fail,
    /// Neither can be said.
    Undecided,
}

impl Judged {
    /// Whether it does not keep the gate from passing.
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
    /// For at most so many blocks; with fewer than needed, the number that is.
    ///
    /// # Errors
    /// The least number of blocks for this `alpha`.
    pub fn new(
        min_effect: f64,
        min_latency_effect: f64,
        alpha: f64,
        most_blocks: u32,
    ) -> Result<Self, u32> {
        // Blocks that are all slower are so by chance with 1/2 to the power of their
        // number: before that is less than a look may err, no look can fail.
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

    /// Whether it looks after so many blocks.
    pub fn looks_after(&self, blocks: usize) -> bool {
        self.looks.iter().any(|look| *look as usize == blocks)
    }

    /// How likely one lower bound may be wrong.
    fn alarm(&self) -> f64 {
        self.alpha / (self.looks.len() as f64 * f64::from(Metric::DECIDE))
    }

    /// How likely one upper bound may be wrong. All metrics must be below theirs.
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

    /// What is to be said of each metric after these blocks, and so of the head.
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

    /// Blocks in which the head takes so much more, and both nothing else.
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
    fn the_first_look_is_where_it_can_fail_and_the_last_is_the_most() {
        assert_eq!(rule().looks, [10, 15, 21, 26, 32]);
        let error = rule().alarm();
        assert!((error - 0.001).abs() < 1e-12);
        assert!(0.5_f64.powi(10) <= error && 0.5_f64.powi(9) > error);
    }

    #[test]
    fn few_blocks_are_looked_at_less_often_and_too_few_are_refused() {
        assert_eq!(Rule::new(0.03, 0.1, 0.01, 12).unwrap().looks, [9, 12]);
        assert_eq!(Rule::new(0.03, 0.1, 0.01, 8).unwrap().looks, [8]);
        assert_eq!(Rule::new(0.03, 0.1, 0.01, 7), Err(8));
        assert_eq!(Rule::new(0.03, 0.1, 1e-6, 8), Err(21));
        assert_eq!(Rule::new(0.03, 0.1, 0.2, 100).unwrap().looks[0], 8);
    }

    #[test]
    fn it_fails_beyond_chance_and_by_enough_only() {
        assert_eq!(decided(&[0.05; 10], 0.0), Decision::Fail);
        // Surely slower, by little.
        assert_eq!(decided(&[0.02; 10], 0.0), Decision::Pass);
        // By enough, perhaps by chance.
        let mixed = [0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, -0.3, -0.3, -0.3];
        assert_eq!(decided(&mixed, 0.0), Decision::Undecided);
        assert_eq!(decided(&[-0.2; 10], 0.0), Decision::Pass);
    }

    #[test]
    fn before_the_first_look_it_cannot_fail() {
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
    fn latency_alone_can_fail_it() {
        assert_eq!(decided(&[0.0; 10], 0.05), Decision::Pass);
        assert_eq!(decided(&[0.0; 10], 0.15), Decision::Fail);
    }

    #[test]
    fn latency_that_varies_keeps_it_open_only_if_it_looks_slower() {
        let with = |latencies: [f64; 2]| {
            let mut all = blocks(&[0.0; 5], latencies[0]);
            all.extend(blocks(&[0.0; 5], latencies[1]));
            rule().judge(&all).1
        };
        assert_eq!(with([0.5, -0.4]), Decision::Pass);
        assert_eq!(with([0.8, -0.1]), Decision::Undecided);
    }

    #[test]
    fn what_is_shown_only_decides_nothing() {
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
