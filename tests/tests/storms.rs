//! Storms: peers that open, send or ask without end, over each protocol. In each of them the
//! memory of the daemon stays bounded, another peer is served, and the memory comes back.

use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use containerd_client::services::v1::sandbox as grpc;
use containerd_sandbox::client::Ttrpc;
use containerd_sandbox::{Code, Error};
use containerd_shim_protos::api;
use containerd_shim_protos::types::mount::Mount;
use cri_api::v1::{self, ListPodSandboxRequest};
use prost::Message as _;
use protobuf::Message as _;
use tests::http2::{self, END_HEADERS, END_STREAM, Http2};
use tests::raw::{Raw, header};
use tests::{Daemon, PATIENCE, cri, eventually, ready_sandbox, request, running_container};
use tokio::task::JoinSet;
use ttrpc::proto::MESSAGE_TYPE_REQUEST;

const MIB: u64 = 1 << 20;
const CREATE: &str = "/containerd.services.sandbox.v1.Controller/Create";
const WAIT: &str = "/containerd.services.sandbox.v1.Controller/Wait";
const STATUS: &str = "/containerd.services.sandbox.v1.Controller/Status";
const LIST: &str = "/runtime.v1.RuntimeService/ListPodSandbox";
const TASK: &str = "containerd.task.v3.Task";
/// The gRPC number of `ResourceExhausted`.
const RESOURCE_EXHAUSTED: i32 = 8;
/// Memory that a storm may take: bounded replies and requests, and a task for each call.
const MOST: u64 = 192 * MIB;

/// A peer that is served while others storm.
struct Bystander<'a> {
    daemon: &'a Daemon,
    client: Ttrpc,
    before: u64,
}

impl<'a> Bystander<'a> {
    async fn of(daemon: &'a Daemon) -> Self {
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, "bystander").await;
        Self {
            daemon,
            client,
            before: daemon.resident(),
        }
    }

    fn grown(&self) -> u64 {
        self.daemon.resident().saturating_sub(self.before)
    }

    async fn ask(&self) -> Duration {
        let begun = Instant::now();
        let status = request::sandbox_status("bystander");
        self.client.sandbox_status(&status).await.unwrap();
        begun.elapsed()
    }

    /// Runs a storm in a thread. Ends the test as soon as the daemon has grown by `most` bytes;
    /// its end ends the storm.
    async fn watch<T: Send + 'static>(
        &self,
        most: u64,
        storm: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let storm = std::thread::spawn(storm);
        let (mut times, mut greatest) = (Vec::new(), 0);
        while !storm.is_finished() {
            times.push(self.ask().await);
            greatest = greatest.max(self.grown());
            assert!(greatest < most, "it grew by {} MiB", greatest / MIB);
        }
        times.push(self.ask().await);
        times.sort_unstable();
        let p99 = times[(times.len() * 99 / 100).min(times.len() - 1)];
        eprintln!(
            "{} calls beside the storm, p99 {p99:?}, worst {:?}; it grew by {} MiB",
            times.len(),
            times[times.len() - 1],
            greatest / MIB
        );
        // Far above the 20 ms of a release build on a quiet machine.
        assert!(p99 < Duration::from_secs(2), "p99 {p99:?}");
        storm.join().unwrap()
    }

    /// Waits until the memory has come back, which it does while nobody calls.
    fn comes_back(&self) {
        eventually("the memory to come back", || {
            (self.grown() < 64 * MIB).then_some(())
        });
        eprintln!("afterwards it was {} MiB larger", self.grown() / MIB);
    }
}

/// Creates pods whose list takes some 12 MB.
async fn many_pods(daemon: &Daemon) {
    let runtime = daemon.cri().await;
    let text = "x".repeat(60_000);
    for n in 0..200 {
        let mut config = cri::pod_config(&format!("pod-{n}"), daemon.home().root());
        config.annotations.insert("text".to_owned(), text.clone());
        cri::run_pod(&runtime, &config).await;
    }
}

/// Waits until so many frames have come.
fn until(frames: &AtomicUsize, count: usize) {
    eventually("frames of answers", || {
        (frames.load(Ordering::Relaxed) >= count).then_some(())
    });
}

fn list() -> Vec<u8> {
    ListPodSandboxRequest::default().encode_to_vec()
}

/// Asks 200 times for a list of 12 MB and grants no window for any.
#[tokio::test]
async fn replies_that_no_window_lets_out_are_bounded_over_grpc() {
    let daemon = Daemon::start(&[]);
    many_pods(&daemon).await;
    let bystander = Bystander::of(&daemon).await;
    let mut http2 = Http2::connect(&daemon, 0);
    for _ in 0..200 {
        http2.call(LIST, &list());
    }
    // The bystander's calls alternate with the lists, so the lists that run are made by then.
    for _ in 0..20 {
        bystander.watch(MOST, || ()).await;
    }
    let pongs = http2.count(http2::PING);
    http2.say(&http2::frame(http2::PING, 0, 0, &[0; 8]));
    bystander.watch(MOST, move || until(&pongs, 1)).await;
    drop(http2);
    bystander.comes_back();
}

/// Asks for lists on many connections at once and takes the first byte of each.
#[tokio::test]
async fn replies_on_many_connections_are_bounded_together() {
    let daemon = Daemon::start(&[]);
    many_pods(&daemon).await;
    let bystander = Bystander::of(&daemon).await;
    let mut connections: Vec<Http2> = (0..40).map(|_| Http2::connect(&daemon, 1)).collect();
    bystander
        .watch(2 * MOST, move || {
            let mut refused = 0;
            for http2 in &mut connections {
                http2.call(LIST, &list());
            }
            for http2 in &mut connections {
                let stream = &mut http2.stream;
                while let Some((kind, id, payload)) = http2::read_frame(stream) {
                    if kind == http2::HEADERS && id == 1 {
                        // The short list of headers is that of an error.
                        refused += usize::from(payload.len() > 60);
                        break;
                    }
                }
            }
            refused
        })
        .await;
    bystander.comes_back();
}

/// Streams that are opened and never end.
const STREAMS: usize = 30_000;

/// Opens streams and ends none of them.
#[tokio::test]
async fn requests_that_never_end_are_bounded_over_grpc() {
    let daemon = Daemon::start(&[]);
    let bystander = Bystander::of(&daemon).await;
    let mut http2 = Http2::connect(&daemon, 65_535);
    let http2 = bystander
        .watch(128 * MIB, move || {
            let answers = http2.count(http2::HEADERS);
            for n in 0..STREAMS {
                let id = http2.stream_id();
                let mut said = http2::headers(id, CREATE, 0);
                if n < 500 {
                    // Half of a message. The HTTP/2 library allows some small ones only.
                    said.extend(http2::frame(http2::DATA, 0, id, &[0, 0, 0, 0, 100, 1, 2]));
                }
                assert!(http2.say(&said));
            }
            until(&answers, STREAMS / 2);
            http2
        })
        .await;
    drop(http2);
    bystander.comes_back();
}

/// Sends almost the whole of a large frame on each of many connections.
#[tokio::test]
async fn frames_that_never_end_are_bounded_over_ttrpc() {
    let daemon = Daemon::start(&[]);
    let bystander = Bystander::of(&daemon).await;
    let mut raws: Vec<Raw> = (0..120).map(|_| Raw::connect(&daemon)).collect();
    let raws = bystander
        .watch(MOST, move || {
            for raw in &mut raws {
                raw.0.set_write_timeout(Some(PATIENCE)).unwrap();
                raw.say(&header(4 << 20, 1, MESSAGE_TYPE_REQUEST));
                raw.say(&vec![7; (4 << 20) - 1]);
            }
            raws
        })
        .await;
    drop(raws);
    bystander.comes_back();
}

/// Returns the greatest resident memory so far (`VmHWM`, proc(5)), in bytes.
fn peak(daemon: &Daemon) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() << 10
}

#[track_caller]
fn exhausted<T: std::fmt::Debug>(result: Result<T, Error>, words: &str) {
    let error = result.expect_err("it was to be refused");
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn a_request_of_millions_of_empty_parts_is_refused_before_it_is_decoded() {
    let daemon = Daemon::start(&[]);
    let bystander = Bystander::of(&daemon).await;
    let client = &bystander.client;
    running_container(&daemon, client, "bystander", "c1").await;
    let words = "may have 131072 fields";

    // CRI and the controller API over gRPC, 2 million parts in 4 MB.
    let runtime = daemon.cri().await;
    let config = v1::ContainerConfig {
        mounts: vec![v1::Mount::default(); 2_000_000],
        ..cri::container_config("c2")
    };
    exhausted(cri::create(&runtime, "bystander", &config).await, words);
    let controller = daemon.controller().await;
    let create = grpc::ControllerCreateRequest {
        sandbox_id: "p2".to_owned(),
        rootfs: vec![containerd_client::types::Mount::default(); 2_000_000],
        ..Default::default()
    };
    exhausted(controller.create(create).await, words);

    // The task API over ttrpc: parts of the message, and parts of a JSON text in it.
    let bundle = daemon.home().root().join("bundle");
    let mut create = request::create("c3", bundle.to_str().unwrap());
    create.rootfs = vec![Mount::default(); 1_500_000];
    exhausted(client.create(&create).await, words);
    let mut exec = request::exec("c1", "e1", &["true"]);
    let args = format!("{{\"args\":[{}\"\"]}}", "\"\",".repeat(1_000_000));
    exec.spec.mut_or_insert_default().value = args.into_bytes();
    exhausted(client.exec(&exec).await, words);
    let args = vec![""; 1_000_000];
    let mut spec = tests::spec("bystander", &tests::small());
    spec["process"]["args"] = args.into();
    let bundle = tests::bundle(daemon.home().root(), "c4", &spec);
    exhausted(client.create(&request::create("c4", &bundle)).await, words);

    let grown = peak(&daemon).saturating_sub(bystander.before);
    assert!(grown < 96 * MIB, "it grew by {} MiB", grown / MIB);
}

#[tokio::test]
async fn calls_that_wait_keep_out_no_other_call() {
    let daemon = Daemon::start(&["--max-waits", "8", "--max-in-flight", "8"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    running_container(&daemon, &client, "p1", "c1").await;
    let mut waits = JoinSet::new();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let client = daemon.ttrpc().await;
        clients.push(client.clone());
        for _ in 0..4 {
            let client = client.clone();
            waits.spawn(async move { client.wait(&request::wait("c1", "")).await });
        }
    }
    // Two connections hold four waits each, and the others none.
    for _ in 0..8 {
        let refused = waits.join_next().await.unwrap().unwrap();
        exhausted(
            refused,
            "8 calls that wait for an end already, see --max-waits",
        );
    }
    let controller = daemon.controller().await;
    let wait = grpc::ControllerWaitRequest {
        sandbox_id: "p1".to_owned(),
        ..Default::default()
    };
    exhausted(controller.wait(wait).await, "see --max-waits");
    client.state(&request::state("c1", "")).await.unwrap();
    client.kill(&request::kill("c1", "", 9)).await.unwrap();
    while let Some(ended) = waits.join_next().await {
        ended.unwrap().unwrap();
    }
    client.delete(&request::delete("c1", "")).await.unwrap();
    client
        .stop_sandbox(&request::stop_sandbox("p1"))
        .await
        .unwrap();
    let shutdown = request::shutdown_sandbox("p1");
    client.shutdown_sandbox(&shutdown).await.unwrap();
}

#[tokio::test]
async fn one_connection_holds_at_most_half_of_the_waits() {
    let daemon = Daemon::start(&["--max-waits", "8"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let mut waits = JoinSet::new();
    for _ in 0..5 {
        let client = client.clone();
        waits.spawn(async move { client.wait_sandbox(&request::wait_sandbox("p1")).await });
    }
    let refused = waits.join_next().await.unwrap().unwrap();
    exhausted(
        refused,
        "this connection has 4 calls that wait for an end already",
    );
}

/// containerd waits for each pod on one connection.
#[tokio::test]
async fn twenty_thousand_complete_waits_fit_one_connection() {
    const WAITS: usize = 20_000;
    let daemon = Daemon::start(&[]);
    let bystander = Bystander::of(&daemon).await;
    let wait = grpc::ControllerWaitRequest {
        sandbox_id: "bystander".to_owned(),
        ..Default::default()
    };
    let wait = wait.encode_to_vec();
    let mut http2 = Http2::connect(&daemon, 65_535);
    let mut stream = http2.stream.try_clone().unwrap();
    let ended = std::thread::spawn(move || {
        let mut ended = 0;
        while ended < WAITS {
            // A reply ends with its trailers, the second list of headers.
            match http2::read_frame(&mut stream) {
                Some((http2::DATA, _, payload)) => {
                    ended += 1;
                    let update = u32::try_from(payload.len()).unwrap().to_be_bytes();
                    let _ = stream.write_all(&http2::frame(http2::WINDOW_UPDATE, 0, 0, &update));
                }
                Some(_) => {}
                None => break,
            }
        }
        ended
    });
    let mut http2 = bystander
        .watch(4 * MOST, move || {
            for _ in 0..WAITS {
                http2.call(WAIT, &wait);
            }
            http2
        })
        .await;
    eprintln!("a wait takes {} bytes", bystander.grown() / WAITS as u64);
    // The connection still answers.
    let status = grpc::ControllerStatusRequest {
        sandbox_id: "nobody".to_owned(),
        ..Default::default()
    };
    http2.call(STATUS, &status.encode_to_vec());
    let client = &bystander.client;
    let stop = request::stop_sandbox("bystander");
    client.stop_sandbox(&stop).await.unwrap();
    assert_eq!(ended.join().unwrap(), WAITS);
}

#[tokio::test]
async fn floods_of_http2_frames_are_bounded() {
    let daemon = Daemon::start(&[]);
    let bystander = Bystander::of(&daemon).await;
    let status = grpc::ControllerStatusRequest {
        sandbox_id: "bystander".to_owned(),
        ..Default::default()
    };
    let message = http2::grpc(&status.encode_to_vec());
    let reset = move |id: u32| {
        [
            http2::headers(id, STATUS, 0),
            http2::frame(http2::DATA, END_STREAM, id, &message),
            http2::frame(http2::RST_STREAM, 0, id, &8u32.to_be_bytes()),
        ]
        .concat()
    };
    let settings = |_: u32| http2::frame(http2::SETTINGS, 0, 0, &[0, 4, 0, 0, 255, 255]);
    let ping = |_: u32| http2::frame(http2::PING, 0, 0, &[7; 8]);
    let headers = |id: u32| {
        let block = [http2::header_block(STATUS), vec![0; 16 << 10]].concat();
        http2::frame(http2::HEADERS, END_HEADERS, id, &block[..16 << 10])
    };
    let floods: [Box<dyn Fn(u32) -> Vec<u8> + Send>; 4] = [
        Box::new(reset),
        Box::new(settings),
        Box::new(ping),
        Box::new(headers),
    ];
    for flood in floods {
        for reads in [true, false] {
            let mut http2 = Http2::connect(&daemon, 65_535);
            let timeout = Some(Duration::from_millis(500));
            http2.stream.set_write_timeout(timeout).unwrap();
            let frames = reads.then(|| http2.discard());
            let said: Vec<u8> = (0..20_000).flat_map(|n| flood(2 * n + 1)).collect();
            // The connection may be closed, or its frames no longer be read.
            bystander
                .watch(MOST, move || {
                    for part in said.chunks(64 << 10) {
                        if !http2.say(part) {
                            break;
                        }
                    }
                    let _ = http2.stream.shutdown(std::net::Shutdown::Both);
                    if let Some(frames) = frames {
                        frames.join().unwrap();
                    }
                })
                .await;
        }
    }
    // A list of headers without an end.
    let mut http2 = Http2::connect(&daemon, 65_535);
    bystander
        .watch(MOST, move || {
            http2.say(&http2::frame(
                http2::HEADERS,
                0,
                1,
                &http2::header_block(STATUS),
            ));
            for _ in 0..100_000 {
                let more = http2::frame(http2::CONTINUATION, 0, 1, &[0x00, 1, b'a', 1, b'b']);
                if !http2.say(&more) {
                    break;
                }
            }
        })
        .await;
    bystander.comes_back();
}

#[tokio::test]
async fn warnings_that_peers_provoke_are_few() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    for _ in 0..100 {
        let mut raw = Raw::connect(&daemon);
        raw.say(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(raw.rest(), b"");
        let mut raw = Raw::connect(&daemon);
        raw.say(&header(u32::MAX >> 8, 2, MESSAGE_TYPE_REQUEST));
        assert_eq!(raw.rest(), b"");
        let invalid = request::create_sandbox("../invalid");
        client.create_sandbox(&invalid).await.unwrap_err();
    }
    let log = daemon.home().log();
    for words in ["opens neither", "closed a ttrpc connection", "../invalid"] {
        let told = log.matches(words).count();
        assert!((1..30).contains(&told), "{words}: {told}\n{log}");
    }
}

/// Sends a request to each service of ttrpc beside a message that is not complete.
#[tokio::test]
async fn a_frame_that_is_not_complete_delays_no_other_connection() {
    let daemon = Daemon::start(&[]);
    let bystander = Bystander::of(&daemon).await;
    let mut raw = Raw::connect(&daemon);
    raw.say(&header(100, 1, MESSAGE_TYPE_REQUEST)[..5]);
    bystander.ask().await;
    let mut other = Raw::connect(&daemon);
    let state = api::StateRequest {
        id: "nobody".to_owned(),
        ..Default::default()
    };
    let state = state.write_to_bytes().unwrap();
    assert_ne!(other.call(1, TASK, "State", &state), RESOURCE_EXHAUSTED);
}

/// Connections that say nothing take the whole limit of connections.
#[tokio::test]
async fn connections_that_say_nothing_make_room_for_others() {
    let daemon = Daemon::start(&["--max-connections", "20"]);
    let silent: Vec<Raw> = (0..30).map(|_| Raw::connect(&daemon)).collect();
    let mut clients = Vec::new();
    for n in 0..10 {
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, &format!("p{n}")).await;
        clients.push(client);
    }
    // The oldest ones went, and the others are still open.
    assert_eq!(silent.into_iter().next().unwrap().rest(), b"");
}
