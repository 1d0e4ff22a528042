//! Helpers of end-to-end tests: they start the shipped binaries, send requests, and wait for
//! conditions with a deadline.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use containerd_sandbox::client::{Controller, Cri, Ttrpc};
use containerd_shim_protos::api;
use containerd_shim_protos::sandbox_api;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::{Value, json};
use tempfile::TempDir;

pub mod cri;
pub mod foreign;
pub mod http2;
pub mod imports;
pub mod ledger;
pub mod metrics;
pub mod node;
pub mod place;
pub mod pods;
pub mod raw;
pub mod recording;

/// Deadline of all waits, ample for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Returns the path of a binary of this workspace, which `cargo build --workspace` puts beside
/// the tests.
///
/// # Panics
/// If the binary was not built.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("a test lies in the profile's deps directory");
    let binary = profile.join(name);
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --workspace --bins` first",
        binary.display()
    );
    binary
}

/// Raises the limit of open descriptors to its maximum and returns that.
///
/// # Panics
/// If the kernel refuses.
pub fn raise_descriptor_limit() -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("up to the maximum is allowed");
    maximum.unwrap_or(u64::MAX)
}

/// Waits until `condition` returns a value.
///
/// # Panics
/// After [`PATIENCE`], with the name of the condition.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A sandboxer process. Dropping it kills the process.
pub struct Daemon {
    /// Files of the sandboxer, which stay over restarts.
    home: Home,
    child: Child,
}

/// Files of a sandboxer: socket, directory and log.
pub struct Home {
    root: TempDir,
    args: Vec<String>,
}

impl Home {
    /// Creates an empty home for a daemon with these arguments besides `--listen` and `--dir`.
    ///
    /// # Panics
    /// If the directory cannot be created.
    pub fn new(args: &[&str]) -> Self {
        Self {
            root: tempfile::tempdir().expect("a temporary directory"),
            args: args.iter().map(ToString::to_string).collect(),
        }
    }

    /// Replaces the arguments of later daemons and keeps the files.
    #[must_use]
    pub fn with(mut self, args: &[&str]) -> Self {
        self.args = args.iter().map(ToString::to_string).collect();
        self
    }

    /// Returns the directory of all files.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        self.root.path().join("s.sock")
    }

    /// Returns the value of `--dir`.
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("dir")
    }

    /// Returns the log of all daemons so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.root.path().join("log")).unwrap_or_default()
    }

    /// Returns the command that starts the daemon.
    ///
    /// # Panics
    /// If the log cannot be opened.
    pub fn command(&self) -> Command {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.root.path().join("log"))
            .expect("a log file");
        let mut command = Command::new(binary("resource-slot-sandboxer"));
        command
            .arg("--listen")
            .arg(self.socket())
            .arg("--dir")
            .arg(self.dir())
            .args(&self.args)
            .stdin(Stdio::null())
            .stderr(log);
        command
    }

    /// Starts a daemon and waits until it accepts connections.
    ///
    /// # Panics
    /// If the daemon ends instead, with its log.
    pub fn start(self) -> Daemon {
        let mut child = self.command().spawn().expect("the sandboxer starts");
        eventually("the sandboxer to accept connections", || {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                panic!("the sandboxer ended with {status}:\n{}", self.log());
            }
            std::os::unix::net::UnixStream::connect(self.socket()).ok()
        });
        Daemon { home: self, child }
    }

    /// Returns the output of `inspect --json` on the directory.
    ///
    /// # Panics
    /// If the command fails.
    pub fn inspect(&self) -> Value {
        let out = Command::new(binary("resource-slot-sandboxer"))
            .args(["inspect", "--json", "--dir"])
            .arg(self.dir())
            .output()
            .expect("inspect runs");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        serde_json::from_slice(&out.stdout).expect("inspect prints JSON")
    }
}

impl Daemon {
    /// Starts a daemon in an empty home.
    pub fn start(args: &[&str]) -> Self {
        Home::new(args).start()
    }

    /// Returns the files of the daemon.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Returns the ids of the sandboxes in the journal.
    ///
    /// # Panics
    /// If `inspect` fails.
    pub fn slots(&self) -> Vec<String> {
        let inspect = self.home.inspect();
        let slots = inspect["slots"].as_array().expect("slots");
        let id = |slot: &Value| slot["id"].as_str().expect("an id").to_owned();
        slots.iter().map(id).collect()
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the resident memory (`VmRSS`, proc(5)), in bytes.
    ///
    /// # Panics
    /// If the daemon has ended.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.expect("it runs").trim().trim_end_matches(" kB");
        kib.parse::<u64>().expect("a number") << 10
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a pid"), signal).expect("a child can be signalled");
    }

    /// Kills the daemon by SIGKILL and returns its home.
    ///
    /// # Panics
    /// If the daemon cannot be waited for.
    pub fn kill9(mut self) -> Home {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child can be waited for");
        self.into_home()
    }

    /// Stops the daemon by SIGTERM and returns its exit status.
    ///
    /// # Panics
    /// If the daemon does not end.
    pub fn terminate(mut self) -> (Home, ExitStatus) {
        self.signal(Signal::TERM);
        let status = eventually("the sandboxer to stop", || {
            self.child.try_wait().expect("a child can be waited for")
        });
        (self.into_home(), status)
    }

    fn into_home(mut self) -> Home {
        let empty = Home {
            root: tempfile::tempdir().expect("a temporary directory"),
            args: Vec::new(),
        };
        std::mem::replace(&mut self.home, empty)
    }

    /// Connects a ttrpc client for the namespace `k8s.io`.
    ///
    /// # Panics
    /// If the connection fails.
    pub async fn ttrpc(&self) -> Ttrpc {
        Ttrpc::connect(&self.home.socket(), "k8s.io")
            .await
            .expect("the sandboxer accepts ttrpc")
            .with_timeout(PATIENCE)
    }

    /// Connects a gRPC client for the namespace `k8s.io`.
    ///
    /// # Panics
    /// If the connection fails.
    pub async fn controller(&self) -> Controller {
        Controller::connect(&self.home.socket(), "k8s.io")
            .await
            .expect("the sandboxer accepts gRPC")
    }

    /// Connects a client of CRI.
    ///
    /// # Panics
    /// If the connection fails.
    pub async fn cri(&self) -> Cri {
        Cri::connect(&self.home.socket())
            .await
            .expect("the sandboxer accepts gRPC")
            .with_timeout(PATIENCE)
    }

    /// Returns the path of the view of a sandbox's resources.
    pub fn view(&self, sandbox: &str) -> PathBuf {
        self.home.dir().join(sandbox).join("resource_info.json")
    }

    /// Returns the path of the view of a container's resources.
    pub fn container_view(&self, sandbox: &str, container: &str) -> PathBuf {
        self.home
            .dir()
            .join(sandbox)
            .join("containers")
            .join(container)
            .join("resource_info.json")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The daemon may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the sandboxer ---\n{}", self.home.log());
        }
    }
}

/// Reads a JSON file.
///
/// # Panics
/// If the file is missing or not JSON.
pub fn read_json(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Returns an OCI spec of a container in `sandbox`, with these `linux.resources`.
pub fn spec(sandbox: &str, resources: &Value) -> Value {
    json!({
        "ociVersion": "1.2.1",
        "process": { "args": ["sleep", "3600"], "cwd": "/" },
        "root": { "path": "rootfs" },
        "annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.sandbox-id": sandbox,
        },
        "linux": { "resources": resources },
    })
}

/// Writes a bundle and returns its path.
///
/// # Panics
/// If a file cannot be written.
pub fn bundle(parent: &Path, id: &str, spec: &Value) -> String {
    let path = parent.join("bundles").join(id);
    std::fs::create_dir_all(&path).expect("a bundle directory");
    std::fs::write(path.join("config.json"), spec.to_string()).expect("a config.json");
    path.to_str().expect("temporary paths are UTF-8").to_owned()
}

/// Returns resources of a request of 250 millicores, a limit of half a core, 64 MiB and 32
/// processes.
pub fn small() -> Value {
    json!({
        "cpu": { "shares": 256, "quota": 50_000, "period": 100_000 },
        "memory": { "limit": 64 << 20 },
        "pids": { "limit": 32 },
    })
}

/// Constructors of requests.
pub mod request {
    use serde_json::Value;

    use super::{api, sandbox_api};

    /// Returns a `CreateSandbox` without options.
    pub fn create_sandbox(id: &str) -> sandbox_api::CreateSandboxRequest {
        sandbox_api::CreateSandboxRequest {
            sandbox_id: id.to_owned(),
            ..Default::default()
        }
    }

    macro_rules! by_sandbox {
        ($($(#[$doc:meta])* $name:ident => $type:ident;)*) => {
            $($(#[$doc])* pub fn $name(id: &str) -> sandbox_api::$type {
                sandbox_api::$type { sandbox_id: id.to_owned(), ..Default::default() }
            })*
        };
    }

    by_sandbox! {
        /// Returns a `StartSandbox`.
        start_sandbox => StartSandboxRequest;
        /// Returns a `StopSandbox`.
        stop_sandbox => StopSandboxRequest;
        /// Returns a `WaitSandbox`.
        wait_sandbox => WaitSandboxRequest;
        /// Returns a `ShutdownSandbox`.
        shutdown_sandbox => ShutdownSandboxRequest;
        /// Returns a `PingSandbox`.
        ping_sandbox => PingRequest;
    }

    /// Returns a verbose `SandboxStatus`.
    pub fn sandbox_status(id: &str) -> sandbox_api::SandboxStatusRequest {
        sandbox_api::SandboxStatusRequest {
            sandbox_id: id.to_owned(),
            verbose: true,
            ..Default::default()
        }
    }

    /// Returns a `Create` of a task.
    pub fn create(id: &str, bundle: &str) -> api::CreateTaskRequest {
        api::CreateTaskRequest {
            id: id.to_owned(),
            bundle: bundle.to_owned(),
            ..Default::default()
        }
    }

    macro_rules! by_process {
        ($($(#[$doc:meta])* $name:ident => $type:ident;)*) => {
            $($(#[$doc])* pub fn $name(id: &str, exec: &str) -> api::$type {
                api::$type { id: id.to_owned(), exec_id: exec.to_owned(), ..Default::default() }
            })*
        };
    }

    by_process! {
        /// Returns a `Start`; an empty exec id stands for the container's first process.
        start => StartRequest;
        /// Returns a `State`.
        state => StateRequest;
        /// Returns a `Wait`.
        wait => WaitRequest;
        /// Returns a `Delete`.
        delete => DeleteRequest;
        /// Returns a `CloseIO` whose `stdin` is not set.
        close_io => CloseIORequest;
        /// Returns a `ResizePty`.
        resize_pty => ResizePtyRequest;
    }

    /// Returns a `Pause`.
    pub fn pause(id: &str) -> api::PauseRequest {
        api::PauseRequest {
            id: id.to_owned(),
            ..Default::default()
        }
    }

    /// Returns a `Resume`.
    pub fn resume(id: &str) -> api::ResumeRequest {
        api::ResumeRequest {
            id: id.to_owned(),
            ..Default::default()
        }
    }

    /// Returns an `Update` to these OCI `LinuxResources`.
    pub fn update(id: &str, resources: &Value) -> api::UpdateTaskRequest {
        let mut request = api::UpdateTaskRequest {
            id: id.to_owned(),
            ..Default::default()
        };
        let any = request.resources.mut_or_insert_default();
        any.type_url =
            "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources".to_owned();
        any.value = resources.to_string().into_bytes();
        request
    }

    /// Returns a `Kill`.
    pub fn kill(id: &str, exec: &str, signal: u32) -> api::KillRequest {
        api::KillRequest {
            id: id.to_owned(),
            exec_id: exec.to_owned(),
            signal,
            ..Default::default()
        }
    }

    /// Returns an `Exec` of a command.
    pub fn exec(id: &str, exec: &str, args: &[&str]) -> api::ExecProcessRequest {
        let process = super::json!({ "args": args, "cwd": "/" });
        let mut request = api::ExecProcessRequest {
            id: id.to_owned(),
            exec_id: exec.to_owned(),
            ..Default::default()
        };
        let spec = request.spec.mut_or_insert_default();
        spec.type_url = "types.containerd.io/opencontainers/runtime-spec/1/Process".to_owned();
        spec.value = process.to_string().into_bytes();
        request
    }
}

/// Creates and starts a sandbox.
///
/// # Panics
/// If the sandboxer refuses a request.
pub async fn ready_sandbox(client: &Ttrpc, id: &str) {
    client
        .create_sandbox(&request::create_sandbox(id))
        .await
        .expect("create");
    client
        .start_sandbox(&request::start_sandbox(id))
        .await
        .expect("start");
}

/// Creates and starts a [`small`] container in a ready sandbox.
///
/// # Panics
/// If the sandboxer refuses a request.
pub async fn running_container(daemon: &Daemon, client: &Ttrpc, sandbox: &str, id: &str) {
    let bundle = bundle(daemon.home().root(), id, &spec(sandbox, &small()));
    client
        .create(&request::create(id, &bundle))
        .await
        .expect("create");
    client.start(&request::start(id, "")).await.expect("start");
}

/// Runs a binary of the workspace to its end and returns its output.
///
/// # Panics
/// If the binary cannot be started.
pub fn run(name: &str, args: &[&str]) -> Output {
    Command::new(binary(name))
        .args(args)
        .output()
        .expect("the binary runs")
}
