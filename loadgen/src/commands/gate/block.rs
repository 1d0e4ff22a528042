//! Blocks of rounds: both programs, started anew, twice each, in an order that a
//! coin decides.
//!
//! - Within a block the order is A B B A or B A A B: what grows or falls steadily
//!   meanwhile hits both alike.
//! - Which of the two is drawn, so that whatever else the machine does might as well
//!   have hit the other program: what [`crate::stats::signed_rank`] rests on.
//! - Two processes of one program differ in speed all their lives, by where their
//!   memory lies. Programs that are started for each block are many processes, and
//!   that, too, is drawn anew (Kalibera and Jones, Rigorous Benchmarking in Reasonable
//!   Time, 2013: repeat where the variation is).

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

/// How long a program may go on working for pods that have ended: a sandboxer removes
/// files up to 100 ms later. That is its work, and must not fall into the other's round.
const SETTLE: Duration = Duration::from_millis(130);

/// Rounds of each program in a block.
pub const ROUNDS_PER_BLOCK: u32 = 2;

/// One of the two programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What is compared with.
    Base,
    /// What is compared.
    Head,
}

/// Who goes first and last in a block.
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

/// One program in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// CPU time of the sandboxer per pod, in milliseconds, to the nanosecond.
    pub cpu_ms_per_pod: f64,
    /// The median latency of a pod, in milliseconds.
    pub p50_ms: f64,
    /// The mean.
    pub mean_ms: f64,
    /// Pods per second.
    pub pods_per_s: f64,
}

/// What a block measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Its order.
    pub order: Order,
    /// The rounds of the one program.
    pub base: Vec<Round>,
    /// Those of the other.
    pub head: Vec<Round>,
}

/// What is run, and how.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// The programs.
    pub programs: &'a Programs,
    /// Arguments that both are started with.
    pub args: &'a [OsString],
    /// Arguments that the head is started with beyond those.
    pub head_args: &'a [OsString],
    /// Below which directory they keep their files.
    pub files: &'a Path,
    /// Where their last logs go.
    pub logs: &'a Path,
    /// Driver that runs the pods.
    pub target: DriverKind,
    /// A round's load.
    pub load: Load,
    /// What each is warmed up with.
    pub warm_up: Load,
    /// The bundles of both.
    pub bundles: &'a Arc<Bundles>,
    /// Whether somebody wants it to end.
    pub stop: &'a Stop,
}

/// What became of a block.
#[derive(Debug)]
pub struct Ended {
    /// The figures; `None` if it was cut short or something went wrong.
    pub block: Option<Block>,
    /// What went wrong in the rounds.
    pub problems: Recorder,
    /// What else did, in words.
    pub complaints: Vec<String>,
}

impl Experiment<'_> {
    /// Runs a block.
    ///
    /// # Errors
    /// If a program cannot be started, or as [`Load::run`].
    pub fn block(&self, order: Order) -> Result<Ended, RunError> {
        let mut running = Vec::new();
        // In the block's order, so that neither is always the older.
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
            // The last block's log of each is what is kept.
            for log in &stopped.logs {
                let _ = std::fs::copy(log, self.logs.join(format!("sandboxer-{side}.log")));
            }
        }
        if whole && ended.complaints.is_empty() {
            ended.block = Some(block);
        }
        Ok(ended)
    }

    /// Warms up and runs the rounds; whether all went well.
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

/// Keeps what went wrong; whether nothing did and nothing is missing.
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
