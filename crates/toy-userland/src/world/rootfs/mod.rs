//! Makes the files that every container has from its [`Setup`].

pub(super) mod etc;
mod proc;

use std::sync::Arc;

use super::mounts::{Mount, Mounts, proc_mountinfo, proc_mounts};
use super::node::{Device, Node, NodeKind};
use super::path::{absolute, parent};
use super::processes::INIT;
use super::room::Capacity;
use super::setup::Setup;
use super::tree::{PROGRAM_DIRECTORIES, Tree};

/// Kernel parameters of every container, unless its setup has other values.
const SYSCTLS: [(&str, &str); 8] = [
    ("kernel.ostype", "Linux"),
    ("kernel.osrelease", KERNEL_RELEASE),
    ("kernel.pid_max", "4194304"),
    ("kernel.shm_rmid_forced", "0"),
    ("kernel.shmmax", "18446744073692774399"),
    ("net.core.somaxconn", "4096"),
    ("net.ipv4.ip_forward", "0"),
    ("net.ipv4.ip_unprivileged_port_start", "0"),
];

/// Kernel release that `uname -r` prints. No kernel runs here; the version is a plausible one.
pub(crate) const KERNEL_RELEASE: &str = "6.12.0-resource-slot";

const DIRECTORIES: [(&str, u16); 14] = [
    ("/dev/shm", 0o1777),
    ("/home", 0o755),
    ("/opt", 0o755),
    ("/proc", 0o555),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/srv", 0o755),
    ("/sys", 0o555),
    ("/tmp", 0o1777),
    ("/usr", 0o755),
    ("/var/lib", 0o755),
    ("/var/log", 0o755),
    ("/var/run", 0o755),
    ("/var/tmp", 0o1777),
];

/// Process id that `/proc/self` shows.
const SELF: u32 = 7;

pub(super) fn tree(setup: &Setup, programs: &'static [&'static str]) -> Tree {
    let mounts = Mounts::new(mounts(setup));
    let capacity = Capacity {
        bytes: setup.capacity_bytes,
        files: setup.capacity_files,
    };
    let mut tree = Tree::new(capacity, mounts.clone(), programs, setup.now);
    let node = |mode, kind| Node {
        kind,
        mode,
        uid: 0,
        gid: 0,
        modified: setup.now,
    };
    let file = |text: String| node(0o644, NodeKind::File(Arc::new(text.into_bytes())));
    let read_only = |text: String| node(0o444, NodeKind::File(Arc::new(text.into_bytes())));

    for directory in PROGRAM_DIRECTORIES {
        tree.place_directory(directory, 0o755);
    }
    for (path, mode) in DIRECTORIES {
        tree.place_directory(path, mode);
    }
    let working_directory = absolute("/", &setup.working_directory);
    tree.place_directory(&working_directory, 0o755);
    for (name, device) in [
        ("null", Device::Null),
        ("zero", Device::Zero),
        ("full", Device::Full),
        ("random", Device::Random),
        ("urandom", Device::Random),
    ] {
        tree.place(
            &format!("/dev/{name}"),
            node(0o666, NodeKind::Device(device)),
        );
    }

    tree.place("/etc/hostname", file(format!("{}\n", setup.hostname)));
    tree.place("/etc/hosts", file(etc::hosts(setup)));
    tree.place("/etc/resolv.conf", file(String::new()));
    tree.place("/etc/passwd", file(etc::passwd(setup)));
    tree.place("/etc/group", file(etc::group(setup)));

    tree.place("/etc/os-release", file(etc::OS_RELEASE.to_owned()));

    let proc_mounts = proc_mounts(&mounts);
    tree.place("/proc/mounts", read_only(proc_mounts.clone()));
    for (directory, pid) in [("self", SELF), ("1", INIT)] {
        let proc = format!("/proc/{directory}");
        tree.place(
            &format!("{proc}/status"),
            read_only(proc::status(setup, pid)),
        );
        tree.place(&format!("{proc}/mounts"), read_only(proc_mounts.clone()));
        let mountinfo = proc_mountinfo(&mounts);
        tree.place(&format!("{proc}/mountinfo"), read_only(mountinfo));
        for (name, maps) in [("uid_map", &setup.uid_map), ("gid_map", &setup.gid_map)] {
            let map = read_only(proc::id_map(maps));
            tree.place(&format!("{proc}/{name}"), map);
        }
    }
    let cpuinfo = proc::cpuinfo(setup.processors);
    tree.place("/proc/cpuinfo", read_only(cpuinfo));
    let meminfo = proc::meminfo(setup.memory_bytes);
    tree.place("/proc/meminfo", read_only(meminfo));
    let pause = ["/pause".to_owned()];
    let init = match setup.pid_namespace {
        Some(_) => &pause[..],
        None => &setup.command,
    };
    let cmdline = init
        .iter()
        .fold(String::new(), |all, argument| all + argument + "\0");
    tree.place("/proc/1/cmdline", read_only(cmdline));
    let given = setup
        .sysctls
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in SYSCTLS.into_iter().chain(given) {
        // sysctl(8) lets a slash in a parameter's name stand for a dot.
        let relative: String = name.chars().map(exchange_dot_and_slash).collect();
        let path = absolute("/proc/sys", relative.trim_start_matches('/'));
        if path.starts_with("/proc/sys/") {
            tree.place(&path, read_only(format!("{value}\n")));
        }
    }

    for (path, content) in &setup.files {
        tree.place(
            &absolute("/", path),
            node(0o644, NodeKind::File(Arc::new(content.clone()))),
        );
    }
    for mount in mounts.iter() {
        if mount.volume.is_some() {
            tree.place_directory(parent(&mount.target), 0o755);
            // A kubelet makes the directories of volumes so.
            tree.set_unseen(&mount.target, node(0o777, NodeKind::Directory));
            continue;
        }
        let mode = if mount.kind == "tmpfs" { 0o1777 } else { 0o755 };
        tree.place_directory(&mount.target, mode);
    }
    for path in &setup.masked_paths {
        mask(&mut tree, &absolute("/", path), &node);
    }
    tree
}

/// Hides a path, as runtimes do by a mount of `/dev/null` over a file and of an empty, read-only
/// file system over a directory (runtime-spec `config-linux.md`, masked paths). A path that does
/// not exist stays so.
fn mask(tree: &mut Tree, path: &str, node: &impl Fn(u16, NodeKind) -> Node) {
    match tree.find(path).map(|found| found.is_directory()) {
        Some(true) => tree.empty_directory(path),
        Some(false) => tree.place(path, node(0o666, NodeKind::Device(Device::Null))),
        None => {}
    }
}

/// Exchanges dots and slashes, which turns a kernel parameter's name into its path and back.
pub(crate) fn exchange_dot_and_slash(c: char) -> char {
    match c {
        '.' => '/',
        '/' => '.',
        other => other,
    }
}

/// Returns the mounts of the setup, with a root and a `/proc` if the setup has none, and with
/// the read-only `/proc/sys` of containers.
fn mounts(setup: &Setup) -> Vec<Mount> {
    let given = setup.mounts.iter().map(|mount| Mount {
        target: absolute("/", &mount.target),
        ..mount.clone()
    });
    let mut mounts: Vec<Mount> = given.collect();
    let implied = |source: &str, target: &str, options: &[&str]| Mount {
        source: source.to_owned(),
        target: target.to_owned(),
        kind: source.to_owned(),
        options: options.iter().map(ToString::to_string).collect(),
        volume: None,
    };
    if !mounts.iter().any(|mount| mount.target == "/") {
        mounts.insert(0, implied("overlay", "/", &["rw", "relatime"]));
    }
    if !mounts.iter().any(|mount| mount.target == "/proc") {
        mounts.push(implied(
            "proc",
            "/proc",
            &["rw", "nosuid", "nodev", "noexec"],
        ));
    }
    mounts.push(implied(
        "proc",
        "/proc/sys",
        &["ro", "nosuid", "nodev", "noexec"],
    ));
    mounts
}
