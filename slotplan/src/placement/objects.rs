//! Namespaces, services and disruption budgets.

use std::sync::Arc;

use anyhow::Context;
use inventory::Object;
use inventory::api::{LabelSelector, Labels, ObjectMeta};
use scheduler::{Amount, Bound, Budget};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Namespaces;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Plain {
    metadata: ObjectMeta,
}

/// Returns the labels of the namespaces by their names.
pub(super) fn namespaces(objects: &[Object]) -> anyhow::Result<Namespaces> {
    let mut all = Namespaces::new();
    for (_, namespace) in of_kind::<Plain>(objects, "Namespace")? {
        all.insert(namespace.metadata.name, namespace.metadata.labels);
    }
    Ok(all)
}

/// Service, with the labels of its pods.
#[derive(Debug)]
pub(super) struct Service {
    namespace: String,
    pub selector: Labels,
}

impl Service {
    /// Returns whether a pod with these labels is behind the service.
    pub fn selects(&self, namespace: &str, labels: &Labels) -> bool {
        let mut wanted = self.selector.iter();
        self.namespace == namespace && wanted.all(|(key, value)| labels.get(key) == Some(value))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceObject {
    metadata: ObjectMeta,
    spec: ServiceSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    selector: Labels,
}

/// Returns the services that select pods.
pub(super) fn services(objects: &[Object]) -> anyhow::Result<Vec<Service>> {
    let services = of_kind::<ServiceObject>(objects, "Service")?;
    let services = services.into_iter().map(|(_, service)| Service {
        namespace: namespace(&service.metadata).to_owned(),
        selector: service.spec.selector,
    });
    Ok(services
        .filter(|service| !service.selector.is_empty())
        .collect())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BudgetObject {
    metadata: ObjectMeta,
    spec: BudgetSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BudgetSpec {
    selector: Option<LabelSelector>,
    min_available: Option<Value>,
    max_unavailable: Option<Value>,
}

/// Returns the disruption budgets.
pub(super) fn budgets(objects: &[Object]) -> anyhow::Result<Vec<Budget>> {
    let mut all = Vec::new();
    for (object, budget) in of_kind::<BudgetObject>(objects, "PodDisruptionBudget")? {
        let spec = &budget.spec;
        let bound = match (&spec.min_available, &spec.max_unavailable) {
            (Some(_), Some(_)) => anyhow::bail!(
                "{}: spec: minAvailable and maxUnavailable exclude each other",
                object.source
            ),
            (Some(least), None) => Bound::MinAvailable(amount(object, "minAvailable", least)?),
            (None, Some(most)) => Bound::MaxUnavailable(amount(object, "maxUnavailable", most)?),
            // One without a bound forbids nothing.
            (None, None) => continue,
        };
        let namespace: Arc<str> = namespace(&budget.metadata).into();
        let budget = Budget::new(&namespace, spec.selector.as_ref(), bound)
            .with_context(|| format!("{}: spec.selector", object.source))?;
        all.push(budget);
    }
    Ok(all)
}

fn amount(object: &Object, field: &str, value: &Value) -> anyhow::Result<Amount> {
    let parsed = match value {
        Value::Number(number) => number.as_i64().map(Amount::Count),
        Value::String(text) => text
            .strip_suffix('%')
            .and_then(|percent| percent.parse().ok())
            .map(Amount::Percent),
        _ => None,
    };
    let valid = parsed.filter(|amount| match amount {
        Amount::Count(count) => *count >= 0,
        Amount::Percent(percent) => (0..=100).contains(percent),
    });
    valid.with_context(|| {
        format!(
            "{}: spec.{field}: {value} is neither a number of pods nor a share such as 50%",
            object.source
        )
    })
}

fn namespace(metadata: &ObjectMeta) -> &str {
    match metadata.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    }
}

fn of_kind<'a, T: DeserializeOwned>(
    objects: &'a [Object],
    kind: &str,
) -> anyhow::Result<Vec<(&'a Object, T)>> {
    let of_kind = objects.iter().filter(|object| object.kind == kind);
    let read = of_kind.map(|object| {
        let read =
            T::deserialize(&object.value).with_context(|| format!("{}: {kind}", object.source))?;
        Ok((object, read))
    });
    read.collect()
}
