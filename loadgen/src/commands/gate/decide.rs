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
//! The cost of a pod and its median latency decide. The cost is the sandboxer's CPU time;
//! its cycles where the machine counts them in user space and in the kernel, because a changing
//! clock frequency does not change them. The gate fails if one of the two is slower. It passes
//! once the cost is not slower, unless the estimate of latency is an increase by the minimum
//! effect or more. A certain upper bound for latency is not required, because latencies on a
//! shared machine vary too much for the gate ever to reach one.
//!
//! The gate looks only a few times. The numbers of blocks of the looks depend on the duration
//! of a block, never on a difference. Each lower
//! bound, for each look and deciding metric, is wrong with a probability of at most
//! `alpha / looks / metrics`, and each upper bound with at most [`MISS`]` / looks`.
//! By Bonferroni's inequality, at any stop the probability of an alarm without a
//! slower head is at most `alpha`, and of a pass with CPU time higher by the minimum
//! effect or more at most [`MISS`]. Boundaries that use the dependence between looks
//! (Pocock, Group Sequential Methods, 1977) would have more power; this rule needs no
//! assumption about that dependence.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::round::Round;
use crate::process::counters::Counted;
use crate::stats::{SignedRank, mean};

/// Highest probability of a pass if the head is slower by just the minimum effect: that of an
/// alarm by default. It is so low because a gate stops when its upper bound is below the minimum
/// effect, so that all errors of intervals at the minimum effect are passes.
pub const MISS: f64 = 0.01;

/// Highest number of looks.
const MOST_LOOKS: u32 = 5;

/// Lowest number of blocks at a look: fewer would make the result depend too much on
/// each block.
const LEAST_BLOCKS: u32 = 8;

/// Compared figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU time of the sandboxer per pod, in milliseconds.
    CpuPerPod,
    /// Cycles of the sandboxer per pod.
    CyclesPerPod,
    /// Instructions of the sandboxer per pod.
    InstructionsPerPod,
    /// Median latency of a pod, in milliseconds.
    PodP50,
    /// Mean latency of a pod, in milliseconds.
    PodMean,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 5] = [
        Self::CpuPerPod,
        Self::CyclesPerPod,
        Self::InstructionsPerPod,
        Self::PodP50,
        Self::PodMean,
    ];

    /// Number of deciding metrics, the cost and the median latency; the others are only shown.
    pub const DECIDE: u32 = 2;

    /// Returns the metric of the cost of a pod: cycles if all work is counted, else CPU time.
    pub fn of_cost(counted: Option<Counted>) -> Self {
        match counted {
            Some(Counted::UserAndKernel) => Self::CyclesPerPod,
            Some(Counted::User) | None => Self::CpuPerPod,
        }
    }

    /// Returns the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::CpuPerPod => "CPU per pod",
            Self::CyclesPerPod => "cycles per pod",
            Self::InstructionsPerPod => "instructions per pod",
            Self::PodP50 => "pod p50",
            Self::PodMean => "pod mean",
        }
    }

    /// Returns whether the metric is a number of events, not a time.
    pub fn is_count(self) -> bool {
        matches!(self, Self::CyclesPerPod | Self::InstructionsPerPod)
    }

    /// Returns the value of the metric in a round; `None` if it was not measured.
    pub fn of(self, round: &Round) -> Option<f64> {
        match self {
            Self::CpuPerPod => Some(round.cpu_ms_per_pod),
            Self::CyclesPerPod => round.cycles_per_pod,
            Self::InstructionsPerPod => round.instructions_per_pod,
            Self::PodP50 => Some(round.p50_ms),
            Self::PodMean => Some(round.mean_ms),
        }
    }

    /// Returns the difference of logarithms between head and base in a block;
    /// positive if the head is slower. `None` if it was not measured.
    pub fn difference(self, block: &Block) -> Option<f64> {
        let level = |rounds: &[Round]| {
            let logs = rounds.iter().map(|round| self.of(round).map(f64::ln));
            Some(mean(&logs.collect::<Option<Vec<f64>>>()?))
        };
        Some(level(&block.head)? - level(&block.base)?)
    }

    /// Returns the differences of all blocks; `None` if one of them has none.
    pub fn differences(self, blocks: &[Block]) -> Option<Vec<f64>> {
        blocks.iter().map(|block| self.difference(block)).collect()
    }
}

/// Parameters of the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Smallest increase of the cost that matters, as a share: 0.03 for 3 %.
    pub min_effect: f64,
    /// Smallest increase of latency that matters, as a share.
    pub min_latency_effect: f64,
    /// Highest probability of an alarm if nothing is slower.
    pub alpha: f64,
    /// Metric of the cost of a pod, which decides.
    pub cost: Metric,
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
    /// Median over the rounds of the base, in the unit of the metric.
    pub base: f64,
    /// Median over the rounds of the head, in the unit of the metric.
    pub head: f64,
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

/// Effects that matter, and the errors that a gate may make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Smallest increase of the cost that matters, as a share: 0.03 for 3 %.
    pub min_effect: f64,
    /// Smallest increase of latency that matters, as a share.
    pub min_latency_effect: f64,
    /// Highest probability of an alarm if nothing is slower.
    pub alpha: f64,
    /// Metric of the cost of a pod.
    pub cost: Metric,
}

impl Rule {
    /// Plans looks for at most `most_blocks` blocks.
    ///
    /// # Errors
    /// The lowest sufficient number of blocks for this `alpha`, if `most_blocks` is
    /// below it.
    pub fn new(terms: Terms, most_blocks: u32) -> Result<Self, u32> {
        // All n blocks are slower by chance with probability 1/2 to the power of n. A
        // look can only fail the gate once this is at most the error of a look.
        let first = |looks: u32| {
            let error = terms.alpha / f64::from(looks * Metric::DECIDE);
            let enough =
                (LEAST_BLOCKS..).take_while(|blocks| 0.5_f64.powf(f64::from(*blocks)) > error);
            enough.last().map_or(LEAST_BLOCKS, |blocks| blocks + 1)
        };
        let count = (1..=MOST_LOOKS)
            .rev()
            .find(|looks| first(*looks) + 2 * (looks - 1) <= most_blocks)
            .ok_or_else(|| first(1))?;
        let first = f64::from(first(count));
        // Each look comes after the same multiple of the blocks of the one before, as the
        // precision grows with the square root of their number.
        let ratio = f64::from(most_blocks) / first;
        let looks = (0..count).map(|look| match count - 1 {
            0 => most_blocks,
            steps => blocks(first * ratio.powf(f64::from(look) / f64::from(steps))),
        });
        Ok(Self {
            min_effect: terms.min_effect,
            min_latency_effect: terms.min_latency_effect,
            alpha: terms.alpha,
            cost: terms.cost,
            looks: looks.collect(),
        })
    }

    /// Returns the number of blocks of the first look.
    pub fn first_look(&self) -> usize {
        self.looks.first().map_or(0, |look| *look as usize)
    }

    /// Returns the highest number of blocks.
    pub fn most_blocks(&self) -> usize {
        self.looks.last().map_or(0, |look| *look as usize)
    }

    /// Returns whether the gate looks after this number of blocks.
    pub fn looks_after(&self, blocks: usize) -> bool {
        self.looks.iter().any(|look| *look as usize == blocks)
    }

    /// Returns the error probability of one lower bound.
    pub(super) fn alarm(&self) -> f64 {
        self.alpha / (self.looks.len() as f64 * f64::from(Metric::DECIDE))
    }

    /// Returns the error probability of one upper bound. It is not divided by the number of
    /// metrics, because no pass is possible without the upper bound of CPU time.
    pub(super) fn miss(&self) -> f64 {
        MISS / self.looks.len() as f64
    }

    fn min_effect_of(&self, metric: Metric) -> Option<f64> {
        match metric {
            cost if cost == self.cost => Some(self.min_effect),
            Metric::PodP50 => Some(self.min_latency_effect),
            _ => None,
        }
    }

    /// Returns whether a metric permits a pass.
    fn lets_pass(&self, judged: &Judged) -> bool {
        match judged.standing {
            Standing::NotSlower | Standing::Shown => true,
            Standing::Slower => false,
            Standing::Open => {
                judged.metric != self.cost
                    && judged.min_effect.is_some_and(|least| judged.change < least)
            }
        }
    }

    /// Returns the verdict on each metric after these blocks, and the decision.
    pub fn judge(&self, blocks: &[Block]) -> (Vec<Judged>, Decision) {
        let judged: Vec<Judged> = Metric::ALL
            .into_iter()
            .filter_map(|metric| self.metric(metric, blocks))
            .collect();
        let decision = if judged.iter().any(|j| j.standing == Standing::Slower) {
            Decision::Fail
        } else if judged.iter().all(|one| self.lets_pass(one)) {
            Decision::Pass
        } else {
            Decision::Undecided
        };
        (judged, decision)
    }

    fn metric(&self, metric: Metric, blocks: &[Block]) -> Option<Judged> {
        // Without blocks, a metric that may be missing is taken to be.
        let differences = metric
            .differences(blocks)
            .filter(|found| !found.is_empty() || !metric.is_count() || metric == self.cost)?;
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
            let values = blocks
                .iter()
                .flat_map(side)
                .filter_map(|round| metric.of(round));
            crate::stats::median(values.collect())
        };
        Some(Judged {
            metric,
            base: level(|block| &block.base),
            head: level(|block| &block.head),
            change: estimate.exp_m1(),
            at_least: share(low),
            at_most: share(high),
            min_effect,
            standing,
        })
    }
}

/// Rounds a number of blocks.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between the least and the highest number of blocks"
)]
fn blocks(number: f64) -> u32 {
    number.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::gate::block::Order;

    /// Returns blocks with these increases of CPU time and latency of the head,
    /// without noise.
    fn blocks(cpu: &[f64], latency: f64) -> Vec<Block> {
        let round = |cpu: f64, latency: f64| Round {
            pods: 300,
            cpu_ms_per_pod: cpu,
            cycles_per_pod: None,
            instructions_per_pod: None,
            p50_ms: latency,
            mean_ms: latency,
        };
        cpu.iter()
            .map(|more| Block {
                order: Order::BaseFirst,
                cpus: vec![0],
                accounting: None,
                base: vec![round(1.0, 5.0); 2],
                head: vec![round(1.0 + more, 5.0 * (1.0 + latency)); 2],
            })
            .collect()
    }

    const TERMS: Terms = Terms {
        min_effect: 0.03,
        min_latency_effect: 0.10,
        alpha: 0.01,
        cost: Metric::CpuPerPod,
    };

    fn rule() -> Rule {
        Rule::new(TERMS, 40).unwrap()
    }

    fn looks(alpha: f64, most: u32) -> Result<Vec<u32>, u32> {
        Rule::new(Terms { alpha, ..TERMS }, most).map(|rule| rule.looks)
    }

    fn decided(cpu: &[f64], latency: f64) -> Decision {
        rule().judge(&blocks(cpu, latency)).1
    }

    #[test]
    fn the_first_look_is_the_first_that_can_fail_and_the_last_is_after_all_blocks() {
        assert_eq!(rule().looks, [10, 14, 20, 28, 40]);
        let error = rule().alarm();
        assert!((error - 0.001).abs() < 1e-12);
        assert!(0.5_f64.powi(10) <= error && 0.5_f64.powi(9) > error);
    }

    #[test]
    fn few_blocks_have_fewer_looks_and_too_few_are_refused() {
        assert_eq!(looks(0.01, 12), Ok(vec![9, 12]));
        assert_eq!(looks(0.01, 8), Ok(vec![8]));
        assert_eq!(looks(0.01, 7), Err(8));
        assert_eq!(looks(1e-6, 8), Err(21));
        assert_eq!(looks(0.2, 100).unwrap()[0], 8);
    }

    #[test]
    fn cycles_decide_where_all_of_them_are_counted() {
        let rule = Rule::new(
            Terms {
                cost: Metric::of_cost(Some(Counted::UserAndKernel)),
                ..TERMS
            },
            40,
        )
        .unwrap();
        // CPU time rose because the clock was slower.
        let mut all = blocks(&[0.2; 10], 0.0);
        for block in &mut all {
            for round in block.base.iter_mut().chain(&mut block.head) {
                round.cycles_per_pod = Some(1e6);
                round.instructions_per_pod = Some(9e5);
            }
        }
        let (judged, decision) = rule.judge(&all);
        assert_eq!((judged.len(), decision), (5, Decision::Pass));
        for round in all.iter_mut().flat_map(|block| &mut block.head) {
            round.cycles_per_pod = Some(1.1e6);
        }
        assert_eq!(rule.judge(&all).1, Decision::Fail);
        assert_eq!(Metric::of_cost(Some(Counted::User)), Metric::CpuPerPod);
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
            }
        }
        let (judged, decision) = rule().judge(&all);
        assert_eq!(decision, Decision::Pass);
        assert!((judged[2].change - 2.0).abs() < 1e-9);
        assert_eq!(judged[2].standing, Standing::Shown);
    }
}
