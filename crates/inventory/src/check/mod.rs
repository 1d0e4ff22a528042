//! Checks of specs that decoding does not make.
//!
//! The rules are those of `pkg/apis/core/validation` of Kubernetes 1.36 for the fields that decide
//! a plan: a pod that the API server would refuse runs nowhere.
//!
//! - `fields`: names of fields that no API has.
//! - `resources`: requests and limits.
//! - `placement`: tolerations, affinities, topology spread.

mod fields;
mod placement;
mod resources;

use std::collections::HashMap;

use crate::api::{Container, PodSpec};
use crate::tree::{DecodeError, Step, Tree};

pub(crate) use fields::{Fields, unknown_field};
pub(crate) use resources::is_countable;

use Step::{Item, Key};

/// Lists of containers of a pod.
const LISTS: [&str; 2] = ["initContainers", "containers"];

/// Checks the spec of a pod. `tree` is the document of the spec, for lines.
///
/// # Errors
/// The first wrong field.
pub(crate) fn pod_spec(tree: &Tree, spec: &PodSpec) -> Result<(), DecodeError> {
    if spec.containers.is_empty() {
        let message = "a pod has at least one container";
        return Err(DecodeError::of(tree, &[Key("containers")], message));
    }
    let mut names: HashMap<&str, (&str, usize)> = HashMap::new();
    for (list, containers) in LISTS
        .into_iter()
        .zip([&spec.init_containers, &spec.containers])
    {
        for (place, one) in containers.iter().enumerate() {
            let at = [Key(list), Item(place)];
            container(tree, &at, one, spec)?;
            if let Some((list, first)) = names.insert(&one.name, (list, place)) {
                let message = format!("{:?} is the name of {list}[{first}], too", one.name);
                return Err(DecodeError::of(tree, &[at[0], at[1], Key("name")], message));
            }
        }
    }
    resources::of_pod(tree, spec)?;
    placement::check(tree, spec)?;
    one_of(
        tree,
        &[Key("restartPolicy")],
        &spec.restart_policy,
        &["", "Always", "OnFailure", "Never"],
    )?;
    if spec
        .active_deadline_seconds
        .is_some_and(|seconds| seconds < 1)
    {
        let at = [Key("activeDeadlineSeconds")];
        return Err(DecodeError::of(tree, &at, "less than one second"));
    }
    Ok(())
}

fn container(
    tree: &Tree,
    at: &[Step<'_>; 2],
    container: &Container,
    spec: &PodSpec,
) -> Result<(), DecodeError> {
    if container.name.is_empty() {
        let at = [at[0], at[1], Key("name")];
        return Err(DecodeError::of(tree, &at, "a container needs a name"));
    }
    let is_name = container.name.len() <= 63 && is_label(&container.name);
    if !is_name {
        let message = format!(
            "{:?} is not a name of at most 63 lower case letters, digits and inner hyphens",
            container.name
        );
        return Err(DecodeError::of(tree, &[at[0], at[1], Key("name")], message));
    }
    let policy = container.restart_policy.as_deref().unwrap_or("");
    one_of(
        tree,
        &[at[0], at[1], Key("restartPolicy")],
        policy,
        &["", "Always", "OnFailure", "Never"],
    )?;
    resources::of_container(
        tree,
        &[at[0], at[1], Key("resources")],
        &container.resources,
    )?;
    for (place, port) in container.ports.iter().enumerate() {
        let fail = |key, message: String| {
            let at = [at[0], at[1], Key("ports"), Item(place), Key(key)];
            Err(DecodeError::of(tree, &at, message))
        };
        let is_port = |number: i32| (1..=65535).contains(&number);
        if !is_port(port.container_port) {
            let message = format!("{} is not a port from 1 to 65535", port.container_port);
            return fail("containerPort", message);
        }
        if port.host_port != 0 && !is_port(port.host_port) {
            let message = format!("{} is not a port from 1 to 65535", port.host_port);
            return fail("hostPort", message);
        }
        if spec.host_network && port.host_port != 0 && port.host_port != port.container_port {
            let message = format!(
                "{} is not the containerPort {}, though the pod has the network of its node",
                port.host_port, port.container_port
            );
            return fail("hostPort", message);
        }
        if !["", "TCP", "UDP", "SCTP"].contains(&port.protocol.as_str()) {
            return fail(
                "protocol",
                format!("{:?} is not TCP, UDP or SCTP", port.protocol),
            );
        }
    }
    Ok(())
}

/// Checks the name of a pod, node or workload (`IsDNS1123Subdomain`).
///
/// # Errors
/// The reason.
pub(crate) fn object_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("missing".to_owned());
    }
    if name.len() > 253 || !name.split('.').all(is_label) {
        return Err(format!(
            "{name:?} is not a name of at most 253 lower case letters, digits, inner hyphens and \
             dots between them"
        ));
    }
    Ok(())
}

fn is_label(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.chars().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Checks that a text is one of some.
fn one_of(tree: &Tree, at: &[Step<'_>], text: &str, known: &[&str]) -> Result<(), DecodeError> {
    if known.contains(&text) {
        return Ok(());
    }
    let known: Vec<_> = known
        .iter()
        .filter(|known| !known.is_empty())
        .copied()
        .collect();
    let message = format!("{text:?} is none of {}", known.join(", "));
    Err(DecodeError::of(tree, at, message))
}
