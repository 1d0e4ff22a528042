//! The workload that a user wrote, for each pod and workload.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::pending::Workload;
use crate::{InventoryBuilder, Owner, Pod, ReadError, Source};

/// Label of the pods of a Deployment, whose value ends the name of their ReplicaSet.
const HASH: &str = "pod-template-hash";

/// Namespace, owner and hash of pods that have one workload.
type Made = (Arc<str>, Arc<Owner>, Option<String>);

/// Workloads and the pods that the input has of them.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// Number of pods by namespace, kind and name of the workload.
    pods: BTreeMap<(Arc<str>, Arc<Owner>), u64>,
    /// Kind and name of the workload that made a workload, by namespace, kind and name.
    parents: BTreeMap<(String, String, String), (String, String)>,
    /// Places of workloads, by namespace, kind and name.
    places: BTreeMap<(String, String, String), Source>,
}

/// Replaces the owner of each pod by the workload that a user wrote: a Deployment in place of its
/// ReplicaSet, a CronJob in place of its Job.
///
/// # Errors
/// Two workloads of one kind and name.
pub(super) fn resolve(builder: &mut InventoryBuilder) -> Result<Owners, ReadError> {
    let mut owners = Owners::default();
    for workload in &builder.pending.workloads {
        owners.add(workload)?;
    }
    let mut pods = std::mem::take(&mut builder.inventory.pods);
    let mut known: HashMap<Made, Arc<Owner>> = HashMap::new();
    for pod in &mut pods {
        let Some(owner) = &pod.owner else { continue };
        let hash = pod.template.labels.get(HASH).cloned();
        let key = (Arc::clone(&pod.namespace), Arc::clone(owner), hash);
        let resolved = match known.get(&key) {
            Some(resolved) => Arc::clone(resolved),
            None => {
                let (kind, name) = owners.workload(pod, owner);
                let resolved = builder.owner(&kind, &name);
                known.insert(key, Arc::clone(&resolved));
                resolved
            }
        };
        let key = (Arc::clone(&pod.namespace), Arc::clone(&resolved));
        *owners.pods.entry(key).or_default() += 1;
        pod.owner = Some(resolved);
    }
    builder.inventory.pods = pods;
    Ok(owners)
}

impl Owners {
    fn add(&mut self, workload: &Workload) -> Result<(), ReadError> {
        let key = (
            workload.namespace.clone(),
            workload.kind.to_owned(),
            workload.name.clone(),
        );
        if let Some(first) = self.places.get(&key) {
            return Err(ReadError::Twice {
                object: format!("{} {}/{}", workload.kind, workload.namespace, workload.name),
                place: workload.source.clone(),
                first: first.clone(),
            });
        }
        self.places.insert(key.clone(), workload.source.clone());
        if let Some(parent) = &workload.controller {
            let parent = (parent.kind.clone(), parent.name.clone());
            self.parents.insert(key, parent);
        }
        Ok(())
    }

    /// Returns the kind and name of the workload above the owner of a pod.
    fn workload(&self, pod: &Pod, owner: &Owner) -> (String, String) {
        let (mut kind, mut name) = (owner.kind.to_string(), owner.name.to_string());
        // A ReplicaSet has a Deployment, a Job a CronJob: two steps are more than any chain.
        for _ in 0..2 {
            let key = (pod.namespace.to_string(), kind.clone(), name.clone());
            match self.parents.get(&key) {
                Some((parent_kind, parent)) => {
                    (kind, name) = (parent_kind.clone(), parent.clone());
                }
                None => break,
            }
        }
        if kind == "ReplicaSet"
            && let Some(hash) = pod.template.labels.get(HASH)
            && let Some(deployment) = name
                .strip_suffix(hash.as_str())
                .and_then(|name| name.strip_suffix('-'))
        {
            return ("Deployment".to_owned(), deployment.to_owned());
        }
        (kind, name)
    }

    /// Returns the number of pods of a workload.
    pub fn pods_of(&self, namespace: &Arc<str>, owner: &Arc<Owner>) -> u64 {
        let key = (Arc::clone(namespace), Arc::clone(owner));
        self.pods.get(&key).copied().unwrap_or(0)
    }

    /// Returns whether a workload was read.
    pub fn has(&self, namespace: &str, kind: &str, name: &str) -> bool {
        let key = (namespace.to_owned(), kind.to_owned(), name.to_owned());
        self.places.contains_key(&key)
    }
}
