//! The sandboxer's concurrent parts under a scheduler that chooses every switch.
//!
//! The files are the sandboxer's own. What they know of threads, locks and channels comes
//! here from [`shuttle`], which runs a test many times, each time with other switches
//! between threads, drawn from a seed, and notices when none can go on. A failure prints
//! what repeats it. `tests/` has the tests, this crate what they are made of.
//!
//! A wait with a time limit always ends by it here: how long something takes is no part of
//! what must be right.

// `parking_lot::Mutex` in the shared files is the one of `locks`, and `tokio::sync` the
// scheduler's.
extern crate self as parking_lot;
extern crate shuttle_tokio as tokio;

mod locks;
mod table_model;

#[path = "../../containerd-sandbox/src/exit.rs"]
mod exit;
#[path = "../../sandboxer/src/resource/mod.rs"]
pub mod resource;
#[path = "../../sandboxer/src/slot/mod.rs"]
pub mod slot;
#[expect(
    dead_code,
    unused_imports,
    reason = "what only other parts of the sandboxer use"
)]
#[path = "../../sandboxer/src/store/mod.rs"]
pub mod store;
#[path = "../../sandboxer/src/live/table.rs"]
mod table;
#[path = "../../sandboxer/src/time.rs"]
pub mod time;

/// The sandboxer's module of this name, of another make.
mod threads {
    pub(crate) use shuttle::sync::mpsc;
    pub(crate) use shuttle::{thread, thread_local};
}

pub use exit::{Exit, ExitSignal};
pub use locks::{Condvar, Mutex, MutexGuard, RwLock};
pub use table_model::{create_and_delete, populate};
