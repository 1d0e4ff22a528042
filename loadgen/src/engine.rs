//! Runs the pods: threads, connections, and who does which pod.
//!
//! A thread has a runtime, connections and a recorder of its own, and shares
//! nothing with the others but the number of the next pod. Its workers, each
//! busy with one pod at a time, take turns on it, so that they record without
//! locks, and into one set of histograms that stays in the processor's cache.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::{JoinSet, LocalSet};

use crate::calls::Calls;
use crate::door::Door;
use crate::error::EngineError;
use crate::lifecycle::{self, PodEnd};
use crate::plan::Plan;
use crate::recorder::{Counters, Recorder};
use crate::stop::Stop;

/// A closed loop: each worker starts its next pod when its last one has ended.
#[derive(Debug, Clone)]
pub struct Load {
    /// How long a call may take.
    pub timeout: Duration,
    /// The requests.
    pub plan: Plan,
    /// How many pods of the plan.
    pub pods: u64,
    /// How many pods are under way at once.
    pub concurrency: usize,
    /// How many connections the workers share; at most `concurrency`.
    pub connections: usize,
    /// How many threads the workers share; at most `connections`.
    pub threads: usize,
}

/// What a run measured.
#[derive(Debug)]
pub struct Measured {
    /// All threads' measurements.
    pub recorder: Recorder,
    /// From the first request to the last reply.
    pub wall: Duration,
    /// Pods that were begun and came to their end.
    pub pods: u64,
    /// Whether a connection died.
    pub lost: bool,
}

/// What threads share.
struct Shared {
    load: Load,
    stop: Stop,
    next: AtomicU64,
    lost: AtomicBool,
}

/// A thread that is about to begin.
struct Prepared<D> {
    runtime: Runtime,
    doors: Vec<D>,
}

/// A thread that has ended.
struct Ended {
    recorder: Recorder,
    over: Instant,
}

impl Load {
    /// One set of counters per thread, for [`Load::run`] and a reporter.
    pub fn counters(&self) -> Vec<Arc<Counters>> {
        (0..self.threads).map(|_| Arc::default()).collect()
    }

    /// Runs through one kind of door until all pods are done, a stop was asked
    /// for, or nobody answers.
    ///
    /// # Errors
    /// If a thread cannot start or connect, or when an abort was asked for.
    pub fn run<D: Door>(
        &self,
        address: &D::Address,
        stop: &Stop,
        counters: &[Arc<Counters>],
    ) -> Result<Measured, EngineError> {
        // All connected before anybody begins.
        let prepared = (0..self.threads)
            .map(|number| self.prepare::<D>(address, number))
            .collect::<Result<Vec<_>, _>>()?;
        let shared = Arc::new(Shared {
            load: self.clone(),
            stop: stop.clone(),
            next: AtomicU64::new(0),
            lost: AtomicBool::new(false),
        });
        let begun = Instant::now();
        let mut threads = Vec::with_capacity(self.threads);
        for (number, (prepared, counters)) in prepared.into_iter().zip(counters).enumerate() {
            let (shared, counters) = (Arc::clone(&shared), Arc::clone(counters));
            let thread = std::thread::Builder::new()
                .name(format!("load-{number}"))
                .spawn(move || prepared.run(&shared, number, counters))
                .map_err(EngineError::Thread)?;
            threads.push(thread);
        }
        let mut recorder = Recorder::new(Arc::default());
        let mut wall = Duration::ZERO;
        // All have ended before one of them is heard, so that nobody uses a bundle any more.
        let ended: Vec<_> = threads.into_iter().map(JoinHandle::join).collect();
        for ended in ended {
            let ended = ended.map_err(|_| EngineError::Panicked)??;
            recorder.merge(ended.recorder);
            wall = wall.max(ended.over - begun);
        }
        let pods = counters.iter().map(|one| one.pods.load(Ordering::Relaxed));
        Ok(Measured {
            recorder,
            wall,
            pods: pods.sum(),
            lost: shared.lost.load(Ordering::Relaxed),
        })
    }

    fn prepare<D: Door>(
        &self,
        address: &D::Address,
        number: usize,
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
        Ok(Prepared { runtime, doors })
    }
}

impl<D: Door> Prepared<D> {
    fn run(
        self,
        shared: &Arc<Shared>,
        number: usize,
        counters: Arc<Counters>,
    ) -> Result<Ended, EngineError> {
        let recorder = Rc::new(RefCell::new(Recorder::new(counters)));
        LocalSet::new().block_on(&self.runtime, async {
            let mut workers = JoinSet::new();
            let mine = (number..shared.load.concurrency).step_by(shared.load.threads);
            for (_, door) in mine.zip(self.doors.iter().cycle()) {
                let (shared, door) = (Arc::clone(shared), door.clone());
                workers.spawn_local(work(shared, door, Rc::clone(&recorder)));
            }
            tokio::select! {
                ended = all(&mut workers) => ended,
                // Dropping the workers drops their calls.
                () = shared.stop.abort() => Err(EngineError::Aborted),
            }
        })?;
        let over = Instant::now();
        let recorder = Rc::into_inner(recorder).ok_or(EngineError::Panicked)?;
        Ok(Ended {
            recorder: recorder.into_inner(),
            over,
        })
    }
}

async fn all(workers: &mut JoinSet<()>) -> Result<(), EngineError> {
    while let Some(worker) = workers.join_next().await {
        worker.map_err(|_| EngineError::Panicked)?;
    }
    Ok(())
}

async fn work<D: Door>(shared: Arc<Shared>, door: D, recorder: Rc<RefCell<Recorder>>) {
    let calls = Calls {
        recorder: &recorder,
        timeout: shared.load.timeout,
    };
    while !shared.stop.requested() {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        if index >= shared.load.pods {
            break;
        }
        let pod = shared.load.plan.pod(index);
        if lifecycle::run(&door, &pod, calls).await == PodEnd::Lost {
            // The others on this connection find out with their own next call.
            shared.lost.store(true, Ordering::Relaxed);
            break;
        }
    }
}
