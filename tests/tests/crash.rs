//! `kill -9` under load: no acknowledged change is lost, and no other one appears.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use containerd_sandbox::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tests::ledger::{self, compare_views, names};
use tests::{Daemon, Home, eventually, pods};
use tokio::task::JoinHandle;

/// Numbers of clients of the task service and of CRI.
const TASK_CLIENTS: usize = 8;
const POD_CLIENTS: usize = 4;

/// A client of one API, with its ledger.
enum Client {
    Tasks(ledger::Client),
    Pods(pods::Client),
}

impl Client {
    fn all(home: &Home) -> Vec<Self> {
        let tasks = (0..TASK_CLIENTS)
            .map(|n| Self::Tasks(ledger::Client::new(format!("w{n}"), home.root())));
        let pods = (0..POD_CLIENTS).map(|n| Self::Pods(pods::Client::new(format!("v{n}"))));
        tasks.chain(pods).collect()
    }

    /// Lets the client take steps until the daemon is gone.
    async fn start(
        self,
        daemon: &Daemon,
        mut rng: ChaCha8Rng,
        acknowledged: Arc<AtomicU64>,
    ) -> JoinHandle<(Self, Error)> {
        match self {
            Self::Tasks(mut client) => {
                let connection = daemon.ttrpc().await;
                client.verify(&connection).await;
                tokio::spawn(async move {
                    let end = client.load(&connection, &mut rng, &acknowledged).await;
                    (Self::Tasks(client), end)
                })
            }
            Self::Pods(mut client) => {
                let connection = daemon.cri().await;
                tokio::spawn(async move {
                    let end = client.load(&connection, &mut rng, &acknowledged).await;
                    (Self::Pods(client), end)
                })
            }
        }
    }

    /// Compares the ledger with the state on the disk and with a daemon that started from it.
    async fn settle(&mut self, inspect: &Value, daemon: &Daemon) {
        match self {
            Self::Tasks(client) => client.settle(inspect),
            Self::Pods(client) => client.settle(&daemon.cri().await).await,
        }
    }
}

/// Kills the daemon at `kills` random moments of a load, and compares the disk with the ledgers of
/// the clients each time. Each round goes on with the directory of the round before.
async fn crash(args: &[&str], seed: u64, kills: u32) -> Home {
    eprintln!("seed {seed}, {args:?}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut home = Home::new(args);
    let has_views = !args.contains(&"off");
    let mut clients = Client::all(&home);
    for round in 0..kills {
        let daemon = home.start();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut loads = Vec::new();
        for client in clients {
            let rng = ChaCha8Rng::seed_from_u64(rng.random());
            loads.push(client.start(&daemon, rng, Arc::clone(&acknowledged)).await);
        }
        let moment = rng.random_range(1..1_000);
        let stopped = eventually("the load to come that far", || {
            let stopped = loads.iter().position(JoinHandle::is_finished);
            (stopped.is_some() || acknowledged.load(Ordering::Relaxed) >= moment).then_some(stopped)
        });
        if let Some(stopped) = stopped {
            let (_, end) = loads.remove(stopped).await.expect("no step was refused");
            panic!("a client was let down before the crash: {end}");
        }
        home = daemon.kill9();
        clients = Vec::new();
        for load in loads {
            clients.push(load.await.expect("no step was refused").0);
        }
        if rng.random_bool(0.25) {
            cut_a_start_short(&home, Duration::from_micros(rng.random_range(0..20_000)));
        }
        let inspect = home.inspect();
        eprintln!(
            "round {round}: {} steps, {} sandboxes",
            acknowledged.load(Ordering::Relaxed),
            inspect["slots"].as_array().map_or(0, Vec::len)
        );
        let daemon = home.start();
        for client in &mut clients {
            client.settle(&inspect, &daemon).await;
        }
        let again = daemon.home().inspect();
        assert_same(&inspect, &again);
        if has_views {
            compare_views(daemon.home(), &again);
        }
        home = daemon.kill9();
    }
    home
}

/// Checks that a start has changed no sandbox, except that it dropped CRI pods whose creation was
/// not complete.
fn assert_same(before: &Value, after: &Value) {
    let slots = |inspect: &Value| inspect["slots"].as_array().cloned().unwrap_or_default();
    let (mut before, after) = (slots(before), slots(after));
    before.retain(|entry| {
        let slot = &entry["slot"];
        slot["sandbox"]["cri"].is_null() || slot["state"] != "created"
    });
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after, "before: {before:#}\nafter: {after:#}");
    }
    assert_eq!(before.len(), after.len());
}

/// Kills a daemon, most likely during its recovery.
fn cut_a_start_short(home: &Home, after: Duration) {
    let mut child = home.command().spawn().expect("the sandboxer starts");
    std::thread::sleep(after);
    child.kill().expect("a child can be killed");
    child.wait().expect("a child can be waited for");
}

/// Arguments that make the journal go through many segments and snapshots.
const COMPACT: [&str; 2] = ["--compact-bytes", "32768"];

fn journal(home: &Home) -> Vec<String> {
    names(&home.dir().join("journal"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_no_acknowledged_change_and_invents_none() {
    crash(&[], 1, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_while_snapshots_replace_segments() {
    let home = crash(&COMPACT, 4, 10).await;
    let files = journal(&home);
    assert!(!files[0].starts_with("00000000000000000001."), "{files:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_while_segments_stay_beside_snapshots() {
    let [flag, bytes] = COMPACT;
    let home = crash(&[flag, bytes, "--history"], 5, 10).await;
    let files = journal(&home);
    assert!(files.len() > 10, "{files:?}");
    assert_eq!(files[0], "00000000000000000001.jsonl");
    assert!(files.iter().any(|name| name.ends_with(".snapshot.jsonl")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_with_views_written_behind() {
    crash(&["--views", "write-behind", "--sync", "interval=1ms"], 2, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_with_every_record_synced() {
    crash(&["--sync", "always"], 3, 5).await;
}

/// Returns the arguments of all modes of the journal and the views.
fn modes() -> impl Iterator<Item = Vec<&'static str>> {
    let syncs = ["none", "interval=1ms", "always"];
    let views = ["write-through", "write-behind", "off"];
    let segments: [&[&str]; 3] = [
        &[],
        &["--compact-bytes", "32768"],
        &["--compact-bytes", "32768", "--history"],
    ];
    syncs.into_iter().flat_map(move |sync| {
        views.into_iter().flat_map(move |views| {
            segments
                .into_iter()
                .map(move |more| [&["--sync", sync, "--views", views], more].concat())
        })
    })
}

/// The test of `make torture`. TORTURE_KILLS and TORTURE_SEED repeat a run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: make torture"]
async fn torture() {
    let number = |name: &str| {
        let value = std::env::var(name).ok()?;
        Some(
            value
                .parse::<u64>()
                .unwrap_or_else(|e| panic!("{name}={value:?}: {e}")),
        )
    };
    let kills = number("TORTURE_KILLS").unwrap_or(1_080);
    let seed = number("TORTURE_SEED").unwrap_or_else(|| RandomState::new().hash_one(()));
    let started = Instant::now();
    let modes: Vec<_> = modes().collect();
    let count = modes.len() as u64;
    let mut total = 0;
    for (n, args) in (0..).zip(&modes) {
        let share = kills / count + u64::from(n < kills % count);
        let share = u32::try_from(share).expect("TORTURE_KILLS is a few thousand at most");
        crash(args, seed.wrapping_add(n), share).await;
        total += share;
    }
    println!(
        "met: {total} times kill -9 under load, in {count} modes of --sync, --views and \
         --compact-bytes, lost nothing acknowledged and invented nothing \
         (TORTURE_SEED={seed}, {:.0} s)",
        started.elapsed().as_secs_f64()
    );
}
