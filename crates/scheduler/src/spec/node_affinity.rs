//! Selectors and affinities to nodes: the plugin `NodeAffinity`.
//!
//! The sources are `nodeaffinity/node_affinity.go` and
//! `component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go`. An affinity that the
//! configuration of a scheduler adds to every pod (`addedAffinity`) is not taken into account.

use std::collections::BTreeSet;

use inventory::api::{Labels, NodeSelectorRequirement, NodeSelectorTerm, PodSpec};

use crate::spec::selector::{Operator, Requirement, number};

/// Name of the only field of nodes that a term can name.
const NODE_NAME: &str = "metadata.name";

/// Requirements of a pod on its node, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeAffinity {
    selector: Vec<Requirement>,
    /// Alternatives; `None` without a required affinity.
    required: Option<Vec<Term>>,
    /// Terms with their weights; `None` if the plugin skips the pod.
    preferred: Option<Vec<(i64, Term)>>,
    /// Nodes that the required affinity names.
    pub pinned: Pinned,
}

/// Nodes that the filters look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Pinned {
    /// All nodes.
    #[default]
    All,
    /// The nodes with these names.
    Names(BTreeSet<String>),
    /// None, because every term contradicts itself.
    Conflict,
}

/// Compiled term. A term with a fault matches no node.
#[derive(Debug, Clone)]
struct Term {
    faulty: bool,
    labels: Vec<Requirement>,
    fields: Vec<FieldRequirement>,
}

#[derive(Debug, Clone)]
struct FieldRequirement {
    key: String,
    equal: bool,
    value: String,
}

impl NodeAffinity {
    /// Compiles the requirements of a pod.
    pub fn of(spec: &PodSpec) -> Self {
        let affinity = spec.affinity.as_ref();
        let affinity = affinity.and_then(|affinity| affinity.node_affinity.as_ref());
        let required = affinity.and_then(|affinity| affinity.required.as_ref());
        let terms = required.map(|required| required.node_selector_terms.as_slice());
        let preferred = affinity.map(|affinity| affinity.preferred.as_slice());
        let preferred = preferred.filter(|preferred| !preferred.is_empty());
        Self {
            selector: (spec.node_selector.iter())
                .map(|(key, value)| Requirement::equal(key, value))
                .collect(),
            required: terms.map(|terms| terms.iter().filter_map(Term::of).collect()),
            preferred: preferred.map(|terms| {
                let weighted = terms.iter().filter(|term| term.weight != 0);
                weighted
                    .filter_map(|term| Some((i64::from(term.weight), Term::of(&term.preference)?)))
                    .collect()
            }),
            pinned: terms.map_or(Pinned::All, pinned),
        }
    }

    /// Returns whether a node meets the selector and the required affinity
    /// (`RequiredNodeAffinity.Match`).
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.selector.iter().all(|label| label.matches(labels))
            && self
                .required
                .as_ref()
                .is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }

    /// Returns whether the pod prefers nodes; otherwise the plugin gives no score.
    pub fn has_preferences(&self) -> bool {
        self.preferred.is_some()
    }

    /// Returns the sum of the weights of the terms that a node matches.
    pub fn preference(&self, name: &str, labels: &Labels) -> i64 {
        let terms = self.preferred.iter().flatten();
        terms
            .filter(|(_, term)| term.matches(name, labels))
            .fold(0, |sum, (weight, _)| sum.saturating_add(*weight))
    }
}

impl Term {
    /// Compiles a term; `None` for a term without requirements, which matches nothing.
    fn of(term: &NodeSelectorTerm) -> Option<Self> {
        if term.match_expressions.is_empty() && term.match_fields.is_empty() {
            return None;
        }
        let labels: Option<Vec<_>> = term.match_expressions.iter().map(label).collect();
        let fields: Option<Vec<_>> = term.match_fields.iter().map(field).collect();
        Some(Self {
            faulty: labels.is_none() || fields.is_none(),
            labels: labels.unwrap_or_default(),
            fields: fields.unwrap_or_default(),
        })
    }

    fn matches(&self, name: &str, labels: &Labels) -> bool {
        !self.faulty
            && self.labels.iter().all(|label| label.matches(labels))
            && self.fields.iter().all(|field| field.matches(name))
    }
}

impl FieldRequirement {
    fn matches(&self, name: &str) -> bool {
        // An unknown field is empty.
        let actual = if self.key == NODE_NAME { name } else { "" };
        (actual == self.value) == self.equal
    }
}

/// Compiles a requirement on a label; `None` if it has a fault
/// (`nodeSelectorRequirementsAsSelector`, `labels.NewRequirement`).
fn label(requirement: &NodeSelectorRequirement) -> Option<Requirement> {
    let NodeSelectorRequirement {
        key,
        operator,
        values,
    } = requirement;
    if !values.iter().all(|value| is_label_value(value)) {
        return None;
    }
    let operator = match (operator.as_str(), values.as_slice()) {
        ("In", [_, ..]) => Operator::In(values.clone()),
        ("NotIn", [_, ..]) => Operator::NotIn(values.clone()),
        ("Exists", []) => Operator::Exists,
        ("DoesNotExist", []) => Operator::DoesNotExist,
        ("Gt", [value]) => Operator::Greater(number(value)?),
        ("Lt", [value]) => Operator::Less(number(value)?),
        _ => return None,
    };
    Some(Requirement::new(key, operator))
}

/// Compiles a requirement on a field; `None` if it has a fault
/// (`nodeSelectorRequirementsAsFieldSelector`).
fn field(requirement: &NodeSelectorRequirement) -> Option<FieldRequirement> {
    let equal = match requirement.operator.as_str() {
        "In" => true,
        "NotIn" => false,
        _ => return None,
    };
    let [value] = requirement.values.as_slice() else {
        return None;
    };
    Some(FieldRequirement {
        key: requirement.key.clone(),
        equal,
        value: value.clone(),
    })
}

/// Returns whether a text may be the value of a label (`IsValidLabelValue`).
fn is_label_value(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            bytes.len() <= 63
                && first.is_ascii_alphanumeric()
                && last.is_ascii_alphanumeric()
                && bytes.iter().all(|&byte| inner(byte))
        }
        _ => true,
    }
}

/// Returns the nodes that the terms name (`NodeAffinity.PreFilter`).
fn pinned(terms: &[NodeSelectorTerm]) -> Pinned {
    let mut names: Option<BTreeSet<String>> = None;
    for term in terms {
        let by_name = term
            .match_fields
            .iter()
            .filter(|field| field.key == NODE_NAME && field.operator == "In");
        let mut of_term: Option<BTreeSet<String>> = None;
        for field in by_name {
            let values: BTreeSet<String> = field.values.iter().cloned().collect();
            of_term = Some(match of_term {
                Some(names) => names.intersection(&values).cloned().collect(),
                None => values,
            });
        }
        let Some(of_term) = of_term else {
            return Pinned::All;
        };
        names.get_or_insert_default().extend(of_term);
    }
    match names {
        None => Pinned::All,
        Some(names) if names.is_empty() => Pinned::Conflict,
        Some(names) => Pinned::Names(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn affinity(json: &str) -> NodeAffinity {
        NodeAffinity::of(&serde_json::from_str(json).unwrap())
    }

    fn required(terms: &str) -> NodeAffinity {
        affinity(&format!(
            r#"{{"affinity": {{"nodeAffinity": {{"requiredDuringSchedulingIgnoredDuringExecution":
            {{"nodeSelectorTerms": {terms}}}}}}}}}"#
        ))
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn selector_and_affinity_must_both_match() {
        let both = affinity(
            r#"{"nodeSelector": {"disk": "ssd"}, "affinity": {"nodeAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms":
            [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]}}}}"#,
        );
        assert!(both.matches("n", &labels(&[("disk", "ssd"), ("zone", "a")])));
        assert!(!both.matches("n", &labels(&[("disk", "hdd"), ("zone", "a")])));
        assert!(!both.matches("n", &labels(&[("disk", "ssd"), ("zone", "b")])));
    }

    #[test]
    fn numbers_compare_and_a_fault_matches_nothing() {
        let cores = |operator: &str, value: &str| {
            required(&format!(
                r#"[{{"matchExpressions": [{{"key": "cores", "operator": "{operator}",
                "values": ["{value}"]}}]}}]"#
            ))
        };
        let eight = labels(&[("cores", "8")]);
        assert!(cores("Gt", "7").matches("n", &eight));
        assert!(!cores("Gt", "8").matches("n", &eight));
        assert!(cores("Lt", "9").matches("n", &eight));
        assert!(!cores("Lt", "9").matches("n", &labels(&[("cores", "many")])));
        assert!(!cores("Gt", "many").matches("n", &eight));
        // A negative number is no value of a label.
        assert!(!cores("Gt", "-1").matches("n", &eight));
        assert!(!cores("NotIn", "a b").matches("n", &eight));
    }

    #[test]
    fn no_terms_and_empty_terms_match_nothing() {
        assert!(!required("[]").matches("n", &labels(&[])));
        assert!(!required("[{}]").matches("n", &labels(&[])));
        assert!(affinity("{}").matches("n", &labels(&[])));
    }

    #[test]
    fn names_pin_a_pod_to_nodes() {
        let named = |names: &str| {
            format!(r#"{{"key": "metadata.name", "operator": "In", "values": {names}}}"#)
        };
        let one = required(&format!(r#"[{{"matchFields": [{}]}}]"#, named(r#"["n1"]"#)));
        assert_eq!(one.pinned, Pinned::Names(["n1".to_owned()].into()));
        assert!(one.matches("n1", &labels(&[])) && !one.matches("n2", &labels(&[])));
        let none = required(&format!(
            r#"[{{"matchFields": [{}, {}]}}]"#,
            named(r#"["n1"]"#),
            named(r#"["n2"]"#)
        ));
        assert_eq!(none.pinned, Pinned::Conflict);
        let one_of_two = format!(
            r#"[{{"matchFields": [{}]}}, {{"matchExpressions": [{{"key": "a",
            "operator": "Exists"}}]}}]"#,
            named(r#"["n1"]"#)
        );
        assert_eq!(required(&one_of_two).pinned, Pinned::All);
    }

    #[test]
    fn preferences_add_their_weights() {
        let both = affinity(
            r#"{"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 10, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
            {"weight": 5, "preference": {}},
            {"weight": 3, "preference": {"matchExpressions": [{"key": "b", "operator": "Exists"}]}}
            ]}}}"#,
        );
        assert!(both.has_preferences());
        assert_eq!(both.preference("n", &labels(&[("a", ""), ("b", "")])), 13);
        assert_eq!(both.preference("n", &labels(&[])), 0);
        assert!(!affinity("{}").has_preferences());
    }
}
