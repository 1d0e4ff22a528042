//! Sandboxes that containerd has given up.
//!
//! containerd 2.1 tells a sandboxer nothing when a RunPodSandbox fails or its
//! client's deadline passes after Create was answered: the sandbox's record goes
//! from containerd's store, and its slot would stay for ever. So each sandbox that
//! came with such a record is looked up in the store, some time after it came.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use containerd_client::services::v1::sandbox::StoreGetRequest;
use containerd_client::services::v1::sandbox::store_client::StoreClient;
use containerd_client::tonic::transport::Channel;
use containerd_sandbox::{Code, Error, Key, Result};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::debug;

/// When a sandbox is looked up: so long after its creation, and then after the time
/// before. The last one is beyond kubelet's own deadline of two minutes; after that,
/// only a removal ends it.
const WAITS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(25),
    Duration::from_secs(150),
];

/// How soon a look-up that failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How long containerd may take for one.
const LIMIT: Duration = Duration::from_secs(5);

/// Watches over sandboxes.
#[derive(Debug, Clone)]
pub(crate) struct Abandoned(mpsc::UnboundedSender<Key>);

impl Abandoned {
    /// Asks the containerd at this socket, from a task of the current runtime, for
    /// those that still `exist`, and hands those it does not know to `forget`.
    ///
    /// # Errors
    /// If no connection can ever be made to such a path.
    pub(crate) fn start(
        address: &Path,
        exist: impl Fn(&Key) -> bool + Send + 'static,
        forget: impl Fn(&Key) + Send + 'static,
    ) -> Result<Self> {
        let (sender, keys) = mpsc::unbounded_channel();
        let watch = Watch {
            store: StoreClient::new(super::connection(address)?),
            exist,
            forget,
            queues: Default::default(),
        };
        tokio::spawn(watch.run(keys));
        Ok(Self(sender))
    }

    /// Watches over a sandbox from now on.
    pub(crate) fn watch(&self, key: &Key) {
        // The task lives as long as the runtime.
        let _ = self.0.send(key.clone());
    }
}

/// A sandbox that is to be looked up.
struct Watched {
    key: Key,
    due: Instant,
}

struct Watch<E, F> {
    store: StoreClient<Channel>,
    exist: E,
    forget: F,
    /// One for each of [`WAITS`]; each has one waiting time, so it is in order.
    queues: [VecDeque<Watched>; WAITS.len()],
}

impl<E: Fn(&Key) -> bool, F: Fn(&Key)> Watch<E, F> {
    async fn run(mut self, mut keys: mpsc::UnboundedReceiver<Key>) {
        loop {
            let next = self
                .queues
                .iter()
                .filter_map(|queue| Some(queue.front()?.due));
            tokio::select! {
                key = keys.recv() => match key {
                    Some(key) => {
                        let due = Instant::now() + WAITS[0];
                        self.queues[0].push_back(Watched { key, due });
                    }
                    None => return,
                },
                () = until(next.min()) => {
                    if let Err(e) = self.look_up().await {
                        debug!("cannot ask containerd for a sandbox: {e}");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        }
    }

    /// Looks up those that are due, and no more of them once that fails.
    async fn look_up(&mut self) -> Result<()> {
        let now = Instant::now();
        for stage in 0..WAITS.len() {
            while self.queues[stage].front().is_some_and(|one| one.due <= now)
                && let Some(due) = self.queues[stage].pop_front()
            {
                if !(self.exist)(&due.key) {
                    continue;
                }
                match is_known(&self.store, &due.key).await {
                    Ok(true) => {
                        if let Some(queue) = self.queues.get_mut(stage + 1) {
                            let later = due.due + WAITS[stage + 1];
                            queue.push_back(Watched { due: later, ..due });
                        }
                    }
                    Ok(false) => (self.forget)(&due.key),
                    Err(e) => {
                        self.queues[stage].push_front(due);
                        return Err(e);
                    }
                }
            }
        }
        Ok(())
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn is_known(store: &StoreClient<Channel>, key: &Key) -> Result<bool> {
    let message = StoreGetRequest {
        sandbox_id: key.id().to_owned(),
    };
    let mut request = super::request(key, message)?;
    request.set_timeout(LIMIT);
    match store.clone().get(request).await.map_err(Error::from) {
        Ok(_) => Ok(true),
        Err(e) if e.code() == Code::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
