//! `kill -9` in mid-load: nothing acknowledged is lost, nothing is invented.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tests::ledger::{Client, compare_views, names};
use tests::{Home, eventually};
use tokio::task::JoinHandle;

const CLIENTS: usize = 12;

/// Kills the daemon at `rounds` random moments of a load, and compares what is
/// on the disk with what the clients were told, each time on the directory that
/// the round before left.
async fn crash(args: &[&str], seed: u64, rounds: u32) -> Home {
    eprintln!("seed {seed}, {args:?}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut home = Home::new(args);
    let files = home.root().to_owned();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|n| Client::new(format!("w{n}"), &files))
        .collect();
    for round in 0..rounds {
        let daemon = home.start();
        let acknowledged = Arc::new(AtomicU64::new(0));
        let mut loads = Vec::new();
        for mut client in clients {
            let connection = daemon.ttrpc().await;
            client.verify(&connection).await;
            let acknowledged = Arc::clone(&acknowledged);
            let mut rng = ChaCha8Rng::seed_from_u64(rng.random());
            loads.push(tokio::spawn(async move {
                let end = client.load(&connection, &mut rng, &acknowledged).await;
                (client, end)
            }));
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
        let inspect = home.inspect();
        eprintln!(
            "round {round}: {} steps, {} sandboxes",
            acknowledged.load(Ordering::Relaxed),
            inspect["slots"].as_array().map_or(0, Vec::len)
        );
        for client in &mut clients {
            client.settle(&inspect);
        }
        let daemon = home.start();
        home = daemon.kill9();
        let again = home.inspect();
        assert_eq!(again["slots"], inspect["slots"]);
        compare_views(&home, &again);
    }
    home
}

/// Arguments that let the journal go through many segments and snapshots.
const COMPACT: [&str; 2] = ["--compact-bytes", "32768"];

fn journal(home: &Home) -> Vec<String> {
    names(&home.dir().join("journal"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_acknowledged_and_invents_nothing() {
    crash(&[], 1, 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_when_snapshots_replace_the_journals_segments() {
    let home = crash(&COMPACT, 4, 10).await;
    let files = journal(&home);
    assert!(!files[0].starts_with("00000000000000000001."), "{files:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_when_the_segments_stay_beside_the_snapshots() {
    let [flag, bytes] = COMPACT;
    let home = crash(&[flag, bytes, "--history"], 5, 10).await;
    let files = journal(&home);
    assert!(files.len() > 10, "{files:?}");
    assert_eq!(files[0], "00000000000000000001.jsonl");
    assert!(files.iter().any(|name| name.ends_with(".snapshot.jsonl")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_when_views_are_written_behind() {
    crash(&["--views", "write-behind", "--sync", "interval=1ms"], 2, 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_does_it_when_every_record_is_synced() {
    crash(&["--sync", "always"], 3, 5).await;
}
