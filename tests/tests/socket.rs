//! One socket for all APIs: both protocols at once, many calls on one connection, and peers that
//! send invalid bytes.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use containerd_client::services::v1::sandbox as grpc;
use containerd_sandbox::client::Ttrpc;
use protobuf::Message as _;
use tests::raw::{Raw, frame, header};
use tests::{
    Daemon, PATIENCE, bundle, eventually, ready_sandbox, request, running_container, small, spec,
};
use tokio::task::JoinSet;
use ttrpc::proto::{MESSAGE_TYPE_REQUEST, Request};

fn wait(id: &str) -> grpc::ControllerWaitRequest {
    grpc::ControllerWaitRequest {
        sandbox_id: id.to_owned(),
        ..Default::default()
    }
}

fn status(id: &str) -> grpc::ControllerStatusRequest {
    grpc::ControllerStatusRequest {
        sandbox_id: id.to_owned(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_waits_share_a_connection_with_other_calls() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let controller = daemon.controller().await;
    for pod in 0..10 {
        let pod = format!("p{pod}");
        ready_sandbox(&client, &pod).await;
        running_container(&daemon, &client, &pod, &format!("{pod}-c")).await;
    }

    let mut tasks = JoinSet::new();
    for n in 0..1_000 {
        let client = client.clone();
        tasks.spawn(async move {
            let container = format!("p{}-c", n % 10);
            let exit = client.wait(&request::wait(&container, "")).await;
            exit.map(|exit| exit.exit_status)
        });
    }
    let mut sandboxes = JoinSet::new();
    for n in 0..300 {
        let controller = controller.clone();
        sandboxes.spawn(async move { controller.wait(wait(&format!("p{}", n % 10))).await });
    }
    // Calls on one connection are read in order, so these come after all waits.
    for _ in 0..20 {
        let state = client.state(&request::state("p0-c", "")).await.unwrap();
        assert_eq!(state.exit_status, 0);
        let seen = controller.status(status("p0")).await.unwrap();
        assert_eq!(seen.state, "SANDBOX_READY");
    }
    assert!(tasks.try_join_next().is_none(), "a wait ended early");
    assert!(sandboxes.try_join_next().is_none(), "a wait ended early");

    for pod in 0..10 {
        let kill = request::kill(&format!("p{pod}-c"), "", 15);
        client.kill(&kill).await.unwrap();
    }
    let codes = tokio::time::timeout(PATIENCE, tasks.join_all())
        .await
        .unwrap();
    assert_eq!(codes.len(), 1_000);
    assert!(codes.into_iter().all(|code| code.unwrap() == 143));
    assert!(sandboxes.try_join_next().is_none(), "a wait ended early");
    for pod in 0..10 {
        let stop = request::stop_sandbox(&format!("p{pod}"));
        client.stop_sandbox(&stop).await.unwrap();
    }
    let exits = tokio::time::timeout(PATIENCE, sandboxes.join_all())
        .await
        .unwrap();
    assert_eq!(exits.len(), 300);
    assert!(exits.into_iter().all(|exit| exit.unwrap().exit_status == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_protocols_are_served_at_once() {
    let daemon = Daemon::start(&[]);
    let files = daemon.home().root().to_owned();
    let mut work = JoinSet::new();
    for n in 0..4 {
        let client = daemon.ttrpc().await;
        let files = files.clone();
        work.spawn(async move {
            for round in 0..25 {
                over_ttrpc(&client, &format!("t{n}-{round}"), &files).await;
            }
        });
        let controller = daemon.controller().await;
        work.spawn(async move {
            for round in 0..25 {
                let sandbox_id = format!("g{n}-{round}");
                macro_rules! call {
                    ($method:ident($request:ident)) => {
                        controller
                            .$method(grpc::$request {
                                sandbox_id: sandbox_id.clone(),
                                ..Default::default()
                            })
                            .await
                            .unwrap()
                    };
                }
                call!(create(ControllerCreateRequest));
                call!(start(ControllerStartRequest));
                let seen = call!(status(ControllerStatusRequest));
                assert_eq!(seen.sandbox_id, sandbox_id);
                assert_eq!(seen.state, "SANDBOX_READY");
                call!(stop(ControllerStopRequest));
                call!(wait(ControllerWaitRequest));
                call!(shutdown(ControllerShutdownRequest));
            }
        });
    }
    work.join_all().await;
    assert_eq!(daemon.home().inspect()["totals"]["all"]["slots"], 0);
}

async fn over_ttrpc(client: &Ttrpc, id: &str, files: &Path) {
    ready_sandbox(client, id).await;
    let container = format!("{id}-c");
    let bundle = bundle(files, &container, &spec(id, &small()));
    let create = request::create(&container, &bundle);
    let pid = client.create(&create).await.unwrap().pid;
    let start = request::start(&container, "");
    assert_eq!(client.start(&start).await.unwrap().pid, pid);
    client
        .kill(&request::kill(&container, "", 9))
        .await
        .unwrap();
    let exit = client.wait(&request::wait(&container, "")).await.unwrap();
    assert_eq!(exit.exit_status, 137);
    client
        .delete(&request::delete(&container, ""))
        .await
        .unwrap();
    let shutdown = request::shutdown_sandbox(id);
    client.shutdown_sandbox(&shutdown).await.unwrap();
}

fn warnings(daemon: &Daemon) -> Vec<String> {
    let log = daemon.home().log();
    let bad = log
        .lines()
        .filter(|l| l.contains(" WARN ") || l.contains(" ERROR "));
    bad.map(str::to_owned).collect()
}

#[test]
fn a_listener_that_other_machines_reach_is_warned_of() {
    for option in ["--streaming-listen", "--metrics-listen"] {
        let daemon = Daemon::start(&[option, "0.0.0.0:0"]);
        let warnings = warnings(&daemon);
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
        assert!(warnings[0].contains(option), "{warnings:#?}");
        let daemon = Daemon::start(&[option, "127.0.0.1:0"]);
        assert_eq!(self::warnings(&daemon), Vec::<String>::new());
    }
}

#[tokio::test]
async fn invalid_bytes_end_their_own_connection_with_one_warning() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait_sandbox(&request::wait_sandbox("p1")).await }
    });

    let request = frame(1, MESSAGE_TYPE_REQUEST, &[0; 100]);
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("garbage", vec![0xff; 4096], r"\xff\xff"),
        ("a 1 GiB frame", header(1 << 30, 1, 1), r#""@\x00"#),
        ("an even stream", frame(2, 1, b""), "must be odd"),
        ("a reply", frame(1, 2, b""), "type 2"),
        ("half a header", request[..5].to_vec(), "inside a frame"),
        ("half a frame", request[..50].to_vec(), "inside a frame"),
        (
            "HTTP/1.1",
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            "\"GET / HTTP",
        ),
        (
            "another HTTP/1.1",
            b"POST / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            "\"POST / HTTP",
        ),
    ];
    for (n, (name, bytes, said)) in cases.into_iter().enumerate() {
        let mut raw = Raw::connect(&daemon);
        raw.say(&bytes);
        if name.starts_with("half") {
            raw.0.shutdown(std::net::Shutdown::Write).unwrap();
        }
        raw.rest();
        let warnings = eventually(name, || {
            let warnings = warnings(&daemon);
            (warnings.len() > n).then_some(warnings)
        });
        assert_eq!(warnings.len(), n + 1, "{name}: {warnings:#?}");
        assert!(warnings[n].contains(said), "{name}: {}", warnings[n]);
        client
            .ping_sandbox(&request::ping_sandbox("p1"))
            .await
            .unwrap();
    }
    assert!(!waiting.is_finished());
    client
        .stop_sandbox(&request::stop_sandbox("p1"))
        .await
        .unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().exit_status, 0);
}

#[tokio::test]
async fn silent_and_slow_peers_do_not_delay_others() {
    let daemon = Daemon::start(&[]);
    let silent: Vec<Raw> = (0..200).map(|_| Raw::connect(&daemon)).collect();
    let mut slow = Raw::connect(&daemon);
    let payload = Request {
        service: "containerd.runtime.sandbox.v1.Sandbox".to_owned(),
        method: "PingSandbox".to_owned(),
        payload: request::ping_sandbox("p1").write_to_bytes().unwrap(),
        ..Default::default()
    };
    let bytes = frame(1, MESSAGE_TYPE_REQUEST, &payload.write_to_bytes().unwrap());
    slow.say(&bytes[..20]);

    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let controller = daemon.controller().await;
    controller.status(status("p1")).await.unwrap();

    slow.say(&bytes[20..]);
    let mut reply = [0; 10];
    slow.0.read_exact(&mut reply).unwrap();
    drop(silent);
    client
        .ping_sandbox(&request::ping_sandbox("p1"))
        .await
        .unwrap();
    assert_eq!(warnings(&daemon), Vec::<String>::new());
}

#[tokio::test]
async fn unreadable_and_unknown_requests_get_an_error_reply() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let mut raw = Raw::connect(&daemon);
    let sandbox = "containerd.runtime.sandbox.v1.Sandbox";
    let task = "containerd.task.v3.Task";
    let ping = request::ping_sandbox("p1").write_to_bytes().unwrap();
    // (service, method, payload, gRPC code); the first four reach no service.
    let cases: [(&str, &str, &[u8], i32); 7] = [
        (sandbox, "Pong", &ping, 12),
        ("no.such.Service", "PingSandbox", &ping, 12),
        (sandbox, "CreateSandbox", &[0xff; 40], 3),
        (task, "Create", &[0xff; 40], 3),
        (task, "Checkpoint", &[], 3),
        (task, "State", &[], 3),
        (sandbox, "PingSandbox", &ping, 0),
    ];
    for (n, (service, method, payload, code)) in cases.into_iter().enumerate() {
        let stream = u32::try_from(2 * n + 1).unwrap();
        let replied = raw.call(stream, service, method, payload);
        assert_eq!(replied, code, "{service}/{method}");
    }
    raw.say(&frame(101, MESSAGE_TYPE_REQUEST, &[0xff; 64]));
    assert_ne!(raw.code_on(101), 0);
    assert_eq!(raw.call(103, sandbox, "PingSandbox", &ping), 0);
}

/// containerd fails a stop if Kill is answered after Wait.
#[tokio::test]
async fn the_reply_to_kill_comes_before_the_one_to_wait() {
    for sync in ["none", "interval=10ms", "always"] {
        kill_comes_before_wait(&["--sync", sync, "--threads", "1"]).await;
        // On several threads the delay keeps the order; this one is ample for a loaded
        // machine.
        let delayed = ["--sync", sync, "--threads", "2", "--exit-delay", "50ms"];
        kill_comes_before_wait(&delayed).await;
    }
}

async fn kill_comes_before_wait(args: &[&str]) {
    const TASK: &str = "containerd.task.v3.Task";
    let daemon = Daemon::start(args);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let mut raw = Raw::connect(&daemon);
    for n in 0..30 {
        let id = format!("c{n}");
        running_container(&daemon, &client, "p1", &id).await;
        let wait = request::wait(&id, "").write_to_bytes().unwrap();
        let kill = request::kill(&id, "", 9).write_to_bytes().unwrap();
        let stream = 4 * n + 1;
        raw.send(stream, TASK, "Wait", &wait);
        raw.send(stream + 2, TASK, "Kill", &kill);
        let (first, _) = raw.reply();
        let (second, _) = raw.reply();
        assert_eq!((first, second), (stream + 2, stream), "{args:?}, round {n}");
    }
}

#[tokio::test]
async fn other_users_can_neither_connect_nor_read() {
    let daemon = Daemon::start(&[]);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&daemon.home().socket()), 0o600);
    assert_eq!(mode(&daemon.home().dir()), 0o700);
}
