//! The answers on the ports of pods, as the state and the annotations of containers say.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::Key;

use super::open_ports::{self, OpenPorts};
use super::options::AnswerProbes;
use super::tls::Tls;
use crate::live::ResourceSlotSandboxer;
use crate::simulate::probe;
use crate::wait::wait;
use slot::{ProbeBehaviour, Slot};

/// Longest delay of an answer, in place of a longer one that an annotation states.
const MAX_DELAY: Duration = Duration::from_secs(4 * 60);

/// What answers on the ports of all pods. Clones stand for the same.
#[derive(Clone)]
pub struct Answers(Arc<Shared>);

struct Shared {
    sandboxer: Arc<ResourceSlotSandboxer>,
    options: AnswerProbes,
    tls: Tls,
}

/// The container that answered is gone, or has closed its port, so its connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the container closed its port")]
pub(super) struct Closed;

/// One port of one pod.
#[derive(Clone)]
pub(super) struct PodPort {
    pub(super) answers: Answers,
    pub(super) sandbox: Key,
    pub(super) port: u16,
}

/// State of a port that is open.
#[derive(Debug)]
pub(super) struct Open {
    container: String,
    is_ready: bool,
    pub(super) is_paused: bool,
    /// Whether annotations state anything about the answers.
    is_stated: bool,
}

impl Answers {
    /// Answers for the pods of a sandboxer, as `options` say.
    pub fn new(sandboxer: Arc<ResourceSlotSandboxer>, options: AnswerProbes) -> Self {
        Self(Arc::new(Shared {
            sandboxer,
            options,
            tls: Tls::default(),
        }))
    }

    /// Returns what takes TLS off connections.
    pub(super) fn tls(&self) -> &Tls {
        &self.0.tls
    }

    /// Returns one port of a sandbox.
    pub(super) fn port(&self, sandbox: &Key, port: u16) -> PodPort {
        PodPort {
            answers: self.clone(),
            sandbox: sandbox.clone(),
            port,
        }
    }

    pub(super) fn options(&self) -> &AnswerProbes {
        &self.0.options
    }

    pub(super) fn sandboxer(&self) -> &ResourceSlotSandboxer {
        &self.0.sandboxer
    }

    /// Returns the value of `read` for the slot of a sandbox with its open ports; `None` if the
    /// sandbox does not exist.
    pub(super) fn open_ports<T>(
        &self,
        sandbox: &Key,
        read: impl FnOnce(&Slot, OpenPorts) -> T,
    ) -> Option<T> {
        let (of_all, now) = (&self.options().ports, self.sandboxer().now());
        let found = self.sandboxer().read_slot(sandbox, |slot| {
            read(slot, open_ports::all(slot, of_all, now))
        });
        found.ok()
    }
}

impl PodPort {
    /// Returns the state of the port; `None` if it is closed.
    pub(super) fn open(&self) -> Option<Open> {
        let (of_all, now) = (
            &self.answers.options().ports,
            self.answers.sandboxer().now(),
        );
        let found = self.answers.sandboxer().read_slot(&self.sandbox, |slot| {
            let server = open_ports::server(slot, self.port, of_all, now)?;
            Some(Open {
                container: server.container.id.clone(),
                is_ready: server.readiness.is_ready,
                is_paused: server.is_paused(),
                is_stated: probe::of_container(server.container).is_some(),
            })
        });
        found.ok().flatten()
    }

    /// Makes the answer to one probe, after the delay that the container states. `make` gets
    /// what the container states, and whether the answer is a good one. A container that is
    /// paused never answers.
    ///
    /// # Errors
    /// [`Closed`] if the port is closed by now.
    pub(super) async fn answer<T>(
        &self,
        make: impl FnOnce(Option<&ProbeBehaviour>, bool) -> T,
    ) -> Result<T, Closed> {
        let open = self.open().ok_or(Closed)?;
        if open.is_paused {
            return pending().await;
        }
        if !open.is_stated {
            return Ok(make(None, open.is_ready));
        }
        let sandboxer = self.answers.sandboxer();
        let nth = sandboxer.count_probe(&self.sandbox, &open.container);
        let nth = nth.map_err(|_| Closed)?;
        let made = sandboxer.read_slot(&self.sandbox, |slot| {
            let container = slot.container(&open.container).ok()?;
            let (delay, fails) = probe::draw(container, nth);
            let made = make(probe::of_container(container), open.is_ready && !fails);
            Some((delay, made))
        });
        let (delay, made) = made.ok().flatten().ok_or(Closed)?;
        wait(delay.min(MAX_DELAY)).await;
        Ok(made)
    }
}
