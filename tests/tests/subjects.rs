//! `loadgen` with a containerd as its subject: with pods on the sandboxer, and with real containers
//! by runc and crun. Nothing may be left behind: no process, mount or cgroup.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tests::foreign::{found_by, has_program};
use tests::node::containerd;
use tests::{binary, read_json};

/// Environment variable that makes a missing runc a failure, as in CI.
const REQUIRED: &str = "REQUIRE_RUNC";

/// Returns a containerd that can run containers by runc. If there is none, returns `None` and
/// prints that the test is skipped, unless one is required.
fn with_runc() -> Option<PathBuf> {
    containerd().filter(|_| has_program("runc", REQUIRED))
}

/// Returns a PATH on which a crun comes first; `None` if there is none that can run containers below
/// a containerd.
fn path_with_crun() -> Option<OsString> {
    let crun = found_by("crun", "REQUIRE_CRUN")?;
    let path = env::var_os("PATH").unwrap_or_default();
    let places = iter::once(crun).chain(env::split_paths(&path));
    Some(env::join_paths(places).expect("no colon in the directory"))
}

/// Runs a command of loadgen with its files below `files`, which are on a disk: containers need a
/// file system for their roots.
fn loadgen(files: &Path, results: &Path, args: &[&str]) -> Output {
    loadgen_by(Command::new(binary("loadgen")), files, results, args)
}

/// Does the same with a crun on this PATH. crun refuses a machine with controllers of both cgroup
/// v1 and v2, so it gets a view of the file system without those of v2.
fn loadgen_with_crun(path: &OsStr, files: &Path, results: &Path, args: &[&str]) -> Output {
    const SCRIPT: &str = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .env("PATH", path)
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .arg(binary("loadgen"));
    loadgen_by(command, files, results, args)
}

fn loadgen_by(mut command: Command, files: &Path, results: &Path, args: &[&str]) -> Output {
    command
        .args(args)
        .arg("--files")
        .arg(files)
        .arg("--results")
        .arg(results)
        .stdin(Stdio::null())
        .output()
        .expect("loadgen runs")
}

/// Returns the only result that was saved below a directory.
fn result(results: &Path, output: &Output) -> Value {
    let shown = String::from_utf8_lossy(&output.stderr);
    let saved = fs::read_dir(results).expect("results").next();
    let saved = saved.unwrap_or_else(|| panic!("nothing saved: {shown}"));
    read_json(&saved.expect("an entry").path().join("result.json"))
}

/// Checks that no process, mount or cgroup of a run with its files below `files` is left.
fn nothing_is_left(files: &Path) {
    let named = files.to_str().expect("UTF-8");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    let left: Vec<_> = mounts.lines().filter(|line| line.contains(named)).collect();
    assert_eq!(left, Vec::<&str>::new());
    for process in fs::read_dir("/proc").expect("processes").flatten() {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        assert!(!command.contains(named), "{command} is left");
    }
    assert_eq!(fs::read_dir(files).expect("files").count(), 0);
}

/// Returns the cgroups that processes of loadgen have made and not removed.
fn cgroups() -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten();
    let mut found = Vec::new();
    for dir in hierarchies
        .map(|entry| entry.path())
        .chain(["/sys/fs/cgroup".into()])
    {
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        found.extend(entries.map(|entry| entry.path()).filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let id = name
                .strip_prefix("loadgen-")
                .and_then(|rest| rest.split('-').next());
            // Other tests run at the same time.
            id.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
        }));
    }
    found
}

#[test]
fn real_containers_run_and_nothing_of_them_is_left() {
    let Some(containerd) = with_runc() else {
        return;
    };
    let (files, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let subject = format!("containerd:{}?handler=runc", containerd.display());
    let args = [
        "run",
        "--subject",
        &subject,
        "--pods",
        "4",
        "--containers",
        "2",
        "--network",
        "pod",
        "--quiet",
    ];
    let output = loadgen(files.path(), results.path(), &args);
    let shown = String::from_utf8_lossy(&output.stderr);
    let result = result(results.path(), &output);
    assert_eq!(result["errors"], json!([]), "{shown}");
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown} {}",
        result["reasons"]
    );
    assert_eq!(result["totals"]["pods"], 4);
    nothing_is_left(files.path());
    assert_eq!(cgroups(), Vec::<PathBuf>::new());

    // Real processes need more than a daemon's share, and both ways of counting see them.
    let all = result["cpu_of_all"].as_array().expect("a list");
    let of = |name: &str| {
        let found = all.iter().find(|way| way["accounting"] == name);
        found.and_then(|way| way["cpu_s"].as_f64())
    };
    let tree = of("process_tree").expect("a process tree");
    let daemon = result["processes"].as_array().expect("a list").iter();
    let daemon = daemon
        .clone()
        .find(|process| process["role"] == "containerd");
    let daemon = daemon.expect("containerd");
    let daemon = daemon["cpu_user_s"].as_f64().unwrap() + daemon["cpu_system_s"].as_f64().unwrap();
    assert!(tree > daemon + 0.05, "{tree} {daemon}");
    if let Some(cgroup) = of("cgroup") {
        assert!((tree / cgroup - 1.0).abs() < 0.05, "{tree} {cgroup}");
    }

    let software = result["scenario"]["software"].as_array().expect("a list");
    let roles: Vec<_> = software
        .iter()
        .map(|one| one["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["containerd", "containerd-shim-runc-v2", "runc"]);
    assert!(
        software
            .iter()
            .all(|one| one["sha256"].as_str().is_some_and(|h| h.len() == 64))
    );
    let changes = software[0]["configuration"]["changes"]
        .as_array()
        .expect("a list");
    assert!(
        changes.contains(&json!("root = \"DIR/root\"")),
        "{changes:?}"
    );
}

#[test]
fn a_configuration_file_and_variables_reach_containerd() {
    let Some(containerd) = containerd() else {
        return;
    };
    let (files, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = files.path().join("own.toml");
    fs::write(
        &config,
        "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\nmax_container_log_line_size = 77\n",
    )
    .unwrap();
    let subject = format!(
        "containerd:{}?config={}&env=OTEL_SERVICE_NAME=here",
        containerd.display(),
        config.display()
    );
    let below = files.path().join("below");
    fs::create_dir(&below).unwrap();
    let args = ["run", "--subject", &subject, "--pods", "3", "--quiet"];
    let output = loadgen(&below, results.path(), &args);
    let shown = String::from_utf8_lossy(&output.stderr);
    let result = result(results.path(), &output);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{shown} {}",
        result["reasons"]
    );
    let software = result["scenario"]["software"].as_array().expect("a list");
    let containerd = software.iter().find(|one| one["role"] == "containerd");
    let changes = containerd.expect("containerd")["configuration"]["changes"].to_string();
    assert!(
        changes.contains("max_container_log_line_size = 77"),
        "{changes}"
    );
    nothing_is_left(&below);
}

#[test]
fn the_layers_of_an_overhead_include_real_containers() {
    let (Some(containerd), Some(path)) = (with_runc(), path_with_crun()) else {
        return;
    };
    let (files, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let containerd = containerd.to_str().unwrap();
    let args = [
        "overhead",
        "--containerd",
        containerd,
        "--handlers",
        "runc,crun",
        "--pods",
        "3",
        "--rounds",
        "2",
        "--quiet",
    ];
    let output = loadgen_with_crun(&path, files.path(), results.path(), &args);
    let shown = String::from_utf8_lossy(&output.stderr);
    let result = result(results.path(), &output);
    assert_eq!(result["errors"], json!([]), "{shown}");
    let layers = result["layers"].as_array().expect("a list");
    let names: Vec<_> = layers.iter().map(|layer| layer["layer"].clone()).collect();
    let known = [
        json!("floor"),
        json!("direct"),
        json!("cri"),
        json!("containerd"),
    ];
    assert_eq!(names[..4], known);
    assert_eq!(
        names[4..],
        [json!({"handler": "runc"}), json!({"handler": "crun"})]
    );
    let shims = |layer: &Value| {
        let found = layer["processes"].as_array().expect("a list").iter();
        let found = found.clone().find(|process| process["role"] == "shims");
        found.expect("shims")["cpu_ms_per_pod"].as_f64().unwrap()
    };
    for layer in &layers[4..] {
        assert!(shims(layer) > shims(&layers[3]) + 10.0, "{layers:?}");
    }
    nothing_is_left(files.path());
}

/// Checks that the blocks of a gate have rounds with CPU time of both sides.
fn assert_blocks(blocks: &Value) {
    for block in blocks.as_array().expect("a list") {
        assert!(["cgroup", "process_tree"].contains(&block["accounting"].as_str().unwrap()));
        for side in ["base", "head"] {
            let rounds = block[side].as_array().expect("a list");
            let cpu = |round: &Value| round["cpu_ms_per_pod"].as_f64() > Some(1.0);
            assert!(!rounds.is_empty() && rounds.iter().all(cpu), "{block}");
        }
    }
}

#[test]
fn a_gate_and_a_search_run_real_containers() {
    let (Some(containerd), Some(path)) = (with_runc(), path_with_crun()) else {
        return;
    };
    let of = |handler| format!("containerd:{}?handler={handler}", containerd.display());
    let (runc, crun) = (of("runc"), of("crun"));
    let gate = [
        "gate",
        "--base",
        &runc,
        "--head",
        &crun,
        "--pods",
        "2",
        "--containers",
        "1",
        "--max-blocks",
        "8",
        "--quiet",
    ];
    let search = [
        "search",
        "--subject",
        &crun,
        "--slo",
        "pod.p50<60s",
        "--from",
        "2",
        "--up-to",
        "2",
        "--duration",
        "2s",
        "--warm-up",
        "0s",
        "--containers",
        "1",
        "--quiet",
    ];
    for args in [&gate[..], &search] {
        let (files, results) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let output = loadgen_with_crun(&path, files.path(), results.path(), args);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{shown}");
        let result = result(results.path(), &output);
        nothing_is_left(files.path());
        match args[0] {
            "gate" => {
                assert_eq!(result["errors"], json!([]), "{shown}");
                assert_eq!(result["complaints"], json!([]), "{shown}");
                assert_eq!(result["scenario"]["target"], "cri");
                assert_blocks(&result["blocks"]);
            }
            _ => assert_eq!(result["met"], 2.0, "{shown}"),
        }
    }
}

#[test]
fn a_wrong_subject_is_refused_with_what_would_be_right() {
    for (subject, part) in [
        (
            "containerd:/bin/true?hanlder=runc",
            "handler, config, env and sandboxer",
        ),
        ("unix:///run/x.sock?config=a", "unix:///PATH has handler"),
        ("containerd:/no/such/file", "/no/such/file"),
        ("containerd:/bin/true?config=/no/such.toml", "/no/such.toml"),
    ] {
        let results = tempfile::tempdir().unwrap();
        let args = ["run", "--subject", subject, "--pods", "1"];
        let output = loadgen(results.path(), results.path(), &args);
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{subject}: {shown}");
        assert!(shown.contains(part), "{subject}: {shown}");
        assert_eq!(shown.matches(part).count(), 1, "{subject}: {shown}");
    }
    let gate = [
        "gate",
        "--base",
        "/bin/true",
        "--head",
        "containerd:/bin/true",
    ];
    let results = tempfile::tempdir().unwrap();
    let output = loadgen(results.path(), results.path(), &gate);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(
        shown.contains("two sandboxers, or two CRI runtimes"),
        "{shown}"
    );
}
