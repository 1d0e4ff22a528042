//! Nodes of a plan: those that exist, and new ones of given shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::Labels;
use inventory::{Amounts, Node, Source};
use scheduler::{
    ClassId, Cluster, ClusterError, Engine, EngineError, PodId, PodOnNode, Profile, SpecError, Ties,
};

use crate::load::{Kind, Load};
use crate::shape::{Shape, ZONE};

/// Labels of the nodes of every shape, unless it states others: Linux on amd64.
const LABELS: [(&str, &str); 2] = [
    ("kubernetes.io/arch", "amd64"),
    ("kubernetes.io/os", "linux"),
];

/// Fault of a plan's input.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A spec cannot be scheduled as it is written.
    #[error("{name}: {fault}")]
    Spec {
        /// Workload or pod.
        name: Arc<str>,
        /// Fault.
        fault: SpecError,
    },
    /// Nodes of one name.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A profile is wrong.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Nodes of one shape, with the daemons that each of them runs.
#[derive(Debug, Clone)]
pub struct ShapedNode<'a> {
    /// Shape.
    pub shape: &'a Shape,
    /// Numbers of the daemons of the load that run on a node of the shape.
    pub daemons: Vec<usize>,
    /// Daemons that a node of the shape has no room for, with the scheduler's message.
    pub refused: Vec<(usize, String)>,
}

impl<'a> ShapedNode<'a> {
    /// Finds out the daemons of a shape. One whose labels or taints keep it off the node runs
    /// nowhere there and lacks nothing.
    ///
    /// # Errors
    /// A spec that no API server accepts.
    pub fn new(shape: &'a Shape, load: &Load, profile: &Profile) -> Result<Self, PlanError> {
        let mut cluster = Cluster::new(&[node(shape, 0, 0)], BTreeMap::new())?;
        let (mut daemons, mut refused) = (Vec::new(), Vec::new());
        for (number, daemon) in load.daemons.iter().enumerate() {
            let class = class(&mut cluster, daemon)?;
            let evaluation = cluster.evaluate(class, profile);
            if evaluation.placed(Ties::First, 0).is_some() {
                cluster.add(0, pod(u32::MAX, class));
                daemons.push(number);
            } else if lacks_room(&evaluation) {
                refused.push((number, evaluation.message().unwrap_or_default()));
            }
        }
        Ok(Self {
            shape,
            daemons,
            refused,
        })
    }

    /// Returns the amounts that the daemons leave of a node.
    pub fn left(&self, load: &Load) -> Amounts {
        let mut left = self.shape.allocatable.clone();
        let mut take = |name: &str, amount: i64| {
            if let Some(present) = left.get(name) {
                left.set(name, present.saturating_sub(amount).max(0));
            }
        };
        for daemon in &self.daemons {
            for (name, amount) in load.daemons[*daemon].requests().iter() {
                take(name, amount);
            }
            take(inventory::ResourceName::PODS, 1);
        }
        left
    }
}

/// Returns whether a filter by resources refuses some node, and none by labels or taints.
fn lacks_room(evaluation: &scheduler::Evaluation) -> bool {
    evaluation
        .rejected()
        .iter()
        .any(|(_, rejection)| rejection.plugin == scheduler::Plugin::NodeResourcesFit)
}

/// Pod that is on a node before any is placed.
#[derive(Debug, Clone)]
pub struct Present {
    /// Namespace, template and workload.
    pub kind: Kind,
    /// Place in the list of pods that the load was made of.
    pub pod: usize,
    /// Whether the pod goes with its node: one of a DaemonSet.
    pub is_daemon: bool,
}

/// Nodes of a plan.
#[derive(Debug, Clone, Default)]
pub struct Fleet<'a> {
    /// Nodes that exist, and the pods on each.
    pub existing: Vec<(&'a Node, Vec<Present>)>,
    /// New nodes, by shape.
    pub new: Vec<(ShapedNode<'a>, usize)>,
}

impl<'a> Fleet<'a> {
    /// Returns a fleet of equal new nodes.
    pub fn of(shape: &ShapedNode<'a>, count: usize) -> Self {
        Self {
            existing: Vec::new(),
            new: vec![(shape.clone(), count)],
        }
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        let new = self.new.iter().map(|(_, count)| count);
        new.fold(self.existing.len(), |sum, count| sum.saturating_add(*count))
    }

    /// Returns whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns an engine with these nodes, the pods on them and the daemons, and the classes of
    /// the load's kinds. Pods on nodes have the number of their place in the list and
    /// [`FIRST_PRESENT`], daemons have numbers from [`FIRST_DAEMON`] on.
    ///
    /// # Errors
    /// A spec that no API server accepts, or a profile that no scheduler does.
    pub fn engine(
        &self,
        load: &Load,
        profile: &Profile,
        ties: Ties,
    ) -> Result<(Engine, Vec<ClassId>), PlanError> {
        let existing = self.existing.iter().map(|(node, _)| (*node).clone());
        let mut nodes: Vec<Node> = existing.collect();
        for (place, (of_shape, count)) in self.new.iter().enumerate() {
            nodes.extend((0..*count).map(|number| node(of_shape.shape, place, number)));
        }
        let mut cluster = Cluster::new(&nodes, BTreeMap::new())?;
        let mut daemon_numbers = FIRST_DAEMON..;
        let mut daemon_number = || daemon_numbers.next().unwrap_or(u32::MAX);
        for (number, (_, pods)) in self.existing.iter().enumerate() {
            for present in pods {
                let class = class(&mut cluster, &present.kind)?;
                let place = u32::try_from(present.pod).unwrap_or(u32::MAX);
                let id = if present.is_daemon {
                    daemon_number()
                } else {
                    FIRST_PRESENT.saturating_add(place).min(FIRST_DAEMON - 1)
                };
                cluster.add(number, pod(id, class));
            }
        }
        let mut number = self.existing.len();
        for (of_shape, count) in &self.new {
            let daemons = of_shape.daemons.iter();
            let daemons: Result<Vec<_>, _> = daemons
                .map(|daemon| class(&mut cluster, &load.daemons[*daemon]))
                .collect();
            let daemons = daemons?;
            for _ in 0..*count {
                for daemon in &daemons {
                    cluster.add(number, pod(daemon_number(), *daemon));
                }
                number += 1;
            }
        }
        let classes = load.kinds.iter().map(|kind| class(&mut cluster, kind));
        let classes: Vec<_> = classes.collect::<Result<_, _>>()?;
        Ok((Engine::new(cluster, profile.clone(), ties)?, classes))
    }
}

/// Number of the first of the pods that are on nodes before any is placed.
pub const FIRST_PRESENT: u32 = 1 << 31;

/// Number of the first pod that goes with its node.
pub const FIRST_DAEMON: u32 = 3 << 30;

fn class(cluster: &mut Cluster, kind: &Kind) -> Result<ClassId, PlanError> {
    let class = cluster.class(&kind.namespace, &kind.template, kind.selector.as_ref());
    class.map_err(|fault| PlanError::Spec {
        name: Arc::clone(&kind.name),
        fault,
    })
}

/// Returns a pod that has started before all others.
fn pod(id: u32, class: ClassId) -> PodOnNode {
    PodOnNode {
        id: PodId(id),
        class,
        start: PodOnNode::NOT_STARTED,
    }
}

/// Returns a new node of a shape; `place` is that of the shape among several.
fn node(shape: &Shape, place: usize, number: usize) -> Node {
    let name: Arc<str> = format!("new-{place}-{number}").into();
    let mut labels = shape.labels.clone();
    let mut add = |key: &str, value: &str| {
        labels
            .entry(key.to_owned())
            .or_insert_with(|| value.to_owned());
    };
    add("kubernetes.io/hostname", &name);
    for (key, value) in LABELS {
        add(key, value);
    }
    if let Some(zone) = shape.zone(number) {
        add(ZONE, zone);
    }
    let labels: Labels = labels;
    let allocatable = Arc::new(shape.allocatable.clone());
    Node {
        name,
        labels: Arc::new(labels),
        taints: Arc::new([]),
        unschedulable: false,
        capacity: Arc::clone(&allocatable),
        allocatable,
        provider_id: None,
        source: Source {
            file: "--node".into(),
            line: 0,
        },
    }
}
