//! Tests of the sandboxer's concurrent parts under a scheduler that draws every switch
//! between threads.
//!
//! The crates under test take their threads, locks and channels from the crate `threads`,
//! whose feature `shuttle` replaces them by those of the scheduler
//! [shuttle](https://docs.rs/shuttle). Each test runs a few hundred times, each time with
//! switches drawn from another seed, and fails as well when no thread can go on. A failure
//! prints what repeats it.
//!
//! ```text
//! cargo test -p models --features shuttle
//! ```
