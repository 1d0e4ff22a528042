//! The files of `make install`, and the package for Debian, each below a systemd that is booted for
//! the test: both units, the sample of the configuration, the pod for crictl, and clients of the
//! service; installation, upgrade and removal.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::binary;
use tests::node::containerd;

/// The exit code of `systemd/boot` where no systemd can be booted.
const CANNOT: i32 = 77;

/// Time limit of the whole boot, in seconds: the script restarts the service a dozen times.
const LIMIT: &str = "300";

/// Runs a script below a systemd with these files in its root; skipped without systemd or the
/// namespaces it needs.
///
/// # Panics
/// If the script fails; if the test is skipped where `REQUIRE_SYSTEMD` is set.
fn boot(installed: &Path, script: &str) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/systemd");
    let dir = tempfile::tempdir().expect("a directory");
    let (work, output) = (dir.path().join("work"), dir.path().join("output"));
    fs::create_dir(&work).expect("a directory");
    fs::write(&output, "").expect("a file");
    let booted = Command::new("timeout")
        .args(["--signal=KILL", LIMIT])
        .arg(files.join("boot"))
        .args([&work, installed])
        .arg(std::env::current_exe().expect("a test has a path"))
        .arg(files.join(script))
        .arg(&output)
        .stdin(Stdio::null())
        .output()
        .expect("timeout is one of the coreutils");
    let said = String::from_utf8_lossy(&booted.stderr);
    if booted.status.code() == Some(CANNOT) {
        assert!(
            std::env::var_os("REQUIRE_SYSTEMD").is_none(),
            "systemd: {said}"
        );
        eprintln!("SKIPPED: what is installed is NOT tested below systemd: {said}");
        return;
    }
    let output = fs::read_to_string(&output).expect("a file");
    assert_eq!(output.lines().last(), Some("0"), "{said}{output}");
}

#[test]
fn what_make_installs_starts_serves_restarts_and_stops() {
    let installed = tempfile::tempdir().expect("a directory");
    let destination = format!("DESTDIR={}", installed.path().display());
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "install", &destination]);
    made_with_tested_programs(make);
    boot(installed.path(), "script");
}

#[test]
fn the_package_for_debian_installs_upgrades_and_leaves_nothing() {
    let (Some(containerd), true) = (containerd(), Path::new("/usr/bin/dpkg-deb").exists()) else {
        eprintln!("SKIPPED: the package needs a containerd and dpkg");
        return;
    };
    let root = tempfile::tempdir().expect("a directory");
    let packages = root.path().join("packages");
    fs::create_dir(&packages).expect("a directory");
    fs::write(packages.join("begun"), "").expect("a file");
    for version in ["1.0", "1.1"] {
        let mut deb = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/deb"));
        deb.arg(&packages)
            .env("VERSION", version)
            .env("COMPRESSION", "none");
        made_with_tested_programs(deb);
    }
    // The files of a containerd from a package, below its root.
    let bin = root.path().join("usr/bin");
    fs::create_dir_all(&bin).expect("a directory");
    let beside = containerd.parent().expect("in a directory");
    for name in ["containerd", "containerd-shim-runc-v2", "ctr"] {
        fs::copy(beside.join(name), bin.join(name)).expect("containerd's programs");
    }
    let unit = root.path().join("etc/systemd/system/containerd.service");
    fs::create_dir_all(unit.parent().expect("a directory")).expect("a directory");
    fs::write(unit, CONTAINERD_UNIT).expect("a file");
    boot(root.path(), "package");
}

/// A unit with the settings of containerd's own that matter here.
const CONTAINERD_UNIT: &str = "[Service]\nType=notify\nExecStart=/usr/bin/containerd\n\
    KillMode=process\nDelegate=yes\n";

/// Runs a command that installs, with the programs that are tested.
fn made_with_tested_programs(mut command: Command) {
    let program = binary("resource-slot-sandboxer");
    let profile = program.parent().expect("in a directory");
    let target = profile.parent().expect("in a target directory");
    let profile = profile.file_name().expect("a profile").display();
    let made = command
        .arg(format!("TARGET={}", target.display()))
        .arg(format!("PROFILE={profile}"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{said}");
}

/// Clients that `systemd/script` runs below the booted systemd.
mod inside {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use containerd_sandbox::client::Cri;
    use cri_api::v1::{ContainerFilter, ExecRequest, VersionRequest};
    use tests::cri::containers;
    use tests::{PATIENCE, eventually};

    const SOCKET: &str = "/run/resource-slot-sandboxer.sock";

    async fn cri() -> Cri {
        let cri = Cri::connect(Path::new(SOCKET)).await;
        cri.expect("a connection").with_timeout(PATIENCE)
    }

    #[tokio::test]
    #[ignore = "runs below a systemd of its own"]
    async fn the_server_answers() {
        // It may be about to start.
        eventually("a connection", || UnixStream::connect(SOCKET).ok());
        let version = cri().await.version(VersionRequest::default()).await;
        assert_eq!(version.expect("a reply").runtime_api_version, "v1");
    }

    /// Opens a session with a container, at the address STREAMING if it is set.
    #[tokio::test]
    #[ignore = "runs below a systemd of its own"]
    async fn a_session_is_reached() {
        let cri = cri().await;
        let running = containers(&cri, ContainerFilter::default()).await;
        let request = ExecRequest {
            container_id: running.expect("a list").pop().expect("a container"),
            cmd: vec!["echo".to_owned()],
            stdout: true,
            ..Default::default()
        };
        let url = cri.exec(request).await.expect("a URL").url;
        let at = url.strip_prefix("http://").expect("a URL");
        let (address, path) = at.split_once('/').expect("a path");
        if let Ok(expected) = std::env::var("STREAMING") {
            assert_eq!(address, expected);
        }
        let mut stream = TcpStream::connect(address).expect("a connection");
        write!(
            stream,
            "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n"
        )
        .expect("a request");
        let mut line = String::new();
        BufReader::new(stream)
            .read_line(&mut line)
            .expect("a reply");
        assert!(line.contains(" 101 "), "{line}");
    }

    /// Connects until the file `/tmp/enough` exists.
    #[test]
    #[ignore = "runs below a systemd of its own"]
    fn no_connection_is_refused() {
        let mut connected = 0;
        while !Path::new("/tmp/enough").exists() {
            drop(UnixStream::connect(SOCKET).expect("it is never refused"));
            connected += 1;
            std::fs::write("/tmp/connected", "").expect("a file");
            std::thread::yield_now();
        }
        println!("{connected} connections");
        assert!(connected > 10);
    }
}
