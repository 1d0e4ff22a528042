//! The ResourceSlot sandboxer.

pub mod resource;
pub mod slot;
pub mod time;
