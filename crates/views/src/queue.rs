//! An unbounded queue with a reader that may let items gather.

use std::time::Instant;

use threads::{Condvar, Mutex};

/// First in, first out; many writers, one reader.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: Vec<T>,
    /// Whether an item ends the wait of a patient reader.
    urgent: bool,
    closed: bool,
    /// Whether the reader sleeps through new items: waking it for each costs more than the
    /// item.
    patient: bool,
}

/// Condition that ends the wait of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Do not wait.
    No,
    /// Wait for an item without a limit.
    Item,
    /// Wait for an item, at most until this time.
    ItemUntil(Instant),
    /// Wait until this time; only an urgent item ends the wait earlier.
    Until(Instant),
}

/// Items that the reader takes.
#[derive(Debug)]
pub(super) struct Taken<T> {
    pub(super) items: Vec<T>,
    /// Whether the queue is closed, so that no further item comes.
    pub(super) closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                items: Vec::new(),
                urgent: false,
                closed: false,
                patient: false,
            }),
            wake: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    /// Adds an item; returns it as the error if the queue is closed.
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        self.add(item, false)
    }

    /// Adds an item as [`Queue::push`] does, and wakes a patient reader.
    pub(super) fn push_urgent(&self, item: T) -> Result<(), T> {
        self.add(item, true)
    }

    fn add(&self, item: T, urgent: bool) -> Result<(), T> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(item);
        }
        state.items.push(item);
        state.urgent |= urgent;
        let wake = state.urgent || !state.patient;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Counts the items that wait.
    pub(super) fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    /// Closes the queue: further items are refused.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits, and takes all items.
    pub(super) fn take(&self, wait: Wait) -> Taken<T> {
        let mut state = self.state.lock();
        state.patient = matches!(wait, Wait::Until(_));
        while !state.closed && !state.urgent && (state.patient || state.items.is_empty()) {
            match wait {
                Wait::No => break,
                Wait::Item => self.wake.wait(&mut state),
                Wait::ItemUntil(deadline) | Wait::Until(deadline) => {
                    if self.wake.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        state.urgent = false;
        state.patient = false;
        Taken {
            items: std::mem::take(&mut state.items),
            closed: state.closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn items_come_in_order_and_all_at_once() {
        let queue = Queue::default();
        for i in 0..5 {
            queue.push(i).unwrap();
        }
        let taken = queue.take(Wait::Item);
        assert_eq!(taken.items, [0, 1, 2, 3, 4]);
        assert!(!taken.closed);
    }

    #[test]
    fn a_patient_reader_wakes_for_an_urgent_item() {
        let queue = Queue::default();
        queue.push(1).unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| queue.take(Wait::Until(far())).items);
            queue.push_urgent(2).unwrap();
            assert_eq!(reader.join().unwrap()[..2], [1, 2]);
        });
    }

    #[test]
    fn closing_ends_every_wait_and_refuses_more() {
        let queue = Queue::default();
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push(2), Err(2));
        let taken = queue.take(Wait::Until(far()));
        assert_eq!((taken.items, taken.closed), (vec![1], true));
        assert!(queue.take(Wait::Item).closed);
    }

    #[test]
    fn without_a_wait_or_after_a_deadline_the_present_items_are_taken() {
        let queue = Queue::<u8>::default();
        assert!(queue.take(Wait::No).items.is_empty());
        assert!(queue.take(Wait::ItemUntil(Instant::now())).items.is_empty());
    }
}
