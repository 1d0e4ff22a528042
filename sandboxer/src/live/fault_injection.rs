//! Delays and failures that the behaviour file and annotations inject into calls.

use std::time::Duration;

use containerd_sandbox::{Key, Result};

use super::container::ResourceSlotContainer;
use super::core::Core;
use super::sandbox::ResourceSlotSandbox;
use crate::refuse;
use crate::simulate::annotations::Annotations;
use crate::simulate::behaviour::{ContainerBehaviour, PodBehaviour};
use crate::simulate::failure::{Call, Failure};
use slot::{NewSandbox, ProcessEvent};

/// Returns the names that seed a pod's draws: its Kubernetes namespace, name and attempt,
/// or its id if it has no name. Another attempt is another pod.
fn names(key: &Key, pod: &NewSandbox) -> [String; 3] {
    match &pod.pod {
        Some(pod) => [
            pod.namespace.clone(),
            pod.name.clone(),
            pod.attempt.to_string(),
        ],
        None => [String::new(), key.id().to_owned(), String::new()],
    }
}

/// Draws the behaviour of a pod; `None` if none is stated.
///
/// # Errors
/// `InvalidArgument` for an annotation whose value cannot be read.
pub(super) fn draw(
    core: &Core,
    key: &Key,
    pod: &NewSandbox,
    annotations: Annotations,
) -> Result<Option<Box<PodBehaviour>>> {
    let names = names(key, pod);
    let names = names.each_ref().map(String::as_str);
    let behaviour = core.settings.profile.pod(annotations, &names)?;
    Ok((behaviour != PodBehaviour::default()).then(|| Box::new(behaviour)))
}

/// Fails a call that creates or starts a pod, if it is to fail.
///
/// # Errors
/// The stated code.
pub(super) fn check_pod(
    core: &Core,
    key: &Key,
    pod: &NewSandbox,
    behaviour: Option<&PodBehaviour>,
    call: Call,
) -> Result<()> {
    let profile = &core.settings.profile;
    let names = names(key, pod);
    let names = names.each_ref().map(String::as_str);
    profile.check(call, &names)?;
    let failure = behaviour.and_then(|behaviour| match call {
        Call::CreatePod => behaviour.fail_create.as_ref(),
        _ => behaviour.fail_start.as_ref(),
    });
    // A pod's next attempt counts as the next call.
    let attempt = pod.pod.as_ref().map_or(0, |pod| pod.attempt);
    profile.check_annotated(failure, call, u64::from(attempt) + 1, &names)
}

/// Waits for a simulated time.
pub(super) async fn wait(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

impl ResourceSlotSandbox {
    /// Draws the behaviour of a container that is about to be created, unless its creation
    /// is to fail. The container's own annotations override those of its pod.
    ///
    /// # Errors
    /// The stated code; `InvalidArgument` for an annotation whose value cannot be read.
    pub(super) fn draw_container(
        &self,
        own: Annotations,
        args: Vec<String>,
        own_names: &[&str],
    ) -> Result<ContainerBehaviour> {
        let profile = &self.core.settings.profile;
        let (annotations, pod_names, nth) = {
            let mut inner = self.live.lock()?;
            inner.calls.creates += 1;
            let pod = inner.behaviour.as_ref();
            let pod = pod.map_or_else(Annotations::default, |pod| pod.annotations.clone());
            let names = names(&self.live.key, &inner.slot.sandbox);
            (pod.and(own), names, inner.calls.creates)
        };
        let pod_names = pod_names.each_ref().map(String::as_str);
        let names = [&pod_names[..], own_names].concat();
        let behaviour = profile.container(&annotations, args, &names)?;
        profile.check(Call::CreateContainer, &names)?;
        let failure = behaviour.fail_create.as_ref();
        profile.check_annotated(failure, Call::CreateContainer, u64::from(nth), &names)?;
        Ok(behaviour)
    }
}

impl ResourceSlotContainer {
    /// Waits for as long as the container's start takes, unless the start is to fail.
    ///
    /// # Errors
    /// The stated code; `NotFound`.
    pub(super) async fn wait_for_start(&self) -> Result<()> {
        let profile = &self.core.settings.profile;
        let delay = {
            let mut inner = self.live.lock()?;
            let container = inner
                .slot
                .container(&self.id.container)
                .map_err(refuse::change)?;
            if container.init.state.on(ProcessEvent::Start).is_none() {
                // The change itself will be refused, with the reason.
                return Ok(());
            }
            profile.check(Call::StartContainer, &[&container.id])?;
            let Some(conduct) = container.behaviour.clone() else {
                return Ok(());
            };
            inner.calls.starts += 1;
            let failure = conduct.fail_start.as_deref().and_then(Failure::parse);
            let nth = u64::from(inner.calls.starts);
            let names = [self.id.container.as_str()];
            profile.check_annotated(failure.as_ref(), Call::StartContainer, nth, &names)?;
            conduct.start_delay
        };
        wait(delay).await;
        Ok(())
    }
}
