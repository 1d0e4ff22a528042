//! `loadgen compare`: comparison of the runs of two programs with the same plan on the same
//! machine.
//!
//! ```text
//! side         the runs of one program
//! comparable   check that runs can be compared
//! seconds      intervals from the seconds of two single runs; latencies, their log
//! figure       each figure of both sides: ratio, interval, chance
//! verdict      verdict on a figure; outcome of all of them
//! comparison   the document of a comparison, as JSON; table, as text; page, as HTML
//! ```
//!
//! Runs are the unit of a verdict. Two runs of one program differ by more than the seconds
//! inside them show: another process has its memory in other places, and the machine other
//! neighbours. So the interval of a ratio comes from the spread between runs, and an exact
//! test over the deciding figures together keeps the probability of a false alarm below 5 %
//! in each comparison.

mod comparable;
mod comparison;
mod error;
pub mod figure;
mod latencies;
mod page;
mod seconds;
mod side;
#[cfg(test)]
mod simulated;
mod table;
#[cfg(test)]
mod tests;
pub mod verdict;

pub use self::comparison::{Comparison, Origin, SCHEMA, SCHEMA_VERSION};
pub use self::error::CompareError;

use self::side::Side;
use self::verdict::{Limits, Outcome};
use crate::commands::cli::CompareArgs;
use crate::commands::exit;
use crate::commands::print;

/// Compares the runs of two programs and prints the comparison.
///
/// # Errors
/// [`CompareError`]: if a result cannot be read, or the results cannot be compared.
pub fn run(args: &CompareArgs) -> Result<exit::Verdict, CompareError> {
    let (a, b) = args.sides();
    let (a, b) = (Side::read(&a)?, Side::read(&b)?);
    let limits = Limits {
        cpu: args.min_effect / 100.0,
        latency: args.min_latency_effect / 100.0,
    };
    let comparison = Comparison::of(&a, &b, limits);
    if !comparison.incomparable.is_empty() && !args.anyway {
        return Err(CompareError::Incomparable {
            differences: comparison.incomparable,
        });
    }
    let text = if args.json {
        print::json(&comparison)?
    } else if args.markdown {
        table::markdown(&comparison)
    } else if args.html {
        page::render(&comparison)
    } else {
        table::text(&comparison)
    };
    print::to_stdout(&text)?;
    Ok(match comparison.outcome {
        Outcome::Slower => exit::Verdict::Missed,
        Outcome::Same => exit::Verdict::Good,
        Outcome::Undecided => exit::Verdict::Incomplete,
    })
}
