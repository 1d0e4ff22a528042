//! Times, checks and records each call of a pod.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::time::{Duration, Instant};

use containerd_sandbox::Error;
use containerd_sandbox::client::wire;

use crate::drive::check::Checked;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::Tape;

/// Context in which the calls of a pod are made and recorded.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'a> {
    /// Measurements of this thread. It is never borrowed across an await.
    pub tape: &'a RefCell<Tape>,
    /// Whether successful calls count in the result; `false` in a warm-up.
    pub counts: bool,
    /// Time limit of a call, and of the Wait of a task after the end of the task.
    pub timeout: Duration,
    /// Sum of the times for which the pod's calls, or their replies, waited in this program.
    pub queue: &'a Cell<Duration>,
}

impl Calls<'_> {
    /// Makes and times one call, and records its latency if the reply passes `check`.
    ///
    /// # Errors
    /// A failed call, or a reply that `check` rejects.
    pub async fn call<R>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<R, Error>>,
        check: impl FnOnce(&R) -> Checked,
    ) -> Result<R, Failure> {
        let begun = Instant::now();
        let mut call = pin!(call);
        let (reply, on_wire) = std::future::poll_fn(|cx| {
            // A time that another call has left is not this one's.
            wire::take_last();
            let reply = call.as_mut().poll(cx);
            reply.map(|reply| (reply, wire::take_last()))
        })
        .await;
        let took = begun.elapsed();
        let reply = reply.map_err(|error| Failure::status(operation, &error))?;
        check(&reply).map_err(|wrong| Failure::wrong(operation, &wrong))?;
        self.success(operation, took);
        if let Some(on_wire) = on_wire {
            self.on_wire(operation, took, on_wire.min(took));
        }
        Ok(reply)
    }

    fn on_wire(&self, operation: Operation, took: Duration, on_wire: Duration) {
        self.queue
            .set(self.queue.get() + took.saturating_sub(on_wire));
        self.record(|recorder| recorder.wire(operation, on_wire));
    }

    /// Records a successful call that the caller has timed.
    pub fn success(&self, operation: Operation, took: Duration) {
        self.tape.borrow_mut().success(self.counts, operation, took);
    }

    /// Records a failure.
    pub fn failure(&self, failure: &Failure) {
        self.tape.borrow_mut().failure(failure);
    }

    /// Records another measurement, into the part that `counts` selects.
    pub fn record(&self, what: impl FnOnce(&mut Recorder)) {
        what(self.tape.borrow_mut().part(self.counts));
    }

    /// Records a measurement that counts in a warm-up, too.
    pub fn record_always(&self, what: impl FnOnce(&mut Recorder)) {
        what(self.tape.borrow_mut().part(true));
    }
}

/// Accepts every reply.
pub fn any<R>(_reply: &R) -> Checked {
    Ok(())
}
