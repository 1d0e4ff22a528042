//! Tolerations, affinities and topology spread.

use crate::api::{LabelSelector, NodeSelectorTerm, PodAffinity, PodAffinityTerm, PodSpec};
use crate::tree::{DecodeError, Step, Tree};

use super::one_of;
use Step::{Item, Key};

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Checks everything that decides where a pod may be placed.
pub(super) fn check(tree: &Tree, spec: &PodSpec) -> Result<(), DecodeError> {
    tolerations(tree, spec)?;
    spread(tree, spec)?;
    let Some(affinity) = &spec.affinity else {
        return Ok(());
    };
    if let Some(of_nodes) = &affinity.node_affinity {
        let at = [Key("affinity"), Key("nodeAffinity")];
        if let Some(required) = &of_nodes.required {
            let at = [&at[..], &[Key(REQUIRED), Key("nodeSelectorTerms")]].concat();
            if required.node_selector_terms.is_empty() {
                return Err(DecodeError::of(tree, &at, "a selector needs a term"));
            }
            for (place, term) in required.node_selector_terms.iter().enumerate() {
                node_term(tree, &[&at[..], &[Item(place)]].concat(), term)?;
            }
        }
        for (place, preferred) in of_nodes.preferred.iter().enumerate() {
            let at = [&at[..], &[Key(PREFERRED), Item(place)]].concat();
            weight(tree, &at, preferred.weight)?;
            let at = [&at[..], &[Key("preference")]].concat();
            node_term(tree, &at, &preferred.preference)?;
        }
    }
    for (key, of_pods) in [
        ("podAffinity", &affinity.pod_affinity),
        ("podAntiAffinity", &affinity.pod_anti_affinity),
    ] {
        if let Some(of_pods) = of_pods {
            pod_affinity(tree, &[Key("affinity"), Key(key)], of_pods)?;
        }
    }
    Ok(())
}

fn tolerations(tree: &Tree, spec: &PodSpec) -> Result<(), DecodeError> {
    for (place, toleration) in spec.tolerations.iter().enumerate() {
        let at = |key| [Key("tolerations"), Item(place), Key(key)];
        let operators = ["", "Exists", "Equal", "Lt", "Gt"];
        one_of(tree, &at("operator"), &toleration.operator, &operators)?;
        let effects = ["", "NoSchedule", "PreferNoSchedule", "NoExecute"];
        one_of(tree, &at("effect"), &toleration.effect, &effects)?;
        if toleration.key.is_empty() && toleration.operator != "Exists" {
            let message = "a toleration without a key needs the operator Exists";
            return Err(DecodeError::of(tree, &at("operator"), message));
        }
        if toleration.operator == "Exists" && !toleration.value.is_empty() {
            let message = "the operator Exists takes no value";
            return Err(DecodeError::of(tree, &at("value"), message));
        }
        if matches!(toleration.operator.as_str(), "Lt" | "Gt")
            && toleration.value.parse::<i64>().is_err()
        {
            let message = format!("{:?} is not a whole number", toleration.value);
            return Err(DecodeError::of(tree, &at("value"), message));
        }
    }
    Ok(())
}

fn spread(tree: &Tree, spec: &PodSpec) -> Result<(), DecodeError> {
    for (place, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        let at = |key| [Key("topologySpreadConstraints"), Item(place), Key(key)];
        if constraint.max_skew < 1 {
            let message = format!("{} is less than 1", constraint.max_skew);
            return Err(DecodeError::of(tree, &at("maxSkew"), message));
        }
        topology_key(tree, &at("topologyKey"), &constraint.topology_key)?;
        one_of(
            tree,
            &at("whenUnsatisfiable"),
            &constraint.when_unsatisfiable,
            &["DoNotSchedule", "ScheduleAnyway"],
        )?;
        if constraint.min_domains.is_some_and(|least| least < 1) {
            return Err(DecodeError::of(tree, &at("minDomains"), "less than 1"));
        }
        for (key, policy) in [
            ("nodeAffinityPolicy", &constraint.node_affinity_policy),
            ("nodeTaintsPolicy", &constraint.node_taints_policy),
        ] {
            if let Some(policy) = policy {
                one_of(tree, &at(key), policy, &["Honor", "Ignore"])?;
            }
        }
        selector(
            tree,
            &at("labelSelector"),
            constraint.label_selector.as_ref(),
        )?;
    }
    Ok(())
}

fn pod_affinity(tree: &Tree, at: &[Step<'_>], affinity: &PodAffinity) -> Result<(), DecodeError> {
    for (place, term) in affinity.required.iter().enumerate() {
        pod_term(tree, &[at, &[Key(REQUIRED), Item(place)]].concat(), term)?;
    }
    for (place, preferred) in affinity.preferred.iter().enumerate() {
        let at = [at, &[Key(PREFERRED), Item(place)]].concat();
        weight(tree, &at, preferred.weight)?;
        let at = [&at[..], &[Key("podAffinityTerm")]].concat();
        pod_term(tree, &at, &preferred.pod_affinity_term)?;
    }
    Ok(())
}

fn pod_term(tree: &Tree, at: &[Step<'_>], term: &PodAffinityTerm) -> Result<(), DecodeError> {
    let at = |key| [at, &[Key(key)]].concat();
    topology_key(tree, &at("topologyKey"), &term.topology_key)?;
    selector(tree, &at("labelSelector"), term.label_selector.as_ref())?;
    selector(
        tree,
        &at("namespaceSelector"),
        term.namespace_selector.as_ref(),
    )
}

fn node_term(tree: &Tree, at: &[Step<'_>], term: &NodeSelectorTerm) -> Result<(), DecodeError> {
    for (list, requirements) in [
        ("matchExpressions", &term.match_expressions),
        ("matchFields", &term.match_fields),
    ] {
        for (place, requirement) in requirements.iter().enumerate() {
            let at = |key| [at, &[Key(list), Item(place), Key(key)]].concat();
            let operators: &[&str] = if list == "matchFields" {
                &["In", "NotIn"]
            } else {
                &["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
            };
            one_of(tree, &at("operator"), &requirement.operator, operators)?;
            let (count, operator) = (requirement.values.len(), requirement.operator.as_str());
            values(tree, &at("values"), operator, count)?;
        }
    }
    Ok(())
}

fn selector(
    tree: &Tree,
    at: &[Step<'_>],
    selector: Option<&LabelSelector>,
) -> Result<(), DecodeError> {
    let requirements = selector.map_or(&[][..], |selector| &selector.match_expressions);
    for (place, requirement) in requirements.iter().enumerate() {
        let at = |key| [at, &[Key("matchExpressions"), Item(place), Key(key)]].concat();
        let operators = ["In", "NotIn", "Exists", "DoesNotExist"];
        one_of(tree, &at("operator"), &requirement.operator, &operators)?;
        let (count, operator) = (requirement.values.len(), requirement.operator.as_str());
        values(tree, &at("values"), operator, count)?;
    }
    Ok(())
}

/// Checks the number of values that an operator takes.
fn values(tree: &Tree, at: &[Step<'_>], operator: &str, count: usize) -> Result<(), DecodeError> {
    let message = match operator {
        "In" | "NotIn" if count == 0 => "the operator needs a value",
        "Exists" | "DoesNotExist" if count > 0 => "the operator takes no values",
        "Gt" | "Lt" if count != 1 => "the operator needs one value",
        _ => return Ok(()),
    };
    Err(DecodeError::of(tree, at, format!("{operator}: {message}")))
}

fn topology_key(tree: &Tree, at: &[Step<'_>], key: &str) -> Result<(), DecodeError> {
    if key.is_empty() {
        return Err(DecodeError::of(tree, at, "a label of nodes is missing"));
    }
    Ok(())
}

fn weight(tree: &Tree, at: &[Step<'_>], weight: i32) -> Result<(), DecodeError> {
    if (1..=100).contains(&weight) {
        return Ok(());
    }
    let at = [at, &[Key("weight")]].concat();
    let message = format!("{weight} is not a weight from 1 to 100");
    Err(DecodeError::of(tree, &at, message))
}
