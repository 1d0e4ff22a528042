//! Prices of nodes: lists of prices, and their application to nodes.
//!
//! - `defaults`: prices by core, GiB and graphics processor, in the form of OpenCost's
//!   `configs/default.json`.
//! - `csv`: prices of machines, in the form of OpenCost's CSV files.
//! - `split`: the price of a machine to prices of its resources.
//! - `list`: both together, and the price of a node.

mod csv;
mod defaults;
mod list;
mod split;

pub use csv::{CsvPrices, FIELDS};
pub use defaults::DefaultPrices;
pub(crate) use list::gpus;
pub use list::{GivenPrice, GivenPriceError, NodePrice, PriceList, PriceSource};
pub use split::split;

use crate::money::MoneyError;

/// Reason why a list of prices cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// A file that is no JSON object of texts and numbers.
    #[error("line {line}: {message}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Reason.
        message: String,
    },
    /// A field with a wrong value.
    #[error("{field}: {value:?}: {error}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
        /// Reason.
        error: MoneyError,
    },
    /// A discount that is no percentage from 0 to 100.
    #[error("{field}: {value:?}: not a percentage such as 30%, from 0% to 100%")]
    Percentage {
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A wrong line of a CSV file.
    #[error("line {line}: {message}")]
    Line {
        /// Line, from 1.
        line: usize,
        /// Reason.
        message: String,
    },
    /// A file without any price.
    #[error("no price in the file")]
    Empty,
}
