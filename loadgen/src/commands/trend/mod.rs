//! `loadgen trend`: changes of figures over many results.
//!
//! ```text
//! points   results read from directories, in the order of their times
//! series   values of each figure, and its changes: the document
//! table    the printed forms; page, the lines of the figures
//! ```

mod error;
mod page;
mod points;
pub mod series;
mod table;

pub use self::error::TrendError;

use self::series::{Terms, Trend};
use crate::commands::cli::{TrendArgs, TrendFormat};
use crate::commands::exit::Verdict;
use crate::commands::print;
use display::page::readable;

/// Reads the results, finds the changes and prints them.
///
/// # Errors
/// If a directory has no result, a result cannot be read, or the output cannot be written.
pub fn run(args: &TrendArgs) -> Result<Verdict, TrendError> {
    let points = points::read(&args.points)?;
    let terms = Terms {
        min_effect: args.min_effect / 100.0,
        alpha: args.alpha,
        tests_all: args.all,
    };
    let trend = Trend::of(&points, terms);
    let text = match args.format {
        TrendFormat::Text => table::text(&trend),
        TrendFormat::Markdown => table::markdown(&trend),
        TrendFormat::Json => print::json(&trend)?,
        TrendFormat::Html => readable(&page::page(&trend).into_string()),
    };
    print::to::<TrendError>(args.output.as_deref(), &text)?;
    Ok(if args.fail_on_change && trend.is_worse() {
        Verdict::Missed
    } else {
        Verdict::Good
    })
}
