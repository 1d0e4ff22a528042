//! The command line: flags, environment, and a configuration file below both.

mod pods;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use containerd_sandbox::SocketPath;
use containerd_sandbox::server::MAX_GRPC_MESSAGE;
use sandboxer::inspect;
use sandboxer::live::{HostRules, KubeletRoot, LogRoot};
use sandboxer::streaming::DEFAULT_LISTEN;

use journal::Sync;
use otlp::Endpoint;
pub(crate) use pods::PodArgs;
use tracing::Level;
use values::{
    OnInvalid, ViewMode, WeightFormula, between, bytes_between, kubelet_root, log_root, socket,
    some_bytes,
};

/// Environment variable of `--behaviour`, and its earlier name, which still works.
const BEHAVIOUR_ENV: &str = "RESOURCE_SLOT_BEHAVIOUR";
const OLD_BEHAVIOUR_ENV: &str = "RESOURCE_SLOT_LIVES";
/// Earlier name of `--behaviour`, as a flag and in the configuration file.
const OLD_BEHAVIOUR: &str = "lives";

/// A containerd sandboxer that allocates nothing: it starts no process, mounts nothing and
/// isolates nothing, but tracks the resources that every pod and container asks for.
///
/// It answers gRPC (containerd.services.sandbox.v1.Controller; CRI:
/// runtime.v1.RuntimeService and ImageService) and ttrpc
/// (containerd.runtime.sandbox.v1.Sandbox, containerd.task.v3.Task) on one Unix socket, and
/// writes DIR/SANDBOX/resource_info.json for every sandbox.
#[derive(Debug, Parser)]
#[command(
    name = "resource-slot-sandboxer",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Every option can also be set by the environment variable shown, or in the file of \
                  --config as `name = value` (TOML). A flag wins over the environment, that over the file."
)]
pub(crate) struct Cli {
    /// Command to run instead of serving.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Options of serving.
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the sandboxes in a directory, from its journal; no daemon is needed.
    Inspect(InspectArgs),
    /// Print a completion script for a shell.
    Completions {
        /// Shell to print the script for.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages.
    Man {
        /// Existing directory for the pages.
        dir: PathBuf,
    },
}

/// Selection of what `inspect` shows.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Directory of the journal, as given to the daemon.
    #[arg(
        long,
        env = "RESOURCE_SLOT_DIR",
        value_name = "DIR",
        default_value = "/var/lib/kuasar-resource-slot"
    )]
    dir: PathBuf,
    /// Print everything as one JSON object.
    #[arg(long, conflicts_with_all = ["containers", "no_trunc"])]
    json: bool,
    /// Add a row for each container.
    #[arg(long)]
    containers: bool,
    /// Show ids in full.
    #[arg(long)]
    no_trunc: bool,
}

impl From<&InspectArgs> for inspect::Options {
    fn from(args: &InspectArgs) -> Self {
        Self {
            dir: args.dir.clone(),
            json: args.json,
            containers: args.containers,
            full_ids: args.no_trunc,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Unix socket to listen on, PATH or unix:///PATH; created with mode 0600. A socket that the
    /// service manager passes takes its place.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LISTEN",
        value_name = "SOCKET",
        default_value = "/run/resource-slot-sandboxer.sock",
        value_parser = socket()
    )]
    pub(crate) listen: SocketPath,
    /// Directory of the journal and the resource_info.json files; created with mode 0700.
    #[arg(
        long,
        env = "RESOURCE_SLOT_DIR",
        value_name = "DIR",
        default_value = "/var/lib/kuasar-resource-slot"
    )]
    pub(crate) dir: PathBuf,
    /// Level of the log: error, warn, info (changes of sandboxes), debug (of containers,
    /// too) or trace.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub(crate) log_level: Level,
    /// Format of the log, which goes to standard error.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub(crate) log_format: LogFormat,
    /// Changes that a power cut may lose: everything since the kernel last wrote (none),
    /// the last interval and the time of one sync (interval=10ms), or nothing acknowledged
    /// (always). A crash of the daemon loses nothing in any mode.
    #[arg(
        long,
        env = "RESOURCE_SLOT_SYNC",
        value_name = "MODE",
        default_value = "none"
    )]
    pub(crate) sync: Sync,
    /// When resource_info.json files are written: before the reply to the call that creates
    /// or updates one (write-through; sums and removals within 100 ms), all within 100 ms
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
    /// Take a snapshot in place of the journal's old segments after this many bytes, such as
    /// 16MiB, were appended since the last one, or twice its size if that is more; earlier at a start
    /// and where the file system has little room left.
    #[arg(
        long,
        env = "RESOURCE_SLOT_COMPACT_BYTES",
        value_name = "BYTES",
        default_value = "16MiB",
        value_parser = some_bytes
    )]
    pub(crate) compact_bytes: u64,
    /// Start in spite of a corrupt journal or list of images: drop the unreadable records,
    /// report them, and keep the damaged files aside.
    #[arg(long, env = "RESOURCE_SLOT_RECOVER", action = ArgAction::SetTrue,
          value_parser = BoolishValueParser::new())]
    pub(crate) recover: bool,
    /// Treatment of a resource value, or another used field of an OCI spec, that cannot be
    /// read: refuse the request (reject), or log it and go on without the value (warn).
    #[arg(
        long,
        env = "RESOURCE_SLOT_ON_INVALID",
        value_name = "ACTION",
        default_value = "reject"
    )]
    pub(crate) on_invalid: OnInvalid,
    /// Formula by which a cpu.weight in `unified` was made of CPU shares: that of runc before
    /// 1.3.2 and crun before 1.23 (linear), or that of these versions and later ones
    /// (quadratic).
    #[arg(
        long,
        env = "RESOURCE_SLOT_CPU_WEIGHT_FORMULA",
        value_name = "FORMULA",
        default_value = "linear"
    )]
    pub(crate) cpu_weight_formula: WeightFormula,
    /// Address and port at which Exec, Attach and PortForward of CRI are answered over
    /// SPDY and WebSocket; port 0 is any free one. A client that reaches it also needs a URL that
    /// was given out.
    #[arg(
        long,
        env = "RESOURCE_SLOT_STREAMING_LISTEN",
        value_name = "ADDRESS",
        default_value_t = DEFAULT_LISTEN
    )]
    pub(crate) streaming_listen: SocketAddr,
    /// Directory below which alone log files of CRI's containers are written, such as
    /// /var/log/pods; no link below it is followed. Without it a client may name any log
    /// directory.
    #[arg(
        long,
        env = "RESOURCE_SLOT_LOG_ROOT",
        value_name = "DIR",
        value_parser = log_root
    )]
    pub(crate) log_root: Option<LogRoot>,
    /// Rules for the files of the node that containers mount.
    #[command(flatten)]
    pub(crate) host: HostArgs,
    /// Addresses of pods, and answers on them.
    #[command(flatten)]
    pub(crate) pods: PodArgs,
    /// Time after which a session of Exec, Attach or PortForward without traffic in either
    /// direction is closed, as kubelet's streamingConnectionIdleTimeout.
    #[arg(
        long,
        env = "RESOURCE_SLOT_STREAMING_IDLE_TIMEOUT",
        value_name = "DURATION",
        default_value = "4h",
        value_parser = humantime::parse_duration
    )]
    pub(crate) streaming_idle_timeout: Duration,
    /// Address and port at which GET /metrics is answered for Prometheus, such as
    /// 127.0.0.1:9464; port 0 is any free one. Without it nothing is counted. Every client
    /// that reaches it sees the names of namespaces and handlers.
    #[arg(long, env = "RESOURCE_SLOT_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Show metrics of single pods, too, of this many at most: the oldest ones.
    #[arg(
        long,
        env = "RESOURCE_SLOT_METRICS_PER_POD",
        value_name = "MAX",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=100_000)
    )]
    pub(crate) metrics_per_pod: u32,
    /// Send a span of each RPC to the OpenTelemetry receiver at this address, such as
    /// http://127.0.0.1:4318, by OTLP over HTTP without TLS. Without it no span is made.
    #[arg(long, env = "RESOURCE_SLOT_OTLP", value_name = "URL")]
    pub(crate) otlp: Option<Endpoint>,
    /// Exit code of a command in a container that the built-in userland does not have; 127
    /// is a shell's. With 0 the command prints nothing either, as a probe that succeeds.
    #[arg(
        long,
        env = "RESOURCE_SLOT_UNKNOWN_COMMAND",
        value_name = "CODE",
        default_value_t = 127
    )]
    pub(crate) unknown_command: u8,
    /// Memory of the node, such as 16GiB, as its kubelet sees it: with it the OOM score adjustment
    /// of a container tells its memory request, of which the simulated usage is a share. By
    /// default the memory of this machine.
    #[arg(
        long,
        env = "RESOURCE_SLOT_NODE_MEMORY",
        value_name = "BYTES",
        value_parser = some_bytes
    )]
    pub(crate) node_memory: Option<u64>,
    /// TOML file with the behaviour of pods and containers whose annotations state none: how
    /// long their starts take, when and how they end, what they use and log; and with the
    /// calls that fail.
    #[arg(long, alias = OLD_BEHAVIOUR, env = BEHAVIOUR_ENV, value_name = "FILE")]
    pub(crate) behaviour: Option<PathBuf>,
    /// TOML file with images whose configuration is known: user, command, environment, digest,
    /// size, and all names of each. Another image is known by its name alone.
    #[arg(long, env = "RESOURCE_SLOT_IMAGES", value_name = "FILE")]
    pub(crate) images: Option<PathBuf>,
    /// Time from a signal to the end of the process. containerd needs the reply to Kill
    /// before the one to Wait: with one thread that order is certain, and the default is no
    /// delay; with more it is 1ms.
    #[arg(
        long,
        env = "RESOURCE_SLOT_EXIT_DELAY",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub(crate) exit_delay: Option<Duration>,
    /// Socket of the containerd whose sandboxer this is, such as
    /// /run/containerd/containerd.sock. containerd gets task events, and sandboxes that it
    /// has given up are deleted. It may be away.
    #[arg(
        long,
        env = "RESOURCE_SLOT_CONTAINERD_ADDRESS",
        value_name = "SOCKET",
        value_parser = socket()
    )]
    pub(crate) containerd_address: Option<SocketPath>,
    /// Number of a user who may connect beside root and the user of this daemon; may be
    /// repeated. With it the socket has mode 0666, and each connection's user is checked.
    #[arg(
        long,
        env = "RESOURCE_SLOT_ALLOW_UID",
        value_name = "UID",
        value_delimiter = ','
    )]
    pub(crate) allow_uid: Vec<u32>,
    /// Limits of clients.
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Number of threads that serve requests. One thread needs no wake-ups between threads,
    /// and is enough for tens of thousands of requests a second.
    #[arg(
        long,
        env = "RESOURCE_SLOT_THREADS",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub(crate) threads: u16,
    /// End with the parent process, however that ends: for harnesses.
    #[arg(long, env = "RESOURCE_SLOT_DIE_WITH_PARENT", action = ArgAction::SetTrue,
          value_parser = BoolishValueParser::new())]
    pub(crate) die_with_parent: bool,
    /// For tests of measurements only: burn this many percent of all used CPU time on top
    /// of it.
    #[arg(
        long,
        env = "RESOURCE_SLOT_TEST_SLOWDOWN",
        value_name = "PERCENT",
        default_value_t = 0,
        value_parser = clap::value_parser!(u32).range(0..=1000),
        hide = true
    )]
    pub(crate) test_slowdown: u32,
    /// TOML file that sets any of these options.
    #[arg(long, env = "RESOURCE_SLOT_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Rules for the files of the node that containers mount.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Leave files of the node alone: the mounts of containers are empty, and termination
    /// messages are not written. Without it commands see the files of a mount, read-only.
    #[arg(long, env = "RESOURCE_SLOT_NO_HOST_READS", action = ArgAction::SetTrue,
          value_parser = BoolishValueParser::new())]
    pub(crate) no_host_reads: bool,
    /// Directory of the kubelet, its --root-dir. Below it alone, termination messages of
    /// containers are written, into the files that the kubelet has made; no link below it is
    /// followed.
    #[arg(
        long,
        env = "RESOURCE_SLOT_KUBELET_ROOT",
        value_name = "DIR",
        default_value_t = KubeletRoot::default(),
        value_parser = kubelet_root
    )]
    pub(crate) kubelet_root: KubeletRoot,
}

impl From<&HostArgs> for HostRules {
    fn from(args: &HostArgs) -> Self {
        Self {
            is_off: args.no_host_reads,
            kubelet_root: args.kubelet_root.clone(),
        }
    }
}

/// Limits of clients; a request beyond one is answered `ResourceExhausted`.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Longest message in bytes, such as 1MiB; over ttrpc at most 4 MiB, which is that
    /// protocol's own limit.
    #[arg(
        id = "max_message_size",
        long = "max-message-size",
        env = "RESOURCE_SLOT_MAX_MESSAGE_SIZE",
        value_name = "BYTES",
        default_value = "16MiB",
        value_parser = bytes_between(1 << 10, MAX_GRPC_MESSAGE)
    )]
    pub(crate) message_size: usize,
    /// Largest number of connections at once; a few hundred more are answered with the
    /// limit, the rest are closed.
    #[arg(
        id = "max_connections",
        long = "max-connections",
        env = "RESOURCE_SLOT_MAX_CONNECTIONS",
        value_name = "N",
        default_value_t = 1 << 14,
        value_parser = between(1, 1 << 20)
    )]
    pub(crate) connections: usize,
    /// Largest number of calls at once, without those of --max-waits. One connection may have
    /// half of them, and one user of --allow-uid a quarter.
    #[arg(
        id = "max_in_flight",
        long = "max-in-flight",
        env = "RESOURCE_SLOT_MAX_IN_FLIGHT",
        value_name = "N",
        default_value_t = 1 << 18,
        value_parser = between(1, 1 << 30)
    )]
    pub(crate) in_flight: usize,
    /// Largest number of calls at once that wait for an end, such as Wait, and of streams of
    /// events. containerd holds one for each pod and one for each container. One connection may
    /// have half of them, and one user of --allow-uid a quarter.
    #[arg(
        id = "max_waits",
        long = "max-waits",
        env = "RESOURCE_SLOT_MAX_WAITS",
        value_name = "N",
        default_value_t = 1 << 23,
        value_parser = between(1, 1 << 30)
    )]
    pub(crate) waits: usize,
    /// Largest number of sandboxes; sandboxes that exist at a start stay.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line of text per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// Parses the command line, with the configuration file's values as defaults.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let args: Vec<OsString> = args.into_iter().collect();
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let command = options::ignore_empty(command(is_set), |name| std::env::var_os(name));
    let matches = command.clone().try_get_matches_from(&args);
    let matches = matches.map_err(|e| options::naming_variable(e, &command, &args))?;
    let cli = Cli::from_arg_matches(&matches)?;
    let Some(file) = &cli.serve.config else {
        return Ok(cli);
    };
    let configured = options::with_defaults(command.clone(), file, &[(OLD_BEHAVIOUR, "behaviour")]);
    let configured = configured.map_err(|reason| {
        let message = format!("configuration file {}: {reason}", file.display());
        let kind = clap::error::ErrorKind::InvalidValue;
        command.clone().error(kind, message)
    })?;
    Cli::from_arg_matches(&configured.try_get_matches_from(&args)?)
}

/// Returns the definition of the command line. If only the earlier environment variable of
/// the behaviour file is set, the definition reads that one.
fn command(is_set: impl Fn(&str) -> bool) -> clap::Command {
    let command = Cli::command();
    if is_set(OLD_BEHAVIOUR_ENV) && !is_set(BEHAVIOUR_ENV) {
        command.mut_arg("behaviour", |arg| arg.env(OLD_BEHAVIOUR_ENV))
    } else {
        command
    }
}

#[cfg(test)]
mod tests;
