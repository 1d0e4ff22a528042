//! A disk without space or inodes: creations fail clearly, and everything can be removed.

use std::path::Path;

use containerd_sandbox::Code;
use containerd_sandbox::client::Cri;
use cri_api::v1;
use testing::SmallDisk;
use tests::cri::{
    IMAGE, container_config, create, image, pod_config, pods, pull, remove, remove_pod, run_with,
    start, stop, stop_pod,
};
use tests::{Daemon, Home, PATIENCE, request};

/// Starts a daemon whose directory is on the small disk.
fn daemon_on(disk: &SmallDisk, args: &[&str]) -> Daemon {
    let home = Home::new(args);
    std::os::unix::fs::symlink(disk.path(), home.dir()).expect("a link");
    home.start()
}

/// Runs pods with a running container each, until a creation fails for a lack of space. Returns
/// the error.
async fn fill(cri: &Cri, logs: &Path) -> containerd_sandbox::Error {
    for n in 0.. {
        let name = format!("pod-{n}");
        let pod = match run_with(cri, &pod_config(&name, logs), "").await {
            Ok(pod) => pod,
            Err(e) => {
                assert!(n > 10, "{n} pods have room");
                return e;
            }
        };
        match create(cri, &pod, &container_config("app")).await {
            Ok(container) => {
                if let Err(e) = start(cri, &container).await {
                    return e;
                }
            }
            Err(e) => return e,
        }
    }
    unreachable!("the disk is small")
}

async fn all_pods(cri: &Cri) -> Vec<String> {
    pods(cri, v1::PodSandboxFilter::default())
        .await
        .expect("a list")
}

async fn all_containers(cri: &Cri) -> Vec<String> {
    tests::cri::containers(cri, v1::ContainerFilter::default())
        .await
        .expect("a list")
}

/// Stops and removes everything, as a kubelet does.
async fn remove_all(cri: &Cri) {
    for container in all_containers(cri).await {
        stop(cri, &container, 0).await.expect("a container stops");
    }
    for pod in all_pods(cri).await {
        stop_pod(cri, &pod).await.expect("a pod stops");
    }
    for container in all_containers(cri).await {
        remove(cri, &container)
            .await
            .expect("a container is removed");
    }
    for pod in all_pods(cri).await {
        remove_pod(cri, &pod).await.expect("a pod is removed");
    }
    for name in [IMAGE, "second", "third"] {
        let request = v1::RemoveImageRequest {
            image: Some(image(name)),
        };
        cri.remove_image(request)
            .await
            .expect("an image is removed");
    }
}

/// Waits until a pod can be run again, and removes it.
async fn run_again(daemon: &Daemon, logs: &Path) {
    let cri = daemon.cri().await;
    let deadline = std::time::Instant::now() + PATIENCE;
    let pod = loop {
        match run_with(&cri, &pod_config("after", logs), "").await {
            Ok(pod) => break pod,
            Err(e) => assert!(std::time::Instant::now() < deadline, "{e}"),
        }
        tokio::task::yield_now().await;
    };
    remove_pod(&cri, &pod).await.expect("removed");
}

/// Fills the disk, removes everything, restarts, and fills it again.
async fn everything_can_be_removed(disk: &SmallDisk, exhaust: impl Fn(), relieve: impl Fn()) {
    let mut daemon = daemon_on(disk, &[]);
    let logs = daemon.home().root().join("logs");
    for restarts in [false, true] {
        let cri = daemon.cri().await;
        for name in [IMAGE, "second", "third"] {
            pull(&cri, name).await;
        }
        let full = fill(&cri, &logs).await;
        assert_eq!(full.code(), Code::ResourceExhausted, "{full}");
        assert!(full.to_string().contains("no space"), "{full}");
        exhaust();
        let before = all_pods(&cri).await;
        if restarts {
            daemon = daemon.kill9().start();
        }
        let cri = daemon.cri().await;
        assert_eq!(all_pods(&cri).await, before);
        remove_all(&cri).await;
        daemon = daemon.kill9().start();
        assert!(daemon.slots().is_empty());
        let cri = daemon.cri().await;
        assert!(all_pods(&cri).await.is_empty());
        let images = cri.list_images(v1::ListImagesRequest::default());
        assert!(images.await.expect("a list").images.is_empty());
        relieve();
        run_again(&daemon, &logs).await;
    }
}

#[tokio::test]
async fn everything_can_be_removed_from_a_disk_that_pods_filled() {
    if let Some(disk) = SmallDisk::mount() {
        everything_can_be_removed(&disk, || {}, || {}).await;
    }
}

#[tokio::test]
async fn everything_can_be_removed_from_a_disk_that_a_foreign_file_filled() {
    if let Some(disk) = SmallDisk::mount() {
        everything_can_be_removed(&disk, || disk.fill(), || disk.free()).await;
    }
}

#[tokio::test]
async fn everything_can_be_removed_from_a_disk_without_a_free_inode() {
    if let Some(disk) = SmallDisk::mount_with("size=4m,nr_inodes=150") {
        everything_can_be_removed(&disk, || disk.use_up_inodes(), || disk.free_inodes()).await;
    }
}

#[tokio::test]
async fn tasks_can_be_killed_and_removed_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let daemon = daemon_on(&disk, &["--views", "off"]);
    let client = daemon.ttrpc().await;
    let mut created = Vec::new();
    for n in 0.. {
        let (sandbox, task) = (format!("p{n}"), format!("c{n}"));
        let spec = tests::spec(&sandbox, &tests::small());
        let bundle = tests::bundle(daemon.home().root(), &task, &spec);
        let steps = async {
            let create = request::create_sandbox(&sandbox);
            client.create_sandbox(&create).await?;
            created.push((sandbox.clone(), None));
            client
                .start_sandbox(&request::start_sandbox(&sandbox))
                .await?;
            client.create(&request::create(&task, &bundle)).await?;
            created.last_mut().expect("the sandbox").1 = Some(task.clone());
            client.start(&request::start(&task, "")).await.map(drop)
        };
        if let Err(full) = steps.await {
            assert_eq!(full.code(), Code::ResourceExhausted, "{full}");
            assert!(n > 100, "{n} sandboxes have room");
            break;
        }
    }
    disk.fill();
    for (sandbox, task) in created {
        if let Some(task) = task {
            // The last one may not have been started.
            let _ = client.kill(&request::kill(&task, "", 9)).await;
            client
                .wait(&request::wait(&task, ""))
                .await
                .expect("an end");
            client
                .delete(&request::delete(&task, ""))
                .await
                .expect("deleted");
        }
        let stop = request::stop_sandbox(&sandbox);
        let _ = client.stop_sandbox(&stop).await;
        let shutdown = request::shutdown_sandbox(&sandbox);
        client.shutdown_sandbox(&shutdown).await.expect("removed");
    }
    let daemon = daemon.kill9().start();
    assert!(daemon.slots().is_empty());
    disk.free();
    let client = daemon.ttrpc().await;
    client
        .create_sandbox(&request::create_sandbox("after"))
        .await
        .expect("there is room");
}
