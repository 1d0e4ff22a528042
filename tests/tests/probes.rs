//! Probes of pods by clients of other implementations, in a network namespace of its own: each
//! test runs itself again below `unshare --net`, where the loopback is all there is.

use std::process::{Command, Stdio};

use tests::foreign::found_by;

/// The exit code of a process whose network namespace cannot be made.
const CANNOT: i32 = 77;

/// Runs a test of `inside` in a network of its own. Skipped where none can be made.
///
/// # Panics
/// If the test fails; if no network can be made and `REQUIRE_UNSHARE` is set.
fn in_own_network(test: &str) {
    in_own_network_with(test, &[]);
}

/// Does the same; the test finds the words `clients` in its environment.
fn in_own_network_with(test: &str, clients: &[&str]) {
    let make = format!("unshare --net true || exit {CANNOT}; exec unshare --net \"$@\"");
    let inside = "ip link set lo up && exec \"$@\"";
    let output = Command::new("timeout")
        .args(["--signal=KILL", "120", "sh", "-c", &make, "sh"])
        .args(["sh", "-c", inside, "sh"])
        .arg(std::env::current_exe().expect("a test has a path"))
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            &format!("inside::{test}"),
        ])
        .env("CLIENTS", clients.join(" "))
        .stdin(Stdio::null())
        .output()
        .expect("timeout is one of the coreutils");
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(CANNOT) {
        assert!(
            std::env::var_os("REQUIRE_UNSHARE").is_none(),
            "a network namespace: {said}"
        );
        eprintln!("SKIPPED: probes are NOT tested: no network namespace can be made: {said}");
        return;
    }
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{said}");
}

#[test]
fn curl_and_python_find_the_ports_of_a_running_container() {
    in_own_network("curl_and_python");
}

#[test]
fn clients_of_grpc_learn_the_health() {
    // What is missing is installed here, where there is a network.
    let scripts = [
        ("python-grpc", "REQUIRE_PYTHON_GRPC"),
        ("node-grpc", "REQUIRE_NODE_GRPC"),
    ];
    let found = scripts.map(|(script, required)| match found_by(script, required) {
        Some(_) => script,
        None => "",
    });
    in_own_network_with("grpc", &found);
}

#[test]
fn a_port_is_refused_until_its_container_is_ready() {
    in_own_network("readiness");
}

#[test]
fn listeners_come_back_with_recovered_containers() {
    in_own_network("recovery");
}

#[test]
fn pods_of_two_families_answer_on_both() {
    in_own_network("two_families");
}

#[test]
fn a_taken_port_and_a_missing_route_are_told() {
    in_own_network("faults");
}

#[test]
fn a_pod_of_containerd_answers_on_its_recorded_address() {
    in_own_network("sandbox_api");
}

#[test]
fn a_flood_of_silent_connections_keeps_nobody_out() {
    in_own_network("flood");
}

#[test]
fn a_pod_on_the_hosts_network_answers_on_the_hosts_addresses() {
    in_own_network("host_network");
}

/// The tests, in a network without any route or peer.
mod inside {
    use std::io::ErrorKind;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::process::Command;
    use std::time::{Duration, Instant};

    use containerd_client::services::v1::sandbox as grpc;
    use containerd_sandbox::client::Cri;
    use cri_api::v1::{self, NamespaceMode};
    use serde_json::json;
    use tests::cri::{
        container_config, labels, pod_config, pod_status, pull, run_pod, started, stop, stop_pod,
    };
    use tests::foreign::{Foreign, IMPLEMENTATIONS, Implementation, health};
    use tests::{Daemon, Home, eventually, request};
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

    const ON: [&str; 2] = ["--answer-probes", "--pod-route"];
    const KUBELET_PORTS: &str = "io.kubernetes.container.ports";

    /// Runs a pod with a container that declares TCP ports and has annotations of this project.
    /// Returns both ids, and the addresses.
    async fn pod(
        daemon: &Daemon,
        cri: &Cri,
        name: &str,
        ports: &[u16],
        stated: &[(&str, &str)],
    ) -> (String, String, Vec<String>) {
        pull(cri, tests::cri::IMAGE).await;
        let pod = run_pod(cri, &pod_config(name, daemon.home().root())).await;
        let declared: Vec<_> = ports
            .iter()
            .map(|port| json!({"containerPort": port, "protocol": "TCP"}))
            .collect();
        let mut config = container_config("web");
        config.annotations = labels(&[(KUBELET_PORTS, &json!(declared).to_string())]);
        for (name, value) in stated {
            let name = format!("resource-slot.kuasar.io/{name}");
            config.annotations.insert(name, (*value).to_owned());
        }
        let container = started(cri, &pod, &config).await;
        let network = pod_status(cri, &pod).await.network.expect("a network");
        let more = network.additional_ips.into_iter().map(|ip| ip.ip);
        (
            pod,
            container,
            [network.ip].into_iter().chain(more).collect(),
        )
    }

    fn at(ip: &str, port: u16) -> SocketAddr {
        SocketAddr::new(ip.parse().expect("an address"), port)
    }

    /// Connects once the port is open.
    fn connected(to: SocketAddr) -> TcpStream {
        eventually("an open port", || TcpStream::connect(to).ok())
    }

    fn is_refused(to: SocketAddr) -> bool {
        TcpStream::connect(to).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
    }

    fn until_refused(to: SocketAddr) {
        eventually("a closed port", || is_refused(to).then_some(()));
    }

    /// Runs a client and returns its standard output.
    fn output(program: &str, args: &[&str]) -> String {
        let output = Command::new(program).args(args).output();
        let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Returns the status code and the version of HTTP of an answer to curl.
    fn curl(args: &[&str]) -> String {
        let format = [
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
            "--insecure",
        ];
        output("curl", &[&format, args].concat())
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn curl_and_python() {
        let daemon = Daemon::start(&ON);
        let cri = daemon.cri().await;
        let (id, _, ips) = pod(&daemon, &cri, "a", &[80, 8080], &[]).await;
        let stated = [
            ("probe-status", "204 /ready=503"),
            ("probe-unready", "answer"),
        ];
        let (_, container, others) = pod(&daemon, &cri, "b", &[80], &stated).await;
        let (first, second) = (at(&ips[0], 80), at(&others[0], 80));
        assert!(ips[0].starts_with("198.18.0."), "{ips:?}");
        assert_ne!(first, second);
        connected(first);
        connected(second);
        assert_eq!(curl(&[&format!("http://{first}/healthz")]), "200 1.1");
        assert_eq!(
            curl(&["-XPOST", "-dx", &format!("http://{first}/")]),
            "200 1.1"
        );
        let prior = "--http2-prior-knowledge";
        assert_eq!(curl(&[prior, &format!("http://{first}/")]), "200 2");
        assert_eq!(
            curl(&["--http1.1", &format!("https://{first}/")]),
            "200 1.1"
        );
        assert_eq!(curl(&[&format!("https://{}/", at(&ips[0], 8080))]), "200 2");
        assert_eq!(curl(&[&format!("http://{second}/")]), "204 1.1");
        assert_eq!(curl(&[&format!("http://{second}/ready?x=1")]), "503 1.1");
        assert!(is_refused(at(&ips[0], 8081)));
        assert!(is_refused(at(&others[0], 8080)));
        let python = "import http.client, sys\n\
                      c = http.client.HTTPConnection(sys.argv[1], 80, timeout=20)\n\
                      for path in ('/', '/again'):\n    \
                          c.request('GET', path); r = c.getresponse(); print(r.status, r.read())";
        assert_eq!(
            output("python3", &["-c", python, &ips[0]]),
            "200 b'ok\\n'\n".repeat(2)
        );
        // The end of a container or of a pod closes its ports, and no other.
        stop(&cri, &container, 0).await.expect("it stops");
        until_refused(second);
        connected(first);
        stop_pod(&cri, &id).await.expect("it stops");
        until_refused(first);
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn grpc() {
        let daemon = Daemon::start(&ON);
        let cri = daemon.cri().await;
        let stated = [("probe-fail", "every 2"), ("probe-services", "shop cart")];
        let (_, _, ips) = pod(&daemon, &cri, "a", &[50051], &stated).await;
        let to = at(&ips[0], 50051);
        connected(to);
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{to}"));
        let channel = channel
            .expect("a URL")
            .connect()
            .await
            .expect("a connection");
        let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
        let ask = |service: &str| HealthCheckRequest {
            service: service.to_owned(),
        };
        let mut statuses = Vec::new();
        for service in ["", "shop", "cart"] {
            let reply = client.check(ask(service)).await.expect("a reply");
            statuses.push(reply.get_ref().status().as_str_name());
        }
        assert_eq!(statuses, ["SERVING", "NOT_SERVING", "SERVING"]);
        let unknown = client.check(ask("bank")).await.expect_err("not known");
        assert_eq!(unknown.code(), tonic::Code::NotFound);
        let clients = std::env::var("CLIENTS").unwrap_or_default();
        for kind in IMPLEMENTATIONS {
            let script = match kind {
                Implementation::Grpcio => "python-grpc",
                Implementation::GrpcJs => "node-grpc",
            };
            if !clients.split(' ').any(|client| client == script) {
                continue;
            }
            // An even number of calls each, of which the first is answered well.
            if let Some(mut foreign) = Foreign::to(kind, &to.to_string(), &json!({})) {
                for expected in ["SERVING", "NOT_SERVING"] {
                    let reply: HealthCheckResponse =
                        foreign.call(&health("Check"), &ask("shop")).reply();
                    assert_eq!(reply.status().as_str_name(), expected, "{kind:?}");
                }
                let watch = foreign.call(&health("Watch"), &ask(""));
                watch.refused("UNIMPLEMENTED", &["Check"]);
            }
        }
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn readiness() {
        let daemon = Daemon::start(&ON);
        let cri = daemon.cri().await;
        let start = Instant::now();
        let stated = [("probe-ready-after", "1s"), ("probe-ready-for", "1s")];
        let (_, _, ips) = pod(&daemon, &cri, "a", &[80], &stated).await;
        let says = [("probe-ready-after", "1h"), ("probe-unready", "answer")];
        let (_, _, others) = pod(&daemon, &cri, "b", &[80], &says).await;
        connected(at(&others[0], 80));
        assert_eq!(curl(&[&format!("http://{}/", others[0])]), "503 1.1");
        let to = at(&ips[0], 80);
        connected(to);
        assert!(start.elapsed() >= Duration::from_secs(1));
        until_refused(to);
        assert!(start.elapsed() >= Duration::from_secs(2));
        let late = [("probe-delay", "700ms")];
        let (_, _, slow) = pod(&daemon, &cri, "c", &[80], &late).await;
        connected(at(&slow[0], 80));
        let start = Instant::now();
        assert_eq!(curl(&[&format!("http://{}/", slow[0])]), "200 1.1");
        assert!(start.elapsed() >= Duration::from_millis(700));
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn recovery() {
        let daemon = Daemon::start(&ON);
        let cri = daemon.cri().await;
        let (_, _, ips) = pod(&daemon, &cri, "a", &[80], &[]).await;
        let to = at(&ips[0], 80);
        connected(to);
        let home = daemon.kill9();
        assert!(is_refused(to));
        let daemon = home
            .with(&["--answer-probes=declared,9000", "--pod-route"])
            .start();
        connected(to);
        connected(at(&ips[0], 9000));
        // A new pod gets another address.
        let cri = daemon.cri().await;
        let (_, _, others) = pod(&daemon, &cri, "b", &[80], &[]).await;
        assert_ne!(ips, others);
        connected(at(&others[0], 80));
        let (_, status) = daemon.terminate();
        assert!(status.success());
        assert!(is_refused(to));
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn two_families() {
        if !std::path::Path::new("/proc/net/if_inet6").exists() {
            return eprintln!("SKIPPED: the kernel has no IPv6");
        }
        let cidrs = "--pod-cidr=fd00:5107::/64,10.250.0.0/30";
        let daemon = Daemon::start(&["--answer-probes", "--pod-route", cidrs]);
        let cri = daemon.cri().await;
        let (_, _, ips) = pod(&daemon, &cri, "a", &[80], &[]).await;
        assert_eq!(ips, ["fd00:5107::1", "10.250.0.1"]);
        for ip in &ips {
            let to = at(ip, 80);
            connected(to);
            assert_eq!(curl(&[&format!("http://{to}/")]), "200 1.1");
        }
        let (_, _, others) = pod(&daemon, &cri, "b", &[80], &[]).await;
        assert_eq!(others, ["fd00:5107::2", "10.250.0.2"]);
        let full = tests::cri::run_with(&cri, &pod_config("c", daemon.home().root()), "").await;
        let full = full.expect_err("no address is left").to_string();
        assert!(full.contains("10.250.0.0/30"), "{full}");
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn faults() {
        let home = Home::new(&["--answer-probes"]);
        let taken = TcpListener::bind("0.0.0.0:80").expect("a free port");
        let daemon = home.start();
        let logged = |words: &str| daemon.home().log().contains(words).then_some(());
        let route = "run \"ip route add local 198.18.0.0/15 dev lo\"";
        eventually("a warning of the route", || logged(route));
        let cri = daemon.cri().await;
        let (_, _, ips) = pod(&daemon, &cri, "a", &[80, 81], &[]).await;
        eventually("a warning of the port", || {
            logged(&format!("{}:80 are not answered", ips[0]))
        });
        // Once there is a route, the ports that are free are found.
        assert!(!is_refused(at(&ips[0], 81)));
        assert!(TcpStream::connect(at(&ips[0], 81)).is_err());
        output(
            "ip",
            &["route", "add", "local", "198.18.0.0/15", "dev", "lo"],
        );
        connected(at(&ips[0], 81));
        let (_, _, others) = pod(&daemon, &cri, "b", &[80], &[]).await;
        assert_eq!(
            daemon.home().log().matches(":80 are not answered").count(),
            1
        );
        // A port that is free by now is opened at the next attempt.
        drop(taken);
        connected(at(&others[0], 80));
        connected(at(&ips[0], 80));
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn sandbox_api() {
        let daemon = Daemon::start(&ON);
        let client = daemon.ttrpc().await;
        let record = json!({"Version": "v1", "Metadata": {
            "ID": "s", "Config": {}, "IP": "198.18.7.7", "AdditionalIPs": null}});
        let extension = prost_types::Any {
            type_url: "github.com/containerd/cri/pkg/store/sandbox/Metadata".to_owned(),
            value: record.to_string().into_bytes(),
        };
        let create = grpc::ControllerCreateRequest {
            sandbox_id: "s".to_owned(),
            netns_path: "/run/netns/s".to_owned(),
            annotations: labels(&[("resource-slot.kuasar.io/probe-ports", "9000")]),
            sandbox: Some(containerd_client::types::Sandbox {
                extensions: [("metadata".to_owned(), extension)].into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let controller = daemon.controller().await;
        controller.create(create).await.expect("it is created");
        let start = request::start_sandbox("s");
        client.start_sandbox(&start).await.expect("it starts");
        let mut spec = tests::spec("s", &tests::small());
        spec["annotations"][KUBELET_PORTS] = json!(r#"[{"containerPort":80}]"#);
        let bundle = tests::bundle(daemon.home().root(), "c", &spec);
        client
            .create(&request::create("c", &bundle))
            .await
            .expect("it is created");
        assert!(is_refused(at("198.18.7.7", 80)));
        client
            .start(&request::start("c", ""))
            .await
            .expect("it starts");
        for port in [80, 9000] {
            let to = at("198.18.7.7", port);
            connected(to);
            assert_eq!(curl(&[&format!("http://{to}/")]), "200 1.1");
        }
        client
            .kill(&request::kill("c", "", 9))
            .await
            .expect("it ends");
        until_refused(at("198.18.7.7", 80));
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn flood() {
        tests::raise_descriptor_limit();
        let daemon = Daemon::start(&ON);
        let cri = daemon.cri().await;
        let (_, _, ips) = pod(&daemon, &cri, "a", &[80], &[]).await;
        let (_, _, others) = pod(&daemon, &cri, "b", &[80], &[]).await;
        let to = at(&ips[0], 80);
        connected(to);
        connected(at(&others[0], 80));
        // Far more than one pod may have, and they say nothing.
        let silent: Vec<TcpStream> = (0..600).map(|_| connected(to)).collect();
        for ip in [&ips[0], &others[0]] {
            assert_eq!(curl(&["-m20", &format!("http://{ip}/")]), "200 1.1");
        }
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid()));
        let count = descriptors.expect("it runs").count();
        assert!(count < 300, "{count} descriptors");
        cri.version(v1::VersionRequest::default())
            .await
            .expect("an answer");
        drop(silent);
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own"]
    async fn host_network() {
        let daemon = Daemon::start(&["--answer-probes=host", "--pod-route"]);
        let cri = daemon.cri().await;
        pull(&cri, tests::cri::IMAGE).await;
        let mut config = pod_config("h", daemon.home().root());
        let linux = config.linux.as_mut().expect("Linux");
        linux.security_context = Some(v1::LinuxSandboxSecurityContext {
            namespace_options: Some(v1::NamespaceOption {
                network: NamespaceMode::Node.into(),
                ..Default::default()
            }),
            ..Default::default()
        });
        let host = run_pod(&cri, &config).await;
        let mut container = container_config("web");
        let ports = r#"[{"containerPort":9100}]"#;
        container.annotations = labels(&[(KUBELET_PORTS, ports)]);
        started(&cri, &host, &container).await;
        let to = at("127.0.0.1", 9100);
        connected(to);
        assert_eq!(curl(&[&format!("http://{to}/metrics")]), "200 1.1");
        // A host port leads to the port of its pod.
        let mut config = pod_config("p", daemon.home().root());
        config.port_mappings = vec![v1::PortMapping {
            container_port: 80,
            host_port: 12000,
            ..Default::default()
        }];
        let mapped = run_pod(&cri, &config).await;
        started(&cri, &mapped, &container_config("web")).await;
        connected(at("127.0.0.1", 12000));
        assert_eq!(curl(&["http://127.0.0.1:12000/"]), "200 1.1");
        stop_pod(&cri, &mapped).await.expect("it stops");
        until_refused(at("127.0.0.1", 12000));
        // A pod of its own address has its own answers on the port, and another has none.
        let stated = [("probe-status", "204")];
        let (_, _, ips) = pod(&daemon, &cri, "a", &[9100], &stated).await;
        eventually("the pod's own answer", || {
            (curl(&[&format!("http://{}/", at(&ips[0], 9100))]) == "204 1.1").then_some(())
        });
        let (_, _, others) = pod(&daemon, &cri, "b", &[], &[]).await;
        let url = format!("http://{}/", at(&others[0], 9100));
        let answer = Command::new("curl")
            .args(["-sS", &url])
            .output()
            .expect("curl runs");
        assert!(!answer.status.success());
    }
}
