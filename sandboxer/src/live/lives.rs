//! How pods and containers live, where requests meet it.

use std::collections::HashMap;
use std::time::Duration;

use containerd_sandbox::{Key, Result};

use super::container::ResourceSlotContainer;
use super::core::Core;
use super::sandbox::ResourceSlotSandbox;
use crate::refuse;
use crate::simulate::failure::{Call, Failure};
use crate::simulate::lives::{ContainerLife, PodLife};
use crate::simulate::stated::Stated;
use slot::{NewSandbox, ProcessEvent};

/// What a pod says, of itself and of its containers.
fn stated_by(pod: &NewSandbox) -> Result<Stated> {
    match (&pod.cri, &pod.hints) {
        (Some(cri), _) => Stated::of(&cri.config.annotations),
        (None, Some(hints)) => Stated::of(&hints.annotations),
        (None, None) => Ok(Stated::default()),
    }
}

/// What a pod's draws are made by: its name, or its id if it has none. The attempt
/// makes another pod of it.
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

/// How a pod lives, unless this call is to fail.
///
/// # Errors
/// The stated code; `InvalidArgument` for what cannot be read.
pub(super) fn check_pod(core: &Core, key: &Key, pod: &NewSandbox, call: Call) -> Result<PodLife> {
    let lives = &core.settings.lives;
    let names = names(key, pod);
    let names = names.each_ref().map(String::as_str);
    let life = lives.pod(stated_by(pod)?, &names)?;
    lives.check(call, &names)?;
    let failure = match call {
        Call::CreatePod => life.fail_create,
        _ => life.fail_start,
    };
    // Another attempt is the next call.
    let attempt = pod.pod.as_ref().map_or(0, |pod| pod.attempt);
    lives.check_stated(failure.as_ref(), call, u64::from(attempt) + 1, &names)?;
    Ok(life)
}

/// Lets a simulated time pass.
pub(super) async fn take(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

impl ResourceSlotSandbox {
    /// How a container lives that is about to be created, unless that is to fail.
    ///
    /// # Errors
    /// The stated code; `InvalidArgument` for what cannot be read.
    pub(super) fn life_of(
        &self,
        annotations: &HashMap<String, String>,
        args: Vec<String>,
        own_names: &[&str],
    ) -> Result<ContainerLife> {
        let own = Stated::of(annotations)?;
        let lives = &self.core.settings.lives;
        let (stated, pod_names, nth) = {
            let mut inner = self.live.lock()?;
            inner.calls.creates += 1;
            let pod = &inner.slot.sandbox;
            let names = names(&self.live.key, pod);
            (stated_by(pod)?.and(own), names, inner.calls.creates)
        };
        let pod_names = pod_names.each_ref().map(String::as_str);
        let names = [&pod_names[..], own_names].concat();
        let life = lives.container(stated, args, &names)?;
        lives.check(Call::CreateContainer, &names)?;
        let failure = life.fail_create.as_ref();
        lives.check_stated(failure, Call::CreateContainer, u64::from(nth), &names)?;
        Ok(life)
    }
}

impl ResourceSlotContainer {
    /// Lets the time pass that the container's start takes, unless that is to fail.
    ///
    /// # Errors
    /// The stated code; `FailedPrecondition` if it cannot be started anyway.
    pub(super) async fn take_its_time(&self) -> Result<()> {
        let lives = &self.core.settings.lives;
        let delay = {
            let mut inner = self.live.lock()?;
            let container = inner
                .slot
                .container(&self.id.container)
                .map_err(refuse::change)?;
            if container.init.state.on(ProcessEvent::Start).is_none() {
                // Whoever makes the change says so.
                return Ok(());
            }
            lives.check(Call::StartContainer, &[&container.id])?;
            let Some(conduct) = container.behaviour.clone() else {
                return Ok(());
            };
            inner.calls.starts += 1;
            let failure = conduct.fail_start.as_deref().and_then(Failure::parse);
            let nth = u64::from(inner.calls.starts);
            let names = [self.id.container.as_str()];
            lives.check_stated(failure.as_ref(), Call::StartContainer, nth, &names)?;
            conduct.start_delay
        };
        take(delay).await;
        Ok(())
    }
}
