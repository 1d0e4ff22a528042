//! Threads, locks and channels for code that the models test.
//!
//! Without features, these are the standard library's threads and channels, the locks of
//! `parking_lot` and the asynchronous primitives of `tokio`. With the feature `shuttle`, they
//! are those of the scheduler [shuttle](https://docs.rs/shuttle), which draws every switch
//! between threads from a seed, so that the package `models` can run one piece of code under
//! many interleavings. Code that the models test takes its primitives from this crate only.
//!
//! Under `shuttle`, a wait with a time limit always ends by that limit: durations are no part
//! of the property under test.

#[cfg(feature = "shuttle")]
mod shuttle_locks;

#[cfg(not(feature = "shuttle"))]
mod primitives {
    pub use std::sync::mpsc;
    pub use std::{thread, thread_local};

    pub use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
    pub use tokio::sync::{Notify, oneshot, watch};
}

#[cfg(feature = "shuttle")]
mod primitives {
    pub use shuttle::sync::mpsc;
    pub use shuttle::{thread, thread_local};
    pub use shuttle_tokio::sync::{Notify, oneshot, watch};

    pub use crate::shuttle_locks::{Condvar, Mutex, MutexGuard, RwLock};
}

pub use primitives::*;

/// Runs the example of the README as a test.
#[cfg(all(doctest, not(feature = "shuttle")))]
#[doc = include_str!("../README.md")]
struct Readme;
