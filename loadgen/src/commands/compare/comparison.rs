//! Two results beside each other.

use serde::{Deserialize, Serialize};

use super::comparable;
use super::compared::Compared;
use super::figure::{self, Figure};
use super::verdict::Verdict;

/// What the document is.
pub const SCHEMA: &str = "resource-slot.loadgen.compare";

/// The version of the document's form.
pub const SCHEMA_VERSION: u32 = 1;

/// Two results beside each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// What speaks against comparing them at all; empty if nothing does.
    pub incomparable: Vec<String>,
    /// What else differs, for the reader to know.
    pub remarks: Vec<String>,
    /// What is the same, as a share: 0.05 for 5 %.
    pub min_effect: f64,
    /// Where A comes from.
    pub a: Origin,
    /// Where B comes from.
    pub b: Origin,
    /// The figures.
    pub figures: Vec<Figure>,
}

/// Which result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Its path.
    pub path: String,
    /// When its load began (RFC 3339, UTC).
    pub started_at: String,
    /// Pods that were as the plan wants.
    pub pods: u64,
    /// The seconds that its intervals come from.
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
    /// Compares two results; a difference below the share `min_effect` is none.
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

    /// Whether anything is slower by the minimum effect or more.
    pub fn is_slower(&self) -> bool {
        let mut figures = self.figures.iter();
        figures.any(|figure| figure.verdict == Verdict::Slower)
    }
}
