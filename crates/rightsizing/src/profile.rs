//! Usage of one container, and the requests of each strategy for it.

use inventory::Timestamp;
use serde::Serialize;

use crate::krr;
use crate::lack::Lack;
use crate::percentile::{Distribution, Percent, Summary};
use crate::resources::Resources;
use crate::series::{Gaps, Held, Series, merged};
use crate::sizing::Strategy;
use crate::vpa::{Estimate, Observation, Recommender};
use crate::workload::{ContainerUsage, Usage};

/// Usage of one container up to some time, from which strategies make requests.
#[derive(Debug)]
pub(crate) struct Past<'a> {
    series: &'a [Series<'a>],
    memory_request: i64,
    memory_limit: Option<i64>,
    containers: usize,
    vpa: Recommender,
    cpu: Distribution,
    memory: Distribution,
}

/// Requests for one container: CPU in millicores, memory in bytes.
pub(crate) type Requests = (Result<i64, Lack>, Result<i64, Lack>);

impl<'a> Past<'a> {
    /// Returns a past without samples; the pod has `containers` containers.
    pub(crate) fn new(
        container: &ContainerUsage,
        containers: usize,
        series: &'a [Series<'a>],
    ) -> Self {
        Self {
            series,
            memory_request: container.today.memory.request.unwrap_or(0),
            memory_limit: container.today.memory.limit,
            containers,
            vpa: Recommender::default(),
            cpu: Distribution::default(),
            memory: Distribution::default(),
        }
    }

    /// Adds a sample, which is not before those that were added.
    pub(crate) fn add(&mut self, held: &Held) {
        let Held { pod, sample, nanos } = *held;
        let mut observe = |observation| self.vpa.add(pod, sample.time, observation);
        if let Some(nanocores) = sample.cpu_nanocores {
            observe(Observation::Cpu(millicores(nanocores)));
        }
        if let Some(bytes) = sample.memory_bytes {
            observe(Observation::Memory(bytes));
        }
        if sample.oom_killed {
            observe(Observation::OutOfMemory(self.memory_request));
        }
        if let Some(nanocores) = sample.cpu_nanocores {
            self.cpu.add(nanocores, nanos);
        }
        if let Some(bytes) = sample.memory_bytes {
            self.memory.add(bytes, nanos);
        }
    }

    /// Returns the requests of a strategy from the samples that were added: those before `end`,
    /// when the whole recording had lasted for `range` nanoseconds.
    pub(crate) fn requests(&mut self, strategy: Strategy, range: i64, end: Timestamp) -> Requests {
        match strategy {
            Strategy::Requested => {
                let lack = Lack { points: 0, range };
                (Err(lack), Err(lack))
            }
            Strategy::Vpa => {
                let (estimate, usage) = (self.estimate(), self.vpa.aggregation());
                let (cpu, memory) = (usage.cpu_samples() > 0, usage.has_memory());
                let lack = Lack { points: 0, range };
                (
                    cpu.then_some(estimate.target.cpu_millicores).ok_or(lack),
                    memory.then_some(estimate.target.memory_bytes).ok_or(lack),
                )
            }
            Strategy::Krr => (
                krr::cpu_request(self.series, range, end),
                krr::memory_request(self.series, self.memory_limit, range, end),
            ),
            Strategy::Percentile(percent) => (
                of_time(&mut self.cpu, percent, range).map(millicores),
                of_time(&mut self.memory, percent, range),
            ),
        }
    }

    fn estimate(&self) -> Estimate {
        self.vpa.estimate(self.containers)
    }
}

/// Returns a percentile, under the conditions that krr sets.
fn of_time(usage: &mut Distribution, percent: Percent, range: i64) -> Result<i64, Lack> {
    let points = usage.points();
    let amount = usage.percentile(percent);
    amount
        .filter(|_| points >= krr::POINTS && range >= krr::RANGE)
        .ok_or(Lack { points, range })
}

/// Returns billionths of a core in millicores, rounded up (`MilliValue` of a quantity, by which
/// VPA reads its metrics: `calculateUsage` in `input/metrics/metrics_client.go`).
fn millicores(nanocores: i64) -> i64 {
    nanocores.div_euclid(1_000_000) + i64::from(nanocores.rem_euclid(1_000_000) > 0)
}

/// Amounts of VPA for one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bounds {
    /// Amount below which VPA would replace the pod.
    pub lower_bound: i64,
    /// Amount to request.
    pub target: i64,
    /// Amount above which VPA would replace the pod; 10^14 with next to no history.
    pub upper_bound: i64,
}

/// Usage of one resource of a container, and the requests for it: CPU in millicores (usage in
/// billionths of a core), memory in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Usage of CPU, `None` without a sample.
    pub cpu_nanocores: Option<Summary>,
    /// Usage of memory, `None` without a sample.
    pub memory_bytes: Option<Summary>,
    /// VPA's amounts of CPU in millicores, `None` without a sample.
    pub vpa_cpu: Option<Bounds>,
    /// VPA's amounts of memory in bytes, `None` without a sample.
    pub vpa_memory: Option<Bounds>,
    /// krr's CPU request in millicores.
    pub krr_cpu: Result<i64, Lack>,
    /// krr's memory request in bytes.
    pub krr_memory: Result<i64, Lack>,
    /// CPU request of the chosen strategy in millicores.
    pub cpu: Result<i64, Lack>,
    /// Memory request of the chosen strategy in bytes.
    pub memory: Result<i64, Lack>,
    /// Recorded ends for lack of memory.
    pub oom_kills: u64,
    /// Times without samples.
    pub gaps: Gaps,
}

impl Profile {
    /// Returns whether there is a sample of CPU or memory.
    pub fn is_known(&self) -> bool {
        self.cpu_nanocores.is_some() || self.memory_bytes.is_some()
    }
}

/// Computes the profile of a container of pods with `containers` containers, from all samples of
/// a recording of this span.
pub fn profile(
    container: &ContainerUsage,
    containers: usize,
    strategy: Strategy,
    span: Span,
) -> Profile {
    let series: Vec<_> = container.pods.iter().map(|pod| Series::new(pod)).collect();
    let mut past = Past::new(container, containers, &series);
    for held in merged(&series) {
        past.add(&held);
    }
    let (range, end) = (span.nanos(), Timestamp(span.last.0.saturating_add(1)));
    let krr = past.requests(Strategy::Krr, range, end);
    let (cpu, memory) = past.requests(strategy, range, end);
    let estimate = past.estimate();
    let bounds = |is_known: bool, of: fn(&Resources) -> i64| {
        is_known.then(|| Bounds {
            lower_bound: of(&estimate.lower_bound),
            target: of(&estimate.target),
            upper_bound: of(&estimate.upper_bound),
        })
    };
    let usage = past.vpa.aggregation();
    let samples = series.iter().flat_map(|series| series.samples());
    Profile {
        vpa_cpu: bounds(usage.cpu_samples() > 0, |amounts| amounts.cpu_millicores),
        vpa_memory: bounds(usage.has_memory(), |amounts| amounts.memory_bytes),
        cpu_nanocores: past.cpu.summary(),
        memory_bytes: past.memory.summary(),
        krr_cpu: krr.0,
        krr_memory: krr.1,
        cpu,
        memory,
        oom_kills: samples.filter(|sample| sample.oom_killed).count() as u64,
        gaps: series.iter().fold(Gaps::default(), |sum, series| {
            let gaps = series.gaps();
            Gaps {
                count: sum.count + gaps.count,
                nanos: sum.nanos.saturating_add(gaps.nanos),
            }
        }),
    }
}

/// Times of the first and the last sample of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First sample.
    pub first: Timestamp,
    /// Last sample.
    pub last: Timestamp,
}

impl Span {
    /// Returns the span of all samples; `None` without a sample.
    pub fn of(usage: &Usage) -> Option<Self> {
        let containers = usage
            .workloads
            .iter()
            .flat_map(|workload| &workload.containers);
        let pods = containers.flat_map(|container| &container.pods);
        let ends = pods.filter_map(|pod| Some((pod.first()?.time, pod.last()?.time)));
        let span = ends.reduce(|(first, last), (next_first, next_last)| {
            (first.min(next_first), last.max(next_last))
        })?;
        Some(Self {
            first: span.0,
            last: span.1,
        })
    }

    /// Returns the time from the first to the last sample, in nanoseconds.
    pub fn nanos(self) -> i64 {
        self.last.0.saturating_sub(self.first.0)
    }
}
