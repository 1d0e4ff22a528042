//! `resource-slot-sandboxer`: flags, wiring, signals.

mod cli;
mod logging;
mod memory;
mod pod_network;
mod serve;
mod service_manager;
mod signals;
mod socket;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;

use cli::{Cli, Command};

/// mimalloc keeps long-lived sandboxes close together in memory, where the C library's
/// allocator scatters them among short-lived requests.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return shown(&error),
    };
    let done = match &cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Inspect(args)) => {
            to_stdout(|out| sandboxer::inspect::run(&args.into(), out).context("inspect"))
        }
        Some(Command::Completions { shell }) => to_stdout(|out| {
            clap_complete::generate(*shell, &mut Cli::command(), "resource-slot-sandboxer", out);
            Ok(())
        }),
        Some(Command::Man { dir }) => clap_mangen::generate_to(Cli::command(), dir)
            .with_context(|| format!("write manual pages to {}", dir.display())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A failed write means that standard error has no reader.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Prints wrong usage, or the help or version that was asked for.
fn shown(answer: &clap::Error) -> ExitCode {
    match answer.print() {
        Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: print the help: {failed}");
            ExitCode::FAILURE
        }
        _ => ExitCode::from(u8::from(answer.use_stderr())),
    }
}

/// Writes all output at once. An output that closes early, as with `head`, is no error.
fn to_stdout(write: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    let mut text = Vec::new();
    write(&mut text)?;
    match io::stdout().write_all(&text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
