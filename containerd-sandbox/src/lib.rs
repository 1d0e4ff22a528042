//! The containerd sandbox API in Rust.
pub mod client;
mod error;
mod id;
mod namespace;

pub use error::{CODES, Code, Error, Result};
pub use id::{DEFAULT_NAMESPACE, Key, MAX_ID_LEN, check_id, quoted};
pub use namespace::{GRPC_NAMESPACE, TTRPC_NAMESPACE};
