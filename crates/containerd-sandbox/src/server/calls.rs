//! Counters of RPCs.
//!
//! Each API has its own [`Calls`], off by default. Counting an RPC costs a few atomic additions,
//! no lock and no allocation; counters that are off cost a branch.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::latency::{Latencies, Latency};
use crate::error::{CODES, Code};
use crate::trace_context::TraceContext;

/// Counters of the RPCs of one API; off by default. All clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Calls(Option<Arc<Api>>);

#[derive(Debug)]
struct Api {
    name: &'static str,
    methods: Box<[Method]>,
    observed: Option<Observed>,
}

/// Observer of RPCs, such as an exporter of spans.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Handles the end of an RPC. It is called by the thread that serves the RPC.
    fn ended(&self, call: EndedCall<'_>);
}

/// An RPC that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedCall<'a> {
    /// Full name of the service, as its protocol spells it.
    pub service: &'static str,
    /// Name of the method, as its protocol spells it.
    pub method: &'a str,
    /// Id of the sandbox or container of the RPC; empty if it has none.
    pub id: &'a str,
    /// Trace context of the caller.
    pub context: Option<TraceContext>,
    /// Beginning of the RPC.
    pub begun: SystemTime,
    /// Duration of the RPC.
    pub took: Duration,
    /// Code of a failure.
    pub failure: Option<Code>,
}

#[derive(Debug)]
struct Observed {
    service: &'static str,
    observer: Arc<dyn Observer>,
}

#[derive(Debug)]
struct Method {
    name: String,
    begun: AtomicU64,
    succeeded: AtomicU64,
    /// Failures by code, in the order of [`CODES`].
    failed: [AtomicU64; CODES.len()],
    latency: Latency,
}

/// Counts of one method's RPCs, as read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodCalls<'a> {
    /// Name of the API, as given to [`Calls::counting`].
    pub api: &'static str,
    /// Name of the method, as its protocol spells it.
    pub method: &'a str,
    /// RPCs in progress.
    pub in_flight: u64,
    /// RPCs that succeeded.
    pub succeeded: u64,
    /// RPCs that failed, by code. An RPC whose caller went away counts as [`Code::Cancelled`].
    pub failed: [(Code, u64); CODES.len()],
    /// Durations of the RPCs that have ended.
    pub latencies: Latencies,
}

/// One RPC in progress. Counts as [`Code::Cancelled`] if it is dropped before [`Call::end`].
#[derive(Debug)]
#[must_use]
pub struct Call<'a>(Option<Timed<'a>>);

#[derive(Debug)]
struct Timed<'a> {
    method: &'a Method,
    begun: Instant,
    told: Option<Told<'a>>,
}

/// What an observer is told of an RPC in progress.
#[derive(Debug)]
struct Told<'a> {
    observed: &'a Observed,
    id: String,
    context: Option<TraceContext>,
    begun: SystemTime,
}

impl Calls {
    /// Returns counters that are on, for an API of this name with methods of these names in
    /// snake case.
    pub fn counting(api: &'static str, methods: &[&str]) -> Self {
        let methods = methods.iter().map(|name| Method {
            name: camel_case(name),
            begun: AtomicU64::default(),
            succeeded: AtomicU64::default(),
            failed: std::array::from_fn(|_| AtomicU64::default()),
            latency: Latency::default(),
        });
        Self(Some(Arc::new(Api {
            name: api,
            methods: methods.collect(),
            observed: None,
        })))
    }

    /// Tells an observer of each RPC, too, of the service with this full name. Counters that are
    /// off, or were cloned before, stay as they are.
    #[must_use]
    pub fn observed(mut self, service: &'static str, observer: Arc<dyn Observer>) -> Self {
        if let Some(api) = self.0.as_mut().and_then(Arc::get_mut) {
            api.observed = Some(Observed { service, observer });
        }
        self
    }

    /// Counts the beginning of an RPC of the method at this place in the list.
    pub fn begin(&self, method: usize) -> Call<'_> {
        let timed = self.0.as_deref().and_then(|api| {
            let method = api.methods.get(method)?;
            method.begun.fetch_add(1, Ordering::Relaxed);
            Some(Timed {
                method,
                begun: Instant::now(),
                told: api.observed.as_ref().map(Told::by),
            })
        });
        Call(timed)
    }

    /// Reads the counts of each method; none if the counters are off.
    pub fn read(&self) -> impl Iterator<Item = MethodCalls<'_>> {
        let apis = self.0.iter();
        apis.flat_map(|api| api.methods.iter().map(|method| method.read(api.name)))
    }
}

impl Method {
    fn read(&self, api: &'static str) -> MethodCalls<'_> {
        // Ends are read before beginnings, or an RPC that ends in between would make more ends
        // than beginnings.
        let succeeded = self.succeeded.load(Ordering::Acquire);
        let mut failed = CODES.map(|(code, ..)| (code, 0));
        for ((_, count), counter) in failed.iter_mut().zip(&self.failed) {
            *count = counter.load(Ordering::Acquire);
        }
        let ended = succeeded + failed.iter().map(|(_, count)| count).sum::<u64>();
        MethodCalls {
            api,
            method: &self.name,
            in_flight: self.begun.load(Ordering::Acquire).saturating_sub(ended),
            succeeded,
            failed,
            latencies: self.latency.read(),
        }
    }
}

impl<'a> Told<'a> {
    fn by(observed: &'a Observed) -> Self {
        Self {
            observed,
            id: String::new(),
            context: None,
            begun: SystemTime::now(),
        }
    }
}

impl Call<'_> {
    /// Names the sandbox or container of the RPC and its caller's trace context, for an observer.
    /// Neither is used without one.
    pub fn about(mut self, id: &str, context: impl FnOnce() -> Option<TraceContext>) -> Self {
        if let Some(told) = self.0.as_mut().and_then(|timed| timed.told.as_mut()) {
            id.clone_into(&mut told.id);
            told.context = context();
        }
        self
    }

    /// Counts the end of the RPC: a failure with this code, or a success.
    pub fn end(mut self, failure: Option<Code>) {
        if let Some(timed) = self.0.take() {
            timed.end(failure);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if let Some(timed) = self.0.take() {
            timed.end(Some(Code::Cancelled));
        }
    }
}

impl Timed<'_> {
    fn end(&self, failure: Option<Code>) {
        let method = self.method;
        let took = self.begun.elapsed();
        method.latency.record(took);
        if let Some(told) = &self.told {
            told.observed.observer.ended(EndedCall {
                service: told.observed.service,
                method: &method.name,
                id: &told.id,
                context: told.context,
                begun: told.begun,
                took,
                failure,
            });
        }
        let counter = match failure {
            None => &method.succeeded,
            // A test checks that each code is the index of its row.
            Some(code) => &method.failed[code as usize],
        };
        counter.fetch_add(1, Ordering::Release);
    }
}

/// Converts a name such as `shutdown_sandbox` to `ShutdownSandbox`. `close_io` becomes
/// `CloseIO`, the only name that does not follow the Protocol Buffers style.
pub(super) fn camel_case(name: &str) -> String {
    let words = name.split('_');
    words
        .map(|word| match (word, word.split_at_checked(1)) {
            ("io", _) => "IO".to_owned(),
            (_, Some((first, rest))) => first.to_ascii_uppercase() + rest,
            (_, None) => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_counter() {
        for (place, (code, ..)) in CODES.iter().enumerate() {
            assert_eq!(*code as usize, place, "{code}");
            let calls = Calls::counting("api", &["get"]);
            calls.begin(0).end(Some(*code));
            let read = calls.read().next().unwrap();
            let counted = read.failed.iter().filter(|(_, count)| *count > 0);
            assert_eq!(counted.copied().collect::<Vec<_>>(), [(*code, 1)]);
            assert_eq!((read.succeeded, read.in_flight), (0, 0));
        }
    }

    #[test]
    fn a_call_is_in_flight_until_it_ends_and_counts_as_cancelled_if_dropped() {
        let calls = Calls::counting("api", &["get", "put"]);
        let (first, second) = (calls.begin(1), calls.begin(1));
        assert_eq!(calls.read().nth(1).unwrap().in_flight, 2);
        first.end(None);
        drop(second);
        let read = calls.read().nth(1).unwrap();
        assert_eq!((read.api, read.method), ("api", "Put"));
        assert_eq!((read.in_flight, read.succeeded), (0, 1));
        assert_eq!(read.failed[0], (Code::Cancelled, 1));
        assert_eq!(read.latencies.buckets.iter().sum::<u64>(), 2);
        assert_eq!(calls.read().next().unwrap().succeeded, 0);
    }

    #[derive(Debug, Default)]
    struct Seen(std::sync::Mutex<Vec<String>>);

    impl Observer for Seen {
        fn ended(&self, call: EndedCall<'_>) {
            let EndedCall {
                service,
                method,
                id,
                context,
                failure,
                ..
            } = call;
            let line = format!("{service} {method} {id} {context:?} {failure:?}");
            self.0.lock().unwrap().push(line);
        }
    }

    #[test]
    fn an_observer_is_told_of_each_end() {
        let seen = Arc::new(Seen::default());
        let observer: Arc<dyn Observer> = seen.clone();
        let calls = Calls::counting("api", &["get"]).observed("a.Service", observer);
        let context = TraceContext {
            trace: 1,
            span: 2,
            sampled: true,
        };
        calls.begin(0).about("pod", || Some(context)).end(None);
        drop(calls.begin(0).about("", || None));
        let context = format!("{:?}", Some(context));
        assert_eq!(
            *seen.0.lock().unwrap(),
            [
                format!("a.Service Get pod {context} None"),
                format!("a.Service Get  None {:?}", Some(Code::Cancelled)),
            ]
        );
    }

    #[test]
    fn counters_that_are_off_and_unknown_methods_count_nothing() {
        let off = Calls::default();
        off.begin(0).end(None);
        assert_eq!(off.read().count(), 0);
        Calls::counting("api", &[]).begin(3).end(None);
    }

    #[test]
    fn method_names_are_spelled_as_in_their_protocols() {
        for (name, spelled) in [
            ("wait", "Wait"),
            ("shutdown_sandbox", "ShutdownSandbox"),
            ("close_io", "CloseIO"),
            ("resize_pty", "ResizePty"),
            ("image_fs_info", "ImageFsInfo"),
        ] {
            assert_eq!(camel_case(name), spelled);
        }
    }
}
