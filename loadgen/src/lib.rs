//! Loads a containerd sandboxer with seeded pods, checks every reply, and
//! measures.
//!
//! Each module imports only modules below it in this table:
//!
//! ```text
//! commands     the command line; run, search, density, gate, overhead, compare, merge, ...
//! measure      one load on a server: session, observation, metrics during the run
//! show         progress, live view, tables, pages          server   programs and sockets to load
//! result       documents and their directories; thresholds, validity
//! drive        engine, lifecycle, drivers, calls, checks   process  usage of processes
//! connection   sandbox and task calls                      spans    spans of calls, their trees
//!                                                          record   tapes, histograms, their log
//! workload     scenarios, plans, schedules, traces         stats, stop, bounded, scratch, similar
//! ```
//!
//! A [plan](workload::plan) is a pure function of seed and index. A
//! [lifecycle](drive::lifecycle) runs one pod of it through any
//! [driver](drive::driver::Driver). The [engine](drive::engine) keeps many pods under
//! way, and each of its threads records on a [tape](record::tape) of its own; a
//! collector merges the tapes each second for the [result], the log of histograms, the
//! metrics and the live view. All other work happens before or after the load.

pub mod bounded;
pub mod commands;
pub mod connection;
pub mod drive;
pub mod measure;
pub mod process;
pub mod record;
pub mod result;
pub mod scratch;
pub mod server;
pub mod show;
pub mod similar;
pub mod spans;
pub mod stats;
pub mod stop;
pub mod workload;

pub use commands::dispatch::main;
