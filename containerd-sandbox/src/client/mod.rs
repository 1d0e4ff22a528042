//! Typed clients for every door.

mod controller;
mod ttrpc;

pub use controller::Controller;
pub use ttrpc::Ttrpc;
