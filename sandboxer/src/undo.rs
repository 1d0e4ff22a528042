//! Guard that takes back an object when the call that made it fails or is abandoned.

/// Runs an action when it is dropped, unless [`Undo::disarm`] was called. An action that takes
/// back an object which other calls can find must hold the object and not only its key: they
/// may delete the object, and then another object can get the key.
#[must_use = "the action runs at once if the guard is not held"]
pub(crate) struct Undo<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Undo<F> {
    pub(crate) fn new(action: F) -> Self {
        Self(Some(action))
    }

    /// Keeps the object.
    pub(crate) fn disarm(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for Undo<F> {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_action_runs_when_the_guard_is_dropped_unless_it_was_disarmed() {
        let runs = Cell::new(0);
        let count = || runs.set(runs.get() + 1);
        drop(Undo::new(count));
        assert_eq!(runs.get(), 1);
        Undo::new(count).disarm();
        assert_eq!(runs.get(), 1);
    }
}
