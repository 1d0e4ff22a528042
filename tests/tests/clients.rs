//! gRPC clients that other people wrote, each with its defaults: grpcio for Python, which stands
//! for all languages on gRPC's C core, and @grpc/grpc-js for Node.

use std::time::{Duration, Instant};

use containerd_client::services::v1::sandbox as grpc;
use cri_api::v1;
use serde_json::{Value, json};
use tests::cri::{labels, pod_config};
use tests::foreign::{
    Call, Foreign, IMPLEMENTATIONS, Implementation, controller, health, image, runtime,
};
use tests::metrics::{address, scrape};
use tests::{Daemon, PATIENCE, eventually};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Annotation that makes the start of a pod slow.
const START_DELAY: &str = "resource-slot.kuasar.io/pod-start-delay";

/// Returns a request of the Controller that names a sandbox.
macro_rules! of {
    ($id:expr, $request:ident) => {
        grpc::$request {
            sandbox_id: $id.to_owned(),
            ..Default::default()
        }
    };
}

fn ready(client: &mut Foreign, id: &str) {
    let create = client.call(&controller("Create"), &of!(id, ControllerCreateRequest));
    let created: grpc::ControllerCreateResponse = create.reply();
    assert_eq!(created.sandbox_id, id);
    let start = client.call(&controller("Start"), &of!(id, ControllerStartRequest));
    let started: grpc::ControllerStartResponse = start.reply();
    assert_eq!(started.sandbox_id, id);
}

fn state(client: &mut Foreign, id: &str) -> String {
    let status = client.call(&controller("Status"), &of!(id, ControllerStatusRequest));
    status.reply::<grpc::ControllerStatusResponse>().state
}

fn stop(client: &mut Foreign, id: &str) {
    let stop = client.call(&controller("Stop"), &of!(id, ControllerStopRequest));
    stop.reply::<grpc::ControllerStopResponse>();
}

fn wait(client: &mut Foreign, id: &str, call: &Call<'_>) -> u32 {
    client.begin(&controller("Wait"), &of!(id, ControllerWaitRequest), call)
}

fn run(config: v1::PodSandboxConfig) -> v1::RunPodSandboxRequest {
    v1::RunPodSandboxRequest {
        config: Some(config),
        ..Default::default()
    }
}

fn pods(client: &mut Foreign) -> Vec<v1::PodSandbox> {
    let list = v1::ListPodSandboxRequest::default();
    let listed = client.call(&runtime("ListPodSandbox"), &list);
    listed.reply::<v1::ListPodSandboxResponse>().items
}

#[test]
fn every_service_answers() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        let version = client.call(&runtime("Version"), &v1::VersionRequest::default());
        let version: v1::VersionResponse = version.reply();
        assert_eq!(version.runtime_name, "resource-slot");

        let pull = v1::PullImageRequest {
            image: Some(tests::cri::image(tests::cri::IMAGE)),
            ..Default::default()
        };
        client
            .call(&image("PullImage"), &pull)
            .reply::<v1::PullImageResponse>();
        let images = client.call(&image("ListImages"), &v1::ListImagesRequest::default());
        assert_eq!(images.reply::<v1::ListImagesResponse>().images.len(), 1);

        let config = pod_config("web", &daemon.home().root().join("logs"));
        let ran = client.call(&runtime("RunPodSandbox"), &run(config.clone()));
        let id = ran.reply::<v1::RunPodSandboxResponse>().pod_sandbox_id;
        let status = v1::PodSandboxStatusRequest {
            pod_sandbox_id: id,
            verbose: true,
        };
        let status = client.call(&runtime("PodSandboxStatus"), &status);
        let status: v1::PodSandboxStatusResponse = status.reply();
        assert_eq!(status.status.unwrap().annotations, config.annotations);

        ready(&mut client, "p1");
        assert_eq!(state(&mut client, "p1"), "SANDBOX_READY");
        stop(&mut client, "p1");
        assert_eq!(state(&mut client, "p1"), "SANDBOX_NOTREADY");
        let shutdown = of!("p1", ControllerShutdownRequest);
        client
            .call(&controller("Shutdown"), &shutdown)
            .reply::<grpc::ControllerShutdownResponse>();

        for service in [
            "",
            "containerd.services.sandbox.v1.Controller",
            "runtime.v1.RuntimeService",
            "runtime.v1.ImageService",
        ] {
            let check = HealthCheckRequest {
                service: service.to_owned(),
            };
            let checked: HealthCheckResponse = client.call(&health("Check"), &check).reply();
            assert_eq!(checked.status(), ServingStatus::Serving, "{service:?}");
        }
    }
}

#[test]
fn errors_arrive_with_code_and_message() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        let missing = of!("no-such", ControllerStatusRequest);
        let missing = client.call(&controller("Status"), &missing);
        missing.refused("NOT_FOUND", &["no-such"]);
        let invalid = of!("a/ä", ControllerCreateRequest);
        let invalid = client.call(&controller("Create"), &invalid);
        invalid.refused("INVALID_ARGUMENT", &["sandbox_id", "a/ä"]);
        ready(&mut client, "p1");
        let again = of!("p1", ControllerCreateRequest);
        let again = client.call(&controller("Create"), &again);
        again.refused("ALREADY_EXISTS", &["p1"]);
        let again = of!("p1", ControllerStartRequest);
        let again = client.call(&controller("Start"), &again);
        again.refused("FAILED_PRECONDITION", &["ready"]);
        let unknown = HealthCheckRequest {
            service: "no.such".to_owned(),
        };
        let unknown = client.call(&health("Check"), &unknown);
        unknown.refused("NOT_FOUND", &["no.such"]);

        for path in [
            runtime("Nope"),
            image("Nope"),
            controller("Nope"),
            health("List"),
            "/no.such.Service/Call".to_owned(),
        ] {
            let (service, method) = path[1..].split_once('/').unwrap();
            let reply = client.call(&path, &v1::VersionRequest::default());
            let named = if service == "no.such.Service" {
                service
            } else {
                method
            };
            reply.refused("UNIMPLEMENTED", &["unknown", named]);
        }
    }
}

#[test]
fn a_wait_is_answered_at_the_end_and_delays_nothing() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        ready(&mut client, "p1");
        let waits: Vec<u32> = (0..300)
            .map(|_| wait(&mut client, "p1", &Call::default()))
            .collect();
        for _ in 0..20 {
            assert_eq!(state(&mut client, "p1"), "SANDBOX_READY");
        }
        assert!(waits.iter().all(|wait| !client.has_event(*wait)));
        stop(&mut client, "p1");
        for wait in waits {
            let ended: grpc::ControllerWaitResponse = client.next(wait).reply();
            assert_eq!(ended.exit_status, 0);
        }
    }
}

/// Waits until no call of this method is in flight, and checks that one was cancelled.
fn one_was_cancelled(daemon: &Daemon, api: &str, method: &str) {
    let metrics = address(&daemon.home().log()).expect("metrics");
    let labels = [("api", api), ("method", method)];
    let scrape = eventually("the calls to be dropped", || {
        let scrape = scrape(metrics);
        let in_flight = scrape.value("resource_slot_rpcs_in_flight", &labels);
        (in_flight == Some(0.0)).then_some(scrape)
    });
    let labels = [labels[0], labels[1], ("code", "Cancelled")];
    let cancelled = scrape.value("resource_slot_rpcs_total", &labels);
    assert_eq!(cancelled, Some(1.0), "{api} {method}");
}

#[test]
fn a_call_past_its_deadline_is_abandoned_and_a_creation_taken_back() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&["--metrics-listen", "127.0.0.1:0"]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        ready(&mut client, "p1");
        let soon = Call {
            timeout: Some(Duration::from_millis(300)),
            ..Default::default()
        };
        let begun = Instant::now();
        let waiting = wait(&mut client, "p1", &soon);
        client.next(waiting).refused("DEADLINE_EXCEEDED", &[]);
        assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
        one_was_cancelled(&daemon, "grpc_controller", "Wait");

        let mut config = pod_config("slow", daemon.home().root());
        config.annotations = labels(&[(START_DELAY, "1h")]);
        let late = client.call_with(&runtime("RunPodSandbox"), &run(config), &soon);
        late.refused("DEADLINE_EXCEEDED", &[]);
        one_was_cancelled(&daemon, "cri_runtime", "RunPodSandbox");
        assert!(pods(&mut client).is_empty());
        assert_eq!(daemon.slots(), ["p1"]);
    }
}

#[test]
fn a_cancelled_call_is_abandoned() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&["--metrics-listen", "127.0.0.1:0"]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        ready(&mut client, "p1");
        let waiting = wait(&mut client, "p1", &Call::default());
        let mut config = pod_config("slow", daemon.home().root());
        config.annotations = labels(&[(START_DELAY, "1h")]);
        let path = runtime("RunPodSandbox");
        let creating = client.begin(&path, &run(config), &Call::default());
        eventually("the creation to begin", || {
            (daemon.slots().len() == 2).then_some(())
        });
        for call in [waiting, creating] {
            client.cancel(call);
            client.next(call).refused("CANCELLED", &[]);
        }
        one_was_cancelled(&daemon, "grpc_controller", "Wait");
        one_was_cancelled(&daemon, "cri_runtime", "RunPodSandbox");
        assert!(pods(&mut client).is_empty());
        assert_eq!(state(&mut client, "p1"), "SANDBOX_READY");
    }
}

#[test]
fn compressed_requests_are_read() {
    let gzip_of_node = json!({ "grpc.default_compression_algorithm": 2 });
    for (kind, options) in [
        (Implementation::Grpcio, json!({})),
        (Implementation::GrpcJs, gzip_of_node),
    ] {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &options) else {
            continue;
        };
        let gzip = Call {
            compression: Some("gzip"),
            ..Default::default()
        };
        let mut config = pod_config("zip", daemon.home().root());
        config.annotations = labels(&[("long", &"x".repeat(1 << 20))]);
        let ran = client.call_with(&runtime("RunPodSandbox"), &run(config.clone()), &gzip);
        let id = ran.reply::<v1::RunPodSandboxResponse>().pod_sandbox_id;
        let status = v1::PodSandboxStatusRequest {
            pod_sandbox_id: id.clone(),
            ..Default::default()
        };
        let status = client.call_with(&runtime("PodSandboxStatus"), &status, &gzip);
        let status: v1::PodSandboxStatusResponse = status.reply();
        assert_eq!(status.status.unwrap().annotations, config.annotations);
        let update = v1::UpdatePodSandboxResourcesRequest {
            pod_sandbox_id: id,
            ..Default::default()
        };
        let update = client.call_with(&runtime("UpdatePodSandboxResources"), &update, &gzip);
        update.reply::<v1::UpdateRuntimeConfigResponse>();
        let create = of!("p1", ControllerCreateRequest);
        let created = client.call_with(&controller("Create"), &create, &gzip);
        created.reply::<grpc::ControllerCreateResponse>();
        let images = v1::ListImagesRequest::default();
        let images = client.call_with(&image("ListImages"), &images, &gzip);
        images.reply::<v1::ListImagesResponse>();
        let check = HealthCheckRequest::default();
        let checked = client.call_with(&health("Check"), &check, &gzip);
        checked.reply::<HealthCheckResponse>();

        // A few bytes that would become more than the longest message.
        config.metadata.as_mut().unwrap().name = "bomb".to_owned();
        config.annotations = labels(&[("long", &"x".repeat(20 << 20))]);
        let bomb = client.call_with(&runtime("RunPodSandbox"), &run(config), &gzip);
        assert_ne!(bomb.code.as_deref(), Some("OK"));
        assert_eq!(pods(&mut client).len(), 1);
    }
}

#[test]
fn an_unknown_compression_is_named() {
    let daemon = Daemon::start(&[]);
    let Some(mut client) = Foreign::connect(Implementation::Grpcio, &daemon, &json!({})) else {
        return;
    };
    let deflate = Call {
        compression: Some("deflate"),
        ..Default::default()
    };
    for path in [runtime("Version"), controller("Status"), health("Check")] {
        let request = HealthCheckRequest {
            service: "x".repeat(1_000),
        };
        let reply = client.call_with(&path, &request, &deflate);
        reply.refused("UNIMPLEMENTED", &["deflate"]);
    }
    let version = client.call(&runtime("Version"), &v1::VersionRequest::default());
    version.reply::<v1::VersionResponse>();
}

#[test]
fn frequent_pings_are_answered() {
    let options = json!({
        "grpc.keepalive_time_ms": 20,
        "grpc.keepalive_timeout_ms": 10_000,
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.max_pings_without_data": 0,
    });
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &options) else {
            continue;
        };
        ready(&mut client, "p1");
        let waiting = wait(&mut client, "p1", &Call::default());
        // The time for some 50 pings.
        let second = Call {
            timeout: Some(Duration::from_secs(1)),
            ..Default::default()
        };
        let passing = wait(&mut client, "p1", &second);
        client.next(passing).refused("DEADLINE_EXCEEDED", &[]);
        stop(&mut client, "p1");
        // The same connection, or the wait would have failed.
        let ended: grpc::ControllerWaitResponse = client.next(waiting).reply();
        assert_eq!(ended.exit_status, 0);
    }
}

#[test]
fn long_messages_pass_up_to_the_limit() {
    let options = json!({ "grpc.max_receive_message_length": -1 });
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &options) else {
            continue;
        };
        // A configuration may have 2 MiB, so many pods make a long reply.
        for n in 0..8 {
            let mut config = pod_config(&format!("p{n}"), daemon.home().root());
            config.annotations = labels(&[("long", &"x".repeat(1_900_000))]);
            let ran = client.call(&runtime("RunPodSandbox"), &run(config));
            ran.reply::<v1::RunPodSandboxResponse>();
        }
        assert_eq!(pods(&mut client).len(), 8);
        let long = |bytes: usize| grpc::ControllerCreateRequest {
            sandbox_id: "p1".to_owned(),
            sandboxer: "x".repeat(bytes),
            ..Default::default()
        };
        let created = client.call(&controller("Create"), &long((16 << 20) - 100));
        created.reply::<grpc::ControllerCreateResponse>();
        let refused = client.call(&controller("Create"), &long(16 << 20));
        refused.refused("RESOURCE_EXHAUSTED", &["16777216"]);
        assert_eq!(state(&mut client, "p1"), "SANDBOX_NOTREADY");
    }
}

#[test]
fn odd_metadata_is_no_reason_to_fail() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        let long = "v".repeat(4_000);
        let call = Call {
            metadata: &[
                ("containerd-namespace", "moby"),
                ("x-empty", ""),
                ("x-long", &long),
                ("x-signs", "a \"b\" %41 ~!,;=:"),
                ("x-twice", "1"),
                ("x-twice", "2"),
                ("x-bytes-bin", "AAECA/7/"),
                ("grpc-accept-encoding", "gzip"),
                ("x.y_z-0", "1"),
            ],
            ..Default::default()
        };
        // Header lists of one connection differ, and some exceed the dynamic table.
        for n in 0..40 {
            let id = format!("p{n}");
            let create = of!(&id, ControllerCreateRequest);
            let create = client.call_with(&controller("Create"), &create, &call);
            create.reply::<grpc::ControllerCreateResponse>();
            let here = of!(&id, ControllerStatusRequest);
            let here = client.call(&controller("Status"), &here);
            here.refused("NOT_FOUND", &[&id]);
        }
        let slots = daemon.home().inspect()["slots"].clone();
        let slots = slots.as_array().unwrap();
        assert_eq!(slots.len(), 40);
        assert!(slots.iter().all(|slot| slot["namespace"] == "moby"));

        // The longest list of headers that the server takes has 16 KiB.
        let huge = "v".repeat(20_000);
        let over = Call {
            metadata: &[("x-huge", &huge)],
            ..Default::default()
        };
        let version = v1::VersionRequest::default();
        let refused = client.call_with(&runtime("Version"), &version, &over);
        assert_ne!(refused.code.as_deref(), Some("OK"));
        let version = client.call(&runtime("Version"), &version);
        version.reply::<v1::VersionResponse>();
    }
}

#[test]
fn events_are_streamed() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        let stream = Call {
            is_stream: true,
            ..Default::default()
        };
        let events = v1::GetEventsRequest::default();
        let events = client.begin(&runtime("GetContainerEvents"), &events, &stream);
        // Nothing tells that the stream is open, so pods are run until an event comes.
        let mut number = 0;
        eventually("an event", || {
            number += 1;
            let config = pod_config(&format!("p{number}"), daemon.home().root());
            let ran = client.call(&runtime("RunPodSandbox"), &run(config));
            ran.reply::<v1::RunPodSandboxResponse>();
            client.has_event(events).then_some(())
        });
        let event: v1::ContainerEventResponse = client.next(events).reply();
        assert_eq!(
            event.container_event_type(),
            v1::ContainerEventType::ContainerCreatedEvent
        );
        client.cancel(events);
    }
}

#[test]
fn a_stop_is_announced_by_the_health_service_and_ends_calls_as_unavailable() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        ready(&mut client, "p1");
        let stream = Call {
            is_stream: true,
            ..Default::default()
        };
        let watch = HealthCheckRequest::default();
        let watch = client.begin(&health("Watch"), &watch, &stream);
        let now: HealthCheckResponse = client.next(watch).reply();
        assert_eq!(now.status(), ServingStatus::Serving);
        let waiting = wait(&mut client, "p1", &Call::default());
        let (home, status) = daemon.terminate();
        assert!(status.success(), "{}", home.log());
        let then: HealthCheckResponse = client.next(watch).reply();
        assert_eq!(then.status(), ServingStatus::NotServing);
        client.next(watch).refused("UNAVAILABLE", &[]);
        client.next(waiting).refused("UNAVAILABLE", &[]);
        let late = client.call(&runtime("Version"), &v1::VersionRequest::default());
        late.refused("UNAVAILABLE", &[]);
        // A channel comes back by itself once a daemon listens again.
        let _daemon = home.start();
        eventually("the channel to come back", || {
            let request = v1::VersionRequest::default();
            let reply = client.call(&runtime("Version"), &request);
            (reply.code.as_deref() == Some("OK")).then_some(())
        });
    }
}

/// The spellings of a socket that gRPC's C core accepts, each of which makes another authority, and
/// the authorities that other implementations send.
#[test]
fn every_spelling_of_the_socket_and_every_authority_is_served() {
    let daemon = Daemon::start(&[]);
    let socket = daemon.home().socket();
    let socket = socket.to_str().unwrap();
    let version = v1::VersionRequest::default();
    let answers = |target: &str, options: &Value| {
        let client = Foreign::to(Implementation::Grpcio, target, options);
        client.is_none_or(|mut client| {
            let path = runtime("Version");
            (0..3).all(|_| client.call(&path, &version).code.as_deref() == Some("OK"))
        })
    };
    for target in [format!("unix:{socket}"), format!("unix://{socket}")] {
        assert!(answers(&target, &json!({})), "{target}");
    }
    let target = format!("unix:{socket}");
    for authority in [
        socket,
        &socket.replace('/', "%2F"),
        "localhost",
        "localhost:50051",
        "resource-slot",
        "a b",
        "[::1",
    ] {
        let options = json!({ "grpc.default_authority": authority });
        assert!(answers(&target, &options), "{authority}");
    }
}
