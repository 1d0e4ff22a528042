//! `inspect`: what a directory's journal holds, for people and for tools.
//!
//! Reads without locking, so it works beside a running daemon and after one.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use journal::{self, JournalError};
use slot::Timestamp;

mod json;
mod table;
#[cfg(test)]
mod tests;
mod totals;

pub use totals::{Totals, TotalsByState};

/// What to inspect and how to show it.
#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// The directory of the journal, as given to the daemon.
    #[arg(
        long,
        env = "RESOURCE_SLOT_DIR",
        value_name = "DIR",
        default_value = "/var/lib/kuasar-resource-slot"
    )]
    pub dir: PathBuf,
    /// Print everything as one JSON object.
    #[arg(long, conflicts_with_all = ["containers", "no_trunc"])]
    pub json: bool,
    /// Add a row for each container.
    #[arg(long)]
    pub containers: bool,
    /// Show ids in full.
    #[arg(long)]
    pub no_trunc: bool,
}

/// Why nothing, or not all, was shown.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The journal cannot be read.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// The output cannot be written.
    #[error("write the output: {0}")]
    Output(#[from] io::Error),
}

/// Shows what the journal holds. Damage to the journal is shown, too: it is no error here.
///
/// # Errors
/// If there is no journal, or it or `out` fails.
pub fn run(args: &InspectArgs, out: &mut impl Write) -> Result<(), InspectError> {
    let found = journal::read(&args.dir)?;
    if args.json {
        json::write(&args.dir, &found, out)?;
    } else {
        table::write(&found, args, Timestamp::now(), out)?;
    }
    out.flush()?;
    Ok(())
}
