//! Pods of DaemonSets, each of which is bound to its node by an affinity.

use std::sync::Arc;

use inventory::api::{NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use inventory::{Pod, Template};

/// Returns the node to which the controller of a DaemonSet has bound a pod, and the template of
/// its pods without the affinity that does so. Then the pods of all nodes are of one class.
pub(super) fn bound(pod: &Pod) -> Option<(String, Arc<Template>)> {
    let owner = pod.owner.as_deref()?;
    if &*owner.kind != "DaemonSet" {
        return None;
    }
    let spec = &pod.template.spec;
    let required = spec
        .affinity
        .as_ref()?
        .node_affinity
        .as_ref()?
        .required
        .as_ref()?;
    let node = only_name(required)?.to_owned();
    let mut spec = spec.clone();
    if let Some(affinity) = spec.affinity.as_mut()
        && let Some(to_nodes) = affinity.node_affinity.as_mut()
    {
        to_nodes.required = None;
    }
    let template = Template::new(pod.template.labels.clone(), spec);
    Some((node, Arc::new(template)))
}

/// Returns the name of the only node that a selector selects, if it says no more.
fn only_name(selector: &NodeSelector) -> Option<&str> {
    let [term] = selector.node_selector_terms.as_slice() else {
        return None;
    };
    let NodeSelectorTerm {
        match_expressions,
        match_fields,
    } = term;
    let ([], [field]) = (match_expressions.as_slice(), match_fields.as_slice()) else {
        return None;
    };
    let NodeSelectorRequirement {
        key,
        operator,
        values,
    } = field;
    match values.as_slice() {
        [name] if key == "metadata.name" && operator == "In" => Some(name),
        _ => None,
    }
}
