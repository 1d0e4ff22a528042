//! Directories that are full, read-only or in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use containerd_sandbox::Code;
use cri_api::v1;
use tests::cri::{IMAGE, pull};
use tests::ledger::{compare_views, names};
use tests::{Daemon, Home, eventually, ready_sandbox, request};

/// A tmpfs, unmounted when dropped.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Returns `None` and prints that the test is skipped where mounting is not permitted.
    fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .output()
            .unwrap();
        if mounted.status.success() {
            return Some(Self(at.to_owned()));
        }
        let why = String::from_utf8_lossy(&mounted.stderr);
        eprintln!("SKIPPED: a tmpfs cannot be mounted here: {why}");
        None
    }

    fn remount(&self, options: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // A daemon may still have files open on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn refused(home: &Home) -> String {
    let before = home.log().len();
    let mut child = home.command().spawn().unwrap();
    let status = eventually("the sandboxer to refuse", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1), "{}", home.log());
    home.log().split_off(before)
}

#[tokio::test]
async fn a_full_directory_refuses_new_sandboxes_and_keeps_the_others() {
    let home = Home::new(&[]);
    let Some(tmpfs) = Tmpfs::mount(&home.dir(), "size=1m,mode=0700") else {
        return;
    };
    let daemon = home.start();
    let filler = tmpfs.0.join("filler");
    fs::write(&filler, vec![0; 512 << 10]).unwrap();
    let client = daemon.ttrpc().await;

    let mut kept = Vec::new();
    let mut refused = Vec::new();
    while refused.len() < 20 {
        let id = format!("s{:04}", kept.len() + refused.len());
        match client.create_sandbox(&request::create_sandbox(&id)).await {
            Ok(_) => kept.push(id),
            Err(e) => {
                assert_eq!(e.code(), Code::ResourceExhausted, "{e}");
                assert!(e.to_string().contains("no space to"), "{e}");
                refused.push(id);
            }
        }
        assert!(kept.len() < 2_000, "the directory never fills");
    }
    assert!(kept.len() > 20, "{}", kept.len());
    for id in &kept {
        let status = client.sandbox_status(&request::sandbox_status(id)).await;
        assert_eq!(status.unwrap().state, "SANDBOX_NOTREADY");
        assert!(daemon.view(id).exists(), "{id}");
    }
    for id in &refused {
        let status = client.sandbox_status(&request::sandbox_status(id)).await;
        assert_eq!(status.unwrap_err().code(), Code::NotFound);
        eventually("its directory to go", || {
            (!daemon.home().dir().join(id).exists()).then_some(())
        });
    }

    // A deletion succeeds, although it appends a record.
    let gone = kept.swap_remove(0);
    let request = request::shutdown_sandbox(&gone);
    client.shutdown_sandbox(&request).await.unwrap();
    fs::remove_file(&filler).unwrap();
    ready_sandbox(&client, "after").await;
    client
        .create_sandbox(&request::create_sandbox(&refused[0]))
        .await
        .unwrap();
    kept.extend(["after".to_owned(), refused[0].clone()]);
    kept.sort();

    let home = daemon.kill9();
    let known = |home: &Home| -> Vec<String> {
        let inspect = home.inspect();
        let slots = inspect["slots"].as_array().unwrap().iter();
        slots
            .map(|s| s["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(known(&home), kept);
    let daemon = home.start();
    compare_views(daemon.home(), &daemon.home().inspect());
    assert_eq!(known(daemon.home()), kept);
}

#[tokio::test]
async fn a_full_directory_does_not_keep_the_daemon_from_starting() {
    let home = Home::new(&[]);
    let Some(tmpfs) = Tmpfs::mount(&home.dir(), "size=1m,mode=0700") else {
        return;
    };
    let daemon = home.start();
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let home = daemon.kill9();
    let filler = tmpfs.0.join("filler");
    // Fills the file system.
    assert!(fs::write(&filler, vec![0; 2 << 20]).is_err());
    let daemon = home.start();
    let client = daemon.ttrpc().await;
    let status = client.sandbox_status(&request::sandbox_status("p1")).await;
    assert_eq!(status.unwrap().state, "SANDBOX_READY");
    let refused = client.create_sandbox(&request::create_sandbox("p2")).await;
    assert_eq!(refused.unwrap_err().code(), Code::ResourceExhausted);
    fs::remove_file(&filler).unwrap();
    ready_sandbox(&client, "p2").await;
}

#[tokio::test]
async fn a_read_only_directory_is_refused_at_the_start() {
    let home = Home::new(&[]);
    let Some(tmpfs) = Tmpfs::mount(&home.dir(), "size=1m,mode=0700") else {
        return;
    };
    let daemon = home.start();
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let home = daemon.kill9();
    tmpfs.remount("ro");
    let said = refused(&home);
    let dir = home.dir().display().to_string();
    assert!(said.contains("error: "), "{said}");
    assert!(said.contains(&dir), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert_eq!(home.inspect()["slots"][0]["id"], "p1", "inspect only reads");
    tmpfs.remount("rw");
    let daemon = home.start();
    let client = daemon.ttrpc().await;
    let status = client.sandbox_status(&request::sandbox_status("p1")).await;
    assert_eq!(status.unwrap().state, "SANDBOX_READY");
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_disturbs_nobody() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    let files = names(&daemon.home().dir());

    let said = refused(daemon.home());
    let dir = daemon.home().dir().display().to_string();
    let words = format!(
        "{dir} is in use by another sandboxer (pid {})",
        daemon.pid()
    );
    assert!(said.contains(&words), "{said}");

    // The second daemon has another directory and the same socket.
    let other = Home::new(&[]);
    let out = Command::new(tests::binary("resource-slot-sandboxer"))
        .arg("--listen")
        .arg(daemon.home().socket())
        .arg("--dir")
        .arg(other.dir())
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let said = String::from_utf8_lossy(&out.stderr);
    let socket = daemon.home().socket().display().to_string();
    assert!(said.contains(&format!("listen on {socket}")), "{said}");
    assert!(said.contains("another process accepts"), "{said}");

    ready_sandbox(&client, "p2").await;
    assert_eq!(names(&daemon.home().dir()).len(), files.len() + 1);
}

#[tokio::test]
async fn the_socket_and_lock_of_a_killed_daemon_do_not_block_a_start() {
    let home = Daemon::start(&[]).kill9();
    assert!(home.socket().exists(), "kill -9 leaves the socket");
    let daemon = home.start();
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
}

/// Returns the only file of this name below the directories of damaged files.
fn kept(home: &Home, name: &str) -> Vec<u8> {
    let journal = fs::read_dir(home.dir().join("journal")).expect("a journal");
    let paths = journal.map(|entry| entry.expect("an entry").path());
    let found: Vec<_> = paths
        .filter(|path| path.is_dir())
        .map(|path| path.join(name))
        .filter(|path| path.exists())
        .collect();
    let [only] = &found[..] else {
        panic!("{name} is kept once: {found:?}");
    };
    fs::read(only).expect("it is readable")
}

#[tokio::test]
async fn a_damaged_file_beside_the_journal_stops_the_start_until_it_is_set_aside() {
    for (file, content) in [
        ("images.json", ""),
        ("images.json", "{\"images\":[{"),
        ("images.json", "[]"),
        ("journal/format", ""),
        ("journal/format", "one"),
    ] {
        let daemon = Daemon::start(&[]);
        pull(&daemon.cri().await, IMAGE).await;
        ready_sandbox(&daemon.ttrpc().await, "p1").await;
        let home = daemon.kill9();
        let path = home.dir().join(file);
        fs::write(&path, content).expect("damaged");
        let log = refused(&home);
        assert!(log.contains(path.to_str().unwrap()), "{log}");
        assert!(log.contains("--recover would"), "{log}");
        assert_eq!(fs::read_to_string(&path).expect("kept"), content);

        let daemon = home.with(&["--recover"]).start();
        assert_eq!(daemon.slots(), ["p1"]);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert_eq!(kept(daemon.home(), name), content.as_bytes());
        pull(&daemon.cri().await, IMAGE).await;
        let daemon = daemon.kill9().with(&[]).start();
        assert_eq!(daemon.slots(), ["p1"]);
    }
}

#[tokio::test]
async fn a_missing_last_segment_stops_the_start_until_it_is_given_up() {
    let daemon = Daemon::start(&[]);
    ready_sandbox(&daemon.ttrpc().await, "p1").await;
    let home = daemon.kill9();
    let segment = home.dir().join("journal/00000000000000000001.jsonl");
    fs::remove_file(&segment).expect("removed");
    let log = refused(&home);
    assert!(log.contains("the last segment is missing"), "{log}");
    let daemon = home.with(&["--recover"]).start();
    assert!(daemon.slots().is_empty());
    ready_sandbox(&daemon.ttrpc().await, "p2").await;
    let daemon = daemon.kill9().with(&[]).start();
    assert_eq!(daemon.slots(), ["p2"]);
}

#[tokio::test]
async fn unfinished_files_of_a_killed_daemon_are_removed_at_the_start() {
    let daemon = Daemon::start(&[]);
    pull(&daemon.cri().await, IMAGE).await;
    let home = daemon.kill9();
    let left = [
        ".images.json.tmp",
        "journal/format.tmp",
        "journal/00000000000000000009.snapshot.jsonl.tmp",
    ]
    .map(|name| home.dir().join(name));
    for path in &left {
        fs::write(path, "{").expect("written");
    }
    let daemon = home.start();
    let images = daemon.cri().await;
    let images = images.list_images(v1::ListImagesRequest::default()).await;
    assert_eq!(images.expect("a list").images.len(), 1);
    for path in &left {
        assert!(!path.exists(), "{}", path.display());
    }
}
