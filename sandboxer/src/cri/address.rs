//! Addresses of pods. Pods have no network, so the addresses are only shown.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

/// First address: the start of 10.128.0.0/9, half of a private range (RFC 1918) that few
/// clusters use.
const FIRST: u32 = Ipv4Addr::new(10, 128, 0, 1).to_bits();
/// Last address, before the broadcast address of 10.128.0.0/9.
const LAST: u32 = Ipv4Addr::new(10, 255, 255, 254).to_bits();

/// Hands out addresses in turn, and from the first one again after about eight million.
#[derive(Debug)]
pub(super) struct Addresses(AtomicU32);

/// Parses an IPv4 address into its number, also one outside the range; `None` for another text.
pub(super) fn number(address: &str) -> Option<u32> {
    let address: Ipv4Addr = address.parse().ok()?;
    Some(address.to_bits())
}

impl Addresses {
    /// Returns addresses that continue after `last`.
    pub(super) fn after(last: Option<u32>) -> Self {
        Self(AtomicU32::new(last.map_or(FIRST, following)))
    }

    /// Returns the next address.
    pub(super) fn next(&self) -> Ipv4Addr {
        let step = |address| Some(following(address));
        let update = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        match update {
            Ok(address) | Err(address) => Ipv4Addr::from_bits(address),
        }
    }
}

fn following(address: u32) -> u32 {
    match address {
        FIRST..LAST => address + 1,
        _ => FIRST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_on_where_they_stopped_and_begin_again_at_the_end() {
        let addresses = Addresses::after(None);
        assert_eq!(addresses.next().to_string(), "10.128.0.1");
        let last = addresses.next().to_string();
        assert_eq!(last, "10.128.0.2");
        let addresses = Addresses::after(number(&last));
        assert_eq!(addresses.next().to_string(), "10.128.0.3");
        assert_eq!(Addresses::after(Some(LAST)).next().to_bits(), FIRST);
        assert_eq!(
            Addresses::after(number("192.168.0.1")).next().to_bits(),
            FIRST
        );
    }
}
