//! Plan of a run: every request, as a pure function of seed and index.
//!
//! A plan does not depend on time, threads or paths, so runs can be repeated and
//! compared. The hash of the plan is part of every result.

mod cri;
mod lifecycle;
mod request;
mod sandbox_config;
mod sandbox_record;
mod spec;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use containerd_client::types::Sandbox as SandboxRecord;
use cri_api::v1::{ContainerConfig, PodSandboxConfig};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::workload::draw::Draw;
use crate::workload::part::Part;
use crate::workload::resources::ResourceInfo;
use crate::workload::scenario::{Lifecycle, PodShape, Scenario, SignalChoice};
pub use lifecycle::{End, Exit, PodLifecycle, Signal};
pub use request::Resources;
pub use sandbox_config::{TYPE_URL as SANDBOX_CONFIG_TYPE_URL, UID_LABEL};

/// Values of the `app` label of pods, and images of their containers.
const APPS: [&str; 6] = ["api", "batch", "cache", "ingest", "queue", "web"];
const IMAGES: [&str; 4] = [
    "registry.k8s.io/pause:3.10",
    "docker.io/library/busybox:1.37",
    "docker.io/library/nginx:1.29",
    "docker.io/library/redis:8.2",
];

/// Requests of a run; each pod is computed when it is needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seed of the random numbers; 0 for a recorded plan.
    pub seed: u64,
    /// Distributions of the pods' properties.
    pub shape: PodShape,
    /// Recorded pods; `None` if pods are drawn.
    recorded: Option<Arc<[Pod]>>,
    /// Part of another plan that this is; `None` for a whole plan.
    part: Option<Part>,
}

/// Pod of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// Index of the pod in the plan, from 0.
    pub index: u64,
    /// Id of the sandbox.
    pub sandbox_id: String,
    /// Name of the pod.
    pub name: String,
    /// Uid of the pod.
    pub uid: String,
    /// Kubernetes namespace.
    pub namespace: Cow<'static, str>,
    /// Value of the `app` label.
    pub app: Cow<'static, str>,
    /// Containers, in order of their start.
    pub containers: Vec<Container>,
    /// Lifecycle of the pod once its containers run.
    #[serde(rename = "life")]
    pub lifecycle: PodLifecycle,
}

/// Container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Id of the task.
    pub id: String,
    /// Name of the container in the pod.
    pub name: String,
    /// Name of the image.
    pub image: Cow<'static, str>,
    /// Resources in the spec.
    pub resources: Resources,
    /// End of the container.
    pub end: End,
}

impl Plan {
    /// Returns a plan that draws pods of this shape.
    pub fn new(seed: u64, shape: PodShape) -> Self {
        Self {
            seed,
            shape,
            recorded: None,
            part: None,
        }
    }

    /// Returns the plan of a scenario.
    pub fn of(scenario: &Scenario) -> Self {
        Self::new(scenario.seed, scenario.pods.clone())
    }

    /// Returns a plan of recorded pods.
    pub fn recorded(pods: impl Into<Arc<[Pod]>>) -> Self {
        Self {
            seed: 0,
            shape: PodShape::default(),
            recorded: Some(pods.into()),
            part: None,
        }
    }

    /// Returns a part of this plan, with the pods of the part alone.
    #[must_use]
    pub fn part(&self, part: Part) -> Self {
        Self {
            part: Some(part),
            ..self.clone()
        }
    }

    /// Returns the plan of which this may be a part.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self {
            part: None,
            ..self.clone()
        }
    }

    /// Returns the highest number of containers of a pod.
    pub fn most_containers(&self) -> u64 {
        match &self.recorded {
            None => self.shape.containers.range().1,
            Some(pods) => pods
                .iter()
                .map(|pod| pod.containers.len() as u64)
                .max()
                .unwrap_or(0),
        }
    }

    /// Returns the pod at `index`. The pods of a part keep their indices in the whole plan.
    ///
    /// # Panics
    /// If the plan is recorded and has no pod at `index`.
    pub fn pod(&self, index: u64) -> Pod {
        let index = self.part.map_or(index, |part| part.index(index));
        match &self.recorded {
            None => self.draw(index),
            Some(pods) => {
                let place = usize::try_from(index).unwrap_or(usize::MAX);
                pods[place].clone()
            }
        }
    }

    fn draw(&self, index: u64) -> Pod {
        let mut draw = Draw::new(self.seed, index);
        let sandbox_id = draw.hex_id();
        let uid = draw.uuid();
        let app = draw.pick(APPS);
        let mut lifecycles = Draw::of_lifecycle(self.seed, index);
        let lifecycle = self.lifecycle(&mut lifecycles);
        let containers = (0..self.shape.containers.draw(&mut draw))
            .map(|number| self.container(&mut draw, number, &mut lifecycles))
            .collect();
        Pod {
            index,
            sandbox_id,
            name: format!("{app}-{index}"),
            uid,
            namespace: Cow::Borrowed("default"),
            app: Cow::Borrowed(app),
            containers,
            lifecycle,
        }
    }

    fn lifecycle(&self, lifecycles: &mut Draw) -> PodLifecycle {
        match &self.shape.lifecycle {
            Lifecycle::For(stay) => PodLifecycle::For(Duration::from_millis(stay.draw(lifecycles))),
            Lifecycle::Held => PodLifecycle::Held,
            Lifecycle::CrashLoop { restarts, .. } => PodLifecycle::CrashLoop {
                restarts: *restarts,
            },
            Lifecycle::Job { .. } => PodLifecycle::CrashLoop { restarts: 0 },
            Lifecycle::RestartAlways { hold, .. } => PodLifecycle::RestartAlways { hold: *hold },
        }
    }

    /// Draws the time and code of a container's exit by itself; `None` if it runs
    /// until a signal.
    fn exit(&self, lifecycles: &mut Draw) -> Option<Exit> {
        match &self.shape.lifecycle {
            Lifecycle::For(_) | Lifecycle::Held => None,
            Lifecycle::CrashLoop { exit_after_ms, .. } => Some(Exit {
                after: Duration::from_millis(exit_after_ms.draw(lifecycles)),
                code: lifecycle::CRASHED,
            }),
            Lifecycle::Job {
                exit_after_ms,
                exit_code,
            }
            | Lifecycle::RestartAlways {
                exit_after_ms,
                exit_code,
                ..
            } => Some(Exit {
                after: Duration::from_millis(exit_after_ms.draw(lifecycles)),
                // A scenario limits exit codes to the range from 0 to 255.
                code: u8::try_from(exit_code.draw(lifecycles)).unwrap_or(u8::MAX),
            }),
        }
    }

    fn container(&self, draw: &mut Draw, number: u64, lifecycles: &mut Draw) -> Container {
        let id = draw.hex_id();
        let image = draw.pick(IMAGES);
        let resources = Resources::draw(draw, &self.shape);
        // Drawn for every choice of signal, so that the choice changes no other draw.
        let mixed = draw.pick([Signal::Kill, Signal::Term]);
        Container {
            id,
            name: format!("c{number}"),
            image: Cow::Borrowed(image),
            resources,
            end: match (self.exit(lifecycles), self.shape.signal) {
                (Some(exit), _) => End::Exit(exit),
                (None, SignalChoice::Kill) => End::Signal(Signal::Kill),
                (None, SignalChoice::Term) => End::Signal(Signal::Term),
                (None, SignalChoice::Mix) => End::Signal(mixed),
            },
        }
    }
}

impl Pod {
    /// Encodes the `PodSandboxConfig` for the Create request.
    pub fn sandbox_config(&self) -> Vec<u8> {
        sandbox_config::encode(self)
    }

    /// Returns the decoded form of [`sandbox_config`](Self::sandbox_config).
    pub fn sandbox_config_message(&self) -> PodSandboxConfig {
        sandbox_config::message(self)
    }

    /// Returns the `PodSandboxConfig` for CRI: the pod in the network of the host.
    pub fn cri_sandbox_config(&self) -> PodSandboxConfig {
        cri::sandbox_config(self)
    }

    /// Returns the pod without the resources that lack a CRI field and need keys of cgroup
    /// v2: limits of processes, and reserved memory of containers.
    #[must_use]
    pub fn without_unified(&self) -> Self {
        let mut pod = self.clone();
        for container in &mut pod.containers {
            container.resources.pids = None;
            container.resources.memory_reservation = None;
        }
        pod
    }

    /// Returns the sandbox record in the form that containerd stores.
    pub fn sandbox_record(&self) -> SandboxRecord {
        sandbox_record::record(self)
    }

    /// Encodes the `config.json` of a container.
    ///
    /// # Errors
    /// No known case: every field is a string or a number.
    pub fn config_json(&self, container: &Container) -> serde_json::Result<Vec<u8>> {
        spec::config_json(self, container)
    }

    /// Returns the resources that the sandbox must show while all its containers run: their
    /// sum.
    pub fn resources(&self) -> ResourceInfo {
        self.resources_in_turn(|_| false)
    }

    /// Returns the resources that the sandbox must show if the containers at the places of
    /// `has_ended` had ended before the next one was created, as init containers do: the larger of
    /// the sum of the others, and of each of them with the others before it.
    pub fn resources_in_turn(&self, has_ended: impl Fn(usize) -> bool) -> ResourceInfo {
        let (mut staying, mut initial) = (None::<ResourceInfo>, None::<ResourceInfo>);
        for (place, container) in self.containers.iter().enumerate() {
            let info = container.resources.info();
            let beside = staying.map_or(info, |staying| staying.beside(info));
            if has_ended(place) {
                initial = Some(initial.map_or(beside, |before| before.in_turn(beside)));
            } else {
                staying = Some(beside);
            }
        }
        match (staying, initial) {
            (Some(staying), Some(initial)) => staying.in_turn(initial),
            (one, other) => one.or(other).unwrap_or(ResourceInfo::NONE),
        }
    }
}

impl Container {
    /// Returns the CRI container config with the given image; `attempt` is the number
    /// of earlier starts.
    pub fn cri_config(&self, image: &str, attempt: u32) -> ContainerConfig {
        cri::container_config(self, image, attempt)
    }
}

/// SHA-256 over the requests of a plan, pod by pod in order.
#[derive(Debug, Clone, Default)]
pub struct PlanHasher(Sha256);

impl PlanHasher {
    /// Adds the next pod, with the `config.json` of its containers in order.
    pub fn pod<'a>(&mut self, pod: &Pod, configs: impl IntoIterator<Item = &'a Vec<u8>>) {
        self.field(pod.sandbox_id.as_bytes());
        self.field(&pod.sandbox_config());
        self.field(&(pod.containers.len() as u64).to_le_bytes());
        for (container, config) in pod.containers.iter().zip(configs) {
            self.field(container.id.as_bytes());
            self.field(config);
            self.field(&container.end.number().to_le_bytes());
        }
        // A pod without a stay adds nothing, so that hashes of plans from before
        // lifecycles remain valid.
        if let Some(lifecycle) = pod.lifecycle.encoded() {
            self.field(&lifecycle);
        }
    }

    /// Returns the hash of all added pods.
    pub fn finish(self) -> PlanHash {
        PlanHash(self.0.finalize().into())
    }

    fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

/// Hash of a plan, displayed as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanHash([u8; 32]);

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hash and size of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Hash of the requests.
    pub hash: PlanHash,
    /// Number of containers of all pods.
    pub containers: u64,
}

/// Computes the hash of the first `pods` pods of a plan.
///
/// # Errors
/// As [`Pod::config_json`].
pub fn hash(plan: &Plan, pods: u64) -> serde_json::Result<PlanHash> {
    Ok(summary(plan, pods)?.hash)
}

/// Computes the summary of the first `pods` pods of a plan.
///
/// # Errors
/// As [`Pod::config_json`].
pub fn summary(plan: &Plan, pods: u64) -> serde_json::Result<Summary> {
    let mut hasher = PlanHasher::default();
    let mut containers = 0;
    for index in 0..pods {
        let pod = plan.pod(index);
        let configs = pod
            .containers
            .iter()
            .map(|container| pod.config_json(container))
            .collect::<Result<Vec<_>, _>>()?;
        hasher.pod(&pod, &configs);
        containers += configs.len() as u64;
    }
    Ok(Summary {
        hash: hasher.finish(),
        containers,
    })
}

#[cfg(test)]
mod tests;
