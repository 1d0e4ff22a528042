//! Tests of the sandboxer's concurrent parts under a scheduler that draws each switch between
//! threads.
//!
//! The crates under test take their threads, locks and channels from the crate `threads`,
//! whose feature `shuttle` replaces them by those of the scheduler
//! [shuttle](https://docs.rs/shuttle). Each test runs some hundred times, with switches drawn
//! from another seed each time, and also fails when no thread can go on. A failure prints the
//! schedule that repeats it. The tests cover the table of slots, the exit signal, the journal and
//! the views.
//!
//! ```text
//! cargo test -p models --features shuttle
//! ```
