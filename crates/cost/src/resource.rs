//! Resources that cost money.

use std::ops::{Index, IndexMut};

use crate::hours::HOUR_NS;
use crate::money::Money;

/// Resource with a price of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// CPU, priced by the core-hour.
    Cpu,
    /// Memory, priced by the hour of 2^30 bytes.
    Memory,
    /// Graphics processors, priced by the hour of one.
    Gpu,
}

impl Resource {
    /// All resources, in the order of tables.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Gpu];

    /// Returns the amount that a price is for, in the unit of [`Rates`]: a core is 10^9 nanocores,
    /// a GiB 2^30 * 1000 thousandths of a byte, a processor 1000 thousandths.
    pub fn priced(self) -> u128 {
        match self {
            Self::Cpu => 1_000_000_000,
            Self::Memory => (1 << 30) * 1000,
            Self::Gpu => 1000,
        }
    }

    /// Returns the quantity of an hour of the priced amount, in the unit of [`Quantities`].
    pub fn unit_hour(self) -> u128 {
        self.priced() * HOUR_NS
    }

    /// Returns the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Gpu => "gpu",
        }
    }
}

/// One value for each resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PerResource<T> {
    /// Value of the CPU.
    pub cpu: T,
    /// Value of the memory.
    pub memory: T,
    /// Value of the graphics processors.
    pub gpu: T,
}

/// Amounts at one time: CPU in nanocores, memory in thousandths of a byte, graphics processors in
/// thousandths.
///
/// Averages of usage have fractions of a byte; a thousandth of a byte keeps the efficiency of a
/// container of a megabyte exact to 1e-9.
pub type Rates = PerResource<u128>;

/// Amounts over time: the amounts of [`Rates`] times nanoseconds.
pub type Quantities = PerResource<u128>;

impl<T> PerResource<T> {
    /// Computes the value of each resource.
    pub fn from_fn(mut value: impl FnMut(Resource) -> T) -> Self {
        Self {
            cpu: value(Resource::Cpu),
            memory: value(Resource::Memory),
            gpu: value(Resource::Gpu),
        }
    }
}

impl<T> Index<Resource> for PerResource<T> {
    type Output = T;

    fn index(&self, resource: Resource) -> &T {
        match resource {
            Resource::Cpu => &self.cpu,
            Resource::Memory => &self.memory,
            Resource::Gpu => &self.gpu,
        }
    }
}

impl<T> IndexMut<Resource> for PerResource<T> {
    fn index_mut(&mut self, resource: Resource) -> &mut T {
        match resource {
            Resource::Cpu => &mut self.cpu,
            Resource::Memory => &mut self.memory,
            Resource::Gpu => &mut self.gpu,
        }
    }
}

impl PerResource<u128> {
    /// Adds other amounts; a sum beyond 128 bits is the largest number.
    pub fn add(&mut self, other: &Self) {
        *self = Self::from_fn(|resource| self[resource].saturating_add(other[resource]));
    }
}

impl PerResource<Money> {
    /// Adds other amounts.
    pub fn add(&mut self, other: &Self) {
        *self = Self::from_fn(|resource| self[resource] + other[resource]);
    }

    /// Returns the sum over all resources.
    pub fn total(&self) -> Money {
        self.cpu + self.memory + self.gpu
    }
}
