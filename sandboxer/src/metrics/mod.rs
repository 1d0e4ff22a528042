//! Metrics for Prometheus: RPCs, slots, the journal, the process.
//!
//! All values are read when the endpoint is scraped, on the scraping server's thread. Only
//! RPCs are counted as they come, by [`ApiCalls`] and [`CriCalls`]. Each metric is a
//! [`Descriptor`](exposition::Descriptor) beside the code that finds its value, and a row of
//! `docs/reference/metrics.md`.
//!
//! - `rpcs` has the RPCs by API and method.
//! - `slots` has sandboxes, containers and resources, from one `census` of all slots;
//!   `resources` describes the seven resources, and `oldest` chooses the pods with series
//!   of their own.
//! - `store` has the journal, the views and the start; `build` has the version.

mod build;
mod census;
mod oldest;
mod resources;
mod rpcs;
mod slots;
mod store;

use std::fmt;
use std::sync::Arc;

use containerd_sandbox::server::ApiCalls;
use exposition::{Process, Registry};

use crate::cri::CriCalls;
use crate::live::ResourceSlotSandboxer;
use journal::Report;

use build::Build;
use rpcs::Rpcs;
use slots::Slots;
use store::Store;

/// Sources of the metrics.
pub struct Sources {
    /// Sandboxer with the slots and the journal.
    pub sandboxer: Arc<ResourceSlotSandboxer>,
    /// Counters of RPCs of the sandbox API.
    pub apis: ApiCalls,
    /// Counters of RPCs of CRI.
    pub cri: CriCalls,
    /// Report of reading the journal at the start.
    pub recovered: Report,
    /// Largest number of pods that have series of their own.
    pub per_pod: usize,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// Returns all metrics of a daemon.
pub fn registry(sources: Sources) -> Registry {
    let mut registry = Registry::default();
    let calls = [
        sources.apis.sandbox,
        sources.apis.task,
        sources.apis.controller,
        sources.cri.runtime,
        sources.cri.image,
    ];
    registry.register_collector(Box::new(Build));
    registry.register_collector(Box::new(Rpcs(calls)));
    registry.register_collector(Box::new(Slots {
        sandboxer: Arc::clone(&sources.sandboxer),
        per_pod: sources.per_pod,
    }));
    registry.register_collector(Box::new(Store {
        sandboxer: sources.sandboxer,
        recovered: sources.recovered,
    }));
    registry.register_collector(Box::new(Process));
    registry
}
