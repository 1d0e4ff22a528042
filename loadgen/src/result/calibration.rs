//! The run-to-run spread of a machine, which is saved as `calibration.json`.

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::header::{Document, Header};
use super::machine_spread::{FigureSpread, MachineSpread};
use super::run::Scenario;

/// Lowest number of runs of a calibration: fewer do not show a spread.
pub const LEAST_RUNS: u32 = 5;

/// Measured variation of the figures of one program between its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Header, the same in every kind of document.
    #[serde(flatten)]
    pub header: Header,
    /// Duration of all runs with the starts of their servers, in seconds.
    pub wall_s: f64,
    /// Parameters of each run.
    pub scenario: Scenario,
    /// SHA-256 over the requests of the plan, in hexadecimal.
    pub plan_hash: String,
    /// Machine of the measurement.
    pub environment: Environment,
    /// Number of runs.
    pub runs: usize,
    /// Variation of each figure over the runs.
    pub figures: Vec<FigureSpread>,
    /// Slowdowns that `loadgen compare` finds on this machine, one entry for each number of
    /// runs a side.
    pub compare: Vec<CompareFinds>,
    /// Increases of cost that `loadgen gate` finds on this machine; absent if no gate was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateFinds>,
}

/// Increases of cost that a gate finds, by the noise of blocks of one program with itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateFinds {
    /// Number of blocks that were run.
    pub blocks: usize,
    /// Standard deviation of the logarithm of the ratio of costs from block to block: 0.01
    /// for 1 %.
    pub noise: f64,
    /// Duration of a block, in seconds.
    pub seconds_per_block: f64,
    /// Time of the gate, in minutes.
    pub max_minutes: f64,
    /// Smallest increase that the gate finds in nine of ten cases in its time, as a share.
    pub finds: f64,
    /// Time until a head as fast as the base passes in nine of ten cases, in minutes.
    pub pass_minutes: f64,
    /// Times that some increases take, if they are above the minimum effect of the gate.
    pub increases: Vec<IncreaseTime>,
}

/// Time in which a gate finds an increase in nine of ten cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct IncreaseTime {
    /// Increase as a share, 0.05 for 5 %.
    pub increase: f64,
    /// Time, in minutes.
    pub minutes: f64,
}

/// Slowdowns that a comparison with some number of runs a side finds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompareFinds {
    /// Number of runs of each program.
    pub runs: usize,
    /// Smallest slowdown found in four of five comparisons, one entry for each figure that
    /// decides.
    pub figures: Vec<Found>,
}

/// Smallest slowdown that is found in a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Name of the figure, in words.
    pub figure: String,
    /// Slowdown as a share, 0.05 for 5 %; absent beyond the largest that was tried.
    pub slowdown: Option<f64>,
}

impl Document for Calibration {
    const SCHEMA: &'static str = "resource-slot.loadgen.calibration";
    const VERSION: u32 = 1;
}

impl Calibration {
    /// Returns the part that results carry: without the values of each run.
    pub fn spread(&self) -> MachineSpread {
        let without_values = |figure: &FigureSpread| FigureSpread {
            values: Vec::new(),
            ..figure.clone()
        };
        MachineSpread {
            calibrated_at: self.header.started_at.clone(),
            runs: self.runs,
            figures: self.figures.iter().map(without_values).collect(),
        }
    }
}
