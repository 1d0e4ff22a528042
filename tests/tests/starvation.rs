//! What one pod does must not starve the others: the status of a pod is answered in time during
//! each of these storms.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use containerd_sandbox::Error;
use containerd_sandbox::client::Cri;
use cri_api::v1;
use tests::cri::{IMAGE, container_config, labels, pod_config, pod_status, pull, run_pod, started};
use tests::{Daemon, PATIENCE, raise_descriptor_limit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Time for which a storm is watched.
const WATCHED: Duration = Duration::from_secs(2);
/// Greatest median of the status of another pod. The programs are not optimised here and the
/// machine may be busy: an optimised sandboxer takes less than a hundredth of it.
const MEDIAN: Duration = Duration::from_millis(250);
/// Greatest ratio of that median to the one without a storm, if the median is above the usual
/// ones.
const SLOWER: u32 = 20;
const USUAL: Duration = Duration::from_millis(30);
/// Time for which the calm before a storm is watched.
const CALM: Duration = Duration::from_millis(500);
/// Greatest time of any status.
const LONGEST: Duration = Duration::from_secs(2);

/// Runs a command in a container, and returns its exit code.
async fn exec(cri: &Cri, id: &str, cmd: &[&str], timeout: i64) -> Result<i32, Error> {
    let request = v1::ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: cmd.iter().map(ToString::to_string).collect(),
        timeout,
    };
    Ok(cri.exec_sync(request).await?.exit_code)
}

/// A daemon with one quiet pod and some others, each with a container that waits.
struct Storm {
    daemon: Daemon,
    quiet: String,
    containers: Vec<String>,
    /// Median of the status of the quiet pod without a storm.
    median: Duration,
}

impl Storm {
    async fn with(pods: usize) -> Self {
        let daemon = Daemon::start(&[]);
        let cri = daemon.cri().await;
        pull(&cri, IMAGE).await;
        let root = daemon.home().root().to_owned();
        let quiet = run_pod(&cri, &pod_config("quiet", &root)).await;
        let mut containers = Vec::new();
        for index in 0..pods {
            let pod = run_pod(&cri, &pod_config(&format!("loud-{index}"), &root)).await;
            containers.push(started(&cri, &pod, &container_config("app")).await);
        }
        let mut storm = Self {
            daemon,
            quiet,
            containers,
            median: Duration::ZERO,
        };
        let mut times = storm.times(&cri, "no storm", CALM).await;
        times.sort_unstable();
        storm.median = times[times.len() / 2];
        storm
    }

    /// Runs a script in each container, without an end, while the quiet pod is watched.
    async fn scripts(&self, name: &str, script: &str) {
        let mut running = JoinSet::new();
        for id in &self.containers {
            let (cri, id, script) = (self.daemon.cri().await, id.clone(), script.to_owned());
            running.spawn(async move {
                // It ends with the test, or by its own.
                let _ = exec(&cri, &id, &["sh", "-c", &script], 0).await;
            });
        }
        self.watch(name).await;
    }

    /// Measures the status of the quiet pod during a storm.
    async fn watch(&self, name: &str) {
        let cri = self.daemon.cri().await;
        let mut times = self.times(&cri, name, WATCHED).await;
        times.sort_unstable();
        let (median, last) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let (longest, before) = (times[times.len() - 1], self.median);
        println!(
            "{name}: {} statuses, median {median:?}, 99th percentile {last:?}, longest \
             {longest:?}; median before {before:?}",
            times.len()
        );
        let limit = (SLOWER * before).clamp(USUAL, MEDIAN);
        assert!(median < limit, "{name}: {median:?}, above {limit:?}");
    }

    /// Returns the times of all statuses of the quiet pod for a while.
    async fn times(&self, cri: &Cri, name: &str, watched: Duration) -> Vec<Duration> {
        let begun = Instant::now();
        let mut times = Vec::new();
        while begun.elapsed() < watched {
            let at = Instant::now();
            let status = tokio::time::timeout(LONGEST, pod_status(cri, &self.quiet)).await;
            assert!(status.is_ok(), "{name}: no status within {LONGEST:?}");
            times.push(at.elapsed());
        }
        times
    }
}

/// Makes 2,000 files, and a variable of half a megabyte.
const MUCH: &str = "cd /tmp; for i in $(seq 2000); do : > file-$i; done
    x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do x=$x$x; done; ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_of_a_container_holds_up_another_pod() {
    let wide = "p=????????????????; p=$p$p$p$p$p$p$p$p; p=$p$p$p$p$p$p$p$p; p=$p$p";
    for (name, script) in [
        ("patterns", format!("{wide}; echo $p $p $p $p > /dev/null")),
        (
            "paths",
            "cd /; echo /*/*/*1*2* /*/*1*2* > /dev/null".to_owned(),
        ),
        (
            "ends of a text",
            ": ${x%%*b*} ${x##*b*} ${x%%b*}".to_owned(),
        ),
        (
            "case",
            "case $x in *a*a*b) : ;; *b*a*) : ;; esac".to_owned(),
        ),
        (
            "arithmetic",
            "y=$(yes 1+ | head -n 500000); : $((${y}1))".to_owned(),
        ),
        ("expansions", ": $x $x; IFS=a; : $x".to_owned()),
        (
            "sort",
            "yes ab | head -c 900000 | sort -n | uniq -c".to_owned(),
        ),
        ("grep", "echo $x | grep -c '\\(a*\\)*\\(a*\\)*b'".to_owned()),
        (
            "files",
            "ls -lR / > /dev/null; find / -name '*1*2*' > /dev/null".to_owned(),
        ),
        (
            "names",
            "until nc 10.0.0.1 80; do :; done 2> /dev/null".to_owned(),
        ),
    ] {
        let storm = Storm::with(3).await;
        let script = format!("{MUCH} while :; do {script}; done");
        storm.scripts(name, &script).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_loops_hold_up_neither_a_pod_nor_a_probe() {
    let storm = Storm::with(60).await;
    storm
        .scripts("60 loops", "while :; do echo a > /tmp/a; done")
        .await;
    let probe = storm.daemon.cri().await;
    let at = Instant::now();
    let code = exec(&probe, &storm.containers[0], &["cat", "/tmp/a"], 10).await;
    println!("a probe beside 60 loops: {:?}", at.elapsed());
    assert_eq!(code.unwrap(), 0);
}

#[tokio::test]
async fn a_timeout_ends_a_command_in_the_midst_of_its_work() {
    let storm = Storm::with(1).await;
    let cri = storm.daemon.cri().await;
    let script = format!("{MUCH} while :; do : ${{x%%*b*}} $((1)); done");
    let at = Instant::now();
    let ended = exec(&cri, &storm.containers[0], &["sh", "-c", &script], 1).await;
    assert!(ended.is_err());
    println!("a timeout of 1 s took {:?}", at.elapsed());
    assert!(at.elapsed() < Duration::from_secs(10));
    let code = exec(&cri, &storm.containers[0], &["true"], 10).await;
    assert_eq!(code.unwrap(), 0);
}

/// Returns the address of a URL.
fn address(url: &str) -> SocketAddr {
    let rest = url.strip_prefix("http://").expect("a URL");
    rest.split('/').next().unwrap().parse().unwrap()
}

/// Makes so many connections that send a part of a request.
async fn idle_peers(address: SocketAddr, number: usize) -> Vec<TcpStream> {
    let mut peers = Vec::new();
    for _ in 0..number {
        let connected = tokio::time::timeout(LONGEST, TcpStream::connect(address)).await;
        if let Ok(Ok(mut peer)) = connected {
            let _ = peer.write_all(b"GET / HTTP/1.1\r\n").await;
            peers.push(peer);
        }
    }
    peers
}

/// Sends a request, and returns the response and the time that it took.
async fn asked(address: SocketAddr, path: &str) -> (String, Duration) {
    let at = Instant::now();
    let answered = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = vec![0; 4096];
        let read = stream.read(&mut response).await.unwrap();
        String::from_utf8_lossy(&response[..read]).into_owned()
    };
    let response = tokio::time::timeout(PATIENCE, answered).await;
    (response.expect("an answer"), at.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_send_nothing_hold_up_no_stream() {
    raise_descriptor_limit();
    let storm = Storm::with(1).await;
    let cri = storm.daemon.cri().await;
    let request = v1::ExecRequest {
        container_id: storm.containers[0].clone(),
        cmd: vec!["true".to_owned()],
        stdout: true,
        ..Default::default()
    };
    let url = cri.exec(request).await.unwrap().url;
    let address = address(&url);
    let peers = idle_peers(address, 1100).await;
    let path = url.split_once(&address.to_string()).unwrap().1;
    let (response, took) = asked(address, path).await;
    println!("a stream beside {} idle peers: {took:?}", peers.len());
    // The URL is found; the request is no switch to WebSocket.
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    assert!(took < LONGEST, "{took:?}");
    storm.watch("idle peers of the streaming port").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_send_nothing_hold_up_no_scrape() {
    let daemon = Daemon::start(&["--metrics-listen", "127.0.0.1:0"]);
    let address = tests::eventually("the address of the metrics", || {
        let log = daemon.home().log();
        let (_, url) = log.split_once("http://")?;
        let (address, _) = url.split_once("/metrics")?;
        address.parse().ok()
    });
    let peers = idle_peers(address, 300).await;
    let (response, took) = asked(address, "/metrics").await;
    println!("a scrape beside {} idle peers: {took:?}", peers.len());
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(took < LONGEST, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_at_the_greatest_rate_hold_up_nobody() {
    let storm = Storm::with(0).await;
    let cri = storm.daemon.cri().await;
    let root = storm.daemon.home().root().to_owned();
    let mut config = pod_config("chatty", &root);
    config.annotations = labels(&[("resource-slot.kuasar.io/log-lines-per-second", "1000")]);
    let pod = run_pod(&cri, &config).await;
    for index in 0..1000 {
        let mut container = container_config(&format!("app-{index}"));
        container.log_path = format!("app-{index}/0.log");
        started(&cri, &pod, &container).await;
    }
    storm.watch("logs of 1,000 containers").await;
    let written: u64 = (0..1000)
        .map(|index| root.join(format!("chatty/app-{index}/0.log")))
        .map(|log| std::fs::metadata(log).map_or(0, |file| file.len()))
        .sum();
    println!("they have {written} bytes");
    assert!(written > 1 << 20, "{written}");
}

/// Runs a storm, and checks that its memory is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_given_back_after_a_storm() {
    raise_descriptor_limit();
    let storm = Storm::with(8).await;
    let before = storm.daemon.resident();
    let mut running = JoinSet::new();
    for id in &storm.containers {
        let (cri, id): (Cri, _) = (storm.daemon.cri().await, id.clone());
        running.spawn(async move {
            let script = format!("{MUCH} y=$(yes $x | head -c 900000); for i in 1 2 3 4; do echo $y | sort | tr a b > /dev/null & done; wait");
            let _ = exec(&cri, &id, &["sh", "-c", &script], 3).await;
        });
    }
    let peers = async {
        let request = v1::ExecRequest {
            container_id: storm.containers[0].clone(),
            cmd: vec!["true".to_owned()],
            stdout: true,
            ..Default::default()
        };
        let url = storm.daemon.cri().await.exec(request).await.unwrap().url;
        idle_peers(address(&url), 500).await
    };
    let peers = peers.await;
    let mut peak = before;
    while running.try_join_next().is_some() || !running.is_empty() {
        peak = peak.max(storm.daemon.resident());
        tokio::task::yield_now().await;
    }
    drop(peers);
    let limit = before + before.max(64 << 20);
    let after = tests::eventually("the memory to be given back", || {
        let now = storm.daemon.resident();
        (now < limit).then_some(now)
    });
    println!("resident before {before}, at the peak {peak}, after {after}");
}
