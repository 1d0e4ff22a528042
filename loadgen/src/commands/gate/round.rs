//! Figures of a round: the work of both programs, and the latencies of their pods.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::block::Side;
use crate::drive::engine::Measured;
use crate::measure::session::Session;
use crate::process::counters::{Counted, Counters, Work};
use crate::record::operation::Operation;

/// Time in which a program without work uses no CPU time.
const PAUSE: Duration = Duration::from_millis(3);

/// Highest number of pauses, for programs that always have some work.
const MOST_PAUSES: u32 = 40;

/// A running program with its counters.
#[derive(Debug)]
pub struct Member<'a> {
    /// Program of the gate.
    pub side: Side,
    /// The server.
    pub session: Session<'a>,
    counters: Option<Counters>,
}

impl<'a> Member<'a> {
    /// Opens the counters of a program that has just started, which `counted` gives for a
    /// sandboxer.
    pub fn new(side: Side, session: Session<'a>, counted: Option<Counted>) -> Self {
        let pid = session.server().processes().first().map(|(_, pid)| *pid);
        let counters = counted.zip(pid);
        Self {
            side,
            counters: counters.and_then(|(counted, pid)| Counters::of(pid, counted).ok()),
            session,
        }
    }
}

/// Work of a program since its start, with that of everything that it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// CPU time in user space and in the kernel.
    pub cpu: Duration,
    /// Counted work; `None` without counters.
    pub work: Option<Work>,
}

impl Used {
    /// Waits until both programs have no more to do, and returns their work so far; `None` if one
    /// of them has ended.
    ///
    /// A program closes connections and removes files after the last reply. This work belongs
    /// to the round before, and without the wait it would be counted only for the
    /// program whose pods end first.
    pub fn by(members: &mut [Member<'_>; 2]) -> Option<[Self; 2]> {
        let mut used = Self::so_far(members)?;
        for _ in 0..MOST_PAUSES {
            thread::sleep(PAUSE);
            let before = std::mem::replace(&mut used, Self::so_far(members)?);
            if used.map(|used| used.cpu) == before.map(|used| used.cpu) {
                break;
            }
        }
        Some(used)
    }

    fn so_far(members: &mut [Member<'_>; 2]) -> Option<[Self; 2]> {
        let [one, other] = members;
        Some([Self::of(one)?, Self::of(other)?])
    }

    fn of(member: &mut Member<'_>) -> Option<Self> {
        Some(Self {
            cpu: member.session.server().counted()?.cpu,
            work: member.counters.as_mut().and_then(|c| c.now().ok()),
        })
    }
}

/// Figures of one program in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Number of pods that were served.
    pub pods: u64,
    /// CPU time of the program and everything that it ran per pod, in milliseconds.
    pub cpu_ms_per_pod: f64,
    /// Cycles of the sandboxer per pod; absent without counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycles_per_pod: Option<f64>,
    /// Instructions of the sandboxer per pod; absent without counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions_per_pod: Option<f64>,
    /// Median latency of a pod, in milliseconds.
    pub p50_ms: f64,
    /// Mean latency of a pod, in milliseconds.
    pub mean_ms: f64,
}

impl Round {
    /// Computes the figures from the measured pods and the work before and after them.
    pub fn of(measured: &Measured, before: Used, after: Used) -> Self {
        let pod = measured.recorder.histogram(Operation::Pod);
        let pods = pod.len().max(1) as f64;
        let ms = |ns: f64| ns / 1e6;
        let counted = |of: fn(&Work) -> u64| {
            let (before, after) = (before.work?, after.work?);
            Some(of(&after).saturating_sub(of(&before)) as f64 / pods)
        };
        Self {
            pods: pod.len(),
            cpu_ms_per_pod: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e3 / pods,
            cycles_per_pod: counted(|work| work.cycles),
            instructions_per_pod: counted(|work| work.instructions),
            p50_ms: ms(pod.value_at_quantile(0.5) as f64),
            mean_ms: ms(pod.mean()),
        }
    }
}
