//! Machine on which a result was measured.

use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Properties of the machine that influence the measurements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Name and release of the kernel.
    pub kernel: String,
    /// Architecture for which loadgen was built.
    pub architecture: String,
    /// Model of the CPU; absent if the kernel does not report it.
    pub cpu_model: Option<String>,
    /// Number of CPUs that loadgen may use.
    pub cores: usize,
    /// Memory of the machine, in bytes; absent if the kernel does not report it.
    pub memory_bytes: Option<u64>,
    /// Type of the file system of the files of started servers.
    #[serde(default)]
    pub temporary_files: String,
    /// Version of the cgroup hierarchy at `/sys/fs/cgroup`, 1 or 2; absent without one, and in
    /// documents of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cgroup_version: Option<u8>,
    /// Governor of the frequency of the first CPU; absent on a machine without one, such as most
    /// virtual machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governor: Option<String>,
    /// Source of the kernel's clock; absent if the kernel does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_source: Option<String>,
}

impl Environment {
    /// Returns the properties of this machine, with the files of started servers below `files`.
    pub fn of_this_machine(files: &Path) -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let name = read("/proc/sys/kernel/ostype");
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            kernel: format!("{} {}", name.trim(), release.trim()),
            architecture: std::env::consts::ARCH.to_owned(),
            cpu_model: value(&read("/proc/cpuinfo"), "model name").map(str::to_owned),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: value(&read("/proc/meminfo"), "MemTotal").and_then(kibibytes),
            temporary_files: file_system(files),
            cgroup_version: cgroup_version(Path::new("/sys/fs/cgroup")),
            governor: line(&read(
                "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
            )),
            clock_source: line(&read(
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            )),
        }
    }
}

impl Environment {
    /// Returns the fields that differ from those of another machine, each with both values.
    pub fn differences(&self, here: &Self) -> Vec<String> {
        let fields = |of: &Self| serde_json::to_value(of).unwrap_or_default();
        let (there, here) = (fields(self), fields(here));
        let Some(names) = there.as_object() else {
            return Vec::new();
        };
        // A document of an older program has fewer fields.
        let differ = names
            .iter()
            .filter(|(name, value)| here.get(*name).is_some_and(|here| here != *value));
        differ
            .map(|(name, value)| format!("{name}: {value}, and here {}", here[name]))
            .collect()
    }
}

/// Returns the version of the cgroup hierarchy that is mounted at a directory: version 2 has the
/// file `cgroup.controllers` (cgroups(7)), version 1 a directory for each controller.
fn cgroup_version(root: &Path) -> Option<u8> {
    if root.join("cgroup.controllers").exists() {
        return Some(2);
    }
    root.join("memory").exists().then_some(1)
}

fn line(text: &str) -> Option<String> {
    let line = text.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Returns the type of the file system of a directory: that of the mount with the longest
/// mount point that is a prefix of the path (proc_pid_mountinfo(5)).
pub fn file_system(dir: &Path) -> String {
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of = |line: &str| {
        let (mount, rest) = line.split_once(" - ")?;
        let point = Path::new(mount.split(' ').nth(4)?).to_owned();
        let kind = rest.split(' ').next()?.to_owned();
        dir.starts_with(&point).then_some((point, kind))
    };
    // Of two mounts at one point the later one hides the other.
    mounts
        .lines()
        .filter_map(of)
        .max_by_key(|(point, _)| point.components().count())
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind)
}

/// The value of the first line `name : value`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

fn kibibytes(value: &str) -> Option<u64> {
    let number: u64 = value.strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.0 GHz\nMemTotal:       2048 kB\n";
        assert_eq!(value(text, "model name"), Some("Some CPU @ 2.0 GHz"));
        assert_eq!(value(text, "MemTotal").and_then(kibibytes), Some(2 << 20));
        assert_eq!(value(text, "model"), None);
        assert_eq!(kibibytes("12 MB"), None);
    }

    #[test]
    fn the_hierarchy_of_cgroups_has_a_version() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(cgroup_version(root.path()), None);
        fs::create_dir(root.path().join("memory")).unwrap();
        assert_eq!(cgroup_version(root.path()), Some(1));
        fs::write(root.path().join("cgroup.controllers"), "").unwrap();
        assert_eq!(cgroup_version(root.path()), Some(2));
    }

    #[test]
    fn a_difference_to_another_machine_is_named_with_both_values() {
        let here = Environment::of_this_machine(&std::env::temp_dir());
        assert_eq!(here.differences(&here), Vec::<String>::new());
        let other = Environment {
            cores: 4096,
            ..here.clone()
        };
        let wanted = format!("cores: 4096, and here {}", here.cores);
        assert_eq!(other.differences(&here), [wanted]);
    }

    #[test]
    fn this_machine_has_a_kernel_and_a_core() {
        let environment = Environment::of_this_machine(&std::env::temp_dir());
        assert!(environment.kernel.starts_with("Linux "));
        assert!(environment.cores >= 1);
        assert_eq!(file_system(Path::new("/proc/self")), "proc");
    }
}
