//! The cost of the planner's work: reading journals and usage, placing pods, recommending requests,
//! computing costs, deciding on pods. The floors read the same bytes line by line, or walk over
//! the same amounts as plain arrays.

mod beside;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use admission::{Policies, Requester, replay, typed_pod};
use cel::{Bindings, Budget, Environment, Evaluated, Type, Value};
use cost::{Container, Grouping, Idle, Interval, Names, PricedNode, Rates, UnitPrices, Window};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inventory::api::{Labels, PodSpec};
use inventory::journal::{JournalOptions, JournalReader, Segment};
use inventory::usage::UsageReader;
use inventory::{Amounts, InventoryBuilder, Node, Object, Pod, Source, Template, Timestamp};
use rightsizing::vpa::{Observation, Recommender};
use scheduler::{Cluster, Engine, PodId, PodOnNode, Profile, Ties};
use serde_json::json;
use testing::journal::JournalWriter;

use beside::beside;

/// Pods of the journal and of the placement.
const PODS: u32 = 100_000;
/// Classes of pods.
const CLASSES: usize = 200;
/// Nodes.
const NODES: usize = 1_000;
/// Samples of usage.
const SAMPLES: i64 = 1_000_000;

/// Sums the bytes of the lines of a text, found as a reader must find them.
fn lines(text: &str) -> usize {
    let mut sum = 0;
    for line in text.as_bytes().split(|byte| *byte == b'\n') {
        sum += black_box(line).len();
    }
    sum
}

fn source() -> Source {
    Source {
        file: "bench".into(),
        line: 0,
    }
}

fn template(class: usize) -> Arc<Template> {
    let requests = json!({
        "cpu": format!("{}m", 50 * (1 + class % 8)),
        "memory": format!("{}Mi", 64 * (1 + class % 16)),
    });
    let spec = json!({"containers": [{"name": "c", "resources": {"requests": requests}}]});
    let spec: PodSpec = serde_json::from_value(spec).expect("a spec");
    let labels: Labels = [("app".to_owned(), format!("app-{class}"))].into();
    Arc::new(Template::new(labels, spec))
}

/// A journal with every record of 100,000 pods. The floor finds the lines and checks their sums,
/// which a reader that notices damage must do.
fn journal(c: &mut Criterion) {
    let mut text = String::new();
    JournalWriter::default().write(&mut text, 0..u64::from(PODS));
    let mut group = c.benchmark_group("planner/journal_100000_pods");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(text.len() as u64));
    beside(
        group,
        |b| {
            b.iter(|| {
                let mut builder = InventoryBuilder::new();
                let options = JournalOptions { node_memory: None };
                let mut reader = JournalReader::new("journal", 0, options);
                let segment = Segment {
                    first: 1,
                    next: None,
                };
                reader
                    .segment(&mut builder, "1.jsonl", segment, &mut text.as_bytes())
                    .expect("a journal");
                reader.finish(&mut builder);
                builder.finish().expect("an inventory").pods.len()
            });
        },
        |b| {
            b.iter(|| {
                let lines = text.as_bytes().split(|byte| *byte == b'\n');
                lines.fold(0, |sum, line| sum ^ crc32fast::hash(line))
            });
        },
    );
}

/// A list of samples as CSV.
fn usage(c: &mut Criterion) {
    let mut text = "time,namespace,pod,container,cpu_millicores,memory_bytes\n".to_owned();
    for sample in 0..SAMPLES / 4 {
        let (series, minute) = (sample / 1440, sample % 1440);
        let time = 1_700_000_000 + minute * 60;
        let memory = (64 << 20) + sample % 4096;
        let cpu = sample % 900;
        writeln!(text, "{time},team,web-{series},app,{cpu}.5,{memory}").expect("a string takes it");
    }
    let mut group = c.benchmark_group("planner/usage_250000_rows");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(text.len() as u64));
    beside(
        group,
        |b| {
            b.iter(|| {
                let (mut builder, mut reader) = (InventoryBuilder::new(), UsageReader::new());
                let read = reader.read("bench", &mut text.as_bytes(), None);
                read.expect("samples");
                reader.finish(&mut builder);
                builder.finish().expect("an inventory").usage.len()
            });
        },
        |b| b.iter(|| lines(&text)),
    );
}

fn nodes() -> Vec<Node> {
    let node = |number: usize| {
        let name = format!("node-{number}");
        let cores = 32_000 + 8_000 * i64::try_from(number % 3).unwrap_or(0);
        let amounts = [("cpu", cores), ("memory", 256 << 30), ("pods", 250)];
        let allocatable: Arc<Amounts> = Arc::new(amounts.into_iter().collect());
        Node {
            labels: Arc::new([("kubernetes.io/hostname".to_owned(), name.clone())].into()),
            name: name.into(),
            taints: Arc::new([]),
            unschedulable: false,
            capacity: Arc::clone(&allocatable),
            allocatable,
            provider_id: None,
            source: source(),
        }
    };
    (0..NODES).map(node).collect()
}

/// Placement of 100,000 pods of 200 classes on 1,000 nodes. The floor adds the requests of each pod
/// to a node of an array, without a choice.
fn schedule(c: &mut Criterion) {
    let nodes = nodes();
    let templates: Vec<_> = (0..CLASSES).map(template).collect();
    let class_of = |pod: u32| pod as usize * 7_919 % CLASSES;
    let mut group = c.benchmark_group("planner/schedule_100000_pods");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(PODS)));
    beside(
        group,
        |b| {
            b.iter(|| {
                let cluster = Cluster::new(&nodes, BTreeMap::new()).expect("nodes");
                let mut engine =
                    Engine::new(cluster, Profile::default(), Ties::First).expect("a profile");
                let classes: Vec<_> = templates
                    .iter()
                    .map(|template| engine.class(&"default".into(), template, None))
                    .collect::<Result<_, _>>()
                    .expect("valid specs");
                let pods = (0..PODS).map(|number| PodOnNode {
                    id: PodId(number),
                    class: classes[class_of(number)],
                    start: PodOnNode::NOT_STARTED,
                });
                pods.filter_map(|pod| engine.place(pod)).count()
            });
        },
        |b| {
            let requests: Vec<_> = templates
                .iter()
                .map(|template| {
                    let requests = &template.effective.requests;
                    (requests.cpu(), requests.memory())
                })
                .collect();
            b.iter(|| {
                let mut sums = vec![(0_i64, 0_i64, 0_u32); NODES];
                for pod in 0..PODS {
                    let (cpu, memory) = requests[class_of(pod)];
                    let sum = &mut sums[pod as usize % NODES];
                    *sum = (sum.0 + cpu, sum.1 + memory, sum.2 + 1);
                }
                black_box(sums)
            });
        },
    );
}

/// VPA's recommendation from a million samples. The floor adds each sample to a bucket of an array.
fn recommend(c: &mut Criterion) {
    let drawn = |number: i64| (number.wrapping_mul(6_364_136_223_846_793_005) >> 40).abs();
    let mut group = c.benchmark_group("planner/vpa_1000000_samples");
    group.sample_size(10);
    group.throughput(Throughput::Elements(SAMPLES.unsigned_abs()));
    beside(
        group,
        |b| {
            b.iter(|| {
                let mut recommender = Recommender::default();
                for number in 0..SAMPLES / 2 {
                    let time = Timestamp::from_seconds(1_767_225_600 + 15 * (number / 100));
                    let pod = usize::try_from(number % 100).unwrap_or(0);
                    let drawn = drawn(number);
                    recommender.add(pod, time, Observation::Cpu(drawn % 3_000));
                    recommender.add(pod, time, Observation::Memory(drawn << 8));
                }
                recommender.estimate(1).target
            });
        },
        |b| {
            b.iter(|| {
                let mut buckets = [[0.0_f64; 256]; 2];
                for number in 0..SAMPLES / 2 {
                    let drawn = drawn(number);
                    for (buckets, sample) in buckets.iter_mut().zip([drawn % 3_000, drawn]) {
                        buckets[usize::try_from(sample % 256).unwrap_or(0)] += 1.0;
                    }
                }
                black_box(buckets)
            });
        },
    );
}

fn containers(count: usize, intervals: usize) -> Vec<Container> {
    let labels = Arc::new([("team".to_owned(), "a".to_owned())].into());
    let interval = |number: usize, place: usize| {
        let start = i64::try_from(place).unwrap_or(0) * 30_000_000_000;
        let usage = (number * 7_919 + place * 104_729) as u128 % 1000;
        Interval {
            start: Timestamp(start),
            end: Timestamp(start + 30_000_000_000),
            request: Rates {
                cpu: 500_000_000,
                memory: 1 << 40,
                gpu: 0,
            },
            usage: Rates {
                cpu: usage * 1_000_003,
                memory: usage << 31,
                gpu: 0,
            },
        }
    };
    let container = |number: usize| Container {
        names: Names {
            namespace: format!("ns{}", number % 200).into(),
            pod: format!("pod-{number}").into(),
            container: "app".into(),
            node: Some(format!("n{}", number % NODES).into()),
            owner: None,
            labels: Arc::clone(&labels),
        },
        intervals: (0..intervals)
            .map(|place| interval(number, place))
            .collect(),
    };
    (0..count).map(container).collect()
}

/// Costs of 10,000 containers with 10 intervals each. The floor multiplies the larger of request
/// and usage of each interval by its length and adds it to a sum.
fn costs(c: &mut Criterion) {
    let containers = containers(10_000, 10);
    let prices = UnitPrices {
        cpu: "0.031611".parse().expect("a price"),
        memory: "0.004237".parse().expect("a price"),
        gpu: "0.95".parse().expect("a price"),
    };
    let nodes: Vec<_> = (0..NODES)
        .map(|node| PricedNode {
            name: format!("n{node}").into(),
            capacity: Rates {
                cpu: 640_000_000_000,
                memory: 4 << 50,
                gpu: 0,
            },
            prices,
            start: None,
            end: None,
        })
        .collect();
    let grouping = Grouping {
        by: vec!["namespace".parse().expect("a property")],
        cluster: "c".to_owned(),
        idle: Idle::SharedOnNode,
        shares: Vec::new(),
        overheads: Vec::new(),
    };
    let day = Window::new(Timestamp(0), Timestamp(86_400_000_000_000)).expect("a window");
    let mut group = c.benchmark_group("planner/costs_100000_intervals");
    group.sample_size(10);
    group.throughput(Throughput::Elements(100_000));
    beside(
        group,
        |b| {
            b.iter(|| {
                let allocations: Vec<_> = containers
                    .iter()
                    .filter_map(|of| cost::allocate(of, &prices, day).expect("intervals"))
                    .collect();
                let costs = cost::node_costs(&nodes, &allocations, day).expect("nodes");
                cost::group(&allocations, &costs, day, &grouping)
                    .groups
                    .len()
            });
        },
        |b| {
            b.iter(|| {
                let mut sums = [0_u128; 2];
                for interval in containers.iter().flat_map(|of| &of.intervals) {
                    let (request, usage) = (interval.request, interval.usage);
                    let length = u128::from((interval.end.0 - interval.start.0).unsigned_abs());
                    sums[0] += request.cpu.max(usage.cpu) * length;
                    sums[1] += request.memory.max(usage.memory) * length;
                }
                black_box(sums)
            });
        },
    );
}

/// LimitRange and ResourceQuota on 100,000 pods. The floor sums the requests by namespace.
fn policies(c: &mut Criterion) {
    let mut objects = Vec::new();
    for namespace in 0..20 {
        let meta = |name: &str| json!({"name": name, "namespace": format!("n{namespace}")});
        objects.push((
            "LimitRange",
            json!({"metadata": meta("l"), "spec": {"limits": [{
                "type": "Container", "default": {"cpu": "2", "memory": "2Gi"}, "max": {"cpu": "64"},
            }]}}),
        ));
        objects.push((
            "ResourceQuota",
            json!({"metadata": meta("q"), "spec": {"hard": {
                "requests.cpu": "60", "requests.memory": "300Gi", "pods": "900",
            }}}),
        ));
    }
    let objects: Vec<_> = objects
        .into_iter()
        .map(|(kind, value)| Object {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            value,
            source: source(),
        })
        .collect();
    let policies = Policies::read(&objects).expect("policies");
    let templates: Vec<_> = (0..CLASSES).map(template).collect();
    let namespaces: Vec<Arc<str>> = (0..20).map(|number| format!("n{number}").into()).collect();
    let pods: Vec<_> = (0..PODS)
        .map(|number| {
            let second = i64::from(number / 10);
            Pod {
                namespace: Arc::clone(&namespaces[number as usize % 20]),
                name: format!("pod-{number}").into(),
                uid: None,
                template: Arc::clone(&templates[number as usize * 7 % CLASSES]),
                owner: None,
                node: None,
                arrival: Some(Timestamp::from_seconds(second)),
                departure: Some(Timestamp::from_seconds(
                    second + 600 + i64::from(number % 977),
                )),
                source: source(),
            }
        })
        .collect();
    let mut group = c.benchmark_group("planner/quota_100000_pods");
    group.sample_size(10);
    group.throughput(Throughput::Elements(u64::from(PODS)));
    beside(
        group,
        |b| {
            b.iter(|| {
                replay(&pods, &policies, &Requester::default())
                    .decisions
                    .len()
            });
        },
        |b| {
            b.iter(|| {
                let mut sums = [(0_i64, 0_i64); 20];
                for (number, pod) in pods.iter().enumerate() {
                    let requests = &pod.template.effective.requests;
                    let sum = &mut sums[number % 20];
                    *sum = (sum.0 + requests.cpu(), sum.1 + requests.memory());
                }
                black_box(sums)
            });
        },
    );
}

struct Case(Value);

impl Bindings for Case {
    fn global(&self, _: usize) -> Value {
        self.0.clone()
    }

    fn variable(&self, _: usize, _: &mut Budget) -> Evaluated<Value> {
        Ok(Value::Null)
    }
}

/// A policy of CEL about the limits of a pod. The floor walks over the same fields of a tree of
/// JSON.
fn expressions(c: &mut Criterion) {
    let pod = json!({"metadata": {"name": "a", "namespace": "n"}, "spec": {"containers": [
        {"name": "a", "image": "i", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
        {"name": "b", "image": "i", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
    ]}});
    let mut environment = Environment::default();
    environment.declare("object", Type::Dyn);
    let program = environment
        .compile(
            "object.spec.containers.all(c, has(c.resources.limits) && 'memory' in c.resources.limits)",
        )
        .expect("an expression");
    let case = Case(typed_pod(&pod));
    beside(
        c.benchmark_group("planner/cel_limits_of_two_containers"),
        |b| b.iter(|| program.evaluate(&case, &mut Budget::new(Budget::PER_CALL))),
        |b| {
            b.iter(|| {
                let containers = black_box(&pod)["spec"]["containers"].as_array();
                let has_limit =
                    |of: &serde_json::Value| of["resources"]["limits"].get("memory").is_some();
                containers.is_some_and(|all| all.iter().all(has_limit))
            });
        },
    );
}

criterion_group!(
    planner,
    journal,
    usage,
    schedule,
    recommend,
    costs,
    policies,
    expressions
);
criterion_main!(planner);
