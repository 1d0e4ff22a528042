//! Large numbers of objects: the tests of `make scale`, on optimised programs. Each prints its
//! measurements and whether its bar is met.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use containerd_sandbox::client::Ttrpc;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use tests::{Daemon, Home, bundle, eventually, raise_descriptor_limit, request, small, spec};
use tokio::task::JoinSet;

const PODS: u64 = 100_000;
const CONTAINERS: u64 = 2;
/// Number of clients, each with a connection of its own.
const CLIENTS: u64 = 32;

/// Prints a measurement and whether it meets its bar.
fn verdict(is_met: bool, what: &str) -> bool {
    println!("{}: {what}", if is_met { "met" } else { "MISSED" });
    is_met
}

/// Returns an id of 64 characters, as containerd's are.
fn id(kind: &str, n: u64) -> String {
    format!("{kind}{n:063x}")
}

/// Calls `each` for the numbers below `count`, spread over [`CLIENTS`] connections.
async fn for_each<F>(daemon: &Daemon, count: u64, each: impl Fn(Ttrpc, u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(daemon.ttrpc().await);
    }
    let mut under_way = JoinSet::new();
    for n in 0..count {
        if n >= 4 * CLIENTS {
            under_way
                .join_next()
                .await
                .expect("some")
                .expect("it went well");
        }
        // The remainder is less than CLIENTS.
        let client = &clients[usize::try_from(n % CLIENTS).unwrap_or(0)];
        under_way.spawn(each(client.clone(), n));
    }
    while let Some(done) = under_way.join_next().await {
        done.expect("it went well");
    }
}

async fn pod(client: Ttrpc, files: PathBuf, n: u64) {
    let sandbox = id("f", n);
    tests::ready_sandbox(&client, &sandbox).await;
    let bundle = bundle(&files, &sandbox, &spec(&sandbox, &small()));
    for c in 0..CONTAINERS {
        let container = id(&format!("{c}"), n);
        let create = request::create(&container, &bundle);
        client.create(&create).await.expect("create");
        client
            .start(&request::start(&container, ""))
            .await
            .expect("start");
    }
}

/// Measures reading the journal and parsing each line, either into JSON values or only for the
/// validity of the JSON.
fn read_and_parse<T: DeserializeOwned>(home: &Home) -> Duration {
    let begun = Instant::now();
    for entry in fs::read_dir(home.dir().join("journal")).expect("a journal") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|ext| ext == "jsonl") {
            parse::<T>(&path);
        }
    }
    begun.elapsed()
}

fn parse<T: DeserializeOwned>(path: &Path) {
    let mut file = BufReader::with_capacity(1 << 18, fs::File::open(path).expect("a file"));
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line).expect("readable") > 0 {
        let _: T = serde_json::from_slice(&line).expect("JSON");
        line.clear();
    }
}

/// Parses the duration of the last recovery from the log: `in 1.2s` at the end of the line.
fn recovery(home: &Home) -> Duration {
    let log = home.log();
    let line = log.lines().rfind(|line| line.contains("Recovered"));
    let took = line
        .and_then(|line| line.rsplit_once("in "))
        .expect("a line")
        .1;
    let number: String = took
        .chars()
        .take_while(|c| !c.is_alphabetic() && *c != 'µ')
        .collect();
    let number: f64 = number.parse().expect("a number");
    let unit = match took.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        other => panic!("{other} is no unit"),
    };
    Duration::from_secs_f64(number * unit)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make scale"]
async fn a_hundred_thousand_pods() {
    raise_descriptor_limit();
    let home = Home::new(&["--views", "off"]);
    let files = tempfile::tempdir_in("/dev/shm").expect("room in memory");
    let daemon = home.start();
    let empty = daemon.resident();
    let path = files.path().to_owned();
    for_each(&daemon, PODS, |client, n| pod(client, path.clone(), n)).await;
    let full = daemon.resident();
    let per_pod = (full - empty) / PODS;
    let mut ok = verdict(
        per_pod <= 3_000,
        &format!(
            "{PODS} pods of {CONTAINERS} containers: {per_pod} bytes resident each, at most 3000"
        ),
    );

    let heard = Arc::new(AtomicU64::new(0));
    let client = daemon.ttrpc().await;
    let mut waits = JoinSet::new();
    for n in 0..PODS {
        let (client, heard) = (client.clone(), Arc::clone(&heard));
        waits.spawn(async move {
            let wait = request::wait(&id("0", n), "");
            assert_eq!(client.wait(&wait).await.expect("an end").exit_status, 137);
            heard.fetch_add(1, Ordering::Relaxed);
        });
    }
    // Calls on one connection are read in order and answered in any order: the last one waits
    // when the daemon's memory no longer grows.
    let mut before = full;
    eventually("all to wait", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = daemon.resident();
        let is_still = now < before + (before >> 10);
        before = now;
        is_still.then_some(())
    });
    let per_wait = (daemon.resident() - full) / PODS;
    println!("{PODS} blocked Waits on one connection: {per_wait} bytes resident each");
    for_each(&daemon, PODS, |client, n| async move {
        let kill = request::kill(&id("0", n), "", 9);
        client.kill(&kill).await.expect("kill");
    })
    .await;
    while let Some(wait) = waits.join_next().await {
        wait.expect("it ended");
    }
    ok &= verdict(
        heard.load(Ordering::Relaxed) == PODS,
        "each of them returned at the end",
    );

    let mut home = daemon.kill9();
    let (mut parsing, mut skipping) = (Vec::new(), Vec::new());
    for _ in 0..7 {
        let parsed = read_and_parse::<Value>(&home);
        let skipped = read_and_parse::<IgnoredAny>(&home);
        let daemon = home.start();
        let took = recovery(daemon.home()).as_secs_f64();
        parsing.push(took / parsed.as_secs_f64());
        skipping.push(took / skipped.as_secs_f64());
        home = daemon.kill9();
    }
    let (parsing, skipping) = (median(parsing), median(skipping));
    ok &= verdict(
        skipping <= 3.0,
        &format!(
            "recovery takes {skipping:.2} times as long as reading the same bytes and seeing that \
             they are JSON, at most 3 ({parsing:.2} times as long as parsing them into values)"
        ),
    );
    assert!(ok);
}

/// Measures the 99th percentile of this many calls, one after the other.
async fn status_p99(client: &Ttrpc, ids: impl Iterator<Item = String>) -> f64 {
    let mut all = Vec::new();
    for id in ids {
        let status = request::sandbox_status(&id);
        let begun = Instant::now();
        client.sandbox_status(&status).await.expect("a status");
        all.push(begun.elapsed().as_secs_f64());
    }
    all.sort_by(f64::total_cmp);
    all[all.len() * 99 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make scale"]
async fn a_million_sandboxes() {
    const SANDBOXES: u64 = 1_000_000;
    const ROUNDS: u64 = 15;
    const CALLS: u64 = 2_000;
    let args = ["--views", "off", "--log-level", "warn"];
    let (full, empty) = (Daemon::start(&args), Daemon::start(&args));
    let before = full.resident();
    for_each(&full, SANDBOXES, |client, n| async move {
        let create = request::create_sandbox(&id("f", n));
        client.create_sandbox(&create).await.expect("create");
    })
    .await;
    let each = (full.resident() - before) / SANDBOXES;
    println!("{SANDBOXES} sandboxes: {each} bytes resident each");
    let (to_full, to_empty) = (full.ttrpc().await, empty.ttrpc().await);
    let create = request::create_sandbox(&id("f", 0));
    to_empty.create_sandbox(&create).await.expect("create");
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let ids = (0..CALLS).map(|n| id("f", (round * CALLS + n) * 7_919 % SANDBOXES));
        let one = (0..CALLS).map(|_| id("f", 0));
        let with_many = status_p99(&to_full, ids).await;
        ratios.push(with_many / status_p99(&to_empty, one).await);
    }
    let ratio = median(ratios);
    let what = format!(
        "p99 of a status among {SANDBOXES} sandboxes is {ratio:.2} of what it is among one, \
         at most 3"
    );
    assert!(verdict(ratio <= 3.0, &what));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make scale"]
async fn ten_thousand_connections() {
    const CONNECTIONS: u64 = 10_000;
    raise_descriptor_limit();
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    tests::ready_sandbox(&client, "p1").await;
    let before = daemon.resident();
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(daemon.ttrpc().await);
    }
    let mut answered = 0;
    for client in &clients {
        let ping = request::ping_sandbox("p1");
        client.ping_sandbox(&ping).await.expect("a reply");
        answered += 1;
    }
    let each = (daemon.resident() - before) / CONNECTIONS;
    let what = format!("{CONNECTIONS} connections are answered: {each} bytes resident each");
    assert!(verdict(answered == CONNECTIONS, &what));
    drop(clients);
    let fds = || fs::read_dir(format!("/proc/{}/fd", daemon.pid())).map(Iterator::count);
    eventually("them to be closed", || {
        fds().is_ok_and(|open| open < 100).then_some(())
    });
}
