//! Pods and usage series to containers with intervals.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use inventory::api::{PodSpec, Quantities as Requests};
use inventory::{
    Effective, Inventory, Pod, ResourceName, Sample, Template, Timestamp, UsageSeries,
};
use kube_resources::Quantity;

use crate::allocation::{Container, Interval, Names, Window};
use crate::prices::gpus;
use crate::resource::Rates;

/// Name of the container that stands for the requests of a pod beyond its containers.
const POD: &str = "(pod)";

/// Containers of all pods of an inventory.
pub struct Containers {
    /// Containers, in the order of the pods.
    pub containers: Vec<Container>,
    /// Number of usage series of pods that the inventory does not have.
    pub strangers: usize,
}

/// Returns the containers of all pods, as they are in a window.
pub fn containers(inventory: &Inventory, window: Window) -> Containers {
    let mut series: BTreeMap<(&str, &str), Vec<&UsageSeries>> = BTreeMap::new();
    for usage in &inventory.usage {
        let key = (&*usage.namespace, &*usage.pod);
        series.entry(key).or_default().push(usage);
    }
    let mut known = 0;
    let mut seen = std::collections::BTreeSet::new();
    let mut templates: HashMap<*const Template, Arc<Parts>> = HashMap::new();
    let mut containers = Vec::new();
    for pod in &inventory.pods {
        let parts = templates
            .entry(Arc::as_ptr(&pod.template))
            .or_insert_with(|| Arc::new(Parts::of(&pod.template)));
        let key = (&*pod.namespace, &*pod.name);
        let usage = series.get(&key).map_or(&[][..], Vec::as_slice);
        if !usage.is_empty() && seen.insert(key) {
            known += usage.len();
        }
        add(&mut containers, pod, parts, usage, window);
    }
    Containers {
        containers,
        strangers: inventory.usage.len() - known,
    }
}

/// Requests of the containers of a pod, and its labels.
struct Parts {
    requests: Vec<(Arc<str>, Rates)>,
    labels: Arc<inventory::api::Labels>,
}

impl Parts {
    /// Returns the regular containers and sidecars. Init containers have ended when the pod runs;
    /// OpenCost does not charge for them, either.
    fn of(template: &Template) -> Self {
        let spec = &template.spec;
        let sidecars = spec.init_containers.iter().filter(|init| init.is_sidecar());
        let mut requests: Vec<(Arc<str>, Rates)> = spec
            .containers
            .iter()
            .chain(sidecars)
            .map(|container| {
                let resources = &container.resources;
                let rates = rates(&resources.requests, &resources.limits);
                (container.name.as_str().into(), rates)
            })
            .collect();
        if let Some(rest) = beyond(spec, &requests) {
            requests.push((POD.into(), rest));
        }
        Self {
            requests,
            labels: Arc::new(template.labels.clone()),
        }
    }
}

/// Returns the requests of a container; a limit without a request is the request, as the API server
/// defaults it.
fn rates(requests: &Requests, limits: &Requests) -> Rates {
    let nanos = |name: &str| {
        let quantity = requests.get(name).or_else(|| limits.get(name));
        quantity.copied().map(Quantity::nanos)
    };
    Rates {
        cpu: nanos(ResourceName::CPU).unwrap_or(0),
        memory: nanos(ResourceName::MEMORY).unwrap_or(0) / 1_000_000,
        gpu: gpus(nanos),
    }
}

/// Returns the requests of a pod beyond its containers: those of the pod as a whole, and the
/// overhead of its runtime.
fn beyond(spec: &PodSpec, containers: &[(Arc<str>, Rates)]) -> Option<Rates> {
    if spec.resources.is_none() && spec.overhead.is_empty() {
        return None;
    }
    let mut running = spec.clone();
    running
        .init_containers
        .retain(inventory::api::Container::is_sidecar);
    let whole = Effective::of(&running).requests;
    let unsigned = |amount: i64| u128::try_from(amount).unwrap_or(0);
    let whole = Rates {
        cpu: unsigned(whole.cpu()) * 1_000_000,
        memory: unsigned(whole.memory()) * 1000,
        gpu: 0,
    };
    let mut sum = Rates::default();
    for (_, rates) in containers {
        sum.add(rates);
    }
    let rest = Rates::from_fn(|resource| whole[resource].saturating_sub(sum[resource]));
    (rest != Rates::default()).then_some(rest)
}

fn add(
    containers: &mut Vec<Container>,
    pod: &Pod,
    parts: &Parts,
    usage: &[&UsageSeries],
    window: Window,
) {
    let start = pod.arrival.unwrap_or(window.start());
    let end = pod.departure.unwrap_or(window.end().max(start));
    let mut add = |name: &Arc<str>, request: Rates, samples: Option<&[Sample]>| {
        let mut intervals = Vec::new();
        match (samples, window.clip(start, end)) {
            (Some(samples), Some(life)) => used(&mut intervals, life, request, samples),
            _ => intervals.push(Interval {
                start,
                end,
                request,
                usage: Rates::default(),
            }),
        }
        containers.push(Container {
            names: Names {
                namespace: Arc::clone(&pod.namespace),
                pod: Arc::clone(&pod.name),
                container: Arc::clone(name),
                node: pod.node.clone(),
                owner: pod
                    .owner
                    .as_ref()
                    .map(|owner| (Arc::clone(&owner.kind), Arc::clone(&owner.name))),
                labels: Arc::clone(&parts.labels),
            },
            intervals,
        });
    };
    for (name, request) in &parts.requests {
        let series = usage.iter().find(|series| series.container == *name);
        add(name, *request, series.map(|series| &*series.samples));
    }
    for series in usage {
        let is_known = parts
            .requests
            .iter()
            .any(|(name, _)| *name == series.container);
        if !is_known {
            add(&series.container, Rates::default(), Some(&series.samples));
        }
    }
}

/// Adds the intervals between samples: a sample holds until the next one, the last until the end,
/// and nothing is used before the first.
fn used(intervals: &mut Vec<Interval>, life: Window, request: Rates, samples: &[Sample]) {
    let mut usage = Rates::default();
    let mut start = life.start();
    let mut until = |end: Timestamp, usage: Rates| {
        if start < end {
            intervals.push(Interval {
                start,
                end,
                request,
                usage,
            });
            start = end;
        }
    };
    for sample in samples {
        if sample.time >= life.end() {
            break;
        }
        until(sample.time, usage);
        if let Some(cpu) = sample.cpu_nanocores {
            usage.cpu = u128::try_from(cpu).unwrap_or(0);
        }
        if let Some(memory) = sample.memory_bytes {
            usage.memory = u128::try_from(memory).unwrap_or(0) * 1000;
        }
    }
    until(life.end(), usage);
}
