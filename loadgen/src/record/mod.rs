//! Records calls while a load goes on: latencies and failures by operation, on each
//! thread, merged second by second, and written as a log of histograms.

pub mod failure;
pub mod hdr_log;
pub mod operation;
pub mod recorder;
pub mod tape;
