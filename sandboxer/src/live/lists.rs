//! Lists of the CRI API's pods and of what belongs to them, as one message or as a stream of parts.
//!
//! A list of ten thousand pods takes longer than a hundred other calls, so it is read in turns.

use std::sync::Arc;

use containerd_sandbox::server::MAX_GRPC_MESSAGE;
use containerd_sandbox::{Error, Key, Result};
use futures::{Stream, stream};
use slot::{CriPod, Slot};

use super::live_slot::LiveSlot;
use super::sandboxer::ResourceSlotSandboxer;

/// Number of sandboxes that a list reads before other tasks have a turn.
const TURN: usize = 128;
/// Size in bytes at which a part of a stream ends. A part is larger by one item at most, so it is
/// far below the longest message (16 MiB).
const PART: usize = 1 << 20;

impl ResourceSlotSandboxer {
    /// Collects the items that `read` appends for the slots of the CRI API's pods, in no order.
    /// Each slot is locked meanwhile. Few long lists are made at a time.
    ///
    /// # Errors
    /// `ResourceExhausted` if the items are longer than a message may be.
    pub(crate) async fn list_pods<T: prost::Message>(
        &self,
        mut read: impl FnMut(&Key, &Slot, &CriPod, &mut Vec<T>),
    ) -> Result<Vec<T>> {
        let all = self.core.sandboxes.all();
        let _turn = if all.len() > TURN {
            self.core.lists.acquire().await.ok()
        } else {
            None
        };
        let (mut items, mut bytes) = (Vec::new(), 0);
        for part in all.chunks(TURN) {
            if !items.is_empty() {
                tokio::task::yield_now().await;
            }
            for live in part {
                bytes += read_one(live, &mut read, &mut items);
            }
            if bytes > MAX_GRPC_MESSAGE {
                return Err(Error::resource_exhausted(format!(
                    "the list is longer than a message of {MAX_GRPC_MESSAGE} bytes: filter it, \
                     or call the method that streams it"
                )));
            }
        }
        Ok(items)
    }

    /// Streams the items that `read` appends for the slots of the CRI API's pods, oldest pod
    /// first, in parts of at least one item and about a mebibyte. Each slot is locked while it is
    /// read, and is read when the stream comes to it: a pod that is removed before does not
    /// appear, nor does one that is created after the call.
    pub(crate) fn stream_pods<T, R>(&self, read: R) -> impl Stream<Item = Vec<T>> + Send + use<T, R>
    where
        T: prost::Message,
        R: FnMut(&Key, &Slot, &CriPod, &mut Vec<T>) + Send,
    {
        let mut all = self.core.sandboxes.all();
        all.sort_by_cached_key(|live| {
            let created = live.lock().ok().map(|inner| inner.slot.created_at);
            (created, live.key.clone())
        });
        stream::unfold((all.into_iter(), read), |(mut rest, mut read)| async {
            loop {
                let (mut items, mut bytes) = (Vec::new(), 0);
                for live in rest.by_ref().take(TURN) {
                    bytes += read_one(&live, &mut read, &mut items);
                    if bytes >= PART {
                        break;
                    }
                }
                if !items.is_empty() {
                    return Some((items, (rest, read)));
                }
                if rest.len() == 0 {
                    return None;
                }
                tokio::task::yield_now().await;
            }
        })
    }
}

/// Appends the items of one sandbox and returns their size in bytes. A sandbox that is gone, or
/// is no pod of CRI, has none.
fn read_one<T: prost::Message>(
    live: &Arc<LiveSlot>,
    read: &mut impl FnMut(&Key, &Slot, &CriPod, &mut Vec<T>),
    items: &mut Vec<T>,
) -> usize {
    let before = items.len();
    if let Ok(inner) = live.lock()
        && let Some(pod) = inner.slot.sandbox.cri.as_deref()
    {
        read(&live.key, &inner.slot, pod, items);
    }
    items[before..].iter().map(T::encoded_len).sum()
}
