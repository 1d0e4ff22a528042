//! The result of reading a journal's lines: the state, or an index of the lines it consists
//! of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use containerd_sandbox::Key;
use serde::de::DeserializeOwned;

use slot::{Change, Moment, Refusal, Slot};

/// Place of a line in the file that was opened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Offset of the first byte.
    pub(super) offset: u64,
    /// Length in bytes, with the newline.
    pub(super) len: usize,
}

/// Accumulates the lines of a journal in the order in which they were written.
pub(super) trait Fold: Default {
    /// The part of a change that is decoded.
    type Change: DeserializeOwned + Send;
    /// The part of a snapshot's sandbox that is decoded.
    type Slot: DeserializeOwned + Send;

    /// Notes that the following lines come from this file.
    fn open(&mut self, path: &Path);

    /// Adds a sandbox of a snapshot, or returns the key if the sandbox exists already.
    fn insert(&mut self, key: Key, slot: Self::Slot, span: Span) -> Option<Key>;

    /// Applies a record to its sandbox.
    fn apply(
        &mut self,
        key: &Key,
        at: Moment,
        change: Self::Change,
        span: Span,
    ) -> Result<(), Refusal>;

    /// Counts the sandboxes.
    fn len(&self) -> usize;
}

/// The state: every sandbox by its key.
pub type Slots = HashMap<Key, Box<Slot>>;

impl Fold for Slots {
    type Change = Change;
    type Slot = Box<Slot>;

    fn open(&mut self, _path: &Path) {}

    fn insert(&mut self, key: Key, slot: Box<Slot>, _span: Span) -> Option<Key> {
        insert(self, key, slot)
    }

    fn apply(&mut self, key: &Key, at: Moment, change: Change, _span: Span) -> Result<(), Refusal> {
        match (self.get_mut(key), change) {
            (None, Change::Create(new)) => {
                let slot = Box::new(Slot::new(new, at.wall()));
                HashMap::insert(self, key.clone(), slot);
            }
            (None, _) => return Err(unknown(key)),
            (Some(slot), Change::Delete) => {
                slot.check(&Change::Delete)?;
                self.remove(key);
            }
            (Some(slot), change) => {
                slot.apply(change, at)?;
            }
        }
        Ok(())
    }

    fn len(&self) -> usize {
        HashMap::len(self)
    }
}

/// Adds a value to a map, or returns the key if it is in use.
pub(super) fn insert<V>(map: &mut HashMap<Key, V>, key: Key, value: V) -> Option<Key> {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
            None
        }
        Entry::Occupied(occupied) => Some(occupied.key().clone()),
    }
}

/// Returns the refusal of a record whose sandbox was not created.
pub(super) fn unknown(key: &Key) -> Refusal {
    Refusal::NotFound(format!("sandbox {key}"))
}
