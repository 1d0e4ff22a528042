//! The daemon from start to end: opens journal and views, serves, closes them.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use containerd_sandbox::server::{AllowedUsers, ApiCalls, Health, Limit, Limits, Observer, Server};
use exposition::MetricsServer;
use journal::{DirLock, Journal, Options, Report};
use pod_resources::Rules;
use rustix::fs::Mode;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit, umask,
};
use sandboxer::clock::Clock;
use sandboxer::cri::{Cri, CriCalls, ImageTable, PodCidrs};
use sandboxer::live::{Profile, ResourceSlotSandboxer, Settings};
use sandboxer::metrics::{self, Sources};
use sandboxer::probes::Answers;
use sandboxer::spans::Spans;
use sandboxer::streaming::StreamingServer;
use tracing::{error, info, warn};
use views::Views;

use crate::cli::ServeArgs;
use crate::service_manager::{self, State};
use crate::signals::{self, Signals};
use crate::socket::Socket;
use crate::{logging, memory, pod_network};

/// Default time from a signal to the end of the process on several threads, where no other
/// rule orders the reply to Kill before the one to Wait.
const EXIT_DELAY: Duration = Duration::from_millis(1);

/// Serves until SIGTERM, SIGINT or SIGHUP.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    keep_own_files_usable();
    // It changes the environment, so no other thread may run yet.
    let inherited = service_manager::inherited_socket()?;
    let mut runtime = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime
        .worker_threads(usize::from(args.threads))
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(serve(args, inherited))
}

/// Takes the bits of the owner out of the umask: a directory that its owner cannot enter would
/// stop this start, and every later one as well. The bits of others stay as they are.
fn keep_own_files_usable() {
    let found = umask(Mode::RWXU | Mode::RWXG | Mode::RWXO);
    umask(found & (Mode::RWXG | Mode::RWXO));
}

/// Returns the settings of the sandboxer that the options state.
fn settings(args: &ServeArgs, profile: Profile, clock: Clock) -> Settings {
    Settings {
        profile: Arc::new(profile),
        rules: Rules {
            on_invalid: args.on_invalid.into(),
            weight_formula: args.cpu_weight_formula.into(),
        },
        exit_delay: args.exit_delay.unwrap_or(match args.threads {
            1 => Duration::ZERO,
            _ => EXIT_DELAY,
        }),
        unknown_command: args.unknown_command,
        max_sandboxes: args.limits.sandboxes,
        log_root: args.log_root.clone().unwrap_or_default(),
        clock: Arc::new(clock),
        node_memory: args.node_memory.unwrap_or_else(memory::of_machine),
        host: (&args.host).into(),
        slowdown_percent: args.test_slowdown,
    }
}

async fn serve(args: &ServeArgs, inherited: Option<UnixListener>) -> Result<()> {
    // First of all: a signal that comes while the journal is read must not end the process.
    let mut signals = Signals::listen()?;
    signals::survive()?;
    logging::start(args.log_level, args.log_format);
    if args.die_with_parent {
        set_parent_process_death_signal(Some(Signal::TERM)).context("watch the parent process")?;
    }
    raise_descriptor_limit();
    let profile = match &args.behaviour {
        Some(file) => Profile::read(file)?,
        None => Profile::default(),
    };
    let images = match &args.images {
        Some(file) => ImageTable::read(file)?,
        None => ImageTable::default(),
    };
    let cidrs = PodCidrs::new(&args.pods.cidr).context("--pod-cidr")?;
    let dir = &args.dir;
    let _lock = DirLock::acquire(dir)?;
    let socket = Socket::choose(&args.listen, inherited).await?;
    let options = Options {
        sync: args.sync,
        history: args.history,
        recover: args.recover,
        compact_min_bytes: args.compact_bytes,
    };
    let (journal, recovered) = Journal::open(dir, options)?;
    info!("Recovered {}: {}", dir.display(), recovered.report);
    let views = Views::start(dir, args.views.into())?;
    let repaired = views.repair(&recovered.slots)?;
    info!("Views of {}: {repaired}", dir.display());

    let settings = settings(args, profile, Clock::open(dir, &recovered.slots));
    let sandboxer = Arc::new(ResourceSlotSandboxer::new(
        journal,
        views,
        recovered.slots,
        settings,
        args.containerd_address.as_ref().map(AsRef::as_ref),
    )?);
    pod_network::prepare(&args.pods, &cidrs)?;
    let answers = Answers::new(Arc::clone(&sandboxer), args.pods.answer_probes.clone());
    let listeners = pod_network::listen(&args.pods, answers.clone(), &cidrs)?;
    let streams =
        StreamingServer::start(args.streaming_listen, args.streaming_idle_timeout).await?;
    warn_of_exposure("--streaming-listen", streams.address());
    let cri = Cri::open(
        Arc::clone(&sandboxer),
        dir,
        streams,
        &cidrs,
        images,
        args.recover,
    )
    .context("open the CRI API")?
    .answering(&answers);
    let metrics = Metrics::start(args, &sandboxer, recovered.report)?;
    let limits = limits(args);
    let cri = cri.counted(&metrics.cri).limited(&limits);
    tokio::spawn(memory::give_back());
    let health = Health::new(Cri::SERVICES);
    let server = Server::new(Arc::clone(&sandboxer))
        .services(cri.routes())
        .health(health.clone())
        .calls(metrics.apis.clone())
        .limits(limits.clone());

    // The socket is the last that can refuse a start, so that a failed start leaves no socket
    // file, and no client meets a server that then gives up.
    let served = match signals.come().await {
        Some(name) => {
            info!("Stopping on {name}, before the socket was bound");
            service_manager::tell(State::Stopping);
            Ok(())
        }
        None => match socket.bind(&limits.users).await {
            Ok(bound) => {
                info!("Serving {} sandboxes on {}", sandboxer.len(), bound.path());
                service_manager::tell(State::Ready);
                let (listener, file) = bound.into_parts();
                let served = server
                    .serve(listener, stopped(signals, &sandboxer, health))
                    .await;
                file.remove();
                served.context("serve")
            }
            Err(refused) => Err(refused),
        },
    };
    drop(listeners);
    let closed = sandboxer.close().context("close the journal");
    match (&served, &closed) {
        (Ok(()), Ok(())) => info!("Stopped with {} sandboxes kept", sandboxer.len()),
        _ => error!("Stopped, not cleanly"),
    }
    served.and(closed)
}

/// Returns the limits of clients.
fn limits(args: &ServeArgs) -> Limits {
    Limits {
        message: args.limits.message_size,
        connections: Limit::new(args.limits.connections, "connections")
            .with_hint("see --max-connections"),
        in_flight: Limit::new(args.limits.in_flight, "calls under way")
            .with_hint("see --max-in-flight"),
        waits: Limit::new(args.limits.waits, "calls that wait for an end")
            .with_hint("see --max-waits"),
        users: AllowedUsers::new(args.allow_uid.clone()).with_hint("see --allow-uid"),
    }
}

/// Counters of RPCs, and the server that shows them until it is dropped.
#[derive(Default)]
struct Metrics {
    apis: ApiCalls,
    cri: CriCalls,
    _server: Option<MetricsServer>,
}

impl Metrics {
    /// Starts the metrics' server and the export of spans; without `--metrics-listen` and `--otlp`
    /// nothing is counted, shown or sent.
    fn start(
        args: &ServeArgs,
        sandboxer: &Arc<ResourceSlotSandboxer>,
        recovered: Report,
    ) -> Result<Self> {
        let counters = match &args.otlp {
            None if args.metrics_listen.is_none() => return Ok(Self::default()),
            None => (ApiCalls::counting(), CriCalls::counting()),
            Some(endpoint) => {
                let spans = Spans::start(endpoint.clone()).context("--otlp")?;
                let spans: Arc<dyn Observer> = Arc::new(spans);
                info!("Spans are sent to {endpoint}");
                let (apis, cri) = (ApiCalls::counting(), CriCalls::counting());
                (apis.observed(&spans), cri.observed(&spans))
            }
        };
        let (apis, cri) = counters;
        let Some(address) = args.metrics_listen else {
            return Ok(Self {
                apis,
                cri,
                _server: None,
            });
        };
        let registry = metrics::registry(Sources {
            sandboxer: Arc::clone(sandboxer),
            apis: apis.clone(),
            cri: cri.clone(),
            recovered,
            // A u32 fits.
            per_pod: usize::try_from(args.metrics_per_pod).unwrap_or(usize::MAX),
        });
        let server = MetricsServer::start(address, registry).context("--metrics-listen")?;
        info!("Metrics are served on http://{}/metrics", server.address());
        warn_of_exposure("--metrics-listen", server.address());
        Ok(Self {
            apis,
            cri,
            _server: Some(server),
        })
    }
}

/// Warns of a listener that other machines may reach: neither has TLS or a login.
fn warn_of_exposure(option: &str, address: SocketAddr) {
    if !address.ip().is_loopback() {
        warn!(
            "{option} {address} is no loopback address: every machine that reaches it may \
             connect, without encryption or login"
        );
    }
}

/// Waits for the first signal and until requests under way are answered, or for the second
/// signal.
async fn stopped(mut signals: Signals, sandboxer: &ResourceSlotSandboxer, health: Health) {
    let name = signals.next().await;
    info!("Stopping on {name}");
    service_manager::tell(State::Stopping);
    health.stop();
    tokio::select! {
        () = sandboxer.drain() => {}
        _ = signals.next() => {}
    }
}

/// Raises the limit of open files to its maximum: every connection and every held FIFO
/// takes a descriptor.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(e) = setrlimit(Resource::Nofile, raised) {
        warn!("cannot raise the limit of open files: {e}");
    }
}
