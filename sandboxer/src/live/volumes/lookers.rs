//! Threads that look at files of the node, because a file system may not answer.
//!
//! A command of a container waits for each look, and with it the thread that runs all commands.
//! So a look has a bounded time, a mount whose look did not end is not looked at again before it
//! does, and no look waits for a thread: at most [`MAX_THREADS`] mounts that do not answer cost
//! that time once each.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use toy_userland::FileError;
use tracing::warn;

/// Most threads that look at files, of which each serves one look at a time.
const MAX_THREADS: usize = 4;
/// Longest time of a look.
const LOOK_LIMIT: Duration = Duration::from_millis(500);

type Job = Box<dyn FnOnce() + Send>;

/// The threads, of which there are none before the first look.
#[derive(Debug, Clone, Default)]
pub(in crate::live) struct Lookers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Number of looks that have not ended.
    busy: AtomicUsize,
    queue: Mutex<Option<Queue>>,
}

#[derive(Debug)]
struct Queue {
    jobs: mpsc::Sender<Job>,
    receiver: Arc<Mutex<mpsc::Receiver<Job>>>,
    threads: usize,
}

/// Whether the last look at a mount has not ended in time.
pub(super) type Hung = Arc<AtomicBool>;

impl Lookers {
    /// Makes a look, and returns its result.
    ///
    /// # Errors
    /// [`FileError::InputOutput`] if the look takes too long, an earlier look at the same mount
    /// has not ended, or no thread is free; the errors of the look.
    pub(super) fn look<T: Send + 'static>(
        &self,
        hung: &Hung,
        look: impl FnOnce() -> Result<T, FileError> + Send + 'static,
    ) -> Result<T, FileError> {
        if hung.load(Ordering::Acquire) {
            return Err(FileError::InputOutput);
        }
        let busy = self.0.busy.fetch_add(1, Ordering::AcqRel);
        let guard = Busy(Arc::clone(&self.0));
        if busy >= MAX_THREADS {
            return Err(FileError::InputOutput);
        }
        let (answer, answered) = mpsc::sync_channel(1);
        let ended = Arc::clone(hung);
        let job = Box::new(move || {
            let found = look();
            drop(guard);
            // The command may have given up. One that gives up now finds the answer, or its mark
            // is taken back here.
            let _ = answer.send(found);
            ended.store(false, Ordering::Release);
        });
        self.submit(busy, job)?;
        match answered.recv_timeout(LOOK_LIMIT) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => {
                hung.store(true, Ordering::Release);
                // The look may have ended meanwhile, before it could be told to be late.
                match answered.try_recv() {
                    Ok(found) => {
                        hung.store(false, Ordering::Release);
                        found
                    }
                    Err(_) => Err(FileError::InputOutput),
                }
            }
            Err(RecvTimeoutError::Disconnected) => Err(FileError::InputOutput),
        }
    }

    /// Hands a job to a thread, and starts one if all others may be busy.
    fn submit(&self, busy: usize, job: Job) -> Result<(), FileError> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = queue.get_or_insert_with(|| {
            let (jobs, receiver) = mpsc::channel();
            Queue {
                jobs,
                receiver: Arc::new(Mutex::new(receiver)),
                threads: 0,
            }
        });
        if queue.threads <= busy {
            let receiver = Arc::clone(&queue.receiver);
            let started = std::thread::Builder::new()
                .name("looks".to_owned())
                .spawn(move || work(&receiver));
            match started {
                Ok(_) => queue.threads += 1,
                Err(e) => {
                    warn!("no thread looks at the files of mounts: {e}");
                    return Err(FileError::InputOutput);
                }
            }
        }
        queue.jobs.send(job).map_err(|_| FileError::InputOutput)
    }
}

/// Counts a look until it ends.
struct Busy(Arc<Shared>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Does the jobs until the last handle is gone.
fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_look_that_does_not_end_costs_its_time_once() {
        let lookers = Lookers::default();
        let (hung, other) = (Hung::default(), Hung::default());
        let (release, released) = mpsc::channel::<()>();
        let late = lookers.look(&hung, move || {
            let _ = released.recv();
            Ok(())
        });
        assert_eq!(late, Err(FileError::InputOutput));
        let begun = Instant::now();
        for _ in 0..100 {
            assert_eq!(lookers.look(&hung, || Ok(())), Err(FileError::InputOutput));
        }
        assert!(begun.elapsed() < LOOK_LIMIT);
        assert_eq!(lookers.look(&other, || Ok(7)), Ok(7));
        drop(release);
        let deadline = Instant::now() + Duration::from_secs(20);
        while hung.load(Ordering::Acquire) {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert_eq!(lookers.look(&hung, || Ok(8)), Ok(8));
    }

    #[test]
    fn no_look_waits_for_a_thread() {
        let lookers = Lookers::default();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        for _ in 0..MAX_THREADS {
            let released = Arc::clone(&released);
            let late = lookers.look(&Hung::default(), move || {
                let _ = released.lock().unwrap().recv();
                Ok(())
            });
            assert_eq!(late, Err(FileError::InputOutput));
        }
        let begun = Instant::now();
        let refused = lookers.look(&Hung::default(), || Ok(()));
        assert_eq!(refused, Err(FileError::InputOutput));
        assert!(begun.elapsed() < LOOK_LIMIT);
        drop(release);
    }
}
