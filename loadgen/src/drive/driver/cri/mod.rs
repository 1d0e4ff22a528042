//! Runs pods over CRI, with the calls of a kubelet.

mod cgroups;
mod container;
mod exits;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use containerd_sandbox::Result as Reply;
use containerd_sandbox::client::Cri;
use cri_api::v1::{
    ContainerConfig, ListPodSandboxRequest, NamespaceMode, PodSandboxConfig, PodSandboxFilter,
    PodSandboxStatusRequest, RemovePodSandboxRequest, RunPodSandboxRequest, StopPodSandboxRequest,
    VersionRequest,
};
use futures::future::try_join_all;

pub use self::cgroups::PodCgroups;
use self::container::{Ends, RunningContainer};
use self::exits::Exits;
use super::{Created, Driver};
use crate::drive::calls::{Calls, any};
use crate::drive::check;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::workload::plan::{Container, Pod, UID_LABEL};
use crate::workload::runtime::Network;

/// Driver of a CRI endpoint.
#[derive(Debug, Clone)]
pub struct CriDriver {
    cri: Cri,
    at: CriAt,
    exits: Exits,
}

/// Address of a CRI endpoint, and the settings of its pods.
#[derive(Debug, Clone)]
pub struct CriAt {
    /// Unix socket of the endpoint.
    pub socket: PathBuf,
    /// Runtime handler of the pods.
    pub handler: String,
    /// Image of the containers; it must be present.
    pub image: String,
    /// Time limit of a call.
    pub timeout: Duration,
    /// Whether containers carry keys of cgroup v2 (`unified`). A runtime with real
    /// containers refuses these keys on a host with cgroup v1, and a kubelet sends them
    /// only if its configuration enables them.
    pub sends_unified: bool,
    /// Network of the pods.
    pub network: Network,
    /// Place of the pods' cgroups.
    pub cgroups: PodCgroups,
    /// Whether a verbose status must contain the resources that the pod requests; `false`
    /// for runtimes other than the sandboxer of this project.
    pub must_state_resources: bool,
}

/// A pod that may exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreatedPod {
    /// Id of the pod; `None` before the reply with the id.
    id: Option<String>,
    /// Whether a pod may exist under an id that no reply has given.
    unknown: bool,
}

/// Ids that the runtime assigned to a pod and its containers.
#[derive(Debug)]
pub struct RunningPod {
    id: String,
    containers: Vec<RunningContainer>,
}

impl Created for CreatedPod {
    fn is_empty(&self) -> bool {
        self.id.is_none() && !self.unknown
    }

    /// A runtime that replies with an error has removed the beginnings of the pod.
    fn without_others(mut self, failure: &Failure) -> Self {
        self.unknown &= failure.is_silence();
        self
    }
}

impl Driver for CriDriver {
    type Address = CriAt;
    type Created = CreatedPod;
    type Running = RunningPod;

    async fn connect(at: &CriAt) -> Reply<Self> {
        let cri = Cri::connect_timed(&at.socket)
            .await?
            .with_timeout(at.timeout);
        Ok(Self {
            exits: Exits::new(cri.clone()),
            cri,
            at: at.clone(),
        })
    }

    async fn probe(&self) -> Reply<()> {
        self.cri.version(VersionRequest::default()).await.map(drop)
    }

    async fn start(
        &self,
        pod: &Pod,
        created: &mut CreatedPod,
        calls: Calls<'_>,
    ) -> Result<RunningPod, Failure> {
        let pod = &*self.asked(pod);
        let config = self.sandbox_config(pod);
        created.unknown = true;
        let run = async {
            let request = RunPodSandboxRequest {
                config: Some(config.clone()),
                runtime_handler: self.at.handler.clone(),
            };
            let reply = Box::pin(self.cri.run_pod_sandbox(request)).await?;
            Ok(reply.pod_sandbox_id)
        };
        let known = |id: &String| check::cri::id(id);
        let id = calls.call(Operation::RunPodSandbox, run, known).await?;
        calls.has_id(&id);
        *created = CreatedPod {
            id: Some(id.clone()),
            unknown: false,
        };

        let mut containers = Vec::with_capacity(pod.containers.len());
        for container in &pod.containers {
            let started = self.start_container(&id, &config, container, 0, calls);
            containers.push(started.await?);
        }
        self.look(pod, &id, calls).await?;
        Ok(RunningPod { id, containers })
    }

    async fn restart(
        &self,
        pod: &Pod,
        running: RunningPod,
        calls: Calls<'_>,
    ) -> Result<RunningPod, Failure> {
        let pod = &*self.asked(pod);
        let config = self.sandbox_config(pod);
        let mut containers = Vec::with_capacity(running.containers.len());
        for (container, ended) in pod.containers.iter().zip(running.containers) {
            let attempt = ended.attempt + 1;
            self.end(ended, false, calls).await?;
            let started = self.start_container(&running.id, &config, container, attempt, calls);
            containers.push(started.await?);
        }
        Ok(RunningPod {
            containers,
            ..running
        })
    }

    async fn keep(
        &self,
        pod: &Pod,
        running: RunningPod,
        over: impl AsyncFn(),
        calls: Calls<'_>,
    ) -> Result<RunningPod, Failure> {
        let pod = &*self.asked(pod);
        let (id, config, over) = (&running.id, &self.sandbox_config(pod), &over);
        let each = pod.containers.iter().zip(running.containers);
        let each = each.map(async |(container, mut running)| {
            loop {
                let Ends::Itself(_, awaited) = &mut running.ends else {
                    return Ok(running);
                };
                tokio::select! {
                    () = over() => return Ok(running),
                    () = awaited.ended() => {}
                }
                let attempt = running.attempt + 1;
                self.end(running, false, calls).await?;
                let started = self.start_container(id, config, container, attempt, calls);
                running = started.await?;
            }
        });
        Ok(RunningPod {
            containers: try_join_all(each).await?,
            id: running.id,
        })
    }

    async fn stop(&self, pod: &Pod, running: RunningPod, calls: Calls<'_>) -> Result<(), Failure> {
        let RunningPod { id, containers } = running;
        for container in containers {
            self.end(container, pod.lifecycle.cuts_off(), calls).await?;
        }

        let request = StopPodSandboxRequest {
            pod_sandbox_id: id.clone(),
        };
        let stop = self.cri.stop_pod_sandbox(request);
        calls.call(Operation::StopPodSandbox, stop, any).await?;
        let status = self.cri.pod_sandbox_status(status_of(&id));
        let right = |status: &_| check::cri::pod_not_ready(&id, status);
        calls
            .call(Operation::PodSandboxStatus, status, right)
            .await?;
        let request = RemovePodSandboxRequest {
            pod_sandbox_id: id.clone(),
        };
        let remove = self.cri.remove_pod_sandbox(request);
        calls.call(Operation::RemovePodSandbox, remove, any).await?;
        let status = self.cri.pod_sandbox_status(status_of(&id));
        calls
            .gone(Operation::PodSandboxGone, status, "the pod is still there")
            .await?;
        self.at.cgroups.remove(pod);
        Ok(())
    }

    /// The removal of a pod also removes its containers.
    async fn tear_down(&self, pod: &Pod, created: CreatedPod, calls: Calls<'_>) -> bool {
        let mut gone = true;
        let ids = match created.id {
            Some(id) => vec![id],
            None => match calls.clean_up(self.of_uid(&pod.uid)).await {
                Ok(ids) => ids,
                Err(_) => return false,
            },
        };
        for pod_sandbox_id in ids {
            let request = StopPodSandboxRequest {
                pod_sandbox_id: pod_sandbox_id.clone(),
            };
            // RemovePodSandbox also stops the pod and returns whether it is gone, so an
            // error of StopPodSandbox is ignored.
            let _ = calls.clean_up(self.cri.stop_pod_sandbox(request)).await;
            let request = RemovePodSandboxRequest { pod_sandbox_id };
            let remove = self.cri.remove_pod_sandbox(request);
            gone &= calls.clean_up(remove).await.is_ok();
        }
        self.at.cgroups.remove(pod);
        gone
    }
}

impl CriDriver {
    /// Returns the pod as this runtime receives it: without the resources that need keys of
    /// cgroup v2 unless the runtime gets these keys.
    fn asked<'pod>(&self, pod: &'pod Pod) -> Cow<'pod, Pod> {
        if self.at.sends_unified {
            Cow::Borrowed(pod)
        } else {
            Cow::Owned(pod.without_unified())
        }
    }

    /// Returns the config of the pod's sandbox.
    fn sandbox_config(&self, pod: &Pod) -> PodSandboxConfig {
        let mut config = pod.cri_sandbox_config();
        if let Some(parent) = self.at.cgroups.parent(pod) {
            config.linux.get_or_insert_default().cgroup_parent = parent;
        }
        if self.at.network == Network::Pod {
            // A kubelet names the host only of a pod with a network of its own.
            config.hostname.clone_from(&pod.name);
            let linux = config.linux.get_or_insert_default();
            let context = linux.security_context.get_or_insert_default();
            let namespaces = context.namespace_options.get_or_insert_default();
            namespaces.set_network(NamespaceMode::Pod);
        }
        config
    }

    /// Returns the config of a container.
    fn container_config(&self, container: &Container, attempt: u32) -> ContainerConfig {
        let mut config = container.cri_config(&self.at.image, attempt);
        if self.at.network == Network::Pod {
            let linux = config.linux.get_or_insert_default();
            let context = linux.security_context.get_or_insert_default();
            let namespaces = context.namespace_options.get_or_insert_default();
            namespaces.set_network(NamespaceMode::Pod);
        }
        config
    }

    /// Makes the verbose status call for a pod with all containers running, and checks
    /// it.
    async fn look(&self, pod: &Pod, id: &str, calls: Calls<'_>) -> Result<(), Failure> {
        let must = self.at.must_state_resources;
        let request = PodSandboxStatusRequest {
            verbose: true,
            ..status_of(id)
        };
        let status = self.cri.pod_sandbox_status(request);
        let right = |status: &_| check::cri::pod_ready(pod, id, must, status);
        let reply = calls
            .call(Operation::PodSandboxStatus, status, right)
            .await?;
        if !must && !check::cri::states_resources(&reply) {
            calls.record(Recorder::uncompared);
        }
        Ok(())
    }

    /// Returns the ids of the pods with this uid.
    async fn of_uid(&self, uid: &str) -> Reply<Vec<String>> {
        let filter = PodSandboxFilter {
            label_selector: HashMap::from([(UID_LABEL.to_owned(), uid.to_owned())]),
            ..PodSandboxFilter::default()
        };
        let request = ListPodSandboxRequest {
            filter: Some(filter),
        };
        let pods = self.cri.list_pod_sandbox(request).await?.items;
        Ok(pods.into_iter().map(|pod| pod.id).collect())
    }
}

fn status_of(pod: &str) -> PodSandboxStatusRequest {
    PodSandboxStatusRequest {
        pod_sandbox_id: pod.to_owned(),
        verbose: false,
    }
}
