//! Sandboxes that containerd has given up.
//!
//! containerd 2.1 tells a sandboxer nothing when a RunPodSandbox fails, or its client's
//! deadline passes, after Create was answered: the sandbox's record goes from containerd's
//! store, and its slot would stay for ever. So each sandbox with such a record is looked up
//! in the store some time after its creation.

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

/// Times of the look-ups: the first after the sandbox's creation, each other after the one
/// before. The last is beyond kubelet's own deadline of two minutes; later only a removal
/// ends a sandbox.
const WAITS: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(25),
    Duration::from_secs(150),
];

/// Time after which a failed look-up is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// Time within which containerd must answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Watches for sandboxes that containerd gives up.
#[derive(Debug, Clone)]
pub(crate) struct Abandoned(mpsc::UnboundedSender<Key>);

impl Abandoned {
    /// Looks sandboxes up in the containerd at this socket, in a task of the current
    /// runtime. Only sandboxes that still `exist` are looked up; `forget` is called with
    /// those that containerd does not know.
    ///
    /// # Errors
    /// `InvalidArgument` for a path that cannot be connected to.
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

    /// Watches a sandbox from now on.
    pub(crate) fn watch(&self, key: &Key) {
        // The task runs as long as the runtime.
        let _ = self.0.send(key.clone());
    }
}

/// A sandbox to look up.
struct Watched {
    key: Key,
    due: Instant,
}

struct Watch<E, F> {
    store: StoreClient<Channel>,
    exist: E,
    forget: F,
    /// One queue for each of [`WAITS`]; all its entries wait equally long, so it is in
    /// order.
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

    /// Looks up the sandboxes that are due, until one look-up fails.
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
