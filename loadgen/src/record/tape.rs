//! Collects the measurements of the load threads, second by second.
//!
//! Each second a thread hands over its measurements and continues with an empty set. A
//! collector merges and clears the sets on a thread of its own, so the threads that make
//! calls never wait for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;

/// Length of the intervals of a run.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// Counters that a reporter may read during the load.
#[derive(Debug, Default)]
pub struct Counters {
    /// Number of pods that were begun.
    pub begun: AtomicU64,
    /// Number of pods that have ended, with success or without.
    pub pods: AtomicU64,
    /// Number of successful RPCs.
    pub rpcs: AtomicU64,
    /// Number of failed calls.
    pub errors: AtomicU64,
    /// Number of requests without a reply that no error tells of, as their pods failed before.
    pub abandoned: AtomicU64,
    /// Maximum number of pods in progress at the same time.
    pub most: AtomicU64,
}

impl Counters {
    /// Returns the number of pods in progress.
    pub fn in_flight(&self) -> u64 {
        // The ended pods are read first: a pod that begins between both reads must not
        // make the difference negative.
        let ended = self.pods.load(Ordering::Acquire);
        self.begun.load(Ordering::Acquire).saturating_sub(ended)
    }
}

/// Measurements, with those of the warm-up kept apart.
#[derive(Debug, Default)]
pub struct Part {
    /// Measurements that count. Failures always do.
    pub measured: Recorder,
    /// Successful calls of the warm-up.
    pub warm_up: Recorder,
    /// Index in the plan of each begun pod, with its start as a time from the beginning
    /// of the load.
    pub begun: Vec<(u64, Duration)>,
}

/// Measurements of one thread in the current interval.
#[derive(Debug)]
pub struct Tape {
    thread: usize,
    present: Part,
    counters: Arc<Counters>,
    collector: Sender<Message>,
    emptied: Receiver<Part>,
}

/// Measurements of one thread in a completed interval.
#[derive(Debug)]
struct Slice {
    thread: usize,
    part: Part,
    last: bool,
}

/// Message to a collector.
#[derive(Debug)]
enum Message {
    Slice(Box<Slice>),
    /// This number of pods is held. The sender continues when the channel end is dropped.
    Held(u64, oneshot::Sender<()>),
}

/// Sends a collector the notice that pods are held.
#[derive(Debug, Clone)]
pub struct HeldBell(Sender<Message>);

impl HeldBell {
    /// Reports the number of held pods; returns when the collector has handled it.
    pub async fn ring(&self, pods: u64) {
        let (done, seen) = oneshot::channel();
        if self.0.send(Message::Held(pods, done)).is_ok() {
            // The collector drops the sending end instead of sending a reply.
            let _ = seen.await;
        }
    }
}

/// Receiver of the collected measurements.
pub trait Listener {
    /// Handles an interval that all threads have delivered; `number` counts from 0.
    fn interval(&mut self, number: u32, part: &Part);

    /// Handles the notice that this number of pods is held. No more pods are started
    /// until this returns.
    fn held(&mut self, _pods: u64) {}
}

/// Two listeners, called one after the other.
impl<A: Listener, B: Listener> Listener for (A, B) {
    fn interval(&mut self, number: u32, part: &Part) {
        self.0.interval(number, part);
        self.1.interval(number, part);
    }

    fn held(&mut self, pods: u64) {
        self.0.held(pods);
        self.1.held(pods);
    }
}

/// Merges the measurements of the threads.
#[derive(Debug)]
pub struct Collector {
    messages: Receiver<Message>,
    bell: HeldBell,
    threads: Vec<Thread>,
    pending: BTreeMap<u32, Part>,
}

#[derive(Debug)]
struct Thread {
    /// Number of intervals that the thread has delivered.
    delivered: u32,
    ended: bool,
    emptied: Sender<Part>,
}

/// Creates a tape for each thread, and the collector of their measurements.
pub fn tapes(counters: &[Arc<Counters>]) -> (Vec<Tape>, Collector) {
    let (collector, messages) = mpsc::channel();
    let (mut tapes, mut threads) = (Vec::new(), Vec::new());
    for (thread, counters) in counters.iter().enumerate() {
        let (empty, emptied) = mpsc::channel();
        tapes.push(Tape {
            thread,
            present: Part::default(),
            counters: Arc::clone(counters),
            collector: collector.clone(),
            emptied,
        });
        // One set is in use while the other one is cleared.
        let _ = empty.send(Part::default());
        threads.push(Thread {
            delivered: 0,
            ended: false,
            emptied: empty,
        });
    }
    let collector = Collector {
        messages,
        bell: HeldBell(collector),
        threads,
        pending: BTreeMap::new(),
    };
    (tapes, collector)
}

impl Tape {
    /// Returns the counters of the thread.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Notes that the pod at `index` was begun, at a time since the beginning of the
    /// load.
    pub fn pod_begun(&mut self, index: u64, at: Duration) {
        self.present.begun.push((index, at));
        self.counters.begun.fetch_add(1, Ordering::Release);
        let now = self.counters.in_flight();
        self.counters.most.fetch_max(now, Ordering::Relaxed);
    }

    /// Notes that a pod has ended, with success or without.
    pub fn pod_ended(&mut self) {
        self.counters.pods.fetch_add(1, Ordering::Release);
    }

    /// Records a successful operation.
    pub fn success(&mut self, counts: bool, operation: Operation, took: Duration) {
        self.part(counts).success(operation, took);
        if operation.is_rpc() {
            self.counters.rpcs.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records a failure. Failures count in a warm-up, too.
    pub fn failure(&mut self, failure: &Failure) {
        self.counters.errors.fetch_add(1, Ordering::Relaxed);
        self.present.measured.failure(failure);
    }

    /// Returns the recorder for other measurements, of the warm-up unless `counts` is
    /// set.
    pub fn part(&mut self, counts: bool) -> &mut Recorder {
        if counts {
            &mut self.present.measured
        } else {
            &mut self.present.warm_up
        }
    }

    /// Hands over the measurements since the last call.
    pub fn next_interval(&mut self) {
        let empty = self.emptied.try_recv().unwrap_or_default();
        let part = std::mem::replace(&mut self.present, empty);
        self.deliver(part, false);
    }

    /// Hands over the remaining measurements.
    pub fn end(mut self) {
        let part = std::mem::take(&mut self.present);
        self.deliver(part, true);
    }

    fn deliver(&self, part: Part, last: bool) {
        let thread = self.thread;
        // The send fails only without a collector, and then the measurements have no
        // reader.
        let slice = Slice { thread, part, last };
        let _ = self.collector.send(Message::Slice(Box::new(slice)));
    }
}

impl Part {
    /// Adds the measurements of another part.
    pub fn merge(&mut self, other: &Self) {
        self.measured.merge(&other.measured);
        self.warm_up.merge(&other.warm_up);
        self.begun.extend_from_slice(&other.begun);
    }

    fn clear(&mut self) {
        self.measured.clear();
        self.warm_up.clear();
        self.begun.clear();
    }
}

impl Collector {
    /// Returns the sender of the notices about held pods.
    pub fn bell(&self) -> HeldBell {
        self.bell.clone()
    }

    /// Collects until every thread has ended.
    pub fn run(mut self, listener: &mut impl Listener) {
        while self.threads.iter().any(|thread| !thread.ended) {
            match self.messages.recv() {
                Ok(Message::Slice(slice)) => self.take(*slice),
                Ok(Message::Held(pods, _done)) => listener.held(pods),
                Err(_) => break,
            }
            while self
                .pending
                .first_key_value()
                .is_some_and(|(n, _)| self.is_complete(*n))
            {
                if let Some((number, part)) = self.pending.pop_first() {
                    listener.interval(number, &part);
                }
            }
        }
    }

    fn take(&mut self, slice: Slice) {
        let thread = &mut self.threads[slice.thread];
        let number = thread.delivered;
        thread.delivered += 1;
        thread.ended = slice.last;
        let mut part = slice.part;
        match self.pending.entry(number) {
            std::collections::btree_map::Entry::Vacant(vacant) => {
                let mut whole = Part::default();
                whole.merge(&part);
                vacant.insert(whole);
            }
            std::collections::btree_map::Entry::Occupied(mut whole) => whole.get_mut().merge(&part),
        }
        part.clear();
        // The send fails only if the thread has ended, and then the thread needs no empty
        // set.
        let _ = thread.emptied.send(part);
    }

    fn is_complete(&self, number: u32) -> bool {
        self.threads
            .iter()
            .all(|thread| thread.ended || thread.delivered > number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls a function with each interval.
    struct Each<F>(F);

    impl<F: FnMut(u32, &Part)> Listener for Each<F> {
        fn interval(&mut self, number: u32, part: &Part) {
            self.0(number, part);
        }
    }

    fn tape_set(threads: usize) -> (Vec<Tape>, Collector) {
        let counters: Vec<_> = (0..threads).map(|_| Arc::default()).collect();
        tapes(&counters)
    }

    #[test]
    fn intervals_come_in_order_and_lose_nothing() {
        let (mut tapes, collector) = tape_set(2);
        let took = Duration::from_micros(10);
        let [a, b] = &mut tapes[..] else { panic!() };
        a.success(true, Operation::TaskKill, took);
        a.next_interval();
        a.success(true, Operation::TaskKill, took);
        a.success(false, Operation::TaskKill, took);
        a.next_interval();
        b.success(true, Operation::TaskKill, took);
        b.next_interval();
        a.success(true, Operation::TaskKill, took);
        b.failure(&Failure::wrong(Operation::TaskWait, "x"));
        tapes.into_iter().for_each(Tape::end);

        let mut seen = Vec::new();
        collector.run(&mut Each(|number, part: &Part| {
            let count = |recorder: &Recorder| recorder.histogram(Operation::TaskKill).len();
            let errors = part.measured.errors_in_all();
            seen.push((number, count(&part.measured), count(&part.warm_up), errors));
        }));
        assert_eq!(seen, [(0, 2, 0, 0), (1, 1, 1, 1), (2, 1, 0, 0)]);
    }

    #[test]
    fn an_emptied_part_is_used_again() {
        let (mut tapes, collector) = tape_set(1);
        for _ in 0..3 {
            tapes[0].success(true, Operation::Pod, Duration::from_millis(1));
            tapes[0].next_interval();
        }
        tapes.pop().unwrap().end();
        let mut counts = Vec::new();
        let count = |_, part: &Part| counts.push(part.measured.histogram(Operation::Pod).len());
        collector.run(&mut Each(count));
        assert_eq!(counts, [1, 1, 1, 0]);
    }

    #[test]
    fn counters_are_up_to_date_at_once() {
        let counters = vec![Arc::new(Counters::default())];
        let (mut tapes, _collector) = tapes(&counters);
        tapes[0].success(true, Operation::Pod, Duration::from_millis(1));
        tapes[0].success(false, Operation::TaskStart, Duration::from_millis(1));
        assert_eq!(counters[0].rpcs.load(Ordering::Relaxed), 1);
    }
}
