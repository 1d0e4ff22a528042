//! What Prometheus is told of the daemon: RPCs, slots, the journal, the process.
//!
//! All of it is looked up when it is scraped, on the scraping server's thread; only RPCs
//! are counted as they come, by [`ApiCalls`] and [`CriCalls`]. Each metric is a
//! [`Descriptor`](exposition::Descriptor) beside the code that finds its value, and a row of
//! `docs/reference/metrics.md`.

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

/// What is exposed.
pub struct Sources {
    /// Whose slots and journal.
    pub sandboxer: Arc<ResourceSlotSandboxer>,
    /// RPCs of the sandbox API.
    pub apis: ApiCalls,
    /// RPCs of CRI.
    pub cri: CriCalls,
    /// What came of reading the journal at the start.
    pub recovered: Report,
    /// Of how many pods, at most, there are series of their own.
    pub per_pod: usize,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// All metrics of a daemon.
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
