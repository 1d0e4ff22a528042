//! OCI runtime spec of a container, in the form of containerd's CRI plugin.

use std::collections::BTreeMap;

use serde::Serialize;

use super::request::{PERIOD_US, Resources};
use super::{Container, Pod};

// Structs in field order: the order of a map of JSON values depends on the features
// of the build, and so would the hash of the plan.

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    oci_version: &'a str,
    process: Process<'a>,
    root: Root<'a>,
    mounts: &'a [Mount],
    annotations: BTreeMap<&'a str, &'a str>,
    linux: Linux<'a>,
}

#[derive(Serialize)]
struct Process<'a> {
    user: User,
    args: [&'a str; 2],
    env: [&'a str; 3],
    cwd: &'a str,
    capabilities: Capabilities,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    uid: u32,
    gid: u32,
    additional_gids: [u32; 1],
}

#[derive(Serialize)]
struct Capabilities {
    bounding: &'static [&'static str],
    effective: &'static [&'static str],
    permitted: &'static [&'static str],
}

#[derive(Serialize)]
struct Root<'a> {
    path: &'a str,
}

#[derive(Serialize)]
struct Mount {
    destination: &'static str,
    r#type: &'static str,
    source: &'static str,
    options: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Linux<'a> {
    resources: LinuxResources,
    cgroups_path: &'a str,
    namespaces: &'a [Namespace],
}

#[derive(Serialize)]
struct LinuxResources {
    devices: [Device; 1],
    memory: Memory,
    cpu: Cpu,
    #[serde(skip_serializing_if = "Option::is_none")]
    pids: Option<Pids>,
}

#[derive(Serialize)]
struct Device {
    allow: bool,
    access: &'static str,
}

#[derive(Serialize)]
struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<u64>,
}

#[derive(Serialize)]
struct Cpu {
    shares: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<u64>,
    period: u64,
}

#[derive(Serialize)]
struct Pids {
    limit: u64,
}

#[derive(Serialize)]
struct Namespace {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'static str>,
}

/// Capabilities of an unprivileged container.
const CAPABILITIES: &[&str] = &[
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

const MOUNTS: &[Mount] = &[
    mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
    mount(
        "/dev",
        "tmpfs",
        "tmpfs",
        &["nosuid", "strictatime", "mode=755", "size=65536k"],
    ),
    mount(
        "/dev/pts",
        "devpts",
        "devpts",
        &[
            "nosuid",
            "noexec",
            "newinstance",
            "ptmxmode=0666",
            "mode=0620",
            "gid=5",
        ],
    ),
    mount(
        "/dev/shm",
        "tmpfs",
        "shm",
        &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    ),
    mount(
        "/sys",
        "sysfs",
        "sysfs",
        &["nosuid", "noexec", "nodev", "ro"],
    ),
    mount(
        "/sys/fs/cgroup",
        "cgroup",
        "cgroup",
        &["nosuid", "noexec", "nodev", "relatime", "ro"],
    ),
];

const NAMESPACES: &[Namespace] = &[
    namespace("pid", Some("/proc/0/ns/pid")),
    namespace("ipc", Some("/proc/0/ns/ipc")),
    namespace("uts", Some("/proc/0/ns/uts")),
    namespace("mount", None),
    namespace("network", Some("/proc/0/ns/net")),
];

const fn mount(
    destination: &'static str,
    r#type: &'static str,
    source: &'static str,
    options: &'static [&'static str],
) -> Mount {
    Mount {
        destination,
        r#type,
        source,
        options,
    }
}

const fn namespace(r#type: &'static str, path: Option<&'static str>) -> Namespace {
    Namespace { r#type, path }
}

fn resources(stated: &Resources) -> LinuxResources {
    LinuxResources {
        devices: [Device {
            allow: false,
            access: "rwm",
        }],
        memory: Memory {
            limit: stated.memory_limit,
            reservation: stated.memory_reservation,
        },
        cpu: Cpu {
            shares: stated.shares,
            quota: stated.quota_us,
            period: PERIOD_US,
        },
        pids: stated.pids.map(|limit| Pids { limit }),
    }
}

/// Encodes the `config.json` of a container.
///
/// # Errors
/// No known case: every field is a string or a number.
pub(super) fn config_json(pod: &Pod, container: &Container) -> serde_json::Result<Vec<u8>> {
    let own = container.end.annotations();
    let mut annotations = BTreeMap::from([
        ("io.kubernetes.cri.container-name", &*container.name),
        ("io.kubernetes.cri.container-type", "container"),
        ("io.kubernetes.cri.image-name", &*container.image),
        ("io.kubernetes.cri.sandbox-id", &pod.sandbox_id),
        ("io.kubernetes.cri.sandbox-name", &pod.name),
        ("io.kubernetes.cri.sandbox-namespace", &*pod.namespace),
        ("io.kubernetes.cri.sandbox-uid", &pod.uid),
    ]);
    annotations.extend(own.iter().map(|(key, value)| (*key, &**value)));
    serde_json::to_vec(&Spec {
        oci_version: "1.2.1",
        process: Process {
            user: User {
                uid: 0,
                gid: 0,
                additional_gids: [0],
            },
            args: ["sleep", "infinity"],
            env: [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                &format!("HOSTNAME={}", pod.name),
                "KUBERNETES_SERVICE_HOST=10.96.0.1",
            ],
            cwd: "/",
            capabilities: Capabilities {
                bounding: CAPABILITIES,
                effective: CAPABILITIES,
                permitted: CAPABILITIES,
            },
        },
        root: Root { path: "rootfs" },
        mounts: MOUNTS,
        annotations,
        linux: Linux {
            resources: resources(&container.resources),
            cgroups_path: &format!("/k8s.io/{}", container.id),
            namespaces: NAMESPACES,
        },
    })
}
