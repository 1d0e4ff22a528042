//! Domains of nodes: the nodes with one value of a label.

use std::collections::BTreeMap;

use inventory::api::Labels;

/// Number of a label whose values divide the nodes into domains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TopologyIndex(usize);

/// Domain of a node that lacks the label.
const NONE: u32 = u32::MAX;

/// Domains of one label.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    key: String,
    /// Domain of each node.
    of_node: Vec<u32>,
    values: BTreeMap<String, u32>,
}

impl Topology {
    /// Returns the domain of a node; `None` if it lacks the label.
    pub fn domain(&self, node: usize) -> Option<usize> {
        match self.of_node.get(node) {
            Some(&NONE) | None => None,
            Some(&domain) => Some(domain as usize),
        }
    }

    /// Returns the number of domains.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Returns the domain of the empty value, which a missing label counts as in places.
    pub fn empty_value(&self) -> Option<usize> {
        self.values.get("").map(|&domain| domain as usize)
    }

    fn add(&mut self, labels: &Labels) {
        let domain = match labels.get(&self.key) {
            None => NONE,
            Some(value) => match self.values.get(value) {
                Some(&domain) => domain,
                None => {
                    let domain = u32::try_from(self.values.len()).unwrap_or(NONE);
                    self.values.insert(value.clone(), domain);
                    domain
                }
            },
        };
        self.of_node.push(domain);
    }
}

/// Every label that some pod names as a topology.
#[derive(Debug, Clone, Default)]
pub(crate) struct Topologies {
    all: Vec<Topology>,
    by_key: BTreeMap<String, usize>,
}

impl Topologies {
    /// Returns the number of the topology of a label, after dividing the nodes if it is new.
    pub fn number<'a>(
        &mut self,
        key: &str,
        nodes: impl IntoIterator<Item = &'a Labels>,
    ) -> TopologyIndex {
        if let Some(&number) = self.by_key.get(key) {
            return TopologyIndex(number);
        }
        let mut topology = Topology {
            key: key.to_owned(),
            of_node: Vec::new(),
            values: BTreeMap::new(),
        };
        for labels in nodes {
            topology.add(labels);
        }
        let number = self.all.len();
        self.all.push(topology);
        self.by_key.insert(key.to_owned(), number);
        TopologyIndex(number)
    }

    /// Adds a node with these labels, which follows those before it.
    pub fn add_node(&mut self, labels: &Labels) {
        for topology in &mut self.all {
            topology.add(labels);
        }
    }

    /// Returns a topology.
    pub fn get(&self, index: TopologyIndex) -> &Topology {
        &self.all[index.0]
    }
}
