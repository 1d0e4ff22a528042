//! The options of `loadgen merge`.

use std::path::PathBuf;

use clap::Args;

/// `loadgen merge`.
#[derive(Debug, Clone, Args)]
pub struct MergeArgs {
    /// The directory to be made for the whole.
    pub out: PathBuf,
    /// The directories of the parts.
    #[arg(required = true, num_args = 2.., value_name = "DIR")]
    pub parts: Vec<PathBuf>,
}
