//! Classes of equal pods, compiled once.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::{
    LabelSelector, Labels, PodAffinityTerm, PodSpec, TopologySpreadConstraint,
    WeightedPodAffinityTerm,
};
use inventory::{HostPort, Template};

use super::resources::ResourceIndex;
use super::topology::TopologyIndex;
use crate::spec::node_affinity::NodeAffinity;
use crate::spec::selector::{Requirement, Selector, SelectorError};

/// Number of a class of equal pods of a [`Cluster`](crate::Cluster).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub(crate) u32);

impl ClassId {
    /// Returns the number: classes are numbered from 0 in the order in which they were added.
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

/// Fault of a spec that keeps a scheduler from reading it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {fault}")]
pub struct SpecError {
    /// Field of the spec.
    pub field: &'static str,
    /// Fault.
    pub fault: SelectorError,
}

/// Class of pods that have the namespace and the template in common.
#[derive(Debug, Clone)]
pub struct Class {
    pub(crate) namespace: Arc<str>,
    pub(crate) template: Arc<Template>,
    /// Requests above 0.
    pub(crate) requests: Vec<(ResourceIndex, i64)>,
    /// Requests above 0 as the scores of nodes count them.
    pub(crate) scored_requests: Vec<(ResourceIndex, i64)>,
    pub(crate) node_affinity: NodeAffinity,
    pub(crate) tolerates_unschedulable: bool,
    /// Constraints that refuse nodes.
    pub(crate) spread_hard: Vec<SpreadConstraint>,
    /// Constraints that score nodes.
    pub(crate) spread_soft: Vec<SpreadConstraint>,
    /// Whether a node without one of the labels of the soft constraints gets no score.
    pub(crate) spread_needs_all_labels: bool,
    pub(crate) affinity: Vec<PodTerm>,
    pub(crate) anti_affinity: Vec<PodTerm>,
    pub(crate) preferred: Vec<(i64, PodTerm)>,
    pub(crate) preferred_anti: Vec<(i64, PodTerm)>,
    /// Number of pods of the class on each node.
    pub(crate) on_nodes: BTreeMap<u32, u32>,
}

impl Class {
    /// Returns the namespace.
    pub fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// Returns the template.
    pub fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// Returns the requests above 0, in the order of the numbers of the resources.
    pub fn requests(&self) -> &[(ResourceIndex, i64)] {
        &self.requests
    }

    /// Returns the requests above 0 as the scores of nodes count them.
    pub fn scored_requests(&self) -> &[(ResourceIndex, i64)] {
        &self.scored_requests
    }

    /// Returns the priority.
    pub fn priority(&self) -> i32 {
        self.template.effective.priority
    }

    /// Returns the labels.
    pub fn labels(&self) -> &Labels {
        &self.template.labels
    }

    /// Returns the ports of the node that a pod takes.
    pub fn host_ports(&self) -> &[HostPort] {
        &self.template.effective.host_ports
    }

    /// Returns the number of pods on each node that has some, by the number of the node.
    pub fn on_nodes(&self) -> impl Iterator<Item = (usize, u32)> + '_ {
        self.on_nodes
            .iter()
            .map(|(&node, &count)| (node as usize, count))
    }

    /// Returns whether placing a pod of this class can change the nodes or scores of other pods by
    /// more than its resources and ports: it has terms on other pods.
    pub fn has_pod_terms(&self) -> bool {
        !(self.affinity.is_empty()
            && self.anti_affinity.is_empty()
            && self.preferred.is_empty()
            && self.preferred_anti.is_empty())
    }

    /// Returns whether the verdicts on nodes depend on the places of other pods by more than
    /// resources and ports.
    pub fn has_constraints(&self) -> bool {
        self.has_pod_terms() || !self.spread_hard.is_empty() || !self.spread_soft.is_empty()
    }

    pub(crate) fn request(&self, resource: ResourceIndex) -> i64 {
        find(&self.requests, resource)
    }

    pub(crate) fn scored_request(&self, resource: ResourceIndex) -> i64 {
        find(&self.scored_requests, resource)
    }
}

fn find(amounts: &[(ResourceIndex, i64)], resource: ResourceIndex) -> i64 {
    let mut found = amounts.iter().filter(|(index, _)| *index == resource);
    found.next().map_or(0, |&(_, amount)| amount)
}

/// Constraint on how pods spread over the domains of a topology, compiled.
#[derive(Debug, Clone)]
pub(crate) struct SpreadConstraint {
    pub topology: TopologyIndex,
    pub is_hostname: bool,
    pub max_skew: i64,
    pub min_domains: usize,
    pub selector: Selector,
    /// Whether nodes that the affinity excludes are left out.
    pub honours_affinity: bool,
    /// Whether nodes with untolerated taints are left out.
    pub honours_taints: bool,
}

/// Pods in whose domain a pod should or should not be, compiled.
#[derive(Debug, Clone)]
pub(crate) struct PodTerm {
    pub topology: TopologyIndex,
    namespaces: Vec<Arc<str>>,
    namespace_selector: Selector,
    /// Namespaces that the selector selects in the cluster.
    selected: Vec<Arc<str>>,
    selector: Selector,
}

impl PodTerm {
    /// Returns whether the term of a pod to place matches a pod on a node.
    ///
    /// The scheduler adds the selected namespaces to the named ones and then compares the selector
    /// with no labels at all, so that one that asks for the absence of a label matches every
    /// namespace (`mergeAffinityTermNamespacesIfNotEmpty` takes the term by value).
    pub fn matches_existing(&self, class: &Class) -> bool {
        static NO_LABELS: Labels = Labels::new();
        let named = self.namespaces.iter().chain(&self.selected);
        (named.into_iter().any(|name| *name == class.namespace)
            || self.namespace_selector.matches(&NO_LABELS))
            && self.selector.matches(class.labels())
    }

    /// Returns whether the term of a pod on a node matches a pod to place, whose namespace has
    /// these labels (`AffinityTerm.Matches`).
    pub fn matches_incoming(&self, class: &Class, namespace_labels: &Labels) -> bool {
        (self.namespaces.contains(&class.namespace)
            || self.namespace_selector.matches(namespace_labels))
            && self.selector.matches(class.labels())
    }
}

/// Parts of a cluster that a class is compiled with.
pub(crate) struct Context<'a> {
    /// Labels of the namespaces.
    pub namespaces: &'a BTreeMap<String, Labels>,
    /// Returns the number of the topology of a label.
    pub topology: &'a mut dyn FnMut(&str) -> TopologyIndex,
}

/// Label whose values are the names of the nodes.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// Label of the zone of a node.
const ZONE: &str = "topology.kubernetes.io/zone";

/// Constraints of every pod without own ones that belongs to a service or workload, with the
/// largest skew (`systemDefaultConstraints` in `podtopologyspread/plugin.go`).
const DEFAULT_CONSTRAINTS: [(&str, i64); 2] = [(HOSTNAME, 3), (ZONE, 5)];

impl Context<'_> {
    /// Compiles the constraints of a pod that apply in this way (`filterTopologySpreadConstraints`).
    pub fn spread(
        &mut self,
        template: &Template,
        when: &str,
    ) -> Result<Vec<SpreadConstraint>, SpecError> {
        let constraints = template.spec.topology_spread_constraints.iter();
        constraints
            .filter(|constraint| constraint.when_unsatisfiable == when)
            .map(|constraint| self.constraint(constraint, &template.labels))
            .collect()
    }

    /// Returns the default constraints with the selector of the services and workload of a pod.
    pub fn default_spread(&mut self, selector: &Selector) -> Vec<SpreadConstraint> {
        if selector.is_everything() {
            return Vec::new();
        }
        let constraint = |&(key, max_skew): &(&str, i64)| SpreadConstraint {
            topology: (self.topology)(key),
            is_hostname: key == HOSTNAME,
            max_skew,
            min_domains: 1,
            selector: selector.clone(),
            honours_affinity: true,
            honours_taints: false,
        };
        DEFAULT_CONSTRAINTS.iter().map(constraint).collect()
    }

    fn constraint(
        &mut self,
        constraint: &TopologySpreadConstraint,
        labels: &Labels,
    ) -> Result<SpreadConstraint, SpecError> {
        let selector = compile(
            constraint.label_selector.as_ref(),
            "spec.topologySpreadConstraints.labelSelector",
        )?;
        let min_domains = constraint.min_domains.unwrap_or(1);
        Ok(SpreadConstraint {
            topology: (self.topology)(&constraint.topology_key),
            is_hostname: constraint.topology_key == HOSTNAME,
            max_skew: i64::from(constraint.max_skew),
            min_domains: usize::try_from(min_domains).unwrap_or(0),
            selector: selector.and(own(
                &constraint.match_label_keys,
                labels,
                Requirement::equal,
            )),
            honours_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
            honours_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
        })
    }

    /// Compiles required terms on pods.
    pub fn terms(
        &mut self,
        terms: &[PodAffinityTerm],
        namespace: &Arc<str>,
        labels: &Labels,
    ) -> Result<Vec<PodTerm>, SpecError> {
        let compiled = terms.iter().map(|term| self.term(term, namespace, labels));
        compiled.collect()
    }

    /// Compiles preferred terms on pods.
    pub fn weighted(
        &mut self,
        terms: &[WeightedPodAffinityTerm],
        namespace: &Arc<str>,
        labels: &Labels,
    ) -> Result<Vec<(i64, PodTerm)>, SpecError> {
        let compiled = terms.iter().map(|term| {
            let compiled = self.term(&term.pod_affinity_term, namespace, labels)?;
            Ok((i64::from(term.weight), compiled))
        });
        compiled.collect()
    }

    fn term(
        &mut self,
        term: &PodAffinityTerm,
        namespace: &Arc<str>,
        labels: &Labels,
    ) -> Result<PodTerm, SpecError> {
        let selector = compile(term.label_selector.as_ref(), "spec.affinity.labelSelector")?;
        // The API server adds these to the selector when the pod is created.
        let selector = selector
            .and(own(&term.match_label_keys, labels, Requirement::equal))
            .and(own(
                &term.mismatch_label_keys,
                labels,
                Requirement::not_equal,
            ));
        let namespace_selector = compile(
            term.namespace_selector.as_ref(),
            "spec.affinity.namespaceSelector",
        )?;
        let own_namespace = term.namespaces.is_empty() && term.namespace_selector.is_none();
        let namespaces = if own_namespace {
            vec![Arc::clone(namespace)]
        } else {
            term.namespaces
                .iter()
                .map(|name| name.as_str().into())
                .collect()
        };
        let selected = self.namespaces.iter();
        let selected = selected.filter(|(_, labels)| namespace_selector.matches(labels));
        Ok(PodTerm {
            topology: (self.topology)(&term.topology_key),
            namespaces,
            selected: selected.map(|(name, _)| name.as_str().into()).collect(),
            namespace_selector,
            selector,
        })
    }
}

fn compile(selector: Option<&LabelSelector>, field: &'static str) -> Result<Selector, SpecError> {
    Selector::of(selector).map_err(|fault| SpecError { field, fault })
}

/// Returns a requirement for each of the pod's own labels among the keys.
fn own<'a>(
    keys: &'a [String],
    labels: &'a Labels,
    requirement: impl Fn(&str, &str) -> Requirement + 'a,
) -> impl Iterator<Item = Requirement> + 'a {
    let with_value = keys.iter().filter_map(|key| Some((key, labels.get(key)?)));
    with_value.map(move |(key, value)| requirement(key, value))
}

/// Terms of a pod on other pods, as they were written.
pub(crate) struct WrittenTerms<'a> {
    pub affinity: &'a [PodAffinityTerm],
    pub anti_affinity: &'a [PodAffinityTerm],
    pub preferred: &'a [WeightedPodAffinityTerm],
    pub preferred_anti: &'a [WeightedPodAffinityTerm],
}

impl<'a> WrittenTerms<'a> {
    pub fn of(spec: &'a PodSpec) -> Self {
        let affinity = spec.affinity.as_ref();
        let towards = affinity.and_then(|affinity| affinity.pod_affinity.as_ref());
        let against = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
        Self {
            affinity: towards.map_or(&[], |towards| &towards.required),
            anti_affinity: against.map_or(&[], |against| &against.required),
            preferred: towards.map_or(&[], |towards| &towards.preferred),
            preferred_anti: against.map_or(&[], |against| &against.preferred),
        }
    }
}
