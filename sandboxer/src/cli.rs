//! The command line: flags, environment, and a configuration file below both.

mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{BoolishValueParser, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use containerd_sandbox::server::MAX_GRPC_MESSAGE;
use sandboxer::inspect::InspectArgs;
use sandboxer::streaming::DEFAULT_LISTEN;

use journal::{Options, Sync};
use tracing::Level;
use values::{OnInvalid, ViewMode};

/// A containerd sandboxer that allocates nothing: it starts no process, mounts nothing and
/// isolates nothing, but tracks what every pod and container asks for.
///
/// It answers gRPC (containerd.services.sandbox.v1.Controller; CRI: runtime.v1.RuntimeService
/// and ImageService) and ttrpc (containerd.runtime.sandbox.v1.Sandbox,
/// containerd.task.v3.Task) on one Unix socket, and writes DIR/SANDBOX/resource_info.json for every sandbox.
#[derive(Debug, Parser)]
#[command(
    name = "resource-slot-sandboxer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Every option can also be set by the environment variable shown, or in the file of \
                  --config as `name = value` (TOML). A flag wins over the environment, that over the file."
)]
pub(crate) struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the sandboxes that a directory holds, from its journal; no daemon is needed.
    Inspect(InspectArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The Unix socket to listen on; created with mode 0600.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LISTEN",
        value_name = "PATH",
        default_value = "/run/resource-slot-sandboxer.sock"
    )]
    pub(crate) listen: PathBuf,
    /// The directory of the journal and the resource_info.json files; created with mode 0700.
    #[arg(
        long,
        env = "RESOURCE_SLOT_DIR",
        value_name = "DIR",
        default_value = "/var/lib/kuasar-resource-slot"
    )]
    pub(crate) dir: PathBuf,
    /// What to log: error, warn, info (what becomes of sandboxes), debug (of containers, too) or
    /// trace.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub(crate) log_level: Level,
    /// How to log, to standard error.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
    /// What a power cut may lose: everything since the kernel last wrote (none), the last
    /// interval and the time of one sync (interval=10ms), or nothing acknowledged (always).
    /// A crash of the daemon loses nothing in any mode.
    #[arg(
        long,
        env = "RESOURCE_SLOT_SYNC",
        value_name = "MODE",
        default_value = "none"
    )]
    pub(crate) sync: Sync,
    /// When resource_info.json files are written: before the reply to what creates or
    /// updates one (write-through; sums and removals within 100 ms), all within 100 ms
    /// (write-behind), or never (off).
    #[arg(
        long,
        env = "RESOURCE_SLOT_VIEWS",
        value_name = "MODE",
        default_value = "write-through"
    )]
    pub(crate) views: ViewMode,
    /// Keep the journal's old segments when a snapshot has replaced them.
    #[arg(long, env = "RESOURCE_SLOT_HISTORY", action = ArgAction::SetTrue,
          value_parser = BoolishValueParser::new())]
    pub(crate) history: bool,
    /// Take a snapshot in place of the journal's old segments when so many bytes were
    /// appended since the last one, or twice its size if that is more; earlier at a start
    /// and where the file system has little room left.
    #[arg(
        long,
        env = "RESOURCE_SLOT_COMPACT_BYTES",
        value_name = "BYTES",
        default_value_t = Options::default().compact_min_bytes,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub(crate) compact_bytes: u64,
    /// Start in spite of a corrupt journal: drop what cannot be read, say what that was,
    /// and keep the damaged files aside.
    #[arg(long, env = "RESOURCE_SLOT_RECOVER", action = ArgAction::SetTrue,
          value_parser = BoolishValueParser::new())]
    pub(crate) recover: bool,
    /// What to do with a resource value that cannot be read: refuse the request (reject), or
    /// log it and go on without the value (warn).
    #[arg(
        long,
        env = "RESOURCE_SLOT_ON_INVALID",
        value_name = "ACTION",
        default_value = "reject"
    )]
    pub(crate) on_invalid: OnInvalid,
    /// Where Exec, Attach and PortForward of CRI are answered, over WebSocket: an address and
    /// port, 0 for any free one. Whoever can reach it needs a URL that was given out.
    #[arg(
        long,
        env = "RESOURCE_SLOT_STREAMING_LISTEN",
        value_name = "ADDRESS",
        default_value_t = DEFAULT_LISTEN
    )]
    pub(crate) streaming_listen: SocketAddr,
    /// Where GET /metrics is answered for Prometheus: an address and port such as
    /// 127.0.0.1:9464, 0 for any free one. Without it nothing is counted. Whoever can reach it
    /// sees the names of namespaces and handlers.
    #[arg(long, env = "RESOURCE_SLOT_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Show metrics of single pods, too, of so many at most: the oldest ones.
    #[arg(
        long,
        env = "RESOURCE_SLOT_METRICS_PER_POD",
        value_name = "MAX",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=100_000)
    )]
    pub(crate) metrics_per_pod: u32,
    /// The exit code of a command in a container that the built-in userland does not know; 127
    /// is a shell's. With 0 it also says nothing of it, as a probe that finds all well.
    #[arg(
        long,
        env = "RESOURCE_SLOT_UNKNOWN_COMMAND",
        value_name = "CODE",
        default_value_t = 127
    )]
    pub(crate) unknown_command: u8,
    /// A TOML file that says how pods and containers live that do not say otherwise: how
    /// long their starts take, when and how they end, what they use and log; and which
    /// calls fail.
    #[arg(long, env = "RESOURCE_SLOT_LIVES", value_name = "FILE")]
    pub(crate) lives: Option<PathBuf>,
    /// How long after a signal a process is seen to end. containerd needs the reply to Kill
    /// before the one to Wait: with one thread that order is certain, and the default is no
    /// delay; with more it is 1ms.
    #[arg(
        long,
        env = "RESOURCE_SLOT_EXIT_DELAY",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub(crate) exit_delay: Option<Duration>,
    /// The socket of the containerd whose sandboxer this is, such as
    /// /run/containerd/containerd.sock. It is told of task events, and sandboxes that it has
    /// given up are forgotten. It may be away.
    #[arg(long, env = "RESOURCE_SLOT_CONTAINERD_ADDRESS", value_name = "PATH")]
    pub(crate) containerd_address: Option<PathBuf>,
    /// Who may connect beside root and the user that runs this: a user's number; may be
    /// repeated. With it the socket has mode 0666, and who connects is looked at.
    #[arg(
        long,
        env = "RESOURCE_SLOT_ALLOW_UID",
        value_name = "UID",
        value_delimiter = ','
    )]
    pub(crate) allow_uid: Vec<u32>,
    /// What peers may take up.
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Threads that serve requests. One wakes nobody else, and is enough for tens of thousands
    /// of requests a second.
    #[arg(
        long,
        env = "RESOURCE_SLOT_THREADS",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub(crate) threads: u16,
    /// End with the process that started this one, however that ends: for harnesses.
    #[arg(long, env = "RESOURCE_SLOT_DIE_WITH_PARENT", action = ArgAction::SetTrue,
          value_parser = BoolishValueParser::new())]
    pub(crate) die_with_parent: bool,
    /// For tests of what is to notice it, and for nothing else: burn so many percent of the
    /// CPU time that everything takes on top of it.
    #[arg(
        long,
        env = "RESOURCE_SLOT_TEST_SLOWDOWN",
        value_name = "PERCENT",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=1000),
        hide = true
    )]
    pub(crate) test_slowdown: u32,
    /// A TOML file that sets any of these options.
    #[arg(long, env = "RESOURCE_SLOT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// What peers may take up; whoever wants more is answered `ResourceExhausted`.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// The longest message that is taken, in bytes; over ttrpc at most 4 MiB, which is that
    /// protocol's own limit.
    #[arg(
        id = "max_message_size",
        long = "max-message-size",
        env = "RESOURCE_SLOT_MAX_MESSAGE_SIZE",
        value_name = "BYTES",
        default_value_t = MAX_GRPC_MESSAGE,
        value_parser = between(1 << 10, MAX_GRPC_MESSAGE)
    )]
    pub(crate) message_size: usize,
    /// How many connections there may be at once; a few hundred more are told so, the rest
    /// are closed.
    #[arg(
        id = "max_connections",
        long = "max-connections",
        env = "RESOURCE_SLOT_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 1 << 14,
        value_parser = between(1, 1 << 20)
    )]
    pub(crate) connections: usize,
    /// How many calls may be under way at once, those that wait for an end included.
    #[arg(
        id = "max_in_flight",
        long = "max-in-flight",
        env = "RESOURCE_SLOT_MAX_IN_FLIGHT",
        value_name = "N",
        default_value_t = 1 << 18,
        value_parser = between(1, 1 << 30)
    )]
    pub(crate) in_flight: usize,
    /// How many sandboxes there may be; those that are there at a start stay.
    #[arg(
        id = "max_sandboxes",
        long = "max-sandboxes",
        env = "RESOURCE_SLOT_MAX_SANDBOXES",
        value_name = "N",
        default_value_t = 2_000_000,
        value_parser = between(1, 1 << 30)
    )]
    pub(crate) sandboxes: usize,
}

/// Reads a number within a range.
fn between(least: usize, most: usize) -> impl TypedValueParser<Value = usize> {
    let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    clap::value_parser!(u64)
        .range(wide(least)..=wide(most))
        // What is in the range came from a usize.
        .map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line of text an event.
    Text,
    /// One JSON object an event.
    Json,
}

/// Parses the command line, with the configuration file's values as defaults.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = Cli::try_parse_from(&args)?;
    let Some(file) = &cli.serve.config else {
        return Ok(cli);
    };
    let mut command = Cli::command();
    for (name, value) in read_config(file).map_err(|e| invalid_config(file, &e))? {
        let id = name.replace('-', "_");
        let known = command
            .get_arguments()
            .any(|arg| arg.get_id().as_str() == id && arg.get_long() == Some(&name));
        if !known || name == "config" {
            let reason = format!("unknown option {name:?}; --help lists them");
            return Err(invalid_config(file, &reason));
        }
        command = command.mut_arg(id, |arg| arg.default_value(value));
    }
    let matches = command
        .try_get_matches_from(&args)
        .map_err(|e| invalid_config(file, &e.to_string()))?;
    Cli::from_arg_matches(&matches)
}

fn invalid_config(file: &Path, reason: &str) -> clap::Error {
    Cli::command().error(
        clap::error::ErrorKind::InvalidValue,
        format!("configuration file {}: {reason}", file.display()),
    )
}

fn read_config(file: &Path) -> Result<Vec<(String, String)>, String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    table
        .into_iter()
        .map(|(name, value)| match value {
            toml::Value::String(text) => Ok((name, text)),
            toml::Value::Integer(number) => Ok((name, number.to_string())),
            toml::Value::Boolean(flag) => Ok((name, flag.to_string())),
            other => Err(format!(
                "{name}: a string, an integer or a boolean is needed, not {}",
                other.type_str()
            )),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Cli, clap::Error> {
        let program = std::iter::once("resource-slot-sandboxer");
        parse(program.chain(args.iter().copied()).map(OsString::from))
    }

    fn config(text: &str) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap().to_owned();
        (dir, path)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_command_line_of_the_documentation_works() {
        let cli = parsed(&[
            "--listen",
            "/run/resource-slot-sandboxer.sock",
            "--dir",
            "/var/lib/kuasar-resource-slot",
            "--log-level",
            "info",
        ])
        .unwrap();
        assert_eq!(cli.serve.log_level, Level::INFO);
        assert_eq!(cli.serve.views, ViewMode::WriteThrough);
    }

    #[test]
    fn a_file_sets_what_no_flag_does() {
        let (_dir, path) =
            config("views = \"off\"\nhistory = true\nthreads = 3\nlog-level = 'debug'");
        let cli = parsed(&["--config", &path, "--threads", "4"]).unwrap();
        assert_eq!(cli.serve.views, ViewMode::Off);
        assert!(cli.serve.history);
        assert_eq!(cli.serve.threads, 4);
        assert_eq!(cli.serve.log_level, Level::DEBUG);
    }

    #[test]
    fn metrics_are_off_unless_an_address_is_named_be_it_in_a_file() {
        assert_eq!(parsed(&[]).unwrap().serve.metrics_listen, None);
        let (_dir, path) = config("metrics-listen = '127.0.0.1:9464'\nmetrics-per-pod = 10");
        let serve = parsed(&["--config", &path]).unwrap().serve;
        let address = serve.metrics_listen.expect("an address");
        assert_eq!((address.port(), serve.metrics_per_pod), (9464, 10));
        let error = parsed(&["--metrics-listen", "9464"]).unwrap_err();
        assert!(error.to_string().contains("metrics-listen"), "{error}");
    }

    #[test]
    fn a_bad_file_is_named_with_what_is_wrong() {
        for (text, word) in [
            ("speed = 3", "speed"),
            ("config = 'x'", "config"),
            ("views = 'sideways'", "sideways"),
            ("views = [1]", "array"),
            ("views", "TOML"),
        ] {
            let (_dir, path) = config(text);
            let error = parsed(&["--config", &path]).unwrap_err().to_string();
            assert!(error.contains(&path), "{error}");
            assert!(error.contains(word) || word == "TOML", "{error}");
        }
    }
}
