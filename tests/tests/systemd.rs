//! The systemd unit as shipped, below a systemd that is booted for the test.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::{PATIENCE, binary};

/// The exit code of `systemd/boot` where no systemd can be booted.
const CANNOT: i32 = 77;

/// Skipped where systemd or the namespaces it needs cannot be had.
///
/// # Panics
/// So it is where `REQUIRE_SYSTEMD` is set.
#[test]
fn the_unit_starts_serves_restarts_and_stops() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = here.join("tests/systemd");
    let dir = tempfile::tempdir().expect("a directory");
    let (work, output) = (dir.path().join("work"), dir.path().join("output"));
    fs::create_dir(&work).expect("a directory");
    fs::write(&output, "").expect("a file");
    let booted = Command::new("timeout")
        .args(["--signal=KILL", &PATIENCE.as_secs().to_string()])
        .arg(files.join("boot"))
        .arg(&work)
        .arg(binary("resource-slot-sandboxer"))
        .arg(here.join("../deploy/systemd/kuasar-resource-slot.service"))
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
        eprintln!("SKIPPED: the systemd unit is NOT tested: {said}");
        return;
    }
    let output = fs::read_to_string(&output).expect("a file");
    assert_eq!(output.lines().last(), Some("0"), "{said}{output}");
}
