//! Ports of nodes: the plugin `NodePorts`.
//!
//! The source is `HostPortInfo` in `k8s.io/kube-scheduler/framework/types.go`.

use inventory::HostPort;

/// Address that stands for all addresses of a node (`DefaultBindAllHostIP`).
const ALL: &str = "0.0.0.0";

/// Ports of a node that its pods have, with the number of pods that have each.
pub(crate) type UsedPorts = Vec<(HostPort, u32)>;

/// Adds the ports of a pod.
pub(crate) fn add(used: &mut UsedPorts, ports: &[HostPort]) {
    for port in ports {
        match used.binary_search_by(|(other, _)| other.cmp(port)) {
            Ok(place) => used[place].1 += 1,
            Err(place) => used.insert(place, (port.clone(), 1)),
        }
    }
}

/// Removes the ports of a pod.
pub(crate) fn remove(used: &mut UsedPorts, ports: &[HostPort]) {
    for port in ports {
        if let Ok(place) = used.binary_search_by(|(other, _)| other.cmp(port)) {
            used[place].1 -= 1;
            if used[place].1 == 0 {
                used.remove(place);
            }
        }
    }
}

/// Returns whether a pod that wants these ports collides with the used ones (`CheckConflict`).
pub(crate) fn collide(wanted: &[HostPort], used: &UsedPorts) -> bool {
    wanted
        .iter()
        .any(|port| used.iter().any(|(other, _)| same(port, other)))
}

fn same(one: &HostPort, other: &HostPort) -> bool {
    one.port == other.port
        && one.protocol == other.protocol
        && (one.ip == other.ip || one.ip == ALL || other.ip == ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, protocol: &str, port: i32) -> HostPort {
        HostPort {
            ip: ip.to_owned(),
            protocol: protocol.to_owned(),
            port,
        }
    }

    #[test]
    fn a_port_of_all_addresses_collides_with_each() {
        let used = vec![(port("127.0.0.1", "TCP", 80), 1)];
        assert!(collide(&[port(ALL, "TCP", 80)], &used));
        assert!(collide(&[port("127.0.0.1", "TCP", 80)], &used));
        assert!(!collide(&[port("127.0.0.2", "TCP", 80)], &used));
        assert!(!collide(&[port(ALL, "UDP", 80)], &used));
        assert!(!collide(&[port(ALL, "TCP", 81)], &used));
        let all = vec![(port(ALL, "TCP", 80), 1)];
        assert!(collide(&[port("127.0.0.2", "TCP", 80)], &all));
    }

    #[test]
    fn adding_and_removing_restores() {
        let mut used = vec![(port(ALL, "TCP", 80), 1)];
        let before = used.clone();
        let ports = [port(ALL, "TCP", 80), port(ALL, "TCP", 8080)];
        add(&mut used, &ports);
        assert_eq!(used.len(), 2);
        remove(&mut used, &ports);
        assert_eq!(used, before);
    }
}
