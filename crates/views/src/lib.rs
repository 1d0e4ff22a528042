//! Views: `resource_info.json` files, derived from the journal's state.
//!
//! One thread does all of their I/O. Each view comes to what was asked of it
//! last, and what nobody waits for is gathered for a while, so that of several
//! changes of a view only the last is written. Being derived, views are never
//! synced: a start [repairs](Views::repair) what a power cut did to them.

mod backlog;
mod disk;
mod entry;
#[cfg(test)]
mod fixtures;
mod queue;
mod repair;
mod spare;
mod worker;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use containerd_sandbox::{DEFAULT_NAMESPACE, Key};
use threads::Mutex;
use threads::oneshot;

use journal::{IMAGES, JOURNAL, LOCK, Slots, StoreError};
use pod_resources::ResourceInfo;
use threads::mpsc;
use threads::thread::{self, JoinHandle};

pub use repair::Repaired;

use disk::Root;
use queue::Queue;
use repair::Expected;
use worker::{Message, Worker};

/// When views are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewMode {
    /// Before the change is acknowledged; sums and removals as with write-behind.
    WriteThrough,
    /// Within 100 ms; what is gone by then never touches the disk.
    WriteBehind,
    /// Never; what an earlier run wrote is removed at the start.
    Off,
}

/// How long what nobody waits for is gathered: half of what it promises, so that
/// writing them has the other half.
const WINDOW: Duration = Duration::from_millis(50);

/// How long at least the file of a view that is gone rests before it becomes
/// another's: a reader that opened it before reads nothing else in that time.
const REST: Duration = Duration::from_millis(100);

/// What is to become of a view.
#[derive(Debug, Clone, PartialEq)]
pub enum ViewOp {
    /// It shall show this.
    Put {
        /// The sandbox.
        key: Key,
        /// The container in it; `None` for the sandbox itself.
        container: Option<String>,
        /// What to show.
        info: ResourceInfo,
    },
    /// It shall be gone; a sandbox's goes with those of its containers.
    Remove {
        /// The sandbox.
        key: Key,
        /// The container in it; `None` for the sandbox itself.
        container: Option<String>,
    },
}

/// Names a view. In order, a sandbox comes right before its containers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ViewId {
    key: Key,
    container: Option<String>,
}

impl ViewId {
    /// The view of the sandbox, if this is a container's.
    fn sandbox(&self) -> Option<Self> {
        self.container.as_ref()?;
        Some(Self {
            key: self.key.clone(),
            container: None,
        })
    }
}

/// The directory of a sandbox's views: its id, which is all that CRI's
/// namespace needs. Another namespace is added behind an `@`, which no id
/// contains, and so it is where the id is a name that the store uses itself.
fn view_dir(key: &Key) -> String {
    let own = [LOCK, JOURNAL, IMAGES].contains(&key.id());
    if key.namespace() == DEFAULT_NAMESPACE && !own {
        key.id().to_owned()
    } else {
        format!("{}@{}", key.id(), key.namespace())
    }
}

/// The views of one directory, and the thread that writes them. Stopped when dropped.
pub struct Views {
    mode: ViewMode,
    queue: Arc<Queue<Message>>,
    /// Views that the thread knows to be still to be changed.
    waiting: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Tells when what was asked for is done. May be dropped: it is done all the same.
pub struct Ack(Option<oneshot::Receiver<Result<(), StoreError>>>);

impl Ack {
    /// Waits until the file is in place or gone; with write-behind and off, returns at once.
    ///
    /// # Errors
    /// Why it could not be done. It is tried again every second until it
    /// succeeds or something else is asked for the same view.
    pub async fn done(self) -> Result<(), StoreError> {
        match self.0 {
            None => Ok(()),
            Some(done) => done.await.unwrap_or(Err(StoreError::Closed)),
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").finish_non_exhaustive()
    }
}

impl Views {
    /// Starts writing views into `dir`, which must exist.
    ///
    /// # Errors
    /// If it cannot be opened, or no thread be started.
    pub fn start(dir: &Path, mode: ViewMode) -> Result<Self, StoreError> {
        Self::start_with(dir, mode, WINDOW, REST)
    }

    fn start_with(
        dir: &Path,
        mode: ViewMode,
        window: Duration,
        rest: Duration,
    ) -> Result<Self, StoreError> {
        let worker = Worker::new(Root::open(dir, rest)?, window);
        let waiting = worker.waiting();
        let queue = Arc::new(Queue::default());
        let fed = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name("views".to_owned())
            .spawn(move || worker.run(&fed))
            .map_err(StoreError::of("start a thread for", dir))?;
        Ok(Self {
            mode,
            queue,
            waiting,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Asks for a change of a view. Never blocks. It is made on top of all that
    /// was submitted for the view before, lazily or not.
    pub fn submit(&self, op: ViewOp) -> Ack {
        if self.mode != ViewMode::WriteThrough {
            self.submit_lazily(op);
            return Ack(None);
        }
        let (done, ack) = oneshot::channel();
        // Refused, the message drops `done`, and the Ack tells.
        let _ = self.queue.push_urgent(Message::Op(op, Some(done)));
        Ack(Some(ack))
    }

    /// As [`Views::submit`], for a change that nobody waits for: in every mode
    /// it is handled as write-behind is, so it is made within 100 ms or when
    /// stopped; of several of one view only the last is, and none of a sandbox
    /// that is removed by then. What waits is at most one change a view, and
    /// what was submitted in the last moments.
    pub fn submit_lazily(&self, op: ViewOp) {
        if self.mode != ViewMode::Off {
            // Refused only when stopped: then the next start repairs it.
            let _ = self.queue.push(Message::Op(op, None));
        }
    }

    /// How many changes of views are still to be made: those that were just submitted, and
    /// the views that are to be changed, be it again.
    pub fn backlog(&self) -> usize {
        self.queue.len() + self.waiting.load(Ordering::Relaxed)
    }

    /// Makes the directory agree with `slots`: missing and stale files are
    /// written, directories of unknown sandboxes that hold nothing but views
    /// are removed. What does not look like a view is left alone.
    ///
    /// # Errors
    /// If the directory cannot be listed. A view that cannot be written is
    /// counted, and tried again every second.
    pub fn repair(&self, slots: &Slots) -> Result<Repaired, StoreError> {
        let expected = match self.mode {
            ViewMode::Off => Expected::default(),
            ViewMode::WriteThrough | ViewMode::WriteBehind => Expected::of(slots),
        };
        let (done, repaired) = mpsc::sync_channel(1);
        let _ = self.queue.push_urgent(Message::Repair(expected, done));
        repaired.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Writes what is still to be written, and stops. A second call does
    /// nothing; what is asked for from now on is not done.
    pub fn flush_and_stop(&self) {
        self.queue.close();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the views' thread panicked");
        }
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.flush_and_stop();
    }
}

#[cfg(test)]
mod tests;
