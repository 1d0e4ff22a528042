//! Entry point: parses a command line and runs its command.

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::Context;
use clap::CommandFactory;
use rustix::fs::Mode;
use rustix::process::umask;

use super::cli::{Cli, Command};
use super::exit::Verdict;
use super::{
    bare, calibrate, compare, density, error, export, gate, level, merge, overhead, plan, pod,
    print, record, report, run, search, trend,
};
use crate::result::schema;
use crate::server::{null, supervisor};

/// Parses a command line, program name first, and runs its command.
pub fn main(args: &[OsString]) -> Verdict {
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => return shown(&error),
    };
    keep_own_files_usable();
    let done = match cli.command {
        Command::Run(run) => run::run(&run, words(args)).map_err(anyhow::Error::from),
        Command::Overhead(overhead) => {
            overhead::run(&overhead, words(args)).map_err(anyhow::Error::from)
        }
        Command::Search(search) => search::run(&search, words(args)).map_err(anyhow::Error::from),
        Command::Density(density) => {
            density::run(&density, words(args)).map_err(anyhow::Error::from)
        }
        Command::Record(record) => to_stdout(|out| record::run(&record, out)),
        Command::Replay(replay) => run::replay(&replay, words(args)).map_err(anyhow::Error::from),
        Command::Scenarios(command) => to_stdout(|out| plan::scenarios(&command, out)),
        Command::Report(report) => report::run(&report).map_err(anyhow::Error::from),
        Command::Export(export) => export::run(&export).map_err(anyhow::Error::from),
        Command::Merge(merge) => merge::run(&merge, words(args)).map_err(anyhow::Error::from),
        Command::Schema => to_stdout(|out| Ok(schema::write(out)?)),
        Command::Compare(compare) => compare::run(&compare).map_err(anyhow::Error::from),
        Command::Calibrate(calibrate) => {
            calibrate::run(&calibrate, &words(args)).map_err(anyhow::Error::from)
        }
        Command::Gate(gate) => gate::run(&gate, words(args)).map_err(anyhow::Error::from),
        Command::Pod(args) => to_stdout(|out| pod::run(&args, out)),
        Command::Plan(command) => to_stdout(|out| plan::plan(&command, out)),
        Command::Null(null) => {
            null::run(null.listen.as_ref(), null.die_with_parent, &null.faults())
                .map(|()| Verdict::Good)
                .map_err(anyhow::Error::from)
        }
        Command::Supervise { program, cgroup } => supervisor::run(&program, cgroup.as_deref())
            .map(|status| match status.exit_status() {
                Some(0) => Verdict::Good,
                _ => Verdict::Environment,
            })
            .with_context(|| format!("run {}", program[0].display())),
        Command::Bare(bare) => to_stdout(|out| {
            writeln!(out, "{:.1}", bare::run(&bare)?)?;
            Ok(())
        }),
        Command::Trend(args) => trend::run(&args).map_err(anyhow::Error::from),
        Command::Level(args) => {
            let mut is_level = false;
            to_stdout(|out| {
                is_level = level::run(&args, out)?;
                Ok(())
            })
            .map(|written| if is_level { written } else { Verdict::Missed })
        }
        Command::Completions { shell } => to_stdout(|out| {
            clap_complete::generate(shell, &mut Cli::command(), "loadgen", out);
            Ok(())
        }),
        Command::Man { dir } => clap_mangen::generate_to(Cli::command(), &dir)
            .with_context(|| format!("write manual pages to {}", dir.display()))
            .map(|()| Verdict::Good),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "error: {error:#}");
        if is_interruption(&error) {
            Verdict::Incomplete
        } else {
            Verdict::Environment
        }
    })
}

/// Takes the bits of the owner out of the umask, so that the program can use its own
/// directories. The bits of others stay as they are.
fn keep_own_files_usable() {
    let found = umask(Mode::RWXU | Mode::RWXG | Mode::RWXO);
    umask(found & (Mode::RWXG | Mode::RWXO));
}

/// Prints wrong usage, or the help or version that was asked for.
fn shown(answer: &clap::Error) -> Verdict {
    match answer.print() {
        Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: print the help: {failed}");
            Verdict::Environment
        }
        _ if answer.use_stderr() => Verdict::Environment,
        _ => Verdict::Good,
    }
}

fn is_interruption(error: &anyhow::Error) -> bool {
    let of_run = error.downcast_ref::<error::RunError>();
    let of_gate = error.downcast_ref::<gate::GateError>();
    of_run.is_some_and(error::RunError::is_interruption)
        || of_gate.is_some_and(gate::GateError::is_interruption)
}

/// Returns the command line in the form of results.
fn words(args: &[OsString]) -> Vec<String> {
    args.iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect()
}

/// Writes all output at once, so that a reader that closes early, such as `head`,
/// causes no error.
fn to_stdout(write: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<()>) -> anyhow::Result<Verdict> {
    let mut text = Vec::new();
    write(&mut text)?;
    print::to_stdout(&String::from_utf8(text)?)?;
    Ok(Verdict::Good)
}
