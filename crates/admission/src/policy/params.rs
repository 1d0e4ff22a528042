//! Parameters of policies (`CollectParams` in `plugin/policy/generic/policy_dispatcher.go`).

use cel::Value;
use inventory::api::{Labels, ObjectMeta};

use super::api::{ParamKind, ParamRef};
use super::matching::selects;

/// Object that can be a parameter.
#[derive(Debug, Clone)]
pub struct ParamObject {
    api_version: String,
    kind: String,
    name: String,
    /// Namespace; empty for an object without one.
    namespace: String,
    labels: Labels,
    value: Value,
}

impl ParamObject {
    /// Returns an object of this kind. The namespace of a `ConfigMap` or a `Secret` that states
    /// none is `default`; other objects without a namespace belong to the cluster.
    pub fn new(api_version: &str, kind: &str, object: &serde_json::Value) -> Self {
        let meta = object.get("metadata").cloned().unwrap_or_default();
        let meta: ObjectMeta = serde_json::from_value(meta).unwrap_or_default();
        let is_namespaced = api_version == "v1" && matches!(kind, "ConfigMap" | "Secret");
        let namespace = match meta.namespace.as_str() {
            "" if is_namespaced => "default".to_owned(),
            _ => meta.namespace,
        };
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: meta.name,
            namespace,
            labels: meta.labels,
            value: Value::from_json(object),
        }
    }
}

/// Returns the parameters of a binding for pods of a namespace. A policy without parameters, or a
/// binding that names none, has one that is `null`.
///
/// # Errors
/// The words for parameters that are not there, if the binding refuses pods then.
pub(super) fn collect(
    kind: Option<&ParamKind>,
    reference: Option<&ParamRef>,
    objects: &[ParamObject],
    namespace: &str,
) -> Result<Vec<Value>, &'static str> {
    let (Some(kind), Some(reference)) = (kind, reference) else {
        return Ok(vec![Value::Null]);
    };
    if reference.name.is_empty() && reference.selector.is_none() {
        return Err("one of name or selector must be provided");
    }
    let wanted = match reference.namespace.as_str() {
        "" => namespace,
        stated => stated,
    };
    let found = objects.iter().filter(|object| {
        object.api_version == kind.api_version
            && object.kind == kind.kind
            && (object.namespace.is_empty() || object.namespace == wanted)
            && match &reference.selector {
                Some(selector) => selects(selector, &object.labels),
                None => object.name == reference.name,
            }
    });
    let found: Vec<_> = found.map(|object| object.value.clone()).collect();
    let denies = reference.parameter_not_found_action.as_deref() == Some("Deny");
    if found.is_empty() && denies {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction");
    }
    Ok(found)
}
