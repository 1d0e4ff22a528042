//! A load thread. Its pods run concurrently on one thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinSet, LocalSet};

use super::EngineError;
use super::cpu::CpuTime;
use super::hold::{StartGuard, Starting};
use super::shared::Shared;
use super::{Shape, size};
use crate::drive::calls::Calls;
use crate::drive::driver::Driver;
use crate::drive::lifecycle::{Begun, Intended, PodEnd, Started};
use crate::drive::pacer::Ticket;
use crate::record::tape::{INTERVAL, Tape};
use crate::workload::plan::{Pod, PodLifecycle};
use crate::workload::scenario::Closed;
use crate::workload::schedule::Schedule;

/// A load thread that is ready to begin.
pub(super) struct Prepared<D> {
    pub(super) number: usize,
    pub(super) runtime: Runtime,
    pub(super) drivers: Vec<D>,
    pub(super) tape: Tape,
    pub(super) tickets: Option<UnboundedReceiver<Ticket>>,
}

/// State that the pods of one thread share.
#[derive(Clone)]
struct Local {
    shared: Arc<Shared>,
    tape: Rc<RefCell<Tape>>,
    /// Permits for pods in progress, or for pods that are stopped at the same time after
    /// a hold.
    permits: Rc<Semaphore>,
}

impl<D: Driver> Prepared<D> {
    /// Runs the thread's share of the load. Returns the time at which its last pod ended, and
    /// the CPU time of the thread.
    pub(super) fn run(
        self,
        shared: &Arc<Shared>,
    ) -> Result<(Instant, Option<CpuTime>), EngineError> {
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
                        closed_loop(&local, closed, self.number, self.drivers).await
                    }
                    (Shape::Open { schedule, .. }, Some(tickets)) => {
                        open_loop(&local, tickets, self.drivers, schedule).await
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
            // Waits until the task has ended and released its reference to the tape.
            let _ = ticking.await;
            ended
        })?;
        let over = Instant::now();
        drop(local);
        let tape = Rc::into_inner(tape).ok_or(EngineError::Panicked)?;
        tape.into_inner().end();
        Ok((over, CpuTime::of_this_thread()))
    }
}

/// Ends the tape's interval at regular times.
async fn tick(tape: Rc<RefCell<Tape>>, base: Instant) {
    let mut ticks = tokio::time::interval_at((base + INTERVAL).into(), INTERVAL);
    loop {
        ticks.tick().await;
        tape.borrow_mut().next_interval();
    }
}

async fn closed_loop<D: Driver>(
    local: &Local,
    closed: &Closed,
    number: usize,
    drivers: Vec<D>,
) -> Result<(), EngineError> {
    let mut workers = JoinSet::new();
    let mine = (number..size(closed.concurrency)).step_by(local.shared.load.threads);
    for (_, driver) in mine.zip(drivers.iter().cycle()) {
        workers.spawn_local(work(local.clone(), closed.clone(), driver.clone()));
    }
    all(&mut workers).await
}

async fn all(tasks: &mut JoinSet<()>) -> Result<(), EngineError> {
    while let Some(task) = tasks.join_next().await {
        task.map_err(|_| EngineError::Panicked)?;
    }
    Ok(())
}

/// Runs one worker of a closed loop.
async fn work<D: Driver>(local: Local, closed: Closed, driver: D) {
    let mut held = JoinSet::new();
    while let Some((index, counts)) = local.shared.next(&closed) {
        if let Some(turns) = &local.shared.load.turns {
            tokio::select! {
                () = turns.may_begin(index) => {}
                () = local.shared.stop.request_made() => break,
            }
        }
        let pod = local.shared.load.plan.pod(index);
        if pod.lifecycle.is_held() {
            let (stop, hold) = (&local.shared.stop, &local.shared.hold);
            tokio::select! {
                () = hold.may_start(index) => {}
                () = stop.request_made() => break,
            }
            let starting = Starting::default();
            let (local, driver, started) = (local.clone(), driver.clone(), starting.one_more());
            held.spawn_local(async move { local.pod(&driver, &pod, None, counts, started).await });
            starting.none().await;
            hold.settled().await;
        } else {
            let started = Starting::default().one_more();
            local.pod(&driver, &pod, None, counts, started).await;
        }
        if let Some(turns) = &local.shared.load.turns {
            turns.one_ended();
        }
        if local.shared.lost.load(Ordering::Relaxed) {
            // The other workers on this connection notice the loss in their own next
            // call.
            break;
        }
    }
    local.shared.hold.one_less();
    while held.join_next().await.is_some() {}
}

/// Runs the pods of an open loop that one thread receives.
async fn open_loop<D: Driver>(
    local: &Local,
    mut tickets: UnboundedReceiver<Ticket>,
    drivers: Vec<D>,
    schedule: &Schedule,
) -> Result<(), EngineError> {
    let starting = Starting::default();
    let mut pods = JoinSet::new();
    let mut drivers = drivers.iter().cycle();
    while let (Some(ticket), Some(driver)) = (tickets.recv().await, drivers.next()) {
        if local.shared.over() {
            break;
        }
        let counts = schedule.phases()[ticket.phase].measured;
        let (local, driver, started) = (local.clone(), driver.clone(), starting.one_more());
        pods.spawn_local(async move { local.due(&driver, ticket, counts, started).await });
        while let Some(ended) = pods.try_join_next() {
            ended.map_err(|_| EngineError::Panicked)?;
        }
    }
    starting.none().await;
    local.shared.hold.one_less();
    all(&mut pods).await
}

impl Local {
    /// Runs a pod of an open loop that is due. It begins when a permit is free.
    async fn due<D: Driver>(&self, driver: &D, ticket: Ticket, counts: bool, started: StartGuard) {
        let lag = ticket.due.elapsed();
        self.tape.borrow_mut().part(counts).lag(lag);
        // The semaphore is never closed.
        let permit = self.permits.acquire().await;
        if self.shared.over() {
            return;
        }
        let pod = self.shared.load.plan.pod(ticket.index);
        let held = pod.lifecycle.is_held();
        let intended = Some(Intended {
            at: ticket.due,
            phase: ticket.phase,
            lag,
        });
        // A held pod keeps its permit only until it is started, so that further pods can
        // start.
        let (until_started, until_ended) = if held {
            (Some(permit), None)
        } else {
            (None, Some(permit))
        };
        let started = (started, until_started);
        self.pod(driver, &pod, intended, counts, started).await;
        drop(until_ended);
    }

    /// Runs one pod. `started` is dropped when the pod runs or has failed to start.
    async fn pod<D: Driver, S>(
        &self,
        driver: &D,
        pod: &Pod,
        intended: Option<Intended>,
        counts: bool,
        started: S,
    ) {
        let queue = Cell::default();
        let spans = self.shared.load.spans.as_ref().filter(|_| counts);
        let trace = spans.map(|spans| spans.pod(pod.index));
        let calls = Calls {
            trace: trace.as_ref(),
            queue: &queue,
            tape: &self.tape,
            counts,
            timeout: self.shared.load.timeout,
        };
        let begun = Begun::new(driver, pod, intended, calls);
        self.note_begun(pod, intended, begun.at());
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

    /// Keeps a started pod running according to its lifecycle, then stops it.
    async fn live<D: Driver>(&self, pod: &Pod, running: Started<'_, D>) -> PodEnd {
        match pod.lifecycle {
            PodLifecycle::For(stay) => {
                let stay = stay.div_f64(self.shared.load.speed);
                if !stay.is_zero() {
                    tokio::select! {
                        () = tokio::time::sleep(stay) => {}
                        () = self.shared.stop.request_made() => {}
                    }
                }
                running.stop().await
            }
            PodLifecycle::Held => {
                self.shared.hold.released().await;
                // The semaphore is never closed.
                let _permit = self.permits.acquire().await;
                running.stop().await
            }
            PodLifecycle::RestartAlways { hold } => {
                let hold = hold.div_f64(self.shared.load.speed);
                let over = async || {
                    let held = async {
                        let since = self.shared.hold.released().await;
                        tokio::time::sleep_until((since + hold).into()).await;
                    };
                    tokio::select! {
                        () = held => {}
                        () = self.shared.stop.request_made() => {}
                    }
                };
                match running.keep(over).await {
                    Ok(running) => {
                        // The semaphore is never closed.
                        let _permit = self.permits.acquire().await;
                        running.stop().await
                    }
                    Err(end) => end,
                }
            }
            PodLifecycle::CrashLoop { restarts, .. } => match running.crash_loop(restarts).await {
                Ok(running) => running.stop().await,
                Err(end) => end,
            },
        }
    }

    fn note_begun(&self, pod: &Pod, intended: Option<Intended>, begun: Instant) {
        let base = self.shared.base;
        let mut tape = self.tape.borrow_mut();
        tape.pod_begun(pod.index, begun.saturating_duration_since(base));
        if let (Some(intended), Shape::Open { schedule, .. }) = (intended, &self.shared.load.shape)
            && begun <= base + schedule.end_of(intended.phase)
        {
            // Starts count in every phase, also in those that are not measured.
            tape.part(true).phase(intended.phase).started += 1;
        }
    }
}
