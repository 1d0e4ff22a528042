//! Termination messages that annotations state, for containers whose command writes none.

use tracing::warn;

use super::container::ResourceSlotContainer;
use super::{setup, volumes};
use containerd_sandbox::Result;

use crate::refuse;

impl ResourceSlotContainer {
    /// Writes the termination message that the container's annotations state into the file that a
    /// kubelet reads after the container's end. A message that cannot be written is logged.
    ///
    /// # Errors
    /// `NotFound` if the container is deleted.
    pub(super) async fn write_stated_message(&self) -> Result<()> {
        let container = &self.id.container;
        let (text, source) = {
            let inner = self.live.lock()?;
            let found = inner.slot.container(container).map_err(refuse::change)?;
            let conduct = found.behaviour.as_ref();
            let stated = conduct.and_then(|conduct| conduct.termination_message.clone());
            let Some(text) = stated else {
                return Ok(());
            };
            let source = setup::source(&inner.slot, container).map_err(refuse::change)?;
            (text, source)
        };
        let described = match setup::read(source).await? {
            Ok(described) => described,
            Err(e) => {
                warn!("container {container} has no termination message: {e}");
                return Ok(());
            }
        };
        let rules = self.core.settings.host.clone();
        let lookers = self.core.lookers.clone();
        let write = move || {
            let (binds, owner) = (&described.binds, &described.owner);
            volumes::state_message(binds, owner, &rules, &lookers, &text)
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => warn!("termination message of container {container}: {e}"),
            Err(e) => warn!("termination message of container {container}: {e}"),
        }
        Ok(())
    }
}
