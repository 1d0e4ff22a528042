//! Tests of the file tree, and of the world that a setup makes.

use super::*;

fn root() -> User {
    Setup::default().user
}

fn write(world: &World, user: &User, path: &str, bytes: &[u8]) -> Result<(), FileError> {
    let mut tree = world.tree();
    tree.open(path, OpenMode::Truncate, user, world.now())?;
    tree.append(path, bytes, world.now())
}

fn read(world: &World, path: &str) -> String {
    match world.tree().read(path, &root()).unwrap().kind {
        NodeKind::File(content) => String::from_utf8(content.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn written_bytes_are_read_back_and_counted() {
    let world = World::new(Setup::default());
    let before = world.tree().bytes();
    write(&world, &root(), "/tmp/x", b"hello").unwrap();
    write(&world, &root(), "/tmp/x", b"bye").unwrap();
    assert_eq!(read(&world, "/tmp/x"), "bye");
    assert_eq!(world.tree().bytes(), before + "/tmp/x".len() + "bye".len());
    world.tree().remove("/tmp/x", &root()).unwrap();
    assert_eq!(world.tree().bytes(), before);
}

#[test]
fn a_full_world_has_no_space_left() {
    let world = World::new(Setup {
        capacity_bytes: 8 << 10,
        capacity_files: 90,
        ..Setup::default()
    });
    let refused = write(&world, &root(), "/tmp/x", &[0; 8 << 10]);
    assert_eq!(refused, Err(FileError::NoSpace));
    let made = (0..100).map(|n| write(&world, &root(), &format!("/tmp/{n}"), b""));
    assert_eq!(made.last().unwrap(), Err(FileError::NoSpace));
}

#[test]
fn a_read_only_root_refuses_what_a_volume_in_it_allows() {
    let mount = |target: &str, option: &str| Mount {
        source: "x".into(),
        target: target.into(),
        kind: "ext4".into(),
        options: vec![option.into()],
        volume: None,
    };
    let world = World::new(Setup {
        mounts: vec![mount("/", "ro"), mount("/data/", "rw")],
        ..Setup::default()
    });
    assert_eq!(write(&world, &root(), "/x", b""), Err(FileError::ReadOnly));
    assert_eq!(
        write(&world, &root(), "/etc/hosts", b""),
        Err(FileError::ReadOnly)
    );
    assert_eq!(write(&world, &root(), "/data/x", b""), Ok(()));
    assert_eq!(world.tree().remove("/data", &root()), Err(FileError::Busy));
}

#[test]
fn permissions_hold_for_all_but_root() {
    let world = World::new(Setup::default());
    let user = User {
        uid: 1000,
        gid: 1000,
        ..User::default()
    };
    assert_eq!(
        write(&world, &user, "/etc/hosts", b""),
        Err(FileError::Denied)
    );
    assert_eq!(write(&world, &user, "/x", b""), Err(FileError::Denied));
    assert_eq!(write(&world, &user, "/tmp/x", b""), Ok(()));
    assert_eq!(world.tree().list("/root", &user), Err(FileError::Denied));
}

#[test]
fn a_directory_is_moved_with_all_in_it() {
    let world = World::new(Setup::default());
    let now = world.now();
    world.tree().make_directory("/tmp/a", &root(), now).unwrap();
    write(&world, &root(), "/tmp/a/x", b"1").unwrap();
    write(&world, &root(), "/tmp/ab", b"2").unwrap();
    assert_eq!(
        world.tree().remove("/tmp/a", &root()),
        Err(FileError::NotEmpty)
    );
    let into_itself = world.tree().rename("/tmp/a", "/tmp/a/b", &root());
    assert_eq!(into_itself, Err(FileError::Invalid));
    world.tree().rename("/tmp/a", "/tmp/c", &root()).unwrap();
    assert_eq!(read(&world, "/tmp/c/x"), "1");
    assert_eq!(world.tree().list("/tmp", &root()).unwrap(), ["ab", "c"]);
}

#[test]
fn a_path_through_a_file_is_no_directory() {
    let world = World::new(Setup::default());
    let look = |path| world.tree().look(path).unwrap_err();
    assert_eq!(look("/etc/hosts/x"), FileError::NotADirectory);
    assert_eq!(look("/none/x"), FileError::NotFound);
    assert_eq!(
        write(&world, &root(), "/none/x", b""),
        Err(FileError::NotFound)
    );
}

#[test]
fn a_setup_is_found_in_proc() {
    let world = World::new(Setup {
        hostname: "pod-1".into(),
        no_new_privileges: true,
        seccomp: Seccomp::Filter,
        capabilities: Capabilities {
            effective: CapabilitySet::from_names(["CAP_NET_ADMIN"]),
            ..Capabilities::default()
        },
        sysctls: vec![("kernel.shm_rmid_forced".into(), "1".into())],
        files: vec![(
            "/etc/resolv.conf".into(),
            b"nameserver 10.0.0.10\n".to_vec(),
        )],
        ..Setup::default()
    });
    let status = read(&world, "/proc/self/status");
    assert!(status.contains("CapEff:\t0000000000001000\n"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1\nSeccomp:\t2\n"), "{status}");
    assert_eq!(read(&world, "/etc/hostname"), "pod-1\n");
    assert_eq!(read(&world, "/proc/sys/kernel/shm_rmid_forced"), "1\n");
    assert_eq!(read(&world, "/etc/resolv.conf"), "nameserver 10.0.0.10\n");
}

#[test]
fn programs_are_found_where_path_looks() {
    let world = World::new(Setup::default());
    assert_eq!(
        world.tree().look("/usr/bin/cat").unwrap().kind,
        NodeKind::Program
    );
    assert!(
        world
            .tree()
            .list("/bin", &root())
            .unwrap()
            .contains(&"sh".to_owned())
    );
    let removed = world.tree().remove("/bin/cat", &root());
    assert_eq!(removed, Err(FileError::NotPermitted));
}

#[test]
fn hostile_paths_do_not_escape_their_directory() {
    let world = World::new(Setup {
        sysctls: vec![
            ("../../etc/passwd".into(), "x".into()),
            (String::new(), String::new()),
        ],
        files: vec![("../../..".into(), Vec::new()), (String::new(), Vec::new())],
        working_directory: "/proc/self/status/x".into(),
        ..Setup::default()
    });
    assert!(read(&world, "/etc/passwd").starts_with("root:"));
    assert!(world.tree().look("/").unwrap().is_directory());
}

#[tokio::test(start_paused = true)]
async fn time_goes_on_with_the_runtime() {
    let world = World::new(Setup::default());
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    let since = world.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 60);
}

#[test]
fn the_names_in_a_directory_are_listed_whatever_lies_below_them() {
    let world = World::new(Setup::default());
    let mut tree = world.tree();
    let (user, now) = (&world.setup().user, world.now());
    for directory in ["/t", "/t/a", "/t/a/b", "/t/a.d", "/t/a0"] {
        tree.make_directory(directory, user, now).unwrap();
    }
    for file in [
        "/t/a/x", "/t/a/b/y", "/t/a.d/z", "/t/a0/z", "/t/b", "/t/a-", "/u",
    ] {
        tree.open(file, OpenMode::Append, user, now).unwrap();
    }
    let names = |path| tree.list(path, user).unwrap();
    assert_eq!(names("/t"), ["a", "a-", "a.d", "a0", "b"]);
    assert_eq!(names("/t/a"), ["b", "x"]);
    assert_eq!(names("/t/a/b"), ["y"]);
    let root = names("/");
    assert!(root.contains(&"t".to_owned()) && root.contains(&"u".to_owned()));
    assert!(
        root.iter()
            .all(|name| !name.is_empty() && !name.contains('/'))
    );
}

#[test]
fn a_machine_is_described_in_proc_and_etc() {
    let world = World::new(Setup {
        processors: 3,
        memory_bytes: 1 << 30,
        uid_map: vec![IdMap {
            inside: 0,
            outside: 1000,
            length: 100_000,
        }],
        ..Setup::default()
    });
    let cpuinfo = read(&world, "/proc/cpuinfo");
    assert_eq!(cpuinfo.matches("processor\t: ").count(), 3, "{cpuinfo}");
    let meminfo = read(&world, "/proc/meminfo");
    assert!(
        meminfo.contains("MemTotal:        1048576 kB\n"),
        "{meminfo}"
    );
    assert!(read(&world, "/etc/os-release").contains("\nID=resource-slot\n"));
    assert_eq!(
        read(&world, "/proc/self/uid_map"),
        "         0       1000     100000\n"
    );
    assert_eq!(
        read(&world, "/proc/1/gid_map"),
        "         0          0 4294967295\n"
    );
}

#[test]
fn a_masked_path_shows_nothing() {
    let world = World::new(Setup {
        masked_paths: ["/etc/hosts", "/proc/sys", "/none", "/bin/ls"]
            .map(str::to_owned)
            .to_vec(),
        ..Setup::default()
    });
    let kind = |path| world.tree().look(path).unwrap().kind;
    assert_eq!(kind("/etc/hosts"), NodeKind::Device(Device::Null));
    assert_eq!(kind("/bin/ls"), NodeKind::Device(Device::Null));
    assert_eq!(world.tree().list("/proc/sys", &root()).unwrap(), [""; 0]);
    assert_eq!(world.tree().look("/none").unwrap_err(), FileError::NotFound);
}

#[test]
fn replaced_files_are_seen_by_the_next_look_and_no_file_is_made() {
    let world = World::new(Setup {
        files: vec![("/sys/fs/cgroup/memory.max".into(), b"max\n".to_vec())],
        ..Setup::default()
    });
    world.replace_files(vec![
        ("/sys/fs/cgroup/memory.max".into(), b"4096\n".to_vec()),
        ("/none".into(), Vec::new()),
    ]);
    assert_eq!(read(&world, "/sys/fs/cgroup/memory.max"), "4096\n");
    assert_eq!(world.tree().look("/none").unwrap_err(), FileError::NotFound);
}

#[test]
fn containers_with_a_common_pid_namespace_see_each_others_processes() {
    let shared = PidNamespace::default();
    let world = |command: &str| {
        World::new(Setup {
            command: vec![command.into()],
            pid_namespace: Some(shared.clone()),
            ..Setup::default()
        })
    };
    let (one, two) = (world("/one"), world("/two"));
    let commands = |world: &World| -> Vec<String> {
        let listed = world.processes().list().into_iter();
        listed.map(|(_, process)| process.command).collect()
    };
    assert_eq!(commands(&one), ["/pause", "/one", "/two"]);
    assert_ne!((one.init(), two.init()), (1, 1));
    assert_eq!(read(&one, "/proc/1/cmdline"), "/pause\0");
    drop(one);
    assert_eq!(commands(&two), ["/pause", "/two"]);
    let own = World::new(Setup::default());
    assert_eq!((commands(&own).len(), own.init()), (1, 1));
}
