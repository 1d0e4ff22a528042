//! An inventory to a cluster of the scheduler, with the pods that wait for a node.

mod daemons;
mod objects;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use inventory::api::{LabelSelector, Labels};
use inventory::{Assumption, Inventory, Pod, Template};
use scheduler::{Budget, ClassId, Cluster, PodId, PodOnNode, Waiting};

/// Cluster of an inventory.
#[derive(Debug)]
pub struct Placement {
    /// Nodes with the pods that run on them.
    pub cluster: Cluster,
    /// Pods that wait for a node, in the order of the input.
    pub waiting: Vec<Waiting>,
    /// Budgets that forbid the removal of pods.
    pub budgets: Vec<Budget>,
    /// What the input does not say and was taken for granted.
    pub assumptions: Vec<Assumption>,
}

/// Kinds of workloads whose pods a scheduler spreads by default.
const SPREAD_KINDS: [&str; 4] = [
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
];

/// Labels that differ between the pods of one workload.
const LABELS_OF_ONE_POD: [&str; 3] = [
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
];

impl Placement {
    /// Puts the pods that have a node on it and lets the others wait. The number of a pod is its
    /// place among the pods of the inventory.
    ///
    /// # Errors
    /// An object that is wrong, or a pod with a selector that no API server accepts.
    pub fn new(inventory: &Inventory) -> anyhow::Result<Self> {
        let mut namespaces = objects::namespaces(&inventory.objects)?;
        for pod in &inventory.pods {
            // The API server gives every namespace this label.
            namespaces
                .entry(pod.namespace.to_string())
                .or_default()
                .entry("kubernetes.io/metadata.name".to_owned())
                .or_insert_with(|| pod.namespace.to_string());
        }
        let mut placement = Self {
            cluster: Cluster::new(&inventory.nodes, namespaces)?,
            waiting: Vec::new(),
            budgets: objects::budgets(&inventory.objects)?,
            assumptions: Vec::new(),
        };
        let mut classes = Classes {
            services: objects::services(&inventory.objects)?,
            known: HashMap::new(),
        };
        let mut counts = LeftOut::default();
        for (number, pod) in inventory.pods.iter().enumerate() {
            let id = PodId(u32::try_from(number).context("more than 4,294,967,296 pods")?);
            if pod.departure.is_some() {
                counts.ended += 1;
                continue;
            }
            let node = match &pod.node {
                Some(name) => match placement.cluster.find_node(name) {
                    Some(node) => Some(node),
                    None => {
                        counts.elsewhere += 1;
                        continue;
                    }
                },
                None => None,
            };
            if !matches!(&*pod.template.spec.scheduler_name, "" | "default-scheduler") {
                counts.of_others.insert(&pod.template.spec.scheduler_name);
            }
            let bound = daemons::bound(pod).and_then(|(name, template)| {
                let node = placement.cluster.find_node(&name)?;
                Some((node, template))
            });
            let (class, only) = match bound {
                Some((node, template)) => {
                    let class = compile(&mut placement.cluster, pod, &template, None)?;
                    (class, Some(node))
                }
                None => (classes.of(&mut placement.cluster, pod)?, None),
            };
            match node {
                Some(node) => {
                    let start = pod.arrival.unwrap_or(PodOnNode::NOT_STARTED);
                    placement.cluster.add(node, PodOnNode { id, class, start });
                }
                None => placement.waiting.push(Waiting {
                    id,
                    class,
                    only,
                    arrival: pod.arrival,
                }),
            }
        }
        let has_defaults = classes.known.keys().any(|key| key.2);
        placement.assume(&counts, has_defaults);
        Ok(placement)
    }

    fn assume(&mut self, left_out: &LeftOut<'_>, has_defaults: bool) {
        let count = |count: usize, of: &str| (count > 0).then(|| format!("{of}: {count}"));
        let mut others: Vec<_> = left_out.of_others.iter().copied().collect();
        others.sort_unstable();
        let others = (!others.is_empty()).then(|| {
            format!(
                "pods of other schedulers are placed as if they were kube-scheduler's: {}",
                others.join(", ")
            )
        });
        let spread = has_defaults.then(|| {
            "the selector of a workload is taken to be the labels of its pods, for the \
             scheduler's default spreading"
                .to_owned()
        });
        let all = [
            count(left_out.ended, "pods that ended are left out"),
            count(
                left_out.elsewhere,
                "pods on nodes that the input does not have are left out",
            ),
            others,
            spread,
        ];
        self.assumptions
            .extend(all.into_iter().flatten().map(Assumption));
    }
}

/// Pods that do not take part.
#[derive(Debug, Default)]
struct LeftOut<'a> {
    ended: usize,
    elsewhere: usize,
    of_others: HashSet<&'a str>,
}

/// Selectors by which a scheduler spreads pods without constraints of their own.
#[derive(Debug)]
pub struct DefaultSpread {
    services: Vec<objects::Service>,
}

impl DefaultSpread {
    /// Reads the services of an inventory.
    ///
    /// # Errors
    /// A service that is wrong.
    pub fn new(inventory: &Inventory) -> anyhow::Result<Self> {
        Ok(Self {
            services: objects::services(&inventory.objects)?,
        })
    }

    /// Returns the selector of the services and the workload of a pod; `None` if it has neither.
    pub fn selector(&self, pod: &Pod) -> Option<LabelSelector> {
        let owner = pod.owner.as_deref();
        let is_spread = owner.is_some_and(|owner| SPREAD_KINDS.contains(&&*owner.kind));
        let match_labels = default_labels(&self.services, pod, is_spread);
        (!match_labels.is_empty()).then(|| LabelSelector {
            match_labels,
            ..LabelSelector::default()
        })
    }
}

/// Classes by template, namespace and whether the pods are spread by default.
#[derive(Debug)]
struct Classes {
    services: Vec<objects::Service>,
    known: HashMap<ClassKey, (Arc<Template>, ClassId)>,
}

/// Address of the template, namespace, whether the pods are spread by default.
type ClassKey = (usize, Arc<str>, bool);

impl Classes {
    fn of(&mut self, cluster: &mut Cluster, pod: &Pod) -> anyhow::Result<ClassId> {
        let owner = pod.owner.as_deref();
        let is_spread = owner.is_some_and(|owner| SPREAD_KINDS.contains(&&*owner.kind));
        let address = Arc::as_ptr(&pod.template).addr();
        let key = (address, Arc::clone(&pod.namespace), is_spread);
        if let Some((_, class)) = self.known.get(&key) {
            return Ok(*class);
        }
        let labels = default_labels(&self.services, pod, is_spread);
        let selector = LabelSelector {
            match_labels: labels,
            ..LabelSelector::default()
        };
        let selector = (!selector.match_labels.is_empty()).then_some(&selector);
        let class = compile(cluster, pod, &pod.template, selector)?;
        self.known.insert(key, (Arc::clone(&pod.template), class));
        Ok(class)
    }
}

/// Returns the labels by which a scheduler spreads the pods of a service or workload
/// (`DefaultSelector` in `pkg/scheduler/framework/plugins/helper/spread.go`).
fn default_labels(services: &[objects::Service], pod: &Pod, is_spread: bool) -> Labels {
    let labels = &pod.template.labels;
    if !pod.template.spec.topology_spread_constraints.is_empty() {
        return Labels::new();
    }
    let services = services
        .iter()
        .filter(|service| service.selects(&pod.namespace, labels));
    let mut all: Labels = services
        .flat_map(|service| service.selector.clone())
        .collect();
    if is_spread {
        let of_workload = labels
            .iter()
            .filter(|(key, _)| !LABELS_OF_ONE_POD.contains(&key.as_str()));
        all.extend(of_workload.map(|(key, value)| (key.clone(), value.clone())));
    }
    all
}

fn compile(
    cluster: &mut Cluster,
    pod: &Pod,
    template: &Arc<Template>,
    selector: Option<&LabelSelector>,
) -> anyhow::Result<ClassId> {
    cluster
        .class(&pod.namespace, template, selector)
        .with_context(|| format!("{}: pod {}/{}", pod.source, pod.namespace, pod.name))
}

/// Labels of namespaces by their names.
type Namespaces = BTreeMap<String, Labels>;
