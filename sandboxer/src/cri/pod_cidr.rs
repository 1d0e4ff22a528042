//! Ranges from which pods get their addresses.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// Default range: 198.18.0.0/15, which is reserved for benchmarks of networks (RFC 2544,
/// appendix C.2.2; RFC 6890, table 13), so no host of the Internet or of a company has an address
/// in it.
const DEFAULT: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);

/// Ranges of the addresses of pods: one, or one of each family. A pod gets an address of each; the
/// first range has the primary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodCidrs(Vec<IpNet>);

/// Error in ranges that a user states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PodCidrError {
    /// Two ranges have the same family, or there are more than two.
    #[error("{0}: one range, or one of IPv4 and one of IPv6, is possible")]
    SameFamily(IpNet),
    /// No host can have an address in the range.
    #[error("{0}: addresses for hosts are needed, not those of groups or the unspecified one")]
    NoHosts(IpNet),
}

impl Default for PodCidrs {
    fn default() -> Self {
        Self(vec![DEFAULT.into()])
    }
}

impl PodCidrs {
    /// Checks ranges. None at all stand for the default.
    ///
    /// # Errors
    /// [`PodCidrError`], with the range.
    pub fn new(ranges: &[IpNet]) -> Result<Self, PodCidrError> {
        if ranges.is_empty() {
            return Ok(Self::default());
        }
        for (n, range) in ranges.iter().enumerate() {
            let address = range.network();
            if address.is_multicast() || address.is_unspecified() {
                return Err(PodCidrError::NoHosts(*range));
            }
            let is_ipv4 = address.is_ipv4();
            if ranges[..n]
                .iter()
                .any(|other| other.network().is_ipv4() == is_ipv4)
            {
                return Err(PodCidrError::SameFamily(*range));
            }
        }
        Ok(Self(ranges.iter().map(IpNet::trunc).collect()))
    }

    /// Returns the ranges, the primary one first.
    pub fn ranges(&self) -> &[IpNet] {
        &self.0
    }
}

/// Returns the first and the last address that a host may have in a range. In a range of more
/// than two addresses the first one names the network (RFC 4632; for IPv6 the routers, RFC 4291
/// section 2.6.1), and the last one of IPv4 is the broadcast address (RFC 919).
pub(super) fn hosts(range: IpNet) -> (IpAddr, IpAddr) {
    let (first, last) = (range.network(), range.broadcast());
    if range.max_prefix_len() - range.prefix_len() < 2 {
        return (first, last);
    }
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (
            Ipv4Addr::from_bits(first.to_bits() + 1).into(),
            Ipv4Addr::from_bits(last.to_bits() - 1).into(),
        ),
        (IpAddr::V6(first), last) => (
            std::net::Ipv6Addr::from_bits(first.to_bits() + 1).into(),
            last,
        ),
        same => same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidrs(texts: &[&str]) -> Result<PodCidrs, PodCidrError> {
        let ranges: Vec<IpNet> = texts.iter().map(|text| text.parse().unwrap()).collect();
        PodCidrs::new(&ranges)
    }

    #[test]
    fn one_range_of_each_family_is_possible() {
        assert_eq!(
            cidrs(&[]).unwrap().ranges(),
            ["198.18.0.0/15".parse().unwrap()]
        );
        let both = cidrs(&["fd00::7/64", "10.1.2.3/16"]).unwrap();
        let shown: Vec<String> = both.ranges().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["fd00::/64", "10.1.0.0/16"]);
        for (wrong, named) in [
            (&["10.0.0.0/8", "198.18.0.0/15"][..], "198.18.0.0/15"),
            (&["fd00::/64", "10.0.0.0/8", "fd01::/64"], "fd01::/64"),
            (&["224.0.0.0/8"], "224.0.0.0/8"),
            (&["::/0"], "::/0"),
        ] {
            let error = cidrs(wrong).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
        }
    }

    #[test]
    fn the_addresses_of_a_network_and_of_all_its_hosts_are_no_hosts() {
        for (range, first, last) in [
            ("198.18.0.0/15", "198.18.0.1", "198.19.255.254"),
            ("10.0.0.8/30", "10.0.0.9", "10.0.0.10"),
            ("10.0.0.8/31", "10.0.0.8", "10.0.0.9"),
            ("10.0.0.8/32", "10.0.0.8", "10.0.0.8"),
            ("fd00::/126", "fd00::1", "fd00::3"),
            ("fd00::/127", "fd00::", "fd00::1"),
        ] {
            let expected = (first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(hosts(range.parse().unwrap()), expected, "{range}");
        }
    }
}
