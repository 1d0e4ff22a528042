//! Containers of workloads with their usage.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use inventory::api::{Container, Quantities};
use inventory::{Inventory, Pod, ResourceName, Sample, amounts};

use crate::sizing::{Amount, Sizing};

/// Letters and digits in the names that controllers make up (`k8s.io/apimachinery/pkg/util/rand`).
const MADE_UP: &str = "bcdfghjklmnpqrstvwxz2456789";

/// Workload: the owner of pods, or a pod without one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Kind, such as `Deployment`; `Pod` for a pod without an owner.
    pub kind: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl WorkloadId {
    /// Returns the workload of a pod.
    pub fn of(pod: &Pod) -> Self {
        let (kind, name) = match pod.owner.as_deref() {
            Some(owner) => (&owner.kind, &owner.name),
            None => (&Arc::from("Pod"), &pod.name),
        };
        Self {
            namespace: Arc::clone(&pod.namespace),
            kind: Arc::clone(kind),
            name: Arc::clone(name),
        }
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.kind, self.name)
    }
}

/// Workload with its containers.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Name.
    pub id: WorkloadId,
    /// Largest number of its pods at one time.
    pub replicas: u64,
    /// Containers that run side by side, in the order of the spec of the latest pod. Init
    /// containers are left out, as in VPA and krr.
    pub containers: Vec<ContainerUsage>,
}

/// Container of a workload with its usage.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerUsage {
    /// Name.
    pub name: String,
    /// Requests and limits of the latest pod, with the limit as the request where none is stated.
    pub today: Sizing,
    /// Samples of each pod, in the order of their times.
    pub pods: Vec<Vec<Sample>>,
}

/// Usage of an inventory by workload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Workloads in the order of their names.
    pub workloads: Vec<Workload>,
    /// Usage that belongs to no container of the pods, as `namespace/pod/container`.
    pub unknown: Vec<String>,
    /// Pods that are counted to a workload by the form of their name alone, with the workload.
    pub by_name: Vec<(String, WorkloadId)>,
    /// Samples that were not in the order of time and have been sorted.
    pub out_of_order: u64,
}

/// Groups the usage of an inventory by workload and container, which takes the samples out of it.
///
/// Usage belongs to the pod of its namespace and name. Without such a pod, as with manifests and
/// the usage of a cluster, it belongs to the workload from whose name its controller would make
/// the pod's name (`web-6d4cf56db6-x2zp7` of the Deployment `web`).
pub fn join(inventory: &mut Inventory) -> Usage {
    let mut usage = Usage::default();
    let mut workloads: BTreeMap<WorkloadId, Workload> = BTreeMap::new();
    let mut by_pod: BTreeMap<(Arc<str>, Arc<str>), WorkloadId> = BTreeMap::new();
    let mut lives: BTreeMap<WorkloadId, Vec<(i64, i64)>> = BTreeMap::new();
    // Pods are in the order of their arrival: the latest one is last.
    for pod in &inventory.pods {
        let id = WorkloadId::of(pod);
        let key = (Arc::clone(&pod.namespace), Arc::clone(&pod.name));
        by_pod.insert(key, id.clone());
        let life = (
            pod.arrival.map_or(i64::MIN, |time| time.0),
            pod.departure.map_or(i64::MAX, |time| time.0),
        );
        lives.entry(id.clone()).or_default().push(life);
        let containers = &pod.template.spec.containers;
        workloads.insert(
            id.clone(),
            Workload {
                id,
                replicas: 0,
                containers: containers.iter().map(empty).collect(),
            },
        );
    }
    for (id, lives) in lives {
        if let Some(workload) = workloads.get_mut(&id) {
            workload.replicas = largest_together(&lives);
        }
    }
    for mut series in std::mem::take(&mut inventory.usage) {
        let name = || format!("{}/{}", series.namespace, series.pod);
        let key = (Arc::clone(&series.namespace), Arc::clone(&series.pod));
        let id = by_pod.get(&key).cloned().or_else(|| {
            let id = by_form(&series.namespace, &series.pod, workloads.keys())?;
            usage.by_name.push((name(), id.clone()));
            Some(id)
        });
        let container = id
            .and_then(|id| workloads.get_mut(&id))
            .and_then(|workload| {
                let mut containers = workload.containers.iter_mut();
                containers.find(|container| *container.name == *series.container)
            });
        match container {
            None => {
                usage
                    .unknown
                    .push(format!("{}/{}", name(), series.container));
            }
            Some(container) => {
                usage.out_of_order += sort(&mut series.samples);
                container.pods.push(series.samples);
            }
        }
    }
    usage.unknown.sort();
    usage.by_name.sort();
    usage.by_name.dedup();
    usage.workloads = workloads.into_values().collect();
    usage
}

fn empty(container: &Container) -> ContainerUsage {
    let resources = &container.resources;
    let (requests, limits) = (&resources.requests, &resources.limits);
    let amount = |name: &str| {
        let limit = stated(limits, name);
        Amount {
            request: stated(requests, name).or(limit),
            limit,
        }
    };
    ContainerUsage {
        name: container.name.clone(),
        today: Sizing {
            cpu: amount(ResourceName::CPU),
            memory: amount(ResourceName::MEMORY),
        },
        pods: Vec::new(),
    }
}

fn stated(quantities: &Quantities, name: &str) -> Option<i64> {
    amounts(quantities).get(name)
}

/// Sorts samples by time; returns the number of samples that are before the one before them.
fn sort(samples: &mut [Sample]) -> u64 {
    let late = samples
        .windows(2)
        .filter(|pair| pair[1].time < pair[0].time);
    let late = late.count() as u64;
    if late > 0 {
        samples.sort_by_key(|sample| sample.time);
    }
    late
}

/// Returns the largest number of lives, from arrival to departure, at one time.
fn largest_together(lives: &[(i64, i64)]) -> u64 {
    let mut changes: Vec<_> = lives
        .iter()
        .filter(|(arrival, departure)| arrival < departure)
        .flat_map(|&(arrival, departure)| [(arrival, 1), (departure, -1)])
        .collect();
    // At one time departures are before arrivals.
    changes.sort_unstable();
    let together = changes.iter().scan(0_i64, |together, (_, change)| {
        *together += change;
        Some(*together)
    });
    together.max().unwrap_or(0).unsigned_abs()
}

/// Returns the workload that would make a pod of this name; that with the longest name of several.
fn by_form<'a>(
    namespace: &str,
    pod: &str,
    workloads: impl Iterator<Item = &'a WorkloadId>,
) -> Option<WorkloadId> {
    let makes = |id: &&WorkloadId| {
        let rest = pod.strip_prefix(&*id.name)?.strip_prefix('-')?;
        let made_up = |text: &str| !text.is_empty() && text.chars().all(|c| MADE_UP.contains(c));
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let five = |text: &str| text.len() == 5 && made_up(text);
        let is_made = match &*id.kind {
            "Deployment" => rest
                .split_once('-')
                .is_some_and(|(hash, rest)| hash.len() <= 10 && made_up(hash) && five(rest)),
            "StatefulSet" => number(rest),
            "CronJob" => rest
                .split_once('-')
                .is_some_and(|(time, rest)| number(time) && five(rest)),
            "DaemonSet" | "ReplicaSet" | "ReplicationController" => five(rest),
            "Job" => {
                five(rest)
                    || rest
                        .split_once('-')
                        .is_some_and(|(index, rest)| number(index) && five(rest))
            }
            _ => false,
        };
        is_made.then_some(())
    };
    workloads
        .filter(|id| *id.namespace == *namespace)
        .filter(|id| makes(id).is_some())
        .max_by_key(|id| id.name.len())
        .cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pods_tell_their_workload() {
        let id = |kind: &str, name: &str| WorkloadId {
            namespace: "shop".into(),
            kind: kind.into(),
            name: name.into(),
        };
        let all = [
            id("Deployment", "web"),
            id("Deployment", "web-6d4cf"),
            id("StatefulSet", "db"),
            id("DaemonSet", "agent"),
            id("Job", "load"),
            id("CronJob", "tidy"),
            id("Pod", "alone"),
        ];
        let found = |pod: &str| by_form("shop", pod, all.iter()).map(|id| id.name.to_string());
        for (pod, workload) in [
            ("web-6d4cf56db6-x2zp7", Some("web")),
            ("web-6d4cf-56db6-x2zp7", Some("web-6d4cf")),
            ("db-12", Some("db")),
            ("agent-x2zp7", Some("agent")),
            ("load-x2zp7", Some("load")),
            ("load-3-x2zp7", Some("load")),
            ("tidy-29012345-x2zp7", Some("tidy")),
            ("web-canary-x2zp7", None),
            ("web-x2zp7", None),
            ("db-x2zp7", None),
            ("agent-aeiou", None),
            ("alone-1", None),
            ("web", None),
        ] {
            assert_eq!(found(pod).as_deref(), workload, "{pod}");
        }
        assert_eq!(by_form("other", "db-1", all.iter()), None);
    }

    #[test]
    fn replicas_are_the_most_pods_at_one_time() {
        assert_eq!(largest_together(&[(0, 5), (5, 9), (5, i64::MAX)]), 2);
        assert_eq!(largest_together(&[(5, 9), (0, 5)]), 1);
        assert_eq!(largest_together(&[(i64::MIN, i64::MAX); 3]), 3);
        assert_eq!(largest_together(&[(7, 7), (9, 3)]), 0);
    }
}
