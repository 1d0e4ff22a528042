//! Small clusters with short descriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::{LabelSelector, Labels, PodSpec, Taint};
use inventory::{Amounts, Node, Source, Template, Timestamp};
use scheduler::{Budget, ClassId, Cluster, Evaluation, Plugin, PodId, PodOnNode, Profile};
use serde_json::{Value, json};

/// Node of 4 cores, 8 GiB and 10 pods.
#[derive(Debug, Clone)]
pub struct TestNode(Node);

pub fn node(name: &str) -> TestNode {
    let amounts = [("cpu", 4000), ("memory", 8 << 30), ("pods", 10)];
    let amounts: Arc<Amounts> = Arc::new(amounts.into_iter().collect());
    TestNode(Node {
        name: name.into(),
        labels: Arc::new(labels(&[("kubernetes.io/hostname", name)])),
        taints: Arc::new([]),
        unschedulable: false,
        allocatable: Arc::clone(&amounts),
        capacity: amounts,
        provider_id: None,
        source: Source {
            file: "test".into(),
            line: 1,
        },
    })
}

impl TestNode {
    pub fn label(mut self, key: &str, value: &str) -> Self {
        Arc::make_mut(&mut self.0.labels).insert(key.to_owned(), value.to_owned());
        self
    }

    pub fn taint(mut self, key: &str, value: &str, effect: &str) -> Self {
        self.0.taints = Arc::new([Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        }]);
        self
    }

    pub fn pods(mut self, count: i64) -> Self {
        Arc::make_mut(&mut self.0.allocatable).set("pods", count);
        self
    }

    pub fn unschedulable(mut self) -> Self {
        self.0.unschedulable = true;
        self
    }
}

pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

pub fn selector(pairs: &[(&str, &str)]) -> LabelSelector {
    LabelSelector {
        match_labels: labels(pairs),
        ..LabelSelector::default()
    }
}

pub struct World {
    nodes: Vec<Node>,
    namespaces: BTreeMap<String, Labels>,
    default: Option<LabelSelector>,
    pub cluster: Cluster,
    pub profile: Profile,
    pub budgets: Vec<Budget>,
    pods: u32,
}

impl World {
    pub fn new(nodes: &[TestNode]) -> Self {
        let nodes: Vec<_> = nodes.iter().map(|node| node.0.clone()).collect();
        Self {
            cluster: Cluster::new(&nodes, BTreeMap::new()).unwrap(),
            nodes,
            namespaces: BTreeMap::new(),
            default: None,
            profile: Profile::default(),
            budgets: Vec::new(),
            pods: 0,
        }
    }

    /// Adds a namespace; no pod runs yet.
    pub fn namespace(mut self, name: &str, pairs: &[(&str, &str)]) -> Self {
        self.namespaces.insert(name.to_owned(), labels(pairs));
        self.cluster = Cluster::new(&self.nodes, self.namespaces.clone()).unwrap();
        self
    }

    /// Lets all pods be of a workload with this selector.
    pub fn default_selector(mut self, pairs: &[(&str, &str)]) -> Self {
        self.default = Some(selector(pairs));
        self
    }

    fn class_in(&mut self, namespace: &str, pairs: &[(&str, &str)], spec: Value) -> ClassId {
        let mut spec = spec;
        if spec["containers"].is_null() {
            spec["containers"] = json!([{"name": "c"}]);
        }
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        let template = Arc::new(Template::new(labels(pairs), spec));
        self.cluster
            .class(&namespace.into(), &template, self.default.as_ref())
            .unwrap()
    }

    pub fn class(&mut self, pairs: &[(&str, &str)], spec: Value) -> ClassId {
        self.class_in("default", pairs, spec)
    }

    pub fn run(&mut self, node: &str, pairs: &[(&str, &str)], spec: Value) {
        self.run_in("default", node, pairs, spec);
    }

    pub fn run_in(&mut self, namespace: &str, node: &str, pairs: &[(&str, &str)], spec: Value) {
        let class = self.class_in(namespace, pairs, spec);
        let node = self.cluster.find_node(node).unwrap();
        let id = PodId(self.pods);
        self.pods += 1;
        let start = Timestamp(i64::from(id.0));
        self.cluster.add(node, PodOnNode { id, class, start });
    }

    fn evaluate(&mut self, pairs: &[(&str, &str)], spec: Value) -> Evaluation {
        let class = self.class(pairs, spec);
        self.cluster.evaluate(class, &self.profile)
    }

    fn name(&self, node: usize) -> String {
        self.cluster.nodes()[node].node().name.to_string()
    }

    pub fn feasible(&mut self, pairs: &[(&str, &str)], spec: Value) -> Vec<String> {
        let evaluation = self.evaluate(pairs, spec);
        let feasible = evaluation.feasible().iter();
        feasible.map(|&node| self.name(node)).collect()
    }

    pub fn message(&mut self, pairs: &[(&str, &str)], spec: Value) -> String {
        self.evaluate(pairs, spec).message().expect("a refusal")
    }

    pub fn scores(
        &mut self,
        pairs: &[(&str, &str)],
        spec: Value,
        plugin: Plugin,
    ) -> Vec<Option<i64>> {
        let evaluation = self.evaluate(pairs, spec);
        let scores = evaluation.scores().iter();
        scores.map(|scores| scores.of(plugin)).collect()
    }

    /// Returns the node, the victims and the violated budgets, or both messages.
    pub fn preempt(
        &mut self,
        pairs: &[(&str, &str)],
        spec: Value,
    ) -> Result<(String, Vec<u32>, usize), (String, String)> {
        let class = self.class(pairs, spec);
        let evaluation = self.cluster.evaluate(class, &self.profile);
        let preempted = self
            .cluster
            .preempt(class, &self.profile, &evaluation, &self.budgets);
        match preempted {
            Ok(nomination) => {
                let victims = nomination.victims.iter().map(|pod| pod.id.0).collect();
                let node = self.name(nomination.node);
                Ok((node, victims, nomination.violations))
            }
            Err(words) => Err((words.preemption, words.all)),
        }
    }
}
