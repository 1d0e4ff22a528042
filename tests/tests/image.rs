//! The image of a container that `scripts/image` builds, run by runc below a containerd.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use loadgen::server::containerd::{Containerd, Home};
use loadgen::stop::Stop;
use tests::binary;
use tests::foreign::has_program;
use tests::node::containerd;

/// Environment variable that makes a missing buildah or runc a failure, as in CI.
const REQUIRED: &str = "REQUIRE_BUILDAH";

/// Returns a containerd; `None` if the test is skipped.
fn with_builder() -> Option<PathBuf> {
    let has_both = ["buildah", "runc"]
        .iter()
        .all(|name| has_program(name, REQUIRED));
    has_both.then(containerd).flatten()
}

fn succeeded(command: &mut Command) -> String {
    let ran: Output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{command:?}: {said}");
    String::from_utf8(ran.stdout).expect("text")
}

#[test]
fn the_image_runs_its_load_generator_against_its_sandboxer() {
    let Some(program) = with_builder() else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/image");
    let programs = binary("loadgen").parent().expect("a directory").to_owned();
    let archive = succeeded(Command::new(script).arg(dir.path()).arg(programs));
    let ctr = program.with_file_name("ctr");
    let home = Home::new(dir.path(), None, None).expect("containerd's files");
    let containerd = Containerd::start(program, home, &Stop::new()).expect("containerd starts");
    let socket = containerd.home().socket();
    let ctr = |args: &[&str]| {
        let mut command = Command::new(&ctr);
        succeeded(command.arg("--address").arg(&socket).args(args))
    };
    // It is unpacked when it is run.
    ctr(&["images", "import", "--no-unpack", archive.trim_end()]);
    let images = ctr(&["images", "list", "--quiet"]);
    let image = images.lines().find(|name| name.contains("/resource-slot:"));
    let image = image.unwrap_or_else(|| panic!("{images}"));
    let run = |id: &str, command: &[&str]| {
        let start = ["run", "--rm", "--snapshotter", "native", image, id];
        ctr(&[&start, command].concat())
    };
    let table = run(
        "smoke",
        &["loadgen", "run", "smoke", "--results", "/tmp/results"],
    );
    assert!(
        table.contains("100 pods") && table.contains("0 errors"),
        "{table}"
    );
    assert!(run("plan", &["slotplan", "--version"]).starts_with("slotplan "));
}
