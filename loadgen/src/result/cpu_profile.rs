//! The CPU profile of containerd, in a result.

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::pprof;

/// Name of the file with the whole profile, for `go tool pprof`.
pub const PROFILE_FILE: &str = "containerd.pprof";

/// Number of packages in a result.
const MOST: usize = 20;

/// Packages that used the CPU time of containerd during the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuProfile {
    /// Sampled CPU time, in seconds.
    pub cpu_s: f64,
    /// Packages with the most CPU time, the greatest first.
    pub packages: Vec<PackageShare>,
}

/// Share of the functions of a package, without that of the functions that they call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PackageShare {
    /// Import path of the package.
    pub package: String,
    /// Share of the sampled CPU time.
    pub share: f64,
}

impl CpuProfile {
    /// Reads a compressed profile.
    ///
    /// # Errors
    /// Data that is no CPU profile.
    pub fn read(profile: &[u8]) -> io::Result<Self> {
        let packages = pprof::packages(profile)?;
        let whole: u64 = packages.iter().map(|package| package.ns).sum();
        let share = |one: pprof::PackageTime| PackageShare {
            package: one.package,
            share: one.ns as f64 / whole.max(1) as f64,
        };
        Ok(Self {
            cpu_s: whole as f64 / 1e9,
            packages: packages.into_iter().take(MOST).map(share).collect(),
        })
    }
}
