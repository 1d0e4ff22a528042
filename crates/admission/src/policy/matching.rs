//! Which pods a policy or a binding is for (`plugin/policy/matching`,
//! `plugin/webhook/predicates/rules`).

use inventory::api::{LabelSelector, LabelSelectorRequirement, Labels};

use super::api::{MatchResources, Rule};

/// Pod that is created, as far as matching looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub name: &'a str,
    pub labels: &'a Labels,
    pub namespace_labels: &'a Labels,
}

/// Returns whether the constraints are for a pod; without constraints, they are for all.
pub(super) fn matches(constraints: Option<&MatchResources>, subject: &Subject<'_>) -> bool {
    let Some(constraints) = constraints else {
        return true;
    };
    let selected = |selector: Option<&LabelSelector>, labels| {
        selector.is_none_or(|selector| selects(selector, labels))
    };
    let rules = &constraints.resource_rules;
    let any = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(subject.name));
    selected(
        constraints.namespace_selector.as_ref(),
        subject.namespace_labels,
    ) && selected(constraints.object_selector.as_ref(), subject.labels)
        && !any(&constraints.exclude_resource_rules)
        && (rules.is_empty() || any(rules))
}

impl Rule {
    /// Returns whether the rule is for the creation of a pod of this name.
    fn matches(&self, name: &str) -> bool {
        let has = |all: &[String], wanted: &str| {
            let is = |one: &String| one == "*" || one == wanted;
            all.iter().any(is)
        };
        let resource = |text: &String| {
            let (resource, subresource) = text.split_once('/').unwrap_or((text, ""));
            matches!(resource, "*" | "pods") && matches!(subresource, "" | "*")
        };
        let scope = self.scope.as_deref().unwrap_or("*");
        has(&self.operations, "CREATE")
            && has(&self.api_groups, "")
            && has(&self.api_versions, "v1")
            && self.resources.iter().any(resource)
            && matches!(scope, "*" | "" | "Namespaced")
            && (self.resource_names.is_empty() || self.resource_names.iter().any(|n| n == name))
    }
}

/// Returns whether a selector selects an object with these labels. A requirement with an unknown
/// operator selects none.
pub(super) fn selects(selector: &LabelSelector, labels: &Labels) -> bool {
    let has = |(key, value): (&String, &String)| labels.get(key) == Some(value);
    selector.match_labels.iter().all(has)
        && selector
            .match_expressions
            .iter()
            .all(|requirement| meets(requirement, labels))
}

fn meets(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let is_listed = value.is_some_and(|value| requirement.values.contains(value));
    match requirement.operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}
