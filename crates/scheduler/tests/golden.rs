//! Compares with the answers of kube-scheduler's own code, every integer and every byte.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::{Labels, PodSpec, Taint};
use inventory::{Amounts, Node, Source, Template, Timestamp};
use scheduler::{Cluster, Evaluation, Plugin, PodId, PodOnNode, Profile, Scores, Strategy, Ties};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct GoldenNode {
    name: String,
    cpu_millicores: i64,
    memory_bytes: i64,
    pods: i64,
    gpu: Option<i64>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    taints: Vec<Taint>,
    #[serde(default)]
    unschedulable: bool,
}

impl GoldenNode {
    fn node(self) -> Node {
        let mut allocatable: Amounts = [
            ("cpu", self.cpu_millicores),
            ("memory", self.memory_bytes),
            ("pods", self.pods),
        ]
        .into_iter()
        .collect();
        if let Some(gpu) = self.gpu {
            allocatable.set("example.com/gpu", gpu);
        }
        let mut labels = self.labels;
        labels.insert("kubernetes.io/hostname".to_owned(), self.name.clone());
        node(
            &self.name,
            labels,
            self.taints,
            self.unschedulable,
            allocatable,
        )
    }
}

fn node(
    name: &str,
    labels: Labels,
    taints: Vec<Taint>,
    unschedulable: bool,
    allocatable: Amounts,
) -> Node {
    let amounts = Arc::new(allocatable);
    Node {
        name: name.into(),
        labels: Arc::new(labels),
        taints: taints.into(),
        unschedulable,
        allocatable: Arc::clone(&amounts),
        capacity: amounts,
        provider_id: None,
        source: Source {
            file: "golden".into(),
            line: 0,
        },
    }
}

macro_rules! golden {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!(
            "../../../tests/data/golden/",
            $name,
            ".json"
        )))
        .expect("JSON")
    };
}

fn nodes(golden: &Value) -> Vec<Node> {
    let nodes: Vec<GoldenNode> = serde_json::from_value(golden["nodes"].clone()).unwrap();
    nodes.into_iter().map(GoldenNode::node).collect()
}

fn template(labels: &Value, spec: &Value) -> Arc<Template> {
    let labels = serde_json::from_value::<Option<Labels>>(labels.clone()).unwrap();
    let spec: PodSpec = serde_json::from_value(spec.clone()).unwrap();
    Arc::new(Template::new(labels.unwrap_or_default(), spec))
}

/// Returns the spec of a pod that the file describes by the requests of its containers.
fn spec(pod: &Value) -> Value {
    let container = |container: &Value| {
        let mut requests = json!({});
        if let Some(cpu) = container["cpu_millicores"].as_i64() {
            requests["cpu"] = json!(format!("{cpu}m"));
        }
        if let Some(memory) = container["memory_bytes"].as_i64() {
            requests["memory"] = json!(memory.to_string());
        }
        json!({"name": "c", "resources": {"requests": requests}})
    };
    let containers = pod["containers"].as_array().unwrap();
    let containers: Vec<_> = containers.iter().map(container).collect();
    json!({"containers": containers})
}

struct Run {
    cluster: Cluster,
    profile: Profile,
    pods: u32,
}

impl Run {
    fn new(nodes: &[Node], profile: Profile) -> Self {
        Self {
            cluster: Cluster::new(nodes, BTreeMap::new()).unwrap(),
            profile,
            pods: 0,
        }
    }

    fn put(&mut self, node: &str, template: &Arc<Template>, start: Timestamp) -> PodId {
        let class = self
            .cluster
            .class(&"default".into(), template, None)
            .unwrap();
        let id = PodId(self.pods);
        self.pods += 1;
        let node = self.cluster.find_node(node).unwrap();
        self.cluster.add(node, PodOnNode { id, class, start });
        id
    }

    fn evaluate(&mut self, template: &Arc<Template>) -> Evaluation {
        let class = self
            .cluster
            .class(&"default".into(), template, None)
            .unwrap();
        self.cluster.evaluate(class, &self.profile)
    }

    fn place(&mut self, template: &Arc<Template>, evaluation: &Evaluation) -> Option<usize> {
        let node = evaluation.placed(Ties::First, 0)?;
        let name = Arc::clone(&self.cluster.nodes()[node].node().name);
        self.put(&name, template, PodOnNode::NOT_STARTED);
        Some(node)
    }
}

/// Writes an evaluation in the form of the golden files.
fn step(pod: &Value, evaluation: &Evaluation, nodes: usize, weighted: bool) -> Value {
    if let Some(message) = evaluation.message() {
        return json!({"pod": pod, "unschedulable": message});
    }
    let feasible = match evaluation.feasible() {
        all if all.len() == nodes && !weighted => json!("all"),
        some => json!(some),
    };
    let scores = evaluation.scores();
    let mut step = json!({
        "pod": pod,
        "feasible": feasible,
        "best": evaluation.best(),
        "placed": evaluation.placed(Ties::First, 0),
        "total": scores.iter().map(Scores::total).collect::<Vec<_>>(),
    });
    let mut part = |name: &str, plugin| {
        let of: Option<Vec<_>> = scores.iter().map(|scores| scores.of(plugin)).collect();
        if let Some(of) = of {
            step[name] = json!(of);
        }
    };
    part("fit", Plugin::NodeResourcesFit);
    part("balanced", Plugin::NodeResourcesBalancedAllocation);
    if weighted {
        part("taint_x3", Plugin::TaintToleration);
        part("node_affinity_x2", Plugin::NodeAffinity);
        part("spread_x2", Plugin::PodTopologySpread);
        part("pod_affinity_x2", Plugin::InterPodAffinity);
    }
    step
}

fn schedule(golden: &Value, strategy: Strategy, weighted: bool) {
    let nodes = nodes(golden);
    let mut profile = Profile {
        strategy,
        ..Profile::default()
    };
    if !weighted {
        // The file counts two plugins alone; no node has a taint.
        profile.weights.taint_toleration = 0;
    }
    let mut run = Run::new(&nodes, profile);
    let (pods, steps) = (
        golden["pods"].as_array().unwrap(),
        golden["steps"].as_array().unwrap(),
    );
    assert_eq!(pods.len(), steps.len());
    for (pod, expected) in pods.iter().zip(steps) {
        let template = match &pod["spec"] {
            Value::Null => template(&pod["labels"], &spec(pod)),
            spec => template(&pod["labels"], spec),
        };
        let evaluation = run.evaluate(&template);
        let found = step(&pod["name"], &evaluation, nodes.len(), weighted);
        let mut expected = expected.clone();
        if weighted && expected["feasible"] == "all" {
            expected["feasible"] = json!((0..nodes.len()).collect::<Vec<_>>());
        }
        assert_eq!(found, expected);
        run.place(&template, &evaluation);
    }
}

#[test]
fn pods_go_to_the_emptiest_nodes() {
    schedule(&golden!("schedule-least"), Strategy::LeastAllocated, false);
}

#[test]
fn pods_go_to_the_fullest_nodes() {
    schedule(&golden!("schedule-most"), Strategy::MostAllocated, false);
}

#[test]
fn all_plugins_score_as_upstream() {
    schedule(&golden!("schedule-full"), Strategy::LeastAllocated, true);
}

#[test]
fn as_many_more_pods_fit() {
    let golden = golden!("count");
    let nodes = nodes(&golden);
    for case in golden["cases"].as_array().unwrap() {
        let mut run = Run::new(&nodes, Profile::default());
        for pod in golden["running"].as_array().unwrap() {
            let requests = spec(&json!({"containers": [pod]}));
            let template = template(&json!({"app": pod["app"]}), &requests);
            run.put(pod["node"].as_str().unwrap(), &template, Timestamp(0));
        }
        let more = template(&case["labels"], &case["spec"]);
        let mut on_nodes = BTreeMap::<String, usize>::new();
        let stop = loop {
            let evaluation = run.evaluate(&more);
            match run.place(&more, &evaluation) {
                Some(node) => {
                    let name = run.cluster.nodes()[node].node().name.to_string();
                    *on_nodes.entry(name).or_insert(0) += 1;
                }
                None => break evaluation.message(),
            }
        };
        let replicas: usize = on_nodes.values().sum();
        let found = json!({"on_nodes": on_nodes, "replicas": replicas, "stop": stop});
        assert_eq!(found, case["expect"], "{}", case["name"]);
    }
}

#[test]
fn the_same_pods_make_room() {
    let golden = golden!("preemption");
    let nodes: Vec<_> = (0..5)
        .map(|number| {
            let amounts = [("cpu", 4000), ("memory", 8 << 30), ("pods", 20)];
            let allocatable = amounts.into_iter().collect();
            let name = format!("node-{number:02}");
            node(&name, Labels::new(), Vec::new(), false, allocatable)
        })
        .collect();
    let of = |pod: &Value| {
        let mut requests = spec(&json!({"containers": [{
            "cpu_millicores": pod["cpu_millicores"], "memory_bytes": 256 << 20,
        }]}));
        requests["priority"] = pod["priority"].clone();
        template(&Value::Null, &requests)
    };
    for case in golden["cases"].as_array().unwrap() {
        let mut run = Run::new(&nodes, Profile::default());
        let mut names = BTreeMap::new();
        for pod in case["running"].as_array().unwrap() {
            let start = Timestamp::from_seconds(pod["started_s"].as_i64().unwrap());
            let id = run.put(pod["node"].as_str().unwrap(), &of(pod), start);
            names.insert(id, pod["name"].as_str().unwrap());
        }
        let pod = of(&case["pod"]);
        let evaluation = run.evaluate(&pod);
        let name = |node: usize| run.cluster.nodes()[node].node().name.to_string();
        let found = if evaluation.feasible().is_empty() {
            let class = run.cluster.clone().class(&"default".into(), &pod, None);
            let class = class.unwrap();
            match run.cluster.preempt(class, &run.profile, &evaluation, &[]) {
                Ok(nomination) => {
                    let victims = nomination.victims.iter().map(|pod| names[&pod.id]);
                    let mut victims: Vec<_> = victims.collect();
                    victims.sort_unstable();
                    json!({"node": name(nomination.node), "victims": victims})
                }
                Err(words) => json!({"none": words.preemption, "victims": null}),
            }
        } else {
            let fits: Vec<_> = evaluation.feasible().iter().copied().map(name).collect();
            json!({"fits_without": fits})
        };
        assert_eq!(found, case["expect"], "seed {}", case["seed"]);
    }
}
