//! The cost of a round trip through each API and of the whole life of a pod. The floors are calls
//! over the same protocol to a sandboxer that keeps no more than its replies need.

mod beside;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use benches::settings;
use containerd_client::services::v1::sandbox as grpc;
use containerd_sandbox::client::{Controller, Cri, Ttrpc};
use containerd_sandbox::server::Server;
use containerd_shim_protos::{api, sandbox_api};
use cri_api::v1;
use criterion::{Criterion, criterion_group, criterion_main};
use journal::{Journal, Options};
use loadgen::server::null::Faults;
use sandboxer::live::ResourceSlotSandboxer;
use sandboxer::streaming::{DEFAULT_IDLE_TIMEOUT, DEFAULT_LISTEN, StreamingServer};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use views::{ViewMode, Views};

use beside::beside;

/// Starts a sandboxer that serves on `dir/s.sock` from a thread of its own until the process ends.
fn sandboxer(dir: &Path) -> PathBuf {
    let (dir, socket) = (dir.to_owned(), dir.join("s.sock"));
    let listen = socket.clone();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let (journal, recovered) = Journal::open(&dir, Options::default()).expect("it opens");
            let settings = settings();
            let views = Views::start(&dir, ViewMode::WriteBehind).expect("views start");
            let slots = recovered.slots;
            let sandboxer = ResourceSlotSandboxer::new(journal, views, slots, settings, None);
            let sandboxer = Arc::new(sandboxer.expect("it starts"));
            let streams = StreamingServer::start(DEFAULT_LISTEN, DEFAULT_IDLE_TIMEOUT)
                .await
                .expect("a port");
            let cidrs = sandboxer::cri::PodCidrs::default();
            let images = sandboxer::cri::ImageTable::default();
            let cri = sandboxer::cri::Cri::open(
                Arc::clone(&sandboxer),
                &dir,
                streams,
                &cidrs,
                images,
                false,
            );
            let listener = containerd_sandbox::server::bind(&listen)
                .await
                .expect("a socket");
            Server::new(sandboxer)
                .services(cri.expect("it opens").routes())
                .serve(listener, std::future::pending())
                .await
        })
    });
    wait_for(&socket);
    socket
}

/// Starts the null sandboxer in the same way, on `dir/null.sock`.
fn null(dir: &Path) -> PathBuf {
    let socket = dir.join("null.sock");
    let listen = socket.clone();
    std::thread::spawn(move || loadgen::server::null::run(&listen, false, &Faults::NONE));
    wait_for(&socket);
    socket
}

fn wait_for(socket: &Path) {
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        std::thread::yield_now();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Both servers, and a sandbox on the first one.
struct Rig {
    runtime: Runtime,
    sandboxer: PathBuf,
    null: PathBuf,
    dir: TempDir,
}

const ID: &str = "api-bench";

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let rig = Self {
            runtime: runtime(),
            sandboxer: sandboxer(dir.path()),
            null: null(dir.path()),
            dir,
        };
        rig.runtime.block_on(async {
            let client = ttrpc(&rig.sandboxer).await;
            client.create_sandbox(&create(ID)).await.expect("create");
        });
        rig
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

async fn ttrpc(socket: &Path) -> Ttrpc {
    Ttrpc::connect(socket, "k8s.io").await.expect("it listens")
}

fn create(id: &str) -> sandbox_api::CreateSandboxRequest {
    sandbox_api::CreateSandboxRequest {
        sandbox_id: id.to_owned(),
        ..Default::default()
    }
}

fn round_trips(c: &mut Criterion) {
    let rig = Rig::new();
    let ping = sandbox_api::PingRequest {
        sandbox_id: ID.to_owned(),
        ..Default::default()
    };

    let (ours, theirs) = rig
        .runtime
        .block_on(async { (ttrpc(&rig.sandboxer).await, ttrpc(&rig.null).await) });
    let status = sandbox_api::SandboxStatusRequest {
        sandbox_id: ID.to_owned(),
        ..Default::default()
    };
    beside(
        c.benchmark_group("apis/ttrpc_status"),
        |b| {
            b.iter(|| {
                rig.runtime
                    .block_on(ours.sandbox_status(&status))
                    .expect("a status");
            });
        },
        // The sandbox does not exist there: the reply `NotFound` is the cheapest one.
        |b| b.iter(|| rig.runtime.block_on(theirs.ping_sandbox(&ping)).err()),
    );

    let connect = |socket: PathBuf| async move {
        Controller::connect(&socket, "k8s.io")
            .await
            .expect("it listens")
    };
    let (ours, theirs) = rig.runtime.block_on(async {
        (
            connect(rig.sandboxer.clone()).await,
            connect(rig.null.clone()).await,
        )
    });
    let status = || grpc::ControllerStatusRequest {
        sandbox_id: ID.to_owned(),
        ..Default::default()
    };
    beside(
        c.benchmark_group("apis/controller_status"),
        |b| {
            b.iter(|| {
                rig.runtime
                    .block_on(ours.status(status()))
                    .expect("a status");
            });
        },
        |b| b.iter(|| rig.runtime.block_on(theirs.status(status())).err()),
    );

    let cri = rig
        .runtime
        .block_on(async { Cri::connect(&rig.sandboxer).await.expect("it listens") });
    let list = || v1::ListPodSandboxRequest { filter: None };
    beside(
        c.benchmark_group("apis/cri_list_pods"),
        |b| {
            b.iter(|| {
                rig.runtime
                    .block_on(cri.list_pod_sandbox(list()))
                    .expect("a list");
            });
        },
        |b| b.iter(|| rig.runtime.block_on(theirs.status(status())).err()),
    );
}

/// Runs the nine calls of a pod: sandbox create and start; task create, start, kill, wait and
/// delete; sandbox stop and shutdown.
async fn life(client: &Ttrpc, bundle: &str) {
    macro_rules! call {
        ($method:ident, $($module:ident)::+ { $($field:ident: $value:expr),* }) => {
            client
                .$method(&$($module)::+ { $($field: $value,)* ..Default::default() })
                .await
                .expect(stringify!($method))
        };
    }
    let (sandbox, task) = ("life".to_owned(), "task".to_owned());
    call!(
        create_sandbox,
        sandbox_api::CreateSandboxRequest {
            sandbox_id: sandbox.clone()
        }
    );
    call!(
        start_sandbox,
        sandbox_api::StartSandboxRequest {
            sandbox_id: sandbox.clone()
        }
    );
    call!(
        create,
        api::CreateTaskRequest {
            id: task.clone(),
            bundle: bundle.to_owned()
        }
    );
    call!(start, api::StartRequest { id: task.clone() });
    call!(
        kill,
        api::KillRequest {
            id: task.clone(),
            signal: 9
        }
    );
    call!(wait, api::WaitRequest { id: task.clone() });
    call!(delete, api::DeleteRequest { id: task.clone() });
    call!(
        stop_sandbox,
        sandbox_api::StopSandboxRequest {
            sandbox_id: sandbox.clone()
        }
    );
    call!(
        shutdown_sandbox,
        sandbox_api::ShutdownSandboxRequest {
            sandbox_id: sandbox
        }
    );
}

fn lives(c: &mut Criterion) {
    let rig = Rig::new();
    let bundle = rig.path().join("bundle");
    std::fs::create_dir(&bundle).expect("there is room");
    let spec = br#"{"ociVersion":"1.2.1","annotations":{"io.kubernetes.cri.sandbox-id":"life"}}"#;
    std::fs::write(bundle.join("config.json"), spec).expect("there is room");
    let bundle = bundle
        .to_str()
        .expect("temporary paths are UTF-8")
        .to_owned();
    let (ours, theirs) = rig
        .runtime
        .block_on(async { (ttrpc(&rig.sandboxer).await, ttrpc(&rig.null).await) });
    let ping = sandbox_api::PingRequest {
        sandbox_id: ID.to_owned(),
        ..Default::default()
    };
    beside(
        c.benchmark_group("apis/ttrpc_life_of_nine_calls"),
        |b| b.iter(|| rig.runtime.block_on(life(&ours, &bundle))),
        |b| {
            b.iter(|| {
                rig.runtime.block_on(async {
                    for _ in 0..9 {
                        let _ = theirs.ping_sandbox(&ping).await;
                    }
                });
            });
        },
    );
}

criterion_group!(benches, round_trips, lives);
criterion_main!(benches);
