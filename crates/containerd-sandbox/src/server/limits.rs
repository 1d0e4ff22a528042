//! Limits on the load that peers may put on a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::users::AllowedUsers;
use crate::error::{Error, Result};

/// The longest gRPC message that is received or sent, in bytes: the limit of containerd's own
/// gRPC servers and clients (16 MiB).
pub const MAX_GRPC_MESSAGE: usize = 16 << 20;

/// The limits of a server. A request above a limit is answered `ResourceExhausted`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest message that is received, in bytes. Over ttrpc, 4 MiB apply if that is less
    /// (`MESSAGE_LENGTH_MAX` of the ttrpc library).
    pub message: usize,
    /// Open connections.
    pub connections: Limit,
    /// Calls in progress on all connections, without the calls that wait for an end.
    pub in_flight: Limit,
    /// Calls that wait for an end, such as Wait, and streams of events.
    pub waits: Limit,
    /// The users that may connect.
    pub users: AllowedUsers,
}

impl Default for Limits {
    /// Returns limits of 16 MiB per message, 16,384 connections, 262,144 calls and 8,388,608
    /// calls that wait, for root and the user of this process.
    fn default() -> Self {
        Self {
            message: MAX_GRPC_MESSAGE,
            connections: Limit::new(1 << 14, "connections"),
            in_flight: Limit::new(1 << 18, "calls under way"),
            waits: Limit::new(1 << 23, "calls that wait for an end"),
            users: AllowedUsers::default(),
        }
    }
}

/// Counts the objects of one kind that exist at a time, and refuses more than a maximum. All
/// clones share one count.
///
/// ```
/// use containerd_sandbox::server::Limit;
///
/// let limit = Limit::new(1, "uploads").with_hint("see --max-uploads");
/// let permit = limit.acquire()?;
/// assert_eq!(
///     limit.acquire().unwrap_err().to_string(),
///     "there are 1 uploads already, see --max-uploads"
/// );
/// drop(permit);
/// assert!(limit.acquire().is_ok());
/// # Ok::<(), containerd_sandbox::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Limit {
    max: usize,
    counted: &'static str,
    hint: Option<&'static str>,
    count: Arc<AtomicUsize>,
}

/// One object that a [`Limit`] counts until the permit is dropped.
#[derive(Debug)]
#[must_use]
pub struct Permit(Arc<AtomicUsize>);

impl Limit {
    /// Creates a limit of `max` objects. `counted` is the plural noun that error messages call
    /// them by.
    pub fn new(max: usize, counted: &'static str) -> Self {
        Self {
            max,
            counted,
            hint: None,
            count: Arc::default(),
        }
    }

    /// Ends the message of each refusal with a hint, such as the option that sets the limit.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Counts one more object.
    ///
    /// # Errors
    /// `ResourceExhausted` if the maximum is reached, with the maximum, the noun and the hint.
    pub fn acquire(&self) -> Result<Permit> {
        self.add(1)?;
        Ok(Permit(Arc::clone(&self.count)))
    }

    /// Counts `amount` more objects without a permit; [`Limit::subtract`] ends them.
    ///
    /// # Errors
    /// As [`Limit::acquire`].
    pub(super) fn add(&self, amount: usize) -> Result<()> {
        let before = self.count.fetch_add(amount, Ordering::Relaxed);
        if before.saturating_add(amount) <= self.max {
            return Ok(());
        }
        self.subtract(amount);
        Err(self.reached("there are", self.max))
    }

    /// Counts `amount` more objects, above the maximum if need be.
    pub(super) fn force_add(&self, amount: usize) {
        self.count.fetch_add(amount, Ordering::Relaxed);
    }

    /// Counts `amount` objects less.
    pub(super) fn subtract(&self, amount: usize) {
        self.count.fetch_sub(amount, Ordering::Relaxed);
    }

    /// Returns the greatest number of objects.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Returns the error for a limit of `max` objects that is reached. `holds` names the holder
    /// of the objects and the verb.
    pub(super) fn reached(&self, holds: &str, max: usize) -> Error {
        let hint = self.hint.map(|hint| format!(", {hint}"));
        Error::resource_exhausted(format!(
            "{holds} {max} {} already{}",
            self.counted,
            hint.unwrap_or_default()
        ))
    }

    /// Counts one more object, above the maximum if need be: for objects that exist already.
    pub fn force_acquire(&self) -> Permit {
        self.force_add(1);
        Permit(Arc::clone(&self.count))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn the_maximum_is_enforced_until_a_permit_is_dropped() {
        let limit = Limit::new(2, "calls").with_hint("see --max-in-flight");
        let first = limit.acquire().unwrap();
        let _second = limit.clone().acquire().unwrap();
        let error = limit.acquire().unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert_eq!(
            error.to_string(),
            "there are 2 calls already, see --max-in-flight"
        );
        drop(first);
        let _third = limit.acquire().unwrap();
    }

    #[test]
    fn forced_permits_count_towards_the_maximum() {
        let limit = Limit::new(1, "sandboxes");
        let recovered = [limit.force_acquire(), limit.force_acquire()];
        let error = limit.acquire().unwrap_err();
        assert_eq!(error.to_string(), "there are 1 sandboxes already");
        drop(recovered);
        let _created = limit.acquire().unwrap();
    }
}
