//! Two hundred gates on a simulated machine: their error rate and their power.
//!
//! The parameters come from measured rounds on 2 virtual cores shared by client,
//! sandboxer and other builds. Each round had 300 pods, 8 at once. In logarithms:
//!
//! | | CPU per pod, idle | CPU per pod, busy | pod p50, idle | pod p50, busy |
//! | --- | --- | --- | --- | --- |
//! | standard deviation of all rounds | 0.04 | 0.04 to 0.07 | 0.27 | 0.3 to 0.4 |
//! | correlation of neighbours | 0.9 | 0.5 to 0.7 | 0.9 | 0.1 to 0.5 |
//! | of rounds of one process | 0.013 | 0.025 to 0.04 | 0.05 | 0.17 to 0.3 |
//! | of processes of one program | 0.004 | 0 to 0.02 | 0 to 0.01 | 0.07 to 0.13 |
//!
//! The simulated machine lies between idle and busy, and also has a drift and
//! outliers.

use super::block::{Block, Order, Round};
use super::decide::{Decision, Rule};
use crate::stats::noise::{Noise, Random};

/// Variation of one figure of a machine, in logarithms.
#[derive(Clone, Copy)]
struct Varies {
    /// Standard deviation of the level that neighbouring rounds share.
    level: f64,
    /// Standard deviation between processes of one program.
    process: f64,
    /// Standard deviation between rounds.
    round: f64,
    /// Probability of a disturbed round.
    disturbed: f64,
    /// Highest increase of a disturbed round.
    disturbance: f64,
    /// Change of the level from the first block to the last.
    drift: f64,
}

const CPU: Varies = Varies {
    level: 0.04,
    process: 0.01,
    round: 0.02,
    disturbed: 0.03,
    disturbance: 0.2,
    drift: 0.1,
};

const LATENCY: Varies = Varies {
    level: 0.27,
    process: 0.03,
    round: 0.1,
    disturbed: 0.05,
    disturbance: 0.7,
    drift: 0.3,
};

/// Correlation between the levels of neighbouring rounds.
const RESEMBLANCE: f64 = 0.9;

/// Increase from base to head, as a share.
#[derive(Clone, Copy, Default)]
struct Slower {
    cpu: f64,
    latency: f64,
}

/// Returns the factors of a figure in every round of the blocks, in time order.
fn factors(
    varies: Varies,
    head: f64,
    orders: &[Order],
    random: &mut Random,
    seed: u64,
) -> Vec<[f64; 4]> {
    let noise = Noise {
        resemblance: RESEMBLANCE,
        outliers: 0.0,
        drift: varies.drift / varies.level,
    };
    let levels = noise.series(seed, 4 * orders.len());
    let blocks = orders.iter().zip(levels.chunks(4));
    blocks
        .map(|(order, levels)| {
            let outside = varies.process * random.normal();
            let inside = varies.process * random.normal();
            let (outside, inside) = match order {
                Order::BaseOutside => (outside, inside + head.ln_1p()),
                Order::HeadOutside => (outside + head.ln_1p(), inside),
            };
            let processes = [outside, inside, inside, outside];
            std::array::from_fn(|place| {
                let mut log = varies.level * levels[place] + processes[place];
                log += varies.round * random.normal();
                if random.unit() < varies.disturbed {
                    log += varies.disturbance * random.unit();
                }
                log.exp()
            })
        })
        .collect()
}

/// Returns the blocks of a simulated gate.
fn blocks(seed: u64, count: usize, slower: Slower) -> Vec<Block> {
    let mut random = Random::new(seed);
    let orders: Vec<Order> = (0..count)
        .map(|_| {
            if random.unit() < 0.5 {
                Order::BaseOutside
            } else {
                Order::HeadOutside
            }
        })
        .collect();
    // An increase of the sandboxer's CPU time raises the latency of pods only in
    // part, because client and sandboxer share it.
    let cpu = factors(CPU, slower.cpu, &orders, &mut random, seed ^ 1);
    let latency = factors(LATENCY, slower.latency, &orders, &mut random, seed ^ 2);
    let round = |cpu: f64, latency: f64| Round {
        cpu_ms_per_pod: 0.9 * cpu,
        p50_ms: 6.0 * latency,
        mean_ms: 6.2 * latency,
        pods_per_s: 1300.0 / latency,
    };
    let each = orders.into_iter().zip(cpu.into_iter().zip(latency));
    each.map(|(order, (cpu, latency))| {
        let of = |place: usize| round(cpu[place], latency[place]);
        let (outside, inside) = (vec![of(0), of(3)], vec![of(1), of(2)]);
        let (base, head) = match order {
            Order::BaseOutside => (outside, inside),
            Order::HeadOutside => (inside, outside),
        };
        Block { order, base, head }
    })
    .collect()
}

/// Returns the decision of a gate and the number of blocks until then.
fn gate(rule: &Rule, seed: u64, slower: Slower) -> (Decision, usize) {
    let most = rule.looks.last().copied().unwrap_or_default() as usize;
    let blocks = blocks(seed, most, slower);
    rule.looks
        .iter()
        .map(|look| *look as usize)
        .map(|look| (rule.judge(&blocks[..look]).1, look))
        .find(|(decision, _)| *decision != Decision::Undecided)
        .unwrap_or((Decision::Undecided, most))
}

const GATES: u64 = 200;

/// Returns the shares of gates that pass and that fail, and the mean number of
/// blocks.
fn gates(slower: Slower) -> (f64, f64, f64) {
    // The rule of the command line without options.
    let rule = Rule::new(0.03, 0.10, 0.01, 32).unwrap();
    let said: Vec<_> = (0..GATES)
        .map(|seed| gate(&rule, 1000 + seed, slower))
        .collect();
    let share = |of: Decision| {
        said.iter().filter(|(decision, _)| *decision == of).count() as f64 / GATES as f64
    };
    let blocks: usize = said.iter().map(|(_, blocks)| blocks).sum();
    (
        share(Decision::Pass),
        share(Decision::Fail),
        blocks as f64 / GATES as f64,
    )
}

#[test]
fn of_two_hundred_gates_without_a_difference_at_most_four_raise_an_alarm() {
    let (pass, fail, blocks) = gates(Slower::default());
    assert!(fail <= 0.02, "{fail} fail");
    assert!(pass >= 0.95, "{pass} pass");
    assert!(blocks < 20.0, "{blocks} blocks");
}

#[test]
fn five_percent_are_found_in_four_of_five_gates() {
    let (pass, fail, _) = gates(Slower {
        cpu: 0.05,
        latency: 0.03,
    });
    assert!(fail >= 0.8, "{fail} fail, {pass} pass");
}

#[test]
fn ten_percent_are_found_in_all_but_one_of_a_hundred_gates() {
    let (pass, fail, _) = gates(Slower {
        cpu: 0.10,
        latency: 0.06,
    });
    assert!(fail >= 0.99, "{fail} fail, {pass} pass");
}

#[test]
fn waiting_that_costs_no_cpu_is_found_by_the_latency() {
    let (_, fail, _) = gates(Slower {
        cpu: 0.0,
        latency: 0.30,
    });
    assert!(fail >= 0.8, "{fail}");
}

#[test]
fn a_head_slower_by_the_minimum_effect_rarely_passes() {
    let (pass, ..) = gates(Slower {
        cpu: 0.03,
        latency: 0.0,
    });
    assert!(pass <= 0.05, "{pass}");
}

#[test]
fn a_faster_head_passes() {
    let (pass, fail, _) = gates(Slower {
        cpu: -0.05,
        latency: -0.03,
    });
    assert!(pass >= 0.99 && fail <= 0.0, "{pass} {fail}");
}
