//! Runs the pods: threads, connections, and who does which pod when.
//!
//! A thread has a runtime, connections and a tape of its own, and shares nothing
//! with the others but a few numbers. Its pods take turns on it, so that they
//! record without locks. In a closed loop its workers each begin the next pod of
//! the plan; in an open one a [`crate::drive::pacer`] tells it which pod to begin.

mod error;
mod hold;
mod shared;
mod work;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub use self::error::EngineError;

use self::shared::Shared;
use self::work::Prepared;
use crate::drive::driver::Driver;
use crate::drive::pacer::{self, Ticket};
use crate::record::recorder::Recorder;
use crate::record::tape::{self, Collector, Counters, Listener, Part, Tape};
use crate::stop::Stop;
use crate::workload::plan::Plan;
use crate::workload::scenario::{Closed, LoadShape, Scenario};
use crate::workload::schedule::Schedule;

/// From the moment that all threads are there until the first pod is due.
const LEAD: Duration = Duration::from_millis(20);

/// What is put on a driver.
#[derive(Debug, Clone)]
pub struct Load {
    /// How long a call may take.
    pub timeout: Duration,
    /// The requests.
    pub plan: Plan,
    /// When which of them come.
    pub shape: Shape,
    /// So many times shorter than in the plan is the time that pods stay.
    pub speed: f64,
    /// How many connections the pods share.
    pub connections: usize,
    /// How many threads drive them; at most `connections`.
    pub threads: usize,
    /// With pods that are held: whenever so many have been started, the observer is
    /// told, and no more are started until it has seen to it.
    pub stages: Vec<u64>,
}

/// When pods come.
#[derive(Debug, Clone)]
pub enum Shape {
    /// When others have ended.
    Closed(Closed),
    /// When they are due.
    Open {
        /// When that is.
        schedule: Arc<Schedule>,
        /// The most that are under way at once; the others wait.
        max_in_flight: usize,
    },
}

/// Who is told how a run goes on, on a thread that makes no calls.
pub trait Observer: Listener + Send + 'static {}

impl<L: Listener + Send + 'static> Observer for L {}

/// Nobody.
impl Listener for () {
    fn interval(&mut self, _number: u32, _part: &Part) {}
}

/// What a run measured.
#[derive(Debug)]
pub struct Measured {
    /// All threads' measurements, the warm-up's successes left out.
    pub recorder: Recorder,
    /// From the first request that counts to the last reply.
    pub wall: Duration,
    /// How long the warm-up before it was.
    pub warm_up: Duration,
    /// Pods that were begun and came to their end, those of the warm-up included.
    pub pods: u64,
    /// The most that were under way at once; with several threads, the sum of
    /// the most of each.
    pub most_in_flight: u64,
    /// When pods were begun, or meant to be in an open loop, from the beginning of
    /// the load, by index.
    pub arrivals: Vec<Duration>,
    /// When all pods were there that containers end and start again in, from the
    /// beginning of the load; nothing without such pods.
    pub held: Option<Range<Duration>>,
    /// Whether a connection died.
    pub lost: bool,
    /// Whether a closed loop ended because its time was over.
    pub timed_out: bool,
}

impl Shape {
    /// That of a scenario.
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

    /// How many pods there are, those of a warm-up included.
    pub fn pods(&self) -> u64 {
        match self {
            Self::Closed(closed) => closed.warm_up_pods.saturating_add(closed.pods),
            Self::Open { schedule, .. } => schedule.pods(),
        }
    }

    /// When pods came: those of a closed loop when they were begun.
    fn arrivals(&self, begun: &BTreeMap<u64, Duration>) -> Vec<Duration> {
        match self {
            // One that was not begun ends what can be told.
            Self::Closed(_) => (0..)
                .map_while(|index| begun.get(&index).copied())
                .collect(),
            Self::Open { schedule, .. } => {
                let arrivals = schedule.arrivals().iter().take(begun.len());
                arrivals.map(|arrival| arrival.at).collect()
            }
        }
    }

    /// The most pods that can be under way at once.
    fn most_in_flight(&self) -> u64 {
        match self {
            Self::Closed(closed) => u64::from(closed.concurrency).min(self.pods()),
            Self::Open { max_in_flight, .. } => (*max_in_flight as u64).min(self.pods()),
        }
    }
}

impl Load {
    /// That of a scenario. No more connections and threads than can be used.
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
            speed: 1.0,
            shape,
        }
    }

    /// One set of counters per thread, for [`Load::run`] and a reporter.
    pub fn counters(&self) -> Vec<Arc<Counters>> {
        (0..self.threads).map(|_| Arc::default()).collect()
    }

    /// How many pods there are, those of the warm-up included.
    pub fn pods(&self) -> u64 {
        self.shape.pods()
    }

    /// Runs through one kind of driver until all pods are done, the time is over, a
    /// stop was asked for, or nobody answers.
    ///
    /// # Errors
    /// If a thread cannot start or connect, or when an abort was asked for.
    pub fn run<D: Driver>(
        &self,
        address: &D::Address,
        stop: &Stop,
        counters: &[Arc<Counters>],
        observer: impl Observer,
    ) -> Result<Measured, EngineError> {
        let (tapes, collector) = tape::tapes(counters);
        let (givers, tickets) = self.channels();
        // All connected before anybody begins.
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
        // All have ended before one of them is heard, so that nobody uses a bundle any more.
        let ended: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
        let mut over = shared.base;
        for ended in ended {
            over = over.max(ended.map_err(|_| EngineError::Panicked)??);
        }
        if let Some(pacer) = pacer {
            pacer.join().map_err(|_| EngineError::Panicked)?;
        }
        let (recorder, begun) = collector.join().map_err(|_| EngineError::Panicked)?;
        let arrivals = self.shape.arrivals(&begun);
        Ok(shared.measured(recorder, arrivals, over, counters))
    }

    /// How tickets reach the threads of an open loop.
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

/// The sum of all intervals that counts, on their way to an observer.
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
