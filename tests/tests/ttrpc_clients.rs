//! ttrpc clients that share no code with the server: trapeze, an implementation of its own, and raw
//! frames as the protocol's text describes them (containerd/ttrpc `PROTOCOL.md`).

use std::time::Duration;

use protobuf::Message as _;
use tests::raw::{Raw, frame};
use tests::{Daemon, PATIENCE, ready_sandbox, request};
use trapeze::__codegen_prelude::RequestHandler;
use trapeze::{Client, ClientExt, Code, Status};
use ttrpc::proto::{KeyValue, MESSAGE_TYPE_REQUEST, Request};

const SANDBOX: &str = "containerd.runtime.sandbox.v1.Sandbox";
const TASK: &str = "containerd.task.v3.Task";

/// A type of message that a client can send.
const DATA: u8 = 3;

/// Numbers of gRPC codes.
const OK: i32 = 0;
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const NOT_FOUND: i32 = 5;
const UNIMPLEMENTED: i32 = 12;

async fn connect(daemon: &Daemon) -> Client {
    let socket = daemon.home().socket();
    let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    Client::new(stream).with_metadata([("containerd-namespace-ttrpc", "k8s.io")])
}

/// Calls a method that takes the id of a sandbox, as each of the Sandbox service does. The reply is
/// read without its fields.
async fn call(client: &Client, service: &str, method: &str, id: &str) -> Result<(), Status> {
    // To trapeze's version of prost, a String is a message whose first field is a string, and () is
    // one without fields.
    let call = client.handle_unary_request(service.to_owned(), method.to_owned(), id.to_owned());
    let reply = tokio::time::timeout(PATIENCE, call).await;
    reply.expect("a reply in time")
}

/// Returns the first field of a sandbox's status, its id.
async fn status(client: &Client, id: &str) -> Result<String, Status> {
    let (service, method) = (SANDBOX.to_owned(), "SandboxStatus".to_owned());
    let call = client.handle_unary_request(service, method, id.to_owned());
    let reply = tokio::time::timeout(PATIENCE, call).await;
    reply.expect("a reply in time")
}

#[track_caller]
fn refused<T: std::fmt::Debug>(reply: Result<T, Status>, code: Code, words: &str) {
    let status = reply.expect_err("it was to be refused");
    assert_eq!(status.code, i32::from(code), "{status}");
    assert!(status.message.contains(words), "{status}");
}

#[tokio::test]
async fn an_independent_client_is_served() {
    let daemon = Daemon::start(&[]);
    let client = connect(&daemon).await;
    for method in ["CreateSandbox", "StartSandbox", "PingSandbox"] {
        call(&client, SANDBOX, method, "p1").await.unwrap();
    }
    assert_eq!(status(&client, "p1").await.unwrap(), "p1");
    let again = call(&client, SANDBOX, "CreateSandbox", "p1").await;
    refused(again, Code::AlreadyExists, "p1");
    refused(status(&client, "p2").await, Code::NotFound, "p2");
    let invalid = call(&client, SANDBOX, "CreateSandbox", "a/b").await;
    refused(invalid, Code::InvalidArgument, "a/b");

    let wait = tokio::spawn({
        let client = client.clone();
        async move { call(&client, SANDBOX, "WaitSandbox", "p1").await }
    });
    for _ in 0..50 {
        status(&client, "p1").await.unwrap();
    }
    assert!(!wait.is_finished());
    let hasty = client.with_timeout(Duration::from_millis(100));
    let late = call(&hasty, SANDBOX, "WaitSandbox", "p1").await;
    refused(late, Code::DeadlineExceeded, "");
    let elsewhere = client.with_metadata([("containerd-namespace-ttrpc", "moby")]);
    refused(status(&elsewhere, "p1").await, Code::NotFound, "p1");
    call(&client, SANDBOX, "StopSandbox", "p1").await.unwrap();
    wait.await.unwrap().unwrap();
}

#[tokio::test]
async fn unknown_services_and_methods_are_named() {
    let daemon = Daemon::start(&[]);
    let client = connect(&daemon).await;
    for (service, method, words) in [
        (
            "no.such.Service",
            "Create",
            "unknown service \"no.such.Service\"",
        ),
        ("", "", "unknown service \"\""),
        (SANDBOX, "Pong", "Pong"),
        (TASK, "Pong", "Pong"),
        ("containerd.task.v2.Task", "Pong", "Pong"),
    ] {
        let reply = call(&client, service, method, "p1").await;
        refused(reply, Code::Unimplemented, words);
    }
    // A name that is longer than the first piece of a reply.
    let long = "x".repeat(100_000);
    let reply = call(&client, &long, "Create", "p1").await;
    assert!(reply.is_err());
    refused(status(&client, "p1").await, Code::NotFound, "p1");
}

/// Returns a request to the Sandbox service.
fn to_sandbox(method: &str, id: &str) -> Request {
    Request {
        service: SANDBOX.to_owned(),
        method: method.to_owned(),
        payload: request::ping_sandbox(id).write_to_bytes().unwrap(),
        ..Default::default()
    }
}

fn ping() -> Vec<u8> {
    to_sandbox("PingSandbox", "p1").write_to_bytes().unwrap()
}

/// Returns the frame of a request with these flags.
fn flagged(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = frame(stream, MESSAGE_TYPE_REQUEST, payload);
    bytes[9] = flags;
    bytes
}

async fn daemon_with_sandbox() -> Daemon {
    let daemon = Daemon::start(&[]);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    daemon
}

#[tokio::test]
async fn flags_do_not_change_a_unary_call() {
    let daemon = daemon_with_sandbox().await;
    let mut raw = Raw::connect(&daemon);
    // Neither, remote closed, remote open, and bits without a meaning.
    for (n, flags) in [0, 1, 2, 4, 0xfc].into_iter().enumerate() {
        let stream = u32::try_from(2 * n + 1).unwrap();
        raw.say(&flagged(stream, flags, &ping()));
        assert_eq!(raw.code_on(stream), OK, "flags {flags}");
    }
}

#[tokio::test]
async fn any_odd_stream_is_answered_on_itself() {
    let daemon = daemon_with_sandbox().await;
    let mut raw = Raw::connect(&daemon);
    for stream in [1, 1, 7, 3, u32::MAX, 1 << 31 | 1, 5] {
        raw.say(&flagged(stream, 0, &ping()));
        assert_eq!(raw.code_on(stream), OK, "stream {stream}");
    }
    for even in [0, 2, 1 << 31] {
        let mut raw = Raw::connect(&daemon);
        raw.say(&flagged(even, 0, &ping()));
        assert_eq!(raw.rest(), b"", "stream {even}");
    }
}

#[tokio::test]
async fn other_types_of_messages_end_the_connection() {
    let daemon = daemon_with_sandbox().await;
    for kind in [0, 2, 4, 0x80, 0xff] {
        let mut raw = Raw::connect(&daemon);
        raw.say(&frame(1, kind, &ping()));
        assert_eq!(raw.rest(), b"", "type {kind}");
    }
    // Data of a stream that is not open is answered, and the connection goes on.
    let mut raw = Raw::connect(&daemon);
    for flags in [0, 1] {
        let mut data = frame(1, DATA, b"data");
        data[9] = flags;
        raw.say(&data);
        assert_eq!(raw.code_on(1), INVALID_ARGUMENT);
    }
    raw.say(&frame(3, DATA, b""));
    assert_eq!(raw.code_on(3), INVALID_ARGUMENT);
    raw.say(&flagged(5, 0, &ping()));
    assert_eq!(raw.code_on(5), OK);
}

#[tokio::test]
async fn payloads_of_every_shape_are_answered() {
    let daemon = daemon_with_sandbox().await;
    let mut raw = Raw::connect(&daemon);
    // A request without fields names the service of the empty name.
    raw.say(&frame(1, MESSAGE_TYPE_REQUEST, b""));
    assert_eq!(raw.code_on(1), UNIMPLEMENTED);
    // A payload of no bytes: a message without fields.
    let mut empty = to_sandbox("PingSandbox", "");
    empty.payload.clear();
    raw.say(&frame(
        3,
        MESSAGE_TYPE_REQUEST,
        &empty.write_to_bytes().unwrap(),
    ));
    assert_eq!(raw.code_on(3), INVALID_ARGUMENT);
    // The fields from last to first, a field twice, and fields of a later version.
    let field = |tag: u8, bytes: &[u8]| {
        let mut field = vec![tag << 3 | 2, u8::try_from(bytes.len()).unwrap()];
        field.extend(bytes);
        field
    };
    let id = request::ping_sandbox("p1").write_to_bytes().unwrap();
    let shuffled = [
        field(14, b"later"),
        field(3, &id),
        field(2, b"Pong"),
        field(2, b"PingSandbox"),
        vec![15 << 3, 1],
        field(1, SANDBOX.as_bytes()),
    ];
    raw.say(&frame(5, MESSAGE_TYPE_REQUEST, &shuffled.concat()));
    assert_eq!(raw.code_on(5), OK);
    // No text, and a field that is cut off.
    for (n, broken) in [field(1, b"\xff\xfe"), vec![0x0a, 9, b'x']]
        .iter()
        .enumerate()
    {
        let stream = u32::try_from(2 * n + 7).unwrap();
        raw.say(&frame(stream, MESSAGE_TYPE_REQUEST, broken));
        assert_eq!(raw.code_on(stream), INVALID_ARGUMENT);
    }
    raw.say(&flagged(11, 0, &ping()));
    assert_eq!(raw.code_on(11), OK);
}

#[tokio::test]
async fn timeouts_and_metadata_of_every_kind_are_read() {
    let daemon = daemon_with_sandbox().await;
    let mut raw = Raw::connect(&daemon);
    let mut wait = to_sandbox("WaitSandbox", "p1");
    wait.timeout_nano = 50_000_000;
    raw.say(&frame(
        1,
        MESSAGE_TYPE_REQUEST,
        &wait.write_to_bytes().unwrap(),
    ));
    assert_eq!(raw.code_on(1), DEADLINE_EXCEEDED);
    let mut ping = to_sandbox("PingSandbox", "p1");
    for (n, timeout) in [0, 1 << 40, i64::MAX, -1, i64::MIN].into_iter().enumerate() {
        let stream = u32::try_from(2 * n + 3).unwrap();
        ping.timeout_nano = timeout;
        raw.say(&frame(
            stream,
            MESSAGE_TYPE_REQUEST,
            &ping.write_to_bytes().unwrap(),
        ));
        assert_eq!(raw.code_on(stream), OK, "timeout {timeout}");
    }
    ping.timeout_nano = 0;
    let pair = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: value.to_owned(),
        ..Default::default()
    };
    ping.metadata = vec![
        pair("", ""),
        pair(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        pair("twice", "1"),
        pair("twice", "2"),
        pair("Ümläut", "\n\0"),
        pair("long", &"x".repeat(10_000)),
    ];
    raw.say(&frame(
        101,
        MESSAGE_TYPE_REQUEST,
        &ping.write_to_bytes().unwrap(),
    ));
    assert_eq!(raw.code_on(101), OK);
    ping.metadata
        .push(pair("containerd-namespace-ttrpc", "moby"));
    raw.say(&frame(
        103,
        MESSAGE_TYPE_REQUEST,
        &ping.write_to_bytes().unwrap(),
    ));
    assert_eq!(raw.code_on(103), NOT_FOUND);
}

#[tokio::test]
async fn requests_that_arrive_together_are_all_answered() {
    let daemon = daemon_with_sandbox().await;
    let mut raw = Raw::connect(&daemon);
    let all: Vec<u8> = (0..500u32)
        .flat_map(|n| flagged(2 * n + 1, 0, &ping()))
        .collect();
    raw.say(&all);
    let mut streams: Vec<u32> = (0..500)
        .map(|_| {
            let (stream, reply) = raw.reply();
            assert_eq!(reply.status().code.value(), OK);
            stream
        })
        .collect();
    streams.sort_unstable();
    assert!(streams.into_iter().eq((0..500).map(|n| 2 * n + 1)));
}
