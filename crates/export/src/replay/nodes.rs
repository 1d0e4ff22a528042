//! Pods by node.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use inventory::Pod;

use crate::results::{Placement, Schedule};

/// Pods by the node on which they are.
#[derive(Debug, Clone, Default)]
pub struct ByNode<'a> {
    /// Pods of each node, in the order of their arrival.
    pub nodes: BTreeMap<String, Vec<&'a Pod>>,
    /// Number of pods without a node.
    pub unplaced: u64,
}

/// Placements of which no traces can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// A placement of a pod that the input does not have, or that has a node already.
    #[error("placement of pod {namespace}/{pod}, which does not wait for a node in the input")]
    Stranger {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
    },
    /// A node whose name cannot be that of a file.
    #[error("node {0:?} cannot name a trace: not letters, digits, '-', '_' and '.' alone")]
    Name(String),
}

/// Returns the pods by node. A pod that waits for a node, or that was removed from its node for
/// another, has the place that the schedule gives it; every other pod has the node that the input
/// tells. Of pods with one name, which live one after the other, the first gets the first place.
///
/// # Errors
/// A placement without a pod, or a node that cannot name a file.
pub fn by_node<'a>(
    pods: &'a [Pod],
    schedule: Option<&Schedule>,
) -> Result<ByNode<'a>, PlacementError> {
    let placements = schedule.map_or(&[][..], |schedule| &schedule.placements);
    let evicted = schedule.map_or(&[][..], |schedule| &schedule.evicted);
    let evicted: HashSet<(&str, &str)> = evicted.iter().map(|(a, b)| (&**a, &**b)).collect();
    let mut places: HashMap<(&str, &str), VecDeque<&Placement>> = HashMap::new();
    for placement in placements {
        let key = (&*placement.namespace, &*placement.pod);
        places.entry(key).or_default().push_back(placement);
    }
    let mut by_node = ByNode::default();
    for pod in pods {
        let key = (&*pod.namespace, &*pod.name);
        let node = match pod.node.as_deref() {
            Some(node) if !evicted.contains(&key) => Some(node),
            _ => {
                let place = places.get_mut(&key).and_then(VecDeque::pop_front);
                place.and_then(|placement| placement.node.as_deref())
            }
        };
        let Some(node) = node else {
            by_node.unplaced += 1;
            continue;
        };
        if let Some(pods) = by_node.nodes.get_mut(node) {
            pods.push(pod);
        } else {
            check_name(node)?;
            by_node.nodes.insert(node.to_owned(), vec![pod]);
        }
    }
    // In the order of the placements, so that the message is the same every time.
    let stranger = placements.iter().find(|placement| {
        let rest = places.get(&(&*placement.namespace, &*placement.pod));
        rest.is_some_and(|rest| !rest.is_empty())
    });
    match stranger {
        None => Ok(by_node),
        Some(placement) => Err(PlacementError::Stranger {
            namespace: placement.namespace.clone(),
            pod: placement.pod.clone(),
        }),
    }
}

fn check_name(node: &str) -> Result<(), PlacementError> {
    let is_right = node.starts_with(|first: char| first.is_ascii_alphanumeric())
        && node
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if is_right {
        Ok(())
    } else {
        Err(PlacementError::Name(node.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use inventory::api::{Labels, PodSpec};
    use inventory::{Source, Template};

    use super::*;

    fn pod(name: &str, node: Option<&str>) -> Pod {
        Pod {
            namespace: "shop".into(),
            name: name.into(),
            uid: None,
            template: Arc::new(Template::new(Labels::new(), PodSpec::default())),
            owner: None,
            node: node.map(Into::into),
            arrival: None,
            departure: None,
            source: Source {
                file: "test".into(),
                line: 0,
            },
        }
    }

    fn placement(pod: &str, node: Option<&str>) -> Placement {
        Placement {
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            node: node.map(str::to_owned),
            reason: None,
            message: None,
        }
    }

    fn names<'a>(by_node: &ByNode<'a>) -> Vec<(String, Vec<&'a str>)> {
        let nodes = by_node.nodes.iter();
        nodes
            .map(|(node, pods)| (node.clone(), pods.iter().map(|pod| &*pod.name).collect()))
            .collect()
    }

    #[test]
    fn waiting_and_removed_pods_go_where_the_schedule_says_and_the_others_stay() {
        let pods = [
            pod("stays", Some("a")),
            pod("moves", Some("a")),
            pod("gone", Some("a")),
            pod("again", None),
            pod("again", None),
            pod("refused", None),
        ];
        let evicted = ["moves", "gone"].map(|name| ("shop".to_owned(), name.to_owned()));
        let schedule = Schedule {
            placements: vec![
                placement("moves", Some("b")),
                placement("again", Some("a")),
                placement("again", Some("b")),
                placement("refused", None),
            ],
            evicted: evicted.to_vec(),
        };
        let placed = by_node(&pods, Some(&schedule)).unwrap();
        let expected = [
            ("a".to_owned(), vec!["stays", "again"]),
            ("b".to_owned(), vec!["moves", "again"]),
        ];
        assert_eq!(names(&placed), expected);
        assert_eq!(placed.unplaced, 2);
        let placed = by_node(&pods, None).unwrap();
        assert_eq!(
            names(&placed),
            [("a".to_owned(), vec!["stays", "moves", "gone"])]
        );
        assert_eq!(placed.unplaced, 3);
    }

    #[test]
    fn a_placement_of_another_input_and_a_name_with_a_slash_are_refused() {
        let schedule = Schedule {
            placements: vec![placement("other", Some("a"))],
            evicted: Vec::new(),
        };
        let error = by_node(&[pod("web", None)], Some(&schedule)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "placement of pod shop/other, which does not wait for a node in the input"
        );
        let error = by_node(&[pod("web", Some("../a"))], None).unwrap_err();
        assert_eq!(error, PlacementError::Name("../a".to_owned()));
    }
}
