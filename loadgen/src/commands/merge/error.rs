//! Error of a merge.

use std::path::PathBuf;

use crate::record::hdr_log::LogError;
use crate::record::operation::Operation;
use crate::result::LoadError;
use crate::result::directory::SaveError;
use crate::workload::part::Part as PlanPart;

/// Failure to merge parts.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The result of a part cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The histograms of a part cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The merged result cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The result cannot be printed.
    #[error("print the result")]
    Print(#[from] std::io::Error),
    /// Parts of different runs.
    #[error(
        "{} does not belong to {}: its {field} is {found}, not {expected}",
        part.display(), first.display()
    )]
    Unlike {
        /// The part.
        part: PathBuf,
        /// The first part.
        first: PathBuf,
        /// Differing field of their results.
        field: String,
        /// Value in the part, as JSON.
        found: String,
        /// Value in the first part, as JSON.
        expected: String,
    },
    /// The same plan in two parts.
    #[error(
        "{} and {} ran the same plan {plan_hash}: parts must differ in their seeds",
        one.display(), other.display()
    )]
    SamePlan {
        /// One of the parts.
        one: PathBuf,
        /// The other part.
        other: PathBuf,
        /// Hash of both plans.
        plan_hash: String,
    },
    /// A result is no part of the plan of the first one.
    #[error("{} is not one of {of} parts of a plan; see loadgen run --part", path.display())]
    NoPart {
        /// The result.
        path: PathBuf,
        /// Number of parts of the first one.
        of: u32,
    },
    /// The plans of parts differ.
    #[error("{} is a part of another plan than {}", part.display(), first.display())]
    OtherPlan {
        /// The part.
        part: PathBuf,
        /// The first part.
        first: PathBuf,
    },
    /// A part occurs twice.
    #[error("{} and {} are both part {part}", one.display(), other.display())]
    Twice {
        /// The part.
        part: PlanPart,
        /// One of the results.
        one: PathBuf,
        /// The other result.
        other: PathBuf,
    },
    /// Parts are missing.
    #[error("of {of} parts {} missing", missing_words(missing))]
    Missing {
        /// Numbers of the missing parts.
        missing: Vec<u32>,
        /// Number of all parts.
        of: u32,
    },
    /// A part of a plan did not run all its pods.
    #[error(
        "{} is part {part}, which was interrupted: run this part again, or merge with --anyway",
        path.display()
    )]
    Interrupted {
        /// The result.
        path: PathBuf,
        /// The part.
        part: PlanPart,
    },
    /// The histograms do not match the result beside them.
    #[error(
        "{}: the histograms in latencies.hlog are not those of result.json, which counts \
         {counted} of {what}, where the histograms have {found}", part.display()
    )]
    Apart {
        /// The part.
        part: PathBuf,
        /// Name of the counted figure.
        what: String,
        /// Count in the result.
        counted: u64,
        /// Count in the histograms.
        found: u64,
    },
    /// The intervals of a log do not come in order.
    #[error("{}: the intervals in latencies.hlog are not in the order of their starts", part.display())]
    Disorder {
        /// The part.
        part: PathBuf,
    },
}

/// Names the missing parts with their verb.
fn missing_words(missing: &[u32]) -> String {
    let numbers: Vec<_> = missing.iter().map(u32::to_string).collect();
    let verb = if missing.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", numbers.join(", "))
}

impl MergeError {
    /// Builds [`MergeError::Apart`] for the count of an operation.
    pub(super) fn apart(part: PathBuf, operation: Operation, counted: u64, found: u64) -> Self {
        Self::Apart {
            part,
            what: operation.name().to_owned(),
            counted,
            found,
        }
    }
}
