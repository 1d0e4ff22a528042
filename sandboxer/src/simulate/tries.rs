//! Numbers of calls by the object that they are about, such as a pod or an image.
//!
//! A kubelet repeats a call that failed, with the same names and the same attempt. Only a count
//! by object tells the second try from the first.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;

/// Largest number of objects that are counted. Beyond it, the object that was counted first is
/// forgotten, and counts anew. Calls are counted only while some of them are to fail.
const MAX_OBJECTS: usize = 16_384;

/// Largest length of a name in bytes; the rest of a longer name does not count.
const MAX_NAME: usize = 1024;

/// Numbers of calls by object.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_object: HashMap<String, u64>,
    /// The objects in the order of their first call.
    oldest_first: VecDeque<String>,
}

impl Tries {
    /// Counts a call about the object with these names, and returns its number, from 1.
    pub(super) fn next(&self, names: &[&str]) -> u64 {
        let mut name = names.join("\0");
        name.truncate(name.floor_char_boundary(MAX_NAME));
        let counts = &mut *self.0.lock();
        if let Some(count) = counts.by_object.get_mut(&name) {
            *count += 1;
            return *count;
        }
        if counts.by_object.len() >= MAX_OBJECTS
            && let Some(oldest) = counts.oldest_first.pop_front()
        {
            counts.by_object.remove(&oldest);
        }
        counts.oldest_first.push_back(name.clone());
        counts.by_object.insert(name, 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_object() {
        let tries = Tries::default();
        assert_eq!([1, 2].map(|_| tries.next(&["a", "b"])), [1, 2]);
        assert_eq!(tries.next(&["ab", ""]), 1);
        assert_eq!(tries.next(&["a", "b"]), 3);
    }

    #[test]
    fn the_number_of_objects_is_bounded() {
        let tries = Tries::default();
        for number in 0..=MAX_OBJECTS {
            tries.next(&[&number.to_string()]);
        }
        let counts = tries.0.lock();
        assert_eq!(counts.by_object.len(), MAX_OBJECTS);
        assert_eq!(counts.oldest_first.len(), MAX_OBJECTS);
        assert!(!counts.by_object.contains_key("0"));
    }
}
