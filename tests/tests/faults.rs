//! System calls that fail while the sandboxer runs: writes, syncs, file descriptors. RPCs fail
//! with the right code, memory and disk agree afterwards, and service resumes by itself.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use containerd_sandbox::client::Ttrpc;
use containerd_sandbox::{Code, Error};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tests::ledger::compare_views;
use tests::{Daemon, Home, eventually, ready_sandbox, request, running_container};

/// An strace that lets some system calls of a process fail until it is dropped.
struct Strace {
    child: Child,
    log: tempfile::NamedTempFile,
}

impl Strace {
    /// Returns `None` and prints that the test is skipped where strace is missing or may not attach.
    ///
    /// # Panics
    /// In that case if `REQUIRE_STRACE` is set.
    fn inject(daemon: &Daemon, file: &Path, fault: &str) -> Option<Self> {
        let skipped = |why: &dyn std::fmt::Display| {
            assert!(
                std::env::var_os("REQUIRE_STRACE").is_none(),
                "strace: {why}"
            );
            eprintln!("SKIPPED: failing system calls are NOT tested: {why}");
            None
        };
        let log = tempfile::NamedTempFile::new().unwrap();
        let spawned = Command::new("strace")
            .args(["-f", "-p", &daemon.pid().to_string(), "-P"])
            .arg(file)
            .args(["-e", &format!("inject={fault}"), "-o", "/dev/null"])
            .stderr(log.reopen().unwrap())
            .stdin(Stdio::null())
            .spawn();
        let mut strace = match spawned {
            Ok(child) => Self { child, log },
            Err(e) => return skipped(&e),
        };
        let is_attached = eventually("strace to attach", || {
            if strace.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            strace.said().contains("attached").then_some(true)
        });
        if !is_attached {
            return skipped(&strace.said());
        }
        Some(strace)
    }

    fn said(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // SIGTERM makes strace detach; SIGKILL could leave a thread stopped.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn segment(home: &Home) -> std::path::PathBuf {
    home.dir().join("journal/00000000000000000001.jsonl")
}

async fn create(client: &Ttrpc, id: &str) -> Result<(), Error> {
    let request = request::create_sandbox(id);
    client.create_sandbox(&request).await.map(drop)
}

async fn is_known(client: &Ttrpc, id: &str) -> bool {
    let status = client.sandbox_status(&request::sandbox_status(id)).await;
    match status {
        Ok(_) => true,
        Err(e) if e.code() == Code::NotFound => false,
        Err(e) => panic!("{e}"),
    }
}

/// Kills the daemon and checks that a start finds exactly these sandboxes, with their views.
fn these_are_kept(daemon: Daemon, expected: &[&str]) {
    let daemon = daemon.kill9().start();
    assert_eq!(daemon.slots(), expected);
    compare_views(daemon.home(), &daemon.home().inspect());
}

#[tokio::test]
async fn an_append_that_fails_changes_nothing() {
    for (errno, code, words) in [
        ("EIO", Code::Unavailable, "error 5"),
        ("EROFS", Code::Unavailable, "error 30"),
        ("ENOSPC", Code::ResourceExhausted, "no space"),
        ("EDQUOT", Code::ResourceExhausted, "no space"),
    ] {
        let daemon = Daemon::start(&[]);
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, "p1").await;
        running_container(&daemon, &client, "p1", "c1").await;
        let file = segment(daemon.home());
        let Some(strace) = Strace::inject(&daemon, &file, &format!("write:error={errno}")) else {
            return;
        };
        let refused = [
            create(&client, "p2").await,
            client
                .stop_sandbox(&request::stop_sandbox("p1"))
                .await
                .map(drop),
            client.pause(&request::pause("c1")).await.map(drop),
            client.kill(&request::kill("c1", "", 9)).await.map(drop),
        ];
        // The signal is accepted, and the process ends when its end can be recorded.
        for refused in &refused[..3] {
            let error = refused.as_ref().expect_err(errno);
            assert_eq!(error.code(), code, "{errno}: {error}");
            assert!(error.to_string().contains(words), "{errno}: {error}");
        }
        assert!(!is_known(&client, "p2").await);
        let state = client.state(&request::state("c1", "")).await.unwrap();
        assert_eq!(state.exit_status, 0, "{errno}");
        drop(strace);

        create(&client, "p2").await.unwrap();
        client
            .stop_sandbox(&request::stop_sandbox("p1"))
            .await
            .unwrap();
        these_are_kept(daemon, &["p1", "p2"]);
    }
}

#[tokio::test]
async fn a_failed_sync_fails_the_request_and_a_snapshot_restores_durability() {
    let daemon = Daemon::start(&["--sync", "always"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let file = segment(daemon.home());
    let Some(strace) = Strace::inject(&daemon, &file, "fdatasync:error=EIO:when=1") else {
        return;
    };
    let error = create(&client, "p2").await.expect_err("it is not durable");
    assert_eq!(error.code(), Code::Unavailable, "{error}");
    drop(strace);
    // A client would retry. The sandbox may exist, because only its durability was unknown.
    let mut tries = 0;
    while let Err(e) = create(&client, "p3").await {
        assert_eq!(e.code(), Code::Unavailable, "{e}");
        tries += 1;
        assert!(tries < 1_000, "service does not resume");
    }
    let known = ["p1", "p2", "p3"];
    let mut expected = Vec::new();
    for id in known {
        if is_known(&client, id).await {
            expected.push(id);
        }
    }
    assert!(expected.contains(&"p1") && expected.contains(&"p3"));
    these_are_kept(daemon, &expected);
}

#[tokio::test]
async fn without_descriptors_calls_fail_or_wait_and_then_go_on() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let pid = i32::try_from(daemon.pid()).ok().and_then(Pid::from_raw);
    let open = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
    let open = open.count() as u64;
    let most = Rlimit {
        current: Some(open),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    let before = prlimit(pid, Resource::Nofile, most).unwrap();
    // The connection waits in the backlog.
    let late = std::os::unix::net::UnixStream::connect(daemon.home().socket()).unwrap();
    let mut refused = Vec::new();
    for n in 0..10 {
        let id = format!("q{n}");
        if let Err(e) = create(&client, &id).await {
            assert!(
                [Code::ResourceExhausted, Code::Unavailable].contains(&e.code()),
                "{e}"
            );
            assert!(!is_known(&client, &id).await);
            refused.push(id);
        }
    }
    assert!(is_known(&client, "p1").await);
    prlimit(pid, Resource::Nofile, before).unwrap();

    let second = daemon.ttrpc().await;
    for id in &refused {
        create(&second, id).await.unwrap();
    }
    drop(late);
    let log = daemon.home().log();
    assert!(log.contains("cannot accept connections"), "{log}");
    let mut expected: Vec<String> = (0..10).map(|n| format!("q{n}")).collect();
    expected.insert(0, "p1".to_owned());
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    these_are_kept(daemon, &expected);
}
