//! `resource-slot-sandboxer`: flags, wiring, signals.

mod cli;
mod logging;
mod serve;

use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that has gone needs no message.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let done = match &cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Inspect(args)) => inspect(args),
        Some(Command::Completions { shell }) => {
            completions(*shell);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn inspect(args: &sandboxer::inspect::InspectArgs) -> anyhow::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    sandboxer::inspect::run(args, &mut out).context("inspect")
}

fn completions(shell: clap_complete::Shell) {
    let mut command = Cli::command();
    clap_complete::generate(
        shell,
        &mut command,
        "resource-slot-sandboxer",
        &mut std::io::stdout(),
    );
}
