//! Resources that a scheduler counts, by number instead of by name.

use std::collections::BTreeMap;

use inventory::{Amounts, ResourceName};

/// Number of a resource of a [`Cluster`](crate::Cluster).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceIndex(pub(crate) usize);

impl ResourceIndex {
    /// CPU, in millicores.
    pub const CPU: Self = Self(0);
    /// Memory, in bytes.
    pub const MEMORY: Self = Self(1);
    /// Local ephemeral storage, in bytes.
    pub const EPHEMERAL_STORAGE: Self = Self(2);

    /// Returns the number.
    pub fn number(self) -> usize {
        self.0
    }

    /// Returns whether the resource is another than CPU, memory and ephemeral storage: it counts
    /// for the score of a node only if the pod requests it.
    pub fn is_scalar(self) -> bool {
        self.0 > Self::EPHEMERAL_STORAGE.0
    }
}

/// Names of the resources of a cluster by their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Resources {
    names: Vec<ResourceName>,
    numbers: BTreeMap<ResourceName, usize>,
}

impl Default for Resources {
    fn default() -> Self {
        let mut all = Self {
            names: Vec::new(),
            numbers: BTreeMap::new(),
        };
        for name in [
            ResourceName::CPU,
            ResourceName::MEMORY,
            ResourceName::EPHEMERAL_STORAGE,
        ] {
            all.number(name);
        }
        all
    }
}

impl Resources {
    /// Returns the number of a resource, after adding it if it is new.
    pub fn number(&mut self, name: &str) -> ResourceIndex {
        let name = ResourceName::new(name);
        if let Some(&number) = self.numbers.get(&name) {
            return ResourceIndex(number);
        }
        let number = self.names.len();
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        ResourceIndex(number)
    }

    /// Returns the number of a resource that some node or pod has.
    pub fn find(&self, name: &str) -> Option<ResourceIndex> {
        let number = self.numbers.get(&ResourceName::new(name))?;
        Some(ResourceIndex(*number))
    }

    /// Returns the name of a resource.
    pub fn name(&self, index: ResourceIndex) -> &ResourceName {
        &self.names[index.0]
    }

    /// Returns the number of resources.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns the amounts that count, with their numbers. An amount of 0 is left out.
    pub fn counted(&mut self, amounts: &Amounts) -> Vec<(ResourceIndex, i64)> {
        let counted = amounts
            .iter()
            .filter(|&(name, amount)| amount != 0 && is_counted(name));
        let mut all: Vec<_> = counted
            .map(|(name, amount)| (self.number(name), amount))
            .collect();
        all.sort_unstable();
        all
    }
}

/// Returns whether a scheduler counts the resource (`Resource.Add` in
/// `pkg/scheduler/framework/types.go`, `IsScalarResourceName` in `pkg/scheduler/util/utils.go`):
/// CPU, memory, ephemeral storage, huge pages, attachable volumes and every name with a prefix.
/// The number of pods is counted elsewhere.
fn is_counted(name: &str) -> bool {
    matches!(
        name,
        ResourceName::CPU | ResourceName::MEMORY | ResourceName::EPHEMERAL_STORAGE
    ) || (name.contains('/') && !name.starts_with("requests."))
        || name.contains("kubernetes.io/")
        || name.starts_with("hugepages-")
        || name.starts_with("attachable-volumes-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resources_of_the_scheduler_count() {
        let amounts: Amounts = [
            ("cpu", 5),
            ("memory", 0),
            ("pods", 110),
            ("storage", 7),
            ("example.com/gpu", 2),
            ("hugepages-2Mi", 3),
        ]
        .into_iter()
        .collect();
        let mut resources = Resources::default();
        let counted = resources.counted(&amounts);
        let names: Vec<_> = counted
            .iter()
            .map(|(index, amount)| (resources.name(*index).as_str(), *amount))
            .collect();
        assert_eq!(
            names,
            [("cpu", 5), ("example.com/gpu", 2), ("hugepages-2Mi", 3)]
        );
        assert!(resources.find("pods").is_none());
        assert!(!ResourceIndex::EPHEMERAL_STORAGE.is_scalar() && counted[1].0.is_scalar());
    }
}
