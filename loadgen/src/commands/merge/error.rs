//! Error of a merge.

use std::path::PathBuf;

use crate::record::hdr_log::LogError;
use crate::record::operation::Operation;
use crate::result::LoadError;
use crate::result::directory::SaveError;

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
