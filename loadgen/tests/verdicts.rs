//! Tests of the command lines of `loadgen compare` and `loadgen gate`: exit codes and
//! messages.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use loadgen::record::hdr_log::LogWriter;
use loadgen::record::operation::Operation;
use loadgen::record::recorder::histogram;
use serde_json::{Value, json};

const LOADGEN: &str = env!("CARGO_BIN_EXE_loadgen");

/// A null sandboxer that ends with the test.
struct Null {
    process: Child,
    socket: PathBuf,
}

impl Null {
    fn start(dir: &Path) -> Self {
        let socket = dir.join("null.sock");
        let process = Command::new(LOADGEN)
            .args(["null", "--die-with-parent", "--listen"])
            .arg(&socket)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        while !socket.exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Self { process, socket }
    }

    /// Makes a small run and returns the directory of its result.
    fn run(&self, results: &Path) -> PathBuf {
        let run = Command::new(LOADGEN)
            .args(["run", "--pods", "20", "--quiet", "--endpoint"])
            .arg(&self.socket)
            .arg("--results")
            .arg(results)
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        let mut entries = fs::read_dir(results).unwrap();
        entries.next().unwrap().unwrap().path()
    }
}

impl Drop for Null {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn loadgen(command: &str, args: &[&Path], options: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(LOADGEN)
        .arg(command)
        .args(args)
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// Writes a changed copy of a result, with its log, into a directory of its own.
fn changed(result: &Path, dir: &Path, change: impl FnOnce(&mut Value)) {
    let text = fs::read(result.join("result.json")).unwrap();
    let mut document: Value = serde_json::from_slice(&text).unwrap();
    change(&mut document);
    fs::create_dir_all(dir).unwrap();
    fs::write(
        dir.join("result.json"),
        serde_json::to_vec(&document).unwrap(),
    )
    .unwrap();
    let log = fs::File::create(dir.join("latencies.hlog")).unwrap();
    let mut log = LogWriter::new(log, SystemTime::UNIX_EPOCH).unwrap();
    let second = Duration::from_secs(1);
    for (number, interval) in (0..).zip(document["timeline"].as_array().unwrap()) {
        let mut recorded = Vec::new();
        for figures in interval["operations"].as_array().unwrap() {
            let name = figures["operation"].as_str().unwrap();
            let operation = Operation::try_from(name.to_owned()).unwrap();
            let mut latencies = histogram();
            for place in ["p50_ns", "p99_ns"] {
                let count = figures["count"].as_u64().unwrap();
                latencies.saturating_record_n(figures[place].as_u64().unwrap(), count);
            }
            recorded.push((operation, latencies));
        }
        let histograms = recorded.iter().map(|(operation, one)| (*operation, one));
        log.interval(second * number, second, histograms).unwrap();
    }
    log.finish().unwrap();
}

/// Replaces the seconds of a run by twenty equal ones, slower than its figures by this
/// factor.
fn long(document: &mut Value, slower: f64) {
    let seconds = (0..20).map(|second| {
        let mut operations = document["operations"].clone();
        for operation in operations.as_array_mut().unwrap() {
            for field in [
                "mean_ns", "min_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns",
            ] {
                let value = operation[field].as_f64().unwrap() * slower;
                operation[field] = if field == "mean_ns" {
                    json!(value)
                } else {
                    json!(value.round().to_string().parse::<u64>().unwrap())
                };
            }
        }
        json!({
            "start_s": second, "duration_s": 1.0, "pods": 20, "begun": 20, "rpcs": 400, "errors": 0,
            "in_flight": 1, "operations": operations,
        })
    });
    document["timeline"] = seconds.collect();
    document["operations"] = document["timeline"][0]["operations"].clone();
    document["wall_s"] = json!(20.0);
}

#[test]
fn results_are_compared_and_the_exit_code_says_how() {
    let dir = tempfile::tempdir().unwrap();
    let result = Null::start(dir.path()).run(&dir.path().join("results"));

    // The runs are too short for intervals, and one run a side decides nothing.
    let (code, out, _) = loadgen("compare", &[&result, &result], &[]);
    assert_eq!(code, 4, "{out}");
    assert!(
        out.contains("pod p50") && out.contains("undecided: no interval"),
        "{out}"
    );

    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    changed(&result, &a, |document| long(document, 1.0));
    changed(&result, &b, |document| long(document, 1.5));
    let (code, out, _) = loadgen("compare", &[&a, &b], &["--markdown"]);
    assert_eq!((code, out.contains("| differs |")), (4, true), "{out}");

    // Three runs a side decide. The CPU time of a null sandboxer is not in the way.
    let side = |factor: f64| {
        [0.99, 1.0, 1.01].map(|varies| {
            let run = dir.path().join(format!("{factor}-{varies}"));
            changed(&result, &run, |document| {
                long(document, factor * varies);
                document["processes"] = json!([]);
            });
            run.display().to_string()
        })
    };
    let compare = |[a1, a2, a3]: &[String; 3], [b1, b2, b3]: &[String; 3], more: &[&str]| {
        let sides = ["--a", a1, a2, a3, "--b", b1, b2, b3];
        loadgen("compare", &[], &[&sides[..], more].concat())
    };
    let (fast, slow) = (side(1.0), side(1.5));
    let (code, out, _) = compare(&fast, &fast, &[]);
    assert_eq!(
        (code, out.contains("not slower: pod p50")),
        (0, true),
        "{out}"
    );
    let (code, out, _) = compare(&fast, &slow, &["--markdown"]);
    assert_eq!((code, out.contains("**SLOWER**")), (3, true), "{out}");
    let (code, out, _) = compare(&slow, &fast, &["--json"]);
    let document: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &document["schema"]),
        (0, &json!("resource-slot.loadgen.compare"))
    );
    assert!(out.contains("\"faster\""), "{out}");
    // A difference of 50 % is below 60 %.
    let (code, out, _) = compare(&fast, &slow, &["--min-latency-effect", "60"]);
    assert_eq!(code, 0, "{out}");

    changed(&result, &b, |document| {
        document["scenario"]["seed"] = json!(7);
    });
    let (code, out, err) = loadgen("compare", &[&result, &b], &[]);
    assert_eq!((code, &*out), (1, ""));
    assert!(err.contains("scenario.seed: 42 in A, 7 in B"), "{err}");
    let (code, out, _) = loadgen("compare", &[&result, &b], &["--anyway"]);
    assert_eq!(
        (code, out.starts_with("NOT COMPARABLE")),
        (4, true),
        "{out}"
    );

    changed(&result, &b, |document| {
        document["schema_version"] = json!(99);
    });
    let (code, _, err) = loadgen("compare", &[&result, &b], &["--anyway"]);
    assert_eq!(
        (code, err.contains("schema_version is 99")),
        (1, true),
        "{err}"
    );
}

/// Writes a script that is started as a sandboxer and executes this command line.
fn script(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\nexec {line}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn wrong_replies_end_a_gate_at_any_speed() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("sandboxer");
    // The null sandboxer omits the resources of a pod. `$2` is the value of `--listen`.
    script(
        &program,
        &format!("{LOADGEN} null --die-with-parent --listen \"$2\""),
    );
    let summary = dir.path().join("summary.md");
    let results = dir.path().join("results");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let options = [
        "--base",
        &path(&program),
        "--head",
        &path(&program),
        "--results",
        &path(&results),
        "--markdown",
        &path(&summary),
        "--pods",
        "3",
        "--quiet",
    ];
    let (code, out, err) = loadgen("gate", &[], &options);
    assert_eq!((code, &*out), (2, ""), "{err}");
    assert!(
        err.contains("WRONG ANSWERS") && err.contains("WrongAnswer"),
        "{err}"
    );
    assert!(
        fs::read_to_string(summary)
            .unwrap()
            .starts_with("### gate: WRONG ANSWERS")
    );
    let saved = fs::read_dir(&results)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(saved.join("gate.txt").exists());
    let document: Value =
        serde_json::from_slice(&fs::read(saved.join("result.json")).unwrap()).unwrap();
    assert_eq!(document["schema"], "resource-slot.loadgen.gate");
    assert_eq!(document["decision"], "undecided");
    assert_ne!(document["errors"], json!([]));
}

#[test]
fn a_gate_without_programs_or_rounds_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let results = dir.path().to_str().unwrap();
    let options = [
        "--base",
        "/bin/true",
        "--head",
        "no-such-revision",
        "--results",
        results,
    ];
    let (code, _, err) = loadgen("gate", &[], &options);
    assert_eq!((code, err.contains("no-such-revision")), (1, true), "{err}");
    let options = [
        "--base",
        "/bin/true",
        "--head",
        "/bin/true",
        "--results",
        results,
    ];
    let (code, _, err) = loadgen("gate", &[], &options);
    assert_eq!((code, err.contains("/bin/true ended")), (1, true), "{err}");
    let few = [&options[..], &["--max-blocks", "4"]].concat();
    let (code, _, err) = loadgen("gate", &[], &few);
    assert_eq!((code, err.contains("at least 8")), (1, true), "{err}");
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs a gate of the last commit of a repository against itself, built by `cargo`.
fn gate_of_revisions(repository: &Path, results: &Path, cargo: &Path) -> (i32, String) {
    let output = Command::new(LOADGEN)
        .current_dir(repository)
        .args(["gate", "--base", "HEAD", "--head", "HEAD"])
        .args(["--pods", "2", "--quiet", "--results"])
        .arg(results)
        .env("CARGO", cargo)
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), err)
}

#[test]
fn revisions_are_built_in_worktrees_that_are_removed_again() {
    let dir = tempfile::tempdir().unwrap();
    let of = |name: &str| dir.path().join(name);
    let (repository, results, cargo) = (of("repository"), of("results"), of("cargo"));
    fs::create_dir(&repository).unwrap();
    git(&repository, &["init", "--quiet"]);
    fs::write(repository.join("marker"), "").unwrap();
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "--message", "x"]);

    script(&cargo, "false");
    let (code, err) = gate_of_revisions(&repository, &results, &cargo);
    let commit = git(&repository, &["rev-parse", "HEAD"]);
    let step = format!("build {commit}: cargo build --release -p sandboxer: exit status: 1");
    assert_eq!((code, err.contains(&step)), (1, true), "{err}");

    // The script installs a null sandboxer, but only in the worktree of the commit.
    let program = of("program");
    script(
        &program,
        &format!("{LOADGEN} null --die-with-parent --listen \"$2\""),
    );
    let copy = format!(
        "sh -c 'test -e marker && mkdir -p \"$CARGO_TARGET_DIR/release\" && \
         cp {} \"$CARGO_TARGET_DIR/release/resource-slot-sandboxer\"'",
        program.display()
    );
    script(&cargo, &copy);
    let (code, err) = gate_of_revisions(&repository, &results, &cargo);
    assert_eq!((code, err.contains("WRONG ANSWERS")), (2, true), "{err}");
    let saved = fs::read_dir(&results)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let document = fs::read(saved.join("result.json")).unwrap();
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["base"]["commit"], json!(commit));
    assert_eq!(document["base"]["asked"], "HEAD");

    assert!(repository.join("target/gate/release").is_dir());
    assert_eq!(git(&repository, &["worktree", "list"]).lines().count(), 1);
}
