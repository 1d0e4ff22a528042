//! The live sandboxer: requests change slots, and changes of slots go to the journal and
//! the views.
//!
//! A sandbox and everything in it is under one lock, which is held for the microseconds of
//! one change and never across an await. Two tables find the sandbox, by its id and by the
//! ids of its containers; a shard of a table is locked for a look-up only.
//!
//! Handles: `sandboxer`, `sandbox` and `container` implement the traits of the sandbox API;
//! `cri` and `attach` add the operations of the CRI API.
//!
//! Changes: `core` is the shared state and `live_slot` one sandbox; `commit` is the one way
//! in which a slot changes, `effects` computes the consequences of a change, and
//! `exit_notice` tells the waiters of ended processes. `recovery` fills the tables at a
//! start, `observe` describes changes to the observers of the CRI API's pods and of ports, and `drain`
//! stops changes at the end. `pod_ports` reads slots for what answers on the ports. `record_network` reads
//! the addresses that containerd records, and `meta` chooses the labels and annotations that a
//! slot keeps.
//!
//! Processes: `process` starts the tasks behind a fake process, `end` ends it, `timers`
//! times it, and `attached` holds the state that ends with it. `stdio` opens its FIFOs, and
//! `terminal` carries the bytes of its terminal.
//! `userland` runs commands in the toy userland, set up by `setup`, on the thread of
//! `scripts`; `console`, `appender` and `logs` write the output of the CRI API's containers,
//! and `simulated_log` simulated lines. `fault_injection` delays and
//! fails calls, `orphans` drops containers that containerd lost, and `slowdown` is a test
//! aid. `volumes` looks at the files of the node that containers mount, and
//! `stated_message` writes the termination messages of annotations.
//!
//! Only `decode`, `setup` and `cri` read the messages of an API that a slot keeps; other
//! files ask for the [`slot::Origin`]. A test of the crate holds this rule.

mod appender;
mod attach;
mod attached;
mod commit;
mod console;
mod container;
mod convert;
mod core;
mod cri;
mod decode;
mod drain;
mod effects;
mod end;
mod exit_notice;
mod fault_injection;
mod lists;
mod live_slot;
mod log_root;
pub(crate) mod logs;
mod meta;
mod observe;
mod orphans;
mod pod_ports;
#[cfg(test)]
mod pod_updates;
mod process;
#[cfg(test)]
mod races;
mod record_network;
mod recovery;
mod sandbox;
mod sandboxer;
mod scripts;
mod setup;
mod simulated_log;
mod slowdown;
mod stated_message;
mod stdio;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
mod timers;
mod userland;
mod volumes;

pub use crate::simulate::profile::Profile;
pub(crate) use attach::Attachment;
pub(crate) use console::{Output, Written};
pub use container::ResourceSlotContainer;
pub use core::Settings;
pub(crate) use cri::Found;
pub use log_root::LogRoot;
pub(crate) use observe::{Seen, Step};
pub use sandbox::ResourceSlotSandbox;
pub use sandboxer::ResourceSlotSandboxer;
pub use volumes::{HostRules, KubeletRoot};
