//! Document of a comparison.

use serde::{Deserialize, Serialize};

use super::comparable;
use super::compared::Compared;
use super::figure::{self, Figure};
use super::verdict::Verdict;

/// Schema name of the document.
pub const SCHEMA: &str = "resource-slot.loadgen.compare";

/// Schema version of the document.
pub const SCHEMA_VERSION: u32 = 1;

/// Comparison of two results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Reasons against the comparison; empty if there are none.
    pub incomparable: Vec<String>,
    /// Further differences, as remarks for the reader.
    pub remarks: Vec<String>,
    /// Smallest difference that counts, as a share: 0.05 for 5 %.
    pub min_effect: f64,
    /// Origin of A.
    pub a: Origin,
    /// Origin of B.
    pub b: Origin,
    /// Compared figures.
    pub figures: Vec<Figure>,
}

/// Origin of one result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Path of the result.
    pub path: String,
    /// Start of its load (RFC 3339, UTC).
    pub started_at: String,
    /// Number of pods that went as planned.
    pub pods: u64,
    /// Number of seconds that its intervals are computed from.
    pub seconds: usize,
}

impl Origin {
    fn of(compared: &Compared) -> Self {
        let result = &compared.result;
        Self {
            path: compared.path.clone(),
            started_at: result.header.started_at.clone(),
            pods: result.totals.pods,
            seconds: figure::seconds(compared),
        }
    }
}

impl Comparison {
    /// Compares two results; a difference below the share `min_effect` does not
    /// count.
    pub fn of(a: &Compared, b: &Compared, min_effect: f64) -> Self {
        let mut remarks = comparable::remarks(&a.result, &b.result);
        for (name, one) in [("A", a), ("B", b)] {
            if one.latencies.is_none() {
                remarks.push(format!(
                    "{name} has no latencies.hlog, so its latencies have no intervals"
                ));
            }
        }
        Self {
            schema: SCHEMA.to_owned(),
            schema_version: SCHEMA_VERSION,
            incomparable: comparable::differences(&a.result, &b.result),
            remarks,
            min_effect,
            figures: figure::all(a, b, min_effect),
            a: Origin::of(a),
            b: Origin::of(b),
        }
    }

    /// Returns whether a figure is slower by the minimum effect or more.
    pub fn is_slower(&self) -> bool {
        let mut figures = self.figures.iter();
        figures.any(|figure| figure.verdict == Verdict::Slower)
    }
}
