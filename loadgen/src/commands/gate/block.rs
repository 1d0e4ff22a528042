//! Blocks of rounds: each block starts both programs anew and loads them in turns of a few pods,
//! on one CPU.
//!
//! - In a round both programs serve the same pods, in turns of as many pods as are under way at
//!   once: some ten milliseconds. A disturbance of the machine that lasts longer hits both (an idea of duet
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
//! On another machine with two cores, with a speed that changed by a factor of two within a second, the
//! noise from block to block depended on the length of the turns: 0.054 to 0.086 in turns of 32
//! pods, 0.033 to 0.038 in turns of 8, 0.032 to 0.037 of 4, and 0.020 to 0.025 of 2. Turns are as
//! short as they can be with all pods of a turn under way at once. Differences relative to the CPU
//! time of the load in the same turns had a noise of 0.013, but told increases of 3 and 5 % as 2.7
//! and 4.1 %: the work of the load depends on the program, too.
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

use std::path::Path;
use std::thread;

use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

use super::error::GateError;
use super::round::{Member, Round, Used};
use crate::commands::error::RunError;
use crate::drive::engine::{EngineError, Load, Measured, Turns};
use crate::measure::session::{Prepared, Session};
use crate::process::accounting::Accounting;
use crate::process::affinity;
use crate::process::counters::Counted;
use crate::record::recorder::Recorder;
use crate::server::{Source, Target};
use crate::stop::Stop;

/// Rounds in a block.
pub const ROUNDS_PER_BLOCK: u32 = 2;

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
    /// Way in which the CPU time of both programs was counted; absent in older documents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounting: Option<Accounting>,
    /// Rounds of the base.
    pub base: Vec<Round>,
    /// Rounds of the head, in turns with those of the base.
    pub head: Vec<Round>,
}

/// Programs, load and directories of a gate's blocks.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// Base and head.
    pub targets: &'a [Target; 2],
    /// Preparations of the load, shared by both programs.
    pub prepared: &'a Prepared,
    /// Directory for the last logs of each program.
    pub logs: &'a Path,
    /// Load of a round on each program.
    pub load: Load,
    /// Load of the warm-up of each program.
    pub warm_up: Load,
    /// Number of pods under way at once on each program, and of the pods of a turn.
    pub at_once: u64,
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
        let accounting = same_accounting(&members, &mut ended.complaints);
        for member in members {
            let side = match member.side {
                Side::Base => "base",
                Side::Head => "head",
            };
            let Some(stopped) = member.session.close(emptied) else {
                continue;
            };
            let complaints = stopped.complaints.iter().map(|c| format!("{side}: {c}"));
            ended.complaints.extend(complaints);
            // Keeps the logs of the last block of each program.
            for log in &stopped.logs {
                let name = log.file_stem().unwrap_or_default().to_string_lossy();
                let _ = std::fs::copy(log, self.logs.join(format!("{name}-{side}.log")));
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
                accounting,
                base,
                head,
            });
        }
        Ok(ended)
    }

    fn start(&self, side: Side) -> Result<Member<'_>, GateError> {
        let [base, head] = self.targets;
        let target = match side {
            Side::Base => base,
            Side::Head => head,
        };
        let source = Source::of(target).map_err(RunError::from)?;
        let session = Session::open(source, target, &self.load, self.stop);
        Ok(Member::new(
            side,
            session.map_err(RunError::from)?,
            self.counted,
        ))
    }

    /// Runs the warm-up and the rounds; returns whether all were complete and without
    /// errors.
    fn rounds(
        &self,
        members: &mut [Member<'_>; 2],
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

    /// Puts a load on both programs; the member with index `first` begins. Returns the figures of
    /// both; `None` if the round was interrupted or had errors.
    fn round(
        &self,
        members: &mut [Member<'_>; 2],
        load: &Load,
        first: usize,
        ended: &mut Ended,
    ) -> Result<Option<[Round; 2]>, EngineError> {
        let [base, head] = self.targets;
        let share_a_server = base.endpoint.is_some() && base.endpoint == head.endpoint;
        let figures = if share_a_server {
            self.one_by_one(members, load, first)?
        } else {
            self.in_turns(members, load, first)?
        };
        let Some(figures) = figures else {
            let lost = "a server ended, or its CPU time cannot be read";
            ended.complaints.push(lost.to_owned());
            return Ok(None);
        };
        // The problems of both are recorded.
        let well = figures
            .each_ref()
            .map(|figures| took_in(&figures.measured, load, ended))
            == [true; 2];
        let rounds = figures.map(|f| Round::of(&f.measured, f.before, f.after));
        Ok(well.then_some(rounds))
    }

    /// Puts a load on both programs, which take turns of some pods.
    fn in_turns(
        &self,
        members: &mut [Member<'_>; 2],
        load: &Load,
        first: usize,
    ) -> Result<Option<[Figures; 2]>, EngineError> {
        let before = Used::by(members);
        let measured = {
            let members = &*members;
            let mut turns = Turns::pair(self.at_once);
            if first == 1 {
                turns.reverse();
            }
            let put_on = |place: usize| {
                let load = Load {
                    turns: Some(turns[place].clone()),
                    ..load.clone()
                };
                let measured = self.put_on(&members[place], &load);
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
        let (one, other) = (one?, other?);
        let Some((before, after)) = before.zip(after) else {
            return Ok(None);
        };
        let figures = |measured, place: usize| Figures {
            measured,
            before: before[place],
            after: after[place],
        };
        Ok(Some([figures(one, 0), figures(other, 1)]))
    }

    /// Puts a load on one member after the other. The CPU time of a server that both share is then
    /// that of the load under way.
    fn one_by_one(
        &self,
        members: &mut [Member<'_>; 2],
        load: &Load,
        first: usize,
    ) -> Result<Option<[Figures; 2]>, EngineError> {
        let mut figures = [None, None];
        for place in [first, 1 - first] {
            let before = Used::by(members);
            let measured = self.put_on(&members[place], load)?;
            let after = Used::by(members);
            let Some((before, after)) = before.zip(after) else {
                return Ok(None);
            };
            figures[place] = Some(Figures {
                measured,
                before: before[place],
                after: after[place],
            });
        }
        let [one, other] = figures;
        Ok(one.zip(other).map(|(one, other)| [one, other]))
    }

    fn put_on(&self, member: &Member<'_>, load: &Load) -> Result<Measured, EngineError> {
        member
            .session
            .run(load, self.prepared, &load.counters(), ())
    }
}

/// Measurements of one program in a round.
struct Figures {
    measured: Measured,
    before: Used,
    after: Used,
}

/// Returns the way in which the CPU time of both programs is counted; different ways are a
/// complaint.
fn same_accounting(members: &[Member<'_>; 2], complaints: &mut Vec<String>) -> Option<Accounting> {
    let way = |member: &Member<'_>| Some(member.session.server().counted()?.accounting);
    let [one, other] = members.each_ref().map(way);
    if let (Some(one), Some(other)) = (one, other)
        && one != other
    {
        complaints.push(format!(
            "CPU time is counted {} for one program and {} for the other",
            one.name(),
            other.name()
        ));
    }
    one
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
