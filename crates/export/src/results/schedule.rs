//! Documents of `slotplan schedule`.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Placement, ResultError, Schedule};

pub(super) const SCHEMA: &str = "slotplan/schedule/1";

/// Reason of a pod that was removed for another and is on no node.
const PREEMPTED: &str = "Preempted";

#[derive(Deserialize)]
struct Document {
    placements: Vec<Placed>,
    #[serde(default)]
    unschedulable: Vec<Refused>,
    #[serde(default)]
    evictions: Vec<Eviction>,
}

#[derive(Deserialize)]
struct Placed {
    pod: String,
    node: String,
}

#[derive(Deserialize)]
struct Refused {
    pod: String,
    reason: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Eviction {
    pod: String,
    node: String,
    for_pod: String,
}

pub(super) fn read(text: &str) -> Result<Schedule, ResultError> {
    let document: Document = serde_json::from_str(text)?;
    let mut schedule = Schedule::default();
    for Placed { pod, node } in &document.placements {
        schedule.add(pod, Some(node), None, None)?;
    }
    for refused in document.unschedulable {
        schedule.add(&refused.pod, None, refused.reason, refused.message)?;
    }
    let known = document.placements.iter().map(|placed| &*placed.pod);
    let mut known: HashSet<&str> = known.collect();
    for Eviction { pod, node, for_pod } in &document.evictions {
        let (namespace, name) = split(pod)?;
        schedule
            .evicted
            .push((namespace.to_owned(), name.to_owned()));
        if known.insert(pod) {
            let message = format!("removed from {node} for {for_pod}");
            schedule.add(pod, None, Some(PREEMPTED.to_owned()), Some(message))?;
        }
    }
    Ok(schedule)
}

impl Schedule {
    fn add(
        &mut self,
        pod: &str,
        node: Option<&str>,
        reason: Option<String>,
        message: Option<String>,
    ) -> Result<(), ResultError> {
        let (namespace, name) = split(pod)?;
        self.placements.push(Placement {
            namespace: namespace.to_owned(),
            pod: name.to_owned(),
            node: node.map(str::to_owned),
            reason,
            message,
        });
        Ok(())
    }
}

/// Returns the namespace and the name of a pod.
fn split(pod: &str) -> Result<(&str, &str), ResultError> {
    pod.split_once('/')
        .ok_or_else(|| ResultError::Pod(pod.to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pods_with_and_without_a_node_are_read() {
        let document = json!({
            "schema": SCHEMA, "pods": {"waiting": 3}, "nodes": [],
            "placements": [{"pod": "shop/web-0", "node": "a", "score": 3}, {"pod": "a/b", "node": "b"}],
            "unschedulable": [{"pod": "shop/web-1", "reason": "Unschedulable", "message": "0/1 nodes"}],
            "evictions": [
                {"pod": "a/b", "node": "a", "for_pod": "shop/web-0"},
                {"pod": "a/c", "node": "a", "for_pod": "shop/web-0"},
            ],
        });
        let schedule = read(&document.to_string()).unwrap();
        let rows: Vec<_> = schedule
            .placements
            .iter()
            .map(|placement| {
                let node = placement.node.as_deref();
                (&*placement.pod, node, placement.message.as_deref())
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("web-0", Some("a"), None),
                ("b", Some("b"), None),
                ("web-1", None, Some("0/1 nodes")),
                ("c", None, Some("removed from a for shop/web-0")),
            ]
        );
        let evicted = ["b", "c"].map(|name| ("a".to_owned(), name.to_owned()));
        assert_eq!(schedule.evicted, evicted);
    }

    #[test]
    fn a_pod_without_a_namespace_is_refused() {
        let document = json!({"placements": [{"pod": "web", "node": "a"}]});
        let error = read(&document.to_string()).unwrap_err();
        assert_eq!(error.to_string(), "pod \"web\" is not NAMESPACE/NAME");
    }
}
