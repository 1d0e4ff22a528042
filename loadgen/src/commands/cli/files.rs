//! Option for the place of the files of started servers.

use std::path::PathBuf;

use clap::Args;

use crate::drive::bundle;

/// Place of the files of started servers.
#[derive(Debug, Clone, Args)]
pub struct FilesArgs {
    /// Directory below which started servers keep their files: on a disk, its cost is a part
    /// of the figures [default: /dev/shm if it has room, else the directory of temporary
    /// files].
    #[arg(long, env = "LOADGEN_FILES", value_name = "DIR")]
    pub files: Option<PathBuf>,
}

impl FilesArgs {
    /// Returns the directory: by default in memory, so that no disk affects the figures.
    pub fn directory(&self) -> PathBuf {
        self.files.clone().unwrap_or_else(bundle::roomy)
    }
}
