//! `loadgen record`: makes a trace from a sandboxer's journal.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::print;
use crate::commands::cli::RecordArgs;
use crate::workload::trace;
use display::human;

/// Counts of a trace that was made from a journal.
#[derive(Debug, Serialize)]
struct Recorded<'a> {
    /// File of the trace.
    trace: &'a Path,
    /// Number of pods.
    pods: usize,
    /// Time from the first to the last arrival, in seconds.
    arrivals_s: f64,
    /// Number of pods that were alive at the end of the journal, and stay until that time.
    without_end: usize,
    /// Number of pods that are older than the journal, and are left out.
    without_beginning: usize,
}

/// Makes a trace from a journal and writes a summary of it.
///
/// # Errors
/// If there is no journal, the trace cannot be written, or the writer fails.
pub fn run(args: &RecordArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let told = trace::of_journal(&args.journal)?;
    told.trace.write(&args.trace)?;
    let pods = &told.trace.pods;
    let recorded = Recorded {
        trace: &args.trace,
        pods: pods.len(),
        arrivals_s: pods.last().map_or(0.0, |last| last.at_ns as f64 / 1e9),
        without_end: told.without_end,
        without_beginning: told.without_beginning,
    };
    if args.json {
        out.write_all(print::json(&recorded)?.as_bytes())?;
    } else {
        recorded.write(out)?;
    }
    Ok(())
}

impl Recorded<'_> {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let count = |number| human::count(number as u64);
        writeln!(
            out,
            "{} pods that arrived within {:.3} s, in {}",
            count(self.pods),
            self.arrivals_s,
            self.trace.display()
        )?;
        if self.without_end > 0 {
            writeln!(
                out,
                "{} of them were alive at the end of the journal, and stay until that time",
                count(self.without_end)
            )?;
        }
        if self.without_beginning > 0 {
            writeln!(
                out,
                "{} more pods are older than the journal, and are left out",
                count(self.without_beginning)
            )?;
        }
        Ok(())
    }
}
