//! The whole life of sandboxes, containers and exec processes, over each API.

use containerd_client::services::v1::sandbox as grpc;
use containerd_sandbox::client::{Controller, Ttrpc};
use containerd_sandbox::{Code, Error};
use containerd_shim_protos::api::{self, Status};
use containerd_shim_protos::cgroups_v2::metrics::Metrics;
use containerd_shim_protos::sandbox_api;
use cri_api::v1::{
    LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, PodSandboxMetadata,
};
use prost::Message as _;
use protobuf::Message as _;
use serde_json::{Value, json};
use tests::{
    Daemon, bundle, eventually, read_json, ready_sandbox, request, running_container, small, spec,
};

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("an error was expected").code()
}

fn pod_config() -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: "web-0".to_owned(),
            uid: "uid-1".to_owned(),
            namespace: "shop".to_owned(),
            attempt: 0,
        }),
        annotations: [
            ("resources.limits.cpu".to_owned(), "2".to_owned()),
            ("resources.requests.cpu".to_owned(), "1".to_owned()),
            ("resources.limits.memory".to_owned(), "2Gi".to_owned()),
            ("resources.requests.memory".to_owned(), "1Gi".to_owned()),
            ("resources.limits.pid".to_owned(), "1000".to_owned()),
        ]
        .into(),
        ..Default::default()
    }
}

fn documented_info() -> Value {
    json!({
        "cpu_limit": 2.0,
        "cpu_request": 1.0,
        "memory_limit": 2_147_483_648_u64,
        "memory_request": 1_073_741_824,
        "pid_limit": 1000,
        "storage_limit": null,
        "network_bandwidth": null,
    })
}

fn small_info() -> Value {
    json!({
        "cpu_limit": 0.5,
        "cpu_request": 0.25,
        "memory_limit": 64 << 20,
        "memory_request": null,
        "pid_limit": 32,
        "storage_limit": null,
        "network_bandwidth": null,
    })
}

fn info_of(status: &std::collections::HashMap<String, String>) -> Value {
    serde_json::from_str(&status["info"]).expect("info is JSON")
}

async fn state(client: &Ttrpc, id: &str, exec: &str) -> api::StateResponse {
    client
        .state(&request::state(id, exec))
        .await
        .expect("state")
}

#[tokio::test]
async fn a_pod_is_created_run_and_deleted_over_ttrpc() {
    let daemon = Daemon::start(&["--log-level", "debug"]);
    let client = daemon.ttrpc().await;

    let mut create = request::create_sandbox("test-sandbox");
    let options = create.options.mut_or_insert_default();
    options.type_url = "runtime.v1.PodSandboxConfig".to_owned();
    options.value = pod_config().encode_to_vec();
    client.create_sandbox(&create).await.unwrap();
    assert_eq!(read_json(&daemon.view("test-sandbox")), documented_info());

    let status = || async {
        client
            .sandbox_status(&request::sandbox_status("test-sandbox"))
            .await
            .unwrap()
    };
    assert_eq!(status().await.state, "SANDBOX_NOTREADY");
    let started = client
        .start_sandbox(&request::start_sandbox("test-sandbox"))
        .await
        .unwrap();
    assert!(started.pid > 1 << 22, "{} could be real", started.pid);
    let ready = status().await;
    assert_eq!(
        (ready.state.as_str(), ready.pid),
        ("SANDBOX_READY", started.pid)
    );
    assert_eq!(info_of(&ready.info)["resource_info"], documented_info());
    assert_eq!(info_of(&ready.info)["pod"]["name"], "web-0");

    let platform = sandbox_api::PlatformRequest {
        sandbox_id: "test-sandbox".to_owned(),
        ..Default::default()
    };
    let platform = client.platform(&platform).await.unwrap().platform;
    assert_eq!(platform.os, "linux");
    client
        .ping_sandbox(&request::ping_sandbox("test-sandbox"))
        .await
        .unwrap();

    let waiting = tokio::spawn({
        let client = client.clone();
        async move {
            client
                .wait_sandbox(&request::wait_sandbox("test-sandbox"))
                .await
        }
    });
    running_container(&daemon, &client, "test-sandbox", "c1").await;
    assert_eq!(
        read_json(&daemon.container_view("test-sandbox", "c1")),
        small_info()
    );
    assert_eq!(
        state(&client, "c1", "").await.status.unwrap(),
        Status::RUNNING
    );

    client
        .stop_sandbox(&request::stop_sandbox("test-sandbox"))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().exit_status, 0);
    let stopped = state(&client, "c1", "").await;
    assert_eq!(
        (stopped.status.unwrap(), stopped.exit_status),
        (Status::STOPPED, 137)
    );
    assert_eq!(status().await.state, "SANDBOX_NOTREADY");

    client
        .shutdown_sandbox(&request::shutdown_sandbox("test-sandbox"))
        .await
        .unwrap();
    eventually("the view to go with its sandbox", || {
        (!daemon.home().dir().join("test-sandbox").exists()).then_some(())
    });
    let gone = client
        .sandbox_status(&request::sandbox_status("test-sandbox"))
        .await;
    assert_eq!(code(gone), Code::NotFound);
    assert_eq!(
        code(client.state(&request::state("c1", "")).await),
        Code::NotFound
    );

    let log = daemon.home().log();
    for line in [
        " INFO  resource_slot_sandboxer] Creating ResourceSlot sandbox: test-sandbox",
        " DEBUG resource_slot_sandboxer] Extracted resource info: ResourceInfo { cpu_limit: Some(2.0), \
         cpu_request: Some(1.0), memory_limit: Some(2147483648), memory_request: Some(1073741824), \
         pid_limit: Some(1000), storage_limit: None, network_bandwidth: None }",
        " INFO  resource_slot_sandboxer] ResourceSlot sandbox test-sandbox created successfully",
    ] {
        assert!(log.contains(line), "no line {line:?} in\n{log}");
    }
}

async fn grpc_create(
    client: &Controller,
    id: &str,
    config: &PodSandboxConfig,
) -> Result<(), Error> {
    let options = prost_types::Any {
        type_url: "runtime.v1.PodSandboxConfig".to_owned(),
        value: config.encode_to_vec(),
    };
    client
        .create(grpc::ControllerCreateRequest {
            sandbox_id: id.to_owned(),
            options: Some(options),
            sandboxer: "resource-slot".to_owned(),
            ..Default::default()
        })
        .await
        .map(drop)
}

macro_rules! named {
    ($type:ident, $id:expr) => {
        grpc::$type {
            sandbox_id: $id.to_owned(),
            ..Default::default()
        }
    };
}

#[tokio::test]
async fn a_pod_is_created_run_and_deleted_over_grpc_with_tasks_at_the_returned_address() {
    let daemon = Daemon::start(&[]);
    let client = daemon.controller().await;
    let resources = |shares, limit| LinuxContainerResources {
        cpu_shares: shares,
        memory_limit_in_bytes: limit,
        ..Default::default()
    };
    let config = PodSandboxConfig {
        linux: Some(LinuxPodSandboxConfig {
            resources: Some(resources(512, 100 << 20)),
            overhead: Some(resources(256, 20 << 20)),
            ..Default::default()
        }),
        ..pod_config()
    };
    grpc_create(&client, "p1", &config).await.unwrap();
    let view = read_json(&daemon.view("p1"));
    // The Linux resources take precedence over the annotations, and the overhead is added.
    assert_eq!(view["cpu_request"], 0.75);
    assert_eq!(view["memory_limit"], 120 << 20);
    assert_eq!(view["cpu_limit"], 2.0);

    let started = client
        .start(named!(ControllerStartRequest, "p1"))
        .await
        .unwrap();
    assert_eq!(started.version, 3);
    let socket = daemon.home().socket();
    assert_eq!(
        started.address,
        format!("ttrpc+unix://{}", socket.display())
    );
    let status = client
        .status(grpc::ControllerStatusRequest {
            verbose: true,
            ..named!(ControllerStatusRequest, "p1")
        })
        .await
        .unwrap();
    assert_eq!(status.state, "SANDBOX_READY");
    assert_eq!((status.version, &status.address), (3, &started.address));
    assert!(
        status
            .created_at
            .is_some_and(|at| at.seconds > 1_600_000_000)
    );
    let platform = client
        .platform(named!(ControllerPlatformRequest, "p1"))
        .await
        .unwrap();
    assert_eq!(platform.platform.unwrap().os, "linux");

    let tasks = daemon.ttrpc().await;
    running_container(&daemon, &tasks, "p1", "c1").await;
    let metrics = client
        .metrics(named!(ControllerMetricsRequest, "p1"))
        .await
        .unwrap();
    let data = metrics.metrics.unwrap().data.unwrap();
    assert_eq!(
        Metrics::parse_from_bytes(&data.value).unwrap().pids.current,
        1
    );

    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(named!(ControllerWaitRequest, "p1")).await }
    });
    client
        .stop(named!(ControllerStopRequest, "p1"))
        .await
        .unwrap();
    client
        .stop(named!(ControllerStopRequest, "p1"))
        .await
        .unwrap();
    assert!(waiting.await.unwrap().unwrap().exited_at.is_some());
    client
        .shutdown(named!(ControllerShutdownRequest, "p1"))
        .await
        .unwrap();
    let again = client
        .shutdown(named!(ControllerShutdownRequest, "p1"))
        .await;
    assert_eq!(code(again), Code::NotFound);
}

#[tokio::test]
async fn an_update_of_the_record_changes_the_resources_of_the_sandbox() {
    let daemon = Daemon::start(&[]);
    let client = daemon.controller().await;
    grpc_create(&client, "p1", &pod_config()).await.unwrap();
    let metadata = json!({
        "Version": "v1",
        "Metadata": { "ID": "p1", "Config": {
            "metadata": { "name": "web-0" },
            "linux": { "resources": { "memory_limit_in_bytes": 4096 } },
        } },
    });
    let record = containerd_client::types::Sandbox {
        extensions: [(
            "metadata".to_owned(),
            prost_types::Any {
                type_url: "github.com/containerd/cri/pkg/store/sandbox/Metadata".to_owned(),
                value: metadata.to_string().into_bytes(),
            },
        )]
        .into(),
        ..Default::default()
    };
    client
        .update(grpc::ControllerUpdateRequest {
            sandbox_id: "p1".to_owned(),
            sandbox: Some(record),
            fields: vec!["extensions".to_owned()],
            ..Default::default()
        })
        .await
        .unwrap();
    let view = read_json(&daemon.view("p1"));
    assert_eq!(view["memory_limit"], 4096);
    assert_eq!(view["cpu_limit"], 2.0);
}

#[tokio::test]
async fn a_container_goes_through_every_state() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let path = bundle(daemon.home().root(), "c1", &spec("p1", &small()));
    let created = client.create(&request::create("c1", &path)).await.unwrap();
    let at = state(&client, "c1", "").await;
    assert_eq!(at.status.unwrap(), Status::CREATED);
    assert_eq!(
        (at.pid, at.bundle, at.id),
        (created.pid, path.clone(), "c1".to_owned())
    );

    // Wait may come before Start.
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(&request::wait("c1", "")).await }
    });
    let started = client.start(&request::start("c1", "")).await.unwrap();
    assert_eq!(started.pid, created.pid);
    assert_eq!(
        code(client.start(&request::start("c1", "")).await),
        Code::FailedPrecondition
    );
    assert_eq!(
        code(client.delete(&request::delete("c1", "")).await),
        Code::FailedPrecondition
    );
    assert_eq!(
        code(client.create(&request::create("c1", &path)).await),
        Code::AlreadyExists
    );

    let pause = api::PauseRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    let resume = api::ResumeRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    assert_eq!(code(client.resume(&resume).await), Code::FailedPrecondition);
    client.pause(&pause).await.unwrap();
    assert_eq!(
        state(&client, "c1", "").await.status.unwrap(),
        Status::PAUSED
    );
    assert_eq!(code(client.pause(&pause).await), Code::FailedPrecondition);
    client.resume(&resume).await.unwrap();
    client.kill(&request::kill("c1", "", 15)).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().exit_status, 143);
}

#[tokio::test]
async fn a_running_container_answers_queries() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let path = bundle(daemon.home().root(), "c1", &spec("p1", &small()));
    let created = client.create(&request::create("c1", &path)).await.unwrap();
    client.start(&request::start("c1", "")).await.unwrap();

    let pids = api::PidsRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    let pids = client.pids(&pids).await.unwrap().processes;
    assert_eq!(pids.len(), 1);
    let connect = api::ConnectRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        client.connect_task(&connect).await.unwrap().task_pid,
        created.pid
    );
    let stats = api::StatsRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    let stats = client.stats(&stats).await.unwrap().stats.unwrap();
    assert_eq!(stats.type_url, "io.containerd.cgroups.v2.Metrics");
    let stats = Metrics::parse_from_bytes(&stats.value).unwrap();
    assert_eq!(stats.memory.usage_limit, 64 << 20);
    let checkpoint = api::CheckpointTaskRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        code(client.checkpoint(&checkpoint).await),
        Code::Unimplemented
    );
    client
        .resize_pty(&request::resize_pty("c1", ""))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_container_ends_once_and_its_id_is_free_again() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let path = bundle(daemon.home().root(), "c1", &spec("p1", &small()));
    let created = client.create(&request::create("c1", &path)).await.unwrap();
    client.start(&request::start("c1", "")).await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(&request::wait("c1", "")).await }
    });

    // Signals that a process ignores by default leave it running.
    client.kill(&request::kill("c1", "", 28)).await.unwrap();
    client.kill(&request::kill("c1", "", 0)).await.unwrap();
    assert_eq!(
        state(&client, "c1", "").await.status.unwrap(),
        Status::RUNNING
    );
    client.kill(&request::kill("c1", "", 15)).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().exit_status, 143);
    assert_eq!(
        code(client.kill(&request::kill("c1", "", 9)).await),
        Code::NotFound
    );
    assert_eq!(
        client
            .wait(&request::wait("c1", ""))
            .await
            .unwrap()
            .exit_status,
        143
    );
    let deleted = client.delete(&request::delete("c1", "")).await.unwrap();
    assert_eq!((deleted.exit_status, deleted.pid), (143, created.pid));
    assert!(deleted.exited_at.is_some());
    assert_eq!(
        code(client.delete(&request::delete("c1", "")).await),
        Code::NotFound
    );
    let shutdown = api::ShutdownRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    client.shutdown(&shutdown).await.unwrap();
    client
        .ping_sandbox(&request::ping_sandbox("p1"))
        .await
        .unwrap();

    // A container that never ran can be deleted.
    client.create(&request::create("c1", &path)).await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(&request::wait("c1", "")).await }
    });
    client.delete(&request::delete("c1", "")).await.unwrap();
    match waiting.await.unwrap() {
        Ok(exit) => assert_eq!(exit.exit_status, 137),
        Err(e) => assert_eq!(e.code(), Code::NotFound),
    }
}

#[tokio::test]
async fn exec_processes_are_added_and_end() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;

    client
        .exec(&request::exec("c1", "probe", &["/bin/true"]))
        .await
        .unwrap();
    let twice = client
        .exec(&request::exec("c1", "probe", &["/bin/true"]))
        .await;
    assert_eq!(code(twice), Code::AlreadyExists);
    assert_eq!(
        state(&client, "c1", "probe").await.status.unwrap(),
        Status::CREATED
    );
    client.start(&request::start("c1", "probe")).await.unwrap();
    assert_eq!(
        client
            .wait(&request::wait("c1", "probe"))
            .await
            .unwrap()
            .exit_status,
        0
    );
    assert_eq!(
        state(&client, "c1", "probe").await.status.unwrap(),
        Status::STOPPED
    );
    client
        .delete(&request::delete("c1", "probe"))
        .await
        .unwrap();
    assert_eq!(
        code(client.state(&request::state("c1", "probe")).await),
        Code::NotFound
    );

    client
        .exec(&request::exec("c1", "bad", &["false"]))
        .await
        .unwrap();
    client.start(&request::start("c1", "bad")).await.unwrap();
    assert_eq!(
        client
            .wait(&request::wait("c1", "bad"))
            .await
            .unwrap()
            .exit_status,
        1
    );

    for exec in ["long", "longer"] {
        client
            .exec(&request::exec("c1", exec, &["sleep", "infinity"]))
            .await
            .unwrap();
        client.start(&request::start("c1", exec)).await.unwrap();
    }
    let pids = api::PidsRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    assert_eq!(client.pids(&pids).await.unwrap().processes.len(), 4);
    client.kill(&request::kill("c1", "long", 9)).await.unwrap();
    assert_eq!(
        client
            .wait(&request::wait("c1", "long"))
            .await
            .unwrap()
            .exit_status,
        137
    );
    assert_eq!(
        state(&client, "c1", "").await.status.unwrap(),
        Status::RUNNING
    );

    // The end of the first process ends the others.
    client.kill(&request::kill("c1", "", 15)).await.unwrap();
    assert_eq!(
        client
            .wait(&request::wait("c1", "longer"))
            .await
            .unwrap()
            .exit_status,
        137
    );
    let late = client.exec(&request::exec("c1", "late", &["true"])).await;
    assert_eq!(code(late), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_sandbox_without_resources_shows_the_sum_of_its_containers() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    assert_eq!(read_json(&daemon.view("p1"))["cpu_limit"], Value::Null);
    running_container(&daemon, &client, "p1", "c1").await;
    running_container(&daemon, &client, "p1", "c2").await;
    let sum = |field: &str, sum: f64| {
        eventually("the sum to be shown", || {
            (read_json(&daemon.view("p1"))[field].as_f64() == Some(sum)).then_some(())
        });
    };
    sum("cpu_limit", 1.0);
    sum("pid_limit", 64.0);

    let mut update = api::UpdateTaskRequest {
        id: "c1".to_owned(),
        ..Default::default()
    };
    let resources = update.resources.mut_or_insert_default();
    resources.type_url =
        "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources".to_owned();
    resources.value = json!({ "memory": { "limit": 1 << 30 } })
        .to_string()
        .into_bytes();
    client.update(&update).await.unwrap();
    assert_eq!(
        read_json(&daemon.container_view("p1", "c1"))["memory_limit"],
        1 << 30
    );
    assert_eq!(
        read_json(&daemon.container_view("p1", "c1"))["pid_limit"],
        32
    );
    sum("memory_limit", f64::from((1 << 30) + (64 << 20)));

    client.kill(&request::kill("c2", "", 9)).await.unwrap();
    client.delete(&request::delete("c2", "")).await.unwrap();
    eventually("the view to go with its container", || {
        (!daemon.container_view("p1", "c2").exists()).then_some(())
    });
    sum("pid_limit", 32.0);
}

#[tokio::test]
async fn illegal_changes_of_state_are_refused_without_effect() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let start = request::start_sandbox("p1");
    assert_eq!(code(client.start_sandbox(&start).await), Code::NotFound);
    client
        .create_sandbox(&request::create_sandbox("p1"))
        .await
        .unwrap();
    let again = client.create_sandbox(&request::create_sandbox("p1")).await;
    assert_eq!(code(again), Code::AlreadyExists);
    let path = bundle(daemon.home().root(), "c1", &spec("p1", &small()));
    let early = client.create(&request::create("c1", &path)).await;
    assert_eq!(code(early), Code::FailedPrecondition);
    assert!(!daemon.container_view("p1", "c1").exists());
    client.start_sandbox(&start).await.unwrap();
    assert_eq!(
        code(client.start_sandbox(&start).await),
        Code::FailedPrecondition
    );
    client.create(&request::create("c1", &path)).await.unwrap();
    let elsewhere = bundle(daemon.home().root(), "c2", &spec("nowhere", &small()));
    assert_eq!(
        code(client.create(&request::create("c2", &elsewhere)).await),
        Code::NotFound
    );
    // The shutdown of a ready sandbox ends its containers.
    client
        .shutdown_sandbox(&request::shutdown_sandbox("p1"))
        .await
        .unwrap();
    assert_eq!(
        code(client.state(&request::state("c1", "")).await),
        Code::NotFound
    );
    eventually("the view to go with its sandbox", || {
        (!daemon.home().dir().join("p1").exists()).then_some(())
    });
}

#[tokio::test]
async fn an_id_is_unique_per_namespace_only() {
    let daemon = Daemon::start(&[]);
    let ours = daemon.ttrpc().await;
    let theirs = Ttrpc::connect(&daemon.home().socket(), "default")
        .await
        .unwrap();
    ready_sandbox(&ours, "same").await;
    ready_sandbox(&theirs, "same").await;
    ours.shutdown_sandbox(&request::shutdown_sandbox("same"))
        .await
        .unwrap();
    theirs
        .ping_sandbox(&request::ping_sandbox("same"))
        .await
        .unwrap();
    assert!(
        daemon
            .home()
            .dir()
            .join("same@default/resource_info.json")
            .exists()
    );
    // Ids that are the names of the daemon's own files do no harm.
    for id in ["journal", "lock"] {
        ready_sandbox(&ours, id).await;
        ours.shutdown_sandbox(&request::shutdown_sandbox(id))
            .await
            .unwrap();
    }
    ready_sandbox(&ours, "fine").await;
}

#[tokio::test]
async fn the_task_service_answers_under_its_old_name_too() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;
    let socket = format!("unix://{}", daemon.home().socket().display());
    let raw = ttrpc::asynchronous::Client::connect(&socket).await.unwrap();
    let mut call = ttrpc::Request::new();
    call.service = "containerd.task.v2.Task".to_owned();
    call.method = "State".to_owned();
    call.payload = request::state("c1", "").write_to_bytes().unwrap();
    let reply = raw.request(call).await.unwrap();
    let state = api::StateResponse::parse_from_bytes(&reply.payload).unwrap();
    assert_eq!(state.status.unwrap(), Status::RUNNING);
}
