//! Times, checks and records each call of a pod.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use containerd_sandbox::client::wire;
use containerd_sandbox::{Code, Error};

use crate::drive::check::Checked;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::{Counters, Tape};
use crate::spans::PodTrace;

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
    /// Trace of the pod; `None` if its calls have no spans.
    pub trace: Option<&'a PodTrace<'a>>,
}

/// Counter of the requests of failed pods without a reply.
#[derive(Debug, Clone)]
pub struct Abandoned(Arc<Counters>);

impl Abandoned {
    /// Counts one request.
    pub fn count(&self) {
        self.0.abandoned.fetch_add(1, Ordering::Relaxed);
    }
}

impl Calls<'_> {
    /// Returns the counter for requests of a failed pod that have no reply.
    pub fn abandoned(&self) -> Abandoned {
        Abandoned(self.tape.borrow().counters())
    }

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
        let span = self.trace.map(|trace| (trace, trace.begin()));
        let begun = Instant::now();
        let mut call = pin!(call);
        let timed = std::future::poll_fn(|cx| {
            // A time that another call has left is not this one's.
            wire::take_last();
            let reply = call.as_mut().poll(cx);
            reply.map(|reply| (reply, wire::take_last()))
        });
        let (reply, on_wire) = match &span {
            Some((_, span)) => span.context.scope(timed).await,
            None => timed.await,
        };
        let took = begun.elapsed();
        let reply = reply.map_err(|error| Failure::status(operation, &error))?;
        check(&reply).map_err(|wrong| Failure::wrong(operation, &wrong))?;
        self.success(operation, took);
        if let Some((trace, span)) = span {
            trace.end(span, operation, took);
        }
        if let Some(on_wire) = on_wire {
            self.on_wire(operation, took, on_wire.min(took));
        }
        Ok(reply)
    }

    /// Notes an id that the server has given to the pod or one of its containers.
    pub fn has_id(&self, id: &str) {
        if let Some(trace) = self.trace {
            trace.has_id(id);
        }
    }

    fn on_wire(&self, operation: Operation, took: Duration, on_wire: Duration) {
        self.queue
            .set(self.queue.get() + took.saturating_sub(on_wire));
        self.record(|recorder| recorder.wire(operation, on_wire));
    }

    /// Makes and times a call about a removed object, which must not be found.
    ///
    /// # Errors
    /// A failed call, or `still_there` if the object is found.
    pub async fn gone<R>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<R, Error>>,
        still_there: &str,
    ) -> Result<(), Failure> {
        let call = async {
            match call.await {
                Ok(_) => Ok(false),
                Err(error) if error.code() == Code::NotFound => Ok(true),
                Err(error) => Err(error),
            }
        };
        let check = |gone: &bool| gone.then_some(()).ok_or_else(|| still_there.to_owned());
        self.call(operation, call, check).await.map(drop)
    }

    /// Makes and times a call that removes something of a failed pod, and returns its reply.
    /// Any reply counts as success: the object may be gone, or in a state that refuses the
    /// call. A call without a reply counts as abandoned, because the failure of the pod is an
    /// error already.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn clean_up<R>(
        &self,
        call: impl Future<Output = Result<R, Error>>,
    ) -> Result<R, Error> {
        let begun = Instant::now();
        let reply = call.await;
        let took = begun.elapsed();
        let failure = |error| Failure::status(Operation::CleanUp, error);
        match reply.as_ref().err().map(failure) {
            Some(failure) if failure.is_silence() => self.abandoned().count(),
            _ => self.success(Operation::CleanUp, took),
        }
        reply
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
