//! Doors of the sandboxer's own, beside those of the sandbox API.

pub mod cri;
pub mod streaming;
