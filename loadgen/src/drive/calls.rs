//! Where every call of a pod is timed, checked and recorded.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use containerd_sandbox::Error;

use crate::drive::check::Checked;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::Tape;

/// What a pod's calls are made with.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'a> {
    /// Where this thread's measurements go; never borrowed across an await.
    pub tape: &'a RefCell<Tape>,
    /// Whether what is measured counts; in a warm-up it does not.
    pub counts: bool,
    /// How long a call may take, and how long an ended task's Wait.
    pub timeout: Duration,
}

impl Calls<'_> {
    /// Makes and times one call. Only an answer that passes `check` is recorded.
    ///
    /// # Errors
    /// If the call fails, or its reply is not right.
    pub async fn call<R>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<R, Error>>,
        check: impl FnOnce(&R) -> Checked,
    ) -> Result<R, Failure> {
        let begun = Instant::now();
        let reply = call.await;
        let took = begun.elapsed();
        let reply = reply.map_err(|error| Failure::status(operation, &error))?;
        check(&reply).map_err(|wrong| Failure::wrong(operation, &wrong))?;
        self.success(operation, took);
        Ok(reply)
    }

    /// Records what was timed elsewhere.
    pub fn success(&self, operation: Operation, took: Duration) {
        self.tape.borrow_mut().success(self.counts, operation, took);
    }

    /// Records what went wrong.
    pub fn failure(&self, failure: &Failure) {
        self.tape.borrow_mut().failure(failure);
    }

    /// Records something else, which counts if what is measured does.
    pub fn record(&self, what: impl FnOnce(&mut Recorder)) {
        what(self.tape.borrow_mut().part(self.counts));
    }

    /// Records what counts in any case.
    pub fn record_always(&self, what: impl FnOnce(&mut Recorder)) {
        what(self.tape.borrow_mut().part(true));
    }
}

/// Every answer is right.
pub fn any<R>(_reply: &R) -> Checked {
    Ok(())
}
