//! Notices containers that end by themselves in the way of a kubelet with the
//! event-driven PLEG: one stream of CRI events for all containers of a connection.
//!
//! A waiter registers before its container is started. The end therefore arrives either
//! in the stream, or in the list that is requested each time the stream has been opened.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use containerd_sandbox::client::Cri;
use containerd_sandbox::{Code, Error};
use cri_api::v1::{
    ContainerEventResponse, ContainerEventType, ContainerFilter, ContainerState,
    ContainerStateValue, GetEventsRequest, ListContainersRequest,
};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::record::operation::Operation;

/// Interval between two lists for a runtime without a stream of events, and the pause
/// before a broken stream is opened again.
const RELIST: Duration = Duration::from_millis(100);

/// Registry of the waiters for the ends of containers of one connection. Clones share it.
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
    /// Senders to the waiters, by the id of the container.
    waiting: HashMap<String, oneshot::Sender<()>>,
    /// Calls of the listening task that are not recorded yet, with their durations.
    made: Vec<(Operation, Duration)>,
}

/// Registered wait for the end of a container; dropping it removes the registration.
#[derive(Debug)]
pub(super) struct Awaited {
    id: String,
    exits: Exits,
    told: oneshot::Receiver<()>,
    ended: bool,
}

impl Exits {
    /// Creates an empty registry.
    pub(super) fn new(cri: Cri) -> Self {
        Self(Arc::new(Inner {
            cri,
            state: Mutex::default(),
        }))
    }

    /// Registers a wait for the end of a container that must not have been started yet.
    /// The first call starts the task that listens for all containers, on the runtime of
    /// its caller.
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

    /// Returns the calls of the listening task since the last call of this function, with
    /// their durations. Any reply counts as success: the pods' own calls on this connection
    /// report errors, and not every runtime has a stream of events.
    pub(super) fn made(&self) -> Vec<(Operation, Duration)> {
        std::mem::take(&mut self.0.state.lock().made)
    }
}

impl Inner {
    fn tell(&self, id: &str) {
        if let Some(told) = self.state.lock().waiting.remove(id) {
            // The waiter may have been dropped.
            let _ = told.send(());
        }
    }
}

impl Awaited {
    /// Returns when the container has ended. The future may be dropped and requested
    /// again.
    pub(super) async fn ended(&mut self) {
        if !self.ended {
            // It fails only if another waiter has registered under the same id.
            let _ = (&mut self.told).await;
            self.ended = true;
        }
    }

    /// Returns whether the end has been noticed.
    pub(super) fn has_ended(&self) -> bool {
        self.ended || !self.told.is_empty()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.exits.0.state.lock().waiting.remove(&self.id);
    }
}

/// Notifies waiters of ends until the registry is dropped.
async fn listen(cri: Cri, inner: Weak<Inner>) {
    loop {
        let begun = Instant::now();
        let events = cri.get_container_events(GetEventsRequest::default()).await;
        note(&inner, Operation::GetContainerEvents, begun);
        let failed = match events {
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
        // After ResourceExhausted this client was too slow for the stream: open it again
        // at once, which also lists all containers.
        if failed != Code::ResourceExhausted {
            tokio::time::sleep(RELIST).await;
        }
        if failed == Code::Unimplemented && relist(&cri, &inner).await.is_none() {
            return;
        }
    }
}

/// Notes a call of this task that had a reply, with or without success.
fn note(inner: &Weak<Inner>, operation: Operation, begun: Instant) {
    if let Some(inner) = inner.upgrade() {
        inner.state.lock().made.push((operation, begun.elapsed()));
    }
}

fn is_end(event: &ContainerEventResponse) -> bool {
    event.container_event_type() == ContainerEventType::ContainerStoppedEvent
}

/// Notifies the waiters of every container that has ended. Returns `None` if the registry
/// was dropped.
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
    let begun = Instant::now();
    let listed = cri.list_containers(request).await;
    note(inner, Operation::ListContainers, begun);
    let inner = inner.upgrade()?;
    // An error is ignored here: the pods' own calls on this connection report it.
    for container in listed.map_or_else(|_| Vec::new(), |listed| listed.containers) {
        inner.tell(&container.id);
    }
    Some(())
}
