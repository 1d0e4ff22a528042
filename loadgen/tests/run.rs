//! Tests of `loadgen run` against a fake sandboxer with right and wrong replies.

mod fake;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fake::{Fake, Lie, Listening};
use loadgen::record::operation::Operation;
use loadgen::result::RunResult;
use rustix::process::{Pid, Signal, kill_process};

struct Run {
    code: i32,
    result: Option<RunResult>,
    stdout: String,
    stderr: String,
}

fn command(results: &Path, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command
        .arg("run")
        .arg("--results")
        .arg(results)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn saved(results: &Path) -> Option<RunResult> {
    let mut entries = std::fs::read_dir(results).unwrap();
    let dir = entries.next()?.unwrap().path();
    assert!(entries.next().is_none(), "one run, one directory");
    for name in [
        "latencies.hlog",
        "operations.csv",
        "timeline.csv",
        "report.html",
    ] {
        assert!(dir.join(name).exists(), "{name}");
    }
    let json = std::fs::read(dir.join("result.json")).unwrap();
    Some(serde_json::from_slice(&json).unwrap())
}

fn ended(output: Output, results: &Path) -> Run {
    Run {
        code: output.status.code().expect("no signal"),
        result: saved(results),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn run_against(fake: &Arc<Fake>, args: &[&str]) -> Run {
    let listening = Listening::start(fake).await;
    let results = tempfile::tempdir().unwrap();
    let mut command = command(results.path(), args);
    command.arg("--endpoint").arg(&listening.socket);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    ended(output.await.unwrap(), results.path())
}

/// Sandboxers other than the one of this project need not report resources.
#[tokio::test(flavor = "multi_thread")]
async fn a_sandboxer_that_states_no_resources_is_not_compared() {
    let run = run_against(&Fake::new(Lie::NoInfo), &["--pods", "5"]).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let notes = run.result.unwrap().notes;
    assert!(notes[0].starts_with("5 statuses say nothing"), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_against_a_correct_sandboxer_is_valid() {
    let fake = Fake::new(Lie::None);
    let run = run_against(&fake, &["--pods", "50", "--namespace", "tests"]).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert_eq!(fake.left(), (0, 0));
    assert!(!fake.wait_was_late.load(Ordering::SeqCst));
    assert!(fake.namespaces.lock().unwrap().iter().all(|n| n == "tests"));
    assert!(run.stdout.contains("task create"), "{}", run.stdout);
    let result = run.result.unwrap();
    assert!(result.complete && result.valid, "{:?}", result.reasons);
    assert_eq!((result.totals.pods, result.totals.errors), (50, 0));
    let count = |operation: Operation| {
        let mut operations = result.operations.iter();
        let found = operations.find(|figures| figures.operation == operation);
        found.map_or(0, |figures| figures.count)
    };
    assert_eq!(count(Operation::SandboxShutdown), 50);
    assert_eq!(count(Operation::SandboxGone), 50);
    assert_eq!(count(Operation::TaskCreate), count(Operation::TaskDelete));
    assert_eq!(count(Operation::TaskCreate), count(Operation::TaskWait));
    let roles: Vec<_> = result.processes.iter().map(|p| &*p.role).collect();
    assert_eq!(roles, ["sandboxer", "loadgen"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_but_a_wait_has_a_time_on_the_wire() {
    let args = ["--pods", "50", "--concurrency", "8", "--connections", "2"];
    let run = run_against(&Fake::new(Lie::None), &args).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let result = run.result.unwrap();
    for told in &result.operations {
        let Some(wire) = result.wire_of(told.operation) else {
            assert_eq!(told.operation, Operation::TaskWait);
            continue;
        };
        assert_eq!(wire.count, told.count, "{wire:?}");
        assert!(wire.mean_ns <= told.mean_ns, "{wire:?} {told:?}");
    }
    assert_eq!(result.wire.len(), result.operations.len() - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_share_the_plan_and_change_no_request() {
    let mut hashes = Vec::new();
    for args in [
        &["--threads", "1"][..],
        &["--threads", "3", "--concurrency", "7"],
    ] {
        let fake = Fake::new(Lie::None);
        let run = run_against(&fake, &[args, &["--pods", "40"]].concat()).await;
        assert_eq!(run.code, 0, "{}", run.stderr);
        let result = run.result.unwrap();
        assert_eq!(result.totals.pods, 40);
        assert_eq!(fake.created.load(Ordering::SeqCst), 40);
        hashes.push(result.plan_hash);
    }
    assert_eq!(hashes[0], hashes[1]);
}

/// Each lie, the operation that reveals it, the code of the failure, and a part of its
/// message.
const LIES: &[(Lie, Operation, &str, &str)] = &[
    (
        Lie::WrongSandboxId,
        Operation::SandboxStatus,
        "WrongAnswer",
        "sandbox id",
    ),
    (
        Lie::SandboxNotReady,
        Operation::SandboxStatus,
        "WrongAnswer",
        "SANDBOX_NOTREADY",
    ),
    (
        Lie::OneMillicoreOff,
        Operation::SandboxStatus,
        "WrongAnswer",
        "cpu_limit",
    ),
    (
        Lie::OneByteOff,
        Operation::SandboxStatus,
        "WrongAnswer",
        "memory_limit",
    ),
    (
        Lie::NullInsteadOfPids,
        Operation::SandboxStatus,
        "WrongAnswer",
        "pid_limit is null",
    ),
    (
        Lie::WrongTaskId,
        Operation::TaskState,
        "WrongAnswer",
        "task id",
    ),
    (
        Lie::TaskNotRunning,
        Operation::TaskState,
        "WrongAnswer",
        "CREATED",
    ),
    (Lie::WrongPid, Operation::TaskState, "WrongAnswer", "pid"),
    (
        Lie::WrongExitOfWait,
        Operation::TaskWait,
        "WrongAnswer",
        "exit status",
    ),
    (
        Lie::WrongExitOfDelete,
        Operation::TaskDelete,
        "WrongAnswer",
        "exit status",
    ),
    (
        Lie::EarlyWait,
        Operation::TaskWait,
        "WrongAnswer",
        "before Kill, with exit status 137",
    ),
    (
        Lie::StillReady,
        Operation::SandboxStatus,
        "WrongAnswer",
        "SANDBOX_READY",
    ),
    (
        Lie::TaskStillRunning,
        Operation::TaskState,
        "WrongAnswer",
        "STOPPED",
    ),
    (
        Lie::CreateFails,
        Operation::SandboxCreate,
        "ResourceExhausted",
        "no room",
    ),
    (
        Lie::StartFails,
        Operation::TaskStart,
        "Aborted",
        "start refused",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_lie_is_reported_and_leaves_nothing_behind() {
    for &(lie, operation, code, words) in LIES {
        let fake = Fake::new(lie);
        let run = run_against(&fake, &["--pods", "6", "--no-progress"]).await;
        assert_eq!(run.code, 2, "{lie:?}: {}{}", run.stdout, run.stderr);
        assert_eq!(fake.left(), (0, 0), "{lie:?}");
        let result = run.result.unwrap();
        assert!(result.complete && !result.valid, "{lie:?}");
        let totals = &result.totals;
        assert_eq!((totals.pods, totals.pods_failed), (0, 6), "{lie:?}");
        assert_eq!((totals.errors, totals.pods_left_behind), (6, 0), "{lie:?}");
        for error in &result.errors {
            assert_eq!(
                (error.operation, &*error.code),
                (operation, code),
                "{lie:?}"
            );
            assert!(error.example.contains(words), "{lie:?}: {}", error.example);
            assert!(run.stdout.contains(&error.example), "{lie:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_never_answered_is_a_missed_deadline() {
    let fake = Fake::new(Lie::NeverWait);
    let run = run_against(&fake, &["--pods", "2", "--timeout", "200ms"]).await;
    assert_eq!(run.code, 2, "{}", run.stderr);
    let result = run.result.unwrap();
    assert_eq!(result.errors[0].operation, Operation::TaskWait);
    assert_eq!(result.errors[0].code, "DeadlineExceeded");
    assert_eq!(fake.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_cannot_be_removed_are_counted() {
    let fake = Fake::new(Lie::ShutdownFails);
    let run = run_against(&fake, &["--pods", "3"]).await;
    assert_eq!(run.code, 2);
    assert_eq!(run.result.unwrap().totals.pods_left_behind, 3);
    assert!(
        run.stdout.contains("3 pods could not be removed"),
        "{}",
        run.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_or_task_that_stays_is_counted() {
    for (lie, operation) in [
        (Lie::StillThere, Operation::SandboxGone),
        (Lie::DeleteFails, Operation::TaskDelete),
    ] {
        let run = run_against(&Fake::new(lie), &["--pods", "3", "--quiet"]).await;
        assert_eq!(run.code, 2, "{lie:?}");
        let result = run.result.unwrap();
        assert_eq!(result.errors[0].operation, operation, "{lie:?}");
        assert_eq!(run.stdout, "");
        assert!(run.stderr.contains("3 errors"), "{lie:?}: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_another_client_are_left_alone() {
    let fake = Fake::new(Lie::AlreadyThere);
    let run = run_against(&fake, &["--pods", "3"]).await;
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert_eq!(run.result.unwrap().errors[0].code, "AlreadyExists");
    assert_eq!(fake.removals.load(Ordering::SeqCst), 0);
}

/// The run makes more calls than the queue of a connection takes, all pending at once.
#[tokio::test(flavor = "multi_thread")]
async fn many_pending_waits_hold_up_no_other_call() {
    let args = [
        "--pods",
        "600",
        "--concurrency",
        "600",
        "--connections",
        "1",
    ];
    let args = [&args[..], &["--containers", "3", "--timeout", "20s"]].concat();
    let run = run_against(&Fake::new(Lie::None), &args).await;
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

/// Starts a run with pods that all hang in `StartSandbox` before this function returns.
async fn held(fake: &Arc<Fake>, socket: &Path, results: &Path) -> std::process::Child {
    let mut command = command(results, &["--pods", "1000", "--concurrency", "8"]);
    let child = command.arg("--endpoint").arg(socket).spawn().unwrap();
    while fake.created.load(Ordering::SeqCst) < 8 {
        fake.held.notified().await;
    }
    child
}

async fn output(child: std::process::Child) -> Output {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap());
    output.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_lets_pods_end_and_saves_a_partial_result() {
    for signal in [Signal::INT, Signal::TERM] {
        let fake = Fake::new(Lie::HoldStarts);
        let listening = Listening::start(&fake).await;
        let results = tempfile::tempdir().unwrap();
        let mut child = held(&fake, &listening.socket, results.path()).await;
        interrupt(&mut child, signal);
        fake.release.send_replace(true);
        let run = ended(output(child).await, results.path());
        assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("PARTIAL"), "{}", run.stdout);
        let result = run.result.unwrap();
        assert!(!result.complete && !result.valid);
        assert_eq!(result.totals.pods, 8, "those under way and no more");
        assert_eq!(fake.left(), (0, 0));
    }
}

/// Sends a signal and returns when the program has confirmed it.
fn interrupt(child: &mut std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
    let mut said = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().starts_with("Interrupted")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_ends_at_once_without_a_result() {
    let fake = Fake::new(Lie::HoldStarts);
    let listening = Listening::start(&fake).await;
    let results = tempfile::tempdir().unwrap();
    let mut child = held(&fake, &listening.socket, results.path()).await;
    interrupt(&mut child, Signal::INT);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let run = ended(output(child).await, results.path());
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(run.stderr.contains("aborted"), "{}", run.stderr);
    assert!(run.result.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandboxer_that_dies_ends_the_run_early() {
    let fake = Fake::new(Lie::HoldStarts);
    let listening = Listening::start(&fake).await;
    let results = tempfile::tempdir().unwrap();
    let child = held(&fake, &listening.socket, results.path()).await;
    listening.die().await;
    let run = ended(output(child).await, results.path());
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    let result = run.result.unwrap();
    assert!(!result.complete);
    assert_eq!(result.totals.errors, 8, "one per worker and no more");
    assert_eq!(result.errors[0].code, "Unavailable");
    assert!(
        result.reasons.iter().any(|r| r.contains("lost")),
        "{:?}",
        result.reasons
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_goes_to_standard_output_alone() {
    let fake = Fake::new(Lie::None);
    let run = run_against(&fake, &["--pods", "3", "--json", "--quiet"]).await;
    let result: RunResult = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(Some(result), run.result);
    assert_eq!(run.stderr, "");
}

fn without_a_server(args: &[&str]) -> Run {
    let results = tempfile::tempdir().unwrap();
    let output = command(results.path(), args).output().unwrap();
    ended(output, results.path())
}

#[test]
fn usage_and_environment_errors_are_exit_code_1() {
    for (args, words) in [
        (&["--pods", "many"][..], "many"),
        (&["--bogus"], "--bogus"),
        (
            &["--endpoint", "/no/such.sock", "--pods", "1"],
            "no sandboxer answers",
        ),
        (
            &["--sandboxer", "/no/such/file", "--pods", "1"],
            "/no/such/file",
        ),
        (
            &["--sandboxer", "/bin/false", "--pods", "1"],
            "ended (exit status: 1)",
        ),
    ] {
        let run = without_a_server(args);
        assert_eq!(run.code, 1, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert!(run.result.is_none());
    }
}

#[test]
fn a_sandboxer_that_dies_at_its_start_shows_its_log() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("broken");
    std::fs::write(&script, "#!/bin/sh\necho cannot do $1 >&2\nexit 3\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    let run = without_a_server(&["--pods", "1", "--sandboxer", script.to_str().unwrap()]);
    assert_eq!(run.code, 1);
    for words in ["exit status: 3", "cannot do --listen"] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn help_and_completions_are_good() {
    for args in [
        &["--help"][..],
        &["run", "--help"],
        &["completions", "bash"],
        &["--version"],
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_loadgen"))
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty());
    }
}
