//! Volumes of pods: the mounts of containers whose files lie on the node.
//!
//! A container's commands see the files of a mount by a look at the node: `look` resolves and
//! reads them, on the threads of `lookers`. They write into memory that the containers of the pod
//! share. The one file of the node that they write is that of the `termination` message.

mod look;
mod lookers;
mod termination;

use std::collections::BTreeMap;
use std::sync::Arc;

use toy_userland::{FileError, HostFiles, Room, Setup, Volume};

use self::look::Mounted;
use self::termination::Message;

pub(super) use lookers::Lookers;
pub use termination::KubeletRoot;
pub(super) use termination::Owner;

/// Most bytes that the containers of a pod write into its volumes, and most bytes of the node's
/// files that they hold open.
const ROOM_BYTES: usize = 4 << 20;
/// Most files in the volumes of a pod that are written, and most that are open.
const ROOM_FILES: usize = 4096;
/// Most volumes that the containers of a pod share. A mount beyond them is the container's own.
const MAX_SHARED: usize = 1024;

/// Most bytes of a termination message that an annotation states; a kubelet reads 4,096,
/// Kubernetes' `pkg/apis/core/types.go` (`MaxContainerTerminationMessageLength`).
const MAX_MESSAGE_BYTES: usize = 3 * 4096;

/// Rules for the files of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostRules {
    /// Whether files of the node are left alone: mounts are empty, and termination messages stay
    /// in memory.
    pub is_off: bool,
    /// Directory below which alone termination messages are written.
    pub kubelet_root: KubeletRoot,
}

/// A mount of a container whose files lie on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bind {
    /// Index of the mount in the container's setup.
    pub(super) mount: usize,
    /// Absolute path on the node.
    pub(super) host_path: String,
    /// Whether the mount may be that of the termination message.
    pub(super) may_be_message: bool,
}

/// A mount of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageMount {
    /// Index of the mount in the container's setup.
    pub(super) mount: usize,
    /// Path in the image that is mounted; empty for the whole image.
    pub(super) part: String,
    /// Known files of the image, by path.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

impl ImageMount {
    /// Mounts the image into a container's setup. A part that the image does not have is empty;
    /// the creation of the container has refused it.
    pub(super) fn mount(&self, setup: &mut Setup) {
        if let Some(mount) = setup.mounts.get_mut(self.mount) {
            mount.volume = Volume::of_image(&self.files, &self.part).ok().map(Arc::new);
        }
    }
}

/// Volumes that the containers of a pod share, by path on the node.
#[derive(Debug, Default)]
pub(super) struct Volumes {
    room: Option<Arc<Room>>,
    shared: BTreeMap<String, Arc<Volume>>,
}

impl Volumes {
    /// Mounts the volumes of a container into its setup.
    pub(super) fn mount(
        &mut self,
        setup: &mut Setup,
        binds: &[Bind],
        owner: &Owner,
        rules: &HostRules,
        lookers: &Lookers,
    ) {
        for bind in binds {
            if let Some(mount) = setup.mounts.get_mut(bind.mount) {
                mount.volume = Some(self.of(bind, owner, rules, lookers));
            }
        }
    }

    /// Returns the volume of a mount: the one that another container of the pod has already, or a
    /// new one.
    fn of(
        &mut self,
        bind: &Bind,
        owner: &Owner,
        rules: &HostRules,
        lookers: &Lookers,
    ) -> Arc<Volume> {
        if let Some(known) = self.shared.get(&bind.host_path) {
            return Arc::clone(known);
        }
        let room = self
            .room
            .get_or_insert_with(|| Arc::new(Room::new(ROOM_BYTES, ROOM_FILES)));
        if let Some(message) = message(bind, owner, rules, lookers) {
            // A kubelet makes a new file for each attempt of a container.
            return Arc::new(Volume::written_through(Arc::new(message), room));
        }
        let mounted = || Mounted::new(bind.host_path.clone().into(), lookers.clone());
        let host = (!rules.is_off).then(|| Arc::new(mounted()) as Arc<dyn HostFiles>);
        let volume = Arc::new(Volume::new(host, room));
        if self.shared.len() < MAX_SHARED {
            self.shared
                .insert(bind.host_path.clone(), Arc::clone(&volume));
        }
        volume
    }
}

/// Reads a regular file of the node, with the bounds of a look.
///
/// # Errors
/// As [`HostFiles::read`].
pub(super) fn read_file(path: &str, lookers: &Lookers) -> Result<Vec<u8>, FileError> {
    Mounted::new(path.into(), lookers.clone()).read("")
}

fn message(bind: &Bind, owner: &Owner, rules: &HostRules, lookers: &Lookers) -> Option<Message> {
    if rules.is_off || !bind.may_be_message {
        return None;
    }
    Message::of(&rules.kubelet_root, &bind.host_path, owner, lookers)
}

/// Writes a stated termination message into the file that a kubelet has mounted for it. Does
/// nothing for a container without such a file.
///
/// # Errors
/// The error of the file.
pub(super) fn state_message(
    binds: &[Bind],
    owner: &Owner,
    rules: &HostRules,
    lookers: &Lookers,
    text: &str,
) -> Result<(), FileError> {
    let mut found = binds.iter();
    match found.find_map(|bind| message(bind, owner, rules, lookers)) {
        Some(message) => {
            let end = text.floor_char_boundary(MAX_MESSAGE_BYTES);
            message.replace(&text.as_bytes()[..end])
        }
        None => Ok(()),
    }
}
