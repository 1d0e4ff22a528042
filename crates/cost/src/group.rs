//! Groups of costs.

use crate::money::Money;
use crate::resource::{PerResource, Quantities};

/// Name of the group of idle costs (`IdleSuffix` in OpenCost).
pub const IDLE: &str = "__idle__";
/// Name of the group of shared costs that no group takes (`SharedSuffix` in OpenCost).
pub const SHARED: &str = "__shared__";

/// Sort of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKind {
    /// Containers.
    Containers,
    /// Idle costs of the cluster or of a node.
    Idle,
    /// Shared costs that no group takes, because there is none or all of them cost nothing.
    Shared,
}

/// Costs of containers that have the same properties, or idle or shared costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Sort.
    pub kind: GroupKind,
    /// Values of the properties, separated by `/`; or `__idle__`, `NODE/__idle__`, `__shared__`.
    pub key: String,
    /// Cost by resource, with the idle costs that are laid on the group.
    pub cost: PerResource<Money>,
    /// Part of `cost` that is idle cost laid on the group.
    pub idle: PerResource<Money>,
    /// Shared costs that are laid on the group.
    pub shared: Money,
    /// Quantities that are paid for.
    pub allocated: Quantities,
    /// Integral of the requests.
    pub requested: Quantities,
    /// Integral of the usage.
    pub used: Quantities,
}

impl Group {
    /// Returns a group without costs.
    pub fn new(kind: GroupKind, key: String) -> Self {
        Self {
            kind,
            key,
            cost: PerResource::default(),
            idle: PerResource::default(),
            shared: Money::ZERO,
            allocated: Quantities::default(),
            requested: Quantities::default(),
            used: Quantities::default(),
        }
    }

    /// Returns the sum of all costs.
    pub fn total(&self) -> Money {
        self.cost.total() + self.shared
    }

    /// Returns how much of the requested CPU is used (`CPUEfficiency` in
    /// `core/pkg/opencost/allocation.go`): the ratio; without a request, 1 if it is used and costs
    /// something, else 0.
    pub fn cpu_efficiency(&self) -> f64 {
        efficiency(self.requested.cpu, self.used.cpu, self.cost.cpu)
    }

    /// Returns how much of the requested memory is used, by the rule of the CPU.
    pub fn memory_efficiency(&self) -> f64 {
        efficiency(self.requested.memory, self.used.memory, self.cost.memory)
    }

    /// Returns the mean of the efficiencies of CPU and memory, weighted by their costs; 0 if both
    /// cost nothing (`TotalEfficiency`).
    pub fn efficiency(&self) -> f64 {
        let (cpu, memory) = (self.cost.cpu.to_f64(), self.cost.memory.to_f64());
        if cpu + memory > 0.0 {
            (self.memory_efficiency() * memory + self.cpu_efficiency() * cpu) / (cpu + memory)
        } else {
            0.0
        }
    }
}

fn efficiency(requested: u128, used: u128, cost: Money) -> f64 {
    if requested > 0 {
        used as f64 / requested as f64
    } else if used == 0 || cost.is_zero() {
        0.0
    } else {
        1.0
    }
}
