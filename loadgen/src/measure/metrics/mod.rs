//! A run as Prometheus sees it while it goes on.
//!
//! [`Monitor`] listens to what the collector merges each second anyway, on its thread; a
//! scrape reads what was noted down. Those who make the calls know of neither.

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

/// Nobody can be told how a run goes on.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The address of `--metrics-listen` cannot be had.
    #[error("--metrics-listen")]
    Listen(#[from] ListenError),
    /// No thread for `--push`.
    #[error("start a thread for --push")]
    Thread(#[source] io::Error),
}

/// The places where metrics can be had while a run goes on; `None` for none.
#[derive(Debug, Clone, Default)]
pub struct Destinations {
    /// Address on which `GET /metrics` is answered.
    pub listen: Option<SocketAddr>,
    /// Pushgateway that metrics are sent to.
    pub push: Option<PushUrl>,
}

/// Notes down how runs go on, for scrapes; off by default. Clones note down together.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Option<Arc<Mutex<Tally>>>);

/// Who tells of a run until dropped.
#[derive(Debug, Default)]
pub struct Metrics {
    monitor: Monitor,
    server: Option<MetricsServer>,
    pusher: Option<Pusher>,
}

impl Monitor {
    /// A load begins, whose threads count so.
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
    // Whoever panicked left numbers that are right for the intervals before.
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Metrics {
    /// Tells whom the options name; nobody, if they name none.
    ///
    /// # Errors
    /// If the address cannot be listened on, or there can be no thread.
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

    /// What is to be told of runs.
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Where metrics are served, for whoever looks.
    pub fn announcement(&self) -> Option<String> {
        let address = self.server.as_ref()?.address();
        Some(format!("Metrics are served on http://{address}/metrics"))
    }

    /// Sends what there is in the end, if it is to be sent.
    ///
    /// # Errors
    /// If that fails.
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
