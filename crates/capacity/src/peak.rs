//! Nodes for a load whose pods arrive and depart.

use inventory::Timestamp;
use scheduler::timeline::{self, Lifetime, Settings};

use crate::fleet::PlanError;
use crate::least::{Attempt, Least, Search};
use crate::load::Load;
use crate::packing::{Problem, sum_bound};

/// Highest of the sum bounds over time, and the first time with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    /// Number of nodes.
    pub nodes: usize,
    /// Number of pods at that time.
    pub pods: usize,
    /// Time; `None` if no pod has one.
    pub at: Option<Timestamp>,
}

/// Returns the highest sum bound of the pods that are there together, if none waits. `problem` is
/// that of all items in their order.
pub fn peak(load: &Load, problem: &Problem) -> Peak {
    let mut events: Vec<(Option<Timestamp>, bool, usize)> = Vec::new();
    for (item, of_item) in load.items.iter().enumerate() {
        if of_item.departure.is_some() && of_item.departure <= of_item.arrival {
            continue;
        }
        events.push((of_item.arrival, true, item));
        if let Some(departure) = of_item.departure {
            events.push((Some(departure), false, item));
        }
    }
    // At one time, departures come first.
    events.sort_unstable();
    let mut sums = vec![0_i128; problem.bin.len()];
    let mut pods = 0_usize;
    let mut peak = Peak {
        nodes: 0,
        pods: 0,
        at: None,
    };
    for (at, arrives, item) in events {
        let sign = if arrives { 1 } else { -1 };
        for (sum, size) in sums.iter_mut().zip(&problem.items[item]) {
            *sum += sign * i128::from(*size);
        }
        pods = if arrives {
            pods + 1
        } else {
            pods.saturating_sub(1)
        };
        let bounds = sums.iter().zip(&problem.bin).map(|(sum, bin)| {
            let bin = i128::from(*bin).max(1);
            usize::try_from((sum + bin - 1) / bin).unwrap_or(0)
        });
        let nodes = bounds.max().unwrap_or(0);
        if nodes > peak.nodes {
            peak = Peak { nodes, pods, at };
        }
    }
    debug_assert!(peak.nodes <= sum_bound(problem));
    peak
}

impl Attempt<'_> {
    /// Searches for the least number of new nodes on which no pod waits when the pods of the load
    /// arrive and depart, whatever the order of the attempt.
    ///
    /// # Errors
    /// A spec that no API server accepts.
    pub fn least_over_time(&self, lower: usize, placements: u64) -> Result<Least, PlanError> {
        let search = Search {
            lower,
            most: self.load.items.len().max(lower),
            each: self.load.items.len() as u64,
            placements,
        };
        let found = search.run(|nodes| {
            let timeline = self.over_time(nodes, 0, true)?;
            Ok(timeline
                .stays
                .iter()
                .all(|stay| stay.node.is_some() && stay.waited_ns == 0))
        })?;
        match found {
            Some((nodes, is_proven)) => Ok(Least::Nodes { nodes, is_proven }),
            None => {
                let refusal = self.refusal(search.most)?;
                Ok(match refusal {
                    Some((item, message)) => Least::Never { item, message },
                    None => Least::Nodes {
                        nodes: search.most,
                        is_proven: false,
                    },
                })
            }
        }
    }

    /// Lets the pods of the load arrive and depart on this number of new nodes.
    ///
    /// # Errors
    /// A spec that no API server accepts.
    pub fn over_time(
        &self,
        nodes: usize,
        intervals: usize,
        stop_at_first_wait: bool,
    ) -> Result<timeline::Timeline, PlanError> {
        let (mut engine, classes) = self
            .fleet(nodes)
            .engine(self.load, self.profile, self.ties)?;
        let lifetime = |item: &crate::load::Item| Lifetime {
            class: classes[item.kind],
            arrival: item.arrival,
            departure: item.departure,
        };
        let lifetimes: Vec<_> = self.load.items.iter().map(lifetime).collect();
        let settings = Settings {
            intervals,
            stop_at_first_wait,
        };
        Ok(timeline::run(&mut engine, &lifetimes, 0, settings))
    }
}
