//! The user of a container's processes.

/// A user and its groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids, such as a pod's `fsGroup`.
    pub groups: Vec<u32>,
    /// Login name; empty if the image's `/etc/passwd` has none for the id.
    pub name: String,
}

impl User {
    /// Returns whether the user is in a group.
    pub(crate) fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}
