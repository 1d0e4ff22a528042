//! What the store knows of threads: here the standard library's, and in the crate `models`
//! those of a scheduler that chooses every switch.

pub(crate) use std::sync::mpsc;
pub(crate) use std::{thread, thread_local};
