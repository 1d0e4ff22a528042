//! Measures how long calls are on the wire: from the moment at which the last byte of a request
//! is handed to the kernel to the moment at which the kernel reports the first byte of its reply.
//!
//! The time that a caller measures around a call also contains the time for which the request
//! waited in this process for its turn to be written, and for which the reply waited for its
//! turn to be decoded. The difference of both is the queue of the caller.
//!
//! A client with such times ([`Ttrpc::connect_timed`], [`Controller::connect_timed`],
//! [`Cri::connect_timed`]) numbers its calls. Both protocols give the calls of a connection the
//! stream ids 1, 3, 5 and so on in the order of the calls, and the stream below the client reads
//! the ids in the headers of the frames that pass.
//!
//! [`Ttrpc::connect_timed`]: super::Ttrpc::connect_timed
//! [`Controller::connect_timed`]: super::Controller::connect_timed
//! [`Cri::connect_timed`]: super::Cri::connect_timed

mod frames;
mod grpc;
mod stream;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(super) use self::frames::Protocol;
pub(super) use self::grpc::Connector;
pub(super) use self::stream::Stamped;

/// Largest number of unanswered calls of which the order of the stream ids is known. tonic
/// queues 1,024 requests of a connection (`DEFAULT_BUFFER_SIZE`), and those beyond them get their
/// ids in another order.
const MOST_UNANSWERED: usize = 1000;

thread_local! {
    static LAST: Cell<Option<Duration>> = const { Cell::new(None) };
}

/// Returns the time on the wire of the call that ended last on this thread, and forgets it.
///
/// The time belongs to a call only if it is taken in the same poll in which the call returned,
/// and after an earlier value was forgotten before that poll. `None` if the call has no such
/// time: it failed, its client has no times, or its stream id is not known for certain.
pub fn take_last() -> Option<Duration> {
    LAST.take()
}

/// The calls of one connection. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wire(Arc<Mutex<Ledger>>);

#[derive(Debug, Default)]
struct Ledger {
    /// Number of calls that were begun.
    begun: u32,
    /// Unanswered calls by their stream ids.
    calls: HashMap<u32, Stamps>,
    /// Whether a call may have had no stream id, so that all later ones are uncertain.
    lost: bool,
}

/// Moments of one call.
#[derive(Debug, Clone, Copy, Default)]
struct Stamps {
    written: Option<Instant>,
    read: Option<Instant>,
}

/// A call that was begun. Dropping it without an end forgets the call.
struct Call<'a> {
    wire: &'a Wire,
    id: Option<u32>,
}

/// Makes a call, and keeps its time on the wire for [`take_last`]. The first poll of `call` must
/// take the next stream id of the connection, or queue for it.
pub(super) async fn timed<T>(wire: Option<&Wire>, call: impl Future<Output = T>) -> T {
    let Some(wire) = wire else { return call.await };
    let mut begun = wire.begin();
    let reply = call.await;
    LAST.set(begun.end());
    reply
}

impl Wire {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Call<'_> {
        let mut ledger = self.ledger();
        let id = ledger.begin();
        drop(ledger);
        Call { wire: self, id }
    }

    /// Notes that the last byte so far of a request is handed to the kernel.
    fn written(&self, id: u32, at: Instant) {
        if let Some(stamps) = self.ledger().calls.get_mut(&id) {
            stamps.written = Some(at);
        }
    }

    /// Notes that the first byte of a reply has arrived.
    fn read(&self, id: u32, at: Instant) {
        if let Some(stamps) = self.ledger().calls.get_mut(&id) {
            stamps.read.get_or_insert(at);
        }
    }

    /// Gives the times of all later calls up.
    fn give_up(&self) {
        let mut ledger = self.ledger();
        ledger.lost = true;
        ledger.calls.clear();
    }
}

impl Ledger {
    /// Returns the stream id of a new call; `None` if it is not known.
    fn begin(&mut self) -> Option<u32> {
        self.lost |= self.calls.len() >= MOST_UNANSWERED;
        if self.lost {
            return None;
        }
        let id = self.begun.checked_mul(2)?.checked_add(1)?;
        self.begun += 1;
        self.calls.insert(id, Stamps::default());
        Some(id)
    }

    fn end(&mut self, id: u32) -> Option<Duration> {
        let stamps = self.calls.remove(&id)?;
        // A call that was not written may have left its id to the next one.
        self.lost |= stamps.written.is_none();
        let (written, read) = (stamps.written?, stamps.read?);
        (!self.lost).then(|| read.saturating_duration_since(written))
    }
}

impl Call<'_> {
    fn end(&mut self) -> Option<Duration> {
        let id = self.id.take()?;
        self.wire.ledger().end(id)
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
