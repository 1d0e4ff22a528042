//! Costs equal those that OpenCost computes, to the tolerance of the golden data.

use std::collections::BTreeMap;
use std::sync::Arc;

use cost::prices::{GivenPrice, PriceList};
use cost::{
    Allocation, Container, Estimate, Group, Grouping, Idle, Interval, Money, Names, NodeCost,
    Period, PricedNode, Rates, Split, UnitPrices, Window, allocate, group, node_costs,
};
use inventory::api::{self, PodSpec, ResourceRequirements};
use inventory::{Amounts, Inventory, Node, Pod, Sample, Source, Template, Timestamp, UsageSeries};
use kube_resources::{Format, Quantity};
use serde::Deserialize;

const GOLDEN: &str = include_str!("../../../tests/data/golden/cost.json");

/// Results of OpenCost's own code for random input: containers that come and go, on nodes without
/// some resource or price, under every use of idle and shared costs.
const RANDOM: &str = include_str!("data/opencost.json");

#[derive(Deserialize)]
struct Golden {
    tolerance: f64,
    window: [String; 2],
    nodes: Vec<GoldenNode>,
    containers: Vec<GoldenContainer>,
    #[serde(default)]
    each: BTreeMap<String, Each>,
    #[serde(default)]
    idle_by_node: BTreeMap<String, GoldenIdle>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct GoldenNode {
    name: String,
    cores: f64,
    ram_bytes: f64,
    gpus: f64,
    cpu_core_hour: f64,
    ram_gib_hour: f64,
    gpu_hour: f64,
}

#[derive(Deserialize)]
struct GoldenContainer {
    namespace: String,
    pod: String,
    container: String,
    node: String,
    labels: BTreeMap<String, String>,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    from_h: f64,
    to_h: f64,
    cpu_request_cores: f64,
    cpu_usage_cores: f64,
    ram_request_bytes: f64,
    ram_usage_bytes: f64,
    #[serde(default)]
    gpus: f64,
}

#[derive(Deserialize)]
struct Each {
    cpu_core_hours: f64,
    cpu_cost: f64,
    cpu_efficiency: f64,
    gpu_cost: f64,
    gpu_hours: f64,
    ram_byte_hours: f64,
    ram_cost: f64,
    ram_efficiency: f64,
    total_cost: f64,
    total_efficiency: f64,
}

#[derive(Deserialize)]
struct GoldenIdle {
    #[serde(rename = "cpu_cost")]
    cpu: f64,
    #[serde(rename = "gpu_cost")]
    gpu: f64,
    #[serde(rename = "ram_cost")]
    memory: f64,
    #[serde(rename = "total_cost")]
    total: f64,
}

#[derive(Deserialize)]
struct Case {
    aggregate_by: Vec<String>,
    #[serde(rename = "case")]
    name: String,
    idle: bool,
    idle_by_node: bool,
    share_idle: String,
    share_namespace: String,
    share_split: String,
    shared_hourly: f64,
    result: BTreeMap<String, [f64; 6]>,
    sum: f64,
}

#[derive(Deserialize)]
struct Random {
    sets: Vec<Golden>,
}

fn golden() -> Golden {
    serde_json::from_str(GOLDEN).unwrap()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are small and positive"
)]
fn times(number: f64, factor: f64) -> u128 {
    (number * factor).round() as u128
}

fn money(number: f64) -> Money {
    number.to_string().parse().unwrap()
}

impl Golden {
    fn window(&self) -> Window {
        let [start, end] = [0, 1].map(|place| self.window[place].parse().unwrap());
        Window::new(start, end).unwrap()
    }

    fn nodes(&self) -> Vec<PricedNode> {
        let node = |node: &GoldenNode| PricedNode {
            name: node.name.as_str().into(),
            capacity: Rates {
                cpu: times(node.cores, 1e9),
                memory: times(node.ram_bytes, 1e3),
                gpu: times(node.gpus, 1e3),
            },
            prices: UnitPrices {
                cpu: money(node.cpu_core_hour),
                memory: money(node.ram_gib_hour),
                gpu: money(node.gpu_hour),
            },
            start: None,
            end: None,
        };
        self.nodes.iter().map(node).collect()
    }

    fn containers(&self) -> Vec<Container> {
        let at = |hour: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "the numbers are small")]
            let nanoseconds = (hour * 3.6e12).round() as i64;
            Timestamp(self.window().start().0 + nanoseconds)
        };
        let interval = |span: &Span| Interval {
            start: at(span.from_h),
            end: at(span.to_h),
            request: Rates {
                cpu: times(span.cpu_request_cores, 1e9),
                memory: times(span.ram_request_bytes, 1e3),
                gpu: times(span.gpus, 1e3),
            },
            usage: Rates {
                cpu: times(span.cpu_usage_cores, 1e9),
                memory: times(span.ram_usage_bytes, 1e3),
                gpu: 0,
            },
        };
        let container = |container: &GoldenContainer| Container {
            names: Names {
                namespace: container.namespace.as_str().into(),
                pod: container.pod.as_str().into(),
                container: container.container.as_str().into(),
                node: Some(container.node.as_str().into()),
                owner: None,
                labels: Arc::new(container.labels.clone()),
            },
            intervals: container.spans.iter().map(interval).collect(),
        };
        self.containers.iter().map(container).collect()
    }

    fn allocations(&self) -> Vec<Allocation> {
        let nodes = self.nodes();
        let prices = |name: &str| {
            nodes
                .iter()
                .find(|node| *node.name == *name)
                .unwrap()
                .prices
        };
        let allocation = |container: Container| {
            let node = container.names.node.as_deref().unwrap();
            allocate(&container, &prices(node), self.window()).unwrap()
        };
        self.containers()
            .into_iter()
            .filter_map(allocation)
            .collect()
    }

    fn node_costs(&self) -> Vec<NodeCost> {
        node_costs(&self.nodes(), &self.allocations(), self.window()).unwrap()
    }
}

impl Case {
    fn grouping(&self) -> Grouping {
        let split = match &*self.share_split {
            "__even__" => Split::Even,
            _ => Split::Weighted,
        };
        let idle = match (self.idle, &*self.share_idle, self.idle_by_node) {
            (false, ..) => Idle::LeftOut,
            (true, "__weighted__", true) => Idle::SharedOnNode,
            (true, "__weighted__", false) => Idle::SharedInCluster,
            (true, _, true) => Idle::ApartByNode,
            (true, _, false) => Idle::Apart,
        };
        Grouping {
            by: self
                .aggregate_by
                .iter()
                .map(|by| by.parse().unwrap())
                .collect(),
            cluster: "c".to_owned(),
            idle,
            shares: match &*self.share_namespace {
                "" => Vec::new(),
                name => vec![(name.to_owned(), split)],
            },
            overheads: match self.shared_hourly {
                0.0 => Vec::new(),
                cost => vec![(money(cost), split)],
            },
        }
    }
}

struct Near(f64);

impl Near {
    fn assert(&self, ours: f64, theirs: f64, subject: &str) {
        let tolerance = self.0 * theirs.abs().min(1.0);
        let is_near = (ours - theirs).abs() <= tolerance;
        assert!(is_near, "{subject}: {ours} is not {theirs}");
    }
}

#[test]
fn each_container_costs_the_same() {
    let golden = golden();
    let near = Near(golden.tolerance);
    let allocations = golden.allocations();
    assert_eq!(allocations.len(), golden.each.len());
    for allocation in &allocations {
        let names = &allocation.names;
        let name = format!("c/{}/{names}", names.node.as_deref().unwrap());
        let each = &golden.each[&name];
        let grouping = Grouping {
            by: vec!["pod".parse().unwrap()],
            ..Grouping::default()
        };
        let grouped = group(
            std::slice::from_ref(allocation),
            &[],
            golden.window(),
            &grouping,
        );
        let own = &grouped.groups[0];
        for (ours, theirs, subject) in [
            (
                allocation.allocated.cpu as f64 / 3.6e21,
                each.cpu_core_hours,
                "core hours",
            ),
            (
                allocation.allocated.memory as f64 / 3.6e15,
                each.ram_byte_hours,
                "byte hours",
            ),
            (
                allocation.allocated.gpu as f64 / 3.6e15,
                each.gpu_hours,
                "gpu hours",
            ),
            (allocation.cost.cpu.to_f64(), each.cpu_cost, "cpu"),
            (allocation.cost.memory.to_f64(), each.ram_cost, "memory"),
            (allocation.cost.gpu.to_f64(), each.gpu_cost, "gpu"),
            (allocation.cost.total().to_f64(), each.total_cost, "total"),
            (own.cpu_efficiency(), each.cpu_efficiency, "cpu efficiency"),
            (
                own.memory_efficiency(),
                each.ram_efficiency,
                "memory efficiency",
            ),
            (own.efficiency(), each.total_efficiency, "efficiency"),
        ] {
            near.assert(ours, theirs, &format!("{name}: {subject}"));
        }
    }
}

#[test]
fn each_node_has_the_same_idle_cost() {
    let golden = golden();
    let near = Near(golden.tolerance);
    let costs = golden.node_costs();
    assert_eq!(costs.len(), golden.idle_by_node.len());
    for cost in costs {
        let theirs = &golden.idle_by_node[&format!("{}/__idle__", cost.node)];
        for (ours, theirs) in [
            (cost.idle.cpu, theirs.cpu),
            (cost.idle.memory, theirs.memory),
            (cost.idle.gpu, theirs.gpu),
            (cost.idle.total(), theirs.total),
        ] {
            near.assert(ours.to_f64(), theirs, &cost.node);
        }
    }
}

#[test]
fn each_case_has_the_same_groups() {
    let golden = golden();
    assert_eq!(golden.cases.len(), 34);
    assert_cases(&golden);
}

#[test]
fn random_input_has_the_same_groups() {
    let random: Random = serde_json::from_str(RANDOM).unwrap();
    for set in &random.sets {
        assert_cases(set);
    }
}

fn assert_cases(golden: &Golden) {
    let near = Near(golden.tolerance);
    let (allocations, nodes) = (golden.allocations(), golden.node_costs());
    for case in &golden.cases {
        let name = format!("{} by {}", case.name, case.aggregate_by.join(","));
        let grouped = group(&allocations, &nodes, golden.window(), &case.grouping());
        let ours: BTreeMap<&str, &Group> = grouped
            .groups
            .iter()
            .map(|group| (&*group.key, group))
            .collect();
        let keys: Vec<_> = ours.keys().copied().collect();
        let theirs: Vec<_> = case.result.keys().map(|key| &**key).collect();
        assert_eq!(keys, theirs, "{name}");
        for (key, [cpu, memory, gpu, shared, total, efficiency]) in &case.result {
            let group = ours[&**key];
            for (ours, theirs, column) in [
                (group.cost.cpu.to_f64(), cpu, "cpu"),
                (group.cost.memory.to_f64(), memory, "memory"),
                (group.cost.gpu.to_f64(), gpu, "gpu"),
                (group.shared.to_f64(), shared, "shared"),
                (group.total().to_f64(), total, "total"),
                (group.efficiency(), efficiency, "efficiency"),
            ] {
                near.assert(ours, *theirs, &format!("{name}: {column} of {key}"));
            }
        }
        near.assert(grouped.total().to_f64(), case.sum, &name);
        let sum: Money = grouped.groups.iter().map(Group::total).sum();
        assert_eq!(sum, grouped.total(), "{name}");
    }
}

/// Returns the golden input as an inventory, with usage in whole bytes.
fn inventory(golden: &Golden) -> Inventory {
    let source = || Source {
        file: "golden".into(),
        line: 0,
    };
    let node = |node: &PricedNode| {
        let amounts: Amounts = [
            ("cpu", node.capacity.cpu / 1_000_000),
            ("memory", node.capacity.memory / 1000),
            ("nvidia.com/gpu", node.capacity.gpu / 1000),
        ]
        .into_iter()
        .map(|(name, amount)| (name, i64::try_from(amount).unwrap()))
        .collect();
        Node {
            name: node.name.clone(),
            labels: Arc::default(),
            taints: [].into(),
            unschedulable: false,
            allocatable: amounts.clone().into(),
            capacity: amounts.into(),
            provider_id: None,
            source: source(),
        }
    };
    let containers = golden.containers();
    let mut pods: BTreeMap<&str, Pod> = BTreeMap::new();
    let mut usage = Vec::new();
    for container in &containers {
        let (names, first) = (&container.names, &container.intervals[0]);
        let quantities = [
            (
                "cpu",
                Quantity::from_nanos(first.request.cpu, Format::DecimalSi),
            ),
            (
                "memory",
                Quantity::from_bytes(u64::try_from(first.request.memory / 1000).unwrap()),
            ),
            (
                "nvidia.com/gpu",
                Quantity::from_milli(u64::try_from(first.request.gpu).unwrap()),
            ),
        ];
        let named = quantities.map(|(name, quantity)| (name.to_owned(), quantity));
        let resources = ResourceRequirements {
            requests: named.into_iter().collect(),
            ..ResourceRequirements::default()
        };
        let spec = api::Container {
            name: names.container.to_string(),
            resources,
            ..api::Container::default()
        };
        let earlier = pods.get(&*names.pod);
        let mut all = earlier.map_or_else(Vec::new, |pod| pod.template.spec.containers.clone());
        all.push(spec);
        let spec = PodSpec {
            containers: all,
            ..PodSpec::default()
        };
        let pod = Pod {
            namespace: names.namespace.clone(),
            name: names.pod.clone(),
            uid: None,
            template: Template::new((*names.labels).clone(), spec).into(),
            owner: None,
            node: names.node.clone(),
            arrival: Some(first.start),
            departure: container.intervals.last().map(|last| last.end),
            source: source(),
        };
        pods.insert(&names.pod, pod);
        let sample = |interval: &Interval| Sample {
            time: interval.start,
            cpu_nanocores: Some(i64::try_from(interval.usage.cpu).unwrap()),
            memory_bytes: Some(i64::try_from(interval.usage.memory / 1000).unwrap()),
            oom_killed: false,
        };
        usage.push(UsageSeries {
            namespace: names.namespace.clone(),
            pod: names.pod.clone(),
            container: names.container.clone(),
            samples: container.intervals.iter().map(sample).collect(),
        });
    }
    Inventory {
        nodes: golden.nodes().iter().map(node).collect(),
        pods: pods.into_values().collect(),
        usage,
        ..Inventory::default()
    }
}

#[test]
fn an_inventory_has_the_same_costs() {
    let golden = golden();
    let near = Near(golden.tolerance);
    let given = golden.nodes().into_iter().map(|node| {
        let prices = GivenPrice::Resources(node.prices);
        (node.name, prices)
    });
    let list = PriceList {
        given: given.collect(),
        ..PriceList::default()
    };
    let period = Period::Window(golden.window());
    let estimate = Estimate::of(&inventory(&golden), &list, period).unwrap();
    assert_eq!(estimate.assumptions, Vec::<String>::new());
    for case in &golden.cases {
        let grouped = group(
            &estimate.allocations,
            &estimate.nodes,
            estimate.window,
            &case.grouping(),
        );
        assert_eq!(grouped.groups.len(), case.result.len());
        for group in &grouped.groups {
            let total = case.result[&group.key][4];
            near.assert(
                group.total().to_f64(),
                total,
                &format!("{}: {}", case.name, group.key),
            );
        }
    }
}
