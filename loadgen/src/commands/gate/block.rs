//! Blocks of rounds: each block starts both programs anew and runs each of them
//! twice, in a random order.
//!
//! - Within a block the order is A B B A or B A A B, so a steady rise or fall of the
//!   machine's speed affects both programs equally.
//! - One of the two orders is drawn for each block, so any other disturbance of the
//!   machine could as well have hit the other program. [`crate::stats::signed_rank`]
//!   depends on this.
//! - Two processes of one program differ in speed for their whole lives, because of
//!   the placement of their memory. Starting the programs anew for each block samples
//!   many processes, so this difference is drawn anew as well (Kalibera and Jones,
//!   Rigorous Benchmarking in Reasonable Time, 2013: repeat at the level that
//!   varies).

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::program::Programs;
use crate::commands::error::RunError;
use crate::connection::{ControllerConnection, TtrpcConnection};
use crate::drive::bundle::Bundles;
use crate::drive::driver::{DriverKind, Tasks, TasksAt};
use crate::drive::engine::{EngineError, Load, Measured};
use crate::process::cpu_time::CpuClock;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::server::embedded::Embedded;
use crate::server::image::NAMESPACE;
use crate::stop::Stop;

/// Time after the last pod of a round for remaining work of the sandboxer: it removes
/// files up to 100 ms later. This work belongs to the round and must not fall into a
/// round of the other program.
const SETTLE: Duration = Duration::from_millis(130);

/// Rounds of each program in a block.
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

/// Order of the programs in the four rounds of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Base, head, head, base.
    #[serde(rename = "ABBA")]
    BaseOutside,
    /// Head, base, base, head.
    #[serde(rename = "BAAB")]
    HeadOutside,
}

impl Order {
    fn sides(self) -> [Side; 4] {
        match self {
            Self::BaseOutside => [Side::Base, Side::Head, Side::Head, Side::Base],
            Self::HeadOutside => [Side::Head, Side::Base, Side::Base, Side::Head],
        }
    }
}

/// Figures of one program in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// CPU time of the sandboxer per pod, in milliseconds, to the nanosecond.
    pub cpu_ms_per_pod: f64,
    /// Median latency of a pod, in milliseconds.
    pub p50_ms: f64,
    /// Mean latency of a pod, in milliseconds.
    pub mean_ms: f64,
    /// Pods per second.
    pub pods_per_s: f64,
}

/// Figures of a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Order of the programs.
    pub order: Order,
    /// Rounds of the base.
    pub base: Vec<Round>,
    /// Rounds of the head.
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
    /// Load of a round.
    pub load: Load,
    /// Load of the warm-up of each program.
    pub warm_up: Load,
    /// Bundles, shared by both programs.
    pub bundles: &'a Arc<Bundles>,
    /// Request to stop.
    pub stop: &'a Stop,
}

/// Outcome of a block.
#[derive(Debug)]
pub struct Ended {
    /// Figures; `None` if the block was interrupted or had errors.
    pub block: Option<Block>,
    /// Errors in the rounds.
    pub problems: Recorder,
    /// Further problems, in words.
    pub complaints: Vec<String>,
}

impl Experiment<'_> {
    /// Runs a block.
    ///
    /// # Errors
    /// If a program cannot be started, or as [`Load::run`].
    pub fn block(&self, order: Order) -> Result<Ended, RunError> {
        let mut running = Vec::new();
        // In the order of the block, so that neither program is always the older
        // process.
        let sides = order.sides();
        for side in [sides[0], sides[1]] {
            let program = match side {
                Side::Base => &self.programs.base,
                Side::Head => &self.programs.head,
            };
            let own = match side {
                Side::Base => &[][..],
                Side::Head => self.head_args,
            };
            let args = [self.args, own].concat();
            let started = Embedded::start_in(
                self.files,
                program.path.clone(),
                &args,
                NAMESPACE,
                self.stop,
            )?;
            running.push((side, started));
        }
        let mut ended = Ended {
            block: None,
            problems: Recorder::default(),
            complaints: Vec::new(),
        };
        let mut block = Block {
            order,
            base: Vec::new(),
            head: Vec::new(),
        };
        let whole = self.rounds(&running, sides, &mut block, &mut ended)?;
        let emptied = whole && ended.problems.left_behind() == 0;
        for (side, program) in running {
            let stopped = program.stop(self.stop, emptied);
            let side = match side {
                Side::Base => "base",
                Side::Head => "head",
            };
            let complaints = stopped.complaints.iter().map(|c| format!("{side}: {c}"));
            ended.complaints.extend(complaints);
            // Keeps the log of the last block of each program.
            for log in &stopped.logs {
                let _ = std::fs::copy(log, self.logs.join(format!("sandboxer-{side}.log")));
            }
        }
        if whole && ended.complaints.is_empty() {
            ended.block = Some(block);
        }
        Ok(ended)
    }

    /// Runs the warm-up and the rounds; returns whether all were complete and without
    /// errors.
    fn rounds(
        &self,
        running: &[(Side, Embedded)],
        sides: [Side; 4],
        block: &mut Block,
        ended: &mut Ended,
    ) -> Result<bool, EngineError> {
        for (_, program) in running {
            let measured = self.put_on(program, &self.warm_up)?;
            if !took_in(&measured, &self.warm_up, ended) {
                return Ok(false);
            }
        }
        std::thread::sleep(SETTLE);
        for side in sides {
            if self.stop.requested() {
                return Ok(false);
            }
            let Some((_, program)) = running.iter().find(|(of, _)| *of == side) else {
                return Ok(false);
            };
            let clock = CpuClock::of(program.pid());
            let used = || clock.and_then(CpuClock::now);
            let before = used();
            let measured = self.put_on(program, &self.load)?;
            std::thread::sleep(SETTLE);
            let after = used();
            let (Some(before), Some(after)) = (before, after) else {
                ended.complaints.push("the sandboxer ended".to_owned());
                return Ok(false);
            };
            let round = Round::of(&measured, after.saturating_sub(before));
            if !took_in(&measured, &self.load, ended) {
                return Ok(false);
            }
            match side {
                Side::Base => block.base.push(round),
                Side::Head => block.head.push(round),
            }
        }
        Ok(true)
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

impl Round {
    fn of(measured: &Measured, cpu: Duration) -> Self {
        let pod = measured.recorder.histogram(Operation::Pod);
        let pods = pod.len().max(1) as f64;
        let ms = |ns: f64| ns / 1e6;
        Self {
            cpu_ms_per_pod: cpu.as_secs_f64() * 1e3 / pods,
            p50_ms: ms(pod.value_at_quantile(0.5) as f64),
            mean_ms: ms(pod.mean()),
            pods_per_s: pods / measured.wall.as_secs_f64(),
        }
    }
}
