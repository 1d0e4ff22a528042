//! Completion of an inventory when everything was read.

mod classes;
mod duplicates;
mod expand;

use crate::{Inventory, InventoryBuilder, ReadError};

impl InventoryBuilder {
    /// Returns the inventory: workloads are expanded to pods, classes resolved, pods in the order
    /// of their arrival.
    ///
    /// # Errors
    /// Two pods of one name that live at the same time.
    pub fn finish(mut self) -> Result<Inventory, ReadError> {
        expand::expand(&mut self);
        classes::resolve(&mut self);
        let mut inventory = self.inventory;
        // Stable, so that pods that arrive together stay in the order of the input.
        inventory.pods.sort_by_key(|pod| pod.arrival);
        duplicates::check(&inventory.pods)?;
        let ignored = self.ignored.into_iter();
        inventory.ignored = ignored
            .map(|((api_version, kind), count)| crate::Ignored {
                api_version,
                kind,
                count,
            })
            .collect();
        Ok(inventory)
    }
}
