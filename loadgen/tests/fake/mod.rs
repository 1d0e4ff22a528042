//! A fake sandboxer: the part of the two ttrpc services that a load needs, with optional
//! lies. It shares no code with the sandboxer of this project.
#![allow(dead_code, reason = "every test uses its own part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use containerd_shim_protos::api;
use containerd_shim_protos::sandbox_api;
use containerd_shim_protos::sandbox_async::{Sandbox, create_sandbox};
use containerd_shim_protos::shim_async::{Task, create_task};
use cri_api::v1::PodSandboxConfig;
use loadgen::workload::resources::ResourceInfo;
use prost::Message;
use protobuf::EnumOrUnknown;
use protobuf::well_known_types::empty::Empty;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use ttrpc::asynchronous::{Server, TtrpcContext};

/// Mistake of the fake; it makes the mistake with every pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    None,
    WrongSandboxId,
    SandboxNotReady,
    NoInfo,
    OneMillicoreOff,
    OneByteOff,
    NullInsteadOfPids,
    StillReady,
    StillThere,
    WrongTaskId,
    TaskNotRunning,
    TaskStillRunning,
    WrongPid,
    WrongExitOfWait,
    WrongExitOfDelete,
    EarlyWait,
    NeverWait,
    AlreadyThere,
    CreateFails,
    StartFails,
    DeleteFails,
    ShutdownFails,
    /// Start hangs until the test releases it.
    HoldStarts,
}

struct FakeTask {
    sandbox: String,
    pid: u32,
    running: bool,
    resources: ResourceInfo,
    exit: watch::Sender<Option<u32>>,
    waited: bool,
}

#[derive(Default)]
struct Model {
    /// Whether each sandbox is ready, by its id.
    sandboxes: HashMap<String, bool>,
    tasks: HashMap<String, FakeTask>,
    next_pid: u32,
}

pub struct Fake {
    lie: Lie,
    model: Mutex<Model>,
    /// Number of created sandboxes so far.
    pub created: AtomicUsize,
    /// Number of stops and shutdowns so far.
    pub removals: AtomicUsize,
    /// Notified at each held Start.
    pub held: Notify,
    /// Whether held Starts may continue.
    pub release: watch::Sender<bool>,
    /// Whether a Start arrived before the Wait for its task.
    pub wait_was_late: AtomicBool,
    pub namespaces: Mutex<Vec<String>>,
}

impl Fake {
    pub fn new(lie: Lie) -> Arc<Self> {
        Arc::new(Self {
            lie,
            model: Mutex::default(),
            created: AtomicUsize::new(0),
            removals: AtomicUsize::new(0),
            held: Notify::new(),
            release: watch::Sender::new(false),
            wait_was_late: AtomicBool::new(false),
            namespaces: Mutex::default(),
        })
    }

    /// Returns the numbers of remaining sandboxes and tasks.
    pub fn left(&self) -> (usize, usize) {
        let model = self.model.lock().unwrap();
        (model.sandboxes.len(), model.tasks.len())
    }

    fn lies(&self, lie: Lie) -> bool {
        self.lie == lie
    }
}

/// A fake on a socket.
pub struct Listening {
    pub socket: PathBuf,
    server: Server,
    _dir: tempfile::TempDir,
}

impl Listening {
    pub async fn start(fake: &Arc<Fake>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("fake.sock");
        let mut server = Server::new()
            .bind(&format!("unix://{}", socket.display()))
            .unwrap()
            .register_service(create_sandbox(Arc::new(FakeService(Arc::clone(fake)))))
            .register_service(create_task(Arc::new(FakeService(Arc::clone(fake)))));
        server.start().await.unwrap();
        Self {
            socket,
            server,
            _dir: dir,
        }
    }

    /// Closes every connection and the socket.
    pub async fn die(mut self) {
        self.server.shutdown().await.unwrap();
    }
}

struct FakeService(Arc<Fake>);

fn refuse<T>(code: ttrpc::Code, message: &str) -> ttrpc::Result<T> {
    let status = ttrpc::get_status(code, message);
    Err(ttrpc::Error::RpcStatus(status))
}

fn unknown<T>(id: &str) -> ttrpc::Result<T> {
    refuse(ttrpc::Code::NOT_FOUND, &format!("{id} not found"))
}

/// Reads the id of the sandbox and the resources from a bundle.
fn read_bundle(bundle: &str) -> (String, ResourceInfo) {
    let text = std::fs::read(Path::new(bundle).join("config.json")).unwrap();
    let spec: Value = serde_json::from_slice(&text).unwrap();
    let resources = &spec["linux"]["resources"];
    let shares = resources["cpu"]["shares"].as_u64().unwrap();
    let info = ResourceInfo {
        cpu_limit: resources["cpu"]["quota"].as_f64().map(|quota| quota / 1e5),
        cpu_request: (shares != 2).then(|| (shares * 1000).div_ceil(1024) as f64 / 1000.0),
        memory_limit: resources["memory"]["limit"].as_u64(),
        memory_request: resources["memory"]["reservation"].as_u64(),
        pid_limit: resources["pids"]["limit"].as_u64(),
        ..ResourceInfo::NONE
    };
    let sandbox = spec["annotations"]["io.kubernetes.cri.sandbox-id"].as_str();
    (sandbox.unwrap().to_owned(), info)
}

#[async_trait]
impl Sandbox for FakeService {
    async fn create_sandbox(
        &self,
        context: &TtrpcContext,
        request: sandbox_api::CreateSandboxRequest,
    ) -> ttrpc::Result<sandbox_api::CreateSandboxResponse> {
        let options = request.options.unwrap();
        assert_eq!(options.type_url, "runtime.v1.PodSandboxConfig");
        let config = PodSandboxConfig::decode(&*options.value).unwrap();
        assert!(!config.metadata.unwrap().uid.is_empty());
        let namespace = context.metadata["containerd-namespace-ttrpc"].concat();
        self.0.namespaces.lock().unwrap().push(namespace);
        self.0.created.fetch_add(1, Ordering::SeqCst);
        if self.0.lies(Lie::AlreadyThere) {
            return refuse(ttrpc::Code::ALREADY_EXISTS, "somebody else's");
        }
        if self.0.lies(Lie::CreateFails) {
            return refuse(ttrpc::Code::RESOURCE_EXHAUSTED, "no room for a sandbox");
        }
        let mut model = self.0.model.lock().unwrap();
        model.sandboxes.insert(request.sandbox_id, false);
        Ok(sandbox_api::CreateSandboxResponse::default())
    }

    async fn start_sandbox(
        &self,
        _: &TtrpcContext,
        request: sandbox_api::StartSandboxRequest,
    ) -> ttrpc::Result<sandbox_api::StartSandboxResponse> {
        if self.0.lies(Lie::HoldStarts) {
            self.0.held.notify_one();
            let mut released = self.0.release.subscribe();
            let _ = released.wait_for(|released| *released).await;
        }
        match self
            .0
            .model
            .lock()
            .unwrap()
            .sandboxes
            .get_mut(&request.sandbox_id)
        {
            Some(started) => *started = true,
            None => return unknown(&request.sandbox_id),
        }
        Ok(sandbox_api::StartSandboxResponse::default())
    }

    async fn sandbox_status(
        &self,
        _: &TtrpcContext,
        request: sandbox_api::SandboxStatusRequest,
    ) -> ttrpc::Result<sandbox_api::SandboxStatusResponse> {
        let id = request.sandbox_id;
        let model = self.0.model.lock().unwrap();
        let Some(started) = model.sandboxes.get(&id) else {
            return unknown(&id);
        };
        let mut info = model
            .tasks
            .values()
            .filter(|task| task.sandbox == id)
            .map(|task| task.resources)
            .reduce(ResourceInfo::beside)
            .unwrap_or(ResourceInfo::NONE);
        match self.0.lie {
            Lie::OneMillicoreOff => info.cpu_limit = Some(info.cpu_limit.unwrap_or(0.0) + 0.001),
            Lie::OneByteOff => info.memory_limit = Some(info.memory_limit.unwrap_or(0) + 1),
            Lie::NullInsteadOfPids => info.pid_limit = None,
            _ => {}
        }
        let ready =
            (*started || self.0.lies(Lie::StillReady)) && !self.0.lies(Lie::SandboxNotReady);
        let mut reply = sandbox_api::SandboxStatusResponse {
            sandbox_id: if self.0.lies(Lie::WrongSandboxId) {
                "somebody-else".to_owned()
            } else {
                id
            },
            state: if ready {
                "SANDBOX_READY"
            } else {
                "SANDBOX_NOTREADY"
            }
            .to_owned(),
            ..Default::default()
        };
        if request.verbose && !self.0.lies(Lie::NoInfo) {
            let json = json!({ "resource_info": info }).to_string();
            reply.info.insert("info".to_owned(), json);
        }
        Ok(reply)
    }

    async fn stop_sandbox(
        &self,
        _: &TtrpcContext,
        request: sandbox_api::StopSandboxRequest,
    ) -> ttrpc::Result<sandbox_api::StopSandboxResponse> {
        self.0.removals.fetch_add(1, Ordering::SeqCst);
        match self
            .0
            .model
            .lock()
            .unwrap()
            .sandboxes
            .get_mut(&request.sandbox_id)
        {
            Some(ready) => *ready = false,
            None => return unknown(&request.sandbox_id),
        }
        Ok(sandbox_api::StopSandboxResponse::default())
    }

    async fn shutdown_sandbox(
        &self,
        _: &TtrpcContext,
        request: sandbox_api::ShutdownSandboxRequest,
    ) -> ttrpc::Result<sandbox_api::ShutdownSandboxResponse> {
        self.0.removals.fetch_add(1, Ordering::SeqCst);
        if self.0.lies(Lie::StillThere) {
            return Ok(sandbox_api::ShutdownSandboxResponse::default());
        }
        if self.0.lies(Lie::ShutdownFails) {
            return refuse(ttrpc::Code::INTERNAL, "cannot remove");
        }
        // A shutdown does not remove tasks: the tests count the tasks that their client
        // left.
        if self
            .0
            .model
            .lock()
            .unwrap()
            .sandboxes
            .remove(&request.sandbox_id)
            .is_none()
        {
            return unknown(&request.sandbox_id);
        }
        Ok(sandbox_api::ShutdownSandboxResponse::default())
    }
}

#[async_trait]
impl Task for FakeService {
    async fn create(
        &self,
        _: &TtrpcContext,
        request: api::CreateTaskRequest,
    ) -> ttrpc::Result<api::CreateTaskResponse> {
        let (sandbox, resources) = read_bundle(&request.bundle);
        let mut model = self.0.model.lock().unwrap();
        if model.sandboxes.get(&sandbox) != Some(&true) {
            return refuse(ttrpc::Code::FAILED_PRECONDITION, "the sandbox is not ready");
        }
        model.next_pid += 1;
        let pid = model.next_pid;
        let task = FakeTask {
            sandbox,
            pid,
            running: false,
            resources,
            exit: watch::Sender::new(None),
            waited: false,
        };
        model.tasks.insert(request.id, task);
        Ok(api::CreateTaskResponse {
            pid,
            ..Default::default()
        })
    }

    async fn start(
        &self,
        _: &TtrpcContext,
        request: api::StartRequest,
    ) -> ttrpc::Result<api::StartResponse> {
        if self.0.lies(Lie::StartFails) {
            return refuse(ttrpc::Code::ABORTED, "start refused");
        }
        let mut model = self.0.model.lock().unwrap();
        let Some(task) = model.tasks.get_mut(&request.id) else {
            return unknown(&request.id);
        };
        task.running = true;
        Ok(api::StartResponse {
            pid: task.pid,
            ..Default::default()
        })
    }

    async fn state(
        &self,
        _: &TtrpcContext,
        request: api::StateRequest,
    ) -> ttrpc::Result<api::StateResponse> {
        let model = self.0.model.lock().unwrap();
        let Some(task) = model.tasks.get(&request.id) else {
            return unknown(&request.id);
        };
        let exit = *task.exit.borrow();
        let status = match exit {
            Some(_) if !self.0.lies(Lie::TaskStillRunning) => api::Status::STOPPED,
            _ if task.running && !self.0.lies(Lie::TaskNotRunning) => api::Status::RUNNING,
            _ => api::Status::CREATED,
        };
        Ok(api::StateResponse {
            id: if self.0.lies(Lie::WrongTaskId) {
                "somebody-else".to_owned()
            } else {
                request.id
            },
            status: EnumOrUnknown::new(status),
            pid: task.pid + u32::from(self.0.lies(Lie::WrongPid)),
            exit_status: exit.unwrap_or(0),
            ..Default::default()
        })
    }

    async fn wait(
        &self,
        _: &TtrpcContext,
        request: api::WaitRequest,
    ) -> ttrpc::Result<api::WaitResponse> {
        let mut exit = {
            let mut model = self.0.model.lock().unwrap();
            let Some(task) = model.tasks.get_mut(&request.id) else {
                return unknown(&request.id);
            };
            // The second of two frames may be handled first, so only a Wait after the end
            // of the task was certainly sent late.
            if task.exit.borrow().is_some() && !task.waited {
                self.0.wait_was_late.store(true, Ordering::SeqCst);
            }
            task.waited = true;
            task.exit.subscribe()
        };
        let mut reply = api::WaitResponse::default();
        if self.0.lies(Lie::EarlyWait) {
            reply.exit_status = 137;
            return Ok(reply);
        }
        if self.0.lies(Lie::NeverWait) {
            std::future::pending::<()>().await;
        }
        let Ok(status) = exit.wait_for(Option::is_some).await else {
            return unknown(&request.id);
        };
        reply.exit_status = status.unwrap_or(0) + u32::from(self.0.lies(Lie::WrongExitOfWait));
        Ok(reply)
    }

    async fn kill(&self, _: &TtrpcContext, request: api::KillRequest) -> ttrpc::Result<Empty> {
        let mut model = self.0.model.lock().unwrap();
        let Some(task) = model.tasks.get_mut(&request.id) else {
            return unknown(&request.id);
        };
        task.exit.send_replace(Some(128 + request.signal));
        Ok(Empty::default())
    }

    async fn delete(
        &self,
        _: &TtrpcContext,
        request: api::DeleteRequest,
    ) -> ttrpc::Result<api::DeleteResponse> {
        if self.0.lies(Lie::DeleteFails) {
            return refuse(ttrpc::Code::INTERNAL, "delete refused");
        }
        let mut model = self.0.model.lock().unwrap();
        let Some(task) = model.tasks.remove(&request.id) else {
            return unknown(&request.id);
        };
        let status = task.exit.borrow().unwrap_or(0);
        Ok(api::DeleteResponse {
            exit_status: status + u32::from(self.0.lies(Lie::WrongExitOfDelete)),
            ..Default::default()
        })
    }
}
