//! Metrics of a process over HTTP, as OpenMetrics or in Prometheus' text format.
//!
//! [`MetricsServer`] answers `GET /metrics` from a thread of its own, so that a scrape never delays
//! the work of the process. The metrics are those of a [`Registry`] of prometheus-client, whose
//! collectors read the state of the process at each scrape. [`Process`] is a collector for every
//! process, and [`Descriptor`] helps to write others. A process that ends before it is scraped
//! sends its metrics by a [`Pusher`].
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use exposition::{MetricsServer, Process, Registry};
//!
//! let mut registry = Registry::default();
//! registry.register_collector(Box::new(Process));
//! let server = MetricsServer::start(([127, 0, 0, 1], 0).into(), registry)?;
//!
//! let mut stream = TcpStream::connect(server.address()).unwrap();
//! stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
//! let mut answer = String::new();
//! stream.read_to_string(&mut answer).unwrap();
//! assert!(answer.contains("process_open_fds "));
//! # Ok::<(), exposition::ListenError>(())
//! ```
//!
//! The crate knows nothing of the metrics of its users.

mod format;
mod proc_stat;
mod process;
mod push;
mod sample;
mod server;

pub use format::Format;
pub use proc_stat::ProcessStat;
pub use process::Process;
pub use prometheus_client::registry::Registry;
pub use push::{InvalidPushUrl, PushError, PushUrl, Pusher};
pub use sample::{Descriptor, Samples};
pub use server::{ListenError, MetricsServer};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
