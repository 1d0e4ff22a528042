//! Says when pods are to start, on a thread of its own.
//!
//! A runtime's timer is late by up to its granularity (1 ms in tokio) and by
//! whatever its thread is doing. The pacer sleeps until shortly before each
//! intended start and spins the rest. It asks for real-time priority, and does
//! without if that is not granted: how late pods are begun is measured in any case.

use std::time::{Duration, Instant};

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::workload::schedule::Schedule;

/// The kernel wakes a sleeper up to 50 us late (timer slack, prctl(2)); and it
/// takes a while until that runs.
const SPIN: Duration = Duration::from_micros(80);

/// The longest that a wish to stop goes unheard.
const NAP: Duration = Duration::from_millis(50);

/// The lowest of the real-time priorities goes before everything that is not real-time.
const PRIORITY: u8 = 1;

/// A pod that is to start.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// Its place in the plan.
    pub index: u64,
    /// When it is meant to start.
    pub due: Instant,
    /// The phase it belongs to.
    pub phase: usize,
}

/// Hands each pod's ticket to one of the threads in turn when it is due, until
/// all are handed out or `stopped` says so. The first phase begins at `base`.
pub fn pace(
    schedule: &Schedule,
    base: Instant,
    threads: &[UnboundedSender<Ticket>],
    stopped: impl Fn() -> bool,
) {
    go_before_others();
    let takers = threads.iter().cycle();
    for ((index, arrival), taker) in (0..).zip(schedule.arrivals()).zip(takers) {
        let due = base + arrival.at;
        if !wait_until(due, &stopped) {
            return;
        }
        let phase = arrival.phase;
        // A thread that has ended says why itself.
        let _ = taker.send(Ticket { index, due, phase });
    }
}

fn go_before_others() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    if let Ok(priority) = PRIORITY.try_into() {
        let priority = ThreadPriority::Crossplatform(priority);
        // Not everybody may.
        let _ = set_thread_priority_and_policy(thread_native_id(), priority, policy);
    }
}

/// Whether the time came before a wish to stop.
fn wait_until(due: Instant, stopped: &impl Fn() -> bool) -> bool {
    loop {
        if stopped() {
            return false;
        }
        let left = due.saturating_duration_since(Instant::now());
        let nap = left.saturating_sub(SPIN);
        if nap.is_zero() {
            break;
        }
        std::thread::sleep(nap.min(NAP));
    }
    while Instant::now() < due {
        std::hint::spin_loop();
    }
    true
}
