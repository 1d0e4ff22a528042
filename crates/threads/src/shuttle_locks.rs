//! Locks with the interface of `parking_lot`, as far as this project uses it, over those of
//! the scheduler.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use shuttle::sync;

/// Counterpart of `parking_lot::Mutex`.
#[derive(Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// Counterpart of `parking_lot::MutexGuard`.
pub struct MutexGuard<'a, T> {
    /// The held lock; `None` only while a [`Condvar`] waits.
    held: Option<sync::MutexGuard<'a, T>>,
    of: &'a Mutex<T>,
}

/// Counterpart of `parking_lot::Condvar`.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

/// Counterpart of `parking_lot::WaitTimeoutResult`.
#[derive(Debug, Clone, Copy)]
pub struct TimedOut(bool);

/// Counterpart of `parking_lot::RwLock`.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

const UNPOISONED: &str = "a panic ends the test";

impl<T> Mutex<T> {
    /// Returns an unlocked mutex.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Locks the mutex, and waits until that is possible.
    ///
    /// # Panics
    /// If another thread panicked while it held the lock.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            held: Some(self.0.lock().expect(UNPOISONED)),
            of: self,
        }
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

const HELD: &str = "it is held but within a wait";

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.held.as_ref().expect(HELD)
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.held.as_mut().expect(HELD)
    }
}

impl Condvar {
    /// Returns a condition variable without a waiting thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// Releases the lock, waits for a notification and takes the lock again.
    ///
    /// # Panics
    /// If another thread panicked while it held the lock.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.held.take().expect(HELD);
        guard.held = Some(self.0.wait(held).expect(UNPOISONED));
    }

    /// Releases the lock, lets other threads run, takes the lock again and reports the time
    /// limit.
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _limit: Instant) -> TimedOut {
        guard.held = None;
        shuttle::thread::yield_now();
        guard.held = guard.of.lock().held;
        TimedOut(true)
    }

    /// Wakes one waiting thread.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all waiting threads.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl TimedOut {
    /// Returns whether the time limit ended the wait: always true.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl<T> RwLock<T> {
    /// Locks for reading, and waits until no thread writes.
    ///
    /// # Panics
    /// If another thread panicked while it held the lock.
    pub fn read(&self) -> sync::RwLockReadGuard<'_, T> {
        self.0.read().expect(UNPOISONED)
    }

    /// Locks for writing, and waits until no other thread has the lock.
    ///
    /// # Panics
    /// If another thread panicked while it held the lock.
    pub fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
        self.0.write().expect(UNPOISONED)
    }
}
