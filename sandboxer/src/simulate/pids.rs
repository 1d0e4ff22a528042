//! Fake process ids.

use std::sync::atomic::{AtomicU32, Ordering};

/// First fake process id. Linux never gives out an id above `PID_MAX_LIMIT`, 2^22 on 64-bit
/// machines (`include/linux/threads.h`), so a fake id never names a real process that a
/// signal or an inspection could hit. Zero would satisfy containerd, but `kill 0` signals
/// the caller's own process group.
pub(crate) const FIRST: u32 = (1 << 22) + 1;

/// Last fake process id: containerd's clients hold ids in a signed 32-bit number.
const LAST: u32 = i32::MAX as u32;

/// Hands out ids in turn, and from the first one again after about two thousand million.
#[derive(Debug)]
pub(crate) struct Pids(AtomicU32);

impl Pids {
    /// Returns ids that continue after `last`.
    pub(crate) fn after(last: Option<u32>) -> Self {
        let next = last.map_or(FIRST, |last| last.saturating_add(1));
        Self(AtomicU32::new(next.max(FIRST)))
    }

    /// Returns the next id.
    pub(crate) fn next(&self) -> u32 {
        let step = |id| if id >= LAST { FIRST } else { id + 1 };
        match self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |id| Some(step(id)))
        {
            Ok(id) | Err(id) => id.clamp(FIRST, LAST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_can_be_a_real_process() {
        let pids = Pids::after(None);
        assert!(pids.next() > 1 << 22);
        assert_eq!(pids.next(), FIRST + 1);
    }

    #[test]
    fn after_the_last_id_the_first_comes_again() {
        let pids = Pids::after(Some(LAST - 1));
        assert_eq!(pids.next(), LAST);
        assert_eq!(pids.next(), FIRST);
    }

    #[test]
    fn a_restart_goes_on_behind_the_ids_in_use() {
        assert_eq!(Pids::after(Some(FIRST + 9)).next(), FIRST + 10);
        assert_eq!(Pids::after(Some(3)).next(), FIRST);
    }
}
