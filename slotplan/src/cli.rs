//! The command line and its dispatch.

use std::ffi::OsString;
use std::io::{self, Write};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::answer::{Answer, Format, OutputArgs};
use crate::commands::inventory;
use crate::exit::Verdict;

/// Plans from what ran or would run: placement, number of nodes, size, cost, policy
#[derive(Debug, Parser)]
#[command(name = "slotplan", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  answered, and nothing speaks against the plan
  1  wrong usage, or an input that is missing or cannot be read
  3  answered, and the plan does not hold: something does not fit, is refused or costs too much";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what was read: pods, nodes, usage, and what was taken for granted
    Inventory(inventory::InventoryArgs),
}

impl Command {
    fn run(&self) -> anyhow::Result<(Answer, &OutputArgs)> {
        match self {
            Self::Inventory(args) => Ok((args.run()?, &args.output)),
        }
    }
}

/// Runs the program with these arguments, of which the first is its name.
pub fn main(args: &[OsString]) -> Verdict {
    let command = options::ignore_empty(Cli::command(), |name| std::env::var_os(name));
    let parsed = command.try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match error.exit_code() {
                0 => Verdict::Good,
                _ => Verdict::Environment,
            };
        }
    };
    let answered = cli.command.run().and_then(|(answer, output)| {
        print(&answer, output)?;
        Ok(answer.verdict)
    });
    answered.unwrap_or_else(|error| {
        // Nobody reads a message that standard error does not take.
        let _ = writeln!(io::stderr(), "slotplan: {error:#}");
        Verdict::Environment
    })
}

fn print(answer: &Answer, output: &OutputArgs) -> anyhow::Result<()> {
    if let Some(path) = &output.html {
        let page = answer
            .page
            .as_deref()
            .context("this command has no page (--html)")?;
        std::fs::write(path, page).with_context(|| format!("write {}", path.display()))?;
    }
    let text = match output.form() {
        Format::Text => answer.text.clone(),
        Format::Json => {
            let mut text = serde_json::to_string_pretty(&answer.document)?;
            text.push('\n');
            text
        }
        Format::Markdown => {
            let markdown = answer.markdown.clone();
            markdown.context("this command has no Markdown (--markdown)")?
        }
    };
    match io::stdout().write_all(text.as_bytes()) {
        // A reader such as head(1) that has enough closes the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}
