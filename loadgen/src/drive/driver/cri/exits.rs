//! Which containers have ended by themselves, heard of over CRI as a kubelet with an
//! event-driven PLEG does: from one stream for all containers of a connection.
//!
//! Who waits for a container says so before it is started. So its end is told either
//! by the stream, or by the list that is asked for whenever the stream has been opened.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use containerd_sandbox::client::Cri;
use containerd_sandbox::{Code, Error};
use k8s_cri::v1::{
    ContainerEventResponse, ContainerEventType, ContainerFilter, ContainerState,
    ContainerStateValue, ListContainersRequest,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// How often the list is looked at where a runtime has no stream of events, and how
/// long a stream that broke is left alone.
const RELIST: Duration = Duration::from_millis(100);

/// Those who wait for the end of a container of one connection; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Exits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    cri: Cri,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listening: bool,
    /// By the container's id.
    waiting: HashMap<String, oneshot::Sender<()>>,
}

/// A container whose end is waited for, until dropped.
#[derive(Debug)]
pub(super) struct Awaited {
    id: String,
    exits: Exits,
    told: oneshot::Receiver<()>,
    ended: bool,
}

impl Exits {
    /// Nobody waits yet.
    pub(super) fn new(cri: Cri) -> Self {
        Self(Arc::new(Inner {
            cri,
            state: Mutex::default(),
        }))
    }

    /// Has the end of a container noticed, which must not have been started. The first
    /// caller's runtime listens for all.
    pub(super) fn of(&self, id: &str) -> Awaited {
        let (tell, told) = oneshot::channel();
        let mut state = self.0.state.lock();
        state.waiting.insert(id.to_owned(), tell);
        if !std::mem::replace(&mut state.listening, true) {
            let cri = self.0.cri.clone();
            tokio::spawn(listen(cri, Arc::downgrade(&self.0)));
        }
        Awaited {
            id: id.to_owned(),
            exits: self.clone(),
            told,
            ended: false,
        }
    }
}

impl Inner {
    fn tell(&self, id: &str) {
        if let Some(told) = self.state.lock().waiting.remove(id) {
            // Whoever waited may be gone.
            let _ = told.send(());
        }
    }
}

impl Awaited {
    /// Returns when the container has ended. May be dropped and called again.
    pub(super) async fn ended(&mut self) {
        if !self.ended {
            // It fails only if somebody else waits under the same id.
            let _ = (&mut self.told).await;
            self.ended = true;
        }
    }

    /// Whether its end has been told.
    pub(super) fn has_ended(&self) -> bool {
        self.ended || !self.told.is_empty()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.exits.0.state.lock().waiting.remove(&self.id);
    }
}

/// Tells of ends until nobody can wait any more.
async fn listen(cri: Cri, inner: Weak<Inner>) {
    loop {
        let failed = match cri.container_events().await {
            Ok(mut events) => {
                if relist(&cri, &inner).await.is_none() {
                    return;
                }
                loop {
                    match events.message().await {
                        Ok(Some(event)) => {
                            let Some(inner) = inner.upgrade() else { return };
                            if is_end(&event) {
                                inner.tell(&event.container_id);
                            }
                        }
                        Ok(None) => break Code::Unavailable,
                        Err(status) => break Error::from(status).code(),
                    }
                }
            }
            Err(error) => error.code(),
        };
        // One who was too slow has to list everything anew, which the next stream begins with.
        if failed != Code::ResourceExhausted {
            tokio::time::sleep(RELIST).await;
        }
        if failed == Code::Unimplemented && relist(&cri, &inner).await.is_none() {
            return;
        }
    }
}

fn is_end(event: &ContainerEventResponse) -> bool {
    event.container_event_type() == ContainerEventType::ContainerStoppedEvent
}

/// Tells of every container that has ended; nothing if nobody can wait any more.
async fn relist(cri: &Cri, inner: &Weak<Inner>) -> Option<()> {
    let filter = ContainerFilter {
        state: Some(ContainerStateValue {
            state: ContainerState::ContainerExited.into(),
        }),
        ..ContainerFilter::default()
    };
    let request = ListContainersRequest {
        filter: Some(filter),
    };
    let listed = cri.list_containers(request).await;
    let inner = inner.upgrade()?;
    // Whoever makes calls finds out what is wrong with the connection.
    for container in listed.map_or_else(|_| Vec::new(), |listed| listed.containers) {
        inner.tell(&container.id);
    }
    Some(())
}
