//! Tests of volumes over files of a made-up node.

use super::super::host::{HostKind, HostNode};
use super::super::{Mount, NodeKind, OpenMode, Room, Setup, User, World};
use super::*;

/// Files by path; a path that ends with a slash is a directory.
#[derive(Debug, Default)]
struct Made {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    replaced: Mutex<Vec<Vec<u8>>>,
}

impl Made {
    fn new(files: &[(&str, &str)]) -> Arc<Self> {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        Arc::new(Self {
            files: Mutex::new(files.collect()),
            ..Self::default()
        })
    }

    fn set(&self, path: &str, text: &str) {
        self.files.lock().insert(path.into(), text.into());
    }
}

impl HostFiles for Made {
    fn look(&self, path: &str) -> Result<HostNode, FileError> {
        let files = self.files.lock();
        let below = format!("{path}/");
        let kind = match files.get(path) {
            Some(content) => HostKind::File(content.len() as u64),
            None if path.is_empty() || files.keys().any(|one| one.starts_with(&below)) => {
                HostKind::Directory
            }
            None => return Err(FileError::NotFound),
        };
        Ok(HostNode {
            kind,
            mode: if kind == HostKind::Directory {
                0o777
            } else {
                0o640
            },
            uid: 0,
            gid: 2000,
            modified: SystemTime::UNIX_EPOCH,
            is_on_submount: path == "sub" || path.starts_with("sub/"),
        })
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        let files = self.files.lock();
        let below = prefix(path);
        let within = files.keys().filter_map(|one| one.strip_prefix(&below));
        let mut names: Vec<String> = within
            .map(|rest| rest.split('/').next().unwrap_or_default().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let files = self.files.lock();
        files.get(path).cloned().ok_or(FileError::NotFound)
    }

    fn replace(&self, content: &[u8]) -> Result<(), FileError> {
        self.replaced.lock().push(content.to_vec());
        Ok(())
    }
}

fn room() -> Arc<Room> {
    Arc::new(Room::new(4096, 64))
}

fn world(volume: &Arc<Volume>, option: &str) -> World {
    World::new(Setup {
        mounts: vec![Mount {
            source: "/node/v".into(),
            target: "/v".into(),
            kind: "ext4".into(),
            options: vec![option.into()],
            volume: Some(Arc::clone(volume)),
        }],
        ..Setup::default()
    })
}

fn root() -> User {
    Setup::default().user
}

fn text(world: &World, path: &str) -> Result<String, FileError> {
    let node = world.tree().read(path, &root())?;
    match node.kind {
        NodeKind::File(content) => Ok(String::from_utf8(content.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn write(world: &World, path: &str, mode: OpenMode, bytes: &[u8]) -> Result<(), FileError> {
    let mut tree = world.tree();
    tree.open(path, mode, &root(), world.now())?;
    tree.append(path, bytes, world.now())
}

#[test]
fn a_file_of_the_node_is_seen_as_it_is_at_each_look() {
    let made = Made::new(&[("a", "1"), ("d/b", "2")]);
    let volume = Arc::new(Volume::new(Some(made.clone()), &room()));
    let world = world(&volume, "ro");
    assert_eq!(text(&world, "/v/a").unwrap(), "1");
    made.set("a", "changed");
    assert_eq!(text(&world, "/v/a").unwrap(), "changed");
    assert_eq!(world.tree().look("/v/a").unwrap().size(), 7);
    assert_eq!(world.tree().list("/v", &root()).unwrap(), ["a", "d"]);
    assert_eq!(world.tree().list("/v/d", &root()).unwrap(), ["b"]);
    assert!(
        world
            .tree()
            .list("/", &root())
            .unwrap()
            .contains(&"v".into())
    );
    assert_eq!(
        text(&world, "/v/a/x").unwrap_err(),
        FileError::NotADirectory
    );
    assert_eq!(text(&world, "/v/none").unwrap_err(), FileError::NotFound);
    let removed = world.tree().remove("/v/a", &root());
    let changed = world.tree().change("/v/a", &root(), |node| node.mode = 0);
    for refused in [
        write(&world, "/v/a", OpenMode::Append, b"x"),
        write(&world, "/v/new", OpenMode::Append, b"x"),
        removed,
        changed,
    ] {
        assert_eq!(refused, Err(FileError::ReadOnly));
    }
}

#[test]
fn permissions_are_those_of_the_node() {
    let made = Made::new(&[("secret", "s")]);
    let volume = Arc::new(Volume::new(Some(made), &room()));
    let world = world(&volume, "rw");
    let user = |groups: &[u32]| User {
        uid: 1000,
        gid: 1000,
        groups: groups.to_vec(),
        name: String::new(),
    };
    let read = |user: &User| world.tree().read("/v/secret", user).map(drop);
    assert_eq!(read(&user(&[])), Err(FileError::Denied));
    assert_eq!(read(&user(&[2000])), Ok(()));
}

#[test]
fn writes_stay_in_memory_and_are_shared_by_all_worlds_of_a_volume() {
    let made = Made::new(&[("a", "1"), ("d/b", "2"), ("d/c", "3")]);
    let room = room();
    let volume = Arc::new(Volume::new(Some(made.clone()), &room));
    let (one, two) = (world(&volume, "rw"), world(&volume, "rw"));
    write(&one, "/v/a", OpenMode::Append, b"+").unwrap();
    write(&one, "/v/new", OpenMode::Truncate, b"n").unwrap();
    assert_eq!(text(&two, "/v/a").unwrap(), "1+");
    assert_eq!(text(&two, "/v/new").unwrap(), "n");
    assert_eq!(made.read("a").unwrap(), b"1");
    one.tree().remove("/v/d/b", &root()).unwrap();
    assert_eq!(text(&two, "/v/d/b").unwrap_err(), FileError::NotFound);
    assert_eq!(two.tree().list("/v/d", &root()).unwrap(), ["c"]);
    assert_eq!(two.tree().remove("/v/d", &root()), Err(FileError::NotEmpty));
    two.tree().remove("/v/d/c", &root()).unwrap();
    two.tree().remove("/v/d", &root()).unwrap();
    let now = one.now();
    one.tree().make_directory("/v/d", &root(), now).unwrap();
    assert_eq!(one.tree().list("/v/d", &root()).unwrap(), [""; 0]);
    one.tree()
        .change("/v", &root(), |node| node.mode = 0o700)
        .unwrap();
    assert_eq!(two.tree().look("/v").unwrap().mode, 0o700);
    assert_eq!(two.tree().list("/v", &root()).unwrap(), ["a", "d", "new"]);
    assert!(made.replaced.lock().is_empty());
    drop((one, two, volume));
    assert_eq!(room.bytes(), 0);
}

#[test]
fn a_directory_of_the_node_is_moved_out_of_and_into_a_volume() {
    let made = Made::new(&[("d/a", "1"), ("d/e/b", "2")]);
    let volume = Arc::new(Volume::new(Some(made), &room()));
    let world = world(&volume, "rw");
    let moved = world.tree().rename("/v/d", "/tmp/d", &root()).unwrap();
    assert_eq!(moved, 4);
    assert_eq!(text(&world, "/tmp/d/e/b").unwrap(), "2");
    assert_eq!(world.tree().look("/v/d").unwrap_err(), FileError::NotFound);
    world.tree().rename("/tmp/d", "/v/f", &root()).unwrap();
    assert_eq!(text(&world, "/v/f/a").unwrap(), "1");
    assert_eq!(
        world.tree().look("/tmp/d").unwrap_err(),
        FileError::NotFound
    );
}

#[test]
fn a_volume_takes_no_more_than_its_room() {
    let made = Made::new(&[("a", &"x".repeat(3000))]);
    let room = room();
    let volume = Arc::new(Volume::new(Some(made), &room));
    let world = world(&volume, "rw");
    let held = world.tree().read("/v/a", &root()).unwrap();
    let second = world.tree().read("/v/a", &root());
    assert_eq!(second.map(drop), Err(FileError::NoMemory));
    drop(held);
    world.tree().read("/v/a", &root()).unwrap();
    let full = write(&world, "/v/b", OpenMode::Truncate, &[0; 5000]);
    assert_eq!(full, Err(FileError::NoSpace));
    let many = (0..100).map(|n| write(&world, &format!("/v/{n}"), OpenMode::Truncate, b""));
    assert_eq!(many.last().unwrap(), Err(FileError::NoSpace));
    // df(1) shows the volume's own space.
    assert_eq!(world.tree().space("/v/x").0, 4096);
}

#[test]
fn a_termination_message_reaches_the_node_cut_after_twelve_kilobytes() {
    let made = Made::new(&[("", "")]);
    let through = Arc::new(Volume::written_through(
        made.clone(),
        &Arc::new(Room::new(1 << 20, 9)),
    ));
    let world = world(&through, "rw");
    write(&world, "/v", OpenMode::Truncate, b"over").unwrap();
    write(&world, "/v", OpenMode::Append, &vec![b'x'; 20_000]).unwrap();
    let replaced = made.replaced.lock();
    assert_eq!(replaced[1], b"over");
    assert_eq!(replaced.last().unwrap().len(), 3 * 4096);
}

#[test]
fn a_volume_that_the_node_does_not_show_is_an_empty_directory_or_the_containers_own_file() {
    let volume = |target: &str| {
        let volume = Arc::new(Volume::new(None, &room()));
        World::new(Setup {
            mounts: vec![Mount {
                target: target.into(),
                volume: Some(volume),
                ..Mount::default()
            }],
            ..Setup::default()
        })
    };
    let world = volume("/v");
    assert_eq!(world.tree().look("/v").unwrap().mode, 0o777);
    assert_eq!(world.tree().list("/v", &root()).unwrap(), [""; 0]);
    assert!(
        text(&volume("/etc/hosts"), "/etc/hosts")
            .unwrap()
            .contains("localhost")
    );
}

#[test]
fn a_mount_below_a_read_only_one_is_writable_unless_that_is_so_recursively() {
    let made = Made::new(&[("sub/a", "1"), ("b", "2")]);
    for (option, expected) in [("ro", Ok(())), ("rro", Err(FileError::ReadOnly))] {
        let volume = Arc::new(Volume::new(Some(made.clone()), &room()));
        let world = world(&volume, option);
        for path in ["/v/sub/a", "/v/sub/new"] {
            assert_eq!(
                write(&world, path, OpenMode::Append, b"x"),
                expected,
                "{path}"
            );
        }
        let above = write(&world, "/v/b", OpenMode::Append, b"x");
        assert_eq!(above, Err(FileError::ReadOnly));
    }
}

#[test]
fn an_image_is_mounted_with_its_programs_and_files() {
    let files = [("/etc/motd".to_owned(), b"hello".to_vec())];
    let mounted = Arc::new(Volume::of_image(&files, "").unwrap());
    let world = world(&mounted, "ro");
    let kind = |path| world.tree().look(path).unwrap().kind;
    assert_eq!(kind("/v/bin/sh"), NodeKind::Program);
    assert_eq!(text(&world, "/v/etc/motd").unwrap(), "hello");
    let written = write(&world, "/v/new", OpenMode::Append, b"x");
    assert_eq!(written, Err(FileError::ReadOnly));
}
