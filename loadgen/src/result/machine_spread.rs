//! Known variation of figures from run to run on a machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key_figure::KeyFigure;

/// Variation of one figure over runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureSpread {
    /// Name of the figure.
    #[serde(flatten)]
    pub figure: KeyFigure,
    /// Median over the runs, in the unit of the statistic.
    pub median: f64,
    /// Standard deviation between runs of the natural logarithm of the figure: about its
    /// relative deviation, 0.03 for 3 %.
    pub spread: f64,
    /// Values of the runs in their order, in the unit of the statistic.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
}

/// Known variation from run to run on a machine, copied from a calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineSpread {
    /// Beginning of the calibration (RFC 3339, UTC).
    pub calibrated_at: String,
    /// Number of runs of the calibration.
    pub runs: usize,
    /// Variation of each figure.
    pub figures: Vec<FigureSpread>,
}

impl MachineSpread {
    /// Returns the variation of a figure; `None` if it was not measured.
    pub fn of(&self, figure: &KeyFigure) -> Option<&FigureSpread> {
        self.figures.iter().find(|known| known.figure == *figure)
    }
}
