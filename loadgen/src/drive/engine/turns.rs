//! Lets two closed loops take turns of a few pods each.
//!
//! Each server has the machine to itself during a turn, so that it batches its work as it would
//! alone, and turns are so short that a disturbance of the machine hits both servers alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// One of two closed loops that take turns.
#[derive(Debug, Clone)]
pub struct Turns {
    loops: Arc<[Progress; 2]>,
    /// Place of the loop: 0 for the first.
    place: usize,
    /// Number of pods in a turn.
    pods: u64,
}

/// Progress of one loop.
#[derive(Debug, Default)]
struct Progress {
    /// Number of ended pods; [`OVER`] or more once the loop is over.
    ended: AtomicU64,
    changed: Notify,
}

/// Number of ended pods of a loop that is over: more than any load has, and so far below the
/// highest number that pods of other workers can be added to it.
const OVER: u64 = u64::MAX / 2;

impl Turns {
    /// Returns both loops, the first of which has the first turn. A turn has this number of
    /// pods, at least 1.
    pub fn pair(pods: u64) -> [Self; 2] {
        let loops = Arc::new([Progress::default(), Progress::default()]);
        [0, 1].map(|place| Self {
            loops: Arc::clone(&loops),
            place,
            pods: pods.max(1),
        })
    }

    /// Waits until the pod with this index may begin: until the other loop has ended its turn.
    pub(super) async fn may_begin(&self, index: u64) {
        // The first loop waits for all earlier turns of the second one, and the second one for
        // the same turn of the first as well.
        let turns = index / self.pods + self.place as u64;
        let awaited = turns.saturating_mul(self.pods);
        let other = &self.loops[1 - self.place];
        loop {
            let mut changed = std::pin::pin!(other.changed.notified());
            // A pod that ends from here on wakes this one.
            changed.as_mut().enable();
            if other.ended.load(Ordering::Acquire) >= awaited {
                return;
            }
            changed.await;
        }
    }

    /// Notes that a pod has ended.
    pub(super) fn one_ended(&self) {
        self.note(|own| {
            own.ended.fetch_add(1, Ordering::AcqRel);
        });
    }

    /// Notes that the loop is over, so that the other one waits no more.
    pub fn is_over(&self) {
        self.note(|own| own.ended.store(OVER, Ordering::Release));
    }

    fn note(&self, change: impl FnOnce(&Progress)) {
        let own = &self.loops[self.place];
        change(own);
        own.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn may(turns: &Turns, index: u64) -> bool {
        turns.may_begin(index).now_or_never().is_some()
    }

    #[test]
    fn each_loop_waits_for_the_turn_of_the_other() {
        let [first, second] = Turns::pair(2);
        assert!(may(&first, 0) && may(&first, 1) && !may(&first, 2));
        assert!(!may(&second, 0));
        first.one_ended();
        assert!(!may(&second, 0), "a pod of the turn is under way");
        first.one_ended();
        assert!(may(&second, 1) && !may(&second, 2) && !may(&first, 2));
        second.one_ended();
        second.one_ended();
        assert!(may(&first, 3) && !may(&first, 4) && !may(&second, 2));
    }

    #[test]
    fn a_loop_that_is_over_holds_the_other_no_more() {
        let [first, second] = Turns::pair(1);
        assert!(!may(&second, 1_000_000));
        first.is_over();
        // A pod of another worker may end afterwards.
        first.one_ended();
        assert!(may(&second, 1_000_000));
    }

    #[tokio::test]
    async fn the_end_of_a_turn_wakes_the_waiting_loop() {
        let [first, second] = Turns::pair(3);
        let waiting = tokio::spawn(async move { second.may_begin(0).await });
        for _ in 0..3 {
            first.one_ended();
            tokio::task::yield_now().await;
        }
        waiting.await.unwrap();
    }
}
