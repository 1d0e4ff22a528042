//! Result documents, and the directories in which they are saved.

pub mod baseline;
pub mod calibration;
pub mod conclusion;
pub mod cpu_profile;
pub mod csv;
pub mod density;
pub mod directory;
pub mod environment;
mod figures;
#[cfg(test)]
pub(crate) mod fixture;
pub mod header;
pub mod judgement;
pub mod key_figure;
pub mod key_figures;
pub mod lag;
mod latency;
mod load;
pub mod machine_spread;
mod processes;
pub mod repeated;
mod run;
pub mod schema;
pub mod search;
pub mod slo;
pub mod software;
pub mod spans;
pub mod spread;
pub mod timeline;
pub mod validity;
mod wire;

pub use self::figures::{errors, offered, operations, phases, totals};
pub use self::latency::{FigureResult, WireResult};
pub use self::load::{LoadError, LoadProblem, load, load_as, parse, parse_as, schema_of};
pub use self::processes::{HeldProcess, HoldResult, ProcessResult};
pub use self::run::{
    CpuOfAll, ErrorResult, Interval, Lag, LoadMode, LoadResult, OperationResult, PhaseResult,
    RunResult, Scenario, Totals,
};
pub use self::wire::{remark, wire};
