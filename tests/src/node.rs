//! A real containerd with pods on the shipped sandboxer, and a CRI client.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use containerd_sandbox::Result;
use containerd_sandbox::client::{self, Cri};
use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ContainerStatsRequest, ContainerStatsResponse,
    ContainerStatus, ContainerStatusRequest, CreateContainerRequest, ExecSyncRequest,
    ExecSyncResponse, ImageSpec, LinuxContainerConfig, LinuxContainerResources,
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, ListPodSandboxRequest, NamespaceMode,
    NamespaceOption, PodSandboxConfig, PodSandboxFilter, PodSandboxMetadata, PodSandboxState,
    PodSandboxStatusRequest, RemoveContainerRequest, RemovePodSandboxRequest, RunPodSandboxRequest,
    StartContainerRequest, StopContainerRequest, StopPodSandboxRequest,
};
use loadgen::server::containerd::{Containerd, Home as ContainerdHome};
use loadgen::server::image;
use loadgen::stop::Stop;
use loadgen::workload::runtime::HANDLER;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Daemon, Home};

/// Environment variable that makes a missing containerd a failure, as in CI.
const REQUIRED: &str = "REQUIRE_CONTAINERD";

/// Returns the path of the containerd that `scripts/containerd` finds. If there is none, returns
/// `None` and prints that the test is skipped, unless one is required.
///
/// # Panics
/// If one is required and none is found.
pub fn containerd() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/containerd");
            let output = Command::new(script).output().expect("the script runs");
            if output.status.success() {
                let path = String::from_utf8(output.stdout).expect("a path is text");
                return Some(PathBuf::from(path.trim_end()));
            }
            let why = String::from_utf8_lossy(&output.stderr);
            assert!(
                std::env::var_os(REQUIRED).is_none(),
                "{REQUIRED} is set, and there is no containerd: {why}"
            );
            eprintln!("SKIPPED: no containerd to test with: {why}");
            None
        })
        .clone()
}

/// A sandboxer and a containerd in front of it, each with files of its own.
pub struct Node {
    /// `None` only during a restart.
    pub sandboxer: Option<Daemon>,
    /// `None` only during a restart.
    pub containerd: Option<Containerd>,
    program: PathBuf,
    // Dropped last, after the daemons have ended.
    dir: TempDir,
}

impl Node {
    /// Starts both, the sandboxer with these arguments. Returns `None` where no containerd is
    /// found.
    ///
    /// # Panics
    /// If one of them does not start.
    pub async fn start(args: &[&str]) -> Option<Self> {
        let program = containerd()?;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let home = Home::new(&[]);
        let containerd_socket = dir.path().join("containerd.sock");
        let args: Vec<String> = args
            .iter()
            .map(|arg| arg.replace("{containerd}", &containerd_socket.display().to_string()))
            .collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let sandboxer = home.with(&args).start();
        let files = ContainerdHome::new(dir.path(), Some(&sandboxer.home().socket()), None);
        let mut node = Self {
            sandboxer: Some(sandboxer),
            containerd: None,
            program,
            dir,
        };
        node.start_containerd(files.expect("containerd's files"))
            .await;
        Some(node)
    }

    /// Starts containerd on its files and imports an image.
    ///
    /// # Panics
    /// If containerd does not start.
    pub async fn start_containerd(&mut self, home: ContainerdHome) {
        let program = self.program.clone();
        let started =
            tokio::task::spawn_blocking(move || Containerd::start(program, home, &Stop::new()));
        let containerd = started.await.expect("no panic").expect("containerd starts");
        let channel = client::channel(&containerd.home().socket())
            .await
            .expect("it answers");
        image::ensure(channel).await.expect("it takes an image");
        self.containerd = Some(containerd);
    }

    /// Stops containerd by SIGTERM and returns its files.
    ///
    /// # Panics
    /// If containerd does not stop.
    pub async fn stop_containerd(&mut self) -> ContainerdHome {
        let containerd = self.containerd.take().expect("it runs");
        let stopped = tokio::task::spawn_blocking(move || containerd.terminate(&Stop::new()));
        let (home, status) = stopped.await.expect("no panic").expect("it stops");
        assert!(status.success(), "containerd ended with {status}");
        home
    }

    /// Ends the sandboxer by SIGKILL or SIGTERM and starts it again on its files.
    ///
    /// # Panics
    /// If the sandboxer does not end or start.
    pub fn restart_sandboxer(&mut self, kill9: bool) {
        let home = self.stop_sandboxer(kill9);
        self.sandboxer = Some(home.start());
    }

    /// Ends the sandboxer by SIGKILL or SIGTERM and returns its files.
    ///
    /// # Panics
    /// If the sandboxer does not end.
    pub fn stop_sandboxer(&mut self, kill9: bool) -> Home {
        let daemon = self.sandboxer.take().expect("it runs");
        if kill9 {
            daemon.kill9()
        } else {
            let (home, status) = daemon.terminate();
            assert!(status.success(), "the sandboxer ended with {status}");
            home
        }
    }

    /// Returns the sandboxer.
    ///
    /// # Panics
    /// During a restart.
    pub fn sandboxer(&self) -> &Daemon {
        self.sandboxer.as_ref().expect("it runs")
    }

    /// Returns the containerd.
    ///
    /// # Panics
    /// During a restart.
    pub fn containerd(&self) -> &Containerd {
        self.containerd.as_ref().expect("it runs")
    }

    /// Connects a new CRI client.
    ///
    /// # Panics
    /// If containerd does not answer.
    pub async fn cri(&self) -> Cri {
        let socket = self.containerd().home().socket();
        Cri::connect(&socket).await.expect("it answers")
    }

    /// Returns the log of containerd so far.
    pub fn containerd_log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("containerd.log")).unwrap_or_default()
    }
}

/// Returns the configuration of a pod on the host's network.
pub fn pod_config(name: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            namespace: "default".to_owned(),
            attempt: 0,
        }),
        labels: HashMap::from([("app".to_owned(), name.to_owned())]),
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: format!("/resource-slot-tests/{name}"),
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(NamespaceOption {
                    network: NamespaceMode::Node.into(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Returns the configuration of a container of the tests' image with half a core and 64 MiB.
pub fn container_config(name: &str) -> ContainerConfig {
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: name.to_owned(),
            attempt: 0,
        }),
        image: Some(ImageSpec {
            image: image::NAME.to_owned(),
            ..Default::default()
        }),
        linux: Some(LinuxContainerConfig {
            resources: Some(LinuxContainerResources {
                cpu_period: 100_000,
                cpu_quota: 50_000,
                cpu_shares: 256,
                memory_limit_in_bytes: 64 << 20,
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A pod that runs on the sandboxer.
#[derive(Clone)]
pub struct Pod {
    /// Connection to containerd.
    pub cri: Cri,
    /// Id.
    pub id: String,
    /// Configuration.
    pub config: PodSandboxConfig,
}

/// A container of a [`Pod`].
#[derive(Clone)]
pub struct Container {
    /// Connection to containerd.
    pub cri: Cri,
    /// Id.
    pub id: String,
}

impl Pod {
    /// Runs a pod on the host's network.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn run(cri: &Cri, name: &str) -> Result<Self> {
        Self::run_as(cri, pod_config(name)).await
    }

    /// Runs a pod.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn run_as(cri: &Cri, config: PodSandboxConfig) -> Result<Self> {
        let request = RunPodSandboxRequest {
            config: Some(config.clone()),
            runtime_handler: HANDLER.to_owned(),
        };
        Ok(Self {
            id: cri.run_pod_sandbox(request).await?.pod_sandbox_id,
            cri: cri.clone(),
            config,
        })
    }

    /// Creates a container.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn create_container(&self, config: ContainerConfig) -> Result<Container> {
        let request = CreateContainerRequest {
            pod_sandbox_id: self.id.clone(),
            config: Some(config),
            sandbox_config: Some(self.config.clone()),
        };
        Ok(Container {
            id: self.cri.create_container(request).await?.container_id,
            cri: self.cri.clone(),
        })
    }

    /// Creates a container and starts it.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn start_container(&self, name: &str) -> Result<Container> {
        let container = self.create_container(container_config(name)).await?;
        container.start().await?;
        Ok(container)
    }

    /// Returns the state, and the sandboxer's part of the verbose status.
    ///
    /// # Panics
    /// If the call fails or the status is incomplete.
    pub async fn status(&self) -> (PodSandboxState, Value) {
        self.try_status().await.expect("status")
    }

    /// Returns the same as [`Pod::status`], or the error.
    ///
    /// # Errors
    /// The error of containerd.
    ///
    /// # Panics
    /// If the status is empty.
    pub async fn try_status(&self) -> Result<(PodSandboxState, Value)> {
        let request = PodSandboxStatusRequest {
            pod_sandbox_id: self.id.clone(),
            verbose: true,
        };
        let reply = self.cri.pod_sandbox_status(request).await?;
        let state = reply.status.expect("a status").state();
        let info = reply.info.get("resource_slot").map_or(Value::Null, |info| {
            serde_json::from_str(info).expect("info is JSON")
        });
        Ok((state, info))
    }

    /// Returns the state in containerd's list of pods.
    ///
    /// # Panics
    /// If the pod is not in the list.
    pub async fn listed(&self) -> PodSandboxState {
        let request = ListPodSandboxRequest {
            filter: Some(PodSandboxFilter {
                id: self.id.clone(),
                ..Default::default()
            }),
        };
        let reply = self.cri.list_pod_sandbox(request).await.expect("a list");
        reply.items.first().expect("it is listed").state()
    }

    /// Stops the pod.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn stop(&self) -> Result<()> {
        let request = StopPodSandboxRequest {
            pod_sandbox_id: self.id.clone(),
        };
        self.cri.stop_pod_sandbox(request).await.map(drop)
    }

    /// Removes the pod.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn remove(&self) -> Result<()> {
        let request = RemovePodSandboxRequest {
            pod_sandbox_id: self.id.clone(),
        };
        self.cri.remove_pod_sandbox(request).await.map(drop)
    }
}

impl Container {
    /// Starts the container.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn start(&self) -> Result<()> {
        let request = StartContainerRequest {
            container_id: self.id.clone(),
        };
        self.cri.start_container(request).await.map(drop)
    }

    /// Stops the container; after `timeout` seconds by SIGKILL.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn stop(&self, timeout: i64) -> Result<()> {
        let request = StopContainerRequest {
            container_id: self.id.clone(),
            timeout,
        };
        self.cri.stop_container(request).await.map(drop)
    }

    /// Removes the container.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn remove(&self) -> Result<()> {
        let request = RemoveContainerRequest {
            container_id: self.id.clone(),
        };
        self.cri.remove_container(request).await.map(drop)
    }

    /// Runs a command in the container.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn exec(&self, command: &[&str], timeout: i64) -> Result<ExecSyncResponse> {
        let request = ExecSyncRequest {
            container_id: self.id.clone(),
            cmd: command.iter().map(ToString::to_string).collect(),
            timeout,
        };
        self.cri.exec_sync(request).await
    }

    /// Returns the container's status.
    ///
    /// # Panics
    /// If the call fails or the status is incomplete.
    pub async fn status(&self) -> ContainerStatus {
        let request = ContainerStatusRequest {
            container_id: self.id.clone(),
            verbose: false,
        };
        let reply = self.cri.container_status(request).await.expect("status");
        reply.status.expect("a status")
    }

    /// Returns the container's usage.
    ///
    /// # Errors
    /// The error of containerd.
    pub async fn stats(&self) -> Result<ContainerStatsResponse> {
        let request = ContainerStatsRequest {
            container_id: self.id.clone(),
        };
        self.cri.container_stats(request).await
    }
}
