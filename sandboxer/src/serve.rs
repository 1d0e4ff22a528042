//! The daemon from start to end: opens journal and views, serves, closes them.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use containerd_sandbox::server::{AllowedUsers, ApiCalls, Health, Limit, Limits, Server};
use exposition::MetricsServer;
use journal::{DirLock, Journal, Options, Report};
use pod_resources::Rules;
use rustix::process::{
    Resource, Rlimit, Signal, getrlimit, set_parent_process_death_signal, setrlimit,
};
use sandboxer::cri::{Cri, CriCalls};
use sandboxer::live::{Profile, ResourceSlotSandboxer, Settings};
use sandboxer::metrics::{self, Sources};
use sandboxer::streaming::StreamingServer;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use views::Views;

use crate::cli::ServeArgs;
use crate::logging;

/// Default time from a signal to the end of the process on several threads, where no other
/// rule orders the reply to Kill before the one to Wait.
const EXIT_DELAY: Duration = Duration::from_millis(1);

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: &ServeArgs) -> Result<()> {
    logging::start(args.log_level, args.log_format);
    let mut runtime = match args.threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime
        .worker_threads(usize::from(args.threads))
        .enable_all()
        .build()
        .context("start the runtime")?
        .block_on(serve(args))
}

async fn serve(args: &ServeArgs) -> Result<()> {
    if args.die_with_parent {
        set_parent_process_death_signal(Some(Signal::TERM)).context("watch the parent process")?;
    }
    raise_descriptor_limit();
    let dir = &args.dir;
    let _lock = DirLock::acquire(dir)?;
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

    let listen = absolute(&args.listen)?;
    let listener = containerd_sandbox::server::bind(&listen)
        .await
        .with_context(|| format!("listen on {}", listen.display()))?;
    let profile = match &args.behaviour {
        Some(file) => Profile::read(file)?,
        None => Profile::default(),
    };
    let settings = Settings {
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
        slowdown_percent: args.test_slowdown,
    };
    let sandboxer = Arc::new(ResourceSlotSandboxer::new(
        journal,
        views,
        recovered.slots,
        settings,
        args.containerd_address.as_deref(),
    )?);
    let streams =
        StreamingServer::start(args.streaming_listen, args.streaming_idle_timeout).await?;
    warn_of_exposure("--streaming-listen", streams.address());
    let cri = Cri::open(Arc::clone(&sandboxer), dir, streams, args.recover)
        .context("open the CRI API")?;
    let metrics = Metrics::start(args, &sandboxer, recovered.report)?;
    let limits = Limits {
        message: args.limits.message_size,
        connections: Limit::new(args.limits.connections, "connections")
            .with_hint("see --max-connections"),
        in_flight: Limit::new(args.limits.in_flight, "calls under way")
            .with_hint("see --max-in-flight"),
        users: AllowedUsers::new(args.allow_uid.clone()).with_hint("see --allow-uid"),
    };
    if !limits.users.is_default() {
        // The server checks the user of each connection when it is accepted.
        std::fs::set_permissions(&listen, Permissions::from_mode(0o666))
            .with_context(|| format!("open {} to --allow-uid", listen.display()))?;
    }
    let cri = cri.counted(&metrics.cri).limited(&limits);
    info!(
        "Serving {} sandboxes on {}",
        sandboxer.len(),
        listen.display()
    );
    // The socket accepts connections by now.
    if let Err(e) = sd_notify::notify(&[NotifyState::Ready]) {
        warn!("cannot tell the service manager that all is ready: {e}");
    }
    let health = Health::new(Cri::SERVICES);
    let served = Server::new(Arc::clone(&sandboxer))
        .services(cri.routes())
        .health(health.clone())
        .calls(metrics.apis.clone())
        .limits(limits)
        .serve(listener, stopped(&sandboxer, health)?)
        .await
        .context("serve");

    if let Err(e) = std::fs::remove_file(&listen) {
        warn!("cannot remove {}: {e}", listen.display());
    }
    let closed = sandboxer.close().context("close the journal");
    match (&served, &closed) {
        (Ok(()), Ok(())) => info!("Stopped with {} sandboxes kept", sandboxer.len()),
        _ => error!("Stopped, not cleanly"),
    }
    served.and(closed)
}

/// Counters of RPCs, and the server that shows them until it is dropped.
#[derive(Default)]
struct Metrics {
    apis: ApiCalls,
    cri: CriCalls,
    _server: Option<MetricsServer>,
}

impl Metrics {
    /// Starts the metrics' server; without `--metrics-listen` nothing is counted or shown.
    fn start(
        args: &ServeArgs,
        sandboxer: &Arc<ResourceSlotSandboxer>,
        recovered: Report,
    ) -> Result<Self> {
        let Some(address) = args.metrics_listen else {
            return Ok(Self::default());
        };
        let (apis, cri) = (ApiCalls::counting(), CriCalls::counting());
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

/// Returns a future that is done after the first SIGTERM or SIGINT, once requests under way
/// are answered; at once after the second.
fn stopped(
    sandboxer: &Arc<ResourceSlotSandboxer>,
    health: Health,
) -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let sandboxer = Arc::clone(sandboxer);
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!("Stopping on {name}");
        health.stop();
        tokio::select! {
            () = sandboxer.drain() => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
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

/// Makes the path absolute, because containerd dials it from another directory.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("socket path {}", path.display()))
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
