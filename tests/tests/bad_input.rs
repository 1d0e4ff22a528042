//! Invalid input: each request gets an error that names the field and the reason, and no state
//! changes.

use std::fmt::Debug;
use std::fs;

use containerd_client::services::v1::sandbox as grpc;
use containerd_sandbox::client::Ttrpc;
use containerd_sandbox::{Code, Error};
use cri_api::v1::PodSandboxConfig;
use prost::Message as _;
use serde_json::{Value, json};
use tests::ledger::compare_views;
use tests::{
    Daemon, PATIENCE, bundle, ready_sandbox, request, run, running_container, small, spec,
};

/// Checks that `result` is an error of this code and that its message contains all `words`.
#[track_caller]
fn refused<T: Debug>(result: Result<T, Error>, code: Code, words: &[&str]) {
    let error = result.expect_err("it was to be refused");
    assert_eq!(error.code(), code, "{error}");
    for words in words {
        assert!(
            error.to_string().contains(words),
            "no {words:?} in: {error}"
        );
    }
}

/// A sandbox with a container that must not change.
struct Guarded {
    daemon: Daemon,
    client: Ttrpc,
    before: Value,
}

impl Guarded {
    async fn start(args: &[&str]) -> Self {
        let daemon = Daemon::start(args);
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, "p1").await;
        running_container(&daemon, &client, "p1", "c1").await;
        let before = daemon.home().inspect()["slots"].clone();
        Self {
            daemon,
            client,
            before,
        }
    }

    #[track_caller]
    fn nothing_has_changed(&self) {
        let home = self.daemon.home();
        let after = home.inspect();
        assert_eq!(after["slots"], self.before);
        compare_views(home, &after);
        let log = home.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}

const BAD_IDS: [&str; 12] = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "a\0b",
    "-a",
    "a-",
    "a--b",
    "a b",
    "ä",
    "77-bytes-77-bytes-77-bytes-77-bytes-77-bytes-77-bytes-77-bytes-77-bytes-77-by",
];

#[tokio::test]
async fn ids_follow_containerds_rule_in_every_api() {
    let pod = Guarded::start(&[]).await;
    let controller = pod.daemon.controller().await;
    let good = bundle(pod.daemon.home().root(), "x", &spec("p1", &small()));
    assert_eq!(BAD_IDS[11].len(), 77);
    for id in BAD_IDS {
        let shown = format!("{id:?}");
        let words = [shown.as_str()];
        let create = request::create_sandbox(id);
        let created = pod.client.create_sandbox(&create).await;
        refused(created, Code::InvalidArgument, &["sandbox_id", &shown]);
        let create = grpc::ControllerCreateRequest {
            sandbox_id: id.to_owned(),
            ..Default::default()
        };
        let created = controller.create(create).await;
        refused(created, Code::InvalidArgument, &["sandbox_id", &shown]);
        let status = request::sandbox_status(id);
        let status = pod.client.sandbox_status(&status).await;
        refused(status, Code::InvalidArgument, &words);

        let created = pod.client.create(&request::create(id, &good)).await;
        refused(created, Code::InvalidArgument, &words);
        let state = pod.client.state(&request::state(id, "")).await;
        refused(state, Code::InvalidArgument, &words);
        let exec = pod.client.exec(&request::exec("c1", id, &["true"])).await;
        refused(exec, Code::InvalidArgument, &["exec_id", &shown]);
        // The spec names the sandbox of the container.
        let stray = bundle(pod.daemon.home().root(), "stray", &spec(id, &small()));
        let created = pod.client.create(&request::create("c2", &stray)).await;
        refused(created, Code::InvalidArgument, &["sandbox id", &shown]);
    }
    let socket = pod.daemon.home().socket();
    for namespace in ["a/b", "..", "a b"] {
        let client = Ttrpc::connect(&socket, namespace).await.unwrap();
        let created = client.create_sandbox(&request::create_sandbox("p2")).await;
        let shown = format!("{namespace:?}");
        refused(created, Code::InvalidArgument, &["namespace", &shown]);
    }
    pod.nothing_has_changed();
}

fn with_annotation(id: &str, key: &str, value: &str) -> grpc::ControllerCreateRequest {
    let config = PodSandboxConfig {
        annotations: [(key.to_owned(), value.to_owned())].into(),
        ..Default::default()
    };
    grpc::ControllerCreateRequest {
        sandbox_id: id.to_owned(),
        options: Some(prost_types::Any {
            type_url: "runtime.v1.PodSandboxConfig".to_owned(),
            value: config.encode_to_vec(),
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_invalid_quantity_is_refused_with_key_and_value() {
    let pod = Guarded::start(&[]).await;
    let controller = pod.daemon.controller().await;
    for (key, value) in [
        ("resources.limits.cpu", "many"),
        ("resources.limits.cpu", "-1"),
        ("resources.requests.memory", "1GiB"),
        ("resources.limits.memory", "0x10"),
        ("resources.limits.memory", "99999999999999999999"),
        ("resources.limits.pid", "ten"),
        ("resources.limits.pid", ""),
    ] {
        let created = controller.create(with_annotation("p2", key, value)).await;
        let shown = format!("{value:?}");
        refused(created, Code::InvalidArgument, &[key, &shown]);
    }
    pod.nothing_has_changed();
}

#[tokio::test]
async fn an_invalid_quantity_is_ignored_with_a_warning_on_request() {
    let daemon = Daemon::start(&["--on-invalid", "warn"]);
    let controller = daemon.controller().await;
    let create = with_annotation("p1", "resources.limits.cpu", "many");
    controller.create(create).await.unwrap();
    let log = daemon.home().log();
    let warnings = log
        .lines()
        .filter(|line| line.contains(" WARN ") && line.contains("resources.limits.cpu"));
    assert_eq!(warnings.count(), 1, "{log}");
    let inspect = daemon.home().inspect();
    assert_eq!(
        inspect["slots"][0]["resource_info"]["cpu_limit"],
        Value::Null
    );
}

#[tokio::test]
async fn an_unreadable_bundle_is_refused_at_once() {
    let pod = Guarded::start(&[]).await;
    let root = pod.daemon.home().root().join("bad");
    let bundle = |name: &str| {
        let path = root.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    let with_config = |name: &str, text: &[u8]| {
        let path = bundle(name);
        fs::write(path.join("config.json"), text).unwrap();
        path
    };
    let huge = with_config("huge", b"{");
    let file = fs::File::options()
        .write(true)
        .open(huge.join("config.json"))
        .unwrap();
    file.set_len(50 << 20).unwrap();
    let directory = bundle("directory");
    fs::create_dir(directory.join("config.json")).unwrap();
    let fifo = bundle("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo.join("config.json"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let quota = json!({ "cpu": { "quota": "many" } });
    let anonymous = json!({ "ociVersion": "1.2.1" }).to_string();

    let cases = [
        (root.join("missing"), "not found"),
        (bundle("empty"), "not found"),
        (huge, "52428800 bytes, over the limit"),
        (directory, "not a regular file"),
        (fifo, "not a regular file"),
        (with_config("cut", b"{\"process\": {"), "not an OCI spec"),
        (with_config("nothing", b""), "not an OCI spec"),
        (with_config("binary", &[0xff; 100]), "not an OCI spec"),
        (with_config("deep", deep.as_bytes()), "not an OCI spec"),
        (
            with_config("type", spec("p1", &quota).to_string().as_bytes()),
            "cpu quota: cannot read",
        ),
        (
            with_config("anonymous", anonymous.as_bytes()),
            "names no sandbox",
        ),
    ];
    for (path, words) in cases {
        let path = path.to_str().unwrap();
        let create = request::create("c2", path);
        let created = tokio::time::timeout(PATIENCE, pod.client.create(&create)).await;
        let created = created.expect("it is refused, not waited for");
        refused(created, Code::InvalidArgument, &[path, words]);
    }
    for path in ["", "relative/path"] {
        let created = pod.client.create(&request::create("c2", path)).await;
        refused(created, Code::InvalidArgument, &["bundle", "absolute"]);
    }
    let stray = tests::bundle(&root, "stray", &spec("p9", &small()));
    let created = pod.client.create(&request::create("c2", &stray)).await;
    refused(created, Code::NotFound, &["p9"]);
    pod.nothing_has_changed();
}

#[tokio::test]
async fn the_contents_of_a_request_are_checked() {
    let pod = Guarded::start(&[]).await;
    let client = &pod.client;

    let mut create = request::create_sandbox("p2");
    let options = create.options.mut_or_insert_default();
    options.type_url = "runtime.v1.PodSandboxConfig".to_owned();
    options.value = vec![0xff; 40];
    let created = client.create_sandbox(&create).await;
    refused(
        created,
        Code::InvalidArgument,
        &["options", "PodSandboxConfig"],
    );

    let mut exec = request::exec("c1", "e1", &["true"]);
    exec.spec.mut_or_insert_default().value = b"{\"args\": 7}".to_vec();
    let created = client.exec(&exec).await;
    refused(created, Code::InvalidArgument, &["spec"]);
    exec.spec = protobuf::MessageField::none();
    let created = client.exec(&exec).await;
    refused(created, Code::InvalidArgument, &["spec", "missing"]);

    let bundle = bundle(pod.daemon.home().root(), "x", &spec("p1", &small()));
    let mut create = request::create("c2", &bundle);
    create.stdout = "relative".to_owned();
    let created = client.create(&create).await;
    refused(created, Code::InvalidArgument, &["stdout", "relative"]);

    let kill = client.kill(&request::kill("c1", "", 999)).await;
    refused(kill, Code::InvalidArgument, &["signal 999"]);
    let update = request::update("c1", &json!({ "memory": { "limit": "all" } }));
    refused(
        client.update(&update).await,
        Code::InvalidArgument,
        &["resources"],
    );
    pod.nothing_has_changed();
}

#[tokio::test]
async fn missing_objects_are_not_found() {
    let pod = Guarded::start(&[]).await;
    let client = &pod.client;
    let not_found = |result: Result<(), Error>| refused(result, Code::NotFound, &["no-such"]);
    macro_rules! calls {
        ($($method:ident($request:expr);)*) => {
            $(not_found(client.$method(&$request).await.map(drop));)*
        };
    }
    calls! {
        start_sandbox(request::start_sandbox("no-such"));
        stop_sandbox(request::stop_sandbox("no-such"));
        wait_sandbox(request::wait_sandbox("no-such"));
        shutdown_sandbox(request::shutdown_sandbox("no-such"));
        ping_sandbox(request::ping_sandbox("no-such"));
        sandbox_status(request::sandbox_status("no-such"));
        start(request::start("no-such", ""));
        start(request::start("c1", "no-such"));
        state(request::state("no-such", ""));
        state(request::state("c1", "no-such"));
        wait(request::wait("no-such", ""));
        wait(request::wait("c1", "no-such"));
        kill(request::kill("no-such", "", 9));
        kill(request::kill("c1", "no-such", 9));
        delete(request::delete("no-such", ""));
        delete(request::delete("c1", "no-such"));
        exec(request::exec("no-such", "e1", &["true"]));
        pause(request::pause("no-such"));
        resume(request::resume("no-such"));
        update(request::update("no-such", &small()));
        close_io(request::close_io("no-such", ""));
        resize_pty(request::resize_pty("c1", "no-such"));
    }
    pod.nothing_has_changed();
}

#[test]
fn invalid_flags_and_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "precious").unwrap();
    let config = dir.path().join("config.toml");
    fs::write(&config, "sink = \"none\"\n").unwrap();
    let (file, config) = (file.to_str().unwrap(), config.to_str().unwrap());
    let fresh = dir.path().join("fresh");
    let fresh = fresh.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 10] = [
        (&["--sync", "sideways"], &["--sync", "sideways", "interval"]),
        (&["--views", "x"], &["--views", "'x'", "write-through"]),
        (&["--threads", "0"], &["--threads", "'0'", "1..=1024"]),
        (&["--exit-delay", "soon"], &["--exit-delay", "soon"]),
        (&["--log-level", "loud"], &["--log-level", "loud"]),
        (&["--on-invalid", "x"], &["--on-invalid", "reject", "warn"]),
        (&["--no-such-flag"], &["--no-such-flag"]),
        (&["--config", config], &[config, "sink", "unknown option"]),
        (&["--dir", file], &[file]),
        (&["--dir", fresh, "--listen", file], &[file, "no socket"]),
    ];
    for (args, words) in cases {
        let out = run("resource-slot-sandboxer", args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
        for words in words {
            assert!(said.contains(words), "no {words:?} for {args:?}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    assert_eq!(fs::read_to_string(file).unwrap(), "precious");

    let nowhere = dir.path().join("nowhere");
    let out = run(
        "resource-slot-sandboxer",
        &["inspect", "--dir", nowhere.to_str().unwrap()],
    );
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("holds no journal"), "{said}");
    assert!(!nowhere.exists(), "inspect makes nothing");
}

#[tokio::test]
async fn each_refused_request_is_logged_and_an_outage_only_from_time_to_time() {
    let guarded = Guarded::start(&[]).await;
    let (bad, unknown) = (
        request::create_sandbox("a//b"),
        request::ping_sandbox("nobody"),
    );
    let refusal = guarded.client.create_sandbox(&bad);
    refused(refusal.await, Code::InvalidArgument, &["a//b"]);
    let refusal = guarded.client.ping_sandbox(&unknown);
    refused(refusal.await, Code::NotFound, &["nobody"]);
    let log = guarded.daemon.home().log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("a//b")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("WARN"), "{log}");
    assert!(!log.contains("nobody"), "{log}");
    guarded.nothing_has_changed();
}
