//! Shows results to people.
//!
//! - [`bars`]: horizontal bars beside names and values.
//! - [`columns`]: text in columns.
//! - [`human`]: numbers in readable units.
//! - [`output`]: tables and lines as text or Markdown.
//! - [`svg`], [`scale`]: charts.
//! - [`page`]: the frame of a self-contained page.

pub mod bars;
pub mod columns;
pub mod human;
pub mod output;
pub mod page;
pub mod scale;
pub mod svg;

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
