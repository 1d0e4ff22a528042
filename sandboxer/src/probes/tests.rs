//! Answers and listeners over a sandboxer without a kubelet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{Container as _, Key, Sandbox as _, Sandboxer as _};
use cri_api::v1::{ContainerConfig, ContainerMetadata, PodSandboxConfig, PodSandboxMetadata};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{AnswerProbes, Answers, Refused};
use crate::live::{HostRules, LogRoot, ResourceSlotContainer, ResourceSlotSandboxer, Settings};
use journal::{Journal, Options};
use pod_resources::Rules;
use slot::{CriContainer, CriPod, Timestamp};
use views::{ViewMode, Views};

const PORTS: &str = r#"[{"containerPort":80,"protocol":"TCP"}]"#;

fn sandboxer(dir: &Path) -> Arc<ResourceSlotSandboxer> {
    let (journal, recovered) = Journal::open(dir, Options::default()).unwrap();
    let settings = Settings {
        rules: Rules::default(),
        exit_delay: Duration::ZERO,
        profile: Arc::default(),
        unknown_command: 127,
        max_sandboxes: usize::MAX,
        log_root: LogRoot::default(),
        clock: Arc::default(),
        node_memory: 16 << 30,
        host: HostRules::default(),
        slowdown_percent: 0,
    };
    let views = Views::start(dir, ViewMode::Off).unwrap();
    let slots = recovered.slots;
    Arc::new(ResourceSlotSandboxer::new(journal, views, slots, settings, None).unwrap())
}

fn key() -> Key {
    Key::new("k8s.io", "pod").unwrap()
}

/// Runs a pod with a container that declares port 80.
async fn started(
    sandboxer: &ResourceSlotSandboxer,
    annotations: &[(&str, &str)],
) -> ResourceSlotContainer {
    let pod = CriPod {
        config: PodSandboxConfig {
            metadata: Some(PodSandboxMetadata::default()),
            ..Default::default()
        }
        .into(),
        updated: None,
        handler: String::new(),
        ip: String::new(),
        additional_ips: Vec::new(),
    };
    let sandbox = sandboxer.create_pod(&key(), pod).await.unwrap();
    sandboxer.start(&key()).await.unwrap();
    let stated = annotations.iter().map(|(name, value)| {
        let name = format!("resource-slot.kuasar.io/{name}");
        (name, (*value).to_owned())
    });
    let ports = ("io.kubernetes.container.ports".to_owned(), PORTS.to_owned());
    let container = CriContainer {
        config: ContainerConfig {
            metadata: Some(ContainerMetadata::default()),
            annotations: stated.chain([ports]).collect(),
            ..Default::default()
        }
        .into(),
        updated: None,
        image_id: String::new(),
        image_ref: String::new(),
        image: None,
        mounted_images: Vec::new(),
        created_at: Timestamp::now(),
        started_at: None,
    };
    sandbox.append_cri("c", container).await.unwrap();
    let container = sandbox.container("c").unwrap();
    container.start(None).await.unwrap();
    container
}

fn answers(sandboxer: &Arc<ResourceSlotSandboxer>) -> Answers {
    Answers::new(Arc::clone(sandboxer), AnswerProbes::default())
}

/// Sends bytes to a port, and returns what comes back until the end.
async fn said(answers: &Answers, port: u16, bytes: &[u8]) -> Result<String, Refused> {
    let (mut client, server) = duplex(64 << 10);
    client.write_all(bytes).await.unwrap();
    let read = async move {
        let mut text = Vec::new();
        client.read_to_end(&mut text).await.unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    let key = key();
    let (served, text) = tokio::join!(answers.serve(&key, port, server), read);
    served.map(|()| text)
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_container_answers_on_its_port_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = sandboxer(dir.path());
    let answers = answers(&sandboxer);
    assert_eq!(said(&answers, 80, &get("/")).await, Err(Refused(80)));
    let container = started(&sandboxer, &[]).await;
    let answer = said(&answers, 80, &get("/")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
    assert_eq!(said(&answers, 81, &get("/")).await, Err(Refused(81)));
    container.kill(None, 9, true).await.unwrap();
    container.wait(None).await.unwrap();
    assert_eq!(said(&answers, 80, &get("/")).await, Err(Refused(80)));
    sandboxer.close().unwrap();
}

#[tokio::test]
async fn annotations_state_the_answers() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = sandboxer(dir.path());
    let answers = answers(&sandboxer);
    let stated = [
        ("probe-fail", "nth 2"),
        ("probe-status", "201,/away=302"),
        ("probe-body", "hello"),
        ("probe-ports", "9000"),
    ];
    started(&sandboxer, &stated).await;
    let mut statuses = Vec::new();
    for (port, path) in [(80, "/"), (80, "/"), (9000, "/away")] {
        let answer = said(&answers, port, &get(path)).await.unwrap();
        statuses.push(answer[9..12].to_owned());
    }
    assert_eq!(statuses, ["201", "503", "302"]);
    let answer = said(&answers, 80, &get("/")).await.unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    sandboxer.close().unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_request_do_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = sandboxer(dir.path());
    let answers = answers(&sandboxer);
    started(&sandboxer, &[]).await;
    let long = [
        b"GET /",
        "x".repeat(64 << 10).as_bytes(),
        b" HTTP/1.1\r\n\r\n",
    ]
    .concat();
    for (bytes, status) in [
        (&b"\0\0\0\0\r\n\r\n"[..], "400"),
        (b"*1\r\n$4\r\nPING\r\n", "400"),
        (&long, "4"),
    ] {
        let (mut client, server) = duplex(256 << 10);
        client.write_all(bytes).await.unwrap();
        let key = key();
        let read = async move {
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.map(|_| answer)
        };
        let (_, answer) = tokio::join!(answers.serve(&key, 80, server), read);
        let answer = String::from_utf8_lossy(&answer.unwrap()).into_owned();
        assert!(answer[9..].starts_with(status), "{answer}");
    }
    // A record of TLS that is none.
    let bytes = [22, 3, 1, 0, 5, 1, 2, 3, 4, 5];
    assert!(said(&answers, 80, &bytes).await.is_ok());
    sandboxer.close().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_paused_container_answers_nothing_and_a_silent_client_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = sandboxer(dir.path());
    let answers = answers(&sandboxer);
    let container = started(&sandboxer, &[]).await;
    // A client that never speaks is given up, not served for ever.
    let (client, server) = duplex(64);
    answers.serve(&key(), 80, server).await.unwrap();
    drop(client);
    container.pause().await.unwrap();
    let answer = said(&answers, 80, &get("/")).await.unwrap();
    assert_eq!(answer, "");
    sandboxer.close().unwrap();
}
