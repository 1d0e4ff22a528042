//! Drives the example `minimal` by the example `pod` and by the crate's clients.

#[path = "../examples/minimal.rs"]
#[expect(dead_code, reason = "the example's own main is not called")]
mod minimal;
#[path = "../examples/pod.rs"]
#[expect(dead_code, reason = "the example's own main is not called")]
mod pod;

use std::fs;
use std::path::Path;

use containerd_client::services::v1::sandbox::{
    ControllerCreateRequest, ControllerShutdownRequest, ControllerStartRequest,
    ControllerStatusRequest, ControllerStopRequest, ControllerWaitRequest,
};
use containerd_sandbox::client::{Controller, Ttrpc};
use containerd_sandbox::{Code, DEFAULT_NAMESPACE, SANDBOX_ID_ANNOTATION, server};
use containerd_shim_protos::api::{
    CreateTaskRequest, DeleteRequest, KillRequest, StartRequest, StateRequest, Status, WaitRequest,
};
use tokio::sync::oneshot;

const SANDBOX: &str = "pod";
const CONTAINER: &str = "container";

#[tokio::test]
async fn a_pod_and_its_container_live_and_end_over_both_protocols() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("minimal.sock");
    let listener = server::bind(&socket).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(minimal::serve(listener, async { drop(stopped.await) }));
    pod::run(&socket, "demo".to_owned()).await.unwrap();
    let sandboxes = Controller::connect(&socket, DEFAULT_NAMESPACE)
        .await
        .unwrap();

    let create = ControllerCreateRequest {
        sandbox_id: SANDBOX.to_owned(),
        ..Default::default()
    };
    sandboxes.create(create.clone()).await.unwrap();
    let taken = sandboxes.create(create).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    let start = ControllerStartRequest {
        sandbox_id: SANDBOX.to_owned(),
        ..Default::default()
    };
    let started = sandboxes.start(start).await.unwrap();
    let address = format!("ttrpc+unix://{}", socket.display());
    assert_eq!((started.address, started.version), (address, 3));
    assert_eq!(state(&sandboxes).await, "SANDBOX_READY");

    let tasks = Ttrpc::connect(&socket, DEFAULT_NAMESPACE).await.unwrap();
    run_container(&tasks, dir.path()).await;

    let end = tokio::spawn({
        let sandboxes = sandboxes.clone();
        let wait = ControllerWaitRequest {
            sandbox_id: SANDBOX.to_owned(),
            ..Default::default()
        };
        async move { sandboxes.wait(wait).await }
    });
    let stop_pod = ControllerStopRequest {
        sandbox_id: SANDBOX.to_owned(),
        ..Default::default()
    };
    sandboxes.stop(stop_pod).await.unwrap();
    assert_eq!(end.await.unwrap().unwrap().exit_status, 0);
    assert_eq!(state(&sandboxes).await, "SANDBOX_NOTREADY");
    let shutdown = ControllerShutdownRequest {
        sandbox_id: SANDBOX.to_owned(),
        ..Default::default()
    };
    sandboxes.shutdown(shutdown.clone()).await.unwrap();
    let gone = sandboxes.shutdown(shutdown).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);

    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
}

async fn state(sandboxes: &Controller) -> String {
    let status = ControllerStatusRequest {
        sandbox_id: SANDBOX.to_owned(),
        ..Default::default()
    };
    sandboxes.status(status).await.unwrap().state
}

/// Creates and starts a container, waits for it and kills it meanwhile, and deletes it.
async fn run_container(tasks: &Ttrpc, bundle: &Path) {
    let config = format!(r#"{{"annotations":{{"{SANDBOX_ID_ANNOTATION}":"{SANDBOX}"}}}}"#);
    fs::write(bundle.join("config.json"), config).unwrap();
    let id = || CONTAINER.to_owned();
    let create = CreateTaskRequest {
        id: id(),
        bundle: bundle.to_str().unwrap().to_owned(),
        ..Default::default()
    };
    let pid = tasks.create(&create).await.unwrap().pid;
    let start = StartRequest {
        id: id(),
        ..Default::default()
    };
    assert_eq!(tasks.start(&start).await.unwrap().pid, pid);
    let status = StateRequest {
        id: id(),
        ..Default::default()
    };
    let running = tasks.state(&status).await.unwrap().status;
    assert_eq!(running.enum_value(), Ok(Status::RUNNING));

    let end = tokio::spawn({
        let (tasks, wait) = (
            tasks.clone(),
            WaitRequest {
                id: id(),
                ..Default::default()
            },
        );
        async move { tasks.wait(&wait).await }
    });
    let kill = KillRequest {
        id: id(),
        signal: 15,
        ..Default::default()
    };
    tasks.kill(&kill).await.unwrap();
    assert_eq!(end.await.unwrap().unwrap().exit_status, 128 + 15);
    let delete = DeleteRequest {
        id: id(),
        ..Default::default()
    };
    assert_eq!(tasks.delete(&delete).await.unwrap().exit_status, 128 + 15);
    let gone = tasks.delete(&delete).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}
