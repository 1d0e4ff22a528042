//! `loadgen level`: growth of processes during a load.

use std::io::Write;

use crate::commands::cli::LevelArgs;
use crate::process::Sample;
use crate::result::{self, ProcessResult};
use crate::stats::{Errors, Slope};

const CONFIDENCE: f64 = 0.95;

/// Writes for each process of a run whether its memory and its descriptors stayed
/// level: whether zero lies in the 95 % confidence interval of the slope of a line
/// through the samples. Returns whether all of them stayed level.
///
/// # Errors
/// If there is no such result, it has too few samples, or the writer fails.
pub fn run(args: &LevelArgs, out: &mut impl Write) -> anyhow::Result<bool> {
    let run = result::load(&args.result)?;
    let skip = args.skip.as_secs_f64();
    let mut is_level = true;
    let wanted =
        |process: &&ProcessResult| args.role.as_ref().is_none_or(|role| *role == process.role);
    let processes: Vec<&ProcessResult> = run.processes.iter().filter(wanted).collect();
    if processes.is_empty() {
        let roles: Vec<&str> = run.processes.iter().map(|p| p.role.as_str()).collect();
        anyhow::bail!(
            "the result has no process with this role; its roles are {}",
            roles.join(", ")
        );
    }
    for process in processes {
        let memory = grows(process, skip, |look| Some(look.rss_bytes as f64));
        let files = grows(process, skip, |look| Some(look.fds? as f64));
        for (name, grows) in [("resident memory", memory), ("file descriptors", files)] {
            let Some((slope, points)) = grows else {
                anyhow::bail!("{}: too few samples of {name}", process.role);
            };
            let holds_zero = slope.interval.low <= 0.0 && 0.0 <= slope.interval.high;
            is_level &= holds_zero;
            let shown = |per_s: f64| match name {
                "resident memory" => format!("{:+.1} KiB", per_s * 60.0 / 1024.0),
                _ => format!("{:+.2}", per_s * 60.0),
            };
            writeln!(
                out,
                "{}: {} of {}: {} a minute (95 % interval {} to {}, {points} samples)",
                if holds_zero { "met" } else { "MISSED" },
                name,
                process.role,
                shown(slope.slope),
                shown(slope.interval.low),
                shown(slope.interval.high),
            )?;
        }
    }
    Ok(is_level)
}

/// Returns the line through the samples from `skip` seconds on, and the number of
/// these samples.
fn grows(
    process: &ProcessResult,
    skip: f64,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Option<(Slope, usize)> {
    let looks = process.samples.iter().filter(|look| look.at_s >= skip);
    let points: Vec<_> = looks
        .filter_map(|look| Some((look.at_s, value(look)?)))
        .collect();
    let slope = Slope::of(&points, Errors::InTime, CONFIDENCE)?;
    slope.slope.is_finite().then_some((slope, points.len()))
}
