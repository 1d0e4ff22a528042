//! Shows measurements: live on a terminal, as tables, and as pages.

pub mod live;
pub mod progress;
pub mod repeated;
pub mod report;
pub mod spans;
pub mod table;
pub mod terminal;
