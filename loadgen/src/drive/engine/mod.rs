//! Runs the pods of a load: threads, connections, and the assignment of pods to them.
//!
//! Each thread has its own async runtime, connections and tape, and shares only a few
//! numbers with the other threads. Its pods run concurrently on this one thread, so they
//! record without locks. In a closed loop each worker of a thread begins the next pod of
//! the plan; in an open loop a [`crate::drive::pacer`] sends the pods to begin.

mod cpu;
mod error;
mod hold;
mod shared;
mod turns;
mod work;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use self::cpu::CpuTime;
pub use self::error::EngineError;
pub use self::turns::Turns;

use self::shared::Shared;
use self::work::Prepared;
use crate::drive::driver::Driver;
use crate::drive::pacer::{self, Ticket};
use crate::record::recorder::Recorder;
use crate::record::tape::{self, Collector, Counters, Listener, Part, Tape};
use crate::spans;
use crate::stop::Stop;
use crate::workload::part::Part as PlanPart;
use crate::workload::plan::Plan;
use crate::workload::scenario::{Closed, LoadShape, Scenario};
use crate::workload::schedule::Schedule;

/// Time between the moment at which all threads are ready and the first intended start.
const LEAD: Duration = Duration::from_millis(20);

/// Load that is put on a driver.
#[derive(Debug, Clone)]
pub struct Load {
    /// Time limit of a call.
    pub timeout: Duration,
    /// Pods, with their requests.
    pub plan: Plan,
    /// Times at which the pods begin.
    pub shape: Shape,
    /// Factor by which the times that pods stay are shorter than in the plan.
    pub speed: f64,
    /// Number of connections, which the pods share.
    pub connections: usize,
    /// Number of threads that drive the connections; at most `connections`.
    pub threads: usize,
    /// Stages of held pods, as numbers of started pods. At each of them the observer is
    /// notified, and no more pods are started until it has returned.
    pub stages: Vec<u64>,
    /// Turns that a closed loop takes with another one; `None` for one on its own.
    pub turns: Option<Turns>,
    /// Part of a whole load that this is; `None` for a whole load.
    pub part: Option<PartOf>,
    /// Recorder of the spans of the calls of measured pods; `None` if they have none.
    pub spans: Option<spans::Recorder>,
}

/// Part of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartOf {
    /// The part.
    pub part: PlanPart,
    /// Number of pods of the whole load, with those of the warm-up.
    pub pods: u64,
}

/// Failure to divide a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("part {part}: a concurrency of {concurrency} cannot be divided among {} parts", part.of)]
pub struct IndivisibleError {
    /// The part.
    pub part: PlanPart,
    /// Number of pods under way at once in the whole load.
    pub concurrency: u32,
}

/// Shape of a load: the rule for the times at which pods begin.
#[derive(Debug, Clone)]
pub enum Shape {
    /// Closed loop: a pod begins when another one has ended.
    Closed(Closed),
    /// Open loop: pods begin at intended times.
    Open {
        /// Intended start times.
        schedule: Arc<Schedule>,
        /// Maximum number of pods in progress; further pods wait.
        max_in_flight: usize,
    },
}

/// Observer of the progress of a run, on a thread that makes no calls.
pub trait Observer: Listener + Send + 'static {}

impl<L: Listener + Send + 'static> Observer for L {}

/// The observer that ignores everything.
impl Listener for () {
    fn interval(&mut self, _number: u32, _part: &Part) {}
}

/// Measurements of a run.
#[derive(Debug)]
pub struct Measured {
    /// Sum of all threads' measurements, without the successful calls of the warm-up.
    pub recorder: Recorder,
    /// Time from the first request that counts to the last reply.
    pub wall: Duration,
    /// Duration of the warm-up before it.
    pub warm_up: Duration,
    /// Number of pods that were begun and have ended, with those of the warm-up.
    pub pods: u64,
    /// Number of successful RPCs, with those of the warm-up.
    pub rpcs: u64,
    /// Number of requests without a reply that no error tells of, as their pods failed before.
    pub abandoned: u64,
    /// Maximum number of pods in progress at the same time; with several threads, the sum
    /// of their maxima.
    pub most_in_flight: u64,
    /// Start times of the pods by index, from the beginning of the load: actual times in
    /// a closed loop, intended times in an open loop.
    pub arrivals: Vec<Duration>,
    /// Time range, from the beginning of the load, in which all pods with restarting
    /// containers were running; `None` for a plan without such pods.
    pub held: Option<Range<Duration>>,
    /// Whether a connection was lost.
    pub lost: bool,
    /// Whether a closed loop ended because its time limit was reached.
    pub timed_out: bool,
    /// CPU time of the load threads, with the warm-up; `None` if the kernel does not count it.
    pub cpu: Option<CpuTime>,
}

impl Shape {
    /// Returns the shape that a scenario describes.
    pub fn of(scenario: &Scenario) -> Self {
        match &scenario.load {
            LoadShape::Closed(closed) => Self::Closed(closed.clone()),
            LoadShape::Open {
                phases,
                max_in_flight,
            } => Self::Open {
                schedule: Arc::new(Schedule::new(phases, scenario.seed)),
                max_in_flight: size(*max_in_flight),
            },
        }
    }

    /// Returns the number of pods, with those of a warm-up.
    pub fn pods(&self) -> u64 {
        match self {
            Self::Closed(closed) => closed.warm_up_pods.saturating_add(closed.pods),
            Self::Open { schedule, .. } => schedule.pods(),
        }
    }

    /// Returns the start times of the pods: actual times in a closed loop, intended times
    /// in an open loop.
    fn arrivals(&self, begun: &BTreeMap<u64, Duration>) -> Vec<Duration> {
        match self {
            // The list has no gaps: it ends before the first pod that was not begun.
            Self::Closed(_) => (0..)
                .map_while(|index| begun.get(&index).copied())
                .collect(),
            Self::Open { schedule, .. } => {
                let arrivals = schedule.arrivals().iter().take(begun.len());
                arrivals.map(|arrival| arrival.at).collect()
            }
        }
    }

    /// Returns the largest number of pods that can be in progress at the same time.
    fn most_in_flight(&self) -> u64 {
        match self {
            Self::Closed(closed) => u64::from(closed.concurrency).min(self.pods()),
            Self::Open { max_in_flight, .. } => (*max_in_flight as u64).min(self.pods()),
        }
    }
}

impl Load {
    /// Returns the load that a scenario describes, with no more connections and threads
    /// than it can use.
    pub fn of(scenario: &Scenario) -> Self {
        let shape = Shape::of(scenario);
        let useful = usize::try_from(shape.most_in_flight()).unwrap_or(usize::MAX);
        let connections = size(scenario.connections).min(useful).max(1);
        Self {
            timeout: scenario.timeout,
            plan: Plan::of(scenario),
            connections,
            threads: size(scenario.threads).min(connections),
            stages: Vec::new(),
            turns: None,
            part: None,
            spans: None,
            speed: 1.0,
            shape,
        }
    }

    /// Returns a part of this load: with its pods, its arrivals, and its share of the pods that may
    /// be under way at once.
    ///
    /// # Errors
    /// A closed loop with fewer pods under way at once than there are parts.
    pub fn part(self, part: PlanPart) -> Result<Self, IndivisibleError> {
        let whole = PartOf {
            part,
            pods: self.pods(),
        };
        let of_part = |count: u32| u32::try_from(part.share(count.into())).unwrap_or(count);
        let shape = match self.shape {
            Shape::Closed(closed) => {
                let concurrency = of_part(closed.concurrency);
                if concurrency == 0 {
                    return Err(IndivisibleError {
                        part,
                        concurrency: closed.concurrency,
                    });
                }
                let warm_up_pods = part.share(closed.warm_up_pods);
                Shape::Closed(Closed {
                    concurrency,
                    warm_up_pods,
                    pods: part.share(whole.pods) - warm_up_pods,
                    ..closed
                })
            }
            Shape::Open {
                schedule,
                max_in_flight,
            } => Shape::Open {
                schedule: Arc::new(schedule.part(part)),
                max_in_flight: max_in_flight.div_ceil(size(part.of)),
            },
        };
        let useful = usize::try_from(shape.most_in_flight()).unwrap_or(usize::MAX);
        let connections = self.connections.min(useful).max(1);
        Ok(Self {
            plan: self.plan.part(part),
            connections,
            threads: self.threads.min(connections),
            part: Some(whole),
            shape,
            ..self
        })
    }

    /// Returns one set of counters for each thread, for [`Load::run`] and a reporter.
    pub fn counters(&self) -> Vec<Arc<Counters>> {
        (0..self.threads).map(|_| Arc::default()).collect()
    }

    /// Returns the number of pods, with those of the warm-up.
    pub fn pods(&self) -> u64 {
        self.shape.pods()
    }

    /// Runs the load with one kind of driver. Ends when all pods are done, the time limit
    /// is reached, a stop was requested, or the server answers no more.
    ///
    /// # Errors
    /// A thread that cannot start or connect, or a requested abort.
    pub fn run<D: Driver>(
        &self,
        address: &D::Address,
        stop: &Stop,
        counters: &[Arc<Counters>],
        observer: impl Observer,
    ) -> Result<Measured, EngineError> {
        let (tapes, collector) = tape::tapes(counters);
        let (givers, tickets) = self.channels();
        // All threads connect before the first pod begins.
        let prepared = tapes
            .into_iter()
            .zip(tickets)
            .enumerate()
            .map(|(number, (tape, tickets))| self.prepare::<D>(address, number, tape, tickets))
            .collect::<Result<Vec<_>, _>>()?;
        let shared = Arc::new(Shared::new(self, stop, collector.bell()));
        let collector = spawn("collector", move || collect(collector, observer))?;
        let mut threads = Vec::with_capacity(self.threads);
        for prepared in prepared {
            let shared = Arc::clone(&shared);
            let name = format!("load-{}", prepared.number);
            threads.push(spawn(&name, move || prepared.run(&shared))?);
        }
        let pacer = match &self.shape {
            Shape::Closed(_) => None,
            Shape::Open { schedule, .. } => {
                let (schedule, shared) = (Arc::clone(schedule), Arc::clone(&shared));
                Some(spawn("pacer", move || {
                    pacer::pace(&schedule, shared.base, &givers, || shared.over());
                })?)
            }
        };
        // All threads are joined before the first error is returned, so that no bundle is
        // in use any more.
        let ended: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
        let (mut over, mut cpu) = (shared.base, Some(CpuTime::default()));
        for ended in ended {
            let (at, used) = ended.map_err(|_| EngineError::Panicked)??;
            over = over.max(at);
            cpu = cpu.zip(used).map(|(sum, used)| sum + used);
        }
        if let Some(pacer) = pacer {
            pacer.join().map_err(|_| EngineError::Panicked)?;
        }
        let (recorder, begun) = collector.join().map_err(|_| EngineError::Panicked)?;
        let arrivals = self.shape.arrivals(&begun);
        Ok(Measured {
            cpu,
            ..shared.measured(recorder, arrivals, over, counters)
        })
    }

    /// Returns the sending and the receiving ends of the ticket channels of an open loop.
    fn channels(
        &self,
    ) -> (
        Vec<UnboundedSender<Ticket>>,
        Vec<Option<UnboundedReceiver<Ticket>>>,
    ) {
        let one = |_| match self.shape {
            Shape::Closed(_) => (None, None),
            Shape::Open { .. } => {
                let (give, take) = unbounded_channel();
                (Some(give), Some(take))
            }
        };
        let (givers, takers): (Vec<_>, Vec<_>) = (0..self.threads).map(one).unzip();
        (givers.into_iter().flatten().collect(), takers)
    }

    fn prepare<D: Driver>(
        &self,
        address: &D::Address,
        number: usize,
        tape: Tape,
        tickets: Option<UnboundedReceiver<Ticket>>,
    ) -> Result<Prepared<D>, EngineError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(EngineError::Thread)?;
        let drivers = runtime.block_on(async {
            let mut drivers = Vec::new();
            for _ in (number..self.connections).step_by(self.threads) {
                drivers.push(D::connect(address).await?);
            }
            Ok::<_, containerd_sandbox::Error>(drivers)
        })?;
        Ok(Prepared {
            number,
            runtime,
            drivers,
            tape,
            tickets,
        })
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, EngineError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(EngineError::Thread)
}

/// Observer that adds up all intervals that count and passes them on to another observer.
struct Summing<O> {
    whole: Recorder,
    begun: BTreeMap<u64, Duration>,
    observer: O,
}

impl<O: Observer> Listener for Summing<O> {
    fn interval(&mut self, number: u32, part: &Part) {
        self.whole.merge(&part.measured);
        self.begun.extend(part.begun.iter().copied());
        self.observer.interval(number, part);
    }

    fn held(&mut self, pods: u64) {
        self.observer.held(pods);
    }
}

fn collect(collector: Collector, observer: impl Observer) -> (Recorder, BTreeMap<u64, Duration>) {
    let mut summing = Summing {
        whole: Recorder::default(),
        begun: BTreeMap::new(),
        observer,
    };
    collector.run(&mut summing);
    (summing.whole, summing.begun)
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
