//! Pods that need nodes.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use inventory::api::{Affinity, LabelSelector, Labels, PodSpec};
use inventory::{Amounts, Pod, ResourceName, Template, Timestamp};

use crate::packing::Problem;

/// Equal pods.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Template with the fields that decide a placement.
    pub template: Arc<Template>,
    /// Selector by which the scheduler spreads the pods by default.
    pub selector: Option<LabelSelector>,
    /// Workload of the first of the pods, or its own name without one: `web` of `web-7d4b9`.
    pub name: Arc<str>,
}

impl Kind {
    /// Returns what a pod requests of a node.
    pub fn requests(&self) -> &Amounts {
        &self.template.effective.requests
    }
}

/// Pod that needs a node.
#[derive(Debug, Clone)]
pub struct Item {
    /// Number of the kind.
    pub kind: usize,
    /// Place of the pod in the list that the load was made of.
    pub pod: usize,
    /// Arrival; `None` for a pod that is there from the start.
    pub arrival: Option<Timestamp>,
    /// Departure; `None` for a pod that stays.
    pub departure: Option<Timestamp>,
}

/// Pods that need nodes, and the pods that every node runs.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// Kinds of pods.
    pub kinds: Vec<Kind>,
    /// Pods, in the order of their arrival.
    pub items: Vec<Item>,
    /// Kinds of pods of which each node gets one: DaemonSets.
    pub daemons: Vec<Kind>,
}

/// Kind of the workload with one pod for each node.
const DAEMON_SET: &str = "DaemonSet";

impl Load {
    /// Returns the load of these pods; `daemons` are pods of which each node gets one, as are the
    /// pods of DaemonSets in the list.
    ///
    /// Equal pods become one kind. Labels and namespaces belong to a kind only if some pod has a
    /// rule about others, because only then do they decide a placement. `selector` selects the
    /// pods of the services and the workload of a pod, by which the scheduler spreads it.
    pub fn new(
        pods: &[Pod],
        daemons: &[Pod],
        selector: impl Fn(&Pod) -> Option<LabelSelector>,
    ) -> Self {
        let mut all = pods.iter().chain(daemons);
        let has_rules = all.any(|pod| has_rules(&pod.template.spec) || selector(pod).is_some());
        let mut load = Self::default();
        let mut kinds = Kinds::default();
        let mut seen_daemons = BTreeSet::new();
        let of_daemons = daemons.iter().map(|pod| (None, pod));
        for (place, pod) in pods
            .iter()
            .enumerate()
            .map(|(place, pod)| (Some(place), pod))
            .chain(of_daemons)
        {
            let owner = pod.owner.as_ref();
            let name = owner.map_or(&pod.name, |owner| &owner.name);
            let is_daemon = owner.is_some_and(|owner| &*owner.kind == DAEMON_SET);
            match place.filter(|_| !is_daemon) {
                None => {
                    if seen_daemons.insert((Arc::clone(&pod.namespace), Arc::clone(name))) {
                        load.daemons.push(Kind {
                            namespace: Arc::clone(&pod.namespace),
                            template: Arc::new(without_node(&pod.template)),
                            selector: None,
                            name: Arc::clone(name),
                        });
                    }
                }
                Some(place) => load.items.push(Item {
                    kind: kinds.of(pod, name, has_rules, &selector),
                    pod: place,
                    arrival: pod.arrival,
                    departure: pod.departure,
                }),
            }
        }
        load.kinds = kinds.all;
        load
    }

    /// Returns the items in the order of a scheduler's queue if they are created in the order of
    /// the list: the higher priority first.
    pub fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<_> = (0..self.items.len()).collect();
        order.sort_by_key(|item| Reverse(self.priority(*item)));
        order
    }

    /// Returns the items in the order of a scheduler's queue if the largest are created first: by
    /// the largest of their shares of a node with these amounts.
    pub fn largest_first(&self, node: &Amounts) -> Vec<usize> {
        let shares: Vec<_> = self
            .kinds
            .iter()
            .map(|kind| largest_share(kind.requests(), node))
            .collect();
        let mut order = self.in_order();
        // The sort keeps the order of equal items.
        order.sort_by(|one, other| {
            let (one, other) = (*one, *other);
            let by_share = shares[self.items[other].kind].cmp(&shares[self.items[one].kind]);
            self.priority(other).cmp(&self.priority(one)).then(by_share)
        });
        order
    }

    fn priority(&self, item: usize) -> i32 {
        let kind = &self.kinds[self.items[item].kind];
        kind.template.effective.priority
    }

    /// Returns whether some pod arrives later than the start or departs.
    pub fn has_times(&self) -> bool {
        let mut items = self.items.iter();
        let first = self.items.iter().filter_map(|item| item.arrival).min();
        items.any(|item| item.departure.is_some() || item.arrival > first)
    }

    /// Returns the packing of these items into nodes with these amounts, of which each runs the
    /// daemons. Constraints are left out, so that a bound of the packing is one of the placement.
    pub fn problem<'a>(
        &self,
        items: impl IntoIterator<Item = &'a usize>,
        node: &Amounts,
        daemons: &[usize],
    ) -> Problem {
        // A resource that no pod requests decides nothing.
        let requested = self.kinds.iter().flat_map(|kind| kind.requests().iter());
        let mut names: BTreeSet<&str> = requested.map(|(name, _)| name).collect();
        names.remove(ResourceName::PODS);
        let names: Vec<_> = names.into_iter().filter(|name| is_counted(name)).collect();
        let amount = |amounts: &Amounts, name: &str| amounts.get(name).unwrap_or(0).max(0);
        let row = |requests: &Amounts| -> Vec<i64> {
            let amounts = names.iter().map(|name| amount(requests, name));
            amounts.chain([1]).collect()
        };
        let mut bin: Vec<_> = names.iter().map(|name| amount(node, name)).collect();
        bin.push(amount(node, ResourceName::PODS));
        for daemon in daemons {
            for (room, size) in bin.iter_mut().zip(row(self.daemons[*daemon].requests())) {
                *room = room.saturating_sub(size).max(0);
            }
        }
        let rows: Vec<_> = self.kinds.iter().map(|kind| row(kind.requests())).collect();
        let items = items.into_iter();
        Problem {
            bin,
            items: items
                .map(|item| rows[self.items[*item].kind].clone())
                .collect(),
        }
    }
}

/// Returns whether a scheduler counts the resource: a name without a prefix is one of its own.
fn is_counted(name: &str) -> bool {
    matches!(
        name,
        ResourceName::CPU | ResourceName::MEMORY | ResourceName::EPHEMERAL_STORAGE
    ) || name.contains('/')
        || name.starts_with("hugepages-")
        || name.starts_with("attachable-volumes-")
}

/// Share of a node as a fraction that compares exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    part: i64,
    whole: i64,
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let product = |one: i64, two: i64| i128::from(one) * i128::from(two);
        product(self.part, other.whole).cmp(&product(other.part, self.whole))
    }
}

/// Returns the largest share of a node's amounts, the number of pods left out.
fn largest_share(requests: &Amounts, node: &Amounts) -> Share {
    let resources = node
        .iter()
        .filter(|&(name, amount)| name != ResourceName::PODS && amount > 0);
    let shares = resources.map(|(name, whole)| Share {
        part: requests.get(name).unwrap_or(0),
        whole,
    });
    shares.max().unwrap_or(Share { part: 0, whole: 1 })
}

/// Returns whether the spec has rules about the places of other pods.
fn has_rules(spec: &PodSpec) -> bool {
    let affinity = spec.affinity.as_ref();
    let about_pods = |affinity: &Affinity| {
        affinity.pod_affinity.is_some() || affinity.pod_anti_affinity.is_some()
    };
    !spec.topology_spread_constraints.is_empty() || affinity.is_some_and(about_pods)
}

/// Namespace, if it decides something, template, and selector for the default spreading.
type TemplateKey = (Option<Arc<str>>, Template, Option<LabelSelector>);

/// Namespace, address of the template, and kind of the workload.
type AddressKey = (Arc<str>, usize, Option<Arc<str>>);

/// Kinds by their namespaces and templates.
#[derive(Default)]
struct Kinds {
    all: Vec<Kind>,
    by_template: HashMap<TemplateKey, usize>,
    /// Kinds by the address of the template, of pods that share one, and the kind of the workload,
    /// which the selector depends on.
    by_address: HashMap<AddressKey, usize>,
}

impl Kinds {
    fn of(
        &mut self,
        pod: &Pod,
        name: &Arc<str>,
        has_rules: bool,
        selector: impl Fn(&Pod) -> Option<LabelSelector>,
    ) -> usize {
        // The pods outlive this table, so that an address stays with its template.
        let owner = pod.owner.as_ref().map(|owner| Arc::clone(&owner.kind));
        let template = Arc::as_ptr(&pod.template).addr();
        let address = (Arc::clone(&pod.namespace), template, owner);
        if let Some(kind) = self.by_address.get(&address) {
            return *kind;
        }
        let template = reduced(&pod.template, has_rules);
        let namespace = has_rules.then(|| Arc::clone(&pod.namespace));
        let key = (namespace, template, selector(pod));
        let kind = match self.by_template.get(&key) {
            Some(kind) => *kind,
            None => {
                let kind = self.all.len();
                self.all.push(Kind {
                    namespace: if has_rules {
                        Arc::clone(&pod.namespace)
                    } else {
                        "default".into()
                    },
                    template: Arc::new(key.1.clone()),
                    selector: key.2.clone(),
                    name: Arc::clone(name),
                });
                self.by_template.insert(key, kind);
                kind
            }
        };
        self.by_address.insert(address, kind);
        kind
    }
}

/// Labels that differ between the pods of one workload.
const LABELS_OF_ONE_POD: [&str; 3] = [
    "apps.kubernetes.io/pod-index",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Returns a template with only those fields that decide a placement.
fn reduced(template: &Template, has_rules: bool) -> Template {
    let mut spec = template.spec.clone();
    for container in spec.init_containers.iter_mut().chain(&mut spec.containers) {
        container.name.clear();
        container.image.clear();
    }
    spec.node_name.clear();
    spec.priority_class_name.clear();
    spec.restart_policy.clear();
    spec.active_deadline_seconds = None;
    spec.runtime_class_name = None;
    spec.preemption_policy = None;
    spec.scheduling_gates.clear();
    let mut labels = Labels::new();
    if has_rules {
        labels.clone_from(&template.labels);
        labels.retain(|key, _| !LABELS_OF_ONE_POD.contains(&key.as_str()));
    }
    Template::new(labels, spec)
}

/// Returns the template of a DaemonSet without the affinity that ties one of its pods to a node
/// (`ReplaceDaemonSetPodNodeNameNodeAffinity` in `pkg/controller/daemon/util`).
fn without_node(template: &Template) -> Template {
    let mut template = reduced(template, true);
    let affinity = template.spec.affinity.as_mut();
    if let Some(of_node) = affinity.and_then(|affinity| affinity.node_affinity.as_mut())
        && let Some(required) = of_node.required.as_mut()
    {
        for term in &mut required.node_selector_terms {
            term.match_fields.clear();
        }
        required
            .node_selector_terms
            .retain(|term| !term.match_expressions.is_empty());
        if required.node_selector_terms.is_empty() {
            of_node.required = None;
        }
    }
    template
}
