//! What is counted of RPCs.
//!
//! Each api has its own [`Calls`], which is off unless somebody wants to look. To
//! count takes a few atomic additions, no lock and no memory; off, it takes a branch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::latency::{Latencies, Latency};
use crate::error::{CODES, Code};

/// What became of the RPCs of one api; off by default. Clones count together.
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
    /// In the order of [`CODES`].
    failed: [AtomicU64; CODES.len()],
    latency: Latency,
}

/// What became of one method's RPCs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodCalls<'a> {
    /// The api's name.
    pub api: &'static str,
    /// The method's name, as its protocol spells it.
    pub method: &'a str,
    /// How many are under way.
    pub in_flight: u64,
    /// How many were answered as the caller wished.
    pub succeeded: u64,
    /// How many were not, by code; one whose caller went away is [`Code::Cancelled`].
    pub failed: [(Code, u64); CODES.len()],
    /// How long those took that are over.
    pub latencies: Latencies,
}

/// One RPC that is under way. Dropped, it is counted as [`Code::Cancelled`].
#[derive(Debug)]
#[must_use]
pub struct Call<'a>(Option<Timed<'a>>);

#[derive(Debug)]
struct Timed<'a> {
    method: &'a Method,
    begun: Instant,
}

impl Calls {
    /// Counts the RPCs of a api with these methods, whose names are in snake case.
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

    /// An RPC begins, of the method at this place in the list.
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

    /// What became of each method's RPCs so far; nothing if it is off.
    pub fn read(&self) -> impl Iterator<Item = MethodCalls<'_>> {
        let apis = self.0.iter();
        apis.flat_map(|api| api.methods.iter().map(|method| method.read(api.name)))
    }
}

impl Method {
    fn read(&self, api: &'static str) -> MethodCalls<'_> {
        // First the ends: what begins meanwhile must not be missing.
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
    /// It is over, with this code unless it succeeded.
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
            // The test below walks the table.
            Some(code) => &method.failed[code as usize],
        };
        counter.fetch_add(1, Ordering::Release);
    }
}

/// `ShutdownSandbox` of `shutdown_sandbox`; `CloseIO` is the one name that Protocol
/// Buffers' style would spell otherwise.
fn camel_case(name: &str) -> String {
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
    fn a_call_is_in_flight_until_it_ends_and_cancelled_if_it_is_dropped() {
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
    fn off_it_counts_nothing_and_so_it_does_of_a_method_that_is_not_there() {
        let off = Calls::default();
        off.begin(0).end(None);
        assert_eq!(off.read().count(), 0);
        Calls::counting("api", &[]).begin(3).end(None);
    }

    #[test]
    fn methods_are_spelled_as_their_protocols_do() {
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
