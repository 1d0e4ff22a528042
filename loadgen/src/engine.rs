//! Runs the pods: threads, connections, and who does which pod when.
//!
//! A thread has a runtime, connections and a tape of its own, and shares nothing
//! with the others but a few numbers. Its pods take turns on it, so that they
//! record without locks. In a closed loop its workers each begin the next pod of
//! the plan; in an open one a [`crate::pacer`] tells it which pod to begin.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::{JoinSet, LocalSet};

use crate::calls::Calls;
use crate::door::Door;
use crate::error::EngineError;
use crate::lifecycle::{Begun, Intended, PodEnd, Started};
use crate::pacer::{self, Ticket};
use crate::plan::{Plan, Pod, PodLife};
use crate::recorder::Recorder;
use crate::scenario::{Closed, LoadShape, Scenario};
use crate::schedule::Schedule;
use crate::stop::Stop;
use crate::tape::{self, Collector, Counters, HeldBell, INTERVAL, Listener, Part, Tape};

/// From the moment that all threads are there until the first pod is due.
const LEAD: Duration = Duration::from_millis(20);

/// What is put on a door.
#[derive(Debug, Clone)]
pub struct Load {
    /// How long a call may take.
    pub timeout: Duration,
    /// The requests.
    pub plan: Plan,
    /// When which of them come.
    pub shape: Shape,
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
    /// Whether a connection died.
    pub lost: bool,
    /// Whether a closed loop ended because its time was over.
    pub timed_out: bool,
}

/// What threads share.
struct Shared {
    load: Load,
    stop: Stop,
    next: AtomicU64,
    /// When the first pod that counts was begun.
    measured_since: OnceLock<Instant>,
    timed_out: AtomicBool,
    lost: AtomicBool,
    hold: Hold,
    /// When an open loop's first phase begins.
    base: Instant,
}

/// Holds pods until no more are started, and those that come after a stage until
/// somebody has looked at those before it.
struct Hold {
    /// Workers and dispatchers that may still start one.
    starting: AtomicUsize,
    released: watch::Sender<bool>,
    /// Pods that have been started, or have failed to.
    settled: AtomicU64,
    stages: Vec<u64>,
    /// How many stages have been looked at.
    passed: watch::Sender<usize>,
    bell: HeldBell,
}

/// A thread that is about to begin.
struct Prepared<D> {
    number: usize,
    runtime: Runtime,
    doors: Vec<D>,
    tape: Tape,
    tickets: Option<UnboundedReceiver<Ticket>>,
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
            plan: scenario.plan(),
            connections,
            threads: size(scenario.threads).min(connections),
            stages: Vec::new(),
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

    /// Runs through one kind of door until all pods are done, the time is over, a
    /// stop was asked for, or nobody answers.
    ///
    /// # Errors
    /// If a thread cannot start or connect, or when an abort was asked for.
    pub fn run<D: Door>(
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
        let recorder = collector.join().map_err(|_| EngineError::Panicked)?;
        Ok(shared.measured(recorder, over, counters))
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

    fn prepare<D: Door>(
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
        let doors = runtime.block_on(async {
            let mut doors = Vec::new();
            for _ in (number..self.connections).step_by(self.threads) {
                doors.push(D::connect(address).await?);
            }
            Ok::<_, containerd_sandbox::Error>(doors)
        })?;
        Ok(Prepared {
            number,
            runtime,
            doors,
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
    observer: O,
}

impl<O: Observer> Listener for Summing<O> {
    fn interval(&mut self, number: u32, part: &Part) {
        self.whole.merge(&part.measured);
        self.observer.interval(number, part);
    }

    fn held(&mut self, pods: u64) {
        self.observer.held(pods);
    }
}

fn collect(collector: Collector, observer: impl Observer) -> Recorder {
    let mut summing = Summing {
        whole: Recorder::default(),
        observer,
    };
    collector.run(&mut summing);
    summing.whole
}

impl Shared {
    fn new(load: &Load, stop: &Stop, bell: HeldBell) -> Self {
        let starting = match &load.shape {
            Shape::Closed(closed) => size(closed.concurrency),
            Shape::Open { .. } => load.threads,
        };
        Self {
            load: load.clone(),
            stop: stop.clone(),
            next: AtomicU64::new(0),
            measured_since: OnceLock::new(),
            timed_out: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            hold: Hold::new(starting, load.stages.clone(), bell),
            base: Instant::now() + LEAD,
        }
    }

    /// Whether nothing new is to be begun.
    fn over(&self) -> bool {
        self.stop.requested() || self.lost.load(Ordering::Relaxed)
    }

    /// The next pod of a closed loop, and whether it counts.
    fn next(&self, closed: &Closed) -> Option<(u64, bool)> {
        if self.stop.requested() || self.timed_out.load(Ordering::Relaxed) {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.load.pods() {
            return None;
        }
        let counts = index >= closed.warm_up_pods;
        if counts {
            let since = self.measured_since.get_or_init(Instant::now);
            if closed
                .duration
                .is_some_and(|limit| since.elapsed() >= limit)
            {
                self.timed_out.store(true, Ordering::Relaxed);
                return None;
            }
        }
        Some((index, counts))
    }

    fn measured(&self, recorder: Recorder, over: Instant, counters: &[Arc<Counters>]) -> Measured {
        let since = match &self.load.shape {
            Shape::Closed(_) => self.measured_since.get().copied(),
            Shape::Open { schedule, .. } => {
                let first = schedule.phases().iter().position(|phase| phase.measured);
                first.map(|first| self.base + schedule.start_of(first))
            }
        };
        let since = since.unwrap_or(over);
        let pods = counters.iter().map(|one| one.pods.load(Ordering::Relaxed));
        let most = counters.iter().map(|one| one.most.load(Ordering::Relaxed));
        Measured {
            recorder,
            wall: over.saturating_duration_since(since),
            warm_up: since.saturating_duration_since(self.base),
            pods: pods.sum(),
            most_in_flight: most.sum(),
            lost: self.lost.load(Ordering::Relaxed),
            timed_out: self.timed_out.load(Ordering::Relaxed),
        }
    }
}

impl Hold {
    fn new(starting: usize, stages: Vec<u64>, bell: HeldBell) -> Self {
        Self {
            starting: AtomicUsize::new(starting),
            released: watch::Sender::new(false),
            settled: AtomicU64::new(0),
            stages,
            passed: watch::Sender::new(0),
            bell,
        }
    }

    /// One of those who start pods will start no more, and those it started run.
    fn one_less(&self) {
        if self.starting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.released.send_replace(true);
        }
    }

    async fn released(&self) {
        // It cannot fail: `self` keeps the sender alive.
        let _ = self
            .released
            .subscribe()
            .wait_for(|released| *released)
            .await;
    }

    /// Returns once the pod at `index` may be started.
    async fn may_start(&self, index: u64) {
        let before = self.stages.iter().filter(|stage| **stage <= index).count();
        let _ = self
            .passed
            .subscribe()
            .wait_for(|passed| *passed >= before)
            .await;
    }

    /// One more pod has been started, or has failed to.
    async fn settled(&self) {
        let settled = self.settled.fetch_add(1, Ordering::AcqRel) + 1;
        if self.stages.contains(&settled) {
            self.bell.ring(settled).await;
            self.passed
                .send_modify(|passed| *passed = passed.saturating_add(1));
        }
    }

    /// Nobody has to wait any more.
    fn give_up(&self) {
        self.passed.send_replace(usize::MAX);
    }
}

/// What the pods of one thread have in common.
#[derive(Clone)]
struct Local {
    shared: Arc<Shared>,
    tape: Rc<RefCell<Tape>>,
    /// How many of them may be under way, or be stopped after a hold, at once.
    permits: Rc<Semaphore>,
}

impl<D: Door> Prepared<D> {
    /// When it had nothing left to do.
    fn run(self, shared: &Arc<Shared>) -> Result<Instant, EngineError> {
        let tape = Rc::new(RefCell::new(self.tape));
        let permits = match &shared.load.shape {
            Shape::Closed(closed) => size(closed.concurrency),
            Shape::Open { max_in_flight, .. } => *max_in_flight,
        };
        let local = Local {
            shared: Arc::clone(shared),
            tape: Rc::clone(&tape),
            permits: Rc::new(Semaphore::new(permits.div_ceil(shared.load.threads))),
        };
        LocalSet::new().block_on(&self.runtime, async {
            let ticking = tokio::task::spawn_local(tick(Rc::clone(&tape), shared.base));
            let loads = async {
                match (&shared.load.shape, self.tickets) {
                    (Shape::Closed(closed), _) => {
                        closed_loop(&local, closed, self.number, self.doors).await
                    }
                    (Shape::Open { schedule, .. }, Some(tickets)) => {
                        open_loop(&local, tickets, self.doors, schedule).await
                    }
                    (Shape::Open { .. }, None) => Ok(()),
                }
            };
            let ended = tokio::select! {
                ended = loads => ended,
                // Dropping the pods drops their calls.
                () = shared.stop.abort() => Err(EngineError::Aborted),
            };
            ticking.abort();
            // Its end, so that it lets go of the tape.
            let _ = ticking.await;
            ended
        })?;
        let over = Instant::now();
        drop(local);
        let tape = Rc::into_inner(tape).ok_or(EngineError::Panicked)?;
        tape.into_inner().end();
        Ok(over)
    }
}

/// Turns the tape over at the end of each interval.
async fn tick(tape: Rc<RefCell<Tape>>, base: Instant) {
    let mut ticks = tokio::time::interval_at((base + INTERVAL).into(), INTERVAL);
    loop {
        ticks.tick().await;
        tape.borrow_mut().next_interval();
    }
}

async fn closed_loop<D: Door>(
    local: &Local,
    closed: &Closed,
    number: usize,
    doors: Vec<D>,
) -> Result<(), EngineError> {
    let mut workers = JoinSet::new();
    let mine = (number..size(closed.concurrency)).step_by(local.shared.load.threads);
    for (_, door) in mine.zip(doors.iter().cycle()) {
        workers.spawn_local(work(local.clone(), closed.clone(), door.clone()));
    }
    all(&mut workers).await
}

async fn all(tasks: &mut JoinSet<()>) -> Result<(), EngineError> {
    while let Some(task) = tasks.join_next().await {
        task.map_err(|_| EngineError::Panicked)?;
    }
    Ok(())
}

/// One worker of a closed loop.
async fn work<D: Door>(local: Local, closed: Closed, door: D) {
    let mut held = JoinSet::new();
    while let Some((index, counts)) = local.shared.next(&closed) {
        let pod = local.shared.load.plan.pod(index);
        if pod.life == PodLife::Held {
            let (stop, hold) = (&local.shared.stop, &local.shared.hold);
            tokio::select! {
                () = hold.may_start(index) => {}
                () = stop.request_made() => break,
            }
            let starting = Starting::default();
            let (local, door, started) = (local.clone(), door.clone(), starting.one_more());
            held.spawn_local(async move { local.pod(&door, &pod, None, counts, started).await });
            starting.none().await;
            hold.settled().await;
        } else {
            let started = Starting::default().one_more();
            local.pod(&door, &pod, None, counts, started).await;
        }
        if local.shared.lost.load(Ordering::Relaxed) {
            // The others on this connection find out with their own next call.
            break;
        }
    }
    local.shared.hold.one_less();
    while held.join_next().await.is_some() {}
}

/// The pods of an open loop that one thread is given.
async fn open_loop<D: Door>(
    local: &Local,
    mut tickets: UnboundedReceiver<Ticket>,
    doors: Vec<D>,
    schedule: &Schedule,
) -> Result<(), EngineError> {
    let starting = Starting::default();
    let mut pods = JoinSet::new();
    let mut doors = doors.iter().cycle();
    while let (Some(ticket), Some(door)) = (tickets.recv().await, doors.next()) {
        if local.shared.over() {
            break;
        }
        let counts = schedule.phases()[ticket.phase].measured;
        let late = ticket.due.elapsed();
        local.tape.borrow_mut().part(counts).lag(late);
        let (local, door, started) = (local.clone(), door.clone(), starting.one_more());
        pods.spawn_local(async move { local.due(&door, ticket, counts, started).await });
        while let Some(ended) = pods.try_join_next() {
            ended.map_err(|_| EngineError::Panicked)?;
        }
    }
    starting.none().await;
    local.shared.hold.one_less();
    all(&mut pods).await
}

impl Local {
    /// A pod of an open loop that is due; it begins once it may.
    async fn due<D: Door>(&self, door: &D, ticket: Ticket, counts: bool, started: StartGuard) {
        // It is never closed.
        let permit = self.permits.acquire().await;
        if self.shared.over() {
            return;
        }
        let pod = self.shared.load.plan.pod(ticket.index);
        let held = pod.life == PodLife::Held;
        let intended = Some(Intended {
            at: ticket.due,
            phase: ticket.phase,
        });
        // One that is held must not keep others from being started.
        let (until_started, until_ended) = if held {
            (Some(permit), None)
        } else {
            (None, Some(permit))
        };
        let started = (started, until_started);
        self.pod(door, &pod, intended, counts, started).await;
        drop(until_ended);
    }

    /// One pod; `started` is dropped when it runs, or has failed to.
    async fn pod<D: Door, S>(
        &self,
        door: &D,
        pod: &Pod,
        intended: Option<Intended>,
        counts: bool,
        started: S,
    ) {
        let calls = Calls {
            tape: &self.tape,
            counts,
            timeout: self.shared.load.timeout,
        };
        let begun = Begun::new(door, pod, intended, calls);
        self.note_begun(intended, begun.at());
        let running = begun.start().await;
        drop(started);
        let end = match running {
            Ok(running) => self.live(pod, running).await,
            Err(end) => end,
        };
        if end == PodEnd::Lost {
            self.shared.lost.store(true, Ordering::Relaxed);
            self.shared.hold.give_up();
        }
    }

    /// The life of a pod that runs, and its end.
    async fn live<D: Door>(&self, pod: &Pod, running: Started<'_, D>) -> PodEnd {
        match pod.life {
            PodLife::For(stay) => {
                if !stay.is_zero() {
                    tokio::select! {
                        () = tokio::time::sleep(stay) => {}
                        () = self.shared.stop.request_made() => {}
                    }
                }
                running.stop().await
            }
            PodLife::Held => {
                self.shared.hold.released().await;
                // It is never closed.
                let _permit = self.permits.acquire().await;
                running.stop().await
            }
            PodLife::CrashLoop { restarts, .. } => match running.crash_loop(restarts).await {
                Ok(running) => running.stop().await,
                Err(end) => end,
            },
        }
    }

    fn note_begun(&self, intended: Option<Intended>, begun: Instant) {
        let (Some(intended), Shape::Open { schedule, .. }) = (intended, &self.shared.load.shape)
        else {
            return;
        };
        if begun <= self.shared.base + schedule.end_of(intended.phase) {
            // Of every phase, whether it counts or not.
            let mut tape = self.tape.borrow_mut();
            tape.part(true).phase(intended.phase).started += 1;
        }
    }
}

/// How many pods are being started.
#[derive(Clone, Default)]
struct Starting(Rc<(Cell<usize>, Notify)>);

/// One that is; dropped when it has been.
struct StartGuard(Starting);

impl Starting {
    fn one_more(&self) -> StartGuard {
        let count = &self.0.0;
        count.set(count.get() + 1);
        StartGuard(self.clone())
    }

    /// Returns when there is none.
    async fn none(&self) {
        let (count, changed) = &*self.0;
        while count.get() > 0 {
            changed.notified().await;
        }
    }
}

impl Drop for StartGuard {
    fn drop(&mut self) {
        let (count, changed) = &*self.0.0;
        count.set(count.get() - 1);
        // Kept for one who is not waiting yet.
        changed.notify_one();
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
