//! The stream of container events in a replay.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use cri_api::v1::{ContainerEventResponse, ContainerEventType};
use prost::Message;
use tokio::task::JoinHandle;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;

use super::codec::Raw;

/// Name of the method that streams events.
pub(super) const METHOD: &str = "GetContainerEvents";

/// Events of a stream. Dropping it ends the stream.
pub(super) struct Events {
    received: Arc<Mutex<Vec<Vec<u8>>>>,
    reader: JoinHandle<()>,
}

impl Events {
    /// Opens a stream.
    ///
    /// # Errors
    /// The runtime refuses it.
    pub(super) async fn open(channel: Channel, request: Vec<u8>) -> Result<Self, String> {
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.map_err(|e| e.to_string())?;
        let path = PathAndQuery::from_static("/runtime.v1.RuntimeService/GetContainerEvents");
        let request = tonic::Request::new(request);
        let stream = client.server_streaming(request, path, Raw).await;
        let mut stream = stream.map_err(|e| e.to_string())?.into_inner();
        let received = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&received);
        let reader = tokio::spawn(async move {
            while let Ok(Some(event)) = stream.message().await {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push(event);
            }
        });
        Ok(Self { received, reader })
    }

    /// Compares the recorded events, with the ids of the replay, with those received so far.
    ///
    /// # Errors
    /// The first pod or container with other events.
    pub(super) fn verdict(&self, wanted: &[Vec<u8>]) -> Result<(), String> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        let got = kinds(&received)?;
        for (id, wanted) in kinds(wanted)? {
            let got = got.get(&id).map_or(&[][..], Vec::as_slice);
            // Events that came after the end of the recorded stream are no matter.
            let got = &got[..got.len().min(wanted.len())];
            if got != wanted {
                return Err(format!(
                    "the events of {id} were {wanted:?} and are {got:?}"
                ));
            }
        }
        Ok(())
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Returns the kinds of the events of each pod and container, in their order.
///
/// # Errors
/// A message is none, or an event shows an older attempt of a container before a newer one: the
/// client takes the first of a name for the newest.
fn kinds(events: &[Vec<u8>]) -> Result<HashMap<String, Vec<ContainerEventType>>, String> {
    let mut found: HashMap<String, Vec<ContainerEventType>> = HashMap::new();
    for event in events {
        let event = ContainerEventResponse::decode(&**event).map_err(|e| e.to_string())?;
        let mut newest = HashMap::new();
        let shown = event.containers_statuses.iter();
        for metadata in shown.filter_map(|one| one.metadata.as_ref()) {
            let first = *newest.entry(&metadata.name).or_insert(metadata.attempt);
            if metadata.attempt > first {
                return Err(format!(
                    "attempt {first} of {} is shown first",
                    metadata.name
                ));
            }
        }
        let kind = event.container_event_type();
        found.entry(event.container_id).or_default().push(kind);
    }
    Ok(found)
}
