//! `loadgen compare`: two results of the same plan on the same machine.

mod comparable;
pub mod figure;
mod mixture;
mod table;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::io;

use serde::{Deserialize, Serialize};

use self::figure::Figure;
use crate::commands::cli::CompareArgs;
use crate::commands::exit;
use crate::commands::print;
use crate::result::{self, LoadError, RunResult};

/// Two results cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// See [`LoadError`].
    #[error(transparent)]
    Load(#[from] LoadError),
    /// They are not about the same.
    #[error(
        "not comparable:\n  {}\n--anyway compares them nevertheless",
        differences.join("\n  ")
    )]
    Incomparable {
        /// Every field that differs, with both values.
        differences: Vec<String>,
    },
    /// The comparison cannot be printed.
    #[error("print the comparison")]
    Print(#[from] io::Error),
}

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

impl Comparison {
    /// Of two results, by the share below which a difference is none.
    pub fn of(a: (&RunResult, String), b: (&RunResult, String), min_effect: f64) -> Self {
        let origin = |(result, path): (&RunResult, String)| Origin {
            path,
            started_at: result.started_at.clone(),
            pods: result.totals.pods,
            seconds: figure::seconds(result),
        };
        Self {
            schema: SCHEMA.to_owned(),
            schema_version: SCHEMA_VERSION,
            incomparable: comparable::differences(a.0, b.0),
            remarks: comparable::remarks(a.0, b.0),
            min_effect,
            figures: figure::all(a.0, b.0, min_effect),
            a: origin(a),
            b: origin(b),
        }
    }

    /// Whether anything is slower by the minimum effect or more.
    pub fn is_slower(&self) -> bool {
        self.figures
            .iter()
            .any(|figure| figure.verdict == verdict::Verdict::Slower)
    }
}

/// Compares and prints.
///
/// # Errors
/// [`CompareError`]: if a result cannot be read, or they cannot be compared.
pub fn run(args: &CompareArgs) -> Result<exit::Verdict, CompareError> {
    let (a, b) = (result::load(&args.a)?, result::load(&args.b)?);
    let path = |path: &std::path::Path| path.display().to_string();
    let min_effect = args.min_effect / 100.0;
    let comparison = Comparison::of((&a, path(&args.a)), (&b, path(&args.b)), min_effect);
    if !comparison.incomparable.is_empty() && !args.anyway {
        return Err(CompareError::Incomparable {
            differences: comparison.incomparable,
        });
    }
    let text = if args.json {
        print::json(&comparison)?
    } else if args.markdown {
        table::markdown(&comparison)
    } else {
        table::text(&comparison)
    };
    print::to_stdout(&text)?;
    Ok(if comparison.is_slower() {
        exit::Verdict::Missed
    } else {
        exit::Verdict::Good
    })
}
