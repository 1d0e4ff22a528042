//! Options of `loadgen merge`.

use std::path::PathBuf;

use clap::Args;

/// Options of `loadgen merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// Directory to create for the merged result.
    pub out: PathBuf,
    /// Directories of the parts.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    pub parts: Vec<PathBuf>,
}
