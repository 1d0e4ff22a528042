//! Strategies on the recorded past: each day with the requests that the days before suggest.
//!
//! The costs are those that Autopilot weighs (Rzadca et al., EuroSys 2020): usage above the
//! amount, amount above the usage, and ends for lack of memory.

use inventory::Timestamp;

use crate::profile::{Past, Span};
use crate::series::{Held, Series, merged};
use crate::sizing::{Sizing, Strategy, resized};
use crate::workload::ContainerUsage;

/// Nanocores per millicore.
const NANO: i128 = 1_000_000;

/// Costs of a strategy. CPU is in billionths of a core times nanoseconds, memory in bytes times
/// nanoseconds, over the time for which the samples hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// CPU in use above the request: time that a full node would not have given.
    pub cpu_above_request: i128,
    /// CPU in use above the limit, which the kernel would have throttled.
    pub cpu_throttled: i128,
    /// CPU requested and not in use.
    pub cpu_wasted: i128,
    /// Memory in use above the request.
    pub memory_above_request: i128,
    /// Memory requested and not in use.
    pub memory_wasted: i128,
    /// Ends for lack of memory: the times that usage rises above the limit, and recorded ends
    /// where the limit is no higher than it was.
    pub oom_kills: u64,
    /// Containers and steps for which the strategy had too few samples, so that the requests
    /// stayed as they are.
    pub without_answer: u64,
}

impl Costs {
    /// Adds the costs of another container.
    pub fn add(&mut self, other: &Self) {
        let sums = [
            (&mut self.cpu_above_request, other.cpu_above_request),
            (&mut self.cpu_throttled, other.cpu_throttled),
            (&mut self.cpu_wasted, other.cpu_wasted),
            (&mut self.memory_above_request, other.memory_above_request),
            (&mut self.memory_wasted, other.memory_wasted),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        self.oom_kills += other.oom_kills;
        self.without_answer += other.without_answer;
    }

    fn count(&mut self, held: &Held, today: &Sizing, sizing: &Sizing, was_above: &mut bool) {
        // Absurd amounts saturate.
        let add = |sum: &mut i128, amount: i128| {
            let over_time = amount.max(0).saturating_mul(held.nanos.into());
            *sum = sum.saturating_add(over_time);
        };
        if let Some(used) = held.sample.cpu_nanocores {
            let used = i128::from(used.max(0));
            let request = i128::from(sizing.cpu.request.unwrap_or(0)) * NANO;
            add(&mut self.cpu_above_request, used - request);
            add(&mut self.cpu_wasted, request - used);
            if let Some(limit) = sizing.cpu.limit.filter(|limit| *limit > 0) {
                add(&mut self.cpu_throttled, used - i128::from(limit) * NANO);
            }
        }
        let limit = sizing.memory.limit.filter(|limit| *limit > 0);
        let mut is_above = *was_above;
        if let Some(used) = held.sample.memory_bytes {
            let request = i128::from(sizing.memory.request.unwrap_or(0));
            let over = i128::from(used.max(0)) - request;
            add(&mut self.memory_above_request, over);
            add(&mut self.memory_wasted, -over);
            is_above = limit.is_some_and(|limit| used > limit);
        }
        let is_killed = held.sample.oom_killed
            && match (limit, today.memory.limit) {
                (Some(limit), Some(today)) => limit <= today,
                (limit, None) => limit.is_some() || sizing == today,
                (None, Some(_)) => false,
            };
        self.oom_kills += u64::from((is_killed || is_above) && !*was_above);
        *was_above = is_above;
    }
}

/// Costs of strategies for one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackTest {
    /// Costs of each strategy, in the order in which they were given.
    pub costs: Vec<Costs>,
    /// Steps with samples that were counted.
    pub steps: u64,
    /// Time for which the counted samples hold, in nanoseconds.
    pub nanos: i128,
}

/// Walks through the samples of a container in steps of some nanoseconds from the beginning of the
/// recording, and counts the costs of each step under the requests that a strategy makes of the
/// samples before the step. The first step of the recording is not counted.
pub fn back_test(
    container: &ContainerUsage,
    containers: usize,
    strategies: &[Strategy],
    span: Span,
    step: i64,
) -> BackTest {
    let series: Vec<_> = container.pods.iter().map(|pod| Series::new(pod)).collect();
    let mut past = Past::new(container, containers, &series);
    let mut test = BackTest {
        costs: vec![Costs::default(); strategies.len()],
        steps: 0,
        nanos: 0,
    };
    let mut above = vec![vec![false; series.len()]; strategies.len()];
    let mut sizings = vec![container.today; strategies.len()];
    let (step, mut current) = (step.max(1), 0);
    // Samples of one step enter the past when the next step begins.
    let mut pending: Vec<Held> = Vec::new();
    for held in merged(&series) {
        let number = held.sample.time.0.saturating_sub(span.first.0).max(0) / step;
        if number != current {
            current = number;
            for held in pending.drain(..) {
                past.add(&held);
            }
            let range = number.saturating_mul(step);
            let end = Timestamp(span.first.0.saturating_add(range));
            test.steps += 1;
            for (place, strategy) in strategies.iter().enumerate() {
                let (cpu, memory) = past.requests(*strategy, range, end);
                let lacks = u64::from(cpu.is_err() || memory.is_err());
                if *strategy != Strategy::Requested {
                    test.costs[place].without_answer += lacks;
                }
                sizings[place] = resized(*strategy, container.today, cpu.ok(), memory.ok());
            }
        }
        if number > 0 {
            test.nanos += i128::from(held.nanos);
            for (place, costs) in test.costs.iter_mut().enumerate() {
                let was_above = &mut above[place][held.pod];
                costs.count(&held, &container.today, &sizings[place], was_above);
            }
        }
        pending.push(held);
    }
    test
}

#[cfg(test)]
mod tests {
    use inventory::Sample;
    use proptest::prelude::{any, prop, prop_assert, proptest};

    use super::*;
    use crate::percentile::Percent;
    use crate::sizing::Amount;

    const HOUR: i64 = 3_600 * 1_000_000_000;
    const MEBIBYTE: i64 = 1 << 20;

    /// One sample a minute: CPU in millicores and memory in MiB by the hour.
    fn pod(hours: i64, usage: impl Fn(i64) -> (i64, i64)) -> Vec<Sample> {
        let sample = |minute: i64| {
            let (millicores, mebibytes) = usage(minute / 60);
            Sample {
                time: Timestamp(minute * HOUR / 60),
                cpu_nanocores: Some(millicores * 1_000_000),
                memory_bytes: Some(mebibytes * MEBIBYTE),
                oom_killed: false,
            }
        };
        (0..hours * 60).map(sample).collect()
    }

    fn test(pods: Vec<Vec<Sample>>, strategy: Strategy) -> BackTest {
        let amount = |request| Amount {
            request: Some(request),
            limit: Some(2 * request),
        };
        let container = ContainerUsage {
            name: "app".to_owned(),
            today: Sizing {
                cpu: amount(1_000),
                memory: amount(1_000 * MEBIBYTE),
            },
            pods,
        };
        let last = |pod: &Vec<Sample>| pod.last().map(|sample| sample.time);
        let span = Span {
            first: Timestamp(0),
            last: container.pods.iter().filter_map(last).max().unwrap(),
        };
        back_test(&container, 1, &[strategy], span, 24 * HOUR)
    }

    fn hours(amount: i128, unit: i64) -> i128 {
        assert_eq!(amount % (i128::from(unit) * i128::from(HOUR)), 0);
        amount / i128::from(unit) / i128::from(HOUR)
    }

    #[test]
    fn the_first_day_is_not_counted() {
        let test = test(vec![pod(48, |_| (400, 300))], Strategy::Requested);
        assert_eq!((test.steps, hours(test.nanos, 1)), (1, 24));
        let costs = test.costs[0];
        assert_eq!(hours(costs.cpu_wasted, 1_000_000), 600 * 24);
        assert_eq!(hours(costs.memory_wasted, MEBIBYTE), 700 * 24);
        assert_eq!((costs.cpu_above_request, costs.oom_kills), (0, 0));
        assert_eq!(costs.without_answer, 0);
    }

    #[test]
    fn a_day_is_counted_with_the_requests_of_the_days_before() {
        // The third day needs twice as much, and more than twice for one hour of it.
        let usage = |hour| match hour {
            0..48 => (200, 200),
            60 => (500, 500),
            _ => (400, 400),
        };
        let strategy = Strategy::Percentile(Percent::whole(100));
        let costs = test(vec![pod(72, usage)], strategy).costs[0];
        assert_eq!(hours(costs.cpu_above_request, 1_000_000), 200 * 23 + 300);
        assert_eq!(hours(costs.cpu_throttled, 1_000_000), 100);
        assert_eq!(hours(costs.memory_above_request, MEBIBYTE), 200 * 23 + 300);
        assert_eq!((costs.cpu_wasted, costs.memory_wasted), (0, 0));
        assert_eq!(costs.oom_kills, 1);
    }

    #[test]
    fn later_samples_do_not_change_the_requests_of_a_day() {
        // Usage on the third day is above any request, so that it adds no unused amount.
        let usage = |hour| match hour {
            0..48 => (100 + hour % 24, 100 + hour % 24),
            _ => (9_000, 9_000),
        };
        for name in ["vpa", "krr", "percentile=90"] {
            let strategy = name.parse().unwrap();
            let two_days = test(vec![pod(48, usage)], strategy).costs[0];
            let three_days = test(vec![pod(72, usage)], strategy).costs[0];
            assert_eq!(two_days.cpu_wasted, three_days.cpu_wasted, "{name}");
            assert_eq!(two_days.memory_wasted, three_days.memory_wasted, "{name}");
            assert!(three_days.cpu_above_request > two_days.cpu_above_request);
        }
    }

    #[test]
    fn without_samples_before_the_requests_stay() {
        let mut late = pod(60, |_| (400, 300));
        late.drain(..30 * 60);
        let costs = test(vec![late], Strategy::Krr).costs[0];
        assert_eq!(costs.without_answer, 1);
        // 18 hours with today's request; then krr's.
        let of_krr = hours(costs.cpu_wasted, 1_000_000) - 600 * 18;
        assert_eq!(of_krr, 0);
    }

    #[test]
    fn a_recorded_end_counts_where_the_limit_is_no_higher() {
        let mut pod = pod(48, |_| (400, 300));
        pod[40 * 60].oom_killed = true;
        assert_eq!(
            test(vec![pod.clone()], Strategy::Requested).costs[0].oom_kills,
            1
        );
        for sample in &mut pod {
            sample.memory_bytes = sample.memory_bytes.map(|bytes| 8 * bytes);
        }
        let strategy = Strategy::Percentile(Percent::whole(50));
        assert_eq!(test(vec![pod], strategy).costs[0].oom_kills, 0);
    }

    proptest! {
        #[test]
        fn absurd_samples_and_requests_are_no_panic(
            samples in prop::collection::vec(
                (any::<i64>(), any::<Option<i64>>(), any::<Option<i64>>(), any::<bool>()),
                0..20,
            ),
            amounts in any::<[Option<i64>; 4]>(),
            step in any::<i64>(),
        ) {
            let mut pod: Vec<_> = samples
                .into_iter()
                .map(|(time, cpu_nanocores, memory_bytes, oom_killed)| Sample {
                    time: Timestamp(time),
                    cpu_nanocores,
                    memory_bytes,
                    oom_killed,
                })
                .collect();
            pod.sort_by_key(|sample| sample.time);
            let Some((first, last)) = pod.first().zip(pod.last()) else { return Ok(()) };
            let span = Span { first: first.time, last: last.time };
            let [cpu, cpu_limit, memory, memory_limit] = amounts;
            let container = ContainerUsage {
                name: "app".to_owned(),
                today: Sizing {
                    cpu: Amount { request: cpu, limit: cpu_limit },
                    memory: Amount { request: memory, limit: memory_limit },
                },
                pods: vec![pod],
            };
            for name in ["requested", "vpa", "krr", "percentile=50"] {
                let strategy: Strategy = name.parse().unwrap();
                let test = back_test(&container, 1, &[strategy], span, step);
                let mut sum = test.costs[0];
                sum.add(&test.costs[0]);
                prop_assert!(sum.cpu_wasted >= 0 && sum.memory_wasted >= 0);
                crate::profile(&container, 1, strategy, span);
            }
        }
    }
}
