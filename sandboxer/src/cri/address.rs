//! Addresses of pods: each belongs to one pod, from the pod's creation until its end.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use containerd_sandbox::{Error, Key, Result};
use ipnet::IpNet;
use parking_lot::Mutex;

use super::pod_cidr::{PodCidrs, hosts};
use crate::live::{Seen, Step};
use slot::{CriPod, SandboxState, Slot, Timestamp};

/// Assigns addresses. They come in turn, so that an address is used again only after all others of
/// its range.
#[derive(Debug)]
pub(super) struct Addresses(Mutex<Vec<Range>>);

/// One range, whose addresses are kept as numbers.
#[derive(Debug)]
struct Range {
    net: IpNet,
    first: u128,
    last: u128,
    /// Address to try next.
    next: u128,
    /// Pod of each address that is in use.
    taken: HashMap<u128, String>,
    /// Creation of the youngest recovered pod.
    youngest: Timestamp,
}

/// Addresses of a pod in the making, which are free again when this is dropped without
/// [`Assigned::keep`].
#[derive(Debug)]
pub(super) struct Assigned<'a> {
    from: &'a Addresses,
    pod: String,
    addresses: Vec<IpAddr>,
    kept: bool,
}

impl Range {
    fn new(net: IpNet) -> Self {
        let (first, last) = hosts(net);
        Self {
            net,
            first: number(first),
            last: number(last),
            next: number(first),
            taken: HashMap::new(),
            youngest: Timestamp::default(),
        }
    }

    /// Returns the address with a number.
    fn address(&self, number: u128) -> IpAddr {
        match (self.net, u32::try_from(number)) {
            (IpNet::V4(_), Ok(number)) => Ipv4Addr::from_bits(number).into(),
            _ => Ipv6Addr::from_bits(number).into(),
        }
    }

    fn following(&self, number: u128) -> u128 {
        if number < self.last {
            number + 1
        } else {
            self.first
        }
    }

    /// Takes the next free address for a pod; `None` if each has a pod.
    fn take(&mut self, pod: &str) -> Option<IpAddr> {
        let count = (self.last - self.first).saturating_add(1);
        if self.taken.len() as u128 >= count {
            return None;
        }
        while self.taken.contains_key(&self.next) {
            self.next = self.following(self.next);
        }
        let taken = self.next;
        self.taken.insert(taken, pod.to_owned());
        self.next = self.following(taken);
        Some(self.address(taken))
    }

    /// Frees an address, if it is the pod's.
    fn free(&mut self, address: IpAddr, pod: &str) {
        let number = number(address);
        if self.taken.get(&number).is_some_and(|owner| owner == pod) {
            self.taken.remove(&number);
        }
    }
}

impl Addresses {
    /// Assigns addresses of these ranges.
    pub(super) fn new(cidrs: &PodCidrs) -> Self {
        let ranges = cidrs.ranges().iter().copied().map(Range::new);
        Self(Mutex::new(ranges.collect()))
    }

    /// Assigns addresses to a pod: one of each range, in their order.
    ///
    /// # Errors
    /// `ResourceExhausted` if each address of a range has a pod.
    pub(super) fn assign(&self, pod: &str) -> Result<Assigned<'_>> {
        let mut assigned = Assigned {
            from: self,
            pod: pod.to_owned(),
            addresses: Vec::new(),
            kept: false,
        };
        let mut ranges = self.0.lock();
        let addresses = ranges.iter_mut().map(|range| {
            range.take(pod).ok_or_else(|| {
                Error::resource_exhausted(format!(
                    "no address is free in {}: {} pods have one each; see --pod-cidr",
                    range.net,
                    range.taken.len()
                ))
            })
        });
        // An error leaves those before it to be freed with `assigned`, after the lock.
        let mut failed = None;
        for address in addresses {
            match address {
                Ok(address) => assigned.addresses.push(address),
                Err(error) => failed = Some(error),
            }
        }
        drop(ranges);
        failed.map_or(Ok(assigned), Err)
    }

    /// Records the addresses of a recovered pod. New addresses continue after those of the
    /// youngest one.
    pub(super) fn recover(&self, key: &Key, slot: &Slot, pod: &CriPod) {
        let mut ranges = self.0.lock();
        for address in addresses(pod) {
            let Some(range) = ranges.iter_mut().find(|range| range.net.contains(&address)) else {
                continue;
            };
            let number = number(address);
            if slot.state != SandboxState::NotReady {
                range.taken.insert(number, key.id().to_owned());
            }
            if slot.created_at >= range.youngest {
                range.youngest = slot.created_at;
                range.next = range.following(number);
            }
        }
    }

    /// Records one step of a pod or container: a pod gives its addresses up when it ends.
    pub(super) fn seen(&self, key: &Key, slot: &Slot, seen: &Seen) {
        let is_end = matches!(seen.step, Step::Stopped | Step::Deleted) && seen.container.is_none();
        if let (true, Some(pod)) = (is_end, slot.sandbox.cri.as_deref()) {
            self.free(addresses(pod), key.id());
        }
    }

    fn free(&self, addresses: impl Iterator<Item = IpAddr>, pod: &str) {
        let mut ranges = self.0.lock();
        for address in addresses {
            if let Some(range) = ranges.iter_mut().find(|range| range.net.contains(&address)) {
                range.free(address, pod);
            }
        }
    }
}

impl Assigned<'_> {
    /// Returns the primary address and the other ones, as text.
    pub(super) fn texts(&self) -> (String, Vec<String>) {
        let mut texts = self.addresses.iter().map(ToString::to_string);
        (texts.next().unwrap_or_default(), texts.collect())
    }

    /// Keeps the addresses until the pod ends.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Assigned<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.from.free(self.addresses.iter().copied(), &self.pod);
        }
    }
}

/// Returns the addresses of a pod; none on the host's network.
fn addresses(pod: &CriPod) -> impl Iterator<Item = IpAddr> {
    let texts = std::iter::once(&pod.ip).chain(&pod.additional_ips);
    texts.filter_map(|text| text.parse().ok())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use slot::{Change, NewSandbox};

    fn of(ranges: &[&str]) -> Addresses {
        let ranges = ranges.iter().map(|range| range.parse().unwrap());
        Addresses::new(&PodCidrs::new(&ranges.collect::<Vec<_>>()).unwrap())
    }

    /// Assigns addresses to a pod until its end.
    fn given(addresses: &Addresses, pod: &str) -> String {
        let assigned = addresses.assign(pod).unwrap();
        let (ip, additional) = assigned.texts();
        assigned.keep();
        [vec![ip], additional].concat().join(" ")
    }

    fn pod(id: &str, ip: &str, created_at: u64) -> (Key, Slot) {
        let cri = CriPod {
            config: cri_api::v1::PodSandboxConfig::default().into(),
            updated: None,
            handler: String::new(),
            ip: ip.to_owned(),
            additional_ips: Vec::new(),
        };
        let new = NewSandbox {
            cri: Some(Box::new(cri)),
            ..NewSandbox::default()
        };
        let slot = Slot::new(new, Timestamp::from_nanos(created_at));
        (Key::new("k8s.io", id).unwrap(), slot)
    }

    fn recover(addresses: &Addresses, (key, slot): &(Key, Slot)) {
        addresses.recover(key, slot, slot.sandbox.cri.as_deref().unwrap());
    }

    fn end(addresses: &Addresses, (key, slot): &(Key, Slot), step: Step) {
        let seen = Seen {
            container: None,
            step,
        };
        addresses.seen(key, slot, &seen);
    }

    #[test]
    fn no_two_pods_have_an_address_and_a_free_one_comes_last() {
        let addresses = of(&["198.18.0.0/29"]);
        assert_eq!(given(&addresses, "a"), "198.18.0.1");
        let b = pod("b", &given(&addresses, "b"), 1);
        end(&addresses, &b, Step::Stopped);
        for last in 3..=6 {
            assert_eq!(given(&addresses, "c"), format!("198.18.0.{last}"));
        }
        assert_eq!(given(&addresses, "d"), "198.18.0.2");
        let error = addresses.assign("e").unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        let message = error.to_string();
        assert!(message.contains("198.18.0.0/29: 6 pods"), "{message}");
        // The address that the stopped pod had is another pod's by now.
        end(&addresses, &b, Step::Deleted);
        assert!(addresses.assign("e").is_err());
    }

    #[test]
    fn a_pod_that_is_not_created_gives_its_addresses_back() {
        let addresses = of(&["198.18.0.0/31", "fd00::/64"]);
        let first = addresses.assign("a").unwrap();
        assert_eq!(first.texts().1, ["fd00::1"]);
        drop(first);
        assert_eq!(given(&addresses, "b"), "198.18.0.1 fd00::2");
        assert_eq!(given(&addresses, "c"), "198.18.0.0 fd00::3");
        assert!(addresses.assign("d").is_err());
        // The second range lost nothing by the failure.
        let sixes = addresses.0.lock()[1].taken.len();
        assert_eq!(sixes, 2);
    }

    #[test]
    fn addresses_continue_after_those_of_the_youngest_recovered_pod() {
        let addresses = of(&["198.18.0.0/29"]);
        let mut ended = pod("b", "198.18.0.2", 9);
        ended
            .1
            .apply(Change::Stop(0), Timestamp::default())
            .unwrap();
        for recovered in [
            pod("c", "198.18.0.6", 5),
            ended,
            pod("a", "198.18.0.3", 7),
            pod("elsewhere", "10.128.0.1", 10),
        ] {
            recover(&addresses, &recovered);
        }
        let next: Vec<String> = (0..4).map(|n| given(&addresses, &n.to_string())).collect();
        assert_eq!(
            next,
            ["198.18.0.4", "198.18.0.5", "198.18.0.1", "198.18.0.2"]
        );
        assert!(addresses.assign("e").is_err());
    }
}
