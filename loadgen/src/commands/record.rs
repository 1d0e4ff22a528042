//! `loadgen record`: makes a trace from a sandboxer's journal.

use std::io::Write;

use crate::commands::cli::RecordArgs;
use crate::workload::trace;
use display::human;

/// Makes a trace from a journal and writes a summary of it.
///
/// # Errors
/// If there is no journal, the trace cannot be written, or the writer fails.
pub fn run(args: &RecordArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let told = trace::of_journal(&args.journal)?;
    told.trace.write(&args.trace)?;
    let pods = &told.trace.pods;
    let seconds = pods.last().map_or(0.0, |last| last.at_ns as f64 / 1e9);
    writeln!(
        out,
        "{} pods that arrived within {seconds:.3} s, in {}",
        human::count(pods.len() as u64),
        args.trace.display()
    )?;
    if told.without_end > 0 {
        let count = human::count(told.without_end as u64);
        writeln!(
            out,
            "{count} of them were alive at the end of the journal, and stay until that time"
        )?;
    }
    if told.without_beginning > 0 {
        let count = human::count(told.without_beginning as u64);
        writeln!(
            out,
            "{count} more pods are older than the journal, and are left out"
        )?;
    }
    Ok(())
}
