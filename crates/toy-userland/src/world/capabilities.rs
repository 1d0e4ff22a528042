//! Linux capabilities: their names, and the masks in `/proc/self/status`.

/// Names of the capabilities in the order of their bits, from Linux's
/// `include/uapi/linux/capability.h`.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// A set of capabilities. Bit n is capability n.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CapabilitySet(pub u64);

impl CapabilitySet {
    /// The capabilities that containerd gives a container by default.
    pub const DEFAULT: Self = Self(0xa804_25fb);
    /// All capabilities that have a name.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);

    /// Makes a set of names such as `CAP_NET_ADMIN` or `net_admin`. An unknown name is left out,
    /// because a kernel without the capability has no bit for it.
    pub fn from_names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let bit = |name: S| {
            let upper = name.as_ref().to_ascii_uppercase();
            let short = upper.strip_prefix("CAP_").unwrap_or(&upper);
            NAMES.iter().position(|known| *known == short)
        };
        let mask = names.into_iter().filter_map(bit).map(|bit| 1 << bit);
        Self(mask.fold(0, |all, one: u64| all | one))
    }
}

/// The five capability sets of a process, capabilities(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Capabilities that permission checks use.
    pub effective: CapabilitySet,
    /// Capabilities that the process may make effective.
    pub permitted: CapabilitySet,
    /// Capabilities that an execve(2) may grant.
    pub bounding: CapabilitySet,
    /// Capabilities that an execve(2) keeps if the file has them, too.
    pub inheritable: CapabilitySet,
    /// Capabilities that an execve(2) keeps.
    pub ambient: CapabilitySet,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_bits_with_or_without_their_prefix() {
        let set = CapabilitySet::from_names(["CAP_CHOWN", "net_admin", "CAP_CHECKPOINT_RESTORE"]);
        assert_eq!(set.0, 1 | 1 << 12 | 1 << 40);
        assert_eq!(CapabilitySet::from_names(["CAP_FLY"]).0, 0);
    }

    #[test]
    fn the_default_set_of_a_container_is_the_well_known_mask() {
        let default = [
            "CHOWN",
            "DAC_OVERRIDE",
            "FSETID",
            "FOWNER",
            "MKNOD",
            "NET_RAW",
            "SETGID",
            "SETUID",
            "SETFCAP",
            "SETPCAP",
            "NET_BIND_SERVICE",
            "SYS_CHROOT",
            "KILL",
            "AUDIT_WRITE",
        ];
        assert_eq!(CapabilitySet::from_names(default), CapabilitySet::DEFAULT);
    }
}
