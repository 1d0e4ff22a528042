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
    /// Type of the file system of temporary files, which include the files of started
    /// servers.
    #[serde(default)]
    pub temporary_files: String,
}

impl Environment {
    /// Returns the properties of this machine.
    pub fn of_this_machine() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let name = read("/proc/sys/kernel/ostype");
        let release = read("/proc/sys/kernel/osrelease");
        Self {
            kernel: format!("{} {}", name.trim(), release.trim()),
            architecture: std::env::consts::ARCH.to_owned(),
            cpu_model: value(&read("/proc/cpuinfo"), "model name").map(str::to_owned),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: value(&read("/proc/meminfo"), "MemTotal").and_then(kibibytes),
            temporary_files: file_system(&std::env::temp_dir()),
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
        let differ = names.iter().filter(|(name, value)| here[*name] != **value);
        differ
            .map(|(name, value)| format!("{name}: {value}, and here {}", here[name]))
            .collect()
    }
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
    fn a_difference_to_another_machine_is_named_with_both_values() {
        let here = Environment::of_this_machine();
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
        let environment = Environment::of_this_machine();
        assert!(environment.kernel.starts_with("Linux "));
        assert!(environment.cores >= 1);
        assert_eq!(file_system(Path::new("/proc/self")), "proc");
    }
}
