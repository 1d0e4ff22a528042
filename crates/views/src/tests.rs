//! Views, from asking to the disk.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::spare::SPARE;
use super::*;
use crate::fixtures::{info, key};
use slot::Timestamp;
use slot::{Change, NewContainer, NewProcess, NewSandbox, Slot};
use testing::SmallDisk;

/// A window so long that only the stop flushes.
const FOREVER: Duration = Duration::from_secs(3600);

fn put(id: &str, container: Option<&str>, pids: u64) -> ViewOp {
    ViewOp::Put {
        key: key(id),
        container: container.map(str::to_owned),
        info: info(pids),
    }
}

fn remove(id: &str, container: Option<&str>) -> ViewOp {
    ViewOp::Remove {
        key: key(id),
        container: container.map(str::to_owned),
    }
}

fn shown(path: &Path) -> Option<ResourceInfo> {
    let bytes = fs::read(path.join("resource_info.json")).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Returns every path below `dir` except spare directories.
fn tree(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name == SPARE {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            let below = tree(&entry.path());
            all.extend(below.into_iter().map(|path| format!("{name}/{path}")));
        }
        all.push(name);
    }
    all.sort_unstable();
    all
}

fn slots(of: &[(&str, &[&str])]) -> Slots {
    let slot = |containers: &[&str]| {
        let at = Timestamp::default();
        let new = NewSandbox {
            info: info(1),
            ..NewSandbox::default()
        };
        let mut slot = Slot::new(new, at);
        slot.apply(Change::Start, at).unwrap();
        for id in containers {
            let new = NewContainer {
                id: (*id).to_owned(),
                bundle: String::new(),
                info: info(2),
                process: NewProcess::default(),
                ..NewContainer::default()
            };
            slot.apply(Change::CreateContainer(new), at).unwrap();
        }
        slot
    };
    of.iter()
        .map(|(id, containers)| (key(id), Box::new(slot(containers))))
        .collect()
}

#[test]
fn a_sandbox_has_the_directory_of_its_id_unless_the_name_is_reserved() {
    let dir = |namespace: &str, id: &str| view_dir(&Key::new(namespace, id).unwrap());
    assert_eq!(dir("k8s.io", "abc"), "abc");
    assert_eq!(dir("default", "abc"), "abc@default");
    assert_eq!(dir("k8s.io", "lock"), "lock@k8s.io");
    assert_eq!(dir("k8s.io", "journal"), "journal@k8s.io");
    assert_eq!(dir("k8s.io", "images.json"), "images.json@k8s.io");
}

#[tokio::test]
async fn write_through_is_on_disk_when_it_is_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    let (a, c) = (dir.path().join("a"), dir.path().join("a/containers/c"));
    views.submit(put("a", None, 1)).done().await.unwrap();
    let text = fs::read_to_string(a.join("resource_info.json")).unwrap();
    assert_eq!(
        text,
        "{\n  \"cpu_limit\": 0.25,\n  \"cpu_request\": null,\n  \"memory_limit\": null,\n  \
         \"memory_request\": null,\n  \"pid_limit\": 1,\n  \"storage_limit\": null,\n  \
         \"network_bandwidth\": null\n}\n"
    );
    views.submit(put("a", Some("c"), 2)).done().await.unwrap();
    views.submit(put("a", None, 3)).done().await.unwrap();
    assert_eq!(shown(&a), Some(info(3)));
    assert_eq!(shown(&c), Some(info(2)));
    assert_eq!((mode(&a), mode(&c)), (0o700, 0o700));
    assert_eq!(mode(&c.join("resource_info.json")), 0o600);
    views.submit(remove("a", Some("c"))).done().await.unwrap();
    assert!(!c.exists());
    views.submit(put("a", Some("d"), 2)).done().await.unwrap();
    views.submit(remove("a", None)).done().await.unwrap();
    assert_eq!(tree(dir.path()), Vec::<String>::new());
    views.submit(remove("a", None)).done().await.unwrap();
}

#[tokio::test]
async fn off_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::Off).unwrap();
    views.submit(put("a", None, 1)).done().await.unwrap();
    views.flush_and_stop();
    assert_eq!(tree(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn write_behind_never_writes_a_view_that_is_removed_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start_with(dir.path(), ViewMode::WriteBehind, FOREVER, REST).unwrap();
    let handle = fs::File::open(dir.path()).unwrap();
    handle.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    for op in [
        put("a", None, 1),
        put("a", Some("c"), 2),
        remove("a", Some("c")),
        put("b", Some("c"), 2),
        remove("b", None),
        remove("a", None),
    ] {
        views.submit(op).done().await.unwrap();
    }
    views.flush_and_stop();
    let touched = fs::metadata(dir.path()).unwrap().modified().unwrap();
    assert_eq!(touched, SystemTime::UNIX_EPOCH);
}

#[tokio::test]
async fn write_behind_writes_the_last_of_several() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start_with(dir.path(), ViewMode::WriteBehind, FOREVER, REST).unwrap();
    for pids in 1..=9 {
        views.submit(put("a", None, pids)).done().await.unwrap();
    }
    assert_eq!(shown(&dir.path().join("a")), None);
    views.flush_and_stop();
    assert_eq!(shown(&dir.path().join("a")), Some(info(9)));
}

#[test]
fn write_behind_flushes_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteBehind).unwrap();
    let _ = views.submit(put("a", None, 1));
    while shown(&dir.path().join("a")).is_none() {
        std::thread::yield_now();
    }
}

#[test]
fn changes_without_a_waiting_caller_are_written_however_many_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    let ids: Vec<String> = (0..300).map(|i| format!("s{i}")).collect();
    for id in &ids {
        views.submit_lazily(put(id, None, 1));
    }
    while !ids.iter().all(|id| shown(&dir.path().join(id)).is_some()) {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_waiting_caller_does_not_wait_for_gathered_changes() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start_with(dir.path(), ViewMode::WriteThrough, FOREVER, REST).unwrap();
    views.submit_lazily(put("a", None, 1));
    views.submit(put("b", None, 2)).done().await.unwrap();
    assert_eq!(shown(&dir.path().join("b")), Some(info(2)));
    assert_eq!(shown(&dir.path().join("a")), None);
    views.flush_and_stop();
    assert_eq!(shown(&dir.path().join("a")), Some(info(1)));
}

#[tokio::test]
async fn a_lazy_removal_keeps_views_that_were_put_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start_with(dir.path(), ViewMode::WriteThrough, FOREVER, REST).unwrap();
    for op in [
        put("a", None, 1),
        put("a", Some("c"), 2),
        put("b", Some("c"), 2),
    ] {
        views.submit(op).done().await.unwrap();
    }
    views.submit_lazily(remove("a", None));
    views.submit_lazily(remove("b", None));
    assert_eq!(shown(&dir.path().join("a")), Some(info(1)), "nobody waits");
    views.submit(put("a", None, 5)).done().await.unwrap();
    assert_eq!(tree(dir.path())[..2], ["a", "a/resource_info.json"]);
    // The view of a container alone, while the removal of its sandbox waits.
    views.submit(put("b", Some("d"), 6)).done().await.unwrap();
    views.flush_and_stop();
    let expected = [
        "a",
        "a/resource_info.json",
        "b",
        "b/containers",
        "b/containers/d",
        "b/containers/d/resource_info.json",
    ];
    assert_eq!(tree(dir.path()), expected);
    assert_eq!(shown(&dir.path().join("a")), Some(info(5)));
}

#[tokio::test]
async fn a_lazy_removal_takes_what_was_put_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start_with(dir.path(), ViewMode::WriteThrough, FOREVER, REST).unwrap();
    views.submit(put("a", None, 1)).done().await.unwrap();
    views.submit(put("a", Some("c"), 2)).done().await.unwrap();
    views.submit_lazily(remove("a", Some("c")));
    views.submit_lazily(put("a", None, 3));
    views.submit_lazily(remove("a", None));
    views.flush_and_stop();
    assert_eq!(tree(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_lazy_view_that_is_removed_in_time_is_never_written() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start_with(dir.path(), ViewMode::WriteThrough, FOREVER, REST).unwrap();
    let handle = fs::File::open(dir.path()).unwrap();
    handle.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    views.submit_lazily(put("a", None, 1));
    views.submit_lazily(put("a", Some("c"), 1));
    views.submit_lazily(remove("a", None));
    views.submit_lazily(put("b", None, 1));
    views.submit(remove("b", None)).done().await.unwrap();
    views.flush_and_stop();
    let touched = fs::metadata(dir.path()).unwrap().modified().unwrap();
    assert_eq!(touched, SystemTime::UNIX_EPOCH);
}

/// Changes of a few views, each with whether a caller waits for it.
fn ops() -> impl Strategy<Value = Vec<(ViewOp, bool)>> {
    let container = prop::sample::select(vec![None, Some("c"), Some("d")]);
    let id = prop::sample::select(vec!["a", "b"]);
    let op = (id, container, prop::option::of(1..9_u64), any::<bool>());
    let op = op.prop_map(|(id, container, pids, waits)| match pids {
        Some(pids) => (put(id, container, pids), waits),
        None => (remove(id, container), waits),
    });
    prop::collection::vec(op, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn each_view_comes_to_what_was_asked_of_it_last(
        ops in ops(),
        mode in prop::sample::select(vec![ViewMode::WriteThrough, ViewMode::WriteBehind]),
        window in prop::sample::select(vec![Duration::ZERO, FOREVER]),
        rest in prop::sample::select(vec![Duration::ZERO, FOREVER]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let views = Views::start_with(dir.path(), mode, window, rest).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let path = |id: &str, container: &Option<String>| match container {
            None => dir.path().join(id),
            Some(container) => dir.path().join(id).join("containers").join(container),
        };
        let mut expected: HashMap<(String, Option<String>), ResourceInfo> = HashMap::new();
        for (op, waits) in ops {
            let (id, container, info) = match op.clone() {
                ViewOp::Put { key, container, info } => (key.id().to_owned(), container, Some(info)),
                ViewOp::Remove { key, container } => (key.id().to_owned(), container, None),
            };
            if waits {
                runtime.block_on(views.submit(op).done()).unwrap();
            } else {
                views.submit_lazily(op);
            }
            if waits && mode == ViewMode::WriteThrough {
                prop_assert_eq!(shown(&path(&id, &container)), info);
            }
            match info {
                Some(info) => { expected.insert((id, container), info); }
                None => expected.retain(|view, _| {
                    view.0 != id || (container.is_some() && view.1 != container)
                }),
            }
        }
        views.flush_and_stop();
        for id in ["a", "b"] {
            for container in [None, Some("c".to_owned()), Some("d".to_owned())] {
                let shown = shown(&path(id, &container));
                prop_assert_eq!(shown.as_ref(), expected.get(&(id.to_owned(), container)));
            }
        }
        let all = fs::read_dir(dir.path()).unwrap().flatten();
        let hidden = all.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b"."));
        prop_assert_eq!(hidden.count(), 0);
    }
}

#[tokio::test]
async fn a_sandbox_that_comes_again_has_no_view_of_its_earlier_containers() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    views.submit(put("a", Some("c"), 2)).done().await.unwrap();
    drop(views);
    let views = Views::start_with(dir.path(), ViewMode::WriteBehind, FOREVER, REST).unwrap();
    for op in [remove("a", None), put("a", None, 5), put("a", Some("d"), 6)] {
        let _ = views.submit(op);
    }
    views.flush_and_stop();
    let expected = [
        "a",
        "a/containers",
        "a/containers/d",
        "a/containers/d/resource_info.json",
        "a/resource_info.json",
    ];
    assert_eq!(tree(dir.path()), expected);
}

#[tokio::test]
async fn a_sandbox_shows_nothing_of_the_one_whose_directory_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let mode = ViewMode::WriteThrough;
    let views = Views::start_with(dir.path(), mode, WINDOW, Duration::ZERO).unwrap();
    let inode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().ino();
    for op in [put("a", None, 1_000_000), put("a", Some("c"), 2)] {
        views.submit(op).done().await.unwrap();
    }
    let inodes = ["a", "a/resource_info.json"].map(inode);
    views.submit(remove("a", None)).done().await.unwrap();
    views.submit(put("b", None, 3)).done().await.unwrap();
    assert_eq!(["b", "b/resource_info.json"].map(inode), inodes);
    // An empty directory remains when the containers of a sandbox have been removed.
    let expected = ["b", "b/containers", "b/resource_info.json"];
    assert_eq!(tree(dir.path()), expected);
    assert_eq!(shown(&dir.path().join("b")), Some(info(3)));
}

#[tokio::test]
async fn a_reader_sees_a_sandboxs_own_view_or_none() {
    const SANDBOXES: u32 = 8;
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    let id = |n: u32| format!("s{n}");
    let own = |n: u32| [u64::from(n) + 1, 10_u64.pow(n + 3)];
    let writing = Arc::new(());
    let (seen, root) = (Arc::downgrade(&writing), dir.path().to_owned());
    let reader = thread::spawn(move || {
        let mut reads = 0;
        while seen.strong_count() > 0 {
            for n in 0..SANDBOXES {
                if let Some(read) = shown(&root.join(id(n))) {
                    assert!(own(n).map(info).contains(&read), "{n} shows {read:?}");
                    reads += 1;
                }
            }
        }
        reads
    });
    for n in (0..SANDBOXES).cycle().take(600) {
        for op in [
            put(&id(n), None, own(n)[0]),
            put(&id(n), None, own(n)[1]),
            remove(&id((n + 3) % SANDBOXES), None),
        ] {
            views.submit(op).done().await.unwrap();
        }
    }
    drop(writing);
    assert!(reader.join().unwrap() > 0);
}

#[test]
fn spare_directories_of_a_crash_are_removed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(SPARE).join(path);
    write(&at("1/resource_info.json"), "stale");
    fs::create_dir(at("1/containers")).unwrap();
    fs::create_dir(at("2")).unwrap();
    write(&at("3/notes"), "");
    write(&at("3/resource_info.json"), "stale");
    write(
        &at("4/containers/c/resource_info.json"),
        "not ours like this",
    );
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    let repaired = views.repair(&slots(&[("a", &["c"])])).unwrap();
    assert_eq!((repaired.written, repaired.failed), (2, 0));
    assert_eq!(shown(&dir.path().join("a/containers/c")), Some(info(2)));
    drop(views);
    let expected = [
        "3",
        "3/notes",
        "4",
        "4/containers",
        "4/containers/c",
        "4/containers/c/resource_info.json",
    ];
    assert_eq!(tree(&dir.path().join(SPARE)), expected);
}

#[tokio::test]
async fn files_of_others_are_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    views.submit(put("a", Some("c"), 2)).done().await.unwrap();
    views.submit(put("a", None, 2)).done().await.unwrap();
    fs::write(dir.path().join("a/containers/c/notes"), "").unwrap();
    views.submit(remove("a", None)).done().await.unwrap();
    let expected = [
        "a",
        "a/containers",
        "a/containers/c",
        "a/containers/c/notes",
    ];
    assert_eq!(tree(dir.path()), expected);
}

#[tokio::test]
async fn no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("resource_info.json"), "precious").unwrap();
    fs::create_dir(dir.path().join("b")).unwrap();
    symlink(outside.path(), dir.path().join("a")).unwrap();
    symlink(outside.path(), dir.path().join("b/containers")).unwrap();
    let target = outside.path().join("resource_info.json");
    symlink(&target, dir.path().join("b/resource_info.json")).unwrap();
    fs::create_dir(dir.path().join(SPARE)).unwrap();
    for name in ["1", "2"] {
        symlink(outside.path(), dir.path().join(SPARE).join(name)).unwrap();
    }

    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    views.submit(put("a", None, 1)).done().await.unwrap_err();
    views.submit(remove("a", None)).done().await.unwrap();
    views
        .submit(put("b", Some("c"), 1))
        .done()
        .await
        .unwrap_err();
    // The link itself is replaced.
    views.submit(put("b", None, 1)).done().await.unwrap();
    assert_eq!(shown(&dir.path().join("b")), Some(info(1)));
    views.submit(remove("b", None)).done().await.unwrap();
    views.repair(&slots(&[("b", &["c"])])).unwrap();
    views.flush_and_stop();
    assert_eq!(tree(outside.path()), ["resource_info.json"]);
    assert_eq!(fs::read(&target).unwrap(), b"precious");
}

#[tokio::test]
async fn what_failed_is_done_once_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "in the way").unwrap();
    fs::write(dir.path().join("b"), "in the way").unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    views.submit(put("a", None, 1)).done().await.unwrap_err();
    views.submit(put("b", None, 1)).done().await.unwrap_err();
    // The caller takes the change back, so it must not be made later.
    views.submit(remove("b", None)).done().await.unwrap();
    fs::remove_file(dir.path().join("a")).unwrap();
    fs::remove_file(dir.path().join("b")).unwrap();
    views.flush_and_stop();
    assert_eq!(tree(dir.path()), ["a", "a/resource_info.json"]);
}

#[tokio::test]
async fn a_container_id_that_is_a_path_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    for id in ["../../x", "..", "", "a/b"] {
        views
            .submit(put("a", Some(id), 1))
            .done()
            .await
            .unwrap_err();
        views
            .submit(remove("a", Some(id)))
            .done()
            .await
            .unwrap_err();
    }
    drop(views);
    assert_eq!(tree(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn after_the_stop_a_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    views.flush_and_stop();
    views.flush_and_stop();
    let refused = views.submit(put("a", None, 1)).done().await;
    assert!(matches!(refused, Err(ViewError::Stopped)));
    assert!(matches!(
        views.repair(&HashMap::new()),
        Err(ViewError::Stopped)
    ));
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_repair_makes_the_directory_agree() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    let expected = slots(&[("a", &["c", "d"]), ("b", &[])]);
    let first = views.repair(&expected).unwrap();
    assert_eq!(
        first,
        Repaired {
            written: 4,
            ..Repaired::default()
        }
    );

    write(&at("a/resource_info.json"), "{}");
    fs::remove_dir_all(at("a/containers/d")).unwrap();
    write(&at("a/containers/old/resource_info.json"), "");
    write(&at("gone/resource_info.json"), "");
    write(&at("gone/containers/x/.resource_info.json.tmp"), "");
    fs::create_dir(at("empty@default")).unwrap();
    write(&at("theirs/resource_info.json"), "");
    write(&at("theirs/notes"), "");
    write(&at("theirs.too/containers/x/deep/resource_info.json"), "");
    write(&at("not a view/file"), "");
    write(&at("journal/x"), "");
    write(&at("lock"), "");
    let repaired = views.repair(&expected).unwrap();
    let counts = Repaired {
        kept: 2,
        written: 2,
        removed: 3,
        left: 2,
        failed: 0,
    };
    assert_eq!(repaired, counts);
    for (view, pids) in [
        ("a", 1),
        ("a/containers/c", 2),
        ("a/containers/d", 2),
        ("b", 1),
    ] {
        assert_eq!(shown(&at(view)), Some(info(pids)), "{view}");
    }
    for gone in ["a/containers/old", "gone", "empty@default"] {
        assert!(!at(gone).exists(), "{gone}");
    }
    for left in [
        "theirs/resource_info.json",
        "theirs/notes",
        "theirs.too/containers/x/deep",
        "not a view/file",
        "journal/x",
        "lock",
    ] {
        assert!(at(left).exists(), "{left}");
    }
    drop(views);

    let off = Views::start(dir.path(), ViewMode::Off).unwrap();
    assert_eq!(off.repair(&expected).unwrap().removed, 2);
    assert!(!at("a").exists() && !at("b").exists());
}

#[test]
fn a_view_that_cannot_be_repaired_is_counted_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let a = dir.path().join("a");
    fs::write(&a, "in the way").unwrap();
    let views = Views::start(dir.path(), ViewMode::WriteThrough).unwrap();
    let repaired = views.repair(&slots(&[("a", &[])])).unwrap();
    assert_eq!(
        repaired,
        Repaired {
            failed: 1,
            ..Repaired::default()
        }
    );
    fs::remove_file(&a).unwrap();
    views.flush_and_stop();
    assert_eq!(shown(&a), Some(info(1)));
}

#[tokio::test]
async fn a_full_disk_refuses_views_until_there_is_space() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let views = Views::start(disk.path(), ViewMode::WriteThrough).unwrap();
    let put = |id: &str| ViewOp::Put {
        key: key(id),
        container: None,
        info: ResourceInfo::default(),
    };
    views.submit(put("a")).done().await.unwrap();
    disk.fill();
    let refused = views.submit(put("b")).done().await.unwrap_err();
    assert_eq!(
        containerd_sandbox::Error::from(refused).code(),
        containerd_sandbox::Code::ResourceExhausted
    );
    let remove = |id: &str| ViewOp::Remove {
        key: key(id),
        container: None,
    };
    views.submit(remove("b")).done().await.unwrap();
    views.submit(put("c")).done().await.unwrap_err();
    disk.free();
    // The stop makes a last attempt at failed changes.
    views.flush_and_stop();
    let shown = |id: &str| disk.path().join(id).join("resource_info.json").exists();
    assert_eq!([shown("a"), shown("b"), shown("c")], [true, false, true]);
    assert!(!disk.path().join("b").exists());
}
