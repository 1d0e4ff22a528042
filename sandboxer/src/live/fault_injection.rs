//! Delays and failures that the behaviour file and annotations inject into calls.

use containerd_sandbox::{Key, Result};

use super::container::ResourceSlotContainer;
use super::core::Core;
use super::sandbox::ResourceSlotSandbox;
use crate::refuse;
use crate::simulate::annotations::Annotations;
use crate::simulate::behaviour::{ContainerBehaviour, PodBehaviour};
use crate::simulate::failure::{Call, Failure};
use crate::simulate::profile::Try;
use crate::wait::wait;
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
    let failure = behaviour.and_then(|behaviour| match call {
        Call::CreatePod => behaviour.fail_create.as_ref(),
        _ => behaviour.fail_start.as_ref(),
    });
    if failure.is_none() && !profile.fails(call) {
        return Ok(());
    }
    let [namespace, name, attempt] = names(key, pod);
    let uid = pod.pod.as_ref().map_or("", |pod| &pod.uid);
    // A kubelet repeats a failed call with the same attempt. The attempt tells of earlier
    // sandboxes that were counted before a restart of this daemon.
    let counted = profile.count(call, &[&namespace, &name, uid]);
    let earlier = pod.pod.as_ref().map_or(0, |pod| pod.attempt);
    let tried = Try {
        call,
        names: &[&namespace, &name, &attempt],
        nth: counted.max(u64::from(earlier) + 1),
    };
    profile.check(tried)?;
    profile.check_annotated(failure, tried)
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
        let tried = Try {
            call: Call::CreateContainer,
            names: &names,
            nth: u64::from(nth),
        };
        profile.check(tried)?;
        profile.check_annotated(behaviour.fail_create.as_ref(), tried)?;
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
            let conduct = container.behaviour.clone();
            if conduct.is_none() && !profile.fails(Call::StartContainer) {
                return Ok(());
            }
            inner.calls.starts += 1;
            let tried = Try {
                call: Call::StartContainer,
                names: &[self.id.container.as_str()],
                nth: u64::from(inner.calls.starts),
            };
            profile.check(tried)?;
            let Some(conduct) = conduct else {
                return Ok(());
            };
            let failure = conduct.fail_start.as_deref().and_then(Failure::parse);
            profile.check_annotated(failure.as_ref(), tried)?;
            conduct.start_delay
        };
        wait(delay).await;
        Ok(())
    }
}
