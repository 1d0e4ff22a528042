//! Blocks of rounds: each block starts both programs anew and loads them in turns of a few pods,
//! on one CPU.
//!
//! - In a round both programs serve the same pods, in turns of some dozen pods: tens of
//!   milliseconds. A disturbance of the machine that lasts longer hits both (an idea of duet
//!   benchmarking: Bulej, Horký, Tůma, Farquet and Prokopec, Duet Benchmarking: Improving
//!   Measurement Accuracy in the Cloud, 2020).
//! - Both programs and their load share the same CPUs, by default a single one drawn for each
//!   block. On different CPUs the programs would differ by the neighbours of each.
//! - The programs do not serve at the same moment, as in duet benchmarking, because then the work
//!   of one changes the work of the other: a program that waits for a CPU finds more requests
//!   together, and serves them with fewer wake-ups.
//!
//! Measured with one program twice and with a head that burns 5 or 10 % more CPU time, 300 to
//! 500 pods a round, on two cores with other builds running. The noise is the standard deviation
//! of the ratio of CPU time per pod from round to round:
//!
//! | | noise | 5 % are told as | 10 % are told as |
//! | --- | --- | --- | --- |
//! | one round after the other, all CPUs | 0.062 | | |
//! | at the same time, all CPUs | 0.063 | | |
//! | at the same time, a CPU for each | 0.15 | | |
//! | at the same time, one CPU for both programs and one for their load | 0.019 | | |
//! | at the same time, one CPU for all | 0.009 to 0.019 | 5.4 to 6.5 % | 11.5 to 12.3 % |
//! | the same, pod by pod abreast | 0.01 | 2.3 % | 5.8 % |
//! | in turns of 32 pods, one CPU for all | 0.02 to 0.04 | 6.4 ± 1.5 % | 10.8 ± 1.7 % |
//!
//! With the warm-up as the round before the first, and 192 pods a round, `scripts/gates` counts a
//! noise from block to block of 0.009 to 0.017. It tells increases of 4.77 and 4.80 % as 4.92 and
//! 4.65 %, and of 10.06 and 9.72 % as 10.33 and 9.82 %, each on a quiet machine and beside builds.
//!
//! - A coin decides for each block which program is started first and has the first turn in
//!   the first round, so a disturbance could as well have hit the other program.
//!   [`crate::stats::signed_rank`] depends on this.
//! - From round to round, the warm-up included, the other program has the first turn. A turn
//!   that directly follows one of the same program costs more, at the border of two rounds too:
//!   with 100 pods a round, the CPU time of the round rises by 4 to 8 %. With this order both
//!   programs have as many of these turns.
//! - Two processes of one program differ in speed for their whole lives, because of
//!   the placement of their memory. Starting the programs anew for each block samples
//!   many processes, so this difference is drawn anew as well (Kalibera and Jones,
//!   Rigorous Benchmarking in Reasonable Time, 2013: repeat at the level that
//!   varies).

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

use super::error::GateError;
use super::program::Programs;
use super::round::{Member, Round, Used};
use crate::commands::error::RunError;
use crate::connection::{ControllerConnection, TtrpcConnection};
use crate::drive::bundle::Bundles;
use crate::drive::driver::{DriverKind, Tasks, TasksAt};
use crate::drive::engine::{EngineError, Load, Measured, Turns};
use crate::process::affinity;
use crate::process::counters::Counted;
use crate::record::recorder::Recorder;
use crate::server::embedded::Embedded;
use crate::server::image::NAMESPACE;
use crate::stop::Stop;

/// Rounds in a block.
pub const ROUNDS_PER_BLOCK: u32 = 2;

/// Pods of a turn for each pod that is under way at once. At the end of a turn fewer and fewer
/// pods are under way; with four times as many pods in a turn, most of it is at full load.
pub const TURN_PER_WORKER: u64 = 4;

/// One of the two compared programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The program to compare with.
    Base,
    /// The program to compare.
    Head,
}

/// Order of the programs in a block: of their starts, and of their turns in the first round. In
/// the warm-up and in the second round the other program has the first turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Base, then head.
    BaseFirst,
    /// Head, then base.
    HeadFirst,
}

impl Order {
    /// Draws the order of a block.
    pub fn draw(coin: &mut impl Rng) -> Self {
        if coin.next_u32().is_multiple_of(2) {
            Self::BaseFirst
        } else {
            Self::HeadFirst
        }
    }

    fn sides(self) -> [Side; 2] {
        match self {
            Self::BaseFirst => [Side::Base, Side::Head],
            Self::HeadFirst => [Side::Head, Side::Base],
        }
    }
}

/// Figures of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Order of the programs.
    pub order: Order,
    /// Numbers of the CPUs that programs and load shared; empty if they could use all.
    pub cpus: Vec<usize>,
    /// Rounds of the base.
    pub base: Vec<Round>,
    /// Rounds of the head, in turns with those of the base.
    pub head: Vec<Round>,
}

/// Programs, load and directories of a gate's blocks.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// Both programs.
    pub programs: &'a Programs,
    /// Arguments of both programs.
    pub args: &'a [OsString],
    /// Further arguments of the head.
    pub head_args: &'a [OsString],
    /// Directory below which the programs keep their files.
    pub files: &'a Path,
    /// Directory for the last log of each program.
    pub logs: &'a Path,
    /// Driver that runs the pods.
    pub target: DriverKind,
    /// Load of a round on each program.
    pub load: Load,
    /// Load of the warm-up of each program.
    pub warm_up: Load,
    /// Number of pods under way at once on each program.
    pub at_once: u64,
    /// Bundles, shared by both programs.
    pub bundles: &'a Arc<Bundles>,
    /// Part of the programs' work that the machine's counters count; `None` without counters.
    pub counted: Option<Counted>,
    /// Request to stop.
    pub stop: &'a Stop,
}

/// Outcome of a block.
#[derive(Debug, Default)]
pub struct Ended {
    /// Figures; `None` if the block was interrupted or had errors.
    pub block: Option<Block>,
    /// Errors in the rounds.
    pub problems: Recorder,
    /// Further problems, in words.
    pub complaints: Vec<String>,
}

impl Experiment<'_> {
    /// Runs a block on these CPUs, or on all if there are none.
    ///
    /// # Errors
    /// If a program cannot be started or confined to the CPUs, or as [`Load::run`].
    pub fn block(&self, order: Order, cpus: &[usize]) -> Result<Ended, GateError> {
        // Programs and threads inherit the CPUs from the thread that starts them.
        thread::scope(|scope| {
            let confined = scope.spawn(|| {
                if !cpus.is_empty() {
                    affinity::confine(cpus).map_err(|source| GateError::Confine {
                        cpus: cpus.to_vec(),
                        source,
                    })?;
                }
                self.on_this_thread(order, cpus)
            });
            let ended = confined.join();
            ended.map_err(|_| RunError::Engine(EngineError::Panicked))?
        })
    }

    fn on_this_thread(&self, order: Order, cpus: &[usize]) -> Result<Ended, GateError> {
        let [first, second] = order.sides();
        let mut members = [self.start(first)?, self.start(second)?];
        let mut ended = Ended::default();
        let mut rounds = Vec::new();
        let whole = self.rounds(&mut members, &mut rounds, &mut ended);
        let whole = whole.map_err(RunError::Engine)?;
        let emptied = whole && ended.problems.left_behind() == 0;
        for member in members {
            let side = match member.side {
                Side::Base => "base",
                Side::Head => "head",
            };
            let stopped = member.program.stop(self.stop, emptied);
            let complaints = stopped.complaints.iter().map(|c| format!("{side}: {c}"));
            ended.complaints.extend(complaints);
            // Keeps the log of the last block of each program.
            for log in &stopped.logs {
                let _ = std::fs::copy(log, self.logs.join(format!("sandboxer-{side}.log")));
            }
        }
        if whole && ended.complaints.is_empty() {
            let (firsts, seconds) = rounds.into_iter().map(|[a, b]| (a, b)).unzip();
            let (base, head) = match order {
                Order::BaseFirst => (firsts, seconds),
                Order::HeadFirst => (seconds, firsts),
            };
            ended.block = Some(Block {
                order,
                cpus: cpus.to_vec(),
                base,
                head,
            });
        }
        Ok(ended)
    }

    fn start(&self, side: Side) -> Result<Member, GateError> {
        let (program, own) = match side {
            Side::Base => (&self.programs.base, &[][..]),
            Side::Head => (&self.programs.head, self.head_args),
        };
        let args = [self.args, own].concat();
        let path = program.path.clone();
        let started = Embedded::start_in(self.files, path, &args, NAMESPACE, self.stop)
            .map_err(RunError::from)?;
        Ok(Member::new(side, started, self.counted))
    }

    /// Runs the warm-up and the rounds; returns whether all were complete and without
    /// errors.
    fn rounds(
        &self,
        members: &mut [Member; 2],
        rounds: &mut Vec<[Round; 2]>,
        ended: &mut Ended,
    ) -> Result<bool, EngineError> {
        // The warm-up is the round before the first.
        if self.round(members, &self.warm_up, 1, ended)?.is_none() {
            return Ok(false);
        }
        for number in 0..ROUNDS_PER_BLOCK as usize {
            let Some(round) = self.round(members, &self.load, number % 2, ended)? else {
                return Ok(false);
            };
            rounds.push(round);
        }
        Ok(true)
    }

    /// Puts a load on both programs, which take turns of some pods; the member with index
    /// `first` has the first turn. Returns the figures of both; `None` if the round was
    /// interrupted or had errors.
    fn round(
        &self,
        members: &mut [Member; 2],
        load: &Load,
        first: usize,
        ended: &mut Ended,
    ) -> Result<Option<[Round; 2]>, EngineError> {
        let before = Used::by(members);
        let measured = {
            let members = &*members;
            let mut turns = Turns::pair(TURN_PER_WORKER * self.at_once);
            if first == 1 {
                turns.reverse();
            }
            let put_on = |place: usize| {
                let load = Load {
                    turns: Some(turns[place].clone()),
                    ..load.clone()
                };
                let measured = self.put_on(&members[place].program, &load);
                turns[place].is_over();
                measured
            };
            thread::scope(|scope| {
                let put_on = &put_on;
                let threads = [0, 1].map(|place| scope.spawn(move || put_on(place)));
                let ended = threads.map(thread::ScopedJoinHandle::join);
                ended.map(|measured| measured.map_err(|_| EngineError::Panicked)?)
            })
        };
        let after = Used::by(members);
        let [one, other] = measured;
        let measured = [one?, other?];
        let (Some(before), Some(after)) = (before, after) else {
            ended.complaints.push("a sandboxer ended".to_owned());
            return Ok(None);
        };
        // The problems of both are recorded.
        let well = measured
            .each_ref()
            .map(|measured| took_in(measured, load, ended))
            == [true; 2];
        let round = |place: usize| Round::of(&measured[place], before[place], after[place]);
        Ok(well.then(|| [round(0), round(1)]))
    }

    fn put_on(&self, program: &Embedded, load: &Load) -> Result<Measured, EngineError> {
        let at = TasksAt {
            socket: program.socket(),
            namespace: NAMESPACE.to_owned(),
            timeout: load.timeout,
            bundles: Arc::clone(self.bundles),
            must_state_resources: true,
        };
        let counters = load.counters();
        match self.target {
            DriverKind::Controller => {
                load.run::<Tasks<ControllerConnection>>(&at, self.stop, &counters, ())
            }
            DriverKind::Ttrpc | DriverKind::Cri => {
                load.run::<Tasks<TtrpcConnection>>(&at, self.stop, &counters, ())
            }
        }
    }
}

/// Adds the errors of a measurement; returns whether it was complete and without
/// errors.
fn took_in(measured: &Measured, load: &Load, ended: &mut Ended) -> bool {
    let well = measured.recorder.errors().is_empty()
        && !measured.lost
        && measured.pods == load.pods()
        && measured.recorder.left_behind() == 0;
    if measured.lost {
        ended.complaints.push("a connection was lost".to_owned());
    }
    ended.problems.merge(&measured.recorder);
    well
}
