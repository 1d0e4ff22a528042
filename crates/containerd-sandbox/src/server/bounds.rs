//! What one connection, one user and all peers together may hold of the server.
//!
//! A [`Peer`] counts what one connection holds, and [`Bounds`] what all of them hold. A connection
//! may hold a share of each bound only, so that another one always finds room, and so may all
//! connections of one user that is neither root nor the user of this process.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::sync::Notify;

use super::limits::{Limit, Limits};
use crate::error::Result;

/// Time in which a request must become complete after its first bytes.
pub(super) const REQUEST_TIME: Duration = Duration::from_secs(20);

/// Time after which the age of replies is looked at. A connection is closed when a reply waited
/// for one to two such times.
const EPOCH: Duration = Duration::from_secs(20);
/// Number of epochs whose replies are counted apart.
const EPOCHS: usize = 3;

/// Bytes of replies that a connection may leave before further calls wait for it.
const ROOM: usize = 16 << 20;

/// Bytes up to which a message is small. Small requests are not counted in bytes, and small
/// replies are refused only for the connection that leaves them.
pub(super) const SMALL: usize = 64 << 10;

/// Bytes that a reply takes beside its message: those of its HTTP/2 stream.
const REPLY_OVERHEAD: usize = 4 << 10;

/// A thing that a peer holds of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Connections.
    Connections,
    /// Calls in progress that will end soon.
    Calls,
    /// Calls that wait for an end.
    Waits,
    /// Requests that are not complete, or wait until the peer has taken earlier replies.
    Pending,
    /// Bytes of large requests, as long as their calls are in progress.
    RequestBytes,
    /// Bytes of replies that the peer has not taken.
    ReplyBytes,
}

const KINDS: usize = 6;

/// Returns the part of a maximum, at least one.
fn part(max: usize, divisor: usize) -> usize {
    max.div_ceil(divisor)
}

/// Counts of one connection or one user.
type Counts = [AtomicUsize; KINDS];

/// A user whose connections have a bound together.
#[derive(Debug)]
struct User {
    uid: u32,
    counts: Counts,
}

/// The bounds of a server.
#[derive(Debug)]
pub(super) struct Bounds {
    all: [Limit; KINDS],
    of_connection: [usize; KINDS],
    of_user: [usize; KINDS],
    users: Vec<Arc<User>>,
    epoch: AtomicUsize,
    peers: Mutex<Vec<Weak<Peer>>>,
}

impl Bounds {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let request_bytes = "bytes of large requests under way";
        let reply_bytes = "bytes of replies that nobody has taken";
        let all = [
            limits.connections.clone(),
            limits.in_flight.clone(),
            limits.waits.clone(),
            Limit::new(1 << 14, "requests that are not complete or wait their turn"),
            Limit::new(128 << 20, request_bytes),
            Limit::new(256 << 20, reply_bytes),
        ];
        let [connections, calls, waits, pending, requests, replies] =
            all.each_ref().map(Limit::max);
        let user = |uid: &u32| User {
            uid: *uid,
            counts: Counts::default(),
        };
        Arc::new(Self {
            of_connection: [
                usize::MAX,
                part(calls, 2),
                part(waits, 2),
                part(pending, 4),
                part(requests, 4),
                part(replies, 4),
            ],
            of_user: [connections, calls, waits, pending, requests, replies]
                .map(|max| part(max, 4)),
            users: limits
                .users
                .others()
                .iter()
                .map(user)
                .map(Arc::new)
                .collect(),
            all,
            epoch: AtomicUsize::new(0),
            peers: Mutex::default(),
        })
    }

    /// Begins to count for a connection. `uid` is the user, if its connections have a bound
    /// together. With `refused`, the reason, all requests of the connection are refused.
    pub(super) fn peer(self: &Arc<Self>, uid: Option<u32>, refused: Option<Arc<str>>) -> Arc<Peer> {
        let user = uid.and_then(|uid| self.users.iter().find(|user| user.uid == uid));
        let peer = Arc::new(Peer {
            bounds: Arc::clone(self),
            user: user.cloned(),
            counts: Counts::default(),
            replies: Default::default(),
            room: Notify::new(),
            is_slow: AtomicBool::new(false),
            reader: AtomicWaker::new(),
            refused,
        });
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.push(Arc::downgrade(&peer));
        peer
    }

    /// Runs for ever and closes each connection whose peer leaves a reply for too long.
    pub(super) async fn watch(&self) {
        let mut ticks = tokio::time::interval(EPOCH);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.next_epoch();
        }
    }

    fn next_epoch(&self) {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed) + 1;
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|peer| {
            let Some(peer) = peer.upgrade() else {
                return false;
            };
            // The place that the next epoch takes is that of the oldest replies.
            if peer.replies[(epoch + 1) % EPOCHS].load(Ordering::Relaxed) > 0 {
                peer.is_slow.store(true, Ordering::Relaxed);
                peer.reader.wake();
            }
            true
        });
        let most = 2 * peers.len();
        peers.shrink_to(most);
    }
}

/// What one connection holds.
pub(super) struct Peer {
    bounds: Arc<Bounds>,
    user: Option<Arc<User>>,
    counts: Counts,
    /// Replies that wait, by the epoch in which they were made.
    replies: [AtomicUsize; EPOCHS],
    /// Told when the peer has taken replies.
    room: Notify,
    /// Whether the peer left a reply for too long.
    is_slow: AtomicBool,
    /// The task to wake when the connection is to be closed.
    reader: AtomicWaker,
    refused: Option<Arc<str>>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("counts", &self.counts)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// Returns the reason why all requests are refused, if they are.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Returns whether the connection is to be closed, because its peer takes no replies.
    pub(super) fn is_slow(&self) -> bool {
        self.is_slow.load(Ordering::Relaxed)
    }

    /// Wakes this task when the connection is to be closed.
    pub(super) fn watch(&self, waker: &Waker) {
        self.reader.register(waker);
    }

    /// Returns whether the peer has taken enough of its replies for a further call.
    pub(super) fn has_room(&self) -> bool {
        self.counts[Kind::ReplyBytes as usize].load(Ordering::Relaxed) < ROOM
    }

    /// Waits until the peer has taken enough of its replies.
    pub(super) async fn room(&self) {
        loop {
            let told = self.room.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.has_room() {
                return;
            }
            told.await;
        }
    }

    /// Counts `amount` more. What is small counts for all peers, but is refused only for its own
    /// connection.
    fn add(&self, kind: Kind, amount: usize, is_small: bool) -> Result<()> {
        let index = kind as usize;
        let limit = &self.bounds.all[index];
        let (of_connection, of_user) =
            (self.bounds.of_connection[index], self.bounds.of_user[index]);
        if !try_add(&self.counts[index], amount, of_connection) {
            return Err(limit.reached("this connection has", of_connection));
        }
        let added = match &self.user {
            _ if is_small => {
                if let Some(user) = &self.user {
                    user.counts[index].fetch_add(amount, Ordering::Relaxed);
                }
                limit.force_add(amount);
                return Ok(());
            }
            Some(user) if !try_add(&user.counts[index], amount, of_user) => {
                Err(limit.reached(&format!("user {} has", user.uid), of_user))
            }
            user => limit.add(amount).inspect_err(|_| {
                if let Some(user) = user {
                    user.counts[index].fetch_sub(amount, Ordering::Relaxed);
                }
            }),
        };
        added.inspect_err(|_| {
            self.counts[index].fetch_sub(amount, Ordering::Relaxed);
        })
    }

    fn subtract(&self, kind: Kind, amount: usize) {
        let index = kind as usize;
        self.counts[index].fetch_sub(amount, Ordering::Relaxed);
        if let Some(user) = &self.user {
            user.counts[index].fetch_sub(amount, Ordering::Relaxed);
        }
        self.bounds.all[index].subtract(amount);
    }

    /// Counts one more of a kind until the result is dropped.
    ///
    /// # Errors
    /// `ResourceExhausted` if the connection, its user or all peers have too many.
    pub(super) fn hold(self: &Arc<Self>, kind: Kind) -> Result<Held> {
        self.add(kind, 1, false)?;
        Ok(Held {
            peer: Arc::clone(self),
            kind,
            amount: 1,
        })
    }

    /// Counts a reply of this many bytes until the result is dropped.
    ///
    /// # Errors
    /// `ResourceExhausted` if there are too many bytes of replies.
    pub(super) fn reply(self: &Arc<Self>, bytes: usize) -> Result<Reply> {
        let held = bytes.saturating_add(REPLY_OVERHEAD);
        self.add(Kind::ReplyBytes, held, bytes <= SMALL)?;
        let epoch = self.bounds.epoch.load(Ordering::Relaxed) % EPOCHS;
        self.replies[epoch].fetch_add(1, Ordering::Relaxed);
        Ok(Reply {
            peer: Arc::clone(self),
            bytes: held,
            epoch,
        })
    }
}

/// Adds to a count, unless it then were above `max`.
fn try_add(count: &AtomicUsize, amount: usize, max: usize) -> bool {
    let before = count.fetch_add(amount, Ordering::Relaxed);
    let fits = before.saturating_add(amount) <= max;
    if !fits {
        count.fetch_sub(amount, Ordering::Relaxed);
    }
    fits
}

/// An amount that counts until it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Held {
    peer: Arc<Peer>,
    kind: Kind,
    amount: usize,
}

impl Held {
    /// Begins to hold the bytes of a request, none so far.
    pub(super) fn request(peer: &Arc<Peer>) -> Self {
        Self {
            peer: Arc::clone(peer),
            kind: Kind::RequestBytes,
            amount: 0,
        }
    }

    /// Counts `amount` more.
    ///
    /// # Errors
    /// As [`Peer::hold`].
    pub(super) fn grow(&mut self, amount: usize) -> Result<()> {
        self.peer.add(self.kind, amount, false)?;
        self.amount += amount;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.peer.subtract(self.kind, self.amount);
    }
}

/// A reply that counts until the peer has taken it.
#[derive(Debug)]
#[must_use]
pub(super) struct Reply {
    peer: Arc<Peer>,
    bytes: usize,
    epoch: usize,
}

impl Drop for Reply {
    fn drop(&mut self) {
        let had_room = self.peer.has_room();
        self.peer.subtract(Kind::ReplyBytes, self.bytes);
        self.peer.replies[self.epoch].fetch_sub(1, Ordering::Relaxed);
        if !had_room {
            self.peer.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::users::AllowedUsers;
    use super::*;
    use crate::error::Error;

    const GUEST: u32 = 1_000;

    fn bounds(calls: usize) -> Arc<Bounds> {
        Bounds::new(&Limits {
            in_flight: Limit::new(calls, "calls").with_hint("see --calls"),
            users: AllowedUsers::new(vec![GUEST]),
            ..Limits::default()
        })
    }

    #[track_caller]
    fn refused<T: fmt::Debug>(held: Result<T>) -> String {
        let error: Error = held.unwrap_err();
        assert_eq!(error.code(), crate::Code::ResourceExhausted);
        error.to_string()
    }

    #[test]
    fn a_connection_gets_half_and_leaves_the_rest_to_others() {
        let bounds = bounds(4);
        let (greedy, other) = (bounds.peer(None, None), bounds.peer(None, None));
        let held = [(); 2].map(|()| greedy.hold(Kind::Calls).unwrap());
        assert_eq!(
            refused(greedy.hold(Kind::Calls)),
            "this connection has 2 calls already, see --calls"
        );
        let _others = [(); 2].map(|()| other.hold(Kind::Calls).unwrap());
        let third = bounds.peer(None, None);
        assert_eq!(
            refused(third.hold(Kind::Calls)),
            "there are 4 calls already, see --calls"
        );
        drop(held);
        let _held = third.hold(Kind::Calls).unwrap();
    }

    #[test]
    fn a_named_user_gets_a_quarter_over_all_connections() {
        let bounds = bounds(8);
        let guests = [(); 2].map(|()| bounds.peer(Some(GUEST), None));
        let held = guests
            .each_ref()
            .map(|guest| guest.hold(Kind::Calls).unwrap());
        assert_eq!(
            refused(guests[0].hold(Kind::Calls)),
            "user 1000 has 2 calls already, see --calls"
        );
        drop(held);
        let _held = guests[0].hold(Kind::Calls).unwrap();
    }

    #[test]
    fn a_refusal_counts_nothing() {
        let bounds = bounds(2);
        let guest = bounds.peer(Some(GUEST), None);
        let _one = guest.hold(Kind::Calls).unwrap();
        for _ in 0..10 {
            refused(guest.hold(Kind::Calls));
        }
        let root = bounds.peer(None, None);
        let _other = root.hold(Kind::Calls).unwrap();
        for _ in 0..10 {
            refused(root.hold(Kind::Calls));
        }
        let counted = |peer: &Peer| peer.counts[Kind::Calls as usize].load(Ordering::Relaxed);
        assert_eq!((counted(&guest), counted(&root)), (1, 1));
    }

    #[test]
    fn waits_do_not_take_the_room_of_calls() {
        let bounds = Bounds::new(&Limits {
            waits: Limit::new(2, "waits"),
            in_flight: Limit::new(2, "calls"),
            ..Limits::default()
        });
        let peer = bounds.peer(None, None);
        let _wait = peer.hold(Kind::Waits).unwrap();
        refused(peer.hold(Kind::Waits));
        let _call = peer.hold(Kind::Calls).unwrap();
    }

    #[test]
    fn large_replies_that_nobody_takes_are_bounded_and_small_ones_still_pass() {
        let bounds = bounds(4);
        let mut kept = Vec::new();
        let large = 13 << 20;
        let refusals: Vec<String> = (0..20)
            .map(|_| {
                let peer = bounds.peer(None, None);
                loop {
                    match peer.reply(large) {
                        Ok(reply) => kept.push(reply),
                        Err(e) => break e.to_string(),
                    }
                }
            })
            .collect();
        assert!(
            refusals[0].starts_with("this connection has 67108864 bytes"),
            "{refusals:?}"
        );
        assert!(
            refusals[19].starts_with("there are 268435456 bytes"),
            "{refusals:?}"
        );
        assert!(kept.len() * large <= 256 << 20);
        let peer = bounds.peer(None, None);
        let _small = peer.reply(SMALL).unwrap();
    }

    #[tokio::test]
    async fn a_call_waits_until_the_peer_has_taken_replies() {
        let peer = bounds(4).peer(None, None);
        let replies = [(); 2].map(|()| peer.reply(ROOM - REPLY_OVERHEAD).unwrap());
        let waiting = peer.room();
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        let [first, second] = replies;
        drop(first);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(second);
        waiting.await;
    }

    #[test]
    fn a_reply_that_waits_for_two_epochs_closes_its_connection() {
        let bounds = bounds(4);
        let (slow, quick) = (bounds.peer(None, None), bounds.peer(None, None));
        for _ in 0..10 {
            let reply = quick.reply(1).unwrap();
            bounds.next_epoch();
            drop(reply);
        }
        assert!(!quick.is_slow());
        let _left = slow.reply(1).unwrap();
        bounds.next_epoch();
        assert!(!slow.is_slow());
        bounds.next_epoch();
        assert!(slow.is_slow());
        drop((slow, quick));
        bounds.next_epoch();
        // The one that holds a reply still exists.
        assert_eq!(bounds.peers.lock().unwrap().len(), 1);
    }
}
