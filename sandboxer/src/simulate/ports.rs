//! TCP ports that containers declare.

use serde::Deserialize;

/// Annotation in which a kubelet states the ports of a container as JSON, an array of
/// `ContainerPort` (`containerPortsLabel` in its `pkg/kubelet/kuberuntime/labels.go`).
const OF_KUBELET: &str = "io.kubernetes.container.ports";
/// Prefix of the annotations that every container of a kubelet has.
const KUBELET: &str = "io.kubernetes.container.";

/// Largest number of ports of one container; further ones are ignored.
pub(crate) const MAX_PORTS: usize = 64;
/// Longest annotation that is read, in bytes: many times what the ports need.
const MAX_BYTES: usize = 64 << 10;

/// The part of a `ContainerPort` that matters; another field of it may have any value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerPort {
    container_port: u16,
    #[serde(default)]
    protocol: Option<String>,
}

/// Returns the TCP ports that a container declares.
///
/// A container of a kubelet has them in an annotation, which is missing if there are none. A
/// container of another client declares those of its pod's port mappings. An annotation that
/// cannot be read declares no port: the client that wrote it did not ask for answers.
pub(crate) fn declared<'a>(
    annotations: impl IntoIterator<Item = (&'a String, &'a String)>,
    of_pod: impl IntoIterator<Item = u16>,
) -> Vec<u16> {
    let mut is_of_kubelet = false;
    for (name, value) in annotations {
        if name == OF_KUBELET {
            return bounded(of_json(value));
        }
        is_of_kubelet |= name.starts_with(KUBELET);
    }
    if is_of_kubelet {
        return Vec::new();
    }
    bounded(of_pod)
}

/// Returns the TCP ports that an image exposes, as `8080/tcp` or `8080` (`ExposedPorts` of OCI's
/// image configuration). A port of another form is left out.
pub(crate) fn exposed(ports: &[String]) -> impl Iterator<Item = u16> {
    ports.iter().filter_map(|port| {
        let number = port.strip_suffix("/tcp").unwrap_or(port);
        number.parse().ok()
    })
}

/// Returns port numbers without repetitions, and not more than are possible.
pub(crate) fn bounded(ports: impl IntoIterator<Item = u16>) -> Vec<u16> {
    let mut all = Vec::new();
    for port in ports {
        if port != 0 && !all.contains(&port) && all.len() < MAX_PORTS {
            all.push(port);
        }
    }
    all
}

fn of_json(json: &str) -> Vec<u16> {
    if json.len() > MAX_BYTES {
        return Vec::new();
    }
    let ports: Vec<ContainerPort> = match serde_json::from_str(json) {
        Ok(ports) => ports,
        Err(e) => {
            tracing::debug!("annotation {OF_KUBELET} is ignored: {e}");
            return Vec::new();
        }
    };
    // Without a protocol a port is one of TCP.
    let is_tcp = |port: &ContainerPort| port.protocol.as_deref().is_none_or(|p| p == "TCP");
    ports
        .iter()
        .filter(|port| is_tcp(port))
        .map(|port| port.container_port)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn of(annotations: &[(&str, &str)]) -> Vec<u16> {
        let owned = annotations
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        declared(&owned.collect::<BTreeMap<_, _>>(), [443])
    }

    #[test]
    fn an_image_exposes_ports_of_tcp() {
        let ports = ["80/tcp", "53/udp", "8080", "many"].map(str::to_owned);
        assert_eq!(exposed(&ports).collect::<Vec<_>>(), [80, 8080]);
    }

    #[test]
    fn a_kubelet_declares_the_ports_of_its_containers_itself() {
        let json = r#"[{"name":"web","containerPort":8080,"protocol":"TCP"},
            {"containerPort":53,"protocol":"UDP"},{"containerPort":9090,"hostPort":1},
            {"containerPort":8080}]"#;
        assert_eq!(of(&[(OF_KUBELET, json)]), [8080, 9090]);
        assert!(of(&[("io.kubernetes.container.hash", "1")]).is_empty());
        assert_eq!(of(&[("example.com/ports", "1")]), [443]);
    }

    #[test]
    fn an_annotation_that_cannot_be_read_declares_nothing() {
        for json in ["", "{}", r#"[{"containerPort":70000}]"#, "[1]"] {
            assert!(of(&[(OF_KUBELET, json)]).is_empty(), "{json}");
        }
        let many: Vec<String> = (1..100)
            .map(|n| format!("{{\"containerPort\":{n}}}"))
            .collect();
        let many = format!("[{}]", many.join(","));
        assert_eq!(of(&[(OF_KUBELET, &many)]).len(), MAX_PORTS);
        let long = format!("{}[]", " ".repeat(MAX_BYTES));
        assert!(of(&[(OF_KUBELET, &long)]).is_empty());
    }
}
