//! Amounts of resources as integers, in the units that the scheduler of Kubernetes computes in.

use std::fmt;
use std::sync::Arc;

/// Name of a resource, ordered by its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceName(Arc<str>);

impl ResourceName {
    /// Text of the CPU resource, which is counted in millicores.
    pub const CPU: &'static str = "cpu";
    /// Text of the memory resource, in bytes.
    pub const MEMORY: &'static str = "memory";
    /// Text of local ephemeral storage, in bytes.
    pub const EPHEMERAL_STORAGE: &'static str = "ephemeral-storage";
    /// Text of the number of pods of a node.
    pub const PODS: &'static str = "pods";

    /// Returns the name with this text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Amounts of resources: CPU in millicores, every other resource in its own unit (bytes, devices).
///
/// A resource that is absent is not stated, which is not the same as an amount of zero.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Amounts(Vec<(ResourceName, i64)>);

impl Amounts {
    /// Returns the amount of a resource; `None` if it is not stated.
    pub fn get(&self, name: &str) -> Option<i64> {
        let place = self.place(name).ok()?;
        self.0.get(place).map(|&(_, amount)| amount)
    }

    /// Returns the amount of CPU in millicores, 0 if none is stated.
    pub fn cpu(&self) -> i64 {
        self.get(ResourceName::CPU).unwrap_or(0)
    }

    /// Returns the amount of memory in bytes, 0 if none is stated.
    pub fn memory(&self) -> i64 {
        self.get(ResourceName::MEMORY).unwrap_or(0)
    }

    /// States the amount of a resource.
    pub fn set(&mut self, name: &str, amount: i64) {
        match self.place(name) {
            Ok(place) => self.0[place].1 = amount,
            Err(place) => self.0.insert(place, (ResourceName::new(name), amount)),
        }
    }

    /// Removes a resource and returns its amount.
    pub fn remove(&mut self, name: &str) -> Option<i64> {
        let place = self.place(name).ok()?;
        Some(self.0.remove(place).1)
    }

    /// Adds other amounts, resource by resource; a sum beyond 64 bits is the largest number.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.get(name.as_str()).unwrap_or(0).saturating_add(*amount);
            self.set(name.as_str(), sum);
        }
    }

    /// Raises each resource to the amount in `other` if that is larger.
    pub fn raise_to(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            match self.get(name.as_str()) {
                Some(present) if present >= *amount => {}
                _ => self.set(name.as_str(), *amount),
            }
        }
    }

    /// Returns the resources in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Returns whether no resource is stated.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(other, _)| other.as_str().cmp(name))
    }
}

impl<'a> FromIterator<(&'a str, i64)> for Amounts {
    fn from_iter<I: IntoIterator<Item = (&'a str, i64)>>(amounts: I) -> Self {
        let mut all = Self::default();
        for (name, amount) in amounts {
            all.set(name, amount);
        }
        all
    }
}
