//! Views: the files `resource_info.json`, derived from the slots.
//!
//! ```text
//! {dir}/{sandbox}/resource_info.json                  view of a sandbox
//! {dir}/{sandbox}/containers/{id}/resource_info.json  view of a container
//! {dir}/.spare/                                       directories of removed views, to be reused
//! ```
//!
//! One thread does all I/O of views. Every view arrives at the change that was submitted for it
//! last. The thread makes a change at once if a caller waits for it. It gathers the other
//! changes for a while, and of several changes of one view it writes only the last. The removal
//! of a sandbox comes before the views of a new sandbox with the same id. A view that cannot be
//! written is tried again. Views are never synced: they are derived, and a start
//! [repairs](Views::repair) them after a power cut.
//!
//! # Modules
//!
//! - `queue`: the queue from the callers to the thread.
//! - `worker`: the thread.
//! - `backlog`: the changes that are still to be made, at most one per view.
//! - `disk`: the directory of all views.
//! - `entry`: steps on directory entries that follow no link.
//! - `spare`: reuses the directories of removed views.
//! - `repair`: makes the directory agree with the state that a start found.
//! - `error`: the error type.

mod backlog;
mod disk;
mod entry;
mod error;
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

use journal::{IMAGES, JOURNAL, LOCK, Slots};
use pod_resources::ResourceInfo;
use threads::mpsc;
use threads::thread::{self, JoinHandle};

pub use error::ViewError;
pub use repair::Repaired;

use disk::Root;
use queue::Queue;
use repair::Expected;
use worker::{Message, Worker};

/// When views are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewMode {
    /// Before the change is acknowledged; sums and removals are written as with write-behind.
    WriteThrough,
    /// Within 100 ms; a view that is removed before that never touches the disk.
    WriteBehind,
    /// Never; views of an earlier run are removed at the start.
    Off,
}

/// Time for which changes without a waiting caller are gathered: half of the promised 100 ms,
/// so that the other half remains for writing them.
const WINDOW: Duration = Duration::from_millis(50);

/// Least time for which the file of a removed view is not reused: a reader that opened the
/// file before reads no other view in that time.
const REST: Duration = Duration::from_millis(100);

/// Change of a view.
#[derive(Debug, Clone, PartialEq)]
pub enum ViewOp {
    /// Writes the view.
    Put {
        /// The sandbox.
        key: Key,
        /// Id of the container; `None` for the view of the sandbox itself.
        container: Option<String>,
        /// New content.
        info: ResourceInfo,
    },
    /// Removes the view; a sandbox's view goes with the views of its containers.
    Remove {
        /// The sandbox.
        key: Key,
        /// Id of the container; `None` for the view of the sandbox itself.
        container: Option<String>,
    },
}

/// Name of a view. In sorted order, a sandbox comes right before its containers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ViewId {
    key: Key,
    container: Option<String>,
}

impl ViewId {
    /// Returns the view of the sandbox if this is the view of a container.
    fn sandbox(&self) -> Option<Self> {
        self.container.as_ref()?;
        Some(Self {
            key: self.key.clone(),
            container: None,
        })
    }
}

/// Returns the name of the directory of a sandbox's views: the id, for sandboxes in the
/// namespace of CRI. Another namespace is added behind an `@`, which no id contains, and so is
/// the namespace of CRI if the id is a name that the state directory uses itself.
fn view_dir(key: &Key) -> String {
    let is_reserved = [LOCK, JOURNAL, IMAGES].contains(&key.id());
    if key.namespace() == DEFAULT_NAMESPACE && !is_reserved {
        key.id().to_owned()
    } else {
        format!("{}@{}", key.id(), key.namespace())
    }
}

/// The views of one directory and the thread that writes them. Dropping it stops the thread.
///
/// ```
/// use containerd_sandbox::Key;
/// use pod_resources::ResourceInfo;
/// use views::{ViewMode, ViewOp, Views};
///
/// let dir = tempfile::tempdir()?;
/// let views = Views::start(dir.path(), ViewMode::WriteBehind)?;
/// views.submit_lazily(ViewOp::Put {
///     key: Key::new("k8s.io", "web")?,
///     container: None,
///     info: ResourceInfo { pid_limit: Some(100), ..ResourceInfo::default() },
/// });
/// views.flush_and_stop();
///
/// let json = std::fs::read(dir.path().join("web/resource_info.json"))?;
/// assert_eq!(serde_json::from_slice::<ResourceInfo>(&json)?.pid_limit, Some(100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Views {
    mode: ViewMode,
    queue: Arc<Queue<Message>>,
    /// Number of views that the thread still has to change.
    waiting: Arc<AtomicUsize>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Answer to [`Views::submit`]. Dropping it does not stop the change.
pub struct Ack(Option<oneshot::Receiver<Result<(), ViewError>>>);

impl Ack {
    /// Waits until the change is made. With write-behind and off, returns at once.
    ///
    /// # Errors
    /// The reason why the change could not be made. The change is tried again every second
    /// until it succeeds or another change is submitted for the same view.
    pub async fn done(self) -> Result<(), ViewError> {
        match self.0 {
            None => Ok(()),
            Some(done) => done.await.unwrap_or(Err(ViewError::Stopped)),
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
    /// A failure to open the directory or to start the thread.
    pub fn start(dir: &Path, mode: ViewMode) -> Result<Self, ViewError> {
        Self::start_with(dir, mode, WINDOW, REST)
    }

    fn start_with(
        dir: &Path,
        mode: ViewMode,
        window: Duration,
        rest: Duration,
    ) -> Result<Self, ViewError> {
        let worker = Worker::new(Root::open(dir, rest)?, window);
        let waiting = worker.waiting();
        let queue = Arc::new(Queue::default());
        let fed = Arc::clone(&queue);
        let thread = thread::Builder::new()
            .name("views".to_owned())
            .spawn(move || worker.run(&fed))
            .map_err(ViewError::of("start a thread for", dir))?;
        Ok(Self {
            mode,
            queue,
            waiting,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Submits a change of a view and returns its answer. Never blocks. The change is made on
    /// top of all changes submitted for the view before, by either method.
    pub fn submit(&self, op: ViewOp) -> Ack {
        if self.mode != ViewMode::WriteThrough {
            self.submit_lazily(op);
            return Ack(None);
        }
        let (done, ack) = oneshot::channel();
        // A closed queue drops the message and `done` with it, so the answer is an error.
        let _ = self.queue.push_urgent(Message::Op(op, Some(done)));
        Ack(Some(ack))
    }

    /// Submits a change that no caller waits for.
    ///
    /// In every mode but off, the change is made as with write-behind: within 100 ms or when
    /// the views are stopped. Of several changes of one view only the last is made, and none
    /// of a sandbox that is removed by then. At most one change per view waits, besides the
    /// changes submitted in the last moments.
    pub fn submit_lazily(&self, op: ViewOp) {
        if self.mode != ViewMode::Off {
            // A closed queue refuses the change; the next start repairs the view.
            let _ = self.queue.push(Message::Op(op, None));
        }
    }

    /// Counts the changes that wait in the queue and the views that the thread still has to
    /// change.
    pub fn backlog(&self) -> usize {
        self.queue.len() + self.waiting.load(Ordering::Relaxed)
    }

    /// Makes the directory agree with `slots`: writes missing and stale files and removes the
    /// directories of unknown sandboxes that hold only views. Entries that do not look like
    /// views stay.
    ///
    /// # Errors
    /// A failure to list the directory. A view that cannot be written is counted, and tried
    /// again every second.
    pub fn repair(&self, slots: &Slots) -> Result<Repaired, ViewError> {
        let expected = match self.mode {
            ViewMode::Off => Expected::default(),
            ViewMode::WriteThrough | ViewMode::WriteBehind => Expected::of(slots),
        };
        let (done, repaired) = mpsc::sync_channel(1);
        let _ = self.queue.push_urgent(Message::Repair(expected, done));
        repaired.recv().unwrap_or(Err(ViewError::Stopped))
    }

    /// Makes the outstanding changes and stops the thread. A second call does nothing; changes
    /// that are submitted later are not made.
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

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
