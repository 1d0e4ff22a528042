//! The programs in odd surroundings: outputs that take nothing, limits of the system, signals,
//! terminals that are poor or silent, and variables that are set to nothing.

use std::fs::File;
use std::io::{PipeReader, Read, pipe};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use containerd_sandbox::Code;
use containerd_sandbox::client::Ttrpc;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tests::{Daemon, Home, PATIENCE, binary, eventually, ready_sandbox, request};

/// A sandboxer whose standard error is not the usual log. Dropping it kills the process.
struct Sandboxer {
    home: Home,
    child: Child,
}

impl Sandboxer {
    fn start(stderr: impl Into<Stdio>) -> Self {
        let home = Home::new(&[]);
        let child = home.command().stderr(stderr).spawn().unwrap();
        eventually("the sandboxer to accept connections", || {
            std::os::unix::net::UnixStream::connect(home.socket()).ok()
        });
        Self { home, child }
    }

    async fn client(&self) -> Ttrpc {
        let client = Ttrpc::connect(&self.home.socket(), "k8s.io").await;
        client.unwrap().with_timeout(PATIENCE)
    }

    /// Stops the sandboxer, which must end well.
    fn stop(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        let status = eventually("the sandboxer to stop", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Sandboxer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates and removes pods; each logs a few lines.
async fn churn(client: &Ttrpc, pods: u32) {
    for pod in 0..pods {
        let id = format!("pod{pod}");
        ready_sandbox(client, &id).await;
        let stop = request::stop_sandbox(&id);
        client.stop_sandbox(&stop).await.unwrap();
        let shutdown = request::shutdown_sandbox(&id);
        client.shutdown_sandbox(&shutdown).await.unwrap();
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_no_call_and_tells_its_gap() {
    let (mut reader, writer) = pipe().unwrap();
    let sandboxer = Sandboxer::start(writer);
    let client = sandboxer.client().await;
    // Several times the capacity of a pipe (64 KiB, pipe(7)).
    churn(&client, 2000).await;
    let mut log = vec![0; 32 << 10];
    reader.read_exact(&mut log).unwrap();
    // Later lines come through again, after the number of those that did not.
    ready_sandbox(&client, "after").await;
    sandboxer.stop();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    let gap = rest.find(" lines of the log were lost here");
    let after = rest.find("sandbox: after");
    assert!(gap.is_some() && gap < after, "{rest}");
}

#[tokio::test]
async fn a_log_on_a_full_disk_or_without_a_reader_fails_no_call() {
    let without_reader = || pipe().unwrap().1;
    let full = File::options().write(true).open("/dev/full").unwrap();
    for stderr in [Stdio::from(full), Stdio::from(without_reader())] {
        let sandboxer = Sandboxer::start(stderr);
        churn(&sandboxer.client().await, 3).await;
        sandboxer.stop();
    }
}

#[test]
fn an_error_that_cannot_be_printed_has_its_exit_code() {
    for program in ["resource-slot-sandboxer", "loadgen"] {
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let mut wrong = Command::new(binary(program));
        wrong.args(["report", "/no/such/result", "--no-such-option"]);
        assert_eq!(wrong.stderr(full()).status().unwrap().code(), Some(1));
        let mut help = Command::new(binary(program));
        help.arg("--help").stdout(full());
        let Output { status, stderr, .. } = help.output().unwrap();
        let shown = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(1), "{shown}");
        assert!(shown.contains("No space left"), "{shown}");
    }
    let mut inspect = Command::new(binary("resource-slot-sandboxer"));
    inspect.args(["inspect", "--dir", "/no/such/dir"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(inspect.stderr(full).status().unwrap().code(), Some(1));
}

#[tokio::test]
async fn a_limit_of_file_sizes_is_like_a_full_disk() {
    // The limit also holds for the log, which is a file.
    let daemon = Daemon::start(&["--log-level", "error"]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "before").await;
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).unwrap());
    let limit = |current| {
        let maximum = getrlimit(Resource::Fsize).maximum;
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    limit(Some(4 << 10));
    let mut error = None;
    for pod in 0..200 {
        let create = request::create_sandbox(&format!("pod{pod}"));
        if let Err(e) = client.create_sandbox(&create).await {
            error = Some(e);
            break;
        }
    }
    let error = error.expect("a journal of 4 KiB has no room for 200 pods");
    assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    let status = request::sandbox_status("before");
    assert!(client.sandbox_status(&status).await.is_ok());
    limit(getrlimit(Resource::Fsize).current);
    ready_sandbox(&client, "after").await;
    assert!(daemon.terminate().1.success());
}

#[tokio::test]
async fn signals_without_a_meaning_are_survived() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).unwrap()).unwrap();
    for (signal, name) in [(Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        kill_process(pid, signal).unwrap();
        eventually("the signal to be logged", || {
            let log = daemon.home().log();
            log.contains(&format!("Ignored {name}")).then_some(())
        });
    }
    ready_sandbox(&client, "after").await;
}

#[test]
fn a_run_without_a_reader_of_its_progress_ends_well() {
    let results = tempfile::tempdir().unwrap();
    let (mut reader, writer): (PipeReader, _) = pipe().unwrap();
    let mut loadgen = Command::new(binary("loadgen"));
    loadgen.args(["run", "smoke", "--pods", "20", "--results"]);
    let child = loadgen.arg(results.path()).stderr(writer).spawn().unwrap();
    drop(loadgen);
    reader.read_exact(&mut [0]).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

/// Runs a shell command on a pseudo-terminal at whose other end nobody answers, and returns
/// what it printed with its exit code; `None` without the program `script`.
fn on_a_silent_terminal(command: &str, term: &str) -> Option<(String, Option<i32>)> {
    let output = Command::new("script")
        .args(["-qec", command, "/dev/null"])
        .env("TERM", term)
        .env("SHELL", "/bin/bash")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Some((text, output.status.code()))
        }
        Err(e) => {
            eprintln!("SKIPPED: loadgen on a terminal is NOT tested: script: {e}");
            None
        }
    }
}

fn run_of(pods: u32, results: &tempfile::TempDir) -> String {
    let (loadgen, results) = (binary("loadgen"), results.path());
    format!(
        "{} run smoke --pods {pods} --results {}",
        loadgen.display(),
        results.display()
    )
}

#[test]
fn a_terminal_that_answers_nothing_shows_the_view_and_costs_no_time() {
    let results = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let Some((text, code)) = on_a_silent_terminal(&run_of(20, &results), "xterm") else {
        return;
    };
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("last second"), "{text}");
    let questions = ["\x1b[6n", "\x1b[c", "\x1b[5n"];
    assert!(
        !questions.iter().any(|asked| text.contains(asked)),
        "{text:?}"
    );
    assert!(begun.elapsed() < PATIENCE);
}

#[test]
fn a_dumb_terminal_gets_plain_lines() {
    for term in ["dumb", ""] {
        let results = tempfile::tempdir().unwrap();
        let Some((text, code)) = on_a_silent_terminal(&run_of(20, &results), term) else {
            return;
        };
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("Running 20 pods"), "{text}");
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}

#[test]
fn a_run_in_the_background_of_a_terminal_is_not_stopped() {
    let results = tempfile::tempdir().unwrap();
    // With job control, a background job is a process group of its own. `wait` returns when
    // the job is stopped, too, and then with the signal.
    let command = format!("set -m; {} & wait $!", run_of(20, &results));
    let Some((text, code)) = on_a_silent_terminal(&command, "xterm") else {
        return;
    };
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("20 pods ("), "{text}");
    assert!(!text.contains("last second"), "{text:?}");
}

#[test]
fn variables_that_are_set_to_nothing_count_as_not_set() {
    let mut plan = Command::new(binary("loadgen"));
    plan.args(["plan", "smoke"]);
    for name in ["PODS", "SEED", "SCENARIO", "CONTAINERS", "POD"] {
        plan.env(format!("LOADGEN_{name}"), "");
    }
    let output = plan.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");

    let home = Home::new(&[]);
    let mut command = home.command();
    for name in [
        "METRICS_LISTEN",
        "HISTORY",
        "CONFIG",
        "ALLOW_UID",
        "BEHAVIOUR",
        "LOG_LEVEL",
        "CONTAINERD_ADDRESS",
    ] {
        command.env(format!("RESOURCE_SLOT_{name}"), "");
    }
    let mut child = command.spawn().unwrap();
    eventually("the sandboxer to accept connections", || {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{ended:?}: {}", home.log());
        std::os::unix::net::UnixStream::connect(home.socket()).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_umask_that_masks_the_owner_does_no_harm() {
    let root = tempfile::tempdir().unwrap();
    let (results, home) = (root.path().join("results"), Home::new(&[]));
    // Root may enter any directory, so the modes are compared.
    let masked = |program: &str, args: &[&std::ffi::OsStr]| {
        let mut command = Command::new("sh");
        let script = "umask 0777; exec \"$0\" \"$@\"";
        command.args(["-c", script]).arg(binary(program)).args(args);
        command
    };
    let run = ["run", "smoke", "--pods", "3", "--quiet", "--results"];
    let mut args: Vec<_> = run.map(std::ffi::OsStr::new).to_vec();
    args.push(results.as_os_str());
    let status = masked("loadgen", &args).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(mode(&results), 0o700);

    let (socket, dir) = (home.socket(), home.dir());
    let args = ["--listen".as_ref(), socket.as_os_str()];
    let args = [args, ["--dir".as_ref(), dir.as_os_str()]].concat();
    let mut child = masked("resource-slot-sandboxer", &args).spawn().unwrap();
    eventually("the sandboxer to accept connections", || {
        std::os::unix::net::UnixStream::connect(&socket).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("lock")), 0o600);
}

fn mode(path: &std::path::Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_run_whose_generator_was_stopped_is_not_valid() {
    let results = tempfile::tempdir().unwrap();
    let mut loadgen = Command::new(binary("loadgen"));
    loadgen.args(["run", "smoke", "--rate", "20", "--duration", "4s"]);
    loadgen
        .args(["--warm-up", "0s", "--results"])
        .arg(results.path());
    let (reader, writer) = pipe().unwrap();
    let mut child = loadgen
        .stderr(writer)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    drop(loadgen);
    let pid = Pid::from_child(&child);
    // The first line of progress comes after two seconds of load.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(reader));
    let of_load = |line: &String| line.contains(" pods/s") || line.contains("/s pods");
    lines.by_ref().map(Result::unwrap).find(of_load).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2500));
    kill_process(pid, Signal::CONT).unwrap();
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let run = std::fs::read_dir(results.path()).unwrap().next().unwrap();
    let result = tests::read_json(&run.unwrap().path().join("result.json"));
    let reasons = result["reasons"].to_string();
    assert!(reasons.contains("stood still for"), "{reasons}");
}

#[test]
fn a_view_on_a_terminal_leaves_redirected_output_alone() {
    let results = tempfile::tempdir().unwrap();
    let file = results.path().join("output");
    let command = format!("{} >{}", run_of(20, &results), file.display());
    let Some((text, code)) = on_a_silent_terminal(&command, "xterm") else {
        return;
    };
    assert_eq!(code, Some(0), "{text}");
    let output = std::fs::read_to_string(&file).unwrap();
    assert!(output.starts_with("operation"), "{output:?}");
    assert!(text.contains("last second"), "{text}");
}

#[test]
fn the_error_of_the_system_is_told_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("below");
    let cut_off = root.path().join("result.json");
    std::fs::write(&cut_off, "{").unwrap();
    let home = || Home::new(&[]);
    let told = |command: &mut Command, error: &str| {
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let line = text.lines().last().unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(line.matches(error).count(), 1, "{line}");
    };
    for option in ["--metrics-listen", "--streaming-listen"] {
        let home = home();
        told(home.command().args([option, &address]), "os error 98");
    }
    let mut sandboxer = Command::new(binary("resource-slot-sandboxer"));
    told(sandboxer.arg("--dir").arg(&below), "os error 20");
    let mut report = Command::new(binary("loadgen"));
    told(report.arg("report").arg(&cut_off), "EOF");
}
