//! Pods, nodes and their usage, as every command of the planner sees them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::api::{Labels, PodSpec, Quantities, ResourceRequirements, Taint};
use crate::effective::Effective;
use crate::{Amounts, ResourceName, Source, Timestamp};

/// What equal pods have in common: pods of one workload share one template.
///
/// Two templates are equal if their labels, specs, objects as written and sources are.
#[derive(Debug, Clone)]
pub struct Template {
    /// Labels.
    pub labels: Labels,
    /// Spec, as it was written.
    pub spec: PodSpec,
    /// Resources, class and ports after the defaults of the API server.
    pub effective: Effective,
    /// The pod or the pod template as it was written, with `metadata` and `spec`; `None` if the
    /// input has no such object or the reader was not asked to keep it. Policies look at fields
    /// that [`PodSpec`] does not have.
    pub raw: Option<Arc<serde_json::Value>>,
    /// Source of the memory request.
    pub memory_source: MemorySource,
}

/// Source of a pod's memory request: of two containers the later one in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemorySource {
    /// There is no request.
    Absent,
    /// The input states the request.
    Stated,
    /// The annotation of `kubectl apply` in a journal states the request.
    Applied,
    /// The pod has the class Guaranteed by its OOM score adjustment, so that the request is the
    /// limit.
    Guaranteed,
    /// The OOM score adjustment shows a range, and the request is its middle.
    Estimated,
    /// The limit is taken for the request, as the API server does where none is stated.
    Limit,
    /// A journal shows no request, and none is taken for granted.
    Unknown,
}

impl MemorySource {
    /// All sources, in their order.
    pub const ALL: [Self; 7] = [
        Self::Absent,
        Self::Stated,
        Self::Applied,
        Self::Guaranteed,
        Self::Estimated,
        Self::Limit,
        Self::Unknown,
    ];

    /// Returns the source of a manifest's memory request.
    fn of(spec: &PodSpec) -> Self {
        let of_resources = |resources: &ResourceRequirements| {
            let states = |amounts: &Quantities| amounts.contains_key(ResourceName::MEMORY);
            match (states(&resources.requests), states(&resources.limits)) {
                (true, _) => Self::Stated,
                (false, true) => Self::Limit,
                (false, false) => Self::Absent,
            }
        };
        let containers = spec.containers.iter().chain(&spec.init_containers);
        let of_containers = containers.map(|container| of_resources(&container.resources));
        let of_containers = of_containers.max().unwrap_or(Self::Absent);
        match spec.resources.as_ref().map(of_resources) {
            Some(of_pod) if of_pod != Self::Absent => of_pod,
            _ => of_containers,
        }
    }

    /// Returns the name of the source in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Stated => "stated",
            Self::Applied => "applied",
            Self::Guaranteed => "guaranteed",
            Self::Estimated => "estimated",
            Self::Limit => "limit",
            Self::Unknown => "unknown",
        }
    }
}

impl Template {
    /// Returns the template of pods with these labels and this spec.
    pub fn new(labels: Labels, spec: PodSpec) -> Self {
        let effective = Effective::of(&spec);
        Self {
            memory_source: MemorySource::of(&spec),
            labels,
            spec,
            effective,
            raw: None,
        }
    }

    /// Keeps the object from which the template was read, with `metadata` and `spec`.
    #[must_use]
    pub fn with_raw(mut self, raw: Arc<serde_json::Value>) -> Self {
        self.raw = Some(raw);
        self
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.labels == other.labels
            && self.spec == other.spec
            && self.raw == other.raw
            && self.memory_source == other.memory_source
    }
}

impl Eq for Template {}

impl Hash for Template {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.labels.hash(state);
        self.spec.hash(state);
    }
}

/// Object that made a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    /// Kind of the workload that a user wrote, such as `Deployment`.
    pub kind: Arc<str>,
    /// Name of the workload.
    pub name: Arc<str>,
}

/// Pod: one that ran, or one that a workload would make.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name, unique in the namespace among pods that live at the same time.
    pub name: Arc<str>,
    /// Unique identifier, where the input has one.
    pub uid: Option<Arc<str>>,
    /// Labels, spec and resources.
    pub template: Arc<Template>,
    /// Workload that made the pod.
    pub owner: Option<Arc<Owner>>,
    /// Node on which the pod ran or runs.
    pub node: Option<Arc<str>>,
    /// Arrival; `None` for a pod that is there from the start.
    pub arrival: Option<Timestamp>,
    /// Departure; `None` for a pod that stays.
    pub departure: Option<Timestamp>,
    /// Place in the input.
    pub source: Source,
}

/// Node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Name.
    pub name: Arc<str>,
    /// Labels.
    pub labels: Arc<Labels>,
    /// Taints.
    pub taints: Arc<[Taint]>,
    /// Whether new pods are kept away.
    pub unschedulable: bool,
    /// Resources that pods may request, with the number of pods under `pods`.
    pub allocatable: Arc<Amounts>,
    /// Resources of the machine, which are what is paid for.
    pub capacity: Arc<Amounts>,
    /// Identifier of the machine at its provider.
    pub provider_id: Option<Arc<str>>,
    /// Place in the input.
    pub source: Source,
}

/// Usage of one container at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Time.
    pub time: Timestamp,
    /// CPU in use, in billionths of a core.
    pub cpu_nanocores: Option<i64>,
    /// Memory in use (the working set), in bytes.
    pub memory_bytes: Option<i64>,
    /// Whether the container was ended for lack of memory at this time.
    pub oom_killed: bool,
}

/// Usage of one container over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSeries {
    /// Namespace of the pod.
    pub namespace: Arc<str>,
    /// Name of the pod.
    pub pod: Arc<str>,
    /// Name of the container.
    pub container: Arc<str>,
    /// Samples in the order of their times.
    pub samples: Vec<Sample>,
}

/// Object of a kind that only one command knows, such as a `ResourceQuota`.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Version of its API, such as `v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// The whole object.
    pub value: serde_json::Value,
    /// Place in the input.
    pub source: Source,
}

/// Something that the input does not say and a reader took for granted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Assumption(pub String);

/// Objects of a kind that decides nothing in a plan, such as `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Version of its API, such as `v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Number of objects.
    pub count: u64,
}

/// Everything that was read.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    /// Pods, in the order of their arrival and, of those that arrive together, of the input.
    pub pods: Vec<Pod>,
    /// Nodes, in the order of the input.
    pub nodes: Vec<Node>,
    /// A pod of each DaemonSet, with its name and no node: what a node that is added would run.
    pub per_node: Vec<Pod>,
    /// Usage of containers.
    pub usage: Vec<UsageSeries>,
    /// Objects of other kinds, in the order of the input.
    pub objects: Vec<Object>,
    /// Kinds that decide nothing, in the order of version and kind.
    pub ignored: Vec<Ignored>,
    /// What was taken for granted, each once.
    pub assumptions: Vec<Assumption>,
}
