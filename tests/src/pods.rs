//! The ledger of a client of the CRI API: a seeded load of random legal calls, and the replies
//! that the API must give after a crash.
//!
//! Pods are identified by name, because the id of a pod without a reply is unknown.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use containerd_sandbox::client::Cri;
use containerd_sandbox::{Code, Error, Result};
use cri_api::v1::{self, ContainerState, PodSandboxState};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use crate::cri;

const CONTAINERS: [&str; 2] = ["a", "b"];
const PODS: usize = 4;
/// 128 + SIGKILL.
const KILLED: i32 = 137;

/// Known facts of one pod.
#[derive(Debug, Clone, PartialEq)]
struct Pod {
    id: String,
    is_ready: bool,
    containers: BTreeMap<String, Container>,
}

#[derive(Debug, Clone, PartialEq)]
struct Container {
    id: String,
    memory: i64,
    state: ContainerState,
    exit_code: i32,
}

type Book = BTreeMap<String, Pod>;

#[derive(Debug, Clone, Copy)]
enum Step {
    Run,
    StopPod,
    RemovePod,
    Create(&'static str, i64),
    Start(&'static str),
    Stop(&'static str),
    Remove(&'static str),
    Update(&'static str, i64),
}

impl Container {
    fn end(&mut self) {
        if self.state != ContainerState::ContainerExited {
            self.state = ContainerState::ContainerExited;
            self.exit_code = KILLED;
        }
    }
}

impl Pod {
    fn in_state(&self, container: &str, state: ContainerState) -> bool {
        let found = self.containers.get(container);
        found.is_some_and(|container| container.state == state)
    }

    fn stop(&mut self) {
        self.is_ready = false;
        self.containers.values_mut().for_each(Container::end);
    }
}

impl Step {
    /// Returns the facts after each record of this step; `None` after the removal of the pod. Ids
    /// that the reply will bring are empty. Empty if the step is not legal now.
    fn outcomes(self, before: Option<&Pod>) -> Vec<Option<Pod>> {
        use ContainerState::{ContainerCreated, ContainerExited, ContainerRunning};

        let Some(before) = before else {
            let run = Pod {
                id: String::new(),
                is_ready: true,
                containers: BTreeMap::new(),
            };
            // A pod that was created and not started is dropped at the next start.
            return match self {
                Step::Run => vec![Some(run)],
                _ => Vec::new(),
            };
        };
        let mut after = before.clone();
        let done = match self {
            Step::Run => false,
            Step::StopPod => {
                after.stop();
                true
            }
            Step::RemovePod => {
                after.stop();
                return vec![Some(after), None];
            }
            Step::Create(name, memory) => {
                let new = Container {
                    id: String::new(),
                    memory,
                    state: ContainerCreated,
                    exit_code: 0,
                };
                before.is_ready && after.containers.insert(name.to_owned(), new).is_none()
            }
            Step::Start(name) => {
                let is_legal = before.is_ready && before.in_state(name, ContainerCreated);
                after.each(name, |container| container.state = ContainerRunning);
                is_legal
            }
            Step::Stop(name) => {
                after.each(name, Container::end);
                before.in_state(name, ContainerRunning) || before.in_state(name, ContainerExited)
            }
            Step::Remove(name) => {
                let mut ended = before.clone();
                ended.each(name, Container::end);
                return match after.containers.remove(name) {
                    Some(_) => vec![Some(ended), Some(after)],
                    None => Vec::new(),
                };
            }
            Step::Update(name, memory) => {
                after.each(name, |container| container.memory = memory);
                before.in_state(name, ContainerCreated) || before.in_state(name, ContainerRunning)
            }
        };
        if done { vec![Some(after)] } else { Vec::new() }
    }

    /// Draws a legal step.
    fn draw(rng: &mut impl Rng, pod: Option<&Pod>) -> (Self, Vec<Option<Pod>>) {
        loop {
            let container = CONTAINERS.choose(rng).expect("there are some");
            let memory = rng.random_range(1..1000) << 20;
            let step = match rng.random_range(0..20) {
                0..3 => Step::Run,
                3 => Step::StopPod,
                4 => Step::RemovePod,
                5..9 => Step::Create(container, memory),
                9..13 => Step::Start(container),
                13..15 => Step::Stop(container),
                15..17 => Step::Remove(container),
                _ => Step::Update(container, memory),
            };
            let outcomes = step.outcomes(pod);
            if !outcomes.is_empty() {
                return (step, outcomes);
            }
        }
    }

    /// Makes the call and returns the id of the object that it created.
    async fn call(self, cri: &Cri, name: &str, pod: Option<&Pod>) -> Result<String> {
        let pod_id = || pod.map(|pod| pod.id.clone()).unwrap_or_default();
        let id = |container: &str| {
            let found = pod.and_then(|pod| pod.containers.get(container));
            found.map(|found| found.id.clone()).unwrap_or_default()
        };
        match self {
            Step::Run => return cri::run_with(cri, &config(name), "").await,
            Step::Create(container, memory) => {
                return cri::create(cri, &pod_id(), &container_config(container, memory)).await;
            }
            Step::StopPod => cri::stop_pod(cri, &pod_id()).await,
            Step::RemovePod => cri::remove_pod(cri, &pod_id()).await,
            Step::Start(container) => cri::start(cri, &id(container)).await,
            Step::Stop(container) => cri::stop(cri, &id(container), 0).await,
            Step::Remove(container) => cri::remove(cri, &id(container)).await,
            Step::Update(container, memory) => {
                let request = v1::UpdateContainerResourcesRequest {
                    container_id: id(container),
                    linux: Some(memory_limit(memory)),
                    ..Default::default()
                };
                cri.update_container_resources(request).await.map(drop)
            }
        }
        .map(|()| String::new())
    }
}

impl Pod {
    fn each(&mut self, container: &str, change: impl FnOnce(&mut Container)) {
        if let Some(container) = self.containers.get_mut(container) {
            change(container);
        }
    }

    /// Returns these facts with unknown ids taken from `other`.
    fn with_ids_of(mut self, other: &Self) -> Self {
        if self.id.is_empty() {
            self.id.clone_from(&other.id);
        }
        for (name, container) in &mut self.containers {
            if let (true, Some(found)) = (container.id.is_empty(), other.containers.get(name)) {
                container.id.clone_from(&found.id);
            }
        }
        self
    }

    fn set_unknown_id(&mut self, id: &str) {
        let ids = self.containers.values_mut().map(|c| &mut c.id);
        for unknown in ids.chain([&mut self.id]).filter(|id| id.is_empty()) {
            id.clone_into(unknown);
        }
    }
}

/// Returns one label and one annotation: a map has no order in a message, and the stored form is
/// compared as text.
fn config(name: &str) -> v1::PodSandboxConfig {
    v1::PodSandboxConfig {
        log_directory: String::new(),
        labels: cri::labels(&[("app", name)]),
        annotations: cri::labels(&[("resources.limits.pid", "100")]),
        ..cri::pod_config(name, std::path::Path::new("/"))
    }
}

fn memory_limit(bytes: i64) -> v1::LinuxContainerResources {
    v1::LinuxContainerResources {
        memory_limit_in_bytes: bytes,
        ..Default::default()
    }
}

fn container_config(name: &str, memory: i64) -> v1::ContainerConfig {
    v1::ContainerConfig {
        log_path: String::new(),
        linux: Some(v1::LinuxContainerConfig {
            resources: Some(memory_limit(memory)),
            security_context: None,
        }),
        ..cri::container_config(name)
    }
}

/// A client, its ledger, and the step without a reply.
pub struct Client {
    name: String,
    book: Book,
    in_flight: Option<(String, Step, Vec<Option<Pod>>)>,
}

impl Client {
    /// Creates a client with an empty ledger.
    pub fn new(name: String) -> Self {
        Self {
            name,
            book: Book::new(),
            in_flight: None,
        }
    }

    /// Takes random steps and counts the acknowledged ones, until the connection is lost. Returns
    /// the error of that.
    ///
    /// # Panics
    /// If a legal step is refused.
    pub async fn load(&mut self, cri: &Cri, rng: &mut impl Rng, acknowledged: &AtomicU64) -> Error {
        let image = v1::PullImageRequest {
            image: Some(cri::image(cri::IMAGE)),
            ..Default::default()
        };
        if let Err(e) = cri.pull_image(image).await {
            assert_eq!(e.code(), Code::Unavailable, "{e}");
            return e;
        }
        loop {
            let name = format!("{}-{}", self.name, rng.random_range(0..PODS));
            let before = self.book.get(&name);
            let (step, outcomes) = Step::draw(rng, before);
            match step.call(cri, &name, before).await {
                Ok(id) => {
                    let after = outcomes.into_iter().last();
                    let after = after.expect("legal steps do something");
                    match after {
                        Some(mut pod) => {
                            pod.set_unknown_id(&id);
                            self.book.insert(name, pod);
                        }
                        None => drop(self.book.remove(&name)),
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Err(e) if e.code() == Code::Unavailable => {
                    self.in_flight = Some((name, step, outcomes));
                    return e;
                }
                Err(e) => panic!("{step:?} of {name} is legal: {before:#?}, but: {e}"),
            }
        }
    }

    /// Compares the replies of the API with the ledger. The step in flight may have happened, in
    /// whole or up to one of its records; the ledger takes over the facts that are found.
    ///
    /// # Panics
    /// If an acknowledged step is missing, or a fact follows from no step.
    pub async fn settle(&mut self, cri: &Cri) {
        let mut found = self.found(cri).await;
        if let Some((name, step, outcomes)) = self.in_flight.take() {
            let now = found.remove(&name);
            let before = self.book.remove(&name);
            let is_expected = |outcome: Option<Pod>| match (&now, outcome) {
                (Some(now), Some(outcome)) => outcome.with_ids_of(now) == *now,
                (None, None) => true,
                _ => false,
            };
            assert!(
                now == before || outcomes.iter().cloned().any(is_expected),
                "{step:?} of {name} was in flight\nbefore: {before:#?}\nnow: {now:#?}"
            );
            assert_eq!(found, self.book);
            if let Some(now) = now {
                self.book.insert(name, now);
            }
        } else {
            assert_eq!(found, self.book);
        }
    }

    async fn found(&self, cri: &Cri) -> Book {
        let mut book = Book::new();
        let request = v1::ListPodSandboxRequest { filter: None };
        let pods = cri.list_pod_sandbox(request).await.expect("a list");
        let prefix = format!("{}-", self.name);
        for pod in pods.items {
            let name = pod.metadata.expect("metadata").name;
            if !name.starts_with(&prefix) {
                continue;
            }
            let of_pod = v1::ContainerFilter {
                pod_sandbox_id: pod.id.clone(),
                ..Default::default()
            };
            let mut containers = BTreeMap::new();
            for id in cri::containers(cri, of_pod).await.expect("a list") {
                let status = cri::status(cri, &id).await;
                let limits = status.resources.and_then(|resources| resources.linux);
                let container = Container {
                    memory: limits.map_or(0, |linux| linux.memory_limit_in_bytes),
                    state: ContainerState::try_from(status.state).expect("a state"),
                    exit_code: status.exit_code,
                    id,
                };
                containers.insert(status.metadata.expect("metadata").name, container);
            }
            let pod = Pod {
                is_ready: pod.state == i32::from(PodSandboxState::SandboxReady),
                id: pod.id,
                containers,
            };
            assert_eq!(book.insert(name, pod), None, "one name, one pod");
        }
        book
    }
}
