//! Starts that fail, ends by signals, and the protocol of a service manager.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use tests::{Daemon, Home, PATIENCE, binary, eventually, ready_sandbox, request};

/// A program that does not outlive its test.
struct Started(Child);

impl Started {
    fn by(command: &mut Command) -> Self {
        Self(command.spawn().expect("the program starts"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).expect("a child can be signalled");
    }

    fn ended(&mut self) -> ExitStatus {
        eventually("the program to end", || {
            self.0.try_wait().expect("a child can be waited for")
        })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket())
}

fn connects(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

#[test]
fn a_start_that_fails_leaves_no_socket_and_the_stale_one_as_it_is() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let missing = dir.path().join("none.toml");
    let missing = missing.to_str().expect("UTF-8");
    let cases: [&[&str]; 4] = [
        &["--behaviour", missing],
        &["--streaming-listen", &taken],
        &["--metrics-listen", &taken],
        &["--metrics-listen", "192.0.2.1:1"],
    ];
    for args in cases {
        let home = Home::new(args);
        let mut child = Started::by(&mut home.command());
        assert_eq!(child.ended().code(), Some(1), "{args:?}");
        assert!(!home.socket().exists(), "{args:?}: {}", home.log());
        let log = home.log();
        let errors = log.lines().filter(|line| line.starts_with("error: "));
        assert_eq!(errors.count(), 1, "{log}");
        assert_eq!(log.matches(args[1]).count(), 1, "{log}");

        // The stale socket of a killed daemon.
        let home = Home::new(&[]).start().kill9().with(args);
        let before = fs::metadata(home.socket()).expect("a file");
        let mut child = Started::by(&mut home.command());
        assert_eq!(child.ended().code(), Some(1), "{args:?}");
        let after = fs::metadata(home.socket()).expect("a file");
        assert_eq!(
            before.modified().expect("a time"),
            after.modified().expect("a time"),
            "{args:?}"
        );
    }
}

#[tokio::test]
async fn the_socket_of_a_successor_is_left_alone() {
    let first = Daemon::start(&[]);
    let second = Daemon::start(&[]);
    let path = first.home().socket();
    // As if the second had taken the first one's socket for a stale one.
    fs::rename(second.home().socket(), &path).expect("renamed");
    let (home, status) = first.terminate();
    assert!(status.success(), "{}", home.log());
    assert!(connects(&path), "{}", home.log());
    assert!(home.log().contains("left alone"), "{}", home.log());
}

#[tokio::test]
async fn every_signal_to_end_ends_in_good_order() {
    for end in [Signal::TERM, Signal::INT, Signal::HUP] {
        let home = Home::new(&[]);
        let mut child = Started::by(&mut home.command());
        eventually("the socket", || connects(&home.socket()).then_some(()));
        child.signal(end);
        let status = child.ended();
        assert!(status.success(), "{end:?}: {status}\n{}", home.log());
        assert!(!home.socket().exists(), "{end:?}");
        assert!(
            home.log().contains("Stopped with 0 sandboxes kept"),
            "{end:?}"
        );
    }
}

#[test]
fn a_hangup_is_ignored_below_nohup() {
    let home = Home::new(&[]);
    let daemon = home.command();
    let mut child = Started::by(
        Command::new("nohup")
            .arg(daemon.get_program())
            .args(daemon.get_args())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(home.root().join("log")).expect("a log")),
    );
    eventually("the socket", || connects(&home.socket()).then_some(()));
    child.signal(Signal::HUP);
    child.signal(Signal::TERM);
    assert!(child.ended().success(), "{}", home.log());
    assert!(home.log().contains("Stopping on SIGTERM"), "{}", home.log());
}

/// Sandboxes in a journal whose recovery takes longer than a signal.
const MANY: usize = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_during_the_recovery_ends_in_good_order_and_loses_nothing() {
    let daemon = Daemon::start(&["--views", "off"]);
    let client = daemon.ttrpc().await;
    let mut creating = tokio::task::JoinSet::new();
    for n in 0..MANY {
        let client = client.clone();
        creating.spawn(async move {
            let create = request::create_sandbox(&format!("s{n:04}"));
            client.create_sandbox(&create).await.map(drop)
        });
    }
    for created in creating.join_all().await {
        created.expect("created");
    }
    drop(client);
    let home = daemon.kill9();
    fs::remove_file(home.socket()).expect("a stale socket");
    let lock = home.dir().join("lock");
    for end in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut child = Started::by(&mut home.command());
        let pid = child.0.id().to_string();
        // The lock is taken before the journal is read.
        eventually("the lock", || {
            let holder = fs::read_to_string(&lock).unwrap_or_default();
            (holder.trim() == pid).then_some(())
        });
        child.signal(end);
        let status = child.ended();
        assert!(status.success(), "{end:?}: {status}\n{}", home.log());
        assert!(!home.socket().exists(), "{end:?}");
    }
    let slots = home.inspect()["slots"].as_array().expect("slots").len();
    assert_eq!(slots, MANY);
}

#[tokio::test]
async fn the_service_manager_hears_of_the_start_and_the_end_at_an_abstract_address() {
    let name = format!("resource-slot-tests-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("an address");
    let manager = UnixDatagram::bind_addr(&address).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let heard = || {
        let mut message = [0; 64];
        let length = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length])
            .trim()
            .to_owned()
    };
    let home = Home::new(&[]);
    let mut child = Started::by(home.command().env("NOTIFY_SOCKET", format!("@{name}")));
    assert_eq!(heard(), "READY=1");
    assert!(connects(&home.socket()), "it is ready");
    child.signal(Signal::TERM);
    assert_eq!(heard(), "STOPPING=1");
    assert!(child.ended().success(), "{}", home.log());
}

/// Returns the command that starts a daemon with a listening socket, as systemd does: the socket
/// is descriptor 3, and LISTEN_PID is the daemon's own.
fn activated(home: &Home, sockets: &[&UnixListener]) -> Command {
    let daemon = home.command();
    let descriptors = sockets.iter().zip(3..).map(|(socket, number)| {
        fcntl_setfd(socket, FdFlags::empty()).expect("a flag");
        format!("{number}<&{}", socket.as_raw_fd())
    });
    let script = format!(
        "exec {}\nexport LISTEN_PID=$$ LISTEN_FDS=$COUNT\nexec \"$@\"",
        descriptors.collect::<Vec<_>>().join(" ")
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", &script, "activate"])
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .env("COUNT", sockets.len().to_string())
        .stdin(Stdio::null())
        .stderr(
            fs::File::options()
                .create(true)
                .append(true)
                .open(home.root().join("log"))
                .expect("a log"),
        );
    command
}

#[tokio::test]
async fn an_inherited_socket_is_served_and_stays() {
    let home = Home::new(&[]);
    let path = home.socket();
    let socket = UnixListener::bind(&path).expect("a socket");
    for round in 0..2 {
        // The client is there before the daemon.
        let client = containerd_sandbox::client::Ttrpc::connect(&path, "k8s.io").await;
        let client = client
            .expect("it waits in the backlog")
            .with_timeout(PATIENCE);
        let mut child = Started::by(&mut activated(&home, &[&socket]));
        ready_sandbox(&client, &format!("p{round}")).await;
        child.signal(Signal::TERM);
        assert!(child.ended().success(), "{}", home.log());
        assert!(is_socket(&path), "the socket file stays");
        assert!(
            connects(&path),
            "nobody is refused while the daemon is away"
        );
    }
    assert_eq!(home.inspect()["totals"]["all"]["slots"], 2);
    assert!(
        home.log().contains("(of the service manager)"),
        "{}",
        home.log()
    );
}

#[test]
fn unusable_inherited_sockets_refuse_the_start() {
    let home = Home::new(&[]);
    let one = UnixListener::bind(home.root().join("1.sock")).expect("a socket");
    let two = UnixListener::bind(home.root().join("2.sock")).expect("a socket");
    let address = SocketAddr::from_abstract_name(format!("rs-{}", std::process::id()));
    let nameless = UnixListener::bind_addr(&address.expect("an address")).expect("a socket");
    for (sockets, words) in [
        (&[&one, &two][..], "passes 2 sockets"),
        (
            &[&nameless],
            "no Unix socket that accepts connections on a path",
        ),
    ] {
        let mut child = Started::by(&mut activated(&home, sockets));
        assert_eq!(child.ended().code(), Some(1));
        assert!(home.log().contains(words), "{}", home.log());
    }
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    for pid in [None, Some("1")] {
        let home = Home::new(&[]);
        let mut command = home.command();
        command.env("LISTEN_FDS", "1").env_remove("LISTEN_PID");
        if let Some(pid) = pid {
            command.env("LISTEN_PID", pid);
        }
        let mut child = Started::by(&mut command);
        eventually("the socket", || connects(&home.socket()).then_some(()));
        child.signal(Signal::TERM);
        assert!(child.ended().success(), "{}", home.log());
    }
}

/// Starts a daemon with a configuration file, and ends it.
fn starts_with(config: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("config.toml");
    fs::write(&file, config).expect("a file");
    let home = Home::new(&["--config", file.to_str().expect("UTF-8")]);
    let (home, status) = home.start().terminate();
    assert!(status.success(), "{}", home.log());
}

#[test]
fn the_daemon_starts_with_the_sample_of_the_configuration() {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../deploy/resource-slot-sandboxer.toml"
    );
    let sample = fs::read_to_string(sample).expect("a file");
    starts_with(&sample);
    let keys: Vec<&str> = sample
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = ") && !line.ends_with('.'))
        // Examples, of files that do not exist.
        .filter(|line| !line.starts_with("behaviour") && !line.starts_with("images"))
        .collect();
    assert!(keys.len() > 15, "{keys:?}");
    starts_with(&keys.join("\n"));
}

#[test]
fn a_bad_value_in_the_environment_is_told_once_with_the_variable() {
    for (variable, bad) in [
        ("RESOURCE_SLOT_SYNC", "sideways"),
        ("RESOURCE_SLOT_VIEWS", "sideways"),
        ("RESOURCE_SLOT_THREADS", "0"),
        ("RESOURCE_SLOT_COMPACT_BYTES", "many"),
        ("RESOURCE_SLOT_LISTEN", "tcp://x"),
        ("RESOURCE_SLOT_HISTORY", "perhaps"),
        ("RESOURCE_SLOT_CONFIG", "/nowhere/c.toml"),
    ] {
        let home = Home::new(&[]);
        let output = Command::new(binary("resource-slot-sandboxer"))
            .arg("--dir")
            .arg(home.dir())
            .env(variable, bad)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{variable}");
        let said = String::from_utf8_lossy(&output.stderr);
        let once = |words: &str| said.matches(words).count() == 1;
        assert!(once("error: ") && said.contains(bad), "{said}");
        // The path of a file says enough.
        assert!(once(variable) || variable.ends_with("CONFIG"), "{said}");
        assert!(!home.dir().exists(), "{variable}");
    }
}

#[test]
fn a_socket_is_named_by_url_in_both_programs() {
    let home = Home::new(&[]);
    let url = format!("unix://{}", home.socket().display());
    let mut child = Started::by(
        Command::new(binary("resource-slot-sandboxer"))
            .args(["--listen", &url, "--dir"])
            .arg(home.dir())
            .args(["--containerd-address", "unix:///nowhere/containerd.sock"])
            .stdin(Stdio::null())
            .stderr(Stdio::null()),
    );
    eventually("the socket", || connects(&home.socket()).then_some(()));
    let results = home.root().join("results");
    let output = Command::new(binary("loadgen"))
        .args([
            "run",
            "--pods",
            "3",
            "--quiet",
            "--endpoint",
            &url,
            "--results",
        ])
        .arg(results)
        .output()
        .expect("loadgen runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    child.signal(Signal::TERM);
    assert!(child.ended().success());
}
