//! Counters of RPCs.
//!
//! Each API has its own [`Calls`], off by default. Counting an RPC costs a few atomic additions,
//! no lock and no allocation; counters that are off cost a branch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::latency::{Latencies, Latency};
use crate::error::{CODES, Code};

/// Counters of the RPCs of one API; off by default. All clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Calls(Option<Arc<Api>>);

#[derive(Debug)]
struct Api {
    name: &'static str,
    methods: Box<[Method]>,
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
        })))
    }

    /// Counts the beginning of an RPC of the method at this place in the list.
    pub fn begin(&self, method: usize) -> Call<'_> {
        let api = self.0.as_deref();
        let method = api.and_then(|api| api.methods.get(method));
        Call(method.map(|method| {
            method.begun.fetch_add(1, Ordering::Relaxed);
            Timed {
                method,
                begun: Instant::now(),
            }
        }))
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

impl Call<'_> {
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
        method.latency.record(self.begun.elapsed());
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
