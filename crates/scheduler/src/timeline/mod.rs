//! Placement over time: pods arrive, wait, run and depart.
//!
//! A pod that fits nowhere waits. Whenever pods depart or arrive, the waiting pods are tried again
//! in the order of the scheduler's queue: the higher priority first, then the earlier arrival, then
//! the order of the list (`PrioritySort` in `plugins/queuesort`). A pod runs for as long as it ran
//! in the recording, so that one that waits departs later. Time passes only between events: a
//! placement takes none, and no pod is removed for another.

mod gauge;
mod queue;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use inventory::Timestamp;

use crate::cluster::{ClassId, PodId, PodOnNode};
use crate::engine::Engine;

use gauge::Gauge;
pub use gauge::{Interval, Shares};
use queue::{Queue, Ticket};

/// Pod with its arrival and the time for which it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Class.
    pub class: ClassId,
    /// Arrival; `None` for a pod that is there from the start.
    pub arrival: Option<Timestamp>,
    /// Departure, if the pod is placed when it arrives; `None` for a pod that stays.
    pub departure: Option<Timestamp>,
}

/// Fate of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    /// Number of the node; `None` for a pod that waits to the end.
    pub node: Option<usize>,
    /// Time from arrival to placement, or to the end, in nanoseconds.
    pub waited_ns: i64,
}

/// Placement of all pods over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// Time of the first event.
    pub start: Timestamp,
    /// Time of the last event.
    pub end: Timestamp,
    /// Fate of each pod, in the order of the list.
    pub stays: Vec<Stay>,
    /// Largest number of nodes with pods of the list at one time, and the first time with it.
    pub high_water: (usize, Timestamp),
    /// Largest number of pods that waited at one time.
    pub most_waiting: usize,
    /// State by interval.
    pub intervals: Vec<Interval>,
}

/// Settings of [`run`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Number of intervals of equal length that the time is divided into; 0 for none.
    pub intervals: usize,
    /// Whether to stop at the first pod that waits.
    pub stop_at_first_wait: bool,
}

/// Places pods over time on the nodes of an engine. The pods that are on its nodes stay.
///
/// The number of a pod on a node is its place in the list, counted from `first`.
///
/// # Panics
/// A class is of another cluster.
pub fn run(engine: &mut Engine, pods: &[Lifetime], first: u32, settings: Settings) -> Timeline {
    let (start, end) = span(pods);
    let mut run = Run {
        queue: Queue::default(),
        gauge: Gauge::new(engine, start, end, settings.intervals),
        engine,
        pods,
        first,
        departures: BinaryHeap::new(),
        stays: vec![
            Stay {
                node: None,
                waited_ns: 0,
            };
            pods.len()
        ],
        end,
        most_waiting: 0,
    };
    let mut order: Vec<usize> = (0..pods.len()).collect();
    order.sort_by_key(|&pod| (arrival(&pods[pod], start), pod));
    run.through(&order, start, settings.stop_at_first_wait);
    run.finish(start)
}

/// Returns the times of the first and the last event.
fn span(pods: &[Lifetime]) -> (Timestamp, Timestamp) {
    let arrivals = pods.iter().filter_map(|pod| pod.arrival);
    let departures = pods.iter().filter_map(|pod| pod.departure);
    let times = || arrivals.clone().chain(departures.clone());
    let start = times().min().unwrap_or(Timestamp(0));
    (start, times().max().unwrap_or(start))
}

fn arrival(pod: &Lifetime, start: Timestamp) -> Timestamp {
    pod.arrival.unwrap_or(start)
}

struct Run<'a> {
    engine: &'a mut Engine,
    pods: &'a [Lifetime],
    first: u32,
    queue: Queue,
    departures: BinaryHeap<Reverse<(Timestamp, usize)>>,
    stays: Vec<Stay>,
    gauge: Gauge,
    end: Timestamp,
    most_waiting: usize,
}

impl Run<'_> {
    fn through(&mut self, order: &[usize], start: Timestamp, stop_at_first_wait: bool) {
        let mut arrivals = order.iter().copied().peekable();
        loop {
            let next_arrival = arrivals.peek().map(|&pod| arrival(&self.pods[pod], start));
            let next_departure = self.departures.peek().map(|Reverse((at, _))| *at);
            let times = next_arrival.into_iter().chain(next_departure);
            let Some(now) = times.min() else {
                break;
            };
            self.gauge.advance(self.engine, now, self.queue.len());
            self.depart(now);
            while let Some(pod) = arrivals.next_if(|&pod| arrival(&self.pods[pod], start) == now) {
                self.queue.push(Ticket {
                    priority: Reverse(
                        self.engine
                            .cluster()
                            .class_of(self.pods[pod].class)
                            .priority(),
                    ),
                    arrival: now,
                    pod,
                    class: self.pods[pod].class,
                });
            }
            self.place(now, start);
            self.gauge.note(self.queue.len());
            self.most_waiting = self.most_waiting.max(self.queue.len());
            if stop_at_first_wait && self.queue.len() > 0 {
                break;
            }
        }
    }

    fn depart(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, pod))) = self.departures.peek() {
            if at > now {
                break;
            }
            self.departures.pop();
            if let Some(node) = self.stays[pod].node {
                self.engine.remove(node, self.id(pod));
                let class = self.pods[pod].class;
                self.gauge.count(self.engine, class, node, -1);
            }
        }
    }

    /// Places the waiting pods that fit, in the order of the queue.
    fn place(&mut self, now: Timestamp, start: Timestamp) {
        let mut pass = self.queue.pass();
        while let Some(ticket) = self.queue.next(&mut pass) {
            let pod = PodOnNode {
                id: self.id(ticket.pod),
                class: ticket.class,
                start: now,
            };
            let Some(node) = self.engine.place(pod) else {
                // Without rules about other pods, no placement of this pass makes room.
                let waits_for_room = !self
                    .engine
                    .cluster()
                    .class_of(ticket.class)
                    .has_constraints();
                self.queue.keep(&mut pass, ticket, waits_for_room);
                continue;
            };
            self.gauge.count(self.engine, ticket.class, node, 1);
            let lifetime = &self.pods[ticket.pod];
            let waited_ns = now.0.saturating_sub(arrival(lifetime, start).0);
            self.stays[ticket.pod] = Stay {
                node: Some(node),
                waited_ns,
            };
            if let Some(departure) = lifetime.departure {
                let at = Timestamp(departure.0.saturating_add(waited_ns).max(now.0));
                self.departures.push(Reverse((at, ticket.pod)));
                self.end = self.end.max(at);
            }
        }
        self.queue.end(pass);
    }

    fn id(&self, pod: usize) -> PodId {
        let number = u32::try_from(pod).unwrap_or(u32::MAX);
        PodId(self.first.saturating_add(number))
    }

    fn finish(mut self, start: Timestamp) -> Timeline {
        let end = self.end;
        let waiting = self.queue.len();
        self.gauge.advance(self.engine, end, waiting);
        for ticket in self.queue.into_waiting() {
            self.stays[ticket.pod].waited_ns = end.0.saturating_sub(ticket.arrival.0);
        }
        let (high_water, intervals) = self.gauge.finish(self.engine, waiting);
        Timeline {
            start,
            end,
            stays: self.stays,
            high_water,
            most_waiting: self.most_waiting,
            intervals,
        }
    }
}

#[cfg(test)]
mod tests;
