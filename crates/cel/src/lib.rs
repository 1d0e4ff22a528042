//! Common Expression Language, as the Kubernetes API server compiles and evaluates it.
//!
//! An expression is checked before it runs: `[quantity('1')].sum()` does not compile, because no
//! signature of `sum` takes quantities, and a policy with it is refused at once. An evaluation has
//! a [`Budget`], and the nesting of an expression a bound, so no text can make it run long or
//! overflow the stack.
//!
//! # Modules
//!
//! - `lexer`, `parser`, `macros`, `ast`: text to syntax tree.
//! - `types`, `compile`, `environment`: syntax tree to program, with all types checked.
//! - `program`, `evaluate`, `budget`: evaluation.
//! - `library`: functions.
//! - `value`, `opaque`, `calendar`, `error`: values and errors.
//!
//! # Differences from cel-go
//!
//! - Brackets nest at most 100 deep (250), and a tree is at most 250 high.
//! - The work of an evaluation is counted like the cost of cel-go, but not to the unit.
//! - Zones of time are `UTC` and offsets; there is no data base of names.
//! - Messages (`Type{field: value}`) and the authorizer are not declared.

mod ast;
mod budget;
mod calendar;
mod compile;
mod environment;
mod error;
mod evaluate;
mod lexer;
mod library;
mod macros;
mod opaque;
mod parser;
mod program;
mod types;
mod value;

pub use budget::Budget;
pub use environment::Environment;
pub use error::{CompileError, EvalError, Evaluated};
pub use opaque::{NamedFormat, Quantity, Semver, Url};
pub use program::{Bindings, Program};
pub use types::{ObjectType, Type};
pub use value::{Map, Value};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
