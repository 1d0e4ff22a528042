//! Nodes and the pods on them.

pub(crate) mod class;
pub(crate) mod node;
pub(crate) mod resources;
pub(crate) mod topology;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use inventory::api::{LabelSelector, Labels};
use inventory::{Node, ResourceName, Template};

pub use class::{Class, ClassId, SpecError};
pub use node::{NodeState, PodId, PodOnNode};
pub use resources::ResourceIndex;

use crate::spec::node_affinity::NodeAffinity;
use crate::spec::selector::Selector;
use crate::spec::taints;
use class::{Context, WrittenTerms};
use node::Usage;
use resources::Resources;
use topology::{Topologies, Topology, TopologyIndex};

/// Fault of the nodes of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// Two nodes have one name.
    #[error("{second}: a node of the name {name:?} is already in {first}")]
    DuplicateNode {
        /// Name.
        name: Arc<str>,
        /// Place of the first node.
        first: inventory::Source,
        /// Place of the second node.
        second: inventory::Source,
    },
}

/// Nodes, the pods on them, and classes of equal pods.
///
/// Nodes keep the order in which they were added; it decides between nodes of equal score.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    nodes: Vec<NodeState>,
    by_name: HashMap<Arc<str>, usize>,
    namespaces: BTreeMap<String, Labels>,
    resources: Resources,
    topologies: Topologies,
    classes: Vec<Class>,
    by_key: HashMap<ClassKey, ClassId>,
    by_address: HashMap<(usize, Arc<str>), (Arc<Template>, ClassId)>,
}

type ClassKey = (Arc<str>, Arc<Template>, Option<LabelSelector>);

/// Largest number of templates that are recognised by their address.
const MOST_ADDRESSES: usize = 1 << 16;

impl Cluster {
    /// Returns a cluster with these nodes, and with labels of namespaces by their names.
    ///
    /// # Errors
    /// Two nodes of one name.
    pub fn new<'a>(
        nodes: impl IntoIterator<Item = &'a Node>,
        namespaces: BTreeMap<String, Labels>,
    ) -> Result<Self, ClusterError> {
        let mut cluster = Self {
            namespaces,
            ..Self::default()
        };
        for node in nodes {
            cluster.add_node(node)?;
        }
        Ok(cluster)
    }

    /// Adds a node behind the others and returns its number.
    ///
    /// # Errors
    /// There is a node of this name.
    pub fn add_node(&mut self, node: &Node) -> Result<usize, ClusterError> {
        let number = self.nodes.len();
        if let Some(&first) = self.by_name.get(&node.name) {
            return Err(ClusterError::DuplicateNode {
                name: Arc::clone(&node.name),
                first: self.nodes[first].node.source.clone(),
                second: node.source.clone(),
            });
        }
        let mut allocatable = Vec::new();
        for (resource, amount) in self.resources.counted(&node.allocatable) {
            allocatable.resize(resource.number() + 1, 0);
            allocatable[resource.number()] = amount;
        }
        self.by_name.insert(Arc::clone(&node.name), number);
        self.topologies.add_node(&node.labels);
        self.nodes.push(NodeState {
            allowed_pods: node.allocatable.get(ResourceName::PODS).unwrap_or(0),
            node: node.clone(),
            allocatable,
            usage: Usage::default(),
            pods: Vec::new(),
        });
        Ok(number)
    }

    /// Returns the class of pods with this namespace and template, after compiling it if it is
    /// new. `selector` selects the pods of the services and the workload that such pods belong to,
    /// if there are any: then the scheduler spreads pods without constraints of their own
    /// (`DefaultSelector` in `pkg/scheduler/framework/plugins/helper/spread.go`).
    ///
    /// # Errors
    /// A selector of the spec that no API server accepts.
    pub fn class(
        &mut self,
        namespace: &Arc<str>,
        template: &Arc<Template>,
        selector: Option<&LabelSelector>,
    ) -> Result<ClassId, SpecError> {
        let address = (Arc::as_ptr(template).addr(), Arc::clone(namespace));
        if selector.is_none()
            && let Some((_, class)) = self.by_address.get(&address)
        {
            return Ok(*class);
        }
        let key = (
            Arc::clone(namespace),
            Arc::clone(template),
            selector.cloned(),
        );
        let class = match self.by_key.get(&key) {
            Some(&class) => class,
            None => {
                let compiled = self.compile(namespace, template, selector)?;
                let class = ClassId(u32::try_from(self.classes.len()).unwrap_or(u32::MAX));
                self.classes.push(compiled);
                self.by_key.insert(key, class);
                class
            }
        };
        if selector.is_none() && self.by_address.len() < MOST_ADDRESSES {
            let template = Arc::clone(template);
            self.by_address.insert(address, (template, class));
        }
        Ok(class)
    }

    fn compile(
        &mut self,
        namespace: &Arc<str>,
        template: &Arc<Template>,
        selector: Option<&LabelSelector>,
    ) -> Result<Class, SpecError> {
        let (topologies, nodes) = (&mut self.topologies, &self.nodes);
        let mut context = Context {
            namespaces: &self.namespaces,
            topology: &mut |key| {
                topologies.number(key, nodes.iter().map(|node| &*node.node.labels))
            },
        };
        let (spec, labels) = (&template.spec, &template.labels);
        let has_own = !spec.topology_spread_constraints.is_empty();
        let spread_soft = if has_own {
            context.spread(template, "ScheduleAnyway")?
        } else {
            let default = Selector::of(selector).map_err(|fault| SpecError {
                field: "selector of the workload",
                fault,
            })?;
            match default {
                Selector::Nothing => Vec::new(),
                selector @ Selector::All(_) => context.default_spread(&selector),
            }
        };
        let terms = WrittenTerms::of(spec);
        Ok(Class {
            spread_hard: context.spread(template, "DoNotSchedule")?,
            spread_soft,
            spread_needs_all_labels: has_own,
            affinity: context.terms(terms.affinity, namespace, labels)?,
            anti_affinity: context.terms(terms.anti_affinity, namespace, labels)?,
            preferred: context.weighted(terms.preferred, namespace, labels)?,
            preferred_anti: context.weighted(terms.preferred_anti, namespace, labels)?,
            requests: self.resources.counted(&template.effective.requests),
            scored_requests: self
                .resources
                .counted(&template.effective.requests_for_scoring),
            node_affinity: NodeAffinity::of(spec),
            tolerates_unschedulable: taints::tolerate_unschedulable(&spec.tolerations),
            namespace: Arc::clone(namespace),
            template: Arc::clone(template),
            on_nodes: BTreeMap::new(),
        })
    }

    /// Puts a pod on a node, whether or not it fits.
    ///
    /// # Panics
    /// The cluster has no such node or class.
    pub fn add(&mut self, node: usize, pod: PodOnNode) {
        let class = &mut self.classes[pod.class.number()];
        *class.on_nodes.entry(narrow(node)).or_insert(0) += 1;
        let node = &mut self.nodes[node];
        node.usage.add(class);
        node.pods.push(pod);
    }

    /// Takes a pod off a node and returns it; `None` if the node does not have it.
    ///
    /// # Panics
    /// The cluster has no such node.
    pub fn remove(&mut self, node: usize, pod: PodId) -> Option<PodOnNode> {
        let state = &mut self.nodes[node];
        let place = state.pods.iter().position(|other| other.id == pod)?;
        let removed = state.pods.remove(place);
        let class = &mut self.classes[removed.class.number()];
        state.usage.remove(class);
        if let Some(count) = class.on_nodes.get_mut(&narrow(node)) {
            *count -= 1;
            if *count == 0 {
                class.on_nodes.remove(&narrow(node));
            }
        }
        Some(removed)
    }

    /// Returns the nodes.
    pub fn nodes(&self) -> &[NodeState] {
        &self.nodes
    }

    /// Returns the number of the node with this name.
    pub fn find_node(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Returns a class.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn class_of(&self, class: ClassId) -> &Class {
        &self.classes[class.number()]
    }

    /// Returns the classes, in the order of their numbers.
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// Returns the number of a resource that some node or pod has.
    pub fn resource(&self, name: &str) -> Option<ResourceIndex> {
        self.resources.find(name)
    }

    /// Returns the name of a resource.
    ///
    /// # Panics
    /// The number is of another cluster.
    pub fn resource_name(&self, resource: ResourceIndex) -> &ResourceName {
        self.resources.name(resource)
    }

    /// Returns the number of different resources.
    pub fn resource_count(&self) -> usize {
        self.resources.len()
    }

    pub(crate) fn topology(&self, index: TopologyIndex) -> &Topology {
        self.topologies.get(index)
    }

    /// Returns the labels of a namespace; none if it is unknown.
    pub(crate) fn namespace_labels(&self, namespace: &str) -> &Labels {
        static NO_LABELS: Labels = Labels::new();
        self.namespaces.get(namespace).unwrap_or(&NO_LABELS)
    }
}

/// Returns the number of a node in the form in which classes keep it.
fn narrow(node: usize) -> u32 {
    u32::try_from(node).unwrap_or(u32::MAX)
}
