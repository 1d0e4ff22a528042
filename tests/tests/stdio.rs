//! The FIFOs of containerd: the daemon never blocks on them and closes them in time.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use containerd_sandbox::client::Ttrpc;
use containerd_shim_protos::api;
use rustix::fs::{FileType, Mode, OFlags};
use tests::{
    Daemon, PATIENCE, bundle, eventually, ready_sandbox, request, running_container, small, spec,
};
use tokio::task::JoinSet;

fn fifo(dir: &Path, name: &str) -> String {
    let path = dir.join(name);
    let mode = Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).unwrap();
    path.into_os_string().into_string().unwrap()
}

/// Opens one end of a FIFO without waiting for the other end. Returns `None` for a writer without
/// a reader.
fn end(path: &str, write: bool) -> Option<File> {
    let opened = File::options()
        .read(!write)
        .write(write)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    match opened {
        Ok(file) => Some(file),
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => None,
        Err(e) => panic!("{path}: {e}"),
    }
}

fn reader(path: &str) -> File {
    end(path, false).unwrap()
}

/// Returns whether a reader sees the end: `false` while the FIFO is open for writing.
fn has_ended(reader: &mut File) -> bool {
    match reader.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(e) if e.kind() == ErrorKind::WouldBlock => false,
        Err(e) => panic!("{e}"),
    }
}

fn wait_for_the_end(what: &str, reader: &mut File) {
    eventually(what, || has_ended(reader).then_some(()));
}

struct Pod {
    daemon: Daemon,
    client: Ttrpc,
    files: PathBuf,
}

impl Pod {
    async fn ready() -> Self {
        let daemon = Daemon::start(&[]);
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, "p1").await;
        let files = daemon.home().root().to_owned();
        Self {
            daemon,
            client,
            files,
        }
    }

    fn fifo(&self, name: &str) -> String {
        fifo(&self.files, name)
    }

    async fn create(&self, id: &str, edit: impl FnOnce(&mut api::CreateTaskRequest)) {
        let bundle = bundle(&self.files, id, &spec("p1", &small()));
        let mut create = request::create(id, &bundle);
        edit(&mut create);
        self.client.create(&create).await.unwrap();
    }

    async fn start(&self, id: &str, exec: &str) {
        let start = request::start(id, exec);
        let started = tokio::time::timeout(PATIENCE, self.client.start(&start));
        started.await.expect("Start does not block").unwrap();
    }

    async fn kill(&self, id: &str, exec: &str) {
        let kill = request::kill(id, exec, 9);
        self.client.kill(&kill).await.unwrap();
    }

    async fn wait(&self, id: &str, exec: &str) -> u32 {
        wait(&self.client, id, exec).await
    }
}

async fn wait(client: &Ttrpc, id: &str, exec: &str) -> u32 {
    let wait = request::wait(id, exec);
    client.wait(&wait).await.unwrap().exit_status
}

#[tokio::test]
async fn a_containers_output_ends_with_the_container() {
    let pod = Pod::ready().await;
    let (out, err) = (pod.fifo("out"), pod.fifo("err"));
    let mut readers = [reader(&out), reader(&err)];
    pod.create("c1", |create| {
        create.stdout = out.clone();
        create.stderr = err.clone();
    })
    .await;
    pod.start("c1", "").await;
    // A restart of containerd closes the reader and opens another one.
    readers[0] = reader(&out);
    for reader in &mut readers {
        assert!(!has_ended(reader), "the container still runs");
    }
    pod.kill("c1", "").await;
    assert_eq!(pod.wait("c1", "").await, 137);
    for reader in &mut readers {
        wait_for_the_end("the output's end", reader);
    }
}

#[tokio::test]
async fn unread_output_does_not_delay_a_container() {
    let pod = Pod::ready().await;
    let (out, missing) = (pod.fifo("out"), pod.files.join("missing"));
    pod.create("c1", |create| {
        create.stdout = out;
        create.stderr = missing.to_str().unwrap().to_owned();
    })
    .await;
    pod.start("c1", "").await;
    pod.kill("c1", "").await;
    assert_eq!(pod.wait("c1", "").await, 137);
    assert!(!missing.exists(), "nothing is made in a FIFO's place");
}

#[tokio::test]
async fn a_recovered_container_holds_its_output_open() {
    let pod = Pod::ready().await;
    let out = pod.fifo("out");
    pod.create("c1", |create| create.stdout = out.clone()).await;
    pod.start("c1", "").await;
    let daemon = pod.daemon.kill9().start();
    let client = daemon.ttrpc().await;
    // The daemon accepts connections during its recovery and answers afterwards.
    client.state(&request::state("c1", "")).await.unwrap();
    let mut reader = reader(&out);
    assert!(!has_ended(&mut reader));
    client.kill(&request::kill("c1", "", 15)).await.unwrap();
    wait_for_the_end("the output's end", &mut reader);
}

#[tokio::test]
async fn an_execs_output_ends_for_a_reader_that_comes_late() {
    let pod = Pod::ready().await;
    running_container(&pod.daemon, &pod.client, "p1", "c1").await;
    let (out, err) = (pod.fifo("out"), pod.fifo("err"));
    let mut exec = request::exec("c1", "e1", &["true"]);
    exec.stdout = out.clone();
    exec.stderr = err.clone();
    pod.client.exec(&exec).await.unwrap();
    pod.start("c1", "e1").await;
    for path in [&out, &err] {
        // A blocking open waits for the writer, like containerd's. The runtime does not wait
        // for a thread of its own, so a missing end fails the test instead of blocking it.
        let path = path.clone();
        let (done, read) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut all = Vec::new();
            let count = File::open(path).unwrap().read_to_end(&mut all).unwrap();
            let _ = done.send(count);
        });
        let read = tokio::time::timeout(PATIENCE, read).await;
        assert_eq!(read.expect("the output ends").unwrap(), 0);
    }
    assert_eq!(pod.wait("c1", "e1").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_execs_at_once_all_end() {
    let pod = Pod::ready().await;
    running_container(&pod.daemon, &pod.client, "p1", "c1").await;
    let mut execs = JoinSet::new();
    for n in 0..100 {
        let (client, id) = (pod.client.clone(), format!("e{n}"));
        let (out, err) = (pod.fifo(&format!("out{n}")), pod.fifo(&format!("err{n}")));
        execs.spawn(async move {
            let mut exec = request::exec("c1", &id, &["true"]);
            exec.stdout = out.clone();
            exec.stderr = err.clone();
            client.exec(&exec).await.unwrap();
            client.start(&request::start("c1", &id)).await.unwrap();
            let mut readers = [reader(&out), reader(&err)];
            let code = wait(&client, "c1", &id).await;
            for reader in &mut readers {
                wait_for_the_end(&id, reader);
            }
            client.delete(&request::delete("c1", &id)).await.unwrap();
            code
        });
    }
    let codes = tokio::time::timeout(PATIENCE, execs.join_all())
        .await
        .unwrap();
    assert_eq!(codes, [0; 100]);
}

#[tokio::test]
async fn an_exec_with_unread_output_can_be_killed() {
    let pod = Pod::ready().await;
    running_container(&pod.daemon, &pod.client, "p1", "c1").await;
    let mut exec = request::exec("c1", "e1", &["sleep", "infinity"]);
    exec.stdout = pod.fifo("out");
    pod.client.exec(&exec).await.unwrap();
    pod.start("c1", "e1").await;
    pod.kill("c1", "e1").await;
    assert_eq!(pod.wait("c1", "e1").await, 137);
}

#[tokio::test]
async fn a_container_that_reads_its_input_ends_with_it() {
    let pod = Pod::ready().await;
    let input = pod.fifo("in");
    pod.create("c1", |create| create.stdin = input.clone())
        .await;
    pod.start("c1", "").await;
    let mut writer = eventually("the input's reader", || end(&input, true));
    writer.write_all(b"hello\n").unwrap();
    let state = pod.client.state(&request::state("c1", "")).await.unwrap();
    assert_eq!(state.status.unwrap(), api::Status::RUNNING);
    drop(writer);
    assert_eq!(pod.wait("c1", "").await, 0);
}

#[tokio::test]
async fn closing_the_input_ends_its_reader() {
    let pod = Pod::ready().await;
    running_container(&pod.daemon, &pod.client, "p1", "c1").await;
    let input = pod.fifo("in");
    let mut exec = request::exec("c1", "e1", &["sh"]);
    exec.stdin = input.clone();
    pod.client.exec(&exec).await.unwrap();
    pod.start("c1", "e1").await;
    let _writer = eventually("the input's reader", || end(&input, true));
    let mut close = request::close_io("c1", "e1");
    close.stdin = true;
    pod.client.close_io(&close).await.unwrap();
    assert_eq!(pod.wait("c1", "e1").await, 0);
}
