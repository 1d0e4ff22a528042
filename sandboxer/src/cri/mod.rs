//! CRI v1 spoken directly: `runtime.v1.RuntimeService` and `runtime.v1.ImageService`
//! on the sandboxer's socket, so that crictl, a kubelet or any client of CRI can use
//! it with no containerd.
//!
//! A pod is a sandbox in the namespace [`NAMESPACE`], with the same slot, journal and
//! views as one that came through another door; what CRI must give back of it is kept
//! in the slot. Pods and containers that containerd made are containerd's: they are
//! neither listed nor found here.
//!
//! Each RPC is a line in the tables of `service` over a method of [`Cri`] that takes
//! and gives plain messages, in the file of what it is about.
// One shape for every RPC, whether or not it has something to wait for.
#![allow(clippy::unused_async)]

mod address;
mod check;
mod containers;
mod events;
mod exec;
mod filter;
mod find;
mod id;
mod image_service;
mod images;
mod later;
mod metrics;
mod names;
mod pods;
mod reference;
mod runtime;
mod service;
mod stats;
mod status;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use containerd_sandbox::server::{Calls, Limits, MAX_GRPC_MESSAGE, Outcomes};
use containerd_sandbox::{DEFAULT_NAMESPACE, Result};
use k8s_cri::v1::image_service_server::ImageServiceServer;
use k8s_cri::v1::runtime_service_server::RuntimeServiceServer;
use tonic::service::Routes;
use tracing::info;

use crate::live::ResourceSlotSandboxer;
use crate::streaming::StreamingServer;
use address::Addresses;
use events::Events;
use images::Images;
use later::Runtime;
use names::Names;
use slot::SandboxState;

/// The containerd namespace that CRI's pods are in.
pub const NAMESPACE: &str = DEFAULT_NAMESPACE;

/// CRI's runtime and image services over one sandboxer.
pub struct Cri {
    sandboxer: Arc<ResourceSlotSandboxer>,
    dir: PathBuf,
    names: Arc<Names>,
    addresses: Addresses,
    images: Images,
    events: Arc<Events>,
    streams: StreamingServer,
    outcomes: Outcomes,
    calls: CriCalls,
    limits: Limits,
}

/// What is counted of CRI's RPCs, the stream of events aside; off by default. Clones
/// count together.
#[derive(Debug, Clone, Default)]
pub struct CriCalls {
    /// Of `runtime.v1.RuntimeService`.
    pub runtime: Calls,
    /// Of `runtime.v1.ImageService`.
    pub image: Calls,
}

impl CriCalls {
    /// Counts all of them.
    pub fn counting() -> Self {
        Self {
            runtime: Calls::counting("cri_runtime", service::runtime::METHODS),
            image: Calls::counting("cri_image", service::image::METHODS),
        }
    }
}

impl Cri {
    /// The services over a sandboxer whose files are in `dir`, with `streams` for
    /// Exec, Attach and PortForward. Pods that nobody was told of before a crash are
    /// dropped.
    ///
    /// # Errors
    /// If the images of `dir` cannot be read.
    pub fn open(
        sandboxer: Arc<ResourceSlotSandboxer>,
        dir: &Path,
        streams: StreamingServer,
    ) -> Result<Self> {
        let images = Images::open(dir, sandboxer.pulls())?;
        let names = Arc::new(Names::default());
        let events = Arc::new(Events::default());
        sandboxer.watch_pods({
            let (names, events) = (Arc::clone(&names), Arc::clone(&events));
            Box::new(move |sandbox, slot, seen| {
                names.seen(sandbox, slot, seen);
                events.seen(sandbox, slot, seen);
            })
        });
        let mut last_address = None;
        let unanswered = sandboxer.pods(|key, slot, pod| {
            names.recover(key, slot, pod);
            last_address = last_address.max(address::number(&pod.ip));
            (slot.state == SandboxState::Created).then(|| key.clone())
        });
        for key in unanswered {
            info!("Dropped pod {key}: whoever asked for it was not answered");
            sandboxer.take_back(&key);
        }
        Ok(Self {
            sandboxer,
            dir: dir.to_owned(),
            names,
            addresses: Addresses::after(last_address),
            images,
            events,
            streams,
            outcomes: Outcomes::default(),
            calls: CriCalls::default(),
            limits: Limits::default(),
        })
    }

    /// The same, with its RPCs counted.
    #[must_use]
    pub fn counted(mut self, calls: &CriCalls) -> Self {
        self.calls = calls.clone();
        self
    }

    /// The same, within other limits than the usual ones; connections are none of its own.
    #[must_use]
    pub fn limited(mut self, limits: &Limits) -> Self {
        self.limits = limits.clone();
        self
    }

    /// As gRPC services.
    pub fn routes(self) -> Routes {
        let max_message = self.limits.message;
        let cri = Arc::new(self);
        let known = RuntimeServiceServer::from_arc(Arc::clone(&cri))
            .max_decoding_message_size(max_message)
            .max_encoding_message_size(MAX_GRPC_MESSAGE);
        let runtime = Runtime {
            known,
            cri: Arc::clone(&cri),
        };
        Routes::new(runtime).add_service(
            ImageServiceServer::from_arc(cri)
                .max_decoding_message_size(max_message)
                .max_encoding_message_size(MAX_GRPC_MESSAGE),
        )
    }
}
