//! What the lines of a journal are folded into: the state, or where it is to be found.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use containerd_sandbox::Key;
use serde::de::DeserializeOwned;

use slot::Timestamp;
use slot::{Change, Refusal, Slot};

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
    type Change: DeserializeOwned + Send;
    /// What of a snapshot's sandbox is.
    type Slot: DeserializeOwned + Send;

    /// The lines that follow are of this file.
    fn open(&mut self, path: &Path);

    /// Takes a sandbox of a snapshot, or gives back the key of one that is there already.
    fn insert(&mut self, key: Key, slot: Self::Slot, span: Span) -> Option<Key>;

    /// Takes a record.
    fn apply(
        &mut self,
        key: &Key,
        at: Timestamp,
        change: Self::Change,
        span: Span,
    ) -> Result<(), Refusal>;

    /// How many sandboxes there are.
    fn len(&self) -> usize;
}

/// The state: every sandbox, by its key.
pub type Slots = HashMap<Key, Box<Slot>>;

impl Fold for Slots {
    type Change = Change;
    type Slot = Box<Slot>;

    fn open(&mut self, _path: &Path) {}

    fn insert(&mut self, key: Key, slot: Box<Slot>, _span: Span) -> Option<Key> {
        insert(self, key, slot)
    }

    fn apply(
        &mut self,
        key: &Key,
        at: Timestamp,
        change: Change,
        _span: Span,
    ) -> Result<(), Refusal> {
        match (self.get_mut(key), change) {
            (None, Change::Create(new)) => {
                let slot = Box::new(Slot::new(new, at));
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

/// Adds to a map, or gives back the key of what is there already.
pub(super) fn insert<V>(map: &mut HashMap<Key, V>, key: Key, value: V) -> Option<Key> {
    match map.entry(key) {
        Entry::Vacant(vacant) => {
            vacant.insert(value);
            None
        }
        Entry::Occupied(occupied) => Some(occupied.key().clone()),
    }
}

/// What a record of a sandbox that was not created is answered with.
pub(super) fn unknown(key: &Key) -> Refusal {
    Refusal::NotFound(format!("sandbox {key}"))
}
