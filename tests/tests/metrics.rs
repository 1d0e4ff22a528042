//! The metrics of the shipped binaries.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tests::cri::{pod_config, run_pod, stop_pod};
use tests::metrics::{Family, Scrape, address, get, scrape};
use tests::{Daemon, Home, binary, eventually, ready_sandbox, request, run, running_container};

const SERVED: [&str; 2] = ["--metrics-listen", "127.0.0.1:0"];

/// Starts a daemon that serves metrics, and returns their address, too.
fn watched(args: &[&str]) -> (Daemon, SocketAddr) {
    let daemon = Daemon::start(&[&SERVED[..], args].concat());
    let address = eventually("the address", || address(&daemon.home().log()));
    (daemon, address)
}

fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("in a workspace").to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Starts a daemon with objects of all kinds, so that each metric has a series.
async fn busy() -> (Daemon, Scrape) {
    let per_pod = ["--metrics-per-pod", "2", "--sync", "interval=1ms"];
    let (daemon, address) = watched(&[&per_pod[..], &["--compact-bytes", "1"]].concat());
    let client = daemon.ttrpc().await;
    for id in ["p1", "p2", "p3"] {
        ready_sandbox(&client, id).await;
    }
    running_container(&daemon, &client, "p1", "c1").await;
    running_container(&daemon, &client, "p1", "c2").await;
    client.pause(&request::pause("c2")).await.expect("paused");
    let ping = request::ping_sandbox("nobody");
    client.ping_sandbox(&ping).await.expect_err("not found");
    client
        .stop_sandbox(&request::stop_sandbox("p3"))
        .await
        .expect("stopped");
    let scrape = eventually("a sync and a snapshot", || {
        let scrape = scrape(address);
        let seen = |name| scrape.value(name, &[]).is_some();
        let all = seen("resource_slot_journal_last_sync_timestamp_seconds")
            && seen("resource_slot_journal_snapshot_bytes");
        all.then_some(scrape)
    });
    (daemon, scrape)
}

#[tokio::test]
async fn rpcs_are_counted_by_api_method_and_code() {
    let (_daemon, scrape) = busy().await;
    let rpcs = |api, method, code| {
        let labels = [("api", api), ("method", method), ("code", code)];
        scrape.value("resource_slot_rpcs_total", &labels)
    };
    assert_eq!(rpcs("ttrpc_sandbox", "CreateSandbox", "OK"), Some(3.0));
    assert_eq!(rpcs("ttrpc_sandbox", "PingSandbox", "OK"), Some(0.0));
    assert_eq!(rpcs("ttrpc_sandbox", "PingSandbox", "NotFound"), Some(1.0));
    assert_eq!(rpcs("ttrpc_task", "Create", "OK"), Some(2.0));
    assert_eq!(rpcs("cri_runtime", "RunPodSandbox", "OK"), Some(0.0));
    let create = [("api", "ttrpc_task"), ("method", "Create")];
    let count = scrape.value("resource_slot_rpc_duration_seconds_count", &create);
    let sum = scrape.value("resource_slot_rpc_duration_seconds_sum", &create);
    assert_eq!(count, Some(2.0));
    assert!(sum.is_some_and(|sum| sum > 0.0 && sum < 60.0), "{sum:?}");
}

#[tokio::test]
async fn a_pending_wait_is_in_flight_and_cancelled_when_its_caller_goes() {
    let (daemon, address) = watched(&[]);
    let client = daemon.controller().await;
    let create = containerd_client::services::v1::sandbox::ControllerCreateRequest {
        sandbox_id: "p1".to_owned(),
        ..Default::default()
    };
    client.create(create).await.expect("created");
    let waiting = tokio::spawn(async move {
        let wait = containerd_client::services::v1::sandbox::ControllerWaitRequest {
            sandbox_id: "p1".to_owned(),
            ..Default::default()
        };
        client.wait(wait).await
    });
    let wait = [("api", "grpc_controller"), ("method", "Wait")];
    tokio::task::spawn_blocking(move || {
        let in_flight = || scrape(address).value("resource_slot_rpcs_in_flight", &wait);
        eventually("the Wait", || (in_flight() == Some(1.0)).then_some(()));
    })
    .await
    .unwrap();
    waiting.abort();
    let _ = waiting.await;
    let cancelled = [wait[0], wait[1], ("code", "Cancelled")];
    tokio::task::spawn_blocking(move || {
        eventually("its end", || {
            let scrape = scrape(address);
            let counted = scrape.value("resource_slot_rpcs_total", &cancelled);
            let in_flight = scrape.value("resource_slot_rpcs_in_flight", &wait);
            (counted == Some(1.0) && in_flight == Some(0.0)).then_some(())
        });
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn slots_are_counted_with_what_they_ask_for() {
    let (_daemon, scrape) = busy().await;
    let at = |name: &str, state| scrape.value(name, &[("state", state)]);
    assert_eq!(at("resource_slot_sandboxes", "created"), Some(0.0));
    assert_eq!(at("resource_slot_sandboxes", "ready"), Some(2.0));
    assert_eq!(at("resource_slot_sandboxes", "not_ready"), Some(1.0));
    assert_eq!(at("resource_slot_containers", "running"), Some(1.0));
    assert_eq!(at("resource_slot_containers", "paused"), Some(1.0));
    // The sum of two small containers.
    assert_eq!(at("resource_slot_cpu_request_cores", "ready"), Some(0.5));
    assert_eq!(at("resource_slot_cpu_limit_cores", "ready"), Some(1.0));
    assert_eq!(
        at("resource_slot_memory_limit_bytes", "ready"),
        Some(f64::from(128 << 20))
    );
    assert_eq!(at("resource_slot_pid_limit", "ready"), Some(64.0));
    assert_eq!(at("resource_slot_pid_limit", "not_ready"), Some(0.0));
    assert_eq!(
        at("resource_slot_network_bandwidth_bytes_per_second", "ready"),
        Some(0.0)
    );
    let group = [
        ("containerd_namespace", "k8s.io"),
        ("namespace", ""),
        ("handler", ""),
        ("state", "ready"),
    ];
    assert_eq!(
        scrape.value("resource_slot_namespace_sandboxes", &group),
        Some(2.0)
    );
    assert_eq!(
        scrape.value("resource_slot_namespace_cpu_limit_cores", &group),
        Some(1.0)
    );
    assert_eq!(
        scrape.value("resource_slot_namespace_storage_limit_bytes", &group),
        None
    );
}

#[tokio::test]
async fn cri_pods_are_grouped_by_their_kubernetes_namespace() {
    let (daemon, address) = watched(&["--metrics-per-pod", "1"]);
    let cri = daemon.cri().await;
    let config = pod_config("web", daemon.home().root());
    let pod = run_pod(&cri, &config).await;
    let namespace = config
        .metadata
        .as_ref()
        .expect("metadata")
        .namespace
        .clone();
    let group = [
        ("containerd_namespace", "k8s.io"),
        ("namespace", namespace.as_str()),
        ("handler", ""),
        ("state", "ready"),
    ];
    let of_pod = [
        ("containerd_namespace", "k8s.io"),
        ("sandbox", pod.as_str()),
        ("namespace", namespace.as_str()),
        ("pod", "web"),
    ];
    let up = scrape(address);
    assert_eq!(
        up.value("resource_slot_namespace_sandboxes", &group),
        Some(1.0)
    );
    assert_eq!(up.value("resource_slot_pod_containers", &of_pod), Some(0.0));
    stop_pod(&cri, &pod).await.expect("stopped");
    let down = scrape(address);
    assert_eq!(
        down.value("resource_slot_namespace_sandboxes", &group),
        None
    );
    let stops = [
        ("api", "cri_runtime"),
        ("method", "StopPodSandbox"),
        ("code", "OK"),
    ];
    assert_eq!(down.value("resource_slot_rpcs_total", &stops), Some(1.0));
}

#[tokio::test]
async fn single_pods_are_shown_on_request_and_so_many_only() {
    let (_daemon, scrape) = busy().await;
    let pods = &scrape.0["resource_slot_pod_containers"].samples;
    let shown: Vec<&str> = pods
        .keys()
        .map(|(_, labels)| labels["sandbox"].as_str())
        .collect();
    assert_eq!(shown, ["p1", "p2"]);
    assert_eq!(scrape.value("resource_slot_pods_left_out", &[]), Some(1.0));

    let (daemon, address) = watched(&[]);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let without = tests::metrics::scrape(address);
    assert!(!without.0.keys().any(|name| name.contains("_pod_")));
}

#[tokio::test]
async fn the_journal_and_the_start_are_described() {
    let (daemon, scrape) = busy().await;
    let value = |scrape: &Scrape, name: &str| scrape.value(name, &[]);
    assert!(value(&scrape, "resource_slot_journal_records_total") >= Some(12.0));
    assert!(value(&scrape, "resource_slot_journal_appended_bytes_total") > Some(1000.0));
    assert!(value(&scrape, "resource_slot_journal_syncs_total") >= Some(1.0));
    assert_eq!(
        value(&scrape, "resource_slot_journal_sync_failures_total"),
        Some(0.0)
    );
    assert_eq!(
        value(&scrape, "resource_slot_recovered_sandboxes"),
        Some(0.0)
    );

    let (home, _) = daemon.terminate();
    std::fs::write(home.root().join("log"), "").expect("an empty log");
    let daemon = home.with(&SERVED).start();
    let address = eventually("the address", || address(&daemon.home().log()));
    let again = tests::metrics::scrape(address);
    assert_eq!(
        value(&again, "resource_slot_recovered_sandboxes"),
        Some(3.0)
    );
    assert!(value(&again, "resource_slot_recovery_seconds") > Some(0.0));
    assert_eq!(
        value(&again, "resource_slot_journal_records_total"),
        Some(0.0)
    );
    assert_eq!(
        again.value("resource_slot_journal_last_sync_timestamp_seconds", &[]),
        None
    );
    assert!(value(&again, "process_resident_memory_bytes") > Some(1e6));
    assert!(value(&again, "process_open_fds") > Some(3.0));
}

#[test]
fn older_clients_get_the_older_format_and_other_paths_are_not_found() {
    let (_daemon, address) = watched(&[]);
    let (head, body) = get(address, "/metrics", "*/*");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(
        body.contains("# TYPE resource_slot_rpcs_total counter\n"),
        "{body}"
    );
    assert!(
        !body.contains("# EOF") && !body.contains("# UNIT"),
        "{body}"
    );
    for path in ["/", "/metrics/x", "/debug"] {
        assert!(
            get(address, path, "*/*").0.starts_with("HTTP/1.1 404 "),
            "{path}"
        );
    }
}

#[test]
fn an_address_in_use_ends_the_start_with_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (wanted, words) in [(address.as_str(), "address"), ("here", "here")] {
        let home = Home::new(&["--metrics-listen", wanted]);
        let ended = home.command().status().expect("it starts");
        assert!(!ended.success());
        let log = home.log();
        assert!(
            log.contains("metrics-listen") && log.contains(wanted),
            "{log}"
        );
        assert!(log.to_lowercase().contains(words), "{log}");
    }
}

/// A row of the table in `docs/reference/metrics.md`.
#[derive(Debug, PartialEq)]
struct Row {
    kind: String,
    labels: Vec<String>,
    unit: String,
}

/// Returns the rows between a heading and the next one, by the exposed name of the family.
fn documented(text: &str, heading: &str) -> BTreeMap<String, Row> {
    let (_, section) = text.split_once(heading).expect(heading);
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let plain = |cell: &str| cell.replace('`', "");
        let labels = plain(cells[2]);
        let labels = labels
            .split(',')
            .map(str::trim)
            .filter(|label| !label.is_empty());
        let mut labels: Vec<String> = labels.map(str::to_owned).collect();
        labels.sort();
        let row = Row {
            kind: plain(cells[1]),
            labels,
            unit: plain(cells[3]),
        };
        (plain(cells[0]), row)
    };
    let rows: Vec<(String, Row)> = rows.map(row).collect();
    let count = rows.len();
    let rows: BTreeMap<String, Row> = rows.into_iter().collect();
    assert_eq!(rows.len(), count, "{heading}: a metric stands there twice");
    rows
}

#[track_caller]
fn agree(exposed: &BTreeMap<String, Family>, documented: &BTreeMap<String, Row>) {
    for (name, row) in documented {
        let family = exposed
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not exposed"));
        assert_eq!(
            (&family.kind, &family.unit),
            (&row.kind, &row.unit),
            "{name}"
        );
        if !family.samples.is_empty() {
            let labels: Vec<String> = family.labels().into_iter().collect();
            assert_eq!(labels, row.labels, "{name}");
        }
    }
    for name in exposed.keys() {
        assert!(
            documented.contains_key(name),
            "{name} is not in docs/reference/metrics.md"
        );
    }
}

#[tokio::test]
async fn the_document_has_every_metric_and_no_other() {
    let (_daemon, scrape) = busy().await;
    let rows = documented(&read("docs/reference/metrics.md"), "## Of the daemon");
    agree(&scrape.0, &rows);
}

/// Returns the words of a PromQL expression that may be names of metrics.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| {
        ["resource_slot_", "process_"]
            .iter()
            .any(|p| word.starts_with(p))
    })
}

#[tokio::test]
async fn the_dashboard_queries_only_exposed_metrics() {
    let (_daemon, scrape) = busy().await;
    let known = scrape.sample_names();
    let dashboard = read("deploy/grafana/resource-slot.json");
    let json: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = json["panels"].as_array().expect("panels");
    let mut seen = 0;
    for target in panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten()
    {
        assert_eq!(target["datasource"]["uid"], "${datasource}");
        for name in named(target["expr"].as_str().expect("an expression")) {
            assert!(known.contains(name), "{name} is not exposed");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen} metrics in the dashboard");
}

/// A poll for an object that is gone is no error: the panels of errors leave out exactly the
/// replies that the panel beside them shows.
#[tokio::test]
async fn the_dashboard_shows_expected_replies_apart_from_errors() {
    let (_daemon, scrape) = busy().await;
    let dashboard = read("deploy/grafana/resource-slot.json");
    let json: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = json["panels"].as_array().expect("panels");
    let expression = |title: &str| {
        let panel = panels.iter().find(|panel| panel["title"] == title);
        let panel = panel.unwrap_or_else(|| panic!("no panel {title}"));
        panel["targets"][0]["expr"]
            .as_str()
            .expect("an expression")
            .to_owned()
    };
    let selected = |expression: &str| {
        let (_, after) = expression.split_once(r#"code="NotFound", method=~""#)?;
        Some(after.split_once('"')?.0.to_owned())
    };
    let expected = selected(&expression("Expected NotFound replies")).expect("methods");
    for title in ["Errors", "Errors by method and code"] {
        let (_, left_out) = expression(title)
            .split_once(" unless ")
            .map(|(all, rest)| (all.to_owned(), rest.to_owned()))
            .expect("an exception");
        assert_eq!(selected(&left_out).as_ref(), Some(&expected), "{title}");
    }
    let apis = [
        "ttrpc_sandbox",
        "ttrpc_task",
        "grpc_controller",
        "cri_runtime",
    ];
    for method in expected.split('|') {
        let is_counted = |api: &&str| {
            let labels = [("api", *api), ("method", method), ("code", "OK")];
            scrape.value("resource_slot_rpcs_total", &labels).is_some()
        };
        assert!(apis.iter().any(is_counted), "{method} is no method");
    }
}

/// Runs Prometheus' own linter if it is on the PATH or named by `PROMTOOL`.
#[tokio::test]
async fn promtool_finds_no_fault() {
    let promtool = std::env::var("PROMTOOL").unwrap_or_else(|_| "promtool".to_owned());
    let mut command = Command::new(&promtool);
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) if std::env::var_os("PROMTOOL").is_none() => {
            return eprintln!("not run, because there is no {promtool}: {e}");
        }
        Err(e) => panic!("{promtool}: {e}"),
    };
    let (daemon, _) = busy().await;
    let address = address(&daemon.home().log()).expect("an address");
    let (_, body) = get(address, "/metrics", "text/plain");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(body.as_bytes()).expect("read by promtool");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

/// A running loadgen that serves metrics, and their address.
struct Loading {
    child: std::process::Child,
    address: SocketAddr,
    _results: tempfile::TempDir,
}

impl Loading {
    fn start(daemon: &Daemon, args: &[&str]) -> Self {
        let results = tempfile::tempdir().expect("a directory");
        let log = results.path().join("log");
        let child = Command::new(binary("loadgen"))
            .args(["run", "--metrics-listen", "127.0.0.1:0", "--endpoint"])
            .arg(daemon.home().socket())
            .arg("--results")
            .arg(results.path())
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("loadgen starts");
        let read = || std::fs::read_to_string(&log).unwrap_or_default();
        let address = eventually("the address", || tests::metrics::address(&read()));
        Self {
            child,
            address,
            _results: results,
        }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn loadgen_serves_the_progress_of_its_run() {
    let daemon = Daemon::start(&["--views", "off"]);
    // The run takes longer than the scrapes.
    let load = ["--rate", "40", "--duration", "120s"];
    let loading = Loading::start(&daemon, &load);
    let seen = eventually("a second and some pods", || {
        let seen = scrape(loading.address);
        let ok = [("operation", "pod"), ("code", "OK")];
        let pods = seen.value("loadgen_operations_total", &ok);
        let offered = seen.value("loadgen_offered_pods_per_second", &[]);
        (pods > Some(0.0) && offered > Some(0.0)).then_some(seen)
    });
    let value = |name| seen.value(name, &[]).unwrap_or(-1.0);
    assert!(value("loadgen_pods_begun_total") >= value("loadgen_pods_ended_total"));
    assert!(value("loadgen_achieved_pods_per_second") >= 0.0);
    let creates = [("operation", "sandbox_create")];
    let count = seen.value("loadgen_operation_duration_seconds_count", &creates);
    assert!(count > Some(0.0), "{count:?}");
    agree(
        &seen.0,
        &documented(&read("docs/reference/metrics.md"), "## Of loadgen"),
    );
}

/// Returns the body of the next push.
fn pushed(gateway: &TcpListener) -> String {
    let (stream, _) = gateway.accept().expect("a push");
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(stated) = line.strip_prefix("content-length: ") {
            length = stated.parse().expect("a length");
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    write!(
        reader.get_mut(),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    .expect("sent");
    String::from_utf8(body).expect("text")
}

#[test]
fn loadgen_pushes_the_final_state() {
    let daemon = Daemon::start(&["--views", "off"]);
    let gateway = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", gateway.local_addr().expect("an address"));
    let results = tempfile::tempdir().expect("a directory");
    let child = Command::new(binary("loadgen"))
        .args([
            "run",
            "--quiet",
            "--pods",
            "5",
            "--push",
            &url,
            "--endpoint",
        ])
        .arg(daemon.home().socket())
        .arg("--results")
        .arg(results.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("loadgen starts");
    // On a slow machine other pushes come before the last one.
    let body = loop {
        let body = pushed(&gateway);
        if body.contains("\nloadgen_pods_ended_total 5\n") {
            break body;
        }
    };
    assert!(
        body.contains("loadgen_operations_total{operation=\"pod\",code=\"OK\"} 5\n"),
        "{body}"
    );
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn loadgen_names_invalid_options() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (option, value) in [("--push", "localhost:9091"), ("--metrics-listen", &address)] {
        let output = run("loadgen", &["run", option, value, "--pods", "1"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(option) && said.contains(value), "{said}");
    }
}

#[test]
fn the_help_explains_the_flags() {
    let help = run("resource-slot-sandboxer", &["--help"]);
    let help = String::from_utf8_lossy(&help.stdout);
    for word in [
        "--metrics-listen",
        "RESOURCE_SLOT_METRICS_LISTEN",
        "--metrics-per-pod",
    ] {
        assert!(help.contains(word), "{word}");
    }
}
