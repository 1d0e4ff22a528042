//! Priority classes and runtime classes of pods.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::PodSpec;
use crate::{InventoryBuilder, Template};

/// Priority classes that every cluster has (`pkg/apis/scheduling/helpers.go`).
const SYSTEM: [(&str, i32); 2] = [
    ("system-cluster-critical", 2_000_000_000),
    ("system-node-critical", 2_000_001_000),
];

/// Resolves the classes of all pods, template by template.
pub(super) fn resolve(builder: &mut InventoryBuilder) {
    let mut pods = std::mem::take(&mut builder.inventory.pods);
    let mut resolved: HashMap<*const Template, Arc<Template>> = HashMap::new();
    for pod in &mut pods {
        let template = match resolved.get(&Arc::as_ptr(&pod.template)) {
            Some(template) => Arc::clone(template),
            None => {
                let template = match with_classes(builder, &pod.template.spec) {
                    Some(spec) => builder.template(pod.template.labels.clone(), spec),
                    None => Arc::clone(&pod.template),
                };
                resolved.insert(Arc::as_ptr(&pod.template), Arc::clone(&template));
                template
            }
        };
        pod.template = template;
    }
    builder.inventory.pods = pods;
}

/// Returns the spec with what its classes add; `None` if they add nothing.
fn with_classes(builder: &mut InventoryBuilder, spec: &PodSpec) -> Option<PodSpec> {
    let mut changed = spec.clone();
    if spec.priority.is_none() {
        set_priority(builder, &mut changed);
    }
    if spec.overhead.is_empty()
        && let Some(name) = &spec.runtime_class_name
    {
        match builder.pending.runtime_classes.get(name) {
            Some(class) => {
                changed.overhead = class.overhead.clone();
                changed.node_selector.extend(class.node_selector.clone());
                changed.tolerations.extend(class.tolerations.clone());
            }
            None => builder.assume(format!(
                "runtime class {name}, which the input does not have, adds nothing"
            )),
        }
    }
    (changed != *spec).then_some(changed)
}

fn set_priority(builder: &mut InventoryBuilder, spec: &mut PodSpec) {
    let classes = &builder.pending.priority_classes;
    let name = spec.priority_class_name.as_str();
    let class = if name.is_empty() {
        // Of several global defaults, the API server takes the lowest.
        classes
            .values()
            .filter(|class| class.global_default)
            .min_by_key(|class| class.value)
    } else {
        classes.get(name)
    };
    if let Some(class) = class {
        spec.priority = Some(class.value);
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
