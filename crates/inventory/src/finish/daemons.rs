//! The nodes on which a DaemonSet runs, and what its controller adds to its pods.
//!
//! The rules are those of `pkg/controller/daemon` of Kubernetes 1.36.

use crate::Node;
use crate::api::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec,
    Taint, Toleration,
};

/// Taints that every pod of a DaemonSet tolerates (`AddOrUpdateDaemonPodTolerations`).
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];

/// Field of a node that an affinity can name.
const NAME_FIELD: &str = "metadata.name";

/// Adds the tolerations of a pod of a DaemonSet.
pub(super) fn tolerate(spec: &mut PodSpec) {
    let network = ("node.kubernetes.io/network-unavailable", "NoSchedule");
    let network = spec.host_network.then_some(network);
    for (key, effect) in TOLERATED.into_iter().chain(network) {
        let toleration = Toleration {
            key: key.to_owned(),
            operator: "Exists".to_owned(),
            effect: effect.to_owned(),
            ..Toleration::default()
        };
        if !spec.tolerations.contains(&toleration) {
            spec.tolerations.push(toleration);
        }
    }
}

/// Binds a pod to a node by an affinity (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
pub(super) fn bind(spec: &mut PodSpec, node: &str) {
    let term = NodeSelectorTerm {
        match_expressions: Vec::new(),
        match_fields: vec![NodeSelectorRequirement {
            key: NAME_FIELD.to_owned(),
            operator: "In".to_owned(),
            values: vec![node.to_owned()],
        }],
    };
    let affinity = spec.affinity.get_or_insert_with(Affinity::default);
    let of_nodes = affinity
        .node_affinity
        .get_or_insert_with(NodeAffinity::default);
    of_nodes.required = Some(NodeSelector {
        node_selector_terms: vec![term],
    });
}

/// Returns whether a DaemonSet with this spec runs a pod on a node (`NodeShouldRunDaemonPod`).
pub(super) fn runs_on(spec: &PodSpec, node: &Node) -> bool {
    let is_named = spec.node_name.is_empty() || *spec.node_name == *node.name;
    let is_selected = spec
        .node_selector
        .iter()
        .all(|(key, value)| node.labels.get(key) == Some(value));
    let required = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref())
        .and_then(|affinity| affinity.required.as_ref());
    let is_wanted = required.is_none_or(|required| {
        required
            .node_selector_terms
            .iter()
            .any(|term| term_matches(term, node))
    });
    is_named && is_selected && is_wanted && is_tolerated(spec, &node.taints)
}

fn term_matches(term: &NodeSelectorTerm, node: &Node) -> bool {
    let is_empty = term.match_expressions.is_empty() && term.match_fields.is_empty();
    let labels = term.match_expressions.iter().all(|requirement| {
        let value = node.labels.get(&requirement.key);
        meets(requirement, value.map(String::as_str))
    });
    let fields = term
        .match_fields
        .iter()
        .all(|requirement| requirement.key == NAME_FIELD && meets(requirement, Some(&node.name)));
    !is_empty && labels && fields
}

fn meets(requirement: &NodeSelectorRequirement, value: Option<&str>) -> bool {
    let is_listed = |value| requirement.values.iter().any(|listed| listed == value);
    let compared = || {
        let number = value?.parse::<i64>().ok()?;
        let bound = requirement.values.first()?.parse::<i64>().ok()?;
        Some((number, bound))
    };
    match requirement.operator.as_str() {
        "In" => value.is_some_and(is_listed),
        "NotIn" => !value.is_some_and(is_listed),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compared().is_some_and(|(number, bound)| number > bound),
        "Lt" => compared().is_some_and(|(number, bound)| number < bound),
        _ => false,
    }
}

fn is_tolerated(spec: &PodSpec, taints: &[Taint]) -> bool {
    taints
        .iter()
        .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"))
        .all(|taint| spec.tolerations.iter().any(|t| tolerates(t, taint)))
}

/// Returns whether a toleration is one of a taint (`ToleratesTaint` in `k8s.io/api/core/v1`).
fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key.is_empty() || toleration.key == taint.key;
    let compared = || {
        let of_taint = taint.value.parse::<i64>().ok()?;
        let bound = toleration.value.parse::<i64>().ok()?;
        Some((of_taint, bound))
    };
    let value = match toleration.operator.as_str() {
        "" | "Equal" => toleration.value == taint.value,
        "Exists" => true,
        "Lt" => compared().is_some_and(|(of_taint, bound)| of_taint < bound),
        "Gt" => compared().is_some_and(|(of_taint, bound)| of_taint > bound),
        _ => false,
    };
    effect && key && value
}
