//! Document of a comparison.

use serde::{Deserialize, Serialize};

use super::comparable;
use super::figure::{self, Basis, Figure};
use super::seconds;
use super::side::Side;
use super::verdict::{Limits, Outcome};

/// Schema name of the document.
pub const SCHEMA: &str = "resource-slot.loadgen.compare";

/// Schema version of the document.
pub const SCHEMA_VERSION: u32 = 2;

/// Comparison of two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Outcome of the deciding figures together.
    pub outcome: Outcome,
    /// Source of the intervals.
    pub basis: Basis,
    /// Reasons against the comparison; empty if there are none.
    pub incomparable: Vec<String>,
    /// Further differences, as remarks for the reader.
    pub remarks: Vec<String>,
    /// Smallest difference of CPU time that counts, as a share: 0.05 for 5 %.
    pub min_effect: f64,
    /// Smallest difference of latencies and rates that counts, as a share.
    pub min_latency_effect: f64,
    /// Origin of A.
    pub a: Origin,
    /// Origin of B.
    pub b: Origin,
    /// Compared figures, first the deciding ones.
    pub figures: Vec<Figure>,
}

/// Origin of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Paths of the results.
    pub paths: Vec<String>,
    /// Number of runs.
    pub runs: usize,
    /// Start of the load of the first run (RFC 3339, UTC).
    pub started_at: String,
    /// Number of pods that went as planned, over all runs.
    pub pods: u64,
    /// Number of measured seconds of the shortest run.
    pub seconds: usize,
}

impl Origin {
    fn of(side: &Side) -> Self {
        Self {
            paths: side.paths.clone(),
            runs: side.runs.len(),
            started_at: starts(side).into_iter().next().unwrap_or_default(),
            pods: side.runs.iter().map(|run| run.totals.pods).sum(),
            seconds: seconds::seconds(side),
        }
    }
}

impl Comparison {
    /// Compares two sides; differences below the limits do not count.
    pub fn of(a: &Side, b: &Side, limits: Limits) -> Self {
        let basis = Basis::of(a, b);
        let figures = figure::all(a, b, basis, limits);
        Self {
            schema: SCHEMA.to_owned(),
            schema_version: SCHEMA_VERSION,
            outcome: if basis.decides() {
                Outcome::of(&figures, limits)
            } else {
                Outcome::Undecided
            },
            basis,
            incomparable: comparable::differences(a, b),
            remarks: remarks(a, b, basis),
            min_effect: limits.cpu,
            min_latency_effect: limits.latency,
            a: Origin::of(a),
            b: Origin::of(b),
            figures,
        }
    }
}

fn remarks(a: &Side, b: &Side, basis: Basis) -> Vec<String> {
    let mut remarks = comparable::remarks(a, b);
    if basis == Basis::Seconds {
        for (name, side) in [("A", a), ("B", b)] {
            if side.latencies.is_none() {
                remarks.push(format!(
                    "{name} has no latencies.hlog, so its latencies have no intervals"
                ));
            }
        }
    } else if !take_turns(a, b) {
        remarks.push(
            "the runs of A and B did not take turns, so a change of the machine between them \
             counts as a difference; loadgen gate rules that out"
                .to_owned(),
        );
    }
    remarks
}

/// Returns the starts of the runs of a side, in their order. The form of the times makes the
/// order of texts that of the times.
fn starts(side: &Side) -> Vec<String> {
    let runs = side.runs.iter();
    let mut starts: Vec<String> = runs.map(|run| run.header.started_at.clone()).collect();
    starts.sort();
    starts
}

/// Returns whether no side had begun all its runs before the other had begun one.
fn take_turns(a: &Side, b: &Side) -> bool {
    let (a, b) = (starts(a), starts(b));
    a.last() > b.first() && b.last() > a.first()
}
