//! Commands of containers in the toy userland, over CRI and over the task service, with logs,
//! streams and signals.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use containerd_sandbox::Code;
use containerd_sandbox::client::Cri;
use cri_api::v1::{self, ContainerState};
use futures::{SinkExt, StreamExt};
use rustix::fs::{FileType, Mode, OFlags};
use tests::cri::{
    IMAGE, code, container_config, create, labels, pod_config, pull, run_pod, start, started,
    status, stop, until,
};
use tests::{Daemon, PATIENCE, eventually, ready_sandbox, request, running_container};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

fn script(name: &str, script: &str) -> v1::ContainerConfig {
    v1::ContainerConfig {
        command: vec!["sh".to_owned()],
        args: vec!["-c".to_owned(), script.to_owned()],
        ..container_config(name)
    }
}

/// Returns the lines of a log, each as stream, tag and text.
fn log(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| {
            line.split_once(' ')
                .expect("a time and the rest")
                .1
                .to_owned()
        })
        .collect()
}

async fn pod(daemon: &Daemon) -> (Cri, String) {
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let id = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    (cri, id)
}

async fn exec(cri: &Cri, id: &str, cmd: &[&str]) -> (i32, String, String) {
    let request = v1::ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: cmd.iter().map(ToString::to_string).collect(),
        timeout: 0,
    };
    let reply = cri.exec_sync(request).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (reply.exit_code, text(reply.stdout), text(reply.stderr))
}

#[tokio::test]
async fn a_containers_command_writes_its_log_and_ends_with_its_code() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let config = script("app", "echo out; echo err >&2; printf half; exit 3");
    let id = started(&cri, &pod, &config).await;
    let ended = until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!((ended.exit_code, ended.reason.as_str()), (3, "Error"));
    let path = daemon.home().root().join("web/app/2.log");
    // The log is complete when the end is visible.
    let lines = log(&path);
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in ["stdout F out", "stderr F err", "stdout P half"] {
        assert!(lines.contains(&line.to_owned()), "{lines:?}");
    }
}

#[tokio::test]
async fn a_trap_runs_when_the_container_is_stopped() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let config = script(
        "app",
        "trap 'echo bye; exit 7' TERM; echo ready; while true; do sleep 1; done",
    );
    let id = started(&cri, &pod, &config).await;
    let path = daemon.home().root().join("web/app/2.log");
    eventually("the container to be ready", || {
        log(&path)
            .contains(&"stdout F ready".to_owned())
            .then_some(())
    });
    stop(&cri, &id, 600).await.unwrap();
    assert_eq!(status(&cri, &id).await.exit_code, 7);
    eventually("its last words", || {
        log(&path)
            .contains(&"stdout F bye".to_owned())
            .then_some(())
    });

    let deaf = started(
        &cri,
        &pod,
        &script("deaf", "trap '' TERM; echo x; read line; sleep 999; echo y"),
    )
    .await;
    stop(&cri, &deaf, 0).await.unwrap();
    let exit_code = status(&cri, &deaf).await.exit_code;
    assert!(exit_code == 137 || exit_code == 0, "{exit_code}");
}

#[tokio::test]
async fn commands_see_the_configuration_of_their_container() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let mut config = pod_config("web", daemon.home().root());
    config.dns_config = Some(v1::DnsConfig {
        servers: vec!["10.0.0.10".to_owned()],
        ..Default::default()
    });
    if let Some(linux) = &mut config.linux {
        linux.sysctls = labels(&[("kernel.shm_rmid_forced", "1")]);
    }
    let pod = run_pod(&cri, &config).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    for (cmd, stdout) in [
        ("hostname; pwd; echo $A", "web\n/srv\n1\n"),
        ("id -u; id -g; id -G", "1000\n2000\n2000 3000\n"),
        ("cat /etc/resolv.conf", "nameserver 10.0.0.10\n"),
        ("cat /proc/sys/kernel/shm_rmid_forced", "1\n"),
        ("grep -c ' /data ' /proc/mounts", "1\n"),
        (
            "grep CapEff /proc/self/status",
            "CapEff:\t0000000000000000\n",
        ),
        ("tr '\\0' ' ' < /proc/1/cmdline", "sh -c sleep infinity "),
        ("echo kept > /tmp/x", ""),
        ("cat /tmp/x", "kept\n"),
    ] {
        let said = exec(&cri, &id, &["sh", "-c", cmd]).await;
        assert_eq!(said, (0, stdout.to_owned(), String::new()), "{cmd}");
    }
    let (code, _, stderr) = exec(&cri, &id, &["/app/probe"]).await;
    assert_eq!(code, 127);
    assert!(stderr.contains("not found"), "{stderr}");
    let (code, ..) = exec(&cri, &id, &["touch", "/data/x"]).await;
    assert_eq!(code, 1, "the mount is read-only");
    let mut other = container_config("other");
    if let Some(context) = other
        .linux
        .as_mut()
        .and_then(|linux| linux.security_context.as_mut())
    {
        context.run_as_user = None;
        context.run_as_username = "nobody".to_owned();
        context.readonly_paths = vec!["/tmp".to_owned()];
    }
    let other = started(&cri, &pod, &other).await;
    assert_eq!(exec(&cri, &other, &["id", "-un"]).await.1, "nobody\n");
    let (code, _, stderr) = exec(&cri, &other, &["touch", "/tmp/x"]).await;
    assert_eq!(
        (code, stderr.as_str()),
        (1, "touch: /tmp/x: Read-only file system\n")
    );
    let user = status(&cri, &other).await.user.unwrap().linux.unwrap();
    assert_eq!(user.uid, 65534);
    // A command can end the first process.
    exec(&cri, &id, &["kill", "1"]).await;
    let ended = until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!(ended.exit_code, 143);
}

#[tokio::test]
async fn an_unknown_command_can_succeed_as_a_probe() {
    let daemon = Daemon::start(&["--unknown-command", "0"]);
    let (cri, pod) = pod(&daemon).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    let said = exec(&cri, &id, &["grpc_health_probe", "-addr=:80"]).await;
    assert_eq!(said, (0, String::new(), String::new()));
}

#[tokio::test]
async fn a_command_goes_on_after_a_crash() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let config = script("app", "while true; do echo tick; sleep 0.01; done");
    let id = started(&cri, &pod, &config).await;
    let path = daemon.home().root().join("web/app/2.log");
    eventually("the first lines", || (!log(&path).is_empty()).then_some(()));
    let daemon = daemon.kill9().start();
    let before = log(&path).len();
    eventually("more lines", || (log(&path).len() > before).then_some(()));
    let cri = daemon.cri().await;
    let running = status(&cri, &id).await.state;
    assert_eq!(running, i32::from(ContainerState::ContainerRunning));
}

/// Connects a client to a streaming URL.
async fn connect(url: &str) -> WebSocketStream<TcpStream> {
    let address = url.strip_prefix("http://").expect("a URL");
    let address = address.split('/').next().expect("an address");
    let mut request = url.replace("http", "ws").into_client_request().unwrap();
    let protocol = "v5.channel.k8s.io".parse().unwrap();
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", protocol);
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .unwrap();
    client
}

async fn send(client: &mut WebSocketStream<TcpStream>, bytes: &[u8]) {
    client.send(Message::binary(bytes.to_vec())).await.unwrap();
}

/// Reads a channel until its text contains `wanted` or the server closes the connection.
async fn received(client: &mut WebSocketStream<TcpStream>, channel: u8, wanted: &str) -> String {
    let mut text = String::new();
    while let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, client.next()).await {
        if let Message::Binary(bytes) = message
            && bytes.first() == Some(&channel)
        {
            text.push_str(&String::from_utf8_lossy(&bytes[1..]));
            if !wanted.is_empty() && text.contains(wanted) {
                break;
            }
        }
    }
    text
}

#[tokio::test]
async fn an_exec_is_connected_to_the_clients_streams() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    let mut request = v1::ExecRequest {
        container_id: id.clone(),
        cmd: ["sh", "-c", "read line; echo got $line; exit 5"]
            .map(str::to_owned)
            .to_vec(),
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
    };
    let url = cri.exec(request.clone()).await.unwrap().url;
    let mut client = connect(&url).await;
    send(&mut client, b"\0hello\n").await;
    assert_eq!(received(&mut client, 1, "\n").await, "got hello\n");
    let end = received(&mut client, 3, "").await;
    assert!(end.contains("\"5\""), "{end}");

    request.tty = true;
    assert_eq!(code(cri.exec(request.clone()).await), Code::InvalidArgument);
    request.cmd.clear();
    assert_eq!(code(cri.exec(request).await), Code::InvalidArgument);
    let nothing = v1::AttachRequest {
        container_id: id,
        ..Default::default()
    };
    assert_eq!(code(cri.attach(nothing).await), Code::InvalidArgument);
}

#[tokio::test]
async fn an_attached_client_sees_output_and_sends_input() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let mut config = script("app", "while read line; do echo got $line; done; exit 4");
    config.stdin = true;
    config.stdin_once = true;
    let id = started(&cri, &pod, &config).await;
    let request = v1::AttachRequest {
        container_id: id.clone(),
        stdin: true,
        stdout: true,
        ..Default::default()
    };
    let mut client = connect(&cri.attach(request).await.unwrap().url).await;
    send(&mut client, b"\0one\n").await;
    assert_eq!(received(&mut client, 1, "\n").await, "got one\n");
    send(&mut client, &[255, 0]).await;
    let ended = until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!(ended.exit_code, 4);
}

#[tokio::test]
async fn the_ports_of_a_stopped_pod_are_not_forwarded() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let request = v1::PortForwardRequest {
        pod_sandbox_id: pod.clone(),
        port: vec![80],
    };
    let url = cri.port_forward(request.clone()).await.unwrap().url;
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    tests::cri::stop_pod(&cri, &pod).await.unwrap();
    let refused = cri.port_forward(request).await;
    assert_eq!(code(refused), Code::FailedPrecondition);
}

fn fifo(dir: &Path, name: &str) -> String {
    let path = dir.join(name);
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).unwrap();
    path.into_os_string().into_string().unwrap()
}

#[tokio::test]
async fn an_exec_of_the_task_service_answers_by_annotations() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let files = daemon.home().root().to_owned();
    ready_sandbox(&client, "p1").await;
    let mut spec = tests::spec("p1", &tests::small());
    spec["annotations"]["resource-slot.kuasar.io/exec-output"] = "well".into();
    spec["annotations"]["resource-slot.kuasar.io/exec-code"] = "6".into();
    let bundle = tests::bundle(&files, "c1", &spec);
    client
        .create(&request::create("c1", &bundle))
        .await
        .unwrap();
    client.start(&request::start("c1", "")).await.unwrap();
    let stdout = fifo(&files, "out");
    let mut exec = request::exec("c1", "e1", &["true"]);
    exec.stdout.clone_from(&stdout);
    client.exec(&exec).await.unwrap();
    let out = reading(stdout);
    client.start(&request::start("c1", "e1")).await.unwrap();
    let ended = client.wait(&request::wait("c1", "e1")).await.unwrap();
    assert_eq!(
        (ended.exit_status, out.join().unwrap().as_str()),
        (6, "well")
    );
}

/// Reads a FIFO to its end on a thread that blocks, like a client.
fn reading(path: String) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        File::open(path).unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

#[tokio::test]
async fn an_exec_of_the_task_service_uses_its_fifos() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let files = daemon.home().root().to_owned();
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;
    let (stdin, stdout, stderr) = (fifo(&files, "in"), fifo(&files, "out"), fifo(&files, "err"));
    let mut exec = request::exec("c1", "e1", &["sh", "-c", "cat; echo done >&2; exit 9"]);
    exec.stdin.clone_from(&stdin);
    exec.stdout.clone_from(&stdout);
    exec.stderr.clone_from(&stderr);
    client.exec(&exec).await.unwrap();
    let (out, err) = (reading(stdout), reading(stderr));
    client.start(&request::start("c1", "e1")).await.unwrap();
    // The write blocks until the process reads.
    let written = tokio::task::spawn_blocking(move || {
        let mut stdin = File::options().write(true).open(stdin).unwrap();
        stdin.write_all(b"hello\n").unwrap();
    });
    written.await.unwrap();
    let ended = client.wait(&request::wait("c1", "e1")).await.unwrap();
    assert_eq!(ended.exit_status, 9);
    assert_eq!(out.join().unwrap(), "hello\n");
    assert_eq!(err.join().unwrap(), "done\n");
}

#[tokio::test]
async fn closed_standard_input_ends_for_the_command() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let files = daemon.home().root().to_owned();
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;
    let (stdin, stdout) = (fifo(&files, "in"), fifo(&files, "out"));
    let mut exec = request::exec("c1", "e1", &["sh", "-c", "cat; echo ended; exit 2"]);
    exec.stdin.clone_from(&stdin);
    exec.stdout.clone_from(&stdout);
    client.exec(&exec).await.unwrap();
    let out = reading(stdout);
    // This end stays open, because containerd's client may keep its own.
    let _writer = File::options()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&stdin)
        .unwrap();
    client.start(&request::start("c1", "e1")).await.unwrap();
    let close = containerd_shim_protos::api::CloseIORequest {
        id: "c1".to_owned(),
        exec_id: "e1".to_owned(),
        stdin: true,
        ..Default::default()
    };
    client.close_io(&close).await.unwrap();
    let ended = client.wait(&request::wait("c1", "e1")).await.unwrap();
    assert_eq!(ended.exit_status, 2);
    assert_eq!(out.join().unwrap(), "ended\n");
}

#[tokio::test]
async fn annotations_and_a_file_determine_the_behaviour_of_containers() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let behaviour = "seed = 3\n[defaults]\nlog-lines-per-second = 100\n[[fail]]\n\
                 call = \"create-container\"\nwhen = \"every 2 unavailable\"";
    fs::write(file.path(), behaviour).unwrap();
    let daemon = Daemon::start(&["--behaviour", file.path().to_str().unwrap()]);
    let (cri, pod) = pod(&daemon).await;
    let mut config = container_config("app");
    config.annotations = labels(&[
        ("resource-slot.kuasar.io/exec-output", "well\n"),
        ("resource-slot.kuasar.io/exec-code", "6"),
        ("resource-slot.kuasar.io/cpu", "2"),
        ("resource-slot.kuasar.io/start-delay", "20ms"),
    ]);
    let id = create(&cri, &pod, &config).await.unwrap();
    let refused = create(&cri, &pod, &container_config("other")).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert!(refused.to_string().contains("simulated"), "{refused}");
    let begun = std::time::Instant::now();
    start(&cri, &id).await.unwrap();
    assert!(begun.elapsed() >= std::time::Duration::from_millis(20));
    assert_eq!(
        exec(&cri, &id, &["anything"]).await,
        (6, "well\n".to_owned(), String::new())
    );
    let path = daemon.home().root().join("web/app/2.log");
    eventually("simulated lines", || {
        let lines = log(&path);
        lines
            .contains(&"stdout F simulated line 20".to_owned())
            .then_some(())
    });
    let request = v1::ContainerStatsRequest {
        container_id: id.clone(),
    };
    let stats = cri.container_stats(request).await.unwrap().stats.unwrap();
    // Twice the request of a quarter of a core.
    assert_eq!(
        stats.cpu.unwrap().usage_nano_cores.unwrap().value,
        500_000_000
    );

    let mut wrong = container_config("wrong");
    wrong.annotations = labels(&[("resource-slot.kuasar.io/cpu", "much")]);
    let refused = create(&cri, &pod, &wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.to_string().contains("\"much\""), "{refused}");
}

/// Returns the numbers of the simulated lines in a log, in its order.
fn numbers(path: &Path) -> Vec<u64> {
    let lines = log(path).into_iter();
    let number = |line: String| {
        let number = line.strip_prefix("stdout F simulated line ")?;
        number.parse().ok()
    };
    lines.filter_map(number).collect()
}

#[tokio::test]
async fn simulated_lines_go_on_after_a_crash_where_the_log_ends() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let mut config = container_config("app");
    let rate = ("resource-slot.kuasar.io/log-lines-per-second", "500");
    config.annotations = labels(&[rate]);
    started(&cri, &pod, &config).await;
    let path = daemon.home().root().join("web/app/2.log");
    eventually("some lines", || (numbers(&path).len() > 300).then_some(()));
    let home = daemon.kill9();
    let before = numbers(&path);
    assert_eq!(before, (1..=before.len() as u64).collect::<Vec<_>>());
    // The last line loses its newline and a part of its text.
    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() - 8]).unwrap();
    let _daemon = home.start();
    let more = before.len() + 300;
    eventually("more lines", || (numbers(&path).len() > more).then_some(()));
    // The line that was cut off does not count, so its number comes once more.
    let after = numbers(&path);
    assert_eq!(after, (1..=after.len() as u64).collect::<Vec<_>>());
    let cut = |line: &String| line.starts_with("stdout F simulated l") && !line.contains("line ");
    assert_eq!(log(&path).iter().filter(|line| cut(line)).count(), 1);
}
