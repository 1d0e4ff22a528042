//! The limits on peers, the users that may connect, and peers that exceed a limit.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use containerd_client::services::v1::sandbox as grpc;
use containerd_sandbox::client::{Controller, Ttrpc};
use containerd_sandbox::{Code, Error};
use cri_api::v1::PodSandboxFilter;
use protobuf::Message as _;
use tests::http2::{self, Http2};
use tests::ledger::compare_views;
use tests::raw::{Raw, frame, header};
use tests::{
    Daemon, PATIENCE, cri, eventually, raise_descriptor_limit, ready_sandbox, request,
    running_container,
};
use tokio::task::JoinSet;
use ttrpc::proto::{MESSAGE_TYPE_REQUEST, Request};

const SANDBOX: &str = "containerd.runtime.sandbox.v1.Sandbox";
/// The gRPC number of `ResourceExhausted`.
const RESOURCE_EXHAUSTED: i32 = 8;

#[track_caller]
fn exhausted<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let error = result.expect_err("it was to be refused");
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

async fn create(client: &Ttrpc, id: &str) -> Result<(), Error> {
    let request = request::create_sandbox(id);
    client.create_sandbox(&request).await.map(drop)
}

fn ping() -> Vec<u8> {
    request::ping_sandbox("p1").write_to_bytes().unwrap()
}

/// Returns the frame of a ping on the first stream.
fn ping_frame() -> Vec<u8> {
    let request = Request {
        service: SANDBOX.to_owned(),
        method: "PingSandbox".to_owned(),
        payload: ping(),
        ..Default::default()
    };
    frame(1, MESSAGE_TYPE_REQUEST, &request.write_to_bytes().unwrap())
}

/// Connects a client that is served, after earlier connections have stopped to count.
async fn served(daemon: &Daemon) -> Ttrpc {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let client = daemon.ttrpc().await;
        match client.ping_sandbox(&request::ping_sandbox("nobody")).await {
            Err(e) if e.code() == Code::ResourceExhausted => {
                assert!(Instant::now() < deadline, "there is no room: {e}");
            }
            _ => return client,
        }
    }
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_and_its_connection_stays_open() {
    let daemon = Daemon::start(&["--max-message-size", "65536"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;

    let mut raw = Raw::connect(&daemon);
    raw.say(&header(3 << 20, 1, MESSAGE_TYPE_REQUEST));
    raw.say(&vec![7; 3 << 20]);
    assert_eq!(raw.code_on(1), RESOURCE_EXHAUSTED);
    assert_eq!(raw.call(3, SANDBOX, "PingSandbox", &ping()), 0);

    let long = "x".repeat(70_000);
    let controller = daemon.controller().await;
    let create = grpc::ControllerCreateRequest {
        sandbox_id: "p2".to_owned(),
        netns_path: long.clone(),
        ..Default::default()
    };
    exhausted(controller.create(create).await, "70");
    let runtime = daemon.cri().await;
    let mut config = cri::pod_config("p3", daemon.home().root());
    config.hostname = long;
    exhausted(cri::run_with(&runtime, &config, "").await, "70");
    assert_eq!(daemon.slots(), ["p1"]);
}

#[tokio::test]
async fn one_connection_too_many_receives_an_error_over_either_protocol() {
    let daemon = Daemon::start(&["--max-connections", "2"]);
    let words = "2 connections already, see --max-connections";
    let first = served(&daemon).await;
    ready_sandbox(&first, "p1").await;
    let second = served(&daemon).await;
    let status = || grpc::ControllerStatusRequest {
        sandbox_id: "p1".to_owned(),
        ..Default::default()
    };
    let third = daemon.ttrpc().await;
    let ping = request::ping_sandbox("p1");
    exhausted(third.ping_sandbox(&ping).await, words);
    let fourth = daemon.controller().await;
    exhausted(fourth.status(status()).await, words);
    let fifth = daemon.cri().await;
    exhausted(cri::pods(&fifth, PodSandboxFilter::default()).await, words);
    first.ping_sandbox(&ping).await.unwrap();

    drop((second, third, fourth, fifth));
    let socket = daemon.home().socket();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let next = Controller::connect(&socket, "k8s.io").await.unwrap();
        match next.status(status()).await {
            Ok(_) => break,
            Err(e) => assert!(Instant::now() < deadline, "there is no room: {e}"),
        }
    }
    first.ping_sandbox(&ping).await.unwrap();
}

#[tokio::test]
async fn connections_beyond_the_refused_ones_are_closed() {
    let daemon = Daemon::start(&["--max-connections", "1"]);
    let client = served(&daemon).await;
    ready_sandbox(&client, "p1").await;
    let others: Vec<Raw> = (0..300).map(|_| Raw::connect(&daemon)).collect();
    let closed = others.into_iter().next_back().unwrap().rest();
    assert_eq!(closed, b"");
    client
        .ping_sandbox(&request::ping_sandbox("p1"))
        .await
        .unwrap();
    let log = daemon.home().log();
    let told = log.matches("refused a connection").count();
    assert!((1..10).contains(&told), "{log}");
}

#[tokio::test]
async fn calls_that_wait_count_until_their_caller_goes() {
    let daemon = Daemon::start(&["--max-waits", "4"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;
    let mut waits = JoinSet::new();
    let others = [daemon.ttrpc().await, daemon.ttrpc().await];
    for client in [&others[0], &others[0], &others[1], &others[1]] {
        let client = client.clone();
        waits.spawn(async move { client.wait(&request::wait("c1", "")).await });
    }
    let words = "4 calls that wait for an end already, see --max-waits";
    let one_more = async || {
        let wait = request::wait("c1", "");
        tokio::time::timeout(Duration::from_millis(100), client.wait(&wait)).await
    };
    let deadline = Instant::now() + PATIENCE;
    let refused = loop {
        match one_more().await {
            Ok(refused) => break refused,
            Err(_) => assert!(Instant::now() < deadline, "the calls are not counted"),
        }
    };
    exhausted(refused, words);
    let wait = grpc::ControllerWaitRequest {
        sandbox_id: "p1".to_owned(),
        ..Default::default()
    };
    exhausted(daemon.controller().await.wait(wait).await, words);
    client.state(&request::state("c1", "")).await.unwrap();
    // One caller gives up, as containerd does when it is restarted.
    waits.abort_all();
    while waits.join_next().await.is_some() {}
    drop(others);
    let deadline = Instant::now() + PATIENCE;
    while let Ok(refused) = one_more().await {
        assert!(Instant::now() < deadline, "they still count: {refused:?}");
    }
}

#[tokio::test]
async fn calls_count_from_their_first_bytes_in_every_api() {
    let daemon = Daemon::start(&["--max-in-flight", "4"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let path = "/runtime.v1.RuntimeService/Version";
    let mut incomplete = [
        Http2::connect(&daemon, 65_535),
        Http2::connect(&daemon, 65_535),
    ];
    for http2 in &mut incomplete {
        for _ in 0..2 {
            let id = http2.stream_id();
            http2.say(&http2::headers(id, path, 0));
        }
    }
    let words = "4 calls under way already, see --max-in-flight";
    let ping = request::ping_sandbox("p1");
    let deadline = Instant::now() + PATIENCE;
    while client.ping_sandbox(&ping).await.is_ok() {
        assert!(Instant::now() < deadline, "the calls are not counted");
    }
    exhausted(client.ping_sandbox(&ping).await, words);
    let runtime = daemon.cri().await;
    exhausted(
        cri::pods(&runtime, PodSandboxFilter::default()).await,
        words,
    );
    drop(incomplete);
    let deadline = Instant::now() + PATIENCE;
    while let Err(e) = client.ping_sandbox(&ping).await {
        assert!(Instant::now() < deadline, "they still count: {e}");
    }
}

#[tokio::test]
async fn a_sandbox_above_the_limit_is_refused() {
    let daemon = Daemon::start(&["--max-sandboxes", "2"]);
    let client = daemon.ttrpc().await;
    let words = "2 sandboxes already, see --max-sandboxes";
    create(&client, "p1").await.unwrap();
    create(&client, "p2").await.unwrap();
    exhausted(create(&client, "p3").await, words);
    let runtime = daemon.cri().await;
    let config = cri::pod_config("p4", daemon.home().root());
    exhausted(cri::run_with(&runtime, &config, "").await, words);
    compare_views(daemon.home(), &daemon.home().inspect());

    let daemon = daemon.kill9().start();
    let client = daemon.ttrpc().await;
    exhausted(create(&client, "p3").await, words);
    let shutdown = request::shutdown_sandbox("p1");
    client.shutdown_sandbox(&shutdown).await.unwrap();
    create(&client, "p3").await.unwrap();
    // A start with a lower limit keeps all sandboxes.
    let daemon = daemon.kill9().with(&["--max-sandboxes", "1"]).start();
    assert_eq!(daemon.slots(), ["p2", "p3"]);
    exhausted(create(&daemon.ttrpc().await, "p4").await, "1 sandboxes");
}

/// Connects as another user, pings, and returns the number of bytes in the answer. Returns `None`
/// and prints that the test is skipped where the process may not change its user.
fn as_user(daemon: &Daemon, uid: u32) -> Option<usize> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: other users are NOT tested: only root can be one");
        return None;
    }
    let bytes = ping_frame();
    let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let script = "use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; \
        my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or do { print 0; exit }; \
        syswrite($s, pack('H*', $ARGV[1])); my $n = sysread($s, my $b, 10); print $n // 0";
    let out = Command::new("perl")
        .uid(uid)
        .args(["-e", script])
        .arg(daemon.home().socket())
        .arg(hex.concat())
        .output()
        .expect("perl");
    assert!(out.status.success(), "{out:?}");
    let said = String::from_utf8(out.stdout).unwrap();
    Some(
        said.trim()
            .parse()
            .unwrap_or_else(|e| panic!("{said}: {e}")),
    )
}

#[tokio::test]
async fn only_admitted_users_can_connect() {
    let open = |daemon: &Daemon| {
        let root = daemon.home().root();
        fs::set_permissions(root, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let mode = |daemon: &Daemon| {
        let socket = fs::metadata(daemon.home().socket()).unwrap();
        socket.permissions().mode() & 0o777
    };
    let daemon = Daemon::start(&[]);
    open(&daemon);
    assert_eq!(mode(&daemon), 0o600);
    assert!(as_user(&daemon, 4_321).is_none_or(|answered| answered == 0));

    let daemon = Daemon::start(&["--allow-uid", "4321"]);
    open(&daemon);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    assert_eq!(mode(&daemon), 0o666);
    assert!(as_user(&daemon, 4_321).is_none_or(|answered| answered == 10));
    let Some(answered) = as_user(&daemon, 4_322) else {
        return;
    };
    assert_eq!(answered, 0);
    let log = daemon.home().log();
    assert!(log.contains("user 4322 may not connect"), "{log}");
}

/// Sends requests without end and reads no reply.
#[tokio::test]
async fn who_never_reads_gets_no_more_memory() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let before = daemon.resident();
    let request = Request {
        service: SANDBOX.to_owned(),
        method: "SandboxStatus".to_owned(),
        payload: request::sandbox_status("p1").write_to_bytes().unwrap(),
        ..Default::default()
    };
    let request = request.write_to_bytes().unwrap();
    let flood: Vec<u8> = (0..1_000)
        .flat_map(|n| frame(2 * n + 1, MESSAGE_TYPE_REQUEST, &request))
        .collect();
    let mut flooding: Vec<Raw> = (0..4).map(|_| Raw::connect(&daemon)).collect();
    let mut said = 0;
    for raw in &mut flooding {
        let timeout = Some(Duration::from_millis(500));
        raw.0.set_write_timeout(timeout).unwrap();
        // The loop ends when the daemon reads no more.
        let ended = loop {
            match raw.0.write(&flood) {
                Ok(count) => said += count,
                Err(e) => break e,
            }
            assert!(said < 64 << 20, "it is read without end");
        };
        assert_eq!(ended.kind(), ErrorKind::WouldBlock, "{ended}");
    }
    let grown = daemon.resident().saturating_sub(before);
    assert!(grown < 100 << 20, "{grown} bytes for {said}");
    client
        .ping_sandbox(&request::ping_sandbox("p1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn ten_thousand_silent_connections_do_not_delay_others() {
    let room = raise_descriptor_limit().saturating_sub(200);
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let before = daemon.resident();
    let silent: Vec<Raw> = (0..room.min(10_000))
        .map(|_| Raw::connect(&daemon))
        .collect();
    let open = || {
        fs::read_dir(format!("/proc/{}/fd", daemon.pid()))
            .unwrap()
            .count()
    };
    eventually("all to be accepted", || {
        (open() > silent.len()).then_some(())
    });
    for _ in 0..100 {
        client
            .ping_sandbox(&request::ping_sandbox("p1"))
            .await
            .unwrap();
    }
    let each = daemon.resident().saturating_sub(before) / silent.len() as u64;
    assert!(each < 8 << 10, "{each} bytes for one who says nothing");
    drop(silent);
    eventually("them to be closed", || (open() < 100).then_some(()));
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered() {
    let daemon = Daemon::start(&[]);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let bytes = ping_frame();
    let mut raw = Raw::connect(&daemon);
    for byte in bytes {
        raw.say(&[byte]);
        std::thread::yield_now();
    }
    assert_eq!(raw.code_on(1), 0);
}

/// Only root and the daemon's user can write into the directory, but a link in it may be a
/// mistake.
#[tokio::test]
async fn links_in_the_directory_lead_nowhere() {
    let daemon = Daemon::start(&[]);
    let dir = daemon.home().dir();
    let outside = daemon.home().root().join("outside");
    let precious = outside.join("precious");
    fs::create_dir(&outside).unwrap();
    fs::write(&precious, "precious").unwrap();
    symlink(&outside, dir.join("p1")).unwrap();
    fs::create_dir(dir.join("p2")).unwrap();
    symlink(&precious, dir.join("p2/resource_info.json")).unwrap();
    fs::create_dir(dir.join("p3")).unwrap();
    symlink(&outside, dir.join("p3/containers")).unwrap();

    let client = daemon.ttrpc().await;
    for (sandbox, container) in [("p1", "c1"), ("p2", "c2"), ("p3", "c3")] {
        // The request may be refused; only the files outside of the directory count.
        if create(&client, sandbox).await.is_err() {
            continue;
        }
        client
            .start_sandbox(&request::start_sandbox(sandbox))
            .await
            .unwrap();
        let bundle = tests::bundle(
            daemon.home().root(),
            container,
            &tests::spec(sandbox, &tests::small()),
        );
        let _ = client.create(&request::create(container, &bundle)).await;
        let shutdown = request::shutdown_sandbox(sandbox);
        client.shutdown_sandbox(&shutdown).await.unwrap();
    }
    let _daemon = daemon.kill9().start();
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}
