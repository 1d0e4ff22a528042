//! The files of `make install` below a systemd that is booted for the test: both units, the
//! sample of the configuration, the pod for crictl, and clients of the service.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::binary;

/// The exit code of `systemd/boot` where no systemd can be booted.
const CANNOT: i32 = 77;

/// Time limit of the whole boot, in seconds: the script restarts the service a dozen times.
const LIMIT: &str = "300";

/// Skipped where systemd or the namespaces it needs cannot be had.
///
/// # Panics
/// So it is where `REQUIRE_SYSTEMD` is set.
#[test]
fn what_make_installs_starts_serves_restarts_and_stops() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = here.join("tests/systemd");
    let dir = tempfile::tempdir().expect("a directory");
    let (work, installed) = (dir.path().join("work"), dir.path().join("installed"));
    let output = dir.path().join("output");
    fs::create_dir(&work).expect("a directory");
    fs::write(&output, "").expect("a file");
    install(&installed);
    let booted = Command::new("timeout")
        .args(["--signal=KILL", LIMIT])
        .arg(files.join("boot"))
        .args([&work, &installed])
        .arg(std::env::current_exe().expect("a test has a path"))
        .arg(files.join("script"))
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

/// Runs `make install` with the programs that are tested.
fn install(to: &Path) {
    let program = binary("resource-slot-sandboxer");
    let profile = program.parent().expect("in a directory");
    let target = profile.parent().expect("in a target directory");
    let profile = profile.file_name().expect("a profile").display();
    let made = Command::new("make")
        .args(["--no-print-directory", "install"])
        .arg(format!("DESTDIR={}", to.display()))
        .arg(format!("TARGET={}", target.display()))
        .arg(format!("PROFILE={profile}"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .output()
        .expect("make runs");
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
