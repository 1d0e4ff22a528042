//! `parking_lot`'s locks, as far as the shared files use them, over the scheduler's.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use shuttle::sync;

/// As `parking_lot::Mutex`.
#[derive(Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// As `parking_lot::MutexGuard`.
pub struct MutexGuard<'a, T> {
    /// `None` only while a [`Condvar`] has it.
    held: Option<sync::MutexGuard<'a, T>>,
    of: &'a Mutex<T>,
}

/// As `parking_lot::Condvar`.
#[derive(Debug, Default)]
pub struct Condvar(sync::Condvar);

/// As `parking_lot::WaitTimeoutResult`.
#[derive(Debug, Clone, Copy)]
pub struct TimedOut(bool);

/// As `parking_lot::RwLock`.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

const UNPOISONED: &str = "a panic ends the test";

impl<T> Mutex<T> {
    /// An unlocked one.
    pub fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for it.
    ///
    /// # Panics
    /// If another thread did.
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
    /// One that nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for a notification.
    ///
    /// # Panics
    /// If another thread did.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.held.take().expect(HELD);
        guard.held = Some(self.0.wait(held).expect(UNPOISONED));
    }

    /// Lets others go on, and ends by the time limit.
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _limit: Instant) -> TimedOut {
        guard.held = None;
        shuttle::thread::yield_now();
        guard.held = guard.of.lock().held;
        TimedOut(true)
    }

    /// Wakes one that waits.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl TimedOut {
    /// Whether it has; here it always has.
    pub fn timed_out(self) -> bool {
        self.0
    }
}

impl<T> RwLock<T> {
    /// Waits until nobody writes.
    ///
    /// # Panics
    /// If another thread did.
    pub fn read(&self) -> sync::RwLockReadGuard<'_, T> {
        self.0.read().expect(UNPOISONED)
    }

    /// Waits until nobody else has it.
    ///
    /// # Panics
    /// If another thread did.
    pub fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
        self.0.write().expect(UNPOISONED)
    }
}
