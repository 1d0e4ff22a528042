//! Command-line options.

mod bare;
mod calibrate;
mod compare;
mod density;
mod export;
mod files;
mod gate;
mod level;
mod merge;
mod metrics;
mod null;
mod output;
mod overhead;
mod overrides;
mod plan;
mod pod;
mod range;
mod report;
mod requests;
mod run;
mod scenario;
mod search;
mod target;
mod trace;
mod trend;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use self::bare::{BareArgs, BareCalls};
pub use self::calibrate::CalibrateArgs;
pub use self::compare::CompareArgs;
pub use self::density::DensityArgs;
pub use self::export::{ExportArgs, ExportFormat};
pub use self::files::FilesArgs;
pub use self::gate::GateArgs;
pub use self::level::LevelArgs;
pub use self::merge::MergeArgs;
pub use self::metrics::MetricsArgs;
pub use self::null::NullArgs;
pub use self::output::{OutputArgs, is_stdout};
pub use self::overhead::OverheadArgs;
pub use self::overrides::OverrideArgs;
pub use self::plan::PlanCommand;
pub use self::pod::PodArgs;
pub use self::range::ContainerRange;
pub use self::report::{ReportArgs, ReportFormat};
pub use self::requests::RequestArgs;
pub use self::run::RunArgs;
pub use self::scenario::{ScenarioArgs, ScenarioChoiceError, ScenariosCommand};
pub use self::search::SearchArgs;
pub use self::target::TargetArgs;
pub use self::trace::{RecordArgs, ReplayArgs};
pub use self::trend::{TrendArgs, TrendFormat};

const EXIT_CODES: &str = "\
Exit codes: 0 good; 1 wrong usage, or a missing file or program; 2 errors or wrong answers;
3 a bar was missed; 4 interrupted, with the measurements until then saved as partial, or
invalid.";

const COMPARE_EXIT_CODES: &str = "\
Exit codes: 0 B is not slower; 1 not comparable, or wrong usage; 3 B is slower; 4 undecided.";

const TREND_EXIT_CODES: &str = "\
Exit codes: 0 good; 1 wrong usage, or no such result; 3 a figure became worse, with
--fail-on-change.";

const GATE_EXIT_CODES: &str = "\
Exit codes: 0 passed; 1 wrong usage, or a missing file or program; 2 errors or wrong answers;
3 failed: the head is slower; 4 undecided, or interrupted.";

/// Loads a containerd sandboxer with seeded pods, checks every reply, and measures.
///
/// A pod passes its whole lifecycle: its sandbox is created and started; its
/// containers are created from OCI bundles with random CPU, memory and process
/// limits, started, inspected, killed and deleted; the sandbox is stopped and
/// removed. The same seed gives the same requests, byte for byte.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// Command to run.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Parses a command line, program name first. Variables with an empty value count as not
    /// set.
    ///
    /// # Errors
    /// Wrong usage, and requests for help or the version.
    pub fn read(args: &[OsString]) -> Result<Self, clap::Error> {
        let command = options::ignore_empty(Self::command(), |name| std::env::var_os(name));
        Self::from_arg_matches(&command.try_get_matches_from(args)?)
    }
}

/// Commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run pods through a sandboxer and report latencies, rates and errors.
    ///
    /// Without options it starts a resource-slot-sandboxer of its own on a private
    /// socket and directory, runs the 2,000 pods of the scenario `churn` through it,
    /// stops it, prints a table, and saves results/run-TIME-SEED/ with report.html,
    /// result.json, latencies.hlog (HdrHistogram log format), CSV files and
    /// sandboxer.log. With --target cri it also starts a containerd that runs its
    /// pods on that sandboxer, and loads containerd over CRI.
    ///
    /// The first Ctrl-C starts no more pods, lets the pods under way end, and saves a
    /// partial result. A second Ctrl-C drops everything.
    #[command(after_help = EXIT_CODES)]
    #[command(after_long_help = concat!(
        "Examples:\n",
        "  loadgen run\n",
        "  loadgen run --pods 20000 --seed 7 --containers 2-2\n",
        "  loadgen run steady --rate 300 --duration 1m\n",
        "  loadgen run ./scenario.toml --seed 7\n",
        "  loadgen run --endpoint /run/resource-slot-sandboxer.sock --concurrency 8\n",
        "  loadgen run --slo 'pod.p99<200ms' --slo 'pod.rate>500'\n",
        "  loadgen run --sandboxer-arg=--sync --sandboxer-arg=always\n",
        "  loadgen run --target cri --pods 500 --concurrency 16\n",
        "  loadgen run --target cri --endpoint /run/containerd/containerd.sock\n",
        "  loadgen run --quiet --json | jq .totals\n\n",
        "Exit codes: 0 good; 1 wrong usage, or a missing file or program; 2 errors or wrong ",
        "answers;\n",
        "3 a bar was missed; 4 interrupted, with the measurements until then saved as partial, or\n",
        "invalid."
    ))]
    Run(Box<RunArgs>),
    /// Measure the time that containerd and the sandboxer each add to a pod.
    ///
    /// The same pods run, one at a time and in turns, at four layers: on a sandboxer
    /// that does nothing (floor) and on the sandboxer (direct), both with exactly the
    /// calls of containerd; over CRI on the sandboxer; and over CRI through a
    /// containerd on the sandboxer. All of them are started on private sockets and
    /// directories. The result divides the time of a pod through containerd between
    /// the protocol, the sandboxer and containerd. It also shows the cost of
    /// containerd, the difference between the last two layers. Both have 95 %
    /// confidence intervals over the rounds. The result is saved as
    /// results/overhead-TIME-SEED/.
    #[command(after_help = EXIT_CODES)]
    Overhead(Box<OverheadArgs>),
    /// Find the highest rate of pods that meets a threshold.
    ///
    /// Rates are tried in geometric steps until one misses, then between the highest
    /// rate that met the threshold and the lowest that missed. Each try is an open
    /// loop of its own with a warm-up, --duration long; a rate that misses is tried
    /// once more. The outcome of a try is unknown if the thresholds are missed only by
    /// the lag of this program, or if a percentile of so few pods may be on either side
    /// of its threshold: up to four such tries are added up. The result, with the curve
    /// of latency over rate and its knee, is saved as results/search-TIME-SEED/.
    #[command(after_help = EXIT_CODES)]
    Search(Box<SearchArgs>),
    /// Measure the memory and file descriptors that a living pod costs each process.
    ///
    /// The pods of the scenario are started and stay. At several densities, memory
    /// and file descriptors of each process are read. The cost of a pod is the slope
    /// of a line through these points, with its 95 % confidence interval. The result
    /// is saved as results/density-TIME-SEED/.
    #[command(after_help = EXIT_CODES)]
    Density(Box<DensityArgs>),
    /// Make a trace of the pods of a node from the journal of a sandboxer.
    ///
    /// A trace contains pods with their arrivals, requests and stays. `loadgen run
    /// --record` makes the trace of a run. To record from its beginning, a sandboxer
    /// must run with --history.
    #[command(after_help = EXIT_CODES)]
    Record(RecordArgs),
    /// Replay a trace: the same pods at the same times, or faster or slower.
    ///
    /// The replay is an open loop, measured and saved like a run. The hash of its
    /// plan is the hash of the recorded plan.
    #[command(after_help = EXIT_CODES)]
    Replay(Box<ReplayArgs>),
    /// List the shipped scenarios, or show one.
    Scenarios(ScenariosCommand),
    /// Make the page of a saved result again, or show results as text or in a table.
    ///
    /// The page is made from result.json and latencies.hlog in the directory.
    Report(ReportArgs),
    /// Write the figures or verdicts of saved results in the format of another tool.
    ///
    /// The figures are those by which runs are compared: latencies, rate, CPU time per pod.
    Export(ExportArgs),
    /// Merge the results of parts that ran in parallel.
    ///
    /// The parts must have the same scenario, apart from seed and number of pods. The
    /// merged result is the result that one run would have measured: histograms are
    /// added, not averaged.
    Merge(MergeArgs),
    /// Print the JSON schema of a run's result.json.
    Schema,
    /// Compare runs of two programs with the same plan on the same machine.
    ///
    /// The unit of the comparison is a run: a verdict takes three runs a side at least, and
    /// five find a slowdown of 11 % where CPU time varies by 3 % from run to run. Make them
    /// with `loadgen run --repeat 5`. CPU time per pod and the median latency of a pod decide,
    /// tested together so that at most 1 in 20 comparisons of a program with itself calls one
    /// of them slower; further figures are shown. Single runs are judged if they carry the
    /// calibration of the machine (`loadgen calibrate`), and are undecided otherwise.
    ///
    /// The comparison has the ratio B/A of median, 99th percentile and mean for each
    /// operation, of pods per second for the run, and of CPU time per pod for each
    /// process, with 95 % confidence intervals. Results that are not comparable are refused.
    #[command(after_help = COMPARE_EXIT_CODES)]
    Compare(Box<CompareArgs>),
    /// Measure how much the figures of one program vary from run to run on this machine.
    ///
    /// A short load runs again and again, each time with a newly started server, for about a
    /// minute. The table shows the spread of each figure, and the slowdowns that `loadgen
    /// compare` finds here with 1, 3, 5 and 10 runs of each program. The spread is saved as
    /// calibration.json in the directory for results; `loadgen run --calibration` copies it
    /// into results, so that `loadgen compare` can judge single runs.
    #[command(after_help = EXIT_CODES)]
    Calibrate(Box<CalibrateArgs>),
    /// Find the points at which figures of many results changed.
    ///
    /// Each directory is a point of the series, such as a commit or a day: a result, or several
    /// of the same load, whose median counts. The points are put in the order of their times.
    /// CPU time per pod of the tested processes and the median latency of a pod are tested: if
    /// nothing changes, a change is found in at most --alpha of the trends.
    #[command(after_help = TREND_EXIT_CODES)]
    Trend(TrendArgs),
    /// Decide whether one build of the sandboxer is slower than another.
    ///
    /// Both builds are started on this machine, on private sockets and directories,
    /// and serve the same pods in turns of some dozen pods on one CPU. After the first
    /// blocks of rounds the gate says how noisy the machine is and which increase it
    /// can find in --max-minutes. After each of a few looks it passes (the head is
    /// not slower by --min-effect), fails (it is slower by at least that), or goes on.
    /// The result is saved as results/gate-TIME-SEED/.
    #[command(after_help = GATE_EXIT_CODES)]
    Gate(Box<GateArgs>),
    /// Run one pod from the JSON files that crictl takes, and leave it running.
    ///
    /// It is run over CRI on the server at --endpoint, and so are its containers. Their
    /// ids are printed, that of the pod first. Images that the server lacks are pulled.
    #[command(after_long_help = concat!(
        "Examples:\n",
        "  loadgen pod --endpoint /run/resource-slot-sandboxer.sock pod.json container.json\n",
        "  loadgen pod --endpoint /run/resource-slot-sandboxer.sock --id test-sandbox pod.json"
    ))]
    Pod(Box<PodArgs>),
    /// Show the hash of a plan, or one of its pods.
    Plan(Box<PlanCommand>),
    /// Serve as a sandboxer that keeps only the state needed for its answers.
    #[command(hide = true)]
    Null(NullArgs),
    /// Run a program, and wait for the processes that outlive their parents below it.
    #[command(hide = true)]
    Supervise {
        /// Directory of the cgroup to run in.
        #[arg(long, env = "LOADGEN_CGROUP", value_name = "DIR")]
        cgroup: Option<PathBuf>,
        /// Program and its arguments.
        #[arg(required = true, last = true)]
        program: Vec<OsString>,
    },
    /// Run pods without plan, checks, clocks and histograms, and print pods per
    /// second.
    #[command(hide = true)]
    Bare(BareArgs),
    /// Check whether the memory and descriptors of the processes of a run stayed
    /// level.
    #[command(hide = true)]
    Level(LevelArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Name of the shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    Man {
        /// Existing directory for the pages.
        dir: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(args: &[&str]) -> Result<RunArgs, clap::Error> {
        let cli = Cli::try_parse_from(["loadgen", "run"].iter().chain(args))?;
        match cli.command {
            Command::Run(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_its_environment_variable() {
        for command in Cli::command().get_subcommands() {
            for arg in command
                .get_arguments()
                .filter(|arg| arg.get_long().is_some())
            {
                let name = arg.get_long().unwrap();
                if name == "help" {
                    continue;
                }
                let variable = format!("LOADGEN_{}", name.to_uppercase().replace('-', "_"));
                assert_eq!(arg.get_env().unwrap(), &*variable);
            }
        }
    }

    #[test]
    fn without_options_it_is_the_documented_run() {
        let args = run(&[]).unwrap();
        assert_eq!(args.scenario.scenario, None);
        assert_eq!(args.scenario.overrides, OverrideArgs::default());
        assert_eq!(args.target.endpoint, None);
    }

    #[test]
    fn arguments_are_passed_through_with_their_hyphens() {
        let args = run(&["--sandboxer-arg=--sync", "--sandboxer-arg", "--views=off"]).unwrap();
        assert_eq!(args.target.sandboxer_args, ["--sync", "--views=off"]);
    }

    #[test]
    fn contradictory_and_out_of_range_options_are_refused() {
        for args in [
            &["--endpoint", "/a", "--sandboxer", "/b"][..],
            &["--endpoint", "/a", "--containerd", "/b"],
            &["--target", "carrier-pigeon"],
            &["--endpoint", "tcp://a"],
            &["--pods", "0"],
            &["--concurrency", "0"],
            &["--timeout", "0s"],
            &["--timeout", "soon"],
            &["--namespace", "a/b"],
            &["--signal", "hup"],
        ] {
            assert!(run(args).is_err(), "{args:?}");
        }
    }
}
