//! Figures of an inventory.

use std::collections::{BTreeMap, BTreeSet};

use inventory::{Amounts, Inventory, Node, Pod, QosClass, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

/// Amounts of resources by name: CPU in millicores, memory in bytes, others in their unit.
pub(super) type ByResource = BTreeMap<String, i64>;

/// Figures of everything that was read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Figures {
    /// Number of pods.
    pub pods: usize,
    /// Number of nodes.
    pub nodes: usize,
    /// Number of different pod templates.
    pub templates: usize,
    /// Pods by namespace and by the kind of their workloads.
    pub by_namespace_and_kind: Vec<Group>,
    /// Sums over all pods, whenever they lived.
    pub requests: ByResource,
    /// Sums of limits over all pods, by resource.
    pub limits: ByResource,
    /// Largest requests at one time.
    pub peak: Peak,
    /// Number of pods by class of quality of service.
    pub qos: BTreeMap<&'static str, usize>,
    /// Number of pods by the source of their memory request: `stated` by the input, `applied` by the
    /// annotation of `kubectl apply`, `guaranteed` or `estimated` by the OOM score adjustment,
    /// `limit` where the memory limit is taken for it, `absent`, or `unknown`.
    pub memory_requests_from: BTreeMap<&'static str, usize>,
    /// Times of pods.
    pub times: Times,
    /// Nodes by their resources, the most frequent first.
    pub shapes: Vec<Shape>,
    /// Sums over all nodes.
    pub allocatable: ByResource,
    /// Sums of the capacity of all nodes, by resource.
    pub capacity: ByResource,
    /// Number of nodes that take no new pods.
    pub unschedulable_nodes: usize,
    /// Names of the DaemonSets that run a pod on each node that is added.
    pub per_node: Vec<String>,
    /// Usage of containers.
    pub usage: Usage,
    /// Objects that other commands read.
    pub objects: Vec<KindCount>,
    /// Objects that decide nothing in a plan.
    pub ignored: Vec<KindCount>,
}

/// Pods of one namespace whose workloads have one kind.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Group {
    /// Namespace.
    pub namespace: String,
    /// Kind of the workload; `Pod` for pods without one.
    pub kind: String,
    /// Number of workloads.
    pub workloads: usize,
    /// Number of pods.
    pub pods: usize,
    /// Sums of requests, by resource.
    pub requests: ByResource,
}

/// Largest sums of requests of pods that live at one time, each at a time of its own.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Peak {
    /// Largest number of pods.
    pub pods: i64,
    /// Largest sum of CPU requests in millicores.
    pub cpu_millicores: i64,
    /// Largest sum of memory requests in bytes.
    pub memory_bytes: i64,
}

/// Times of pods.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Times {
    /// Pods that are there from the start.
    pub from_the_start: usize,
    /// Pods that depart.
    pub departing: usize,
    /// Time of the first arrival (RFC 3339, UTC); null without one.
    pub first_arrival: Option<String>,
    /// Time of the last arrival (RFC 3339, UTC); null without one.
    pub last_arrival: Option<String>,
    /// Time of the last departure (RFC 3339, UTC); null without one.
    pub last_departure: Option<String>,
}

/// Nodes with equal resources.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shape {
    /// Number of nodes.
    pub nodes: usize,
    /// Resources for the pods of one node, by name.
    pub allocatable: ByResource,
    /// Resources of one node, by name.
    pub capacity: ByResource,
}

/// Usage of containers.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Usage {
    /// Number of series, one for each container.
    pub series: usize,
    /// Number of samples.
    pub samples: usize,
    /// Time of the first sample (RFC 3339, UTC); null without one.
    pub first: Option<String>,
    /// Time of the last sample (RFC 3339, UTC); null without one.
    pub last: Option<String>,
}

/// Objects of one kind.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct KindCount {
    /// Version of the API, such as `v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Number of objects.
    pub count: u64,
}

impl Figures {
    /// Computes the figures.
    pub fn of(inventory: &Inventory) -> Self {
        let pods = &inventory.pods;
        let templates: BTreeSet<_> = pods
            .iter()
            .map(|pod| std::sync::Arc::as_ptr(&pod.template))
            .collect();
        let effective = || pods.iter().map(|pod| &pod.template.effective);
        Self {
            pods: pods.len(),
            nodes: inventory.nodes.len(),
            templates: templates.len(),
            by_namespace_and_kind: groups(pods),
            requests: sum(effective().map(|effective| &effective.requests)),
            limits: sum(effective().map(|effective| &effective.limits)),
            peak: peak(pods),
            qos: qos(pods),
            memory_requests_from: memory_sources(pods),
            times: times(pods),
            shapes: shapes(&inventory.nodes),
            allocatable: sum(inventory.nodes.iter().map(|node| &*node.allocatable)),
            capacity: sum(inventory.nodes.iter().map(|node| &*node.capacity)),
            unschedulable_nodes: inventory.nodes.iter().filter(|n| n.unschedulable).count(),
            per_node: inventory
                .per_node
                .iter()
                .map(|pod| format!("{}/{}", pod.namespace, pod.name))
                .collect(),
            usage: usage(inventory),
            objects: objects(inventory),
            ignored: inventory
                .ignored
                .iter()
                .map(|ignored| KindCount {
                    api_version: ignored.api_version.clone(),
                    kind: ignored.kind.clone(),
                    count: ignored.count,
                })
                .collect(),
        }
    }
}

/// Returns the kind of a pod's workload.
pub(super) fn kind(pod: &Pod) -> &str {
    pod.owner.as_ref().map_or("Pod", |owner| &owner.kind)
}

pub(super) fn by_resource(amounts: &Amounts) -> ByResource {
    let owned = |(name, amount): (&str, i64)| (name.to_owned(), amount);
    amounts.iter().map(owned).collect()
}

fn sum<'a>(all: impl Iterator<Item = &'a Amounts>) -> ByResource {
    let mut sum = Amounts::default();
    for amounts in all {
        sum.add(amounts);
    }
    by_resource(&sum)
}

fn groups(pods: &[Pod]) -> Vec<Group> {
    #[derive(Default)]
    struct Sum<'a> {
        workloads: BTreeSet<&'a str>,
        pods: usize,
        requests: Amounts,
    }
    let mut sums: BTreeMap<(&str, &str), Sum<'_>> = BTreeMap::new();
    for pod in pods {
        let sum = sums.entry((&pod.namespace, kind(pod))).or_default();
        sum.pods += 1;
        sum.requests.add(&pod.template.effective.requests);
        if let Some(owner) = &pod.owner {
            sum.workloads.insert(&owner.name);
        }
    }
    sums.into_iter()
        .map(|((namespace, kind), sum)| Group {
            namespace: namespace.to_owned(),
            kind: kind.to_owned(),
            workloads: sum.workloads.len(),
            pods: sum.pods,
            requests: by_resource(&sum.requests),
        })
        .collect()
}

fn peak(pods: &[Pod]) -> Peak {
    // Of equal times, departures (false) come first.
    let mut changes: Vec<(Option<Timestamp>, bool, &Pod)> = Vec::new();
    for pod in pods {
        changes.push((pod.arrival, true, pod));
        if pod.departure.is_some() {
            changes.push((pod.departure, false, pod));
        }
    }
    changes.sort_by_key(|(time, arrives, _)| (*time, *arrives));
    let (mut now, mut peak) = ([0_i128; 3], [0_i128; 3]);
    for (_, arrives, pod) in changes {
        // A pod without a life, which departs when it arrives, would depart first.
        if pod.departure.is_some() && pod.departure <= pod.arrival {
            continue;
        }
        let requests = &pod.template.effective.requests;
        let amounts = [1, requests.cpu(), requests.memory()];
        for ((now, peak), amount) in now.iter_mut().zip(&mut peak).zip(amounts) {
            let amount = i128::from(amount);
            *now += if arrives { amount } else { -amount };
            *peak = (*peak).max(*now);
        }
    }
    let [pods, cpu, memory] = peak.map(|sum| i64::try_from(sum).unwrap_or(i64::MAX));
    Peak {
        pods,
        cpu_millicores: cpu,
        memory_bytes: memory,
    }
}

fn qos(pods: &[Pod]) -> BTreeMap<&'static str, usize> {
    let classes = [
        QosClass::Guaranteed,
        QosClass::Burstable,
        QosClass::BestEffort,
    ];
    let mut counts: BTreeMap<_, _> = classes.iter().map(|class| (class.name(), 0)).collect();
    for pod in pods {
        *counts.entry(pod.template.effective.qos.name()).or_default() += 1;
    }
    counts
}

fn memory_sources(pods: &[Pod]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for pod in pods {
        let source = pod.template.memory_source.name();
        *counts.entry(source).or_default() += 1;
    }
    counts
}

fn times(pods: &[Pod]) -> Times {
    let arrivals = || pods.iter().filter_map(|pod| pod.arrival);
    let departures = || pods.iter().filter_map(|pod| pod.departure);
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    Times {
        from_the_start: pods.iter().filter(|pod| pod.arrival.is_none()).count(),
        departing: departures().count(),
        first_arrival: text(arrivals().min()),
        last_arrival: text(arrivals().max()),
        last_departure: text(departures().max()),
    }
}

fn shapes(nodes: &[Node]) -> Vec<Shape> {
    let mut counts: BTreeMap<(&Amounts, &Amounts), usize> = BTreeMap::new();
    for node in nodes {
        let shape = (&*node.allocatable, &*node.capacity);
        *counts.entry(shape).or_default() += 1;
    }
    let mut shapes: Vec<_> = counts
        .into_iter()
        .map(|((allocatable, capacity), nodes)| Shape {
            nodes,
            allocatable: by_resource(allocatable),
            capacity: by_resource(capacity),
        })
        .collect();
    shapes.sort_by_key(|shape| std::cmp::Reverse(shape.nodes));
    shapes
}

fn usage(inventory: &Inventory) -> Usage {
    let samples = || inventory.usage.iter().flat_map(|series| &series.samples);
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    Usage {
        series: inventory.usage.len(),
        samples: samples().count(),
        first: text(samples().map(|sample| sample.time).min()),
        last: text(samples().map(|sample| sample.time).max()),
    }
}

fn objects(inventory: &Inventory) -> Vec<KindCount> {
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for object in &inventory.objects {
        let key = (object.api_version.as_str(), object.kind.as_str());
        *counts.entry(key).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((api_version, kind), count)| KindCount {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            count,
        })
        .collect()
}
