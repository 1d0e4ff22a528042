//! The OCI bundles of the containers of a plan. They are written before the clock starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::scratch::Scratch;
use crate::stop::Stop;
use crate::workload::plan::{Container, Plan, PlanHasher, Summary};

/// Reason for which the bundles were not written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A stop was requested during the writing.
    #[error("interrupted before the load began")]
    Interrupted,
    /// The specification of a container could not be encoded as JSON.
    #[error("encode config.json")]
    Encode(#[source] serde_json::Error),
    /// The file system has too little room for the bundles.
    #[error(
        "the bundles of {bundles} containers need up to {} MiB in all and two inodes each, and \
         {} has less; run fewer pods, or set TMPDIR to a file system with more room",
        bytes >> 20, dir.display()
    )]
    NoRoom {
        /// Number of bundles; an upper bound.
        bundles: u64,
        /// Upper bound of the space that the bundles take, in bytes.
        bytes: u64,
        /// Directory in which the bundles were to be created.
        dir: PathBuf,
    },
    /// The file system returned an error.
    #[error("write {}", path.display())]
    Write {
        /// Path that was to be written.
        path: PathBuf,
        /// Error of the file system.
        #[source]
        source: io::Error,
    },
}

/// Directory of the file system in memory on Linux.
const TMPFS: &str = "/dev/shm";

/// Space that one bundle takes on tmpfs, in bytes: one page for `config.json`, and at
/// most two more for the inodes and directory entries of the file and its directory.
const BYTES_PER_BUNDLE: u64 = 3 * 4096;

/// Temporary directory of bundles, `DIR/<container id>/config.json`. Dropping it removes
/// the directory.
#[derive(Debug)]
pub struct Bundles {
    dir: Scratch,
    summary: Summary,
}

impl Bundles {
    /// Writes the bundles of the first `pods` pods of a plan, and hashes the plan at the
    /// same time. Calls `progress` with the number of pods done after each pod.
    ///
    /// # Errors
    /// [`BundleError::Interrupted`] if a stop was requested meanwhile,
    /// [`BundleError::NoRoom`] if the directory has too little room, and errors of the file
    /// system.
    pub fn write(
        plan: &Plan,
        pods: u64,
        stop: &Stop,
        mut progress: impl FnMut(u64),
    ) -> Result<Self, BundleError> {
        let bundles = plan.most_containers().saturating_mul(pods);
        let dir = directory(bundles)?;
        let mut hasher = PlanHasher::default();
        let mut containers = 0;
        for index in 0..pods {
            if stop.requested() {
                return Err(BundleError::Interrupted);
            }
            let pod = plan.pod(index);
            let mut configs = Vec::with_capacity(pod.containers.len());
            for container in &pod.containers {
                let config = pod.config_json(container).map_err(BundleError::Encode)?;
                write(&dir.path().join(&container.id), &config)?;
                configs.push(config);
            }
            hasher.pod(&pod, &configs);
            containers += configs.len() as u64;
            progress(index + 1);
        }
        Ok(Self {
            dir,
            summary: Summary {
                hash: hasher.finish(),
                containers,
            },
        })
    }

    /// Returns the path of the bundle of a container.
    pub fn path(&self, container: &Container) -> PathBuf {
        self.dir.path().join(&container.id)
    }

    /// Adds the FIFOs that containerd creates for the output of a container, for the pods
    /// whose bundles were written.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn add_streams(&self, plan: &Plan, pods: u64) -> Result<(), BundleError> {
        for container in (0..pods).flat_map(|index| plan.pod(index).containers) {
            for path in self.streams(&container) {
                mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(
                    |source| BundleError::Write {
                        path,
                        source: source.into(),
                    },
                )?;
            }
        }
        Ok(())
    }

    /// Returns the paths of the FIFOs for the standard output and standard error of a
    /// container. They exist after [`Bundles::add_streams`].
    pub fn streams(&self, container: &Container) -> [PathBuf; 2] {
        let bundle = self.path(container);
        [bundle.join("stdout"), bundle.join("stderr")]
    }

    /// Returns the summary of the plan from which the bundles were written.
    pub fn summary(&self) -> Summary {
        self.summary
    }
}

fn write(bundle: &Path, config: &[u8]) -> Result<(), BundleError> {
    let path = bundle.join("config.json");
    fs::create_dir(bundle)
        .and_then(|()| fs::write(&path, config))
        .map_err(|source| BundleError::Write { path, source })
}

/// Free space that a directory in memory must have for the temporary files of any caller,
/// in bundles: about 50 MiB.
const ROOMY: u64 = 4096;

/// Returns a directory for temporary files: in memory if there is enough room, else the
/// default directory of the system.
pub fn roomy() -> PathBuf {
    let memory = PathBuf::from(TMPFS);
    if has_room(&memory, ROOMY) {
        memory
    } else {
        std::env::temp_dir()
    }
}

/// Creates the directory of the bundles: in memory if there is enough room, so that no
/// disk influences the measurements.
fn directory(bundles: u64) -> Result<Scratch, BundleError> {
    const KIND: &str = "bundles";
    let memory = Path::new(TMPFS);
    if has_room(memory, bundles)
        && let Ok(dir) = Scratch::new_in(memory, KIND)
    {
        return Ok(dir);
    }
    let elsewhere = std::env::temp_dir();
    if !has_room(&elsewhere, bundles) {
        return Err(BundleError::NoRoom {
            bundles,
            bytes: bundles.saturating_mul(BYTES_PER_BUNDLE),
            dir: elsewhere,
        });
    }
    Scratch::new_in(&elsewhere, KIND).map_err(|source| BundleError::Write {
        path: elsewhere,
        source,
    })
}

fn has_room(dir: &Path, bundles: u64) -> bool {
    rustix::fs::statvfs(dir).is_ok_and(|stat| {
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        // A tmpfs without a limit of inodes reports 0 of them.
        let inodes = stat.f_files == 0 || stat.f_favail / 2 > bundles;
        free / BYTES_PER_BUNDLE > bundles && inodes
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt;

    use super::*;
    use crate::workload::plan;
    use crate::workload::scenario::PodShape;

    fn plan_of_three() -> Plan {
        Plan::new(5, PodShape::with_containers(1, 3))
    }

    #[test]
    fn every_container_has_its_bundle_until_they_are_dropped() {
        let mut told = Vec::new();
        let bundles =
            Bundles::write(&plan_of_three(), 4, &Stop::new(), |done| told.push(done)).unwrap();
        assert_eq!(told, [1, 2, 3, 4]);
        assert_eq!(
            bundles.summary(),
            plan::summary(&plan_of_three(), 4).unwrap()
        );
        let mut seen = 0;
        for pod in (0..4).map(|i| plan_of_three().pod(i)) {
            for container in &pod.containers {
                let written = fs::read(bundles.path(container).join("config.json")).unwrap();
                assert_eq!(written, pod.config_json(container).unwrap());
                seen += 1;
            }
        }
        assert_eq!(bundles.summary().containers, seen);
        bundles.add_streams(&plan_of_three(), 4).unwrap();
        for path in bundles.streams(&plan_of_three().pod(3).containers[0]) {
            assert!(fs::metadata(path).unwrap().file_type().is_fifo());
        }
        let dir = bundles.dir.path().to_owned();
        drop(bundles);
        assert!(!dir.exists());
    }

    #[test]
    fn a_stop_ends_the_writing_and_leaves_nothing() {
        let stop = Stop::new();
        let error = Bundles::write(&plan_of_three(), 1000, &stop, |done| {
            if done == 2 {
                stop.request();
            }
        });
        assert!(matches!(error, Err(BundleError::Interrupted)));
    }

    #[test]
    fn a_file_system_of_any_size_has_no_room_for_everything() {
        assert!(!has_room(Path::new("/"), u64::MAX));
        assert!(!has_room(Path::new("/nowhere/at/all"), 1));
    }
}
