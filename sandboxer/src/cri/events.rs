//! The stream of events of pods and containers, by which kubelet learns of changes at once.

use std::sync::Arc;

use containerd_sandbox::{Key, Result};
use cri_api::v1::{ContainerEventResponse, ContainerEventType, GetEventsRequest};
use futures::{Stream, stream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tonic::Status;

use super::{Cri, Part, status};
use crate::live::{Seen, Step};
use slot::Slot;
use slot::Timestamp;

/// Largest number of events that wait for the slowest reader; a reader further behind is
/// cut off.
const CAPACITY: usize = 1024;

/// Sends events to their readers. Without a reader no event is built.
pub(super) struct Events(broadcast::Sender<Arc<ContainerEventResponse>>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Events {
    /// Sends the event of one step to the readers.
    pub(super) fn seen(&self, sandbox: &Key, slot: &Slot, seen: &Seen) {
        if self.0.receiver_count() > 0 {
            // The readers may be gone by now.
            let _ = self.0.send(Arc::new(event(sandbox, slot, seen)));
        }
    }
}

impl Cri {
    /// Streams every event from now on. A reader that is too slow gets an error and the end
    /// of the stream, and has to list everything anew.
    pub(super) async fn get_container_events(
        &self,
        _: GetEventsRequest,
    ) -> Result<impl Stream<Item = Part<ContainerEventResponse>> + use<>> {
        let reading = (self.events.0.subscribe(), Arc::clone(&self.sandboxer));
        let events = stream::unfold(Some(reading), |reading| async {
            let (mut events, sandboxer) = reading?;
            match events.recv().await {
                Ok(event) => {
                    // An event is only sent once a crash cannot undo the change.
                    sandboxer.certain().await;
                    Some((Ok(Arc::unwrap_or_clone(event)), Some((events, sandboxer))))
                }
                Err(RecvError::Lagged(missed)) => {
                    let message =
                        format!("{missed} events were missed: the reader is too slow; list anew");
                    Some((Err(Status::resource_exhausted(message)), None))
                }
                Err(RecvError::Closed) => None,
            }
        });
        Ok(events)
    }
}

/// Builds an event as containerd does: a pod's own events carry the pod's id, and the event
/// of the pod's deletion carries no status.
fn event(sandbox: &Key, slot: &Slot, seen: &Seen) -> ContainerEventResponse {
    let kind = match seen.step {
        Step::Created => ContainerEventType::ContainerCreatedEvent,
        Step::Started => ContainerEventType::ContainerStartedEvent,
        Step::Stopped => ContainerEventType::ContainerStoppedEvent,
        Step::Deleted => ContainerEventType::ContainerDeletedEvent,
    };
    let is_pods_end = seen.step == Step::Deleted && seen.container.is_none();
    let pod = slot.sandbox.cri.as_deref().filter(|_| !is_pods_end);
    let id = seen.container.as_deref().unwrap_or(sandbox.id());
    ContainerEventResponse {
        container_id: id.to_owned(),
        container_event_type: kind.into(),
        created_at: status::nanos(Timestamp::now()),
        pod_sandbox_status: pod.map(|pod| status::pod_status(sandbox, slot, pod)),
        containers_statuses: pod.map_or_else(Vec::new, |pod| {
            status::container_statuses(sandbox, slot, pod)
        }),
    }
}
