//! Setup of containers in the toy userland: made of a container's OCI spec (`bundle`), or of
//! CRI's configurations of the container and its pod (`cri`).

mod bundle;
pub(super) mod cgroup;
mod cri;
pub(super) mod seccomp;

use std::fmt::Write;

use containerd_sandbox::Error;
use cri_api::v1::DnsConfig;

use super::appender::Log;
use super::volumes::{Bind, ImageMount, Owner};
use slot::{Container, PodHints, Refusal, Slot};
use toy_userland::{Capabilities, CapabilitySet, Mount, Setup};

use bundle::of_bundle;

/// Description of a container: the setup of its commands, and its mounts of the node's files.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// Setup, whose mounts have no volumes yet.
    pub(super) setup: Setup,
    /// Mounts whose files lie on the node.
    pub(super) binds: Vec<Bind>,
    /// Whether the container shares the process id namespace of its pod.
    pub(super) shares_pids: bool,
    /// Path on the node of the container's own seccomp profile; empty for another one.
    pub(super) seccomp_profile: String,
    /// Mounts of images.
    pub(super) images: Vec<ImageMount>,
    /// Names by which a kubelet's files of the container are known.
    pub(super) owner: Owner,
}

/// Source of the description of a container.
pub(super) enum Source {
    /// Made of CRI's configurations.
    Ready(Box<Described>),
    /// To be read from the bundle's directory.
    Bundle {
        path: String,
        hints: Option<Box<PodHints>>,
        pod_uid: String,
    },
}

/// Returns the description of a container.
///
/// # Errors
/// [`Refusal::NotFound`].
pub(super) fn source(slot: &Slot, container: &str) -> Result<Source, Refusal> {
    let pod = &slot.sandbox;
    let container = slot.container(container)?;
    Ok(match (&container.cri, &pod.cri) {
        (Some(own), Some(pod)) => Source::Ready(Box::new(cri::of_cri(&pod.config, &pod.ip, own))),
        _ => Source::Bundle {
            path: container.bundle.clone(),
            hints: pod.hints.clone(),
            pod_uid: pod
                .pod
                .as_ref()
                .map_or_else(String::new, |pod| pod.uid.clone()),
        },
    })
}

/// Returns the description of a container, after its bundle was read without a delay of the
/// caller's thread.
///
/// # Errors
/// `Internal` if no thread could read; within, `Unavailable` if the bundle cannot be read.
pub(super) async fn read(source: Source) -> Result<Result<Described, Error>, Error> {
    match source {
        Source::Ready(described) => Ok(Ok(*described)),
        Source::Bundle {
            path,
            hints,
            pod_uid,
        } => {
            let read = move || of_bundle(&path, hints.as_deref(), pod_uid);
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|e| Error::internal(format!("read a bundle: {e}")))
        }
    }
}

/// Standard input that CRI asks for on behalf of a container.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stdin {
    /// Whether the container has standard input.
    pub(super) is_wanted: bool,
    /// Whether it ends with the first client that is attached to it.
    pub(super) is_once: bool,
}

/// Returns the standard input of a container; none for one that CRI did not create.
pub(super) fn stdin(container: &Container) -> Stdin {
    let own = container.cri.as_ref();
    own.map_or_else(Stdin::default, |own| Stdin {
        is_wanted: own.config.stdin,
        is_once: own.config.stdin_once,
    })
}

/// Returns whether CRI asks for a terminal for a container's command.
pub(super) fn has_terminal(container: &Container) -> bool {
    container.cri.as_ref().is_some_and(|own| own.config.tty)
}

/// Returns the log file of a container, if CRI named one.
pub(super) fn log(slot: &Slot, container: &str) -> Option<Log> {
    let pod = slot.sandbox.cri.as_ref()?;
    let own = slot.container(container).ok()?.cri.as_ref()?;
    let (directory, path) = (&pod.config.log_directory, &own.config.log_path);
    if directory.is_empty() || path.is_empty() {
        return None;
    }
    Some(Log {
        directory: directory.as_str().into(),
        path: path.as_str().into(),
    })
}

/// Default search path of programs, the same as containerd's.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn name_of(uid: u32) -> String {
    match uid {
        0 => "root".to_owned(),
        _ => String::new(),
    }
}

fn mount(source: &str, target: &str, kind: &str, options: &[&str]) -> Mount {
    Mount {
        source: source.to_owned(),
        target: target.to_owned(),
        kind: kind.to_owned(),
        options: options.iter().map(ToString::to_string).collect(),
        volume: None,
    }
}

/// Type of the mount that makes a path read-only: of no file system of its own.
const READ_ONLY_PATH: &str = "none";

fn read_only_path(path: &str) -> Mount {
    mount(path, path, READ_ONLY_PATH, &["ro", "rbind"])
}

/// Returns a setup of a container on this machine: with as many processors, which a limit does
/// not change for a real container either.
fn machine() -> Setup {
    let processors = std::thread::available_parallelism();
    Setup {
        processors: processors.map_or(1, |number| u32::try_from(number.get()).unwrap_or(1)),
        ..Setup::default()
    }
}

/// Returns the host name of the machine, which pods on the host's network have.
fn node_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

fn root(is_read_only: bool) -> Mount {
    let access = if is_read_only { "ro" } else { "rw" };
    mount("overlay", "/", "overlay", &[access, "relatime"])
}

/// Returns the capabilities of a user's processes. A program that a user other than root
/// starts keeps ambient capabilities only, capabilities(7).
fn capabilities(bounding: CapabilitySet, ambient: CapabilitySet, uid: u32) -> Capabilities {
    let effective = if uid == 0 { bounding } else { ambient };
    Capabilities {
        effective,
        permitted: effective,
        bounding,
        inheritable: ambient,
        ambient,
    }
}

/// Formats resolv.conf(5).
pub(super) fn resolv_conf(dns: &DnsConfig) -> String {
    let mut text = String::new();
    for server in &dns.servers {
        let _ = writeln!(text, "nameserver {server}");
    }
    if !dns.searches.is_empty() {
        let _ = writeln!(text, "search {}", dns.searches.join(" "));
    }
    if !dns.options.is_empty() {
        let _ = writeln!(text, "options {}", dns.options.join(" "));
    }
    text
}
