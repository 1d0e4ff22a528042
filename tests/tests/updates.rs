//! Updates of one field each: all places that show resources agree after each of them.

use std::net::SocketAddr;

use containerd_sandbox::client::{Cri, Ttrpc};
use containerd_shim_protos::api;
use containerd_shim_protos::cgroups_v2::metrics::Metrics;
use cri_api::v1::{self, LinuxContainerResources};
use protobuf::Message;
use serde_json::{Value, json};
use tests::cri::{
    IMAGE, container_config, container_reply, labels, pod_config, pull, run_pod, started,
};
use tests::metrics::{Scrape, address, scrape};
use tests::{Daemon, bundle, eventually, read_json, ready_sandbox, request, spec};

/// Starts a daemon that shows metrics of pods, and returns the metrics' address, too.
fn daemon() -> (Daemon, SocketAddr) {
    let args = ["--metrics-listen", "127.0.0.1:0", "--metrics-per-pod", "1"];
    let daemon = Daemon::start(&args);
    let address = eventually("the address", || address(&daemon.home().log()));
    (daemon, address)
}

/// Returns the resources of a pod in a scrape.
fn scraped(scrape: &Scrape, of_pod: &[(&str, &str)]) -> Value {
    let value = |name: &str| scrape.value(&format!("resource_slot_pod_{name}"), of_pod);
    // A whole number is printed without a fraction.
    let whole = |name: &str| value(name).map(|value| value.to_string().parse::<u64>());
    let whole = |name: &str| whole(name).transpose().expect("a whole number");
    json!({
        "cpu_limit": value("cpu_limit_cores"),
        "cpu_request": value("cpu_request_cores"),
        "memory_limit": whole("memory_limit_bytes"),
        "memory_request": whole("memory_request_bytes"),
        "pid_limit": whole("pid_limit"),
        "storage_limit": whole("storage_limit_bytes"),
        "network_bandwidth": null,
    })
}

/// Returns the resources of the only slot and of its only container, as `inspect` shows them.
fn inspected(daemon: &Daemon) -> [Value; 2] {
    let slot = &daemon.home().inspect()["slots"][0];
    let container = &slot["slot"]["containers"][0]["info"];
    [slot["resource_info"].clone(), container.clone()]
}

/// Checks the places that no API shows: views, `inspect` and metrics.
fn assert_shown(
    (daemon, metrics): (&Daemon, SocketAddr),
    (sandbox, container): (&str, &str),
    of_pod: &[(&str, &str)],
    (info, update): (&Value, &str),
) {
    let view = read_json(&daemon.container_view(sandbox, container));
    assert_eq!(&view, info, "view after {update}");
    assert_eq!(
        inspected(daemon),
        [info, info].map(Clone::clone),
        "{update}"
    );
    assert_eq!(
        &scraped(&scrape(metrics), of_pod),
        info,
        "metrics, {update}"
    );
    // A sum over containers follows.
    eventually(&format!("the view of the sandbox after {update}"), || {
        let sum = read_json(&daemon.view(sandbox));
        (sum == *info).then_some(())
    });
}

/// Returns `info` with some members replaced.
fn with(info: &Value, changes: &Value) -> Value {
    let mut changed = info.clone();
    let members = changed.as_object_mut().expect("an object");
    members.extend(changes.as_object().expect("an object").clone());
    changed
}

async fn verbose(client: &Ttrpc, sandbox: &str) -> Value {
    let request = request::sandbox_status(sandbox);
    let status = client.sandbox_status(&request).await.expect("a status");
    serde_json::from_str(&status.info["info"]).expect("JSON")
}

async fn task_metrics(client: &Ttrpc, id: &str) -> Metrics {
    let request = api::StatsRequest {
        id: id.to_owned(),
        ..Default::default()
    };
    let stats = client.stats(&request).await.expect("stats");
    Metrics::parse_from_bytes(&stats.stats.value).expect("metrics")
}

/// Returns updates of a task, one field each, with the changes of its resources.
fn task_updates() -> Vec<(Value, Value)> {
    vec![
        (json!({}), json!({})),
        (
            json!({"cpu": {"period": 100_000}}),
            json!({"cpu_limit": 0.5}),
        ),
        (
            json!({"cpu": {"quota": 200_000}}),
            json!({"cpu_limit": 2.0}),
        ),
        (json!({"cpu": {"shares": 512}}), json!({"cpu_request": 0.5})),
        (json!({"cpu": {"cpus": "0-3"}}), json!({})),
        (json!({"cpu": {"mems": "0"}}), json!({})),
        (
            json!({"cpu": {"burst": 7, "idle": 1, "realtimeRuntime": 5}}),
            json!({}),
        ),
        (
            json!({"memory": {"limit": 128 << 20}}),
            json!({"memory_limit": 128 << 20}),
        ),
        (
            json!({"memory": {"reservation": 1 << 20}}),
            json!({"memory_request": 1 << 20}),
        ),
        (json!({"memory": {"swap": -1, "swappiness": -1}}), json!({})),
        (json!({"pids": {"limit": 0}}), json!({"pid_limit": 0})),
        (json!({"pids": {"limit": null}}), json!({})),
        (json!({"pids": {"limit": 64.0}}), json!({"pid_limit": 64})),
        (json!({"pids": {"limit": -1}}), json!({"pid_limit": null})),
        (
            json!({"unified": {"pids.max": "0"}}),
            json!({"pid_limit": 0}),
        ),
        (
            json!({"unified": {"cpu.max": "300000"}}),
            json!({"cpu_limit": 3.0}),
        ),
        (
            json!({"unified": {"cpu.max": "100000 50000"}}),
            json!({"cpu_limit": 2.0}),
        ),
        (
            json!({"cpu": {"period": 25_000}}),
            json!({"cpu_limit": 4.0}),
        ),
        (
            json!({"unified": {"cpu.weight": "10000"}}),
            json!({"cpu_request": 256.0}),
        ),
        (
            json!({"unified": {"memory.max": "96M"}}),
            json!({"memory_limit": 96 << 20}),
        ),
        (
            json!({"unified": {"memory.low": "2M"}}),
            json!({"memory_request": 2 << 20}),
        ),
        (json!({"unified": {"io.max": "8:0 rbps=1"}}), json!({})),
        (json!({"cpu": {"quota": -1}}), json!({"cpu_limit": null})),
        (json!({"cpu": {"period": 50_000}}), json!({})),
        (json!({"cpu": {"quota": 50_000}}), json!({"cpu_limit": 1.0})),
        (
            json!({"memory": {"limit": 18_446_744_073_709_551_615_u64}}),
            json!({"memory_limit": null}),
        ),
    ]
}

#[tokio::test]
async fn all_places_agree_after_each_update_of_a_task() {
    let (daemon, metrics) = daemon();
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let resources = json!({
        "cpu": { "shares": 256, "quota": 50_000, "period": 200_000 },
        "memory": { "limit": 64 << 20, "reservation": 32 << 20 },
        "pids": { "limit": 32 },
    });
    let bundle = bundle(daemon.home().root(), "c1", &spec("p1", &resources));
    client
        .create(&request::create("c1", &bundle))
        .await
        .expect("create");
    client
        .start(&request::start("c1", ""))
        .await
        .expect("start");
    let of_pod = [
        ("containerd_namespace", "k8s.io"),
        ("sandbox", "p1"),
        ("namespace", ""),
        ("pod", ""),
    ];
    let mut info = json!({
        "cpu_limit": 0.25, "cpu_request": 0.25, "memory_limit": 64 << 20,
        "memory_request": 32 << 20, "pid_limit": 32, "storage_limit": null,
        "network_bandwidth": null,
    });
    for (update, changes) in task_updates() {
        let name = update.to_string();
        client
            .update(&request::update("c1", &update))
            .await
            .expect(&name);
        info = with(&info, &changes);
        assert_shown((&daemon, metrics), ("p1", "c1"), &of_pod, (&info, &name));
        let status = verbose(&client, "p1").await;
        assert_eq!(status["resource_info"], info, "{name}");
        assert_eq!(status["containers"][0]["resource_info"], info, "{name}");
        let metrics = task_metrics(&client, "c1").await;
        let limit = |member: &str| info[member].as_u64();
        // containerd's message has a great number in place of no limit.
        let memory = Some(metrics.memory.usage_limit).filter(|limit| *limit < 1 << 62);
        assert_eq!(memory, limit("memory_limit"), "{name}");
        let pids =
            Some(metrics.pids.limit).filter(|pids| limit("pid_limit").is_some() || *pids != 0);
        assert_eq!(pids, limit("pid_limit"), "{name}");
    }
    // The journal keeps the quota and the period, too.
    let daemon = daemon.kill9().start();
    let client = daemon.ttrpc().await;
    let period = request::update("c1", &json!({"cpu": {"period": 10_000}}));
    client.update(&period).await.expect("updated");
    let view = read_json(&daemon.container_view("p1", "c1"));
    assert_eq!(view, with(&info, &json!({"cpu_limit": 5.0})));
}

/// Computes the resources that CRI's own message states, as a client would.
fn stated(linux: &LinuxContainerResources) -> Value {
    let file = |name: &str| linux.unified.get(name).map(String::as_str);
    let number = |number: i64| (number > 0).then_some(number);
    let (quota, period) = match file("cpu.max") {
        Some(content) => {
            let mut words = content.split(' ').map(str::parse);
            let mut next = || words.next().and_then(Result::ok);
            (next(), next())
        }
        None => (number(linux.cpu_quota), number(linux.cpu_period)),
    };
    let period = period.unwrap_or(100_000);
    let shares = number(linux.cpu_shares).filter(|shares| *shares > 2);
    let bytes = |name: &str| file(name).and_then(|content| content.parse().ok());
    json!({
        "cpu_limit": quota.map(|quota| quota as f64 / period as f64),
        "cpu_request": match file("cpu.weight") {
            Some("10000") => Some(256.0),
            _ => shares.map(|shares| (shares.cast_unsigned() * 1000).div_ceil(1024) as f64 / 1000.0),
        },
        "memory_limit": bytes("memory.max").or(number(linux.memory_limit_in_bytes)),
        "memory_request": bytes("memory.low"),
        "pid_limit": bytes("pids.max"),
        "storage_limit": null,
        "network_bandwidth": null,
    })
}

async fn cri_update(cri: &Cri, id: &str, linux: LinuxContainerResources) {
    cri.update_container_resources(v1::UpdateContainerResourcesRequest {
        container_id: id.to_owned(),
        linux: Some(linux),
        ..Default::default()
    })
    .await
    .expect("an update");
}

/// Returns updates of a container of CRI, one field each, with the changes of its resources.
fn cri_updates() -> Vec<(LinuxContainerResources, Value)> {
    let none = LinuxContainerResources::default;
    let file = |name: &str, content: &str| LinuxContainerResources {
        unified: labels(&[(name, content)]),
        ..none()
    };
    let quota = |cpu_quota| LinuxContainerResources {
        cpu_quota,
        ..none()
    };
    let period = |cpu_period| LinuxContainerResources {
        cpu_period,
        ..none()
    };
    let memory = |memory_limit_in_bytes| LinuxContainerResources {
        memory_limit_in_bytes,
        ..none()
    };
    vec![
        (none(), json!({})),
        (period(200_000), json!({"cpu_limit": 0.25})),
        (quota(100_000), json!({"cpu_limit": 0.5})),
        (period(100_000), json!({"cpu_limit": 1.0})),
        (
            LinuxContainerResources {
                cpu_shares: 512,
                ..none()
            },
            json!({"cpu_request": 0.5}),
        ),
        (
            LinuxContainerResources {
                cpuset_cpus: "0-3".to_owned(),
                ..none()
            },
            json!({}),
        ),
        (
            LinuxContainerResources {
                cpuset_mems: "0".to_owned(),
                ..none()
            },
            json!({}),
        ),
        (
            LinuxContainerResources {
                oom_score_adj: 7,
                ..none()
            },
            json!({}),
        ),
        (
            LinuxContainerResources {
                memory_swap_limit_in_bytes: 1 << 30,
                ..none()
            },
            json!({}),
        ),
        (memory(128 << 20), json!({"memory_limit": 128 << 20})),
        (file("cpu.max", "300000"), json!({"cpu_limit": 3.0})),
        (period(50_000), json!({"cpu_limit": 6.0})),
        (file("cpu.max", "100000 200000"), json!({"cpu_limit": 0.5})),
        (quota(400_000), json!({"cpu_limit": 2.0})),
        (file("cpu.weight", "10000"), json!({"cpu_request": 256.0})),
        (
            LinuxContainerResources {
                cpu_shares: 1024,
                ..none()
            },
            json!({"cpu_request": 1.0}),
        ),
        (
            file("memory.max", "1048576"),
            json!({"memory_limit": 1_048_576}),
        ),
        (memory(2 << 20), json!({"memory_limit": 2 << 20})),
        (file("memory.low", "4096"), json!({"memory_request": 4096})),
        (file("pids.max", "0"), json!({"pid_limit": 0})),
        (file("pids.max", "max"), json!({"pid_limit": null})),
        (file("io.max", "8:0 rbps=1"), json!({})),
        (quota(-1), json!({"cpu_limit": null})),
        (period(100_000), json!({})),
        (quota(50_000), json!({"cpu_limit": 0.5})),
    ]
}

#[tokio::test]
async fn all_places_agree_after_each_update_of_a_container_of_cri() {
    let (daemon, metrics) = daemon();
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let config = v1::PodSandboxConfig {
        annotations: labels(&[]),
        linux: None,
        ..pod_config("web", daemon.home().root())
    };
    let pod = run_pod(&cri, &config).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    let of_pod = [
        ("containerd_namespace", "k8s.io"),
        ("sandbox", pod.as_str()),
        ("namespace", "shop"),
        ("pod", "web"),
    ];
    let mut info = json!({
        "cpu_limit": 0.5, "cpu_request": 0.25, "memory_limit": 64 << 20, "memory_request": null,
        "pid_limit": null, "storage_limit": null, "network_bandwidth": null,
    });
    for (update, changes) in cri_updates() {
        let name = format!("{update:?}");
        cri_update(&cri, &id, update).await;
        info = with(&info, &changes);
        assert_shown((&daemon, metrics), (&pod, &id), &of_pod, (&info, &name));
        let reply = container_reply(&cri, &id).await.expect("a status");
        let shown: Value = serde_json::from_str(&reply.info["info"]).expect("JSON");
        assert_eq!(shown["resource_info"], info, "{name}");
        let status = reply.status.expect("a status");
        let linux = status
            .resources
            .expect("resources")
            .linux
            .expect("for Linux");
        assert_eq!(stated(&linux), info, "{linux:?} after {name}");
        let request = v1::PodSandboxStatusRequest {
            pod_sandbox_id: pod.clone(),
            verbose: true,
        };
        let reply = cri.pod_sandbox_status(request).await.expect("a status");
        let shown: Value = serde_json::from_str(&reply.info["info"]).expect("JSON");
        assert_eq!(shown["resource_info"], info, "{name}");
        let stats = cri.container_stats(v1::ContainerStatsRequest {
            container_id: id.clone(),
        });
        let memory = stats.await.expect("stats").stats.unwrap().memory.unwrap();
        let used = memory.usage_bytes.expect("a usage").value;
        let limit = memory
            .available_bytes
            .map(|available| available.value + used);
        assert_eq!(limit, info["memory_limit"].as_u64(), "{name}");
    }
}

#[tokio::test]
async fn a_weight_is_read_by_the_formula_that_was_chosen() {
    for (args, expected) in [
        (&[][..], 2.538),
        (&["--cpu-weight-formula", "linear"], 2.538),
        (&["--cpu-weight-formula", "quadratic"], 1.0),
    ] {
        let daemon = Daemon::start(args);
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, "p1").await;
        let resources = json!({ "unified": { "cpu.weight": "100" } });
        let bundle = bundle(daemon.home().root(), "c1", &spec("p1", &resources));
        client
            .create(&request::create("c1", &bundle))
            .await
            .expect("create");
        let view = read_json(&daemon.container_view("p1", "c1"));
        assert_eq!(view["cpu_request"], json!(expected), "{args:?}");
        drop(daemon);
    }
}
