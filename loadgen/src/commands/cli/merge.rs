//! Options of `loadgen merge`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

/// Options of `loadgen merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// Directory to create for the merged result.
    pub out: PathBuf,
    /// Merge parts with different scenarios or programs, and show those of the first part; merge
    /// interrupted parts of a plan as well.
    #[arg(long, env = "LOADGEN_ANYWAY", value_parser = BoolishValueParser::new())]
    pub anyway: bool,
    /// Print the merged result.json to standard output; the tables go to standard error.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Directories of the parts.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    pub parts: Vec<PathBuf>,
}
