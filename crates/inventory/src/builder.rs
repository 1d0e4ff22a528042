//! Assembly of an inventory out of many inputs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::BufRead;
use std::sync::Arc;

use crate::api::{Labels, PodSpec};
use crate::pending::{Pending, Workload};
use crate::usage::{Quantity, UsageReader};
use crate::{
    Assumption, Inventory, Node, Object, Owner, Pod, ReadError, Source, Template, UsageSeries,
};

/// Part of an input that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// Everything.
    #[default]
    All,
    /// Everything but nodes: pods, workloads, usage and the objects that rule over them.
    Load,
    /// Nodes alone.
    Nodes,
}

/// Number of pods of a workload that a HorizontalPodAutoscaler scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// The number that the workload states, within the bounds of the autoscaler.
    #[default]
    Written,
    /// The least that the autoscaler may set.
    Least,
    /// The most that the autoscaler may set.
    Most,
}

/// Most pods that workloads may make; more are taken for a slip of the pen.
#[derive(Debug, Clone, Copy)]
struct MostPods(usize);

impl Default for MostPods {
    fn default() -> Self {
        Self(10_000_000)
    }
}

/// Inventory in the making: each reader adds what it finds, and `finish` expands workloads,
/// resolves classes and puts all in order.
///
/// Equal texts, templates and owners are shared, so that a million pods of a few workloads stay
/// small.
#[derive(Debug, Default)]
pub struct InventoryBuilder {
    pub(crate) inventory: Inventory,
    pub(crate) pending: Pending,
    pub(crate) ignored: BTreeMap<(String, String), u64>,
    pub(crate) scale: Scale,
    most_pods: MostPods,
    pub(crate) usage: UsageReader,
    part: Part,
    keep_raw: bool,
    assumed: HashSet<Assumption>,
    texts: HashSet<Arc<str>>,
    templates: HashSet<Arc<Template>>,
    owners: HashSet<Arc<Owner>>,
    nodes: HashMap<Arc<str>, Source>,
}

impl InventoryBuilder {
    /// Returns a builder that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses only this part of the inputs that are added from here on.
    pub fn select(&mut self, part: Part) {
        self.part = part;
    }

    /// Takes this number of pods for workloads with a HorizontalPodAutoscaler.
    pub fn scale(&mut self, scale: Scale) {
        self.scale = scale;
    }

    /// Refuses workloads that make more pods than this in all; ten million by default.
    pub fn limit_pods(&mut self, most: usize) {
        self.most_pods = MostPods(most);
    }

    /// Checks that a workload may make this number of pods.
    pub(crate) fn check_number(&self, workload: &Workload, count: usize) -> Result<(), ReadError> {
        let MostPods(most) = self.most_pods;
        if self.inventory.pods.len().saturating_add(count) > most {
            let message = format!(
                "{} {} makes {count} pods: more than {most} pods in all",
                workload.kind, workload.name
            );
            return Err(ReadError::wrong(workload.source.clone(), "", message));
        }
        Ok(())
    }

    /// Keeps pods and pod templates as they were written ([`Template::raw`]), which takes memory
    /// for each pod of a dump.
    pub fn keep_raw(&mut self) {
        self.keep_raw = true;
    }

    /// Returns whether pods and pod templates are kept as they were written.
    pub fn keeps_raw(&self) -> bool {
        self.keep_raw
    }

    /// Returns whether pods, workloads, usage and other objects are used.
    pub fn takes_load(&self) -> bool {
        self.part != Part::Nodes
    }

    /// Returns whether nodes are used.
    pub fn takes_nodes(&self) -> bool {
        self.part != Part::Load
    }

    /// Returns the shared copy of a text.
    pub fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(shared) = self.texts.get(text) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&shared));
        shared
    }

    /// Returns the shared template of pods with these labels and this spec. The node that the spec
    /// names is left out: it belongs to one pod.
    pub fn template(&mut self, labels: Labels, spec: PodSpec) -> Arc<Template> {
        self.template_with_raw(labels, spec, None)
    }

    /// Returns the shared template of pods with these labels and this spec, and keeps the object
    /// from which they were read.
    pub fn template_with_raw(
        &mut self,
        labels: Labels,
        mut spec: PodSpec,
        raw: Option<Arc<serde_json::Value>>,
    ) -> Arc<Template> {
        spec.node_name.clear();
        self.share(Template {
            raw,
            ..Template::new(labels, spec)
        })
    }

    /// Returns the shared copy of a template.
    pub fn share(&mut self, template: Template) -> Arc<Template> {
        if let Some(shared) = self.templates.get(&template) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(template);
        self.templates.insert(Arc::clone(&shared));
        shared
    }

    /// Returns the shared owner of this kind and name.
    pub fn owner(&mut self, kind: &str, name: &str) -> Arc<Owner> {
        let owner = Owner {
            kind: self.text(kind),
            name: self.text(name),
        };
        if let Some(shared) = self.owners.get(&owner) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(owner);
        self.owners.insert(Arc::clone(&shared));
        shared
    }

    /// Adds a pod, unless only nodes are used.
    pub fn add_pod(&mut self, pod: Pod) {
        if self.takes_load() {
            self.inventory.pods.push(pod);
        }
    }

    /// Adds a node, unless nodes are not used.
    ///
    /// # Errors
    /// A second node of this name.
    pub fn add_node(&mut self, node: Node) -> Result<(), ReadError> {
        if !self.takes_nodes() {
            return Ok(());
        }
        if let Some(first) = self.nodes.get(&node.name) {
            return Err(ReadError::Twice {
                object: format!("Node {}", node.name),
                place: node.source,
                first: first.clone(),
            });
        }
        self.nodes
            .insert(Arc::clone(&node.name), node.source.clone());
        self.inventory.nodes.push(node);
        Ok(())
    }

    /// Reads a file with the usage of containers, unless only nodes are used. Series of one
    /// container in several files become one. `unnamed` is the quantity of series whose metric
    /// has no name.
    ///
    /// # Errors
    /// A file that cannot be read or is wrong.
    pub fn read_usage(
        &mut self,
        file: &str,
        reader: &mut dyn BufRead,
        unnamed: Option<Quantity>,
    ) -> Result<(), ReadError> {
        if !self.takes_load() {
            return Ok(());
        }
        self.usage.read(file, reader, unnamed)
    }

    /// Adds the usage of a container, unless only nodes are used.
    pub fn add_usage(&mut self, usage: UsageSeries) {
        if self.takes_load() {
            self.inventory.usage.push(usage);
        }
    }

    /// Adds an object of a kind that only one command knows, unless only nodes are used.
    pub fn add_object(&mut self, object: Object) {
        if self.takes_load() {
            self.inventory.objects.push(object);
        }
    }

    /// Counts an object of a kind that decides nothing here.
    pub fn ignore(&mut self, api_version: &str, kind: &str) {
        let key = (api_version.to_owned(), kind.to_owned());
        *self.ignored.entry(key).or_default() += 1;
    }

    /// States what a kind of workload leaves open, before its pods are made.
    pub(crate) fn assume_of_kind(&mut self, kind: &str) {
        match kind {
            "CronJob" => self.assume("a CronJob has one run, which begins when the CronJob does"),
            "PodTemplate" => self.assume("a PodTemplate stands for one pod"),
            _ => {}
        }
    }

    /// States something that the input does not say; a second time adds nothing.
    pub fn assume(&mut self, text: impl Into<String>) {
        let assumption = Assumption(text.into());
        if self.assumed.insert(assumption.clone()) {
            self.inventory.assumptions.push(assumption);
        }
    }
}
