//! `loadgen compare`: comparison of two results of the same plan on the same machine.
//!
//! ```text
//! compared     a result, and the latencies of its seconds from the log beside it
//! comparable   check that two results can be compared
//! figure       each figure of both, with an interval of its ratio; verdict
//! comparison   the document of a comparison, as JSON; table, as text
//! ```

mod comparable;
mod compared;
mod comparison;
mod error;
pub mod figure;
mod latencies;
mod table;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use self::comparison::{Comparison, Origin, SCHEMA, SCHEMA_VERSION};
pub use self::error::CompareError;

use self::compared::Compared;
use crate::commands::cli::CompareArgs;
use crate::commands::exit;
use crate::commands::print;

/// Compares two results and prints the comparison.
///
/// # Errors
/// [`CompareError`]: if a result cannot be read, or the results cannot be compared.
pub fn run(args: &CompareArgs) -> Result<exit::Verdict, CompareError> {
    let (a, b) = (Compared::read(&args.a)?, Compared::read(&args.b)?);
    let comparison = Comparison::of(&a, &b, args.min_effect / 100.0);
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
