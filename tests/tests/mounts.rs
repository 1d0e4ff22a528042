//! Mounts of containers: what commands see of the node's files, what they write, and what they
//! never touch.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use containerd_sandbox::client::Cri;
use cri_api::v1::{self, ContainerState};
use prost::Message as _;
use rustix::process::Pid;
use serde_json::json;
use tests::cri::{IMAGE, container_config, labels, pod_config, pull, run_pod, started, until};
use tests::{Daemon, eventually, request};

const UID: &str = "uid-of-web";
const MESSAGE_PATH: &str = "io.kubernetes.container.terminationMessagePath";

fn mount(host: &Path, container: &str, readonly: bool) -> v1::Mount {
    v1::Mount {
        host_path: host.to_str().unwrap().to_owned(),
        container_path: container.to_owned(),
        readonly,
        ..Default::default()
    }
}

/// Returns a container of root that waits, with mounts.
fn container(name: &str, mounts: Vec<v1::Mount>) -> v1::ContainerConfig {
    v1::ContainerConfig {
        mounts,
        linux: None,
        ..container_config(name)
    }
}

fn script(script: &str, config: v1::ContainerConfig) -> v1::ContainerConfig {
    v1::ContainerConfig {
        args: vec!["-c".to_owned(), script.to_owned()],
        ..config
    }
}

async fn pod(daemon: &Daemon) -> (Cri, String) {
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let mut config = pod_config("web", daemon.home().root());
    if let Some(metadata) = &mut config.metadata {
        metadata.uid = UID.to_owned();
    }
    let id = run_pod(&cri, &config).await;
    (cri, id)
}

/// Runs a script and returns its code, output and errors.
async fn sh(cri: &Cri, id: &str, script: &str) -> (i32, String, String) {
    let request = v1::ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: ["sh", "-c", script].map(str::to_owned).to_vec(),
        timeout: 20,
    };
    let reply = cri.exec_sync(request).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (reply.exit_code, text(reply.stdout), text(reply.stderr))
}

async fn output(cri: &Cri, id: &str, script: &str) -> String {
    let (code, stdout, stderr) = sh(cri, id, script).await;
    assert_eq!((code, stderr.as_str()), (0, ""), "{script}: {stdout}");
    stdout
}

/// Makes a version of a volume as a kubelet makes that of a ConfigMap: its atomic writer.
fn config_map(volume: &Path, version: &str, text: &str) {
    fs::create_dir_all(volume.join(version)).unwrap();
    fs::write(volume.join(version).join("key"), text).unwrap();
    symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    let _ = symlink("..data/key", volume.join("key"));
}

#[tokio::test]
async fn a_config_map_is_seen_and_its_update_by_the_next_command_and_a_running_one() {
    let host = tempfile::tempdir().unwrap();
    config_map(host.path(), "..1", "one\n");
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let watching = "while ! grep -q two /config/key; do sleep 0.1; done; exit 7";
    let mounts = || vec![mount(host.path(), "/config", true)];
    let waits = started(&cri, &pod, &container("waits", mounts())).await;
    let watches = script(watching, container("watches", mounts()));
    let watches = started(&cri, &pod, &watches).await;
    assert_eq!(
        output(&cri, &waits, "cat /config/key; ls /config").await,
        "one\nkey\n"
    );
    assert_eq!(
        output(&cri, &waits, "cat /config/..data/key").await,
        "one\n"
    );
    config_map(host.path(), "..2", "two\n");
    assert_eq!(output(&cri, &waits, "cat /config/key").await, "two\n");
    let ended = until(&cri, &watches, ContainerState::ContainerExited).await;
    assert_eq!(ended.exit_code, 7);
    let (code, _, stderr) = sh(&cri, &waits, "echo x > /config/key").await;
    assert_eq!(code, 1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
}

#[tokio::test]
async fn containers_of_a_pod_share_what_they_write_and_the_node_keeps_its_files() {
    let host = tempfile::tempdir().unwrap();
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(host.path().join("of-node"), "n\n").unwrap();
    let file = host.path().join("file");
    fs::write(&file, "sub\n").unwrap();
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let mounts = |target| {
        vec![
            mount(host.path(), target, false),
            mount(&file, "/one", true),
        ]
    };
    let mut config = container("a", mounts("/cache"));
    config.linux = container_config("a").linux;
    let a = started(&cri, &pod, &config).await;
    let b = started(&cri, &pod, &container("b", mounts("/other"))).await;
    output(
        &cri,
        &a,
        "echo shared > /cache/x; rm /cache/of-node; mkdir /cache/d",
    )
    .await;
    assert_eq!(
        output(&cri, &b, "cat /other/x; ls /other").await,
        "shared\nd\nfile\nx\n"
    );
    assert_eq!(
        output(&cri, &b, "cat /one; stat -c %a /other").await,
        "sub\n777\n"
    );
    let kept = fs::read_dir(host.path()).unwrap().count();
    assert_eq!(
        (kept, fs::read_to_string(&file).unwrap()),
        (2, "sub\n".into())
    );
}

#[tokio::test]
async fn no_mount_is_looked_at_where_that_is_turned_off() {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("key"), "v").unwrap();
    let daemon = Daemon::start(&["--no-host-reads"]);
    let (cri, pod) = pod(&daemon).await;
    let id = started(
        &cri,
        &pod,
        &container("a", vec![mount(host.path(), "/config", false)]),
    )
    .await;
    assert_eq!(output(&cri, &id, "ls /config").await, "");
    assert_eq!(
        output(&cri, &id, "echo own > /config/key; cat /config/key").await,
        "own\n"
    );
    assert_eq!(fs::read_to_string(host.path().join("key")).unwrap(), "v");
}

/// Makes the file that a kubelet mounts for the termination message of a container.
fn message_file(root: &Path, container: &str) -> PathBuf {
    let directory = root
        .join("pods")
        .join(UID)
        .join("containers")
        .join(container);
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("0123abcd");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    file
}

fn with_message(file: &Path, config: v1::ContainerConfig) -> v1::ContainerConfig {
    v1::ContainerConfig {
        annotations: labels(&[(MESSAGE_PATH, "/dev/termination-log")]),
        mounts: vec![mount(file, "/dev/termination-log", false)],
        ..config
    }
}

#[tokio::test]
async fn a_termination_message_is_in_the_kubelets_file_when_the_container_has_ended() {
    let root = tempfile::tempdir().unwrap();
    let option = ["--kubelet-root", root.path().to_str().unwrap()];
    let daemon = Daemon::start(&option);
    let (cri, pod) = pod(&daemon).await;
    let file = message_file(root.path(), "fails");
    let config = with_message(&file, container("fails", Vec::new()));
    let config = script("echo no database > /dev/termination-log; exit 3", config);
    let id = started(&cri, &pod, &config).await;
    let ended = until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!(ended.exit_code, 3);
    assert_eq!(fs::read_to_string(&file).unwrap(), "no database\n");

    let file = message_file(root.path(), "stated");
    let mut config = with_message(&file, container("stated", Vec::new()));
    for (name, value) in [("termination-message", "said"), ("exit-after", "1ms")] {
        let name = format!("resource-slot.kuasar.io/{name}");
        config.annotations.insert(name, value.to_owned());
    }
    let id = started(&cri, &pod, &config).await;
    until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "said");

    // The file of another container is a mount like any other.
    let other = message_file(root.path(), "other");
    let config = with_message(&other, container("mistaken", Vec::new()));
    let id = started(&cri, &pod, &script("echo x > /dev/termination-log", config)).await;
    until(&cri, &id, ContainerState::ContainerExited).await;
    assert_eq!(fs::read_to_string(&other).unwrap(), "");
}

#[tokio::test]
async fn limits_are_in_the_files_of_the_control_group_and_follow_an_update() {
    let daemon = Daemon::start(&[]);
    let (cri, pod) = pod(&daemon).await;
    let id = started(&cri, &pod, &container_config("limited")).await;
    let memory = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes \
                  2> /dev/null; true";
    assert_eq!(output(&cri, &id, memory).await, format!("{}\n", 64 << 20));
    let request = v1::UpdateContainerResourcesRequest {
        container_id: id.clone(),
        linux: Some(v1::LinuxContainerResources {
            memory_limit_in_bytes: 128 << 20,
            ..Default::default()
        }),
        ..Default::default()
    };
    cri.update_container_resources(request).await.unwrap();
    assert_eq!(output(&cri, &id, memory).await, format!("{}\n", 128 << 20));
}

#[tokio::test]
async fn a_container_of_containerd_sees_mounts_and_dns_and_leaves_a_message() {
    let root = tempfile::tempdir().unwrap();
    let option = ["--kubelet-root", root.path().to_str().unwrap()];
    let daemon = Daemon::start(&option);
    let client = daemon.ttrpc().await;
    let mut config = pod_config("web", daemon.home().root());
    if let Some(metadata) = &mut config.metadata {
        metadata.uid = UID.to_owned();
    }
    config.dns_config = Some(v1::DnsConfig {
        servers: vec!["192.0.2.53".to_owned()],
        ..Default::default()
    });
    let mut create = request::create_sandbox("p1");
    let options = create.options.mut_or_insert_default();
    options.type_url = "runtime.v1.PodSandboxConfig".to_owned();
    options.value = config.encode_to_vec();
    client.create_sandbox(&create).await.unwrap();
    let start = request::start_sandbox("p1");
    client.start_sandbox(&start).await.unwrap();

    let host = tempfile::tempdir().unwrap();
    config_map(host.path(), "..1", "one\n");
    let file = message_file(root.path(), "main");
    let mut spec = tests::spec("p1", &tests::small());
    let script = "cat /config/key /etc/resolv.conf /etc/hostname > /dev/termination-log; exit 5";
    spec["process"]["args"] = json!(["sh", "-c", script]);
    spec["annotations"]["io.kubernetes.cri.container-name"] = "main".into();
    let bind = |source: &Path, target: &str| {
        json!({
            "source": source, "destination": target, "type": "bind", "options": ["rbind", "rw"],
        })
    };
    spec["mounts"] = json!([
        bind(host.path(), "/config"),
        bind(&file, "/dev/termination-log"),
        // containerd mounts the pod's own file, which exists only with its own sandboxer.
        bind(&host.path().join("none"), "/etc/resolv.conf"),
    ]);
    spec["linux"]["maskedPaths"] = json!(["/etc/hostname"]);
    let bundle = tests::bundle(daemon.home().root(), "c1", &spec);
    let create = request::create("c1", &bundle);
    client.create(&create).await.unwrap();
    client.start(&request::start("c1", "")).await.unwrap();
    let ended = client.wait(&request::wait("c1", "")).await.unwrap();
    assert_eq!(ended.exit_status, 5);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "one\nnameserver 192.0.2.53\n"
    );
}

/// An strace that records what files a daemon opens, changes and removes.
struct Watch {
    child: Child,
    calls: tempfile::NamedTempFile,
}

/// System calls that change a file or directory by its path, and those that open one.
const WATCHED: &str = "trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,unlink,\
                       unlinkat,rmdir,rename,renameat,renameat2,link,linkat,symlink,symlinkat,\
                       truncate,chmod,fchmodat,chown,lchown,fchownat,utimensat,setxattr,lsetxattr,\
                       mount,umount2";

impl Watch {
    /// Returns `None` and prints that the test is skipped where strace is missing or may not
    /// attach.
    ///
    /// # Panics
    /// In that case if `REQUIRE_STRACE` is set.
    fn attach(daemon: &Daemon) -> Option<Self> {
        let skipped = |why: &dyn std::fmt::Display| {
            let required = std::env::var_os("REQUIRE_STRACE").is_some();
            assert!(!required, "strace: {why}");
            eprintln!("SKIPPED: the daemon's writes are NOT watched: {why}");
            None
        };
        let (said, calls) = (
            tempfile::NamedTempFile::new().unwrap(),
            tempfile::NamedTempFile::new().unwrap(),
        );
        let spawned = Command::new("strace")
            .args(["-f", "-y", "-z", "-p", &daemon.pid().to_string()])
            .args(["-e", WATCHED, "-o"])
            .arg(calls.path())
            .stderr(said.reopen().unwrap())
            .stdin(Stdio::null())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(e) => return skipped(&e),
        };
        let words = || fs::read_to_string(said.path()).unwrap();
        let is_attached = eventually("strace to attach", || {
            let has_ended = child.try_wait().unwrap().is_some();
            let is_attached = words().contains("attached");
            (has_ended || is_attached).then_some(!has_ended)
        });
        if !is_attached {
            return skipped(&words());
        }
        Some(Self { child, calls })
    }

    /// Detaches, and returns the recorded calls that succeeded and open nothing only to read.
    fn writes(mut self) -> Vec<String> {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
        let calls = fs::read_to_string(self.calls.path()).unwrap();
        let writing = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"];
        let opens = |line: &str| line.contains(" open");
        let writes = calls
            .lines()
            .filter(|line| !opens(line) || writing.iter().any(|flag| line.contains(flag)));
        let calls = writes.filter(|line| !line.contains(" +++ ") && !line.contains(" --- "));
        calls.map(str::to_owned).collect()
    }
}

/// Everything about the files below a directory that a write would change.
fn picture(directory: &Path) -> BTreeMap<PathBuf, (u32, u64, i64, i64, Vec<u8>)> {
    let mut all = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = if metadata.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        if metadata.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        let (mode, size) = (metadata.mode(), metadata.size());
        let times = (metadata.mtime_nsec(), metadata.ctime_nsec());
        all.insert(path, (mode, size, times.0, times.1, content));
    }
    all
}

#[tokio::test]
async fn nothing_is_written_outside_of_the_directory_the_logs_and_the_termination_messages() {
    let host = tempfile::tempdir().unwrap();
    config_map(&host.path().join("map"), "..1", "one\n");
    fs::write(host.path().join("file"), "f\n").unwrap();
    fs::create_dir(host.path().join("empty")).unwrap();
    let root = tempfile::tempdir().unwrap();
    let file = message_file(root.path(), "all");
    let option = ["--kubelet-root", root.path().to_str().unwrap()];
    let daemon = Daemon::start(&option);
    let Some(watch) = Watch::attach(&daemon) else {
        return;
    };
    let before = picture(host.path());
    let (cri, pod) = pod(&daemon).await;
    let mut config = with_message(&file, container("all", Vec::new()));
    config.mounts.extend([
        mount(&host.path().join("map"), "/map", false),
        mount(&host.path().join("file"), "/file", false),
        mount(&host.path().join("empty"), "/empty", false),
        mount(host.path(), "/host", false),
        mount(Path::new("/"), "/root-of-node", false),
        mount(Path::new("/nowhere/at/all"), "/missing", false),
    ]);
    let id = started(&cri, &pod, &config).await;
    for script in [
        "for d in /map /empty /host /missing /root-of-node/tmp; do echo x > $d/new; \
         mkdir -p $d/a/b; cp /map/key $d/copy; mv $d/copy $d/moved; chmod 600 $d/moved; \
         touch $d/moved; chown 7 $d/moved; rm -r $d/a; rm $d/moved; done",
        "echo x > /file; echo y >> /map/key; rm /map/..data/key; rm -rf /host/map; mv /host/file /tmp",
        "cat /root-of-node/etc/hostname; ls -lR /host; find /map; stat /file; df; mount",
        "echo over > /dev/termination-log; echo x > /etc/hosts; echo x > /root-of-node/dev/null",
        "dd if=/dev/zero of=/empty/large bs=1024 count=100; sort /host/file; wc -c < /map/key",
    ] {
        // Some of it fails as it would in a real container.
        let _ = sh(&cri, &id, script).await;
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "over\n");
    assert_eq!(picture(host.path()), before);
    let own = [daemon.home().root(), root.path()].map(|path| path.to_str().unwrap().to_owned());
    let writes = watch.writes();
    assert!(
        writes.iter().any(|call| call.contains(&own[0])),
        "nothing was watched"
    );
    let foreign = writes
        .iter()
        .filter(|call| !own.iter().any(|own| call.contains(own)));
    let foreign: Vec<_> = foreign.collect();
    assert!(foreign.is_empty(), "{foreign:#?}");
}
