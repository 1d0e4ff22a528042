//! Metrics of a process, for whoever scrapes them over HTTP.
//!
//! [`MetricsServer`] answers `GET /metrics` from a thread of its own, so that whoever does
//! the work neither waits for a scrape nor knows of one. What is exposed is a
//! [`Registry`] of prometheus-client, whose collectors look at what there is when they are
//! asked. [`Process`] is the collector that every process can use. A process that ends
//! before it is scraped sends its metrics by a [`Pusher`].

mod format;
mod process;
mod push;
mod sample;
mod server;

pub use format::Format;
pub use process::Process;
pub use prometheus_client::registry::Registry;
pub use push::{InvalidPushUrl, PushError, PushUrl, Pusher};
pub use sample::{Descriptor, Samples};
pub use server::{ListenError, MetricsServer};
