//! Publishes events to containerd one after the other, in the order in which they happened.

use std::path::Path;
use std::time::Duration;

use containerd_client::services::v1::PublishRequest;
use containerd_client::services::v1::events_client::EventsClient;
use containerd_client::tonic::transport::Channel;
use containerd_sandbox::Result;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use super::event::Event;

/// Largest number of events that wait for containerd; more are dropped.
const CAPACITY: usize = 65_536;

/// Time within which containerd must take an event.
const LIMIT: Duration = Duration::from_secs(5);

/// Pause after a failure. Events of that time are dropped, because containerd has no use
/// for them later.
const PAUSE: Duration = Duration::from_secs(1);

/// Queue of events for containerd.
#[derive(Debug, Clone)]
pub(crate) struct Publisher(mpsc::Sender<Posted>);

#[derive(Debug)]
struct Posted {
    event: Event,
    /// Notified when containerd has the event, or never will.
    done: Option<oneshot::Sender<()>>,
}

impl Publisher {
    /// Publishes to the containerd at this socket, in a task of the current runtime.
    ///
    /// # Errors
    /// `InvalidArgument` for a path that cannot be connected to.
    pub(crate) fn start(address: &Path) -> Result<Self> {
        let client = EventsClient::new(super::connection(address)?);
        let (sender, events) = mpsc::channel(CAPACITY);
        tokio::spawn(publish(client, events));
        Ok(Self(sender))
    }

    /// Queues an event without waiting. The event is dropped if the queue is full.
    pub(crate) fn post(&self, event: Event) {
        // The publisher logs once that it cannot keep up.
        let _ = self.0.try_send(Posted { event, done: None });
    }

    /// Queues an event and waits until containerd has it and all events before it, or never
    /// will.
    pub(crate) async fn posted(&self, event: Event) {
        let (done, told) = oneshot::channel();
        let posted = Posted {
            event,
            done: Some(done),
        };
        if self.0.try_send(posted).is_ok() {
            let _ = tokio::time::timeout(LIMIT, told).await;
        }
    }
}

async fn publish(client: EventsClient<Channel>, mut events: mpsc::Receiver<Posted>) {
    let mut away = false;
    while let Some(Posted { event, done }) = events.recv().await {
        let sent = send(&client, event).await;
        // The caller may be gone.
        done.map(|done| done.send(()));
        match sent {
            Ok(()) => away = false,
            Err(error) => {
                if !away {
                    warn!("containerd takes no events, they are dropped: {error}");
                }
                away = true;
                tokio::time::sleep(PAUSE).await;
                // Events from the pause are too old.
                while events.try_recv().is_ok() {}
            }
        }
    }
}

async fn send(client: &EventsClient<Channel>, event: Event) -> Result<()> {
    let message = PublishRequest {
        topic: event.topic.to_owned(),
        event: Some(event.message),
    };
    let mut request = super::request(&event.sandbox, message)?;
    request.set_timeout(LIMIT);
    client.clone().publish(request).await?;
    Ok(())
}
