//! The live sandboxer: requests move slots, slots move the journal and the views.
//!
//! A sandbox and everything in it is under one lock, which is held for the
//! microseconds of one change and never across an await. Two tables find it,
//! by sandbox and by container id; their shards are locked for a look-up only.

mod appender;
mod attached;
mod console;
mod container;
mod convert;
mod core;
mod cri;
mod decode;
mod gate;
mod lives;
mod observe;
mod orphans;
mod process;
#[cfg(test)]
mod races;
mod sandbox;
mod sandboxer;
mod setup;
mod slowdown;
#[cfg(test)]
mod tests;
mod timers;
mod userland;

pub use crate::simulate::lives::Lives;
pub(crate) use console::Output;
pub use container::ResourceSlotContainer;
pub use core::Settings;
pub(crate) use cri::Found;
pub(crate) use observe::{Seen, Step};
pub use sandbox::ResourceSlotSandbox;
pub use sandboxer::ResourceSlotSandboxer;
pub(crate) use userland::Attachment;
