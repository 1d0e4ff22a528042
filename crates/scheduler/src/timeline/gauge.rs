//! State of the nodes over time, by interval.

use inventory::Timestamp;

use crate::cluster::{ClassId, NodeState, ResourceIndex};
use crate::engine::Engine;

/// Shares of CPU and memory.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shares {
    /// Share of CPU, 0 to 1.
    pub cpu: f64,
    /// Share of memory, 0 to 1.
    pub memory: f64,
}

/// State of the nodes in an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Begin.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Mean share of the allocatable amounts of all nodes that pods request.
    pub requested: Shares,
    /// Largest number of nodes with pods of the list.
    pub nodes_in_use: usize,
    /// Largest number of waiting pods.
    pub waiting: usize,
    /// Share, at the end, of the amounts that are left on all nodes, on those nodes that take a
    /// pod of no class.
    pub fragmented: Shares,
}

const BOTH: [ResourceIndex; 2] = [ResourceIndex::CPU, ResourceIndex::MEMORY];

/// Largest number of intervals, as a multiple of the wanted number: waiting pods end later than
/// the recording, and what lies behind the last interval belongs to it.
const MOST: usize = 4;

/// Measures over time.
#[derive(Debug)]
pub(super) struct Gauge {
    now: Timestamp,
    length_ns: i64,
    most: usize,
    allocatable: [i128; 2],
    requested: [i128; 2],
    /// Number of pods of the list on each node.
    pods: Vec<u32>,
    in_use: usize,
    high_water: (usize, Timestamp),
    open: Open,
    done: Vec<Interval>,
}

/// Interval that runs.
#[derive(Debug, Clone, Copy)]
struct Open {
    start: Timestamp,
    /// Requests times nanoseconds.
    integral: [i128; 2],
    in_use: usize,
    waiting: usize,
}

impl Gauge {
    pub(super) fn new(engine: &Engine, start: Timestamp, end: Timestamp, count: usize) -> Self {
        let nodes = engine.cluster().nodes();
        let span = end.0.saturating_sub(start.0);
        let parts = i64::try_from(count.max(1)).unwrap_or(i64::MAX);
        let sum = |amount: fn(&NodeState, ResourceIndex) -> i64| {
            BOTH.map(|resource| {
                let amounts = nodes.iter().map(|node| i128::from(amount(node, resource)));
                amounts.sum::<i128>()
            })
        };
        Self {
            now: start,
            length_ns: length(span, parts),
            most: count.saturating_mul(MOST),
            allocatable: sum(NodeState::allocatable),
            requested: sum(NodeState::requested),
            pods: vec![0; nodes.len()],
            in_use: 0,
            high_water: (0, start),
            open: Open {
                start,
                integral: [0; 2],
                in_use: 0,
                waiting: 0,
            },
            done: Vec::new(),
        }
    }

    /// Counts a pod that was put on a node (`sign` 1) or taken off it (-1).
    pub(super) fn count(&mut self, engine: &Engine, class: ClassId, node: usize, sign: i32) {
        let class = engine.cluster().class_of(class);
        for (sum, resource) in self.requested.iter_mut().zip(BOTH) {
            *sum += i128::from(sign) * i128::from(class.request(resource));
        }
        let before = self.pods[node];
        self.pods[node] = before.saturating_add_signed(sign);
        match (before, self.pods[node]) {
            (0, 1) => self.in_use += 1,
            (1, 0) => self.in_use -= 1,
            _ => {}
        }
    }

    /// Notes the numbers after all events of one time.
    pub(super) fn note(&mut self, waiting: usize) {
        if self.in_use > self.high_water.0 {
            self.high_water = (self.in_use, self.now);
        }
        self.open.in_use = self.open.in_use.max(self.in_use);
        self.open.waiting = self.open.waiting.max(waiting);
    }

    /// Passes the time up to `now`, in which this number of pods waits.
    pub(super) fn advance(&mut self, engine: &mut Engine, now: Timestamp, waiting: usize) {
        while self.done.len() + 1 < self.most {
            let close = Timestamp(self.open.start.0.saturating_add(self.length_ns));
            if close > now {
                break;
            }
            self.pass(close);
            self.close(engine, waiting);
        }
        self.pass(now);
    }

    /// Returns the largest number of nodes in use, and the intervals.
    pub(super) fn finish(
        mut self,
        engine: &mut Engine,
        waiting: usize,
    ) -> ((usize, Timestamp), Vec<Interval>) {
        if self.most > 0 && (self.now > self.open.start || self.done.is_empty()) {
            self.close(engine, waiting);
        }
        (self.high_water, self.done)
    }

    fn pass(&mut self, now: Timestamp) {
        let passed = i128::from(now.0.saturating_sub(self.now.0));
        for (integral, requested) in self.open.integral.iter_mut().zip(self.requested) {
            *integral = integral.saturating_add(requested.saturating_mul(passed));
        }
        self.now = now;
    }

    fn close(&mut self, engine: &mut Engine, waiting: usize) {
        let length = i128::from(self.now.0.saturating_sub(self.open.start.0));
        let requested = |resource: usize| {
            let whole = self.allocatable[resource].saturating_mul(length);
            match length {
                0 => share(self.requested[resource], self.allocatable[resource]),
                _ => share(self.open.integral[resource], whole),
            }
        };
        self.done.push(Interval {
            start: self.open.start,
            end: self.now,
            requested: Shares {
                cpu: requested(0),
                memory: requested(1),
            },
            nodes_in_use: self.open.in_use,
            waiting: self.open.waiting,
            fragmented: fragmented(engine),
        });
        self.open = Open {
            start: self.now,
            integral: [0; 2],
            in_use: self.in_use,
            waiting,
        };
    }
}

/// Returns the length of an interval: whole seconds, unless it is shorter.
fn length(span_ns: i64, parts: i64) -> i64 {
    const SECOND: i64 = 1_000_000_000;
    let up = |amount: i64, step: i64| (amount / step).saturating_add(i64::from(amount % step != 0));
    let exact = up(span_ns, parts).max(1);
    match exact {
        ..SECOND => exact,
        _ => up(exact, SECOND).saturating_mul(SECOND),
    }
}

/// Returns the share of what is left on all nodes that lies on nodes that take no pod of any class.
fn fragmented(engine: &mut Engine) -> Shares {
    let takes = engine.takes_some();
    let of = |resource: ResourceIndex| {
        let (mut left, mut lost) = (0_i128, 0_i128);
        for (node, takes) in engine.cluster().nodes().iter().zip(&takes) {
            let free =
                i128::from(node.allocatable(resource)) - i128::from(node.requested(resource));
            let free = free.max(0);
            left += free;
            lost += if *takes { 0 } else { free };
        }
        share(lost, left)
    };
    Shares {
        cpu: of(ResourceIndex::CPU),
        memory: of(ResourceIndex::MEMORY),
    }
}

/// Returns a share with six digits; 0 of nothing.
fn share(part: i128, whole: i128) -> f64 {
    let millionths = part
        .saturating_mul(1_000_000)
        .checked_div(whole)
        .unwrap_or(0);
    millionths as f64 / 1_000_000.0
}
