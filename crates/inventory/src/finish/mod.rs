//! Completion of an inventory when everything was read.
//!
//! - `owners`: the workload that a user wrote, for each pod and workload.
//! - `expand`: workloads to pods.
//! - `daemons`: the nodes on which a DaemonSet runs.
//! - `classes`: priority classes and runtime classes.
//! - `duplicates`: pods of one name.

mod classes;
mod daemons;
mod duplicates;
mod expand;
mod owners;

use crate::{Ignored, Inventory, InventoryBuilder, Part, ReadError};

impl InventoryBuilder {
    /// Returns the inventory: workloads are expanded to pods, classes resolved, pods in the order
    /// of their arrival.
    ///
    /// # Errors
    /// Two pods of one name that live at the same time, two workloads of one name, more than ten
    /// million pods, or a pod whose runtime class contradicts it.
    pub fn finish(mut self) -> Result<Inventory, ReadError> {
        self.select(Part::All);
        std::mem::take(&mut self.usage).finish(&mut self);
        let owners = owners::resolve(&mut self)?;
        expand::expand(&mut self, &owners)?;
        classes::resolve(&mut self)?;
        let mut inventory = self.inventory;
        // Stable, so that pods that arrive together stay in the order of the input.
        inventory.pods.sort_by_key(|pod| pod.arrival);
        duplicates::check(&inventory.pods)?;
        let ignored = self.ignored.into_iter();
        inventory.ignored = ignored
            .map(|((api_version, kind), count)| Ignored {
                api_version,
                kind,
                count,
            })
            .collect();
        Ok(inventory)
    }
}
