//! Dispatches pods at their intended start times, on a thread of its own.
//!
//! A timer of an async runtime is late by up to its granularity (1 ms in tokio), plus the
//! time for which its thread is busy. The pacer sleeps until shortly before each intended
//! start and spins for the rest. It asks for real-time priority and continues without it
//! if the request is refused; the lag of each start is measured in both cases.

use std::time::{Duration, Instant};

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::workload::schedule::Schedule;

/// Time before an intended start at which the pacer stops sleeping. The kernel wakes a
/// sleeping thread up to 50 us late (timer slack, prctl(2)), and the thread needs some
/// more time until it runs.
const SPIN: Duration = Duration::from_micros(80);

/// Longest sleep, and therefore the longest delay until a stop is noticed.
const NAP: Duration = Duration::from_millis(50);

/// Lowest real-time priority. It precedes every thread without real-time priority.
const PRIORITY: u8 = 1;

/// Instruction to start a pod.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// Index of the pod in the plan.
    pub index: u64,
    /// Intended start.
    pub due: Instant,
    /// Index of the phase that contains the start.
    pub phase: usize,
}

/// Sends the ticket of each pod at its intended start to one of the threads in turn.
/// Returns when all tickets are sent, or soon after `stopped` returns `true`. The first
/// phase begins at `base`.
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
        // A send fails only to a thread that has ended, and that thread reports its own
        // error.
        let _ = taker.send(Ticket { index, due, phase });
    }
}

fn go_before_others() {
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    if let Ok(priority) = PRIORITY.try_into() {
        let priority = ThreadPriority::Crossplatform(priority);
        // The kernel refuses this without the privilege: CAP_SYS_NICE or RLIMIT_RTPRIO,
        // sched(7).
        let _ = set_thread_priority_and_policy(thread_native_id(), priority, policy);
    }
}

/// Waits until `due`; returns `false` if a stop was requested before.
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
