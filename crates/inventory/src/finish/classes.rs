//! Priority classes and runtime classes of pods.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::PodSpec;
use crate::{InventoryBuilder, Pod, ReadError, Template};

/// Priority classes that every cluster has (`pkg/apis/scheduling/types.go`).
const SYSTEM: [(&str, i32); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];

/// Resolves the classes of all pods, template by template.
///
/// # Errors
/// A pod whose node selector contradicts that of its runtime class, which the API server refuses.
pub(super) fn resolve(builder: &mut InventoryBuilder) -> Result<(), ReadError> {
    let mut pods = std::mem::take(&mut builder.inventory.pods);
    let mut per_node = std::mem::take(&mut builder.inventory.per_node);
    let mut resolved: HashMap<*const Template, Arc<Template>> = HashMap::new();
    for pod in pods.iter_mut().chain(&mut per_node) {
        let key = Arc::as_ptr(&pod.template);
        if let Some(template) = resolved.get(&key) {
            pod.template = Arc::clone(template);
            continue;
        }
        if let Some(spec) = with_classes(builder, pod)? {
            let template = Template {
                raw: pod.template.raw.clone(),
                memory_source: pod.template.memory_source,
                ..Template::new(pod.template.labels.clone(), spec)
            };
            pod.template = builder.share(template);
        }
        resolved.insert(key, Arc::clone(&pod.template));
    }
    builder.inventory.pods = pods;
    builder.inventory.per_node = per_node;
    Ok(())
}

/// Returns the spec with what its classes add; `None` if they add nothing.
fn with_classes(builder: &mut InventoryBuilder, pod: &Pod) -> Result<Option<PodSpec>, ReadError> {
    let mut spec = pod.template.spec.clone();
    if spec.priority.is_none() {
        set_priority(builder, &mut spec);
    }
    set_runtime(builder, &mut spec, pod)?;
    Ok((spec != pod.template.spec).then_some(spec))
}

/// Adds overhead and scheduling of a runtime class (`plugin/pkg/admission/runtimeclass`).
fn set_runtime(
    builder: &mut InventoryBuilder,
    spec: &mut PodSpec,
    pod: &Pod,
) -> Result<(), ReadError> {
    let Some(name) = &spec.runtime_class_name else {
        return Ok(());
    };
    let Some(class) = builder.pending.runtime_classes.get(name) else {
        if spec.overhead.is_empty() {
            builder.assume(format!(
                "runtime class {name}, which the input does not have, adds nothing to its pods"
            ));
        }
        return Ok(());
    };
    if spec.overhead.is_empty() {
        spec.overhead = class.overhead.clone();
    }
    for (key, value) in &class.node_selector {
        let own = spec.node_selector.entry(key.clone());
        let own = own.or_insert_with(|| value.clone());
        if own != value {
            let message = format!("{own:?} contradicts {value:?} of runtime class {name}");
            let field = format!("spec.nodeSelector[{key}]");
            return Err(ReadError::wrong(pod.source.clone(), field, message));
        }
    }
    for toleration in &class.tolerations {
        if !spec.tolerations.contains(toleration) {
            spec.tolerations.push(toleration.clone());
        }
    }
    Ok(())
}

/// Sets priority and preemption policy (`plugin/pkg/admission/priority`).
fn set_priority(builder: &mut InventoryBuilder, spec: &mut PodSpec) {
    let classes = &builder.pending.priority_classes;
    let class = if spec.priority_class_name.is_empty() {
        // Of several global defaults, the API server takes the lowest.
        classes
            .iter()
            .filter(|(_, class)| class.global_default)
            .min_by_key(|(_, class)| class.value)
    } else {
        classes.get_key_value(&spec.priority_class_name)
    };
    let name = spec.priority_class_name.as_str();
    if let Some((name, class)) = class {
        spec.priority = Some(class.value);
        spec.priority_class_name = name.clone();
        if spec.preemption_policy.is_none() {
            spec.preemption_policy = class.preemption_policy.clone();
        }
    } else if let Some((_, value)) = SYSTEM.iter().find(|(system, _)| *system == name) {
        spec.priority = Some(*value);
    } else if !name.is_empty() {
        builder.assume(format!(
            "priority class {name}, which the input does not have, has the priority 0"
        ));
    }
}
