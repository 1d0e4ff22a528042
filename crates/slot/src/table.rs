//! A sharded table of live objects, with keys that can be reserved before the object exists.

use std::collections::HashMap;
use std::collections::hash_map::{Entry as MapEntry, RandomState};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use threads::RwLock;

/// Number of shards: enough that two cores seldom wait for the same lock.
const SHARDS: usize = 64;

enum Entry<V> {
    /// The object is being created.
    Reserved,
    Live(Arc<V>),
}

/// Objects by key. A shard's lock is held only for one look-up or change.
pub struct Table<K, V> {
    hasher: RandomState,
    shards: Vec<RwLock<HashMap<K, Entry<V>>>>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }
}

impl<K: Clone + Eq + Hash, V> Table<K, V> {
    fn shard(&self, key: &K) -> &RwLock<HashMap<K, Entry<V>>> {
        let hash = self.hasher.hash_one(key);
        // The remainder is below SHARDS, so it fits any usize.
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    /// Returns the live object of `key`; `None` if the key is free or only reserved.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        match self.shard(key).read().get(key) {
            Some(Entry::Live(value)) => Some(Arc::clone(value)),
            Some(Entry::Reserved) | None => None,
        }
    }

    /// Reserves `key` for an object that is being created; returns `false` if the key is in
    /// use.
    pub fn reserve(&self, key: &K) -> bool {
        match self.shard(key).write().entry(key.clone()) {
            MapEntry::Occupied(_) => false,
            MapEntry::Vacant(vacant) => {
                vacant.insert(Entry::Reserved);
                true
            }
        }
    }

    /// Stores the object under `key`, so that [`Table::get`] finds it.
    pub fn publish(&self, key: &K, value: Arc<V>) {
        self.shard(key)
            .write()
            .insert(key.clone(), Entry::Live(value));
    }

    /// Frees `key`.
    pub fn remove(&self, key: &K) {
        self.shard(key).write().remove(key);
    }

    /// Returns the live objects, in no particular order.
    pub fn all(&self) -> Vec<Arc<V>> {
        let live = |shard: &RwLock<HashMap<K, Entry<V>>>| {
            let shard = shard.read();
            let entries = shard.values().filter_map(|entry| match entry {
                Entry::Live(value) => Some(Arc::clone(value)),
                Entry::Reserved => None,
            });
            entries.collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(live).collect()
    }

    /// Returns whether no object is live.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts the live objects.
    pub fn len(&self) -> usize {
        let live = |shard: &RwLock<HashMap<K, Entry<V>>>| {
            let shard = shard.read();
            shard
                .values()
                .filter(|entry| matches!(entry, Entry::Live(_)))
                .count()
        };
        self.shards.iter().map(live).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> String {
        id.to_owned()
    }

    #[test]
    fn a_reserved_key_is_taken_but_not_found() {
        let table = Table::<String, u32>::default();
        assert!(table.reserve(&key("a")));
        assert!(!table.reserve(&key("a")));
        assert!(table.get(&key("a")).is_none());
        table.publish(&key("a"), Arc::new(7));
        assert_eq!(table.get(&key("a")).as_deref(), Some(&7));
        assert!(!table.reserve(&key("a")));
        assert_eq!(table.len(), 1);
        assert!(table.reserve(&key("b")));
        assert_eq!(table.all(), [Arc::new(7)]);
        table.remove(&key("a"));
        assert!(table.reserve(&key("a")));
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn of_many_threads_one_reserves_a_key() {
        let table = Arc::new(Table::<String, u32>::default());
        let wins: usize = (0..8)
            .map(|_| {
                let table = Arc::clone(&table);
                std::thread::spawn(move || {
                    (0..500)
                        .filter(|i| table.reserve(&key(&format!("k{i}"))))
                        .count()
                })
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert_eq!(wins, 500);
    }
}
