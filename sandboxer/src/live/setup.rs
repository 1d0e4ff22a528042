//! Setup of containers in the toy userland: made of a container's OCI spec, or of CRI's
//! configurations of the container and its pod.

use std::fmt::Write;
use std::time::SystemTime;

use containerd_sandbox::{Error, MAX_CONFIG_BYTES, Result, check_json};
use cri_api::v1::security_profile::ProfileType;
use cri_api::v1::{
    ContainerConfig, DnsConfig, LinuxContainerSecurityContext, NamespaceMode, PodSandboxConfig,
};
use oci_config::{Details, Field, InvalidField};
use tracing::warn;

use super::appender::Log;
use slot::{Container, PodHints, Refusal, Slot, user_id};
use toy_userland::{Capabilities, CapabilitySet, Mount, Seccomp, Setup, User};

/// Description of a container, by which its commands are set up.
pub(super) enum Source {
    /// Made of CRI's configurations.
    Ready(Box<Setup>),
    /// To be read from the bundle's directory.
    Bundle {
        path: String,
        hints: Option<Box<PodHints>>,
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
        (Some(own), Some(pod)) => {
            Source::Ready(Box::new(of_cri(&pod.config, &pod.ip, &own.config)))
        }
        _ => Source::Bundle {
            path: container.bundle.clone(),
            hints: pod.hints.clone(),
        },
    })
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
    }
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

/// Returns the setup that a bundle's `config.json` describes, in a pod with these hints. Fields
/// that cannot be read are logged and count as absent.
///
/// # Errors
/// `Unavailable` if the file cannot be read.
pub(super) fn of_bundle(bundle: &str, hints: Option<&PodHints>) -> Result<Setup> {
    let path = std::path::Path::new(bundle).join("config.json");
    let failed = |e: &dyn std::fmt::Display| Error::unavailable(format!("{}: {e}", path.display()));
    let size = std::fs::metadata(&path).map_err(|e| failed(&e))?.len();
    if size > MAX_CONFIG_BYTES {
        return Err(failed(&format!("{size} bytes, too many")));
    }
    let text = std::fs::read(&path).map_err(|e| failed(&e))?;
    check_json(&text)?;
    let details = oci_config::from_slice(&text).map_err(|e| failed(&e))?;
    let mut invalid = Vec::new();
    let setup = of_details(details, hints, &mut invalid);
    for field in invalid {
        warn!("{}: ignored: {field}", path.display());
    }
    Ok(setup)
}

/// Descriptions of valid values.
const TEXT: &str = "a text";
const TEXTS: &str = "a list of texts";
const OBJECT: &str = "an object";
const FLAG: &str = "true or false";
const ID: &str = "a number from 0 to 4294967295";

fn of_details(
    details: Details,
    hints: Option<&PodHints>,
    invalid: &mut Vec<InvalidField>,
) -> Setup {
    let process = details.process.take("process", OBJECT, invalid);
    let process = process.unwrap_or_default();
    let user = process.user.take("process.user", OBJECT, invalid);
    let user = user.unwrap_or_default();
    let uid = user.uid.take("process.user.uid", ID, invalid).unwrap_or(0);
    let gid = user.gid.take("process.user.gid", ID, invalid).unwrap_or(0);
    let groups = "process.user.additionalGids";
    let groups = user
        .additional_gids
        .take(groups, "a list of numbers", invalid);

    let environment = process.env.take("process.env", TEXTS, invalid);
    let environment: Vec<(String, String)> = environment
        .iter()
        .flatten()
        .flatten()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let named = environment.iter().find(|(name, _)| name == "HOSTNAME");
    let hostname = details.hostname.take("hostname", TEXT, invalid);
    let hostname = hostname
        .filter(|name| !name.is_empty())
        .or_else(|| hints.map(|hints| hints.hostname.clone()))
        .filter(|name| !name.is_empty())
        .or_else(|| named.map(|(_, value)| value.clone()));

    let linux = details.linux.take("linux", OBJECT, invalid);
    let linux = linux.unwrap_or_default();
    let seccomp = linux.seccomp.take("linux.seccomp", OBJECT, invalid);
    let is_filtered = seccomp.is_some_and(|seccomp| {
        let allows = |action: &String| action == "SCMP_ACT_ALLOW";
        !seccomp.default_action.value().is_some_and(allows) || seccomp.syscalls.is_some()
    });
    let mut sysctls: Vec<(String, String)> = hints
        .iter()
        .flat_map(|hints| &hints.sysctls)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let own = "an object of texts";
    let own = linux.sysctl.take("linux.sysctl", own, invalid);
    sysctls.extend(own.into_iter().flatten());

    let root_fs = details.root.take("root", OBJECT, invalid);
    let root_fs = root_fs.unwrap_or_default();
    let is_read_only = root_fs.readonly.take("root.readonly", FLAG, invalid);
    let declared = details.mounts.take("mounts", "a list of mounts", invalid);
    let declared = declared.into_iter().flatten().map(|declared| Mount {
        source: declared.source.unwrap_or_default(),
        target: declared.destination.unwrap_or_default(),
        kind: declared.r#type.unwrap_or_default(),
        options: declared.options.unwrap_or_default(),
    });
    let cwd = process.cwd.take("process.cwd", TEXT, invalid);
    let no_new_privileges = "process.noNewPrivileges";
    let no_new_privileges = process
        .no_new_privileges
        .take(no_new_privileges, FLAG, invalid);
    let capabilities = process
        .capabilities
        .take("process.capabilities", OBJECT, invalid);
    let command = process.args.take("process.args", TEXTS, invalid);
    Setup {
        hostname: hostname.unwrap_or_else(|| "localhost".to_owned()),
        environment: if environment.is_empty() {
            vec![("PATH".to_owned(), PATH.to_owned())]
        } else {
            environment
        },
        working_directory: cwd
            .filter(|cwd| !cwd.is_empty())
            .unwrap_or_else(|| "/".to_owned()),
        user: User {
            uid,
            gid,
            groups: groups.unwrap_or_default(),
            name: name_of(uid),
        },
        capabilities: capabilities.map_or_else(Capabilities::default, |stated| {
            of_stated(stated, uid, invalid)
        }),
        no_new_privileges: no_new_privileges.unwrap_or(false),
        seccomp: if is_filtered {
            Seccomp::Filter
        } else {
            Seccomp::Disabled
        },
        sysctls,
        mounts: std::iter::once(root(is_read_only.unwrap_or(false)))
            .chain(declared)
            .collect(),
        command: command
            .into_iter()
            .flatten()
            .map(Option::unwrap_or_default)
            .collect(),
        now: SystemTime::now(),
        ..Setup::default()
    }
}

fn of_stated(
    stated: oci_config::Capabilities,
    uid: u32,
    invalid: &mut Vec<InvalidField>,
) -> Capabilities {
    let mut set = |names: Field<Vec<String>>, path| {
        CapabilitySet::from_names(names.take(path, TEXTS, invalid).unwrap_or_default())
    };
    let effective = set(stated.effective, "process.capabilities.effective");
    let permitted = set(stated.permitted, "process.capabilities.permitted");
    let ambient = set(stated.ambient, "process.capabilities.ambient");
    let bounding = set(stated.bounding, "process.capabilities.bounding");
    let inheritable = set(stated.inheritable, "process.capabilities.inheritable");
    let (effective, permitted) = match uid {
        0 => (effective, permitted),
        _ => (ambient, ambient),
    };
    Capabilities {
        effective,
        permitted,
        bounding,
        inheritable,
        ambient,
    }
}

/// Returns the command line of a container: its command followed by its arguments. Without a
/// command the arguments are the command line, because there is no image with an entry point.
pub(super) fn command_of_cri(config: &ContainerConfig) -> Vec<String> {
    config.command.iter().chain(&config.args).cloned().collect()
}

/// Returns the setup that CRI's configurations describe.
pub(super) fn of_cri(pod: &PodSandboxConfig, address: &str, config: &ContainerConfig) -> Setup {
    let linux = config.linux.as_ref();
    let context = linux.and_then(|linux| linux.security_context.clone());
    let context = context.unwrap_or_default();
    let pod_linux = pod.linux.as_ref();
    let pod_context = pod_linux.and_then(|linux| linux.security_context.as_ref());
    let user = context.run_as_user.as_ref();
    let user = user.or(pod_context.and_then(|pod| pod.run_as_user.as_ref()));
    let group = context.run_as_group.as_ref();
    let group = group.or(pod_context.and_then(|pod| pod.run_as_group.as_ref()));
    let id = |stated: Option<&cri_api::v1::Int64Value>| {
        stated.map_or(0, |id| u32::try_from(id.value).unwrap_or(u32::MAX))
    };
    let uid = match context.run_as_username.as_str() {
        "" => id(user),
        name => user_id(name),
    };
    let hostname = hostname(pod);
    let mut environment = vec![
        ("PATH".to_owned(), PATH.to_owned()),
        ("HOSTNAME".to_owned(), hostname.clone()),
    ];
    environment.extend(config.envs.iter().map(|variable| {
        let value = String::from_utf8_lossy(&variable.value).into_owned();
        (variable.key.clone(), value)
    }));
    let mounts = config.mounts.iter().map(|declared| {
        let access = if declared.readonly { "ro" } else { "rw" };
        let (source, target) = (&declared.host_path, &declared.container_path);
        mount(source, target, "ext4", &["rbind", access])
    });
    let read_only = context.readonly_paths.iter();
    let mounts = mounts.chain(read_only.map(|path| mount(path, path, "none", &["ro", "rbind"])));
    let is_on_host = pod_context
        .and_then(|context| context.namespace_options.as_ref())
        .is_some_and(|options| options.network() == NamespaceMode::Node);
    let mut files = Vec::new();
    if let Some(dns) = &pod.dns_config {
        files.push(("/etc/resolv.conf".to_owned(), resolv_conf(dns).into_bytes()));
    }
    if !is_on_host && !address.is_empty() {
        let hosts = format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n{address}\t{hostname}\n");
        files.push(("/etc/hosts".to_owned(), hosts.into_bytes()));
    }
    let sysctls = pod_linux.iter().flat_map(|linux| &linux.sysctls);
    Setup {
        hostname,
        environment,
        working_directory: match config.working_dir.as_str() {
            "" => "/".to_owned(),
            directory => directory.to_owned(),
        },
        user: User {
            uid,
            gid: id(group),
            groups: context
                .supplemental_groups
                .iter()
                .filter_map(|gid| u32::try_from(*gid).ok())
                .collect(),
            name: match context.run_as_username.as_str() {
                "" => name_of(uid),
                name => name.to_owned(),
            },
        },
        capabilities: of_context(&context, uid),
        no_new_privileges: context.no_new_privs,
        seccomp: match &context.seccomp {
            Some(profile)
                if !context.privileged && profile.profile_type() != ProfileType::Unconfined =>
            {
                Seccomp::Filter
            }
            _ => Seccomp::Disabled,
        },
        sysctls: sysctls
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        mounts: std::iter::once(root(context.readonly_rootfs))
            .chain(mounts)
            .collect(),
        files,
        command: command_of_cri(config),
        now: SystemTime::now(),
        ..Setup::default()
    }
}

/// Returns the host name of a pod, which is the pod's name if none is stated.
fn hostname(pod: &PodSandboxConfig) -> String {
    let name = pod.metadata.as_ref().map(|metadata| &metadata.name);
    match (pod.hostname.as_str(), name) {
        ("", Some(name)) => name.clone(),
        (hostname, _) => hostname.to_owned(),
    }
}

fn of_context(context: &LinuxContainerSecurityContext, uid: u32) -> Capabilities {
    if context.privileged {
        return capabilities(CapabilitySet::ALL, CapabilitySet::default(), uid);
    }
    let default = CapabilitySet::DEFAULT;
    let Some(stated) = &context.capabilities else {
        return capabilities(default, CapabilitySet::default(), uid);
    };
    let all = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("ALL"));
    let named = |names: &[String]| CapabilitySet::from_names(names).0;
    // The order is: drop all, add, drop by name.
    let mut set = default.0;
    if all(&stated.drop_capabilities) {
        set = 0;
    }
    if all(&stated.add_capabilities) {
        set = CapabilitySet::ALL.0;
    }
    set = (set | named(&stated.add_capabilities)) & !named(&stated.drop_capabilities);
    let ambient = CapabilitySet(named(&stated.add_ambient_capabilities));
    capabilities(CapabilitySet(set | ambient.0), ambient, uid)
}

/// Formats resolv.conf(5).
fn resolv_conf(dns: &DnsConfig) -> String {
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
