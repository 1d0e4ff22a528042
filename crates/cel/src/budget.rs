//! Bound for the work of an evaluation.

use crate::error::{EvalError, Evaluated};

/// Work that an evaluation may still do, in units of about one step.
///
/// A step is the read of a name or field, a call, or ten characters or elements that a function
/// walks; a new list costs 10 and a new map 30. These are the weights of cel-go; the API server
/// adds weights of its own to some functions, so its figures can differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// Bound for one expression (`PerCallLimit` in `apiserver/pkg/apis/cel/config.go`).
    pub const PER_CALL: u64 = 1_000_000;

    /// Bound for all expressions of a policy on one object (`RuntimeCELCostBudget`).
    pub const PER_POLICY: u64 = 10_000_000;

    /// Returns a budget.
    pub fn new(left: u64) -> Self {
        Self { left }
    }

    /// Returns the work that is left.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes work from the budget.
    ///
    /// # Errors
    /// [`EvalError::OutOfBudget`] if less is left.
    pub fn charge(&mut self, work: u64) -> Evaluated<()> {
        match self.left.checked_sub(work) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(EvalError::OutOfBudget)
            }
        }
    }

    /// Takes the work of a walk over so many characters or elements from the budget.
    pub(crate) fn charge_walk(&mut self, size: u64) -> Evaluated<()> {
        self.charge(size.div_ceil(10))
    }
}
