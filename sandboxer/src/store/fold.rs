//! What the lines of a journal are folded into: the state, or where it is to be found.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use containerd_sandbox::Key;
use serde::de::DeserializeOwned;

use super::record::Record;
use crate::slot::{Change, Refusal, Slot};

/// Where a line is in the file that was opened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// Its length, newline included.
    pub(super) len: usize,
}

/// Takes the lines of a journal in the order in which they were written.
pub(super) trait Fold: Default {
    /// What of a change is looked at.
    type Change: DeserializeOwned;
    /// What of a snapshot's sandbox is.
    type Slot: DeserializeOwned;

    /// The lines that follow are of this file.
    fn open(&mut self, path: &Path);

    /// Takes a sandbox of a snapshot; false if it is there already.
    fn insert(&mut self, key: Key, slot: Self::Slot, span: Span) -> bool;

    /// Takes a record.
    fn apply(&mut self, record: Record<Self::Change>, span: Span) -> Result<(), Refusal>;

    /// How many sandboxes there are.
    fn len(&self) -> usize;
}

/// The state.
pub(super) type Slots = HashMap<Key, Slot>;

impl Fold for Slots {
    type Change = Change;
    type Slot = Slot;

    fn open(&mut self, _path: &Path) {}

    fn insert(&mut self, key: Key, slot: Slot, _span: Span) -> bool {
        HashMap::insert(self, key, slot).is_none()
    }

    fn apply(&mut self, record: Record<Change>, _span: Span) -> Result<(), Refusal> {
        let Record {
            at, key, change, ..
        } = record;
        match (self.entry(key), change) {
            (Entry::Vacant(vacant), Change::Create(new)) => {
                vacant.insert(Slot::new(new, at));
            }
            (Entry::Vacant(vacant), _) => return Err(unknown(vacant.key())),
            (Entry::Occupied(slot), Change::Delete) => {
                slot.get().check(&Change::Delete)?;
                slot.remove();
            }
            (Entry::Occupied(mut slot), change) => {
                slot.get_mut().apply(change, at)?;
            }
        }
        Ok(())
    }

    fn len(&self) -> usize {
        HashMap::len(self)
    }
}

/// What a record of a sandbox that was not created is answered with.
pub(super) fn unknown(key: &Key) -> Refusal {
    Refusal::NotFound(format!("sandbox {key}"))
}
