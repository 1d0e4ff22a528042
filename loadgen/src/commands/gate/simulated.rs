//! Hundreds of gates on simulated machines: their error rates and their power.
//!
//! The noise was measured with rounds of one program twice, 8 pods at once, of 300 to 1,500 pods.
//! Standard deviations of the logarithm of the ratio of two rounds:
//!
//! | | CPU per pod | pod p50 |
//! | --- | --- | --- |
//! | one round after the other, a quiet machine | 0.03 | 0.22 |
//! | one round after the other, other builds running | 0.06 | 0.10 |
//! | one round after the other, another machine | 0.12 | |
//! | at the same time on all CPUs, other builds running | 0.063 | 0.06 to 0.07 |
//! | at the same time on all CPUs, another machine | 0.064 | |
//! | in turns of 32 pods on one CPU, other builds running | 0.02 to 0.04 | 0.03 to 0.08 |
//! | in turns of 8 pods on one CPU, a machine with a speed that changes by a factor of two | 0.05 | 0.03 to 0.06 |
//!
//! The ratio of two processes differs by a standard deviation of 0.005 to 0.02 in CPU time for as
//! long as they live.

use super::block::{Block, Order};
use super::decide::{Decision, Metric, Rule, Terms};
use super::round::Round;
use crate::stats::noise::Random;

/// Variation of the ratio of one figure of head and base, in logarithms.
#[derive(Clone, Copy)]
struct Varies {
    /// Standard deviation between pairs of processes.
    process: f64,
    /// Standard deviation between rounds of a pair.
    round: f64,
    /// Probability of a round in which a disturbance hit one of the programs alone.
    disturbed: f64,
    /// Highest change by a disturbance.
    disturbance: f64,
    /// Advantage of the program that is loaded first, which the drawn order turns into noise.
    first: f64,
}

/// A machine, with the number of blocks that a gate of five minutes has on it.
#[derive(Clone, Copy)]
struct Machine {
    cpu: Varies,
    latency: Varies,
    most_blocks: u32,
}

/// In turns on one CPU, with other builds running.
const ONE_CPU: Machine = Machine {
    cpu: Varies {
        process: 0.01,
        round: 0.03,
        disturbed: 0.03,
        disturbance: 0.2,
        first: 0.005,
    },
    latency: Varies {
        process: 0.01,
        round: 0.06,
        disturbed: 0.05,
        disturbance: 0.3,
        first: 0.01,
    },
    most_blocks: 95,
};

/// As at the same time on all CPUs of the noisiest machine.
const ALL_CPUS: Machine = Machine {
    cpu: Varies {
        process: 0.02,
        round: 0.064,
        ..ONE_CPU.cpu
    },
    latency: Varies {
        process: 0.03,
        round: 0.1,
        disturbance: 0.7,
        ..ONE_CPU.latency
    },
    most_blocks: 95,
};

/// In turns on one CPU with a speed that changes by a factor of two.
const CHANGING_SPEED: Machine = Machine {
    cpu: Varies {
        round: 0.05,
        ..ONE_CPU.cpu
    },
    most_blocks: 110,
    ..ONE_CPU
};

/// Increase from base to head, as a share.
#[derive(Clone, Copy, Default)]
struct Slower {
    cpu: f64,
    latency: f64,
}

/// Returns the factors between head and base in the rounds of a block.
fn factors(varies: Varies, head: f64, order: Order, random: &mut Random) -> [f64; 2] {
    let process = varies.process * random.normal();
    [1.0, -1.0].map(|turn| {
        let mut log = head.ln_1p() + process + varies.round * random.normal();
        // The other program is loaded first in the second round; the advantage of the first
        // round weighs more, as both programs are new in it.
        let place = if turn > 0.0 { 1.0 } else { -0.5 };
        log += varies.first
            * match order {
                Order::BaseFirst => place,
                Order::HeadFirst => -place,
            };
        if random.unit() < varies.disturbed {
            let hit = if random.unit() < 0.5 { 1.0 } else { -1.0 };
            log += hit * varies.disturbance * random.unit();
        }
        log.exp()
    })
}

/// Returns the blocks of a simulated gate.
fn blocks(seed: u64, machine: &Machine, slower: Slower) -> Vec<Block> {
    let mut random = Random::new(seed);
    (0..machine.most_blocks)
        .map(|_| {
            let order = if random.unit() < 0.5 {
                Order::BaseFirst
            } else {
                Order::HeadFirst
            };
            let cpu = factors(machine.cpu, slower.cpu, order, &mut random);
            let latency = factors(machine.latency, slower.latency, order, &mut random);
            let round = |cpu: f64, latency: f64| Round {
                pods: 300,
                cpu_ms_per_pod: 0.9 * cpu,
                cycles_per_pod: None,
                instructions_per_pod: None,
                p50_ms: 6.0 * latency,
                mean_ms: 6.2 * latency,
            };
            Block {
                order,
                cpus: vec![0],
                accounting: None,
                base: vec![round(1.0, 1.0); 2],
                head: vec![round(cpu[0], latency[0]), round(cpu[1], latency[1])],
            }
        })
        .collect()
}

/// Verdict of a simulated gate.
struct Said {
    decision: Decision,
    blocks: usize,
    /// Whether the stated interval of the CPU time holds the true increase.
    holds: bool,
}

/// Runs a simulated gate.
fn gate(seed: u64, machine: &Machine, slower: Slower) -> Said {
    // The terms of the command line without options.
    let terms = Terms {
        min_effect: 0.03,
        min_latency_effect: 0.10,
        alpha: 0.01,
        cost: Metric::CpuPerPod,
    };
    let rule = Rule::new(terms, machine.most_blocks).unwrap();
    let blocks = blocks(seed, machine, slower);
    let mut said = None;
    for look in rule.looks.iter().map(|look| *look as usize) {
        let (judged, decision) = rule.judge(&blocks[..look]);
        let low = judged[0].at_least.unwrap_or(f64::NEG_INFINITY);
        let high = judged[0].at_most.unwrap_or(f64::INFINITY);
        said = Some(Said {
            decision,
            blocks: look,
            holds: low <= slower.cpu && slower.cpu <= high,
        });
        if decision != Decision::Undecided {
            break;
        }
    }
    said.unwrap()
}

const GATES: u64 = 400;

/// Shares and means over many simulated gates.
struct Shares {
    pass: f64,
    fail: f64,
    holds: f64,
    blocks: f64,
}

fn gates(machine: &Machine, slower: Slower) -> Shares {
    let said: Vec<_> = (0..GATES)
        .map(|seed| gate(1000 + seed, machine, slower))
        .collect();
    let share =
        |of: fn(&Said) -> bool| said.iter().filter(|said| of(said)).count() as f64 / GATES as f64;
    Shares {
        pass: share(|said| said.decision == Decision::Pass),
        fail: share(|said| said.decision == Decision::Fail),
        holds: share(|said| said.holds),
        blocks: said.iter().map(|said| said.blocks as f64).sum::<f64>() / GATES as f64,
    }
}

const MACHINES: [Machine; 3] = [ONE_CPU, ALL_CPUS, CHANGING_SPEED];

#[test]
fn of_gates_without_a_difference_at_most_one_in_forty_raises_an_alarm() {
    for machine in &MACHINES {
        let shares = gates(machine, Slower::default());
        assert!(shares.fail <= 0.025, "{} fail", shares.fail);
        assert!(shares.pass >= 0.8, "{} pass", shares.pass);
    }
    let shares = gates(&ONE_CPU, Slower::default());
    assert!(shares.pass >= 0.98, "{} pass", shares.pass);
    assert!(shares.blocks < 20.0, "{} blocks", shares.blocks);
}

#[test]
fn five_percent_are_found_in_nine_of_ten_gates() {
    let slower = Slower {
        cpu: 0.05,
        latency: 0.03,
    };
    for machine in &MACHINES {
        let shares = gates(machine, slower);
        assert!(
            shares.fail >= 0.9,
            "{} fail, {} pass",
            shares.fail,
            shares.pass
        );
    }
}

#[test]
fn ten_percent_are_found_in_all_gates() {
    let slower = Slower {
        cpu: 0.10,
        latency: 0.06,
    };
    for machine in &MACHINES {
        let shares = gates(machine, slower);
        assert!(
            shares.fail >= 0.999,
            "{} fail, {} pass",
            shares.fail,
            shares.pass
        );
    }
}

#[test]
fn the_stated_interval_holds_the_truth_in_49_of_50_gates() {
    for machine in &MACHINES {
        for cpu in [0.0, 0.03, 0.05, 0.10] {
            let shares = gates(machine, Slower { cpu, latency: 0.0 });
            assert!(shares.holds >= 0.98, "{cpu}: {}", shares.holds);
        }
    }
}

#[test]
fn waiting_that_costs_no_cpu_is_found_by_the_latency() {
    let slower = Slower {
        cpu: 0.0,
        latency: 0.30,
    };
    for machine in &MACHINES {
        let shares = gates(machine, slower);
        assert!(shares.fail >= 0.9, "{}", shares.fail);
    }
}

#[test]
fn a_head_slower_by_the_minimum_effect_rarely_passes() {
    let slower = Slower {
        cpu: 0.03,
        latency: 0.0,
    };
    for machine in &MACHINES {
        let shares = gates(machine, slower);
        assert!(shares.pass <= 0.015, "{}", shares.pass);
    }
}

#[test]
fn a_faster_head_passes() {
    let slower = Slower {
        cpu: -0.05,
        latency: -0.03,
    };
    for machine in &MACHINES {
        let shares = gates(machine, slower);
        assert!(
            shares.pass >= 0.99 && shares.fail <= 0.0,
            "{} {}",
            shares.pass,
            shares.fail
        );
    }
}
