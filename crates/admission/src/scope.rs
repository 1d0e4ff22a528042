//! Scopes of quotas: the pods for which a quota holds.
//!
//! The rules are those of `podMatchesScopeFunc` in `pkg/quota/v1/evaluator/core/pods.go`.

use inventory::QosClass;
use inventory::api::{PodAffinity, PodAffinityTerm, PodSpec};
use serde::Deserialize;

/// Selector of pods by a scope (`ScopedResourceSelectorRequirement`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScopeRequirement {
    /// Name of the scope, such as `BestEffort`.
    pub scope_name: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`; only `PriorityClass` has values to compare.
    pub operator: String,
    /// Values of `In` and `NotIn`.
    pub values: Vec<String>,
}

/// Selectors of a quota, all of which a pod must match (`ScopeSelector`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScopeSelector {
    /// Selectors.
    pub match_expressions: Vec<ScopeRequirement>,
}

/// Error of a scope that no API server accepts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The name is none of the six scopes.
    #[error("{0:?} is not a scope")]
    Name(String),
    /// The operator is none of the four.
    #[error("{0:?} is not a valid scope selector operator")]
    Operator(String),
    /// The operator takes values and has none, or takes none and has some.
    #[error("the operator {0} of a scope selector has the wrong number of values")]
    Values(String),
}

impl ScopeRequirement {
    /// Returns the selector of a scope without an operator.
    pub fn exists(scope: &str) -> Self {
        Self {
            scope_name: scope.to_owned(),
            operator: "Exists".to_owned(),
            values: Vec::new(),
        }
    }

    /// Checks that an API server would accept the selector.
    ///
    /// # Errors
    /// An unknown scope or operator, or the wrong number of values.
    pub fn check(&self) -> Result<(), ScopeError> {
        match self.scope_name.as_str() {
            "Terminating"
            | "NotTerminating"
            | "BestEffort"
            | "NotBestEffort"
            | "PriorityClass"
            | "CrossNamespacePodAffinity" => {}
            other => return Err(ScopeError::Name(other.to_owned())),
        }
        match (self.operator.as_str(), self.values.is_empty()) {
            ("In" | "NotIn", false) | ("Exists" | "DoesNotExist", true) => Ok(()),
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {
                Err(ScopeError::Values(self.operator.clone()))
            }
            (other, _) => Err(ScopeError::Operator(other.to_owned())),
        }
    }

    /// Returns whether a pod of this class matches.
    pub fn matches(&self, spec: &PodSpec, qos: QosClass) -> bool {
        let is_terminating = spec
            .active_deadline_seconds
            .is_some_and(|seconds| seconds >= 0);
        let is_best_effort = qos == QosClass::BestEffort;
        match self.scope_name.as_str() {
            "Terminating" => is_terminating,
            "NotTerminating" => !is_terminating,
            "BestEffort" => is_best_effort,
            "NotBestEffort" => !is_best_effort,
            "PriorityClass" => self.matches_class(&spec.priority_class_name),
            "CrossNamespacePodAffinity" => crosses_namespaces(spec),
            _ => false,
        }
    }

    /// Returns whether a priority class matches; a pod without one has no label to match.
    fn matches_class(&self, class: &str) -> bool {
        let is_listed = self.values.iter().any(|value| value == class);
        match self.operator.as_str() {
            "In" => !class.is_empty() && is_listed,
            "NotIn" => class.is_empty() || !is_listed,
            "Exists" => !class.is_empty(),
            "DoesNotExist" => class.is_empty(),
            _ => false,
        }
    }
}

/// Returns whether an affinity of a pod looks beyond its namespace (`usesCrossNamespacePodAffinity`).
fn crosses_namespaces(spec: &PodSpec) -> bool {
    let crosses =
        |term: &PodAffinityTerm| !term.namespaces.is_empty() || term.namespace_selector.is_some();
    let any = |affinity: &PodAffinity| {
        affinity.required.iter().any(crosses)
            || affinity
                .preferred
                .iter()
                .any(|term| crosses(&term.pod_affinity_term))
    };
    spec.affinity.as_ref().is_some_and(|affinity| {
        affinity.pod_affinity.as_ref().is_some_and(any)
            || affinity.pod_anti_affinity.as_ref().is_some_and(any)
    })
}
