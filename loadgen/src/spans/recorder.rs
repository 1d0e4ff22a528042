//! Records this program's own span of each call of a pod.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use containerd_sandbox::TraceContext;
use parking_lot::Mutex;

use crate::record::operation::Operation;

/// A call that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Called {
    /// Index of the pod in the plan.
    pub pod: u64,
    /// Id of the call's span, which is unique for the pod.
    pub id: u64,
    /// Operation of the call.
    pub operation: Operation,
    /// Beginning, in nanoseconds since 1970.
    pub from_ns: u64,
    /// End, in nanoseconds since 1970.
    pub until_ns: u64,
}

/// Calls of one load, and the ids of its pods and containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls in the order of their ends.
    pub calls: Vec<Called>,
    /// Index of the pod that has this id itself, or has a container with this id.
    pub pods: HashMap<String, u64>,
}

/// Recorder of the calls of one load. Clones share the calls.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// Upper half of all trace ids; the lower half is the number of the pod.
    load: u64,
    calls: Arc<Mutex<Calls>>,
}

/// Trace of one pod.
#[derive(Debug)]
pub struct PodTrace<'a> {
    recorder: &'a Recorder,
    pod: u64,
    /// Number of calls so far.
    calls: Cell<u64>,
}

/// A call that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    /// Context to send with the call.
    pub context: TraceContext,
    from_ns: u64,
}

impl Recorder {
    /// Returns a recorder without calls. `load` tells its trace ids from those of other loads.
    pub fn new(load: u64) -> Self {
        Self {
            load,
            calls: Arc::default(),
        }
    }

    /// Returns a recorder whose trace ids begin with the present time in nanoseconds.
    pub fn start() -> Self {
        Self::new(now_ns())
    }

    /// Returns the trace of the pod at this index.
    pub fn pod(&self, pod: u64) -> PodTrace<'_> {
        PodTrace {
            recorder: self,
            pod,
            calls: Cell::new(0),
        }
    }

    /// Returns the index of the pod with a trace; `None` if the trace is of no pod of the load.
    pub fn pod_of(&self, trace: u128) -> Option<u64> {
        let (load, number) = (trace >> 64, trace & u128::from(u64::MAX));
        let number = u64::try_from(number).ok()?;
        (load == u128::from(self.load)).then(|| number.checked_sub(1))?
    }

    /// Returns the number of calls so far.
    pub fn count(&self) -> usize {
        self.calls.lock().calls.len()
    }

    /// Returns all calls, and forgets them.
    pub fn take(&self) -> Calls {
        std::mem::take(&mut self.calls.lock())
    }
}

impl PodTrace<'_> {
    /// Begins the span of a call.
    pub fn begin(&self) -> Begun {
        let call = self.calls.get() + 1;
        self.calls.set(call);
        Begun {
            context: TraceContext {
                // Neither a trace nor a span may have the id 0.
                trace: u128::from(self.recorder.load) << 64 | u128::from(self.pod + 1),
                span: call,
                sampled: true,
            },
            from_ns: now_ns(),
        }
    }

    /// Records a call that succeeded, with its latency.
    pub fn end(&self, begun: Begun, operation: Operation, took: Duration) {
        self.recorder.calls.lock().calls.push(Called {
            pod: self.pod,
            id: begun.context.span,
            operation,
            from_ns: begun.from_ns,
            until_ns: begun.from_ns.saturating_add(nanoseconds(took)),
        });
    }

    /// Notes the id of the pod or of one of its containers.
    pub fn has_id(&self, id: &str) {
        let mut calls = self.recorder.calls.lock();
        calls.pods.insert(id.to_owned(), self.pod);
    }
}

#[cfg(test)]
impl Begun {
    /// Sets the beginning, in nanoseconds since 1970.
    pub fn at(&mut self, from_ns: u64) {
        self.from_ns = from_ns;
    }
}

/// Returns the time since 1970.
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    nanoseconds(since.unwrap_or_default())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_of_a_pod_has_an_id_of_its_own_in_the_trace_of_the_pod() {
        let recorder = Recorder::new(7);
        let pod = recorder.pod(41);
        pod.has_id("sandbox");
        let (first, second) = (pod.begin(), pod.begin());
        assert_eq!(first.context.trace, second.context.trace);
        assert_ne!(first.context.span, second.context.span);
        assert_eq!(recorder.pod_of(first.context.trace), Some(41));
        assert_eq!(Recorder::new(8).pod_of(first.context.trace), None);
        assert_eq!(recorder.pod_of(u128::from(7_u64) << 64), None);

        pod.end(second, Operation::StartContainer, Duration::from_nanos(5));
        assert_eq!(recorder.count(), 1);
        let Calls { calls, pods } = recorder.take();
        assert_eq!((calls[0].pod, calls[0].id), (41, second.context.span));
        assert_eq!(calls[0].until_ns - calls[0].from_ns, 5);
        assert_eq!(pods["sandbox"], 41);
        assert_eq!(recorder.count(), 0);
    }
}
