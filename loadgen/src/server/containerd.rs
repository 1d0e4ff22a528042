//! Starts a containerd with private directories and sockets. Its pods run on a given
//! sandboxer.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::drive::driver::DriverKind;
use crate::result::software::{Configuration, CriVersion};
use crate::scratch;
use crate::server::Cni;
use crate::server::child::ChildError;
use crate::server::child::{self, Child};
use crate::server::endpoint;
use crate::server::image::{self, NAMESPACE};
use crate::spans;
use crate::stop::Stop;
use crate::workload::runtime::RUNTIME_TYPE;

/// Name of the program.
pub const PROGRAM: &str = "containerd";

/// Shipped configuration drop-in, and the socket in it.
const DROP_IN: &str = include_str!("../../../deploy/containerd/resource-slot.toml");
const DROP_IN_SOCKET: &str = "/run/resource-slot-sandboxer.sock";

/// Names of the shipped CNI plugin and its configuration, and the environment variable with the
/// directory of its addresses.
const CNI_PLUGIN: &str = "resource-slot";
const CNI_LIST: &str = "10-resource-slot.conflist";
const CNI_ADDRESSES: &str = "RESOURCE_SLOT_CNI_DIR";

/// File of this program, also after another file has taken its path (proc(5)).
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Environment variable with the path of the program.
pub const PROGRAM_VARIABLE: &str = "CONTAINERD_BIN";

/// Name of the program in messages.
const NAME: &str = "containerd";

/// Time limit of one attempt at a first call.
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// A running containerd. Dropping it kills the process and removes its mounts.
#[derive(Debug)]
pub struct Containerd {
    // Fields are dropped in this order: first the process, then its mounts.
    child: Child,
    home: Home,
    version: Option<CriVersion>,
}

/// Files of a containerd: configuration, state, sockets, log. They outlive restarts.
#[derive(Debug)]
pub struct Home {
    dir: PathBuf,
}

impl Home {
    /// Creates the files of a containerd below `dir`, which must exist. Pods of the handler
    /// `resource-slot` run on the sandboxer at the socket `sandboxer`. The settings of `config`,
    /// an absolute path, take precedence over the private ones. Pods have a network if a CNI plugin is put into
    /// [`Home::cni_conf`] and [`Home::cni_bin`].
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn new(dir: &Path, sandboxer: Option<&Path>, config: Option<&Path>) -> io::Result<Self> {
        let home = Self {
            dir: dir.to_owned(),
        };
        for needed in [&home.cni_conf(), &home.cni_bin(), &home.drop_ins()] {
            fs::create_dir_all(needed)?;
        }
        if let Some(sandboxer) = sandboxer {
            let drop_in = DROP_IN.replace(DROP_IN_SOCKET, &sandboxer.display().to_string());
            fs::write(home.drop_ins().join("resource-slot.toml"), drop_in)?;
        }
        fs::write(home.config(), home.configuration(config))?;
        Ok(home)
    }

    /// Adds a runtime handler. The shim of runc runs its containers with this program, which has the
    /// command line of runc.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add_runtime(&self, handler: &str, program: &Path) -> io::Result<()> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let runtimes = "plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes";
        let table = format!("{runtimes}.{}", quoted(handler));
        let program = quoted(&program.display().to_string());
        let drop_in = format!(
            "version = 3\n\
             [{table}]\n  runtime_type = '{RUNTIME_TYPE}'\n\
             [{table}.options]\n  BinaryName = {program}\n"
        );
        fs::write(self.drop_ins().join(format!("{handler}.toml")), drop_in)
    }

    /// Returns the directory of configuration files that are read beside [`Home::config`].
    fn drop_ins(&self) -> PathBuf {
        self.dir.join("conf.d")
    }

    /// Returns the path of the configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// Returns the path of the socket of all services, including CRI.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("containerd.sock")
    }

    /// Returns the path of the socket of containerd's own shims, the longest of all sockets.
    pub(crate) fn ttrpc_socket(&self) -> PathBuf {
        self.dir.join("containerd.sock.ttrpc")
    }

    /// Returns the path of the socket of the debug endpoints, among them profiles.
    pub fn debug_socket(&self) -> PathBuf {
        self.dir.join("debug.sock")
    }

    /// Returns the directory for state that does not outlive a reboot, such as bundles.
    pub fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// Returns the directory for the configuration of CNI.
    pub fn cni_conf(&self) -> PathBuf {
        self.dir.join("cni/conf")
    }

    /// Returns the directory for the plugins of CNI.
    pub fn cni_bin(&self) -> PathBuf {
        self.dir.join("cni/bin")
    }

    /// Adds a network of pods: with the configuration and plugins of these directories, or with the
    /// shipped plugin, which sets up nothing. With `timed`, the times of all plugins go to
    /// [`Home::cni_log`]. Returns variables for the environment of containerd.
    ///
    /// # Errors
    /// Files that cannot be read or written.
    pub fn add_network(
        &self,
        cni: Option<&Cni>,
        timed: bool,
    ) -> io::Result<Option<(String, String)>> {
        let log = timed.then(|| self.cni_log());
        if let Some(cni) = cni {
            for entry in fs::read_dir(&cni.conf)? {
                let entry = entry?;
                if entry.path().is_file() {
                    fs::copy(entry.path(), self.cni_conf().join(entry.file_name()))?;
                }
            }
            spans::cni::add_plugins(&self.cni_bin(), &cni.bin, log.as_deref())?;
            return Ok(None);
        }
        let shipped = self.dir.join("cni/shipped");
        fs::create_dir_all(&shipped)?;
        let plugin = shipped.join(CNI_PLUGIN);
        fs::write(&plugin, include_str!("../../../deploy/cni/resource-slot"))?;
        fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755))?;
        fs::write(
            self.cni_conf().join(CNI_LIST),
            include_str!("../../../deploy/cni/10-resource-slot.conflist"),
        )?;
        spans::cni::add_plugins(&self.cni_bin(), &shipped, log.as_deref())?;
        let addresses = self.dir.join("cni/addresses");
        Ok(Some((
            CNI_ADDRESSES.to_owned(),
            addresses.display().to_string(),
        )))
    }

    /// Returns the path of the log with the times of CNI plugins.
    pub fn cni_log(&self) -> PathBuf {
        self.dir.join("cni/times")
    }

    /// Returns the path of the log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("containerd.log")
    }

    fn configuration(&self, config: Option<&Path>) -> String {
        let quoted = |path: &Path| format!("'{}'", path.display());
        let config = config.map_or_else(String::new, |config| format!(", {}", quoted(config)));
        let restrict = !oom_scores_may_fall();
        let dir = |name: &str| quoted(&self.dir.join(name));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "version = 3\n\
             root = {root}\n\
             state = {state}\n\
             imports = [{drop_ins}{config}]\n\
             [grpc]\n  address = {socket}\n\
             [debug]\n  address = {debug}\n\
             [ttrpc]\n  address = {ttrpc}\n\
             [plugins.'io.containerd.nri.v1.nri']\n  disable = true\n\
             [plugins.'io.containerd.grpc.v1.cri']\n\
             \x20 stream_server_address = '127.0.0.1'\n  stream_server_port = '0'\n\
             [plugins.'io.containerd.cri.v1.images'.pinned_images]\n  sandbox = '{image}'\n\
             [plugins.'io.containerd.cri.v1.runtime']\n\
             \x20 netns_mounts_under_state_dir = true\n\
             \x20 restrict_oom_score_adj = {restrict}\n\
             [plugins.'io.containerd.cri.v1.runtime'.cni]\n\
             \x20 conf_dir = {conf}\n  bin_dirs = [{bin}]\n  use_internal_loopback = true\n",
            root = dir("root"),
            state = quoted(&self.state()),
            socket = quoted(&self.socket()),
            debug = quoted(&self.debug_socket()),
            ttrpc = quoted(&self.ttrpc_socket()),
            drop_ins = dir("conf.d/*.toml"),
            image = image::NAME,
            conf = quoted(&self.cni_conf()),
            bin = quoted(&self.cni_bin()),
        );
        text
    }
}

impl Drop for Home {
    /// Unmounts the remaining mounts of a killed containerd, so that the directory can be
    /// removed.
    fn drop(&mut self) {
        scratch::unmount_below(&self.dir);
    }
}

/// Returns the path of the program: `given`, else the value of `$CONTAINERD_BIN`, else
/// the first one on PATH.
///
/// # Errors
/// [`ChildError::NotFound`] with advice for the user.
pub fn find(given: Option<&Path>) -> Result<PathBuf, ChildError> {
    if let Some(given) = given {
        return Ok(child::given(given));
    }
    if let Some(named) = env::var_os(PROGRAM_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    child::search(PROGRAM, env::split_paths(&path)).ok_or(ChildError::NotFound {
        program: PROGRAM,
        advice: "install containerd 2.1 or newer, or say where it is with --containerd PATH or \
                 CONTAINERD_BIN, or load a running one with --endpoint SOCKET",
    })
}

/// Returns whether this process may make a process less likely to be killed for want of memory
/// (`/proc/PID/oom_score_adj` in proc(5)). containerd does so for pods unless it is told not to
/// (`restrict_oom_score_adj`), and an unprivileged machine refuses it.
fn oom_scores_may_fall() -> bool {
    const SCORE: &str = "/proc/self/oom_score_adj";
    // The score of a pod.
    const LOW: &str = "-998";
    let before = fs::read_to_string(SCORE).unwrap_or_default();
    let may = fs::write(SCORE, LOW).is_ok();
    if may {
        let _ = fs::write(SCORE, before.trim());
    }
    may
}

/// Returns a command that runs a program below a supervisor, which gets SIGTERM when this thread
/// ends, as the program does when the supervisor ends: containerd has no option for it, so
/// util-linux' setpriv asks the kernel (`PR_SET_PDEATHSIG`) and then becomes the program. Without
/// setpriv the program outlives a supervisor that is killed.
fn supervised(program: &Path, cgroup: Option<&Path>) -> Command {
    let mut command = Command::new(OWN_PROGRAM);
    command.arg("supervise");
    if let Some(cgroup) = cgroup {
        command.arg("--cgroup").arg(cgroup);
    }
    command.arg("--");
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(setpriv) = child::search("setpriv", env::split_paths(&path)) {
        command.arg(setpriv).args(["--pdeathsig", "TERM", "--"]);
    }
    command.arg(program);
    command
}

impl Containerd {
    /// Starts `program` with the files of `home` and waits until its CRI replies.
    ///
    /// # Errors
    /// A program that cannot be started, ends, or does not reply in time, with the end of
    /// its log if there is one; a requested stop.
    pub fn start(program: PathBuf, home: Home, stop: &Stop) -> Result<Self, ChildError> {
        let command = Command::new(&program);
        Self::spawn(program, command, home, stop)
    }

    /// Does the same below a supervisor (see [`crate::server::supervisor`]), in the cgroup with
    /// this directory, and with further variables of the environment. The process gets SIGTERM when
    /// the calling thread ends, also if this program is killed.
    ///
    /// # Errors
    /// As [`Containerd::start`].
    pub fn start_supervised(
        program: PathBuf,
        home: Home,
        env: &[(String, String)],
        cgroup: Option<&Path>,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        let spawned = |source| ChildError::Spawn {
            name: NAME,
            program: program.clone(),
            source,
        };
        // The supervisor could only tell of a missing program in the log.
        fs::metadata(&program).map_err(spawned)?;
        let mut command = supervised(&program, cgroup);
        command.envs(env.iter().map(|(name, value)| (name, value)));
        Self::spawn(program, command, home, stop)
    }

    fn spawn(
        program: PathBuf,
        mut command: Command,
        home: Home,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        command.arg("--config").arg(home.config());
        let child = Child::spawn(NAME, program, &mut command, home.log())?;
        let mut containerd = Self {
            child,
            home,
            version: None,
        };
        let socket = containerd.home.socket();
        let peer = containerd.child.wait_for(stop, || {
            endpoint::probe(DriverKind::Cri, &socket, NAMESPACE, PROBE_LIMIT, stop)
        })?;
        if let Some(pid) = peer.pid {
            containerd.child.set_main(pid);
        }
        containerd.version = peer.cri;
        Ok(containerd)
    }

    /// Returns the files of this containerd.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Returns the version that it states; `None` if it states none.
    pub fn version(&self) -> Option<&CriVersion> {
        self.version.as_ref()
    }

    /// Returns the effective configuration, as the program itself prints it; `None` if it does not.
    pub fn configuration(&self) -> Option<Configuration> {
        let config = self.home.config();
        let printed = |args: &[&OsStr]| {
            let output = Command::new(self.child.program())
                .args(args)
                .output()
                .ok()?;
            String::from_utf8(output.stdout).ok()
        };
        let own: [&OsStr; 4] = [
            "--config".as_ref(),
            config.as_ref(),
            "config".as_ref(),
            "dump".as_ref(),
        ];
        let default: [&OsStr; 2] = ["config".as_ref(), "default".as_ref()];
        let dir = self.home.dir.to_string_lossy();
        Configuration::of(&printed(&own)?, &printed(&default)?, &dir)
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Returns the id of the process above all others that the program runs.
    pub fn root(&self) -> u32 {
        self.child.root()
    }

    /// Ends the process with SIGTERM. The files exist until the returned value is
    /// dropped.
    ///
    /// # Errors
    /// A message about an unclean end.
    pub fn terminate(mut self, stop: &Stop) -> Result<(Home, ExitStatus), String> {
        let status = self.child.terminate(stop)?;
        Ok((self.home, status))
    }

    /// Kills the process at once. The files exist until the returned value is dropped.
    ///
    /// # Errors
    /// Errors of the kernel.
    pub fn kill(mut self) -> io::Result<Home> {
        self.child.kill()?;
        Ok(self.home)
    }
}
