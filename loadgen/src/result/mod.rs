//! Result documents, and the directories that they are saved in.

pub mod csv;
pub mod density;
pub mod directory;
pub mod environment;
#[cfg(test)]
pub(crate) mod fixture;
mod held;
mod load;
mod made;
mod run;
pub mod schema;
pub mod search;
pub mod slo;
pub mod timeline;
pub mod validity;

pub use self::held::{HeldProcess, HoldResult};
pub use self::load::{LoadError, LoadProblem, load, load_as, parse, parse_as, schema};
pub use self::made::{errors, offered, operations, phases, totals};
pub use self::run::{
    ErrorResult, Interval, Lag, LoadMode, LoadResult, OperationResult, PhaseResult, ProcessResult,
    RunResult, SCHEMA, SCHEMA_VERSION, Scenario, Totals,
};
