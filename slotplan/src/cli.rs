//! The command line and its dispatch.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;

use crate::answer::{Answer, Format, OutputArgs};
use crate::commands::{
    capacity, cost, diff, export, fit, inventory, policy, profile, schedule, schema,
};
use crate::exit::Verdict;

/// Plans from what ran or would run: placement, number of nodes, size, cost, policy
#[derive(Debug, Parser)]
#[command(name = "slotplan", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// TOML file with the defaults of options: `name = value` at the top for all commands, and in a
    /// table `[COMMAND]` for one
    #[arg(long, global = true, value_name = "FILE", env = "SLOTPLAN_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// Prefix of the environment variables of options.
const PREFIX: &str = "SLOTPLAN_";

const EXIT_CODES: &str = "\
Exit codes:
  0  answered, and nothing speaks against the plan
  1  wrong usage, or an input that is missing or cannot be read
  3  answered, and the plan does not hold: something does not fit, is refused or costs too much";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what was read: pods, nodes, usage, and what was taken for granted
    Inventory(inventory::InventoryArgs),
    /// Show which node every pod goes to, and why a pod fits nowhere
    Schedule(schedule::ScheduleArgs),
    /// Find how many nodes of which shapes a load needs, now and at its peak
    Capacity(Box<capacity::CapacityArgs>),
    /// Count how many more pods of one kind fit
    Fit(fit::FitArgs),
    /// Show the usage of workloads, and the requests that it suggests
    Profile(profile::ProfileArgs),
    /// Decide on each pod as an API server would: LimitRange, ValidatingAdmissionPolicy,
    /// ResourceQuota
    Policy(policy::PolicyCommandArgs),
    /// Show what pods and nodes cost, by group, with idle and shared costs, as OpenCost does
    Cost(Box<cost::CostArgs>),
    /// Compare two inputs: requests, money, nodes, pods that no longer fit
    Diff(Box<diff::DiffArgs>),
    /// Write tables for other programs, and traces that make a placement happen
    Export(Box<export::ExportArgs>),
    /// Print the form of a document as JSON Schema
    Schema(schema::SchemaArgs),
    /// Print completions for a shell
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Write manual pages, one for each command
    Man {
        /// Directory for the pages
        dir: PathBuf,
    },
}

impl Command {
    fn run(&self) -> anyhow::Result<Verdict> {
        let (answer, output) = match self {
            Self::Inventory(args) => (args.run()?, &args.output),
            Self::Schedule(args) => (args.run()?, &args.output),
            Self::Capacity(args) => (args.run()?, &args.output),
            Self::Fit(args) => (args.run()?, &args.output),
            Self::Profile(args) => (args.run()?, &args.output),
            Self::Policy(args) => (args.run()?, &args.output),
            Self::Cost(args) => (args.run()?, &args.output),
            Self::Diff(args) => (args.run()?, &args.output),
            Self::Export(args) => (args.run()?, &args.output),
            Self::Schema(args) => {
                let mut text = Vec::new();
                args.write(&mut text)?;
                return print(&text).map(|()| Verdict::Good);
            }
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(*shell, &mut definition(), "slotplan", &mut script);
                return print(&script).map(|()| Verdict::Good);
            }
            Self::Man { dir } => {
                clap_mangen::generate_to(definition(), dir)
                    .with_context(|| format!("write manual pages to {}", dir.display()))?;
                return Ok(Verdict::Good);
            }
        };
        show(&answer, output)?;
        Ok(answer.verdict)
    }
}

/// Runs the program with these arguments, of which the first is its name.
pub fn main(args: &[OsString]) -> Verdict {
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return match error.exit_code() {
                0 => Verdict::Good,
                _ => Verdict::Environment,
            };
        }
    };
    cli.command.run().unwrap_or_else(|error| {
        // A message that standard error does not take is lost.
        let _ = writeln!(io::stderr(), "slotplan: {error:#}");
        Verdict::Environment
    })
}

/// Returns the definition of the command line. Each option of a command has an environment
/// variable: `SLOTPLAN_` and its name in capitals.
fn definition() -> clap::Command {
    let with_variable = |arg: clap::Arg| match arg.get_long().map(str::to_owned) {
        Some(name) if arg.get_env().is_none() => {
            let variable = name.to_uppercase().replace('-', "_");
            arg.env(format!("{PREFIX}{variable}")).hide_env_values(true)
        }
        _ => arg,
    };
    Cli::command().mut_subcommands(|command| command.mut_args(with_variable))
}

/// Parses a command line, with the environment and then the configuration file below it.
fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let command = options::ignore_empty(definition(), |name: &OsStr| std::env::var_os(name));
    let early = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(args);
    let config = early
        .ok()
        .and_then(|matches| matches.get_one::<PathBuf>("config").cloned());
    let configured = match &config {
        Some(file) => {
            options::with_subcommand_defaults(command.clone(), file).map_err(|reason| {
                let message = format!("configuration file {}: {reason}", file.display());
                command.clone().error(ErrorKind::InvalidValue, message)
            })?
        }
        None => command.clone(),
    };
    let matches = configured.try_get_matches_from(args);
    let matches = matches.map_err(|error| options::naming_variable(error, &command, args))?;
    Cli::from_arg_matches(&matches)
}

/// Prints an answer in the form that the user chose, and writes its page.
fn show(answer: &Answer, output: &OutputArgs) -> anyhow::Result<()> {
    if let Some(path) = &output.html {
        std::fs::write(path, answer.page()).with_context(|| format!("write {}", path.display()))?;
    }
    let text = match output.form() {
        Format::Text => answer.text.clone(),
        Format::Json => {
            let mut text = serde_json::to_string_pretty(&answer.document)?;
            text.push('\n');
            text
        }
        Format::Markdown => answer.markdown(),
    };
    print(text.as_bytes())
}

fn print(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().write_all(bytes) {
        // A reader such as head(1) that has enough closes the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}
