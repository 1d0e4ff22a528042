//! The CRI API: `runtime.v1.RuntimeService` and `runtime.v1.ImageService` on the
//! sandboxer's socket, so that crictl, a kubelet or another client of CRI works without
//! containerd.
//!
//! A pod is a sandbox in the namespace [`NAMESPACE`], with the same slot, journal and views
//! as a sandbox of another API; the slot also keeps the messages that CRI must give back.
//! Pods and containers that containerd created belong to containerd: CRI neither lists nor
//! finds them.
//!
//! Each RPC is a line in the tables of `service` over a method of [`Cri`] that takes and
//! returns plain messages:
//!
//! - `pods`, `containers`, `exec`, `stats`, `metrics`, `image_service`, `runtime` and
//!   `events` have the methods, by subject.
//! - `cadvisor` is the table of the metrics.
//! - `check` validates configurations, `find` and `filter` look objects up by id and by
//!   filter, `status` builds the messages that describe them.
//! - `names` reserves metadata for one owner each, `id` and `address` make ids and
//!   addresses, `images` and `reference` keep the images' names.
// Every RPC has the same signature, whether or not it awaits anything.
#![allow(clippy::unused_async)]

mod address;
mod cadvisor;
mod check;
mod containers;
mod events;
mod exec;
mod filter;
mod find;
mod id;
mod image_mounts;
mod image_service;
mod image_table;
mod images;
mod metrics;
mod names;
mod pod_cidr;
mod pods;
mod reference;
mod runtime;
mod service;
mod stats;
mod status;
mod stop_signal;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use containerd_sandbox::server::{
    Calls, KnownMethods, Limits, MAX_GRPC_MESSAGE, Observer, Outcomes,
};
use containerd_sandbox::{DEFAULT_NAMESPACE, Result, Sandboxer as _};
use cri_api::v1::image_service_server::ImageServiceServer;
use cri_api::v1::runtime_service_server::RuntimeServiceServer;
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tracing::info;

use crate::live::ResourceSlotSandboxer;
use crate::probes::{AnswerProbes, Answers};
use crate::streaming::StreamingServer;
use address::Addresses;
use events::Events;
pub use image_table::ImageTable;
use images::Images;
use names::Names;
pub use pod_cidr::{PodCidrError, PodCidrs};
use slot::SandboxState;

/// Namespace of containerd in which CRI's pods are.
pub const NAMESPACE: &str = DEFAULT_NAMESPACE;

/// One message of a reply that is a stream.
type Part<T> = std::result::Result<T, tonic::Status>;

/// CRI's runtime and image services over one sandboxer.
pub struct Cri {
    sandboxer: Arc<ResourceSlotSandboxer>,
    dir: PathBuf,
    names: Arc<Names>,
    addresses: Arc<Addresses>,
    images: Images,
    events: Arc<Events>,
    streams: StreamingServer,
    answers: Answers,
    outcomes: Outcomes,
    calls: CriCalls,
    limits: Limits,
}

/// Counters of CRI's RPCs, off by default; of a stream, until it is open. Clones share the
/// counters.
#[derive(Debug, Clone, Default)]
pub struct CriCalls {
    /// Calls of `runtime.v1.RuntimeService`.
    pub runtime: Calls,
    /// Calls of `runtime.v1.ImageService`.
    pub image: Calls,
}

impl CriCalls {
    /// Returns counters that count.
    pub fn counting() -> Self {
        Self {
            runtime: Calls::counting("cri_runtime", service::runtime::METHODS),
            image: Calls::counting("cri_image", service::image::METHODS),
        }
    }

    /// Tells an observer of each RPC, too. See [`Calls::observed`].
    #[must_use]
    pub fn observed(self, observer: &Arc<dyn Observer>) -> Self {
        let [runtime, image] = Cri::SERVICES;
        Self {
            runtime: self.runtime.observed(runtime, Arc::clone(observer)),
            image: self.image.observed(image, Arc::clone(observer)),
        }
    }
}

impl Cri {
    /// Names of the services.
    pub const SERVICES: [&str; 2] = [
        <RuntimeServiceServer<Self> as NamedService>::NAME,
        <ImageServiceServer<Self> as NamedService>::NAME,
    ];

    /// Opens the services over a sandboxer whose files are in `dir`, with `streams` for
    /// Exec, Attach and PortForward, and with the images of a table. New pods get addresses of
    /// the ranges `cidrs`. Pods whose creation was not answered before a crash
    /// are deleted.
    ///
    /// # Errors
    /// `Unavailable` if the images in `dir` cannot be read.
    pub fn open(
        sandboxer: Arc<ResourceSlotSandboxer>,
        dir: &Path,
        streams: StreamingServer,
        cidrs: &PodCidrs,
        table: ImageTable,
        recover: bool,
    ) -> Result<Self> {
        let images = Images::open(dir, sandboxer.pulls(), table, recover)?;
        let names = Arc::new(Names::default());
        let events = Arc::new(Events::default());
        let addresses = Arc::new(Addresses::new(cidrs));
        sandboxer.watch_pods({
            let (names, events) = (Arc::clone(&names), Arc::clone(&events));
            let addresses = Arc::clone(&addresses);
            Box::new(move |sandbox, slot, seen| {
                names.seen(sandbox, slot, seen);
                addresses.seen(sandbox, slot, seen);
                events.seen(sandbox, slot, seen);
            })
        });
        let unanswered = sandboxer.pods(|key, slot, pod| {
            names.recover(key, slot, pod);
            addresses.recover(key, slot, pod);
            (slot.state == SandboxState::Created).then(|| key.clone())
        });
        for key in unanswered {
            info!("Dropped pod {key}: its creation was not answered");
            if let Ok(sandbox) = sandboxer.sandbox(&key) {
                sandbox.take_back();
            }
        }
        let answers = Answers::new(Arc::clone(&sandboxer), AnswerProbes::default());
        Ok(Self {
            sandboxer,
            dir: dir.to_owned(),
            names,
            addresses,
            images,
            events,
            streams,
            answers,
            outcomes: Outcomes::default(),
            calls: CriCalls::default(),
            limits: Limits::default(),
        })
    }

    /// Connects forwarded ports to `answers` instead of the answers without options.
    #[must_use]
    pub fn answering(mut self, answers: &Answers) -> Self {
        self.answers = answers.clone();
        self
    }

    /// Counts the RPCs in `calls`.
    #[must_use]
    pub fn counted(mut self, calls: &CriCalls) -> Self {
        self.calls = calls.clone();
        self
    }

    /// Applies other limits than the defaults. The limit of connections does not concern
    /// these services.
    #[must_use]
    pub fn limited(mut self, limits: &Limits) -> Self {
        self.limits = limits.clone();
        self
    }

    /// Returns the services as gRPC routes.
    pub fn routes(self) -> Routes {
        let max_message = self.limits.message;
        let cri = Arc::new(self);
        let runtime = RuntimeServiceServer::from_arc(Arc::clone(&cri))
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(max_message)
            .max_encoding_message_size(MAX_GRPC_MESSAGE);
        let images = ImageServiceServer::from_arc(cri)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(max_message)
            .max_encoding_message_size(MAX_GRPC_MESSAGE);
        Routes::new(KnownMethods::new(
            runtime,
            service::runtime::METHODS.iter().copied(),
        ))
        .add_service(KnownMethods::new(
            images,
            service::image::METHODS.iter().copied(),
        ))
    }
}
