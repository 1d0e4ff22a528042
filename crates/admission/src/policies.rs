//! All policies of an input, by namespace.

use std::collections::BTreeMap;

use cel::Value;
use inventory::api::{Labels, ObjectMeta};
use inventory::{Object, Source};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::limit_range::LimitRange;
use crate::policy::{BoundPolicy, ParamObject, Policy, PolicyBindingObject, PolicyObject};
use crate::quota::ResourceQuota;

/// Label that every namespace has (`SetDefaults_Namespace`).
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Object that no API server accepts.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {object}: {message}")]
pub struct ObjectError {
    /// Place of the object.
    pub place: Source,
    /// Kind and name.
    pub object: String,
    /// Field and reason.
    pub message: String,
}

/// Everything that decides on pods that are created.
#[derive(Debug, Default)]
pub struct Policies {
    limits: BTreeMap<String, Vec<LimitRange>>,
    quotas: BTreeMap<String, Vec<ResourceQuota>>,
    bound: Vec<BoundPolicy>,
    namespaces: BTreeMap<String, Namespace>,
    params: Vec<ParamObject>,
    unbound: Vec<String>,
}

/// Namespace as selectors and expressions see it.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    pub(crate) labels: Labels,
    pub(crate) value: Value,
    is_assumed: bool,
}

impl Namespace {
    fn new(name: &str, mut labels: Labels, annotations: &Labels, is_assumed: bool) -> Self {
        labels.insert(NAME_LABEL.to_owned(), name.to_owned());
        let map = |all: &Labels| {
            let entries = all.iter();
            Value::fields(entries.map(|(key, value)| (key.as_str(), Value::string(value.as_str()))))
        };
        let mut metadata = vec![("name", Value::string(name)), ("labels", map(&labels))];
        if !annotations.is_empty() {
            metadata.push(("annotations", map(annotations)));
        }
        let finalizers = Value::list([Value::string("kubernetes")]);
        let value = Value::fields([
            ("metadata", Value::fields(metadata)),
            ("spec", Value::fields([("finalizers", finalizers)])),
            (
                "status",
                Value::fields([("phase", Value::string("Active"))]),
            ),
        ]);
        Self {
            labels,
            value,
            is_assumed,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    metadata: ObjectMeta,
}

impl Policies {
    /// Reads the policies among the objects of an input. Objects of other kinds can be parameters.
    ///
    /// # Errors
    /// An object that no API server accepts, or one of the same name as another.
    pub fn read(objects: &[Object]) -> Result<Self, ObjectError> {
        let mut all = Self::default();
        let (mut policies, mut bindings) = (Vec::new(), Vec::new());
        let mut seen: BTreeMap<(&str, String, String), &Source> = BTreeMap::new();
        for object in objects {
            let Meta { metadata } = decode(object)?;
            let namespace = match metadata.namespace.as_str() {
                "" => "default",
                stated => stated,
            };
            let is_policy = matches!(
                object.kind.as_str(),
                "LimitRange"
                    | "ResourceQuota"
                    | "ValidatingAdmissionPolicy"
                    | "ValidatingAdmissionPolicyBinding"
            );
            let key = (
                object.kind.as_str(),
                namespace.to_owned(),
                metadata.name.clone(),
            );
            if is_policy && let Some(first) = seen.insert(key, &object.source) {
                return Err(wrong(object, format!("is there twice, first at {first}")));
            }
            match object.kind.as_str() {
                "LimitRange" => {
                    let mut limits: LimitRange = decode(object)?;
                    limits.set_defaults();
                    all.limits
                        .entry(namespace.to_owned())
                        .or_default()
                        .push(limits);
                }
                "ResourceQuota" => {
                    let quota: ResourceQuota = decode(object)?;
                    for scope in crate::quota::Ledger::new(&quota).scopes() {
                        scope
                            .check()
                            .map_err(|error| wrong(object, format!("spec.scopes: {error}")))?;
                    }
                    all.quotas
                        .entry(namespace.to_owned())
                        .or_default()
                        .push(quota);
                }
                "ValidatingAdmissionPolicy" => {
                    let policy: PolicyObject = decode(object)?;
                    let compiled = Policy::compile(&policy);
                    policies.push(compiled.map_err(|error| wrong(object, error.to_string()))?);
                }
                "ValidatingAdmissionPolicyBinding" => {
                    bindings.push(decode::<PolicyBindingObject>(object)?);
                }
                "Namespace" => {
                    let ObjectMeta {
                        name,
                        labels,
                        annotations,
                        ..
                    } = metadata;
                    let namespace = Namespace::new(&name, labels, &annotations, false);
                    all.namespaces.insert(name, namespace);
                }
                kind => {
                    let param = ParamObject::new(&object.api_version, kind, &object.value);
                    all.params.push(param);
                }
            }
        }
        for of_namespace in all.limits.values_mut() {
            of_namespace.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        }
        for of_namespace in all.quotas.values_mut() {
            of_namespace.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        }
        policies.sort_by(|a, b| a.name().cmp(b.name()));
        for policy in policies {
            let name = policy.name().to_owned();
            if !bindings.iter().any(|binding| binding.policy_name() == name) {
                all.unbound.push(name);
            }
            all.bound.push(policy.bind(&bindings));
        }
        Ok(all)
    }

    /// Returns whether nothing decides on pods.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.quotas.is_empty() && self.bound.is_empty()
    }

    /// Returns the number of LimitRanges, ResourceQuotas and ValidatingAdmissionPolicies.
    pub fn counts(&self) -> (usize, usize, usize) {
        (
            self.limits.values().map(Vec::len).sum(),
            self.quotas.values().map(Vec::len).sum(),
            self.bound.len(),
        )
    }

    /// Returns the names of policies that no binding names, which decide nothing.
    pub fn unbound(&self) -> &[String] {
        &self.unbound
    }

    /// Returns the limits of a namespace in the order of their names.
    pub(crate) fn limits(&self, namespace: &str) -> &[LimitRange] {
        self.limits.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Returns the quotas of each namespace in the order of their names.
    pub(crate) fn quotas(&self) -> &BTreeMap<String, Vec<ResourceQuota>> {
        &self.quotas
    }

    pub(crate) fn policies(&self) -> &[BoundPolicy] {
        &self.bound
    }

    pub(crate) fn params(&self) -> &[ParamObject] {
        &self.params
    }

    /// Returns a namespace; one that the input does not have has no labels but its name.
    pub(crate) fn namespace(&self, name: &str) -> Namespace {
        match self.namespaces.get(name) {
            Some(known) => known.clone(),
            None => Namespace::new(name, Labels::new(), &Labels::new(), true),
        }
    }
}

impl Namespace {
    /// Returns whether the input does not have the namespace.
    pub(crate) fn is_assumed(&self) -> bool {
        self.is_assumed
    }
}

fn decode<T: DeserializeOwned>(object: &Object) -> Result<T, ObjectError> {
    T::deserialize(&object.value).map_err(|error| wrong(object, error.to_string()))
}

fn wrong(object: &Object, message: String) -> ObjectError {
    let name = object
        .value
        .get("metadata")
        .and_then(|meta| meta.get("name"));
    let name = name.and_then(|name| name.as_str()).unwrap_or("");
    ObjectError {
        place: object.source.clone(),
        object: format!("{} {name}", object.kind),
        message,
    }
}
