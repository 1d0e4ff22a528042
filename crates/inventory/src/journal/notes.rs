//! What a journal does not say and was taken for granted, counted by pods.

use super::template::Memory;
use crate::{InventoryBuilder, Source};

/// Counts for the assumptions of one journal.
#[derive(Debug, Default)]
pub(super) struct Notes {
    torn: Vec<Source>,
    nameless: u64,
    estimated: u64,
    widest: u64,
    by_limit: u64,
    unknown: u64,
    shown_by_node: u64,
    resized: u64,
    backwards: u64,
    /// Sandboxes of which neither the creation nor the state is known.
    pub(super) lost: u64,
}

impl Notes {
    /// Notes an incomplete last line.
    pub(super) fn torn(&mut self, place: &Source) {
        self.torn.push(place.clone());
    }

    /// Notes a sandbox without the name of a pod.
    pub(super) fn nameless(&mut self) {
        self.nameless += 1;
    }

    /// Notes a pod whose resources changed.
    pub(super) fn resized(&mut self) {
        self.resized += 1;
    }

    /// Notes a pod that ends before it begins by the clock.
    pub(super) fn backwards(&mut self) {
        self.backwards += 1;
    }

    /// Notes the knowledge of a pod's memory request.
    pub(super) fn memory(&mut self, memory: Memory) {
        match memory {
            Memory::Absent | Memory::Stated | Memory::Applied | Memory::Guaranteed => {}
            Memory::Estimated(width) => {
                self.estimated += 1;
                self.widest = self.widest.max(width);
            }
            Memory::Limit => self.by_limit += 1,
            Memory::Unknown(shows) => {
                self.unknown += 1;
                self.shown_by_node += u64::from(shows);
            }
        }
    }

    /// States the assumptions about the journal `name`.
    pub(super) fn state(
        self,
        name: &str,
        node_memory: Option<u64>,
        builder: &mut InventoryBuilder,
    ) {
        for place in &self.torn {
            builder.assume(format!(
                "{place}: the last line is incomplete, as after a crash or while the journal is \
                 written, and is left out"
            ));
        }
        let mut note = |count: u64, text: String| {
            if count > 0 {
                let pods = if count == 1 { "1 pod" } else { "pods" };
                let count = if count == 1 {
                    String::new()
                } else {
                    format!("{count} ")
                };
                builder.assume(format!("{name}: {count}{pods}: {text}"));
            }
        };
        note(
            self.estimated,
            format!(
                "the memory request is estimated from the OOM score adjustment and the node's \
                 memory of {}: the middle of a range of at most {} for a container",
                display_bytes(node_memory.unwrap_or(0)),
                display_bytes(self.widest)
            ),
        );
        note(
            self.by_limit,
            "no memory request is known, and the memory limit is taken for it, as the API server \
             does where none is stated"
                .to_owned(),
        );
        let remedy = match self.shown_by_node {
            0 => String::new(),
            shown => format!(" (--node-memory would show those of {shown})"),
        };
        note(
            self.unknown,
            format!("the memory request is unknown, and counts as none{remedy}"),
        );
        note(
            self.resized,
            "the resources changed, and the last ones count from the beginning".to_owned(),
        );
        note(
            self.nameless,
            "the sandbox names no pod: its id is the name, in the namespace default".to_owned(),
        );
        note(
            self.backwards,
            "the clock was set back during the life, and the end is taken for the time of the \
             beginning"
                .to_owned(),
        );
        note(
            self.lost,
            "created before the journal begins and gone before its snapshot, and left out"
                .to_owned(),
        );
    }
}

/// Writes bytes with a binary unit where it is exact to a tenth.
fn display_bytes(bytes: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("bytes", 0)];
    let fits = |(_, shift): &&(&str, u32)| bytes >> shift > 0;
    let (unit, shift) = UNITS.iter().find(fits).unwrap_or(&UNITS[3]);
    let tenths = (u128::from(bytes) * 10) >> shift;
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}
