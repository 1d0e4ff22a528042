//! State after an orderly stop, and starts on a directory that was changed from outside.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use containerd_sandbox::client::Ttrpc;
use containerd_shim_protos::api::Status;
use serde_json::{Value, json};
use tests::ledger::compare_views;
use tests::{Daemon, Home, ready_sandbox, request, running_container};

async fn two_pods(daemon: &Daemon) -> Ttrpc {
    let client = daemon.ttrpc().await;
    for pod in ["p1", "p2"] {
        ready_sandbox(&client, pod).await;
        for n in 1..=2 {
            running_container(daemon, &client, pod, &format!("{pod}-c{n}")).await;
        }
    }
    client
}

/// Returns the path of the journal's newest segment.
fn segment(home: &Home) -> PathBuf {
    let files = fs::read_dir(home.dir().join("journal")).unwrap();
    let paths = files.map(|entry| entry.unwrap().path());
    let segments = paths.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    segments.max().expect("a segment")
}

/// Starts a daemon that must fail and returns its standard error.
fn refused(home: &Home) -> String {
    let mut child = home.command().spawn().unwrap();
    let status = tests::eventually("the sandboxer to refuse", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1), "{}", home.log());
    home.log()
}

#[tokio::test]
async fn a_stop_keeps_all_state_and_a_start_goes_on_with_it() {
    let daemon = Daemon::start(&[]);
    let client = two_pods(&daemon).await;
    let pid = client
        .state(&request::state("p1-c2", ""))
        .await
        .unwrap()
        .pid;
    client.kill(&request::kill("p1-c1", "", 15)).await.unwrap();

    let (home, status) = daemon.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(!home.socket().exists());
    assert!(home.log().contains("Stopped with 2 sandboxes kept"));
    let before = home.inspect();

    let daemon = home.start();
    let client = daemon.ttrpc().await;
    let ended = client.wait(&request::wait("p1-c1", "")).await.unwrap();
    assert_eq!(ended.exit_status, 143);
    let state = client.state(&request::state("p1-c2", "")).await.unwrap();
    assert_eq!((state.status.unwrap(), state.pid), (Status::RUNNING, pid));
    assert_eq!(daemon.home().inspect()["slots"], before["slots"]);

    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(&request::wait("p1-c2", "")).await }
    });
    client.kill(&request::kill("p1-c2", "", 9)).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().exit_status, 137);
    // New processes have other process ids than the old ones.
    running_container(&daemon, &client, "p2", "late").await;
    let late = client.state(&request::state("late", "")).await.unwrap();
    let inspect = before.to_string();
    assert!(!inspect.contains(&late.pid.to_string()), "{}", late.pid);
}

#[tokio::test]
async fn an_exec_that_ends_while_no_daemon_runs_ends_at_the_start() {
    let daemon = Daemon::start(&[]);
    let client = two_pods(&daemon).await;
    let exec = request::exec("p1-c1", "nap", &["sleep", "1"]);
    client.exec(&exec).await.unwrap();
    client.start(&request::start("p1-c1", "nap")).await.unwrap();
    let daemon = daemon.kill9().start();
    let client = daemon.ttrpc().await;
    let ended = client.wait(&request::wait("p1-c1", "nap")).await.unwrap();
    assert_eq!(ended.exit_status, 0);
}

#[tokio::test]
async fn views_are_repaired_and_foreign_files_are_left_alone() {
    let daemon = Daemon::start(&[]);
    two_pods(&daemon).await;
    let home = daemon.kill9();
    let dir = home.dir();
    fs::remove_file(dir.join("p1/resource_info.json")).unwrap();
    fs::write(dir.join("p2/resource_info.json"), "{\"cpu_lim").unwrap();
    fs::write(
        dir.join("p2/containers/p2-c1/resource_info.json"),
        json!({ "cpu_limit": 99.0 }).to_string(),
    )
    .unwrap();
    fs::remove_dir_all(dir.join("p1/containers/p1-c1")).unwrap();
    let unknown = dir.join("unknown/containers/c");
    fs::create_dir_all(&unknown).unwrap();
    fs::write(unknown.join("resource_info.json"), "{}").unwrap();

    let home = home.start().kill9();
    compare_views(&home, &home.inspect());

    let foreign = dir.join("backup");
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("notes.txt"), "mine").unwrap();
    fs::write(dir.join("README"), "mine, too").unwrap();
    let daemon = home.start();
    let home = daemon.home();
    assert_eq!(
        fs::read_to_string(foreign.join("notes.txt")).unwrap(),
        "mine"
    );
    assert_eq!(fs::read_to_string(dir.join("README")).unwrap(), "mine, too");
    let log = home.log();
    let warnings = log
        .lines()
        .filter(|line| line.contains("more than views: left alone"));
    assert_eq!(warnings.count(), 2, "{log}");
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_nothing_else() {
    let daemon = Daemon::start(&[]);
    two_pods(&daemon).await;
    let home = daemon.kill9();
    let before = home.inspect();
    let segment = segment(&home);
    let whole = fs::read(&segment).unwrap();
    let last = whole.split_inclusive(|b| *b == b'\n').next_back().unwrap();
    let torn = &last[..last.len() / 2];
    fs::File::options()
        .append(true)
        .open(&segment)
        .unwrap()
        .write_all(torn)
        .unwrap();
    assert_eq!(home.inspect()["journal"]["torn_bytes"], torn.len());

    let home = home.start().kill9();
    let cut = format!("its {} bytes are left out", torn.len());
    assert!(home.log().contains(&cut), "{}", home.log());
    assert_eq!(home.inspect()["slots"], before["slots"]);
    assert_eq!(home.inspect()["journal"]["torn_bytes"], 0);

    let daemon = home.start();
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p3").await;
    let home = daemon.kill9();
    assert_eq!(home.inspect()["slots"].as_array().unwrap().len(), 3);
}

/// Changes one byte in the line that contains `needle`, and returns the number of the line.
fn corrupt(path: &Path, needle: &str) -> usize {
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().position(|line| line.contains(needle)).unwrap();
    fs::write(path, text.replacen(needle, &needle.to_uppercase(), 1)).unwrap();
    line + 1
}

#[tokio::test]
async fn a_damaged_journal_is_refused_without_recover() {
    let daemon = Daemon::start(&[]);
    two_pods(&daemon).await;
    let home = daemon.kill9();
    let segment = segment(&home);
    let line = corrupt(&segment, "p1-c2");
    let damaged = fs::read(&segment).unwrap();

    let said = refused(&home);
    for words in [
        format!("{}, line {line}: ", segment.display()),
        "checksum".to_owned(),
        "--recover would drop".to_owned(),
        "of sandbox p1".to_owned(),
    ] {
        assert!(said.contains(&words), "{words} is missing:\n{said}");
    }
    assert_eq!(
        fs::read(&segment).unwrap(),
        damaged,
        "a refusal changes nothing"
    );

    let daemon = home.with(&["--recover"]).start();
    let log = daemon.home().log();
    assert!(log.contains(&format!("line {line}: ")), "{log}");
    assert!(log.contains("lost"), "{log}");
    let client = daemon.ttrpc().await;
    for (id, found) in [("p1-c1", true), ("p1-c2", false), ("p2-c2", true)] {
        let state = client.state(&request::state(id, "")).await;
        assert_eq!(state.is_ok(), found, "{id}: {state:?}");
    }
    let home = daemon.kill9();
    // The dropped records stay dropped, and the next start finds no damage.
    let daemon = home.with(&[]).start();
    let inspect = daemon.home().inspect();
    assert_eq!(inspect["journal"]["damage"], json!([]));
    compare_views(daemon.home(), &inspect);
}

#[tokio::test]
async fn inspect_works_beside_a_running_daemon() {
    let daemon = Daemon::start(&[]);
    two_pods(&daemon).await;
    let inspect = daemon.home().inspect();
    let ids: Vec<&Value> = inspect["slots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|slot| &slot["id"])
        .collect();
    assert_eq!(ids, ["p1", "p2"]);
    assert_eq!(inspect["totals"]["ready"]["containers_running"], 4);
    compare_views(daemon.home(), &inspect);
    let dir = daemon.home().dir();
    let out = tests::run(
        "resource-slot-sandboxer",
        &["inspect", "--containers", "--dir", dir.to_str().unwrap()],
    );
    assert!(out.status.success());
    let table = String::from_utf8(out.stdout).unwrap();
    for words in ["p1", "p2-c2", "-/64Mi", "0.5/1"] {
        assert!(table.contains(words), "{words} is missing:\n{table}");
    }
}
