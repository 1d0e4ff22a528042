//! Whether addresses of pods lead to this machine.

use std::net::{IpAddr, UdpSocket};

/// Returns whether packets to an address are delivered on this machine: the kernel lets a socket
/// be bound to such an address only (`inet_bind` in the kernel's `net/ipv4/af_inet.c`).
pub fn is_local(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_loopback_is_local_and_an_address_for_documentation_is_not() {
        assert!(is_local(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_local(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
