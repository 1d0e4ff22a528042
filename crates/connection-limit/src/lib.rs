//! A bound on the connections whose request a server waits for, in total and for each address.
//!
//! A new connection is always admitted. At a bound it takes the place of the connection that has
//! waited longest, so peers that connect and send nothing keep nobody else out: a client that
//! sends its request at once is served before others can take its place.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// The connections whose request a server waits for. A clone stands for the same ones.
#[derive(Debug, Clone)]
pub struct Waiting {
    places: Arc<Mutex<Places>>,
    total: usize,
    per_address: usize,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    /// By number, which is the order of their arrival. Dropping a sender takes the place away.
    taken: BTreeMap<u64, (IpAddr, oneshot::Sender<()>)>,
    of_address: HashMap<IpAddr, usize>,
}

impl Places {
    /// Frees a place, unless it was taken away before.
    fn free(&mut self, number: u64) {
        let Some((address, _)) = self.taken.remove(&number) else {
            return;
        };
        if let Some(count) = self.of_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&address);
            }
        }
    }
}

impl Waiting {
    /// Makes room for so many connections in total, and for so many of one address.
    pub fn new(total: usize, per_address: usize) -> Self {
        Self {
            places: Arc::default(),
            total: total.max(1),
            per_address: per_address.max(1),
        }
    }

    /// Returns a place for a new connection from an address. If there is none left, the
    /// connection that has waited longest loses its place.
    pub fn enter(&self, address: IpAddr) -> Place {
        let mut places = self.places.lock();
        let of_address = places.of_address.get(&address).copied().unwrap_or(0);
        let loser = if of_address >= self.per_address {
            let mut taken = places.taken.iter();
            taken.find(|(_, (other, _))| *other == address)
        } else if places.taken.len() >= self.total {
            places.taken.iter().next()
        } else {
            None
        };
        if let Some(loser) = loser.map(|(number, _)| *number) {
            places.free(loser);
        }
        let number = places.next;
        places.next += 1;
        let (sender, kept) = oneshot::channel();
        places.taken.insert(number, (address, sender));
        *places.of_address.entry(address).or_default() += 1;
        Place {
            places: Arc::clone(&self.places),
            number,
            kept,
        }
    }

    /// Returns the number of connections that have a place.
    pub fn len(&self) -> usize {
        self.places.lock().taken.len()
    }

    /// Returns whether no connection has a place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The place of a connection, which is free once this is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Mutex<Places>>,
    number: u64,
    kept: oneshot::Receiver<()>,
}

impl Place {
    /// Waits until a newer connection has taken the place.
    pub async fn lost(&mut self) {
        // Nobody sends: the channel closes with the place.
        let _ = (&mut self.kept).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().free(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    /// Returns whether a place is lost by now.
    async fn is_lost(place: &mut Place) -> bool {
        tokio::select! {
            biased;
            () = place.lost() => true,
            () = std::future::ready(()) => false,
        }
    }

    #[tokio::test]
    async fn the_connection_that_has_waited_longest_loses_its_place() {
        let waiting = Waiting::new(3, 2);
        let mut first = waiting.enter(address(1));
        let mut second = waiting.enter(address(2));
        let mut third = waiting.enter(address(2));
        assert_eq!(waiting.len(), 3);
        // An address with all its places takes one of its own.
        let mut fourth = waiting.enter(address(2));
        assert!(is_lost(&mut second).await && !is_lost(&mut first).await);
        // Another one takes the oldest of all.
        let fifth = waiting.enter(address(3));
        assert!(is_lost(&mut first).await);
        assert!(!is_lost(&mut third).await && !is_lost(&mut fourth).await);
        assert_eq!(waiting.len(), 3);
        drop((first, second, fifth));
        assert_eq!(waiting.len(), 2);
        let mut sixth = waiting.enter(address(1));
        assert!(!is_lost(&mut sixth).await && !is_lost(&mut third).await);
        drop((third, fourth, sixth));
        assert!(waiting.is_empty());
        assert!(waiting.places.lock().of_address.is_empty());
    }
}

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
