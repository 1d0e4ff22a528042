//! Exec, attach and port-forward: a client of SPDY that other people wrote, and terminals on every
//! way in.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use containerd_sandbox::client::Cri;
use containerd_shim_protos::api;
use cri_api::v1::{self, ContainerState};
use futures::{SinkExt, StreamExt};
use rustix::fs::{FileType, Mode};
use serde::Deserialize;
use serde_json::{Value, json};
use tests::cri::{container_config, pod_config, pull, run_pod, started, until};
use tests::foreign::found_by;
use tests::{Daemon, PATIENCE, ready_sandbox, request, running_container};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

async fn pod(daemon: &Daemon) -> (Cri, String) {
    let cri = daemon.cri().await;
    pull(&cri, "busybox:1.36").await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    (cri, pod)
}

fn exec_of(id: &str, argv: &[&str], tty: bool) -> v1::ExecRequest {
    v1::ExecRequest {
        container_id: id.to_owned(),
        cmd: argv.iter().map(ToString::to_string).collect(),
        stdin: true,
        stdout: true,
        stderr: !tty,
        tty,
    }
}

/// Content of a stream that spdy-transport received.
#[derive(Debug, Deserialize)]
struct Received {
    length: usize,
    text: String,
}

/// Runs spdy-transport against a URL. Returns `None` without Node.
async fn spdy(url: &str, version: &str, streams: &Value) -> Option<Vec<Received>> {
    let packages = found_by("node-spdy", "REQUIRE_NODE_SPDY")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign/spdy.js");
    let mut command = Command::new("node");
    command
        .arg(script)
        .args([url, version, &streams.to_string()])
        .env("NODE_PATH", packages)
        .stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output().expect("node runs"));
    let output = tokio::time::timeout(PATIENCE, run).await;
    let output = output.expect("the client ends in time").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    Some(serde_json::from_slice(&output.stdout).expect("a list of streams"))
}

#[tokio::test]
async fn a_client_of_spdy_with_windows_runs_a_command() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    let kind = |kind: &str| json!({ "streamType": kind });
    // Both directions are larger than a window of 64 KiB.
    let request = exec_of(
        &id,
        &["sh", "-c", "tee /dev/null; echo x >&2; exit 5"],
        false,
    );
    let url = cri.exec(request).await.unwrap().url;
    let streams = json!([
        { "headers": kind("error") },
        { "headers": kind("stdin"), "send": "0123456789abcdef".repeat(64), "repeat": 300 },
        { "headers": kind("stdout") },
        { "headers": kind("stderr") },
    ]);
    let Some(received) = spdy(&url, "v4.channel.k8s.io", &streams).await else {
        return;
    };
    assert_eq!(received[2].length, 300 << 10);
    assert_eq!(received[3].text, "x\n");
    let status: Value = serde_json::from_str(&received[0].text).unwrap();
    assert_eq!(status["reason"], "NonZeroExitCode");
    let cause = json!([{ "reason": "ExitCode", "message": "5" }]);
    assert_eq!(status["details"]["causes"], cause);
}

#[tokio::test]
async fn a_client_of_spdy_forwards_ports_to_what_answers_probes() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let mut server = container_config("server");
    let annotations = [("probe-ports", "8080"), ("probe-body", "hello")];
    for (name, value) in annotations {
        let name = format!("resource-slot.kuasar.io/{name}");
        server.annotations.insert(name, value.to_owned());
    }
    started(&cri, &pod, &server).await;
    let request = v1::PortForwardRequest {
        pod_sandbox_id: pod,
        port: vec![],
    };
    let url = cri.port_forward(request).await.unwrap().url;
    let headers = |kind: &str, request: u32, port: &str| {
        let request = request.to_string();
        json!({ "streamType": kind, "port": port, "requestID": request })
    };
    let get = "GET / HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n";
    let streams = json!([
        { "headers": headers("error", 0, "8080") },
        { "headers": headers("data", 0, "8080"), "send": get },
        { "headers": headers("error", 1, "8080") },
        { "headers": headers("data", 1, "8080"), "send": get },
        { "headers": headers("error", 2, "9") },
        { "headers": headers("data", 2, "9"), "send": get },
    ]);
    let Some(received) = spdy(&url, "portforward.k8s.io", &streams).await else {
        return;
    };
    for (error, data) in [(0, 1), (2, 3)] {
        assert_eq!(received[error].length, 0, "{}", received[error].text);
        let text = &received[data].text;
        assert!(
            text.starts_with("HTTP/1.1 200 ") && text.ends_with("hello"),
            "{text}"
        );
    }
    assert!(
        received[4].text.contains("nothing listens on port 9"),
        "{}",
        received[4].text
    );
    assert_eq!(received[5].length, 0);
}

/// A user at a terminal over WebSocket.
struct User(WebSocketStream<TcpStream>);

impl User {
    async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("a URL");
        let address = address.split('/').next().expect("an address");
        let mut request = url.replace("http", "ws").into_client_request().unwrap();
        let protocol = "v5.channel.k8s.io".parse().unwrap();
        let headers = request.headers_mut();
        headers.insert("Sec-WebSocket-Protocol", protocol);
        let stream = TcpStream::connect(address).await.unwrap();
        let connected = tokio_tungstenite::client_async(request, stream).await;
        Self(connected.unwrap().0)
    }

    async fn send(&mut self, channel: u8, text: &str) {
        let message = [&[channel], text.as_bytes()].concat();
        self.0.send(Message::binary(message)).await.unwrap();
    }

    async fn types(&mut self, text: &str) {
        self.send(0, text).await;
    }

    /// Reads a channel until its text ends with `end`.
    async fn sees(&mut self, channel: u8, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let next = tokio::time::timeout(PATIENCE, self.0.next()).await;
            let next = next.unwrap_or_else(|_| panic!("no {end:?} after {text:?}"));
            match next.expect("the connection is open").unwrap() {
                Message::Binary(bytes) if bytes[0] == channel => {
                    text.push_str(&String::from_utf8_lossy(&bytes[1..]));
                }
                _ => {}
            }
        }
        text
    }
}

#[tokio::test]
async fn an_exec_with_a_terminal_is_an_interactive_shell() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    let url = cri.exec(exec_of(&id, &["sh"], true)).await.unwrap().url;
    let mut user = User::connect(&url).await;
    user.sees(1, "$ ").await;
    user.send(4, r#"{"Width":101,"Height":33}"#).await;
    // The size may arrive after the next key.
    user.types("until [ \"$(stty size)\" = '33 101' ]; do sleep 0.01; done; tty\r")
        .await;
    user.sees(1, "/dev/pts/0\r\n/srv $ ").await;
    user.types("echx\x7fo go; sleep 1000\r").await;
    user.sees(1, "\r\ngo\r\n").await;
    user.types("\x03").await;
    assert_eq!(user.sees(1, "$ ").await, "^C\r\n/srv $ ");
    user.types("exit 3\r").await;
    let status = user.sees(3, "}").await;
    assert!(status.contains(r#""message":"3""#), "{status}");
}

#[tokio::test]
async fn the_shell_of_a_container_is_interactive_for_an_attached_client() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let mut config = container_config("shell");
    config.command = vec!["sh".to_owned()];
    config.args.clear();
    config.stdin = true;
    config.tty = true;
    let id = started(&cri, &pod, &config).await;
    let request = v1::AttachRequest {
        container_id: id.clone(),
        stdin: true,
        stdout: true,
        tty: true,
        ..Default::default()
    };
    for _ in 0..2 {
        // The second client finds the shell where the first one left it.
        let url = cri.attach(request.clone()).await.unwrap().url;
        let mut user = User::connect(&url).await;
        user.send(4, r#"{"Width":101,"Height":33}"#).await;
        user.types("\r").await;
        user.sees(1, "$ ").await;
        user.types("x=${x}1; echo is $x\r").await;
        user.sees(1, "$ ").await;
    }
    let url = cri.attach(request).await.unwrap().url;
    let mut user = User::connect(&url).await;
    user.types("echo \"<$x>\"; exit 4\r").await;
    user.sees(1, "<11>\r\n").await;
    let ended = until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!(ended.exit_code, 4);
}

fn fifo(dir: &Path, name: &str) -> String {
    let path = dir.join(name);
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// Reads a FIFO until its text ends with `end`, on a thread that blocks, like a client.
async fn read_until(mut from: File, end: &'static str) -> (File, String) {
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        let mut byte = [0];
        while !text.ends_with(end) && from.read(&mut byte).unwrap() > 0 {
            text.push(char::from(byte[0]));
        }
        (from, text)
    });
    let read = tokio::time::timeout(PATIENCE, read).await;
    read.unwrap_or_else(|_| panic!("no {end:?}")).unwrap()
}

#[tokio::test]
async fn an_exec_of_the_task_service_has_a_terminal_behind_its_fifos() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let files = daemon.home().root().to_owned();
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;
    let (stdin, stdout) = (fifo(&files, "in"), fifo(&files, "out"));
    let mut exec = request::exec("c1", "e1", &["sh"]);
    exec.terminal = true;
    exec.stdin.clone_from(&stdin);
    exec.stdout.clone_from(&stdout);
    client.exec(&exec).await.unwrap();
    // A client opens its end of the input before the process has one.
    let mut keyboard = File::options().read(true).write(true).open(stdin).unwrap();
    let screen = File::options().read(true).write(true).open(stdout).unwrap();
    client.start(&request::start("c1", "e1")).await.unwrap();
    let (screen, _) = read_until(screen, "# ").await;
    let resize = api::ResizePtyRequest {
        id: "c1".to_owned(),
        exec_id: "e1".to_owned(),
        width: 101,
        height: 33,
        ..Default::default()
    };
    client.resize_pty(&resize).await.unwrap();
    keyboard.write_all(b"stty sizx\x7fe\r").unwrap();
    let (screen, shown) = read_until(screen, "# ").await;
    assert!(shown.contains("\r\n33 101\r\n"), "{shown}");
    keyboard.write_all(b"echo last; exit 6\r").unwrap();
    let ended = client.wait(&request::wait("c1", "e1")).await.unwrap();
    assert_eq!(ended.exit_status, 6);
    // All output is written before the end.
    let (_, shown) = read_until(screen, "last\r\n").await;
    assert!(shown.starts_with("echo last; exit 6\r\n"), "{shown}");
}
