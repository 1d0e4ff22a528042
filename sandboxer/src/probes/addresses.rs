//! The addresses on which a pod listens. Pure.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use slot::Slot;

/// Returns the addresses on which a pod listens, and the port of the pod behind each.
///
/// Its open ports are those of its own addresses. If the host's addresses are to be answered as
/// well, `of_host` is the one that stands for all of them: a pod on the host's network listens
/// there, and a pod of CRI with host ports on these. Behind containerd, host ports are the
/// network plugin's.
pub(super) fn of_pod(
    slot: &Slot,
    open: &BTreeSet<u16>,
    of_host: Option<IpAddr>,
) -> HashMap<SocketAddr, u16> {
    let own: Vec<IpAddr> = slot
        .sandbox
        .ips()
        .filter_map(|ip| ip.parse().ok())
        .collect();
    // Without an address a pod is on the host's network, or its network is not known.
    let is_on_host = own.is_empty() && slot.sandbox.netns.is_empty();
    let on_host = of_host.filter(|_| is_on_host);
    let mapped = slot.sandbox.host_ports().filter_map(|mapped| {
        let ip = mapped.ip.or(of_host)?;
        of_host.map(|_| (SocketAddr::new(ip, mapped.host), mapped.pod))
    });
    let all = own.into_iter().chain(on_host);
    all.flat_map(|ip| {
        open.iter()
            .map(move |port| (SocketAddr::new(ip, *port), *port))
    })
    .chain(mapped.filter(|(_, port)| !is_on_host && open.contains(port)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri_api::v1::{PodSandboxConfig, PortMapping, Protocol};
    use slot::{CriPod, NewSandbox, Timestamp};

    const ANY: &str = "::";

    fn slot(ip: &str, mappings: &[(i32, i32, Protocol, &str)]) -> Slot {
        let mappings = mappings
            .iter()
            .map(|(pod, host, protocol, ip)| PortMapping {
                protocol: (*protocol).into(),
                container_port: *pod,
                host_port: *host,
                host_ip: (*ip).to_owned(),
            });
        let config = PodSandboxConfig {
            port_mappings: mappings.collect(),
            ..Default::default()
        };
        let cri = CriPod {
            config: config.into(),
            updated: None,
            handler: String::new(),
            ip: ip.to_owned(),
            additional_ips: Vec::new(),
        };
        let new = NewSandbox {
            cri: Some(Box::new(cri)),
            ..NewSandbox::default()
        };
        Slot::new(new, Timestamp::default())
    }

    fn addresses(slot: &Slot, open: &[u16], of_host: Option<&str>) -> Vec<(String, u16)> {
        let of_host = of_host.map(|ip| ip.parse().unwrap());
        let found = of_pod(slot, &open.iter().copied().collect(), of_host);
        let mut found: Vec<_> = found
            .into_iter()
            .map(|(at, port)| (at.to_string(), port))
            .collect();
        found.sort();
        found
    }

    fn expected(pairs: &[(&str, u16)]) -> Vec<(String, u16)> {
        pairs
            .iter()
            .map(|(at, port)| ((*at).to_owned(), *port))
            .collect()
    }

    #[test]
    fn host_ports_lead_to_the_open_ports_of_a_pod_if_the_host_is_answered() {
        let slot = slot(
            "198.18.0.1",
            &[
                (80, 8080, Protocol::Tcp, ""),
                (81, 8081, Protocol::Tcp, ""),
                (80, 9090, Protocol::Tcp, "127.0.0.1"),
                (80, 9091, Protocol::Udp, ""),
                (80, 0, Protocol::Tcp, ""),
                (80, 70_000, Protocol::Tcp, ""),
                (80, 9092, Protocol::Tcp, "here"),
            ],
        );
        let own = [("198.18.0.1:80", 80)];
        assert_eq!(addresses(&slot, &[80], None), expected(&own));
        let all = [
            ("127.0.0.1:9090", 80),
            ("198.18.0.1:80", 80),
            ("[::]:8080", 80),
        ];
        assert_eq!(addresses(&slot, &[80], Some(ANY)), expected(&all));
        assert!(addresses(&slot, &[], Some(ANY)).is_empty());
    }

    #[test]
    fn a_pod_on_the_hosts_network_listens_on_the_hosts_addresses_alone() {
        // A kubelet maps each port of such a pod to itself.
        let slot = slot("", &[(80, 80, Protocol::Tcp, "")]);
        assert!(addresses(&slot, &[80], None).is_empty());
        assert_eq!(
            addresses(&slot, &[80], Some(ANY)),
            expected(&[("[::]:80", 80)])
        );
    }
}
