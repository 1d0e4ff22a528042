//! Metrics of a run in progress, for Prometheus.
//!
//! [`Monitor`] receives the sums that the collector merges each second in any case, on
//! the thread of the collector; a scrape reads the last ones. The threads that make calls
//! do not know about it.

mod exposed;
mod tally;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use exposition::{ListenError, MetricsServer, Process, PushError, PushUrl, Pusher, Registry};

use crate::drive::engine::Load;
use crate::record::tape::{Counters, Listener, Part};

use exposed::Exposed;
use tally::Tally;

/// Reason for which no metrics are available.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The address of `--metrics-listen` cannot be listened on.
    #[error("--metrics-listen")]
    Listen(#[from] ListenError),
    /// The thread for `--push` cannot be started.
    #[error("start a thread for --push")]
    Thread(#[source] io::Error),
}

/// Ways to get the metrics of a run in progress; `None` for an unused one.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    /// Address that replies to `GET /metrics`.
    pub listen: Option<SocketAddr>,
    /// Pushgateway that receives the metrics.
    pub push: Option<PushUrl>,
}

/// Tally of a run for its metrics; by default it records nothing. Clones share the tally.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Option<Arc<Mutex<Tally>>>);

/// Server and pusher of metrics, which work until dropped.
#[derive(Debug, Default)]
pub struct Metrics {
    monitor: Monitor,
    server: Option<MetricsServer>,
    pusher: Option<Pusher>,
}

impl Monitor {
    /// Begins the tally of a load with these counters of its threads.
    pub fn begin(&self, load: &Load, counters: &[Arc<Counters>]) {
        if let Some(tally) = &self.0 {
            *lock(tally) = Tally::new(load, counters);
        }
    }
}

impl Listener for Monitor {
    fn interval(&mut self, number: u32, part: &Part) {
        if let Some(tally) = &self.0 {
            lock(tally).add(number, part);
        }
    }
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    // After a panic the numbers still describe the intervals before it.
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// Starts the server and the pusher that the options name, if any.
    ///
    /// # Errors
    /// An address that cannot be listened on, or a thread that cannot be started.
    pub fn start(to: &Destinations) -> Result<Self, MetricsError> {
        if to.listen.is_none() && to.push.is_none() {
            return Ok(Self::default());
        }
        let tally = Arc::<Mutex<Tally>>::default();
        let registry = Arc::new(registry(&tally));
        let server = to
            .listen
            .map(|address| MetricsServer::start(address, Arc::clone(&registry)))
            .transpose()?;
        let pusher = to
            .push
            .clone()
            .map(|url| Pusher::start(url, registry))
            .transpose()
            .map_err(MetricsError::Thread)?;
        Ok(Self {
            monitor: Monitor(Some(tally)),
            server,
            pusher,
        })
    }

    /// Returns the monitor for the runs.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Returns a line with the address of the metrics; `None` without a server.
    pub fn announcement(&self) -> Option<String> {
        let address = self.server.as_ref()?.address();
        Some(format!("Metrics are served on http://{address}/metrics"))
    }

    /// Pushes the final metrics, if there is a pusher.
    ///
    /// # Errors
    /// A failed push.
    pub fn finish(self) -> Result<(), PushError> {
        self.pusher.map_or(Ok(()), Pusher::finish)
    }
}

fn registry(tally: &Arc<Mutex<Tally>>) -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Exposed(Arc::clone(tally))));
    registry.register_collector(Box::new(Process));
    registry
}
