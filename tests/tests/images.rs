//! The table of images: identity, users, commands, and images that are mounted.

use std::fs;

use containerd_sandbox::Code;
use containerd_sandbox::client::Cri;
use cri_api::v1::{self, ContainerState, SupplementalGroupsPolicy};
use tests::Daemon;
use tests::cri::{
    code, container_config, container_reply, create, image, pod_config, pull, run_pod, started,
    until,
};

const TABLE: &str = r#"
[[image]]
names = ["registry.example/app:1", "mirror.example/app:1", "registry.example/app:2"]
size-bytes = 1234
user = "app"
entrypoint = ["sh", "-c"]
cmd = ["id -G; echo $MODE $PWD; cat /srv/motd; exit 4"]
env = ["MODE=test", "A=image"]
working-dir = "/srv"
passwd = ["app:x:1000:1000::/srv:/bin/sh"]
group = ["predefined:x:50000:app"]
files = { "/srv/motd" = "hello\n" }

[[image]]
names = ["registry.example/number:1"]
user = "1002:33"
"#;

/// Starts a daemon with the table.
async fn daemon() -> (Daemon, Cri) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), TABLE).unwrap();
    let daemon = Daemon::start(&["--images", file.path().to_str().unwrap()]);
    let cri = daemon.cri().await;
    (daemon, cri)
}

async fn image_of(cri: &Cri, name: &str) -> Option<v1::Image> {
    let request = v1::ImageStatusRequest {
        image: Some(image(name)),
        verbose: false,
    };
    cri.image_status(request).await.unwrap().image
}

#[tokio::test]
async fn all_names_of_an_entry_are_one_image_with_its_user_and_size() {
    let (_daemon, cri) = daemon().await;
    let names = [
        "registry.example/app:1",
        "mirror.example/app:1",
        "registry.example/app:2",
    ];
    for name in names {
        pull(&cri, name).await;
    }
    let found = image_of(&cri, names[0]).await.unwrap();
    assert_eq!(found.repo_tags.len(), 3, "{found:?}");
    assert_eq!(found.repo_digests.len(), 2, "{found:?}");
    assert_eq!(
        (found.size, found.username.as_str(), found.uid),
        (1234, "app", None)
    );
    let request = v1::RemoveImageRequest {
        image: Some(image(names[1])),
    };
    cri.remove_image(request).await.unwrap();
    assert_eq!(image_of(&cri, names[0]).await, None);
    pull(&cri, "registry.example/number:1").await;
    let found = image_of(&cri, "registry.example/number:1").await.unwrap();
    let uid = found.uid.map(|uid| uid.value);
    assert_eq!((uid, found.username.as_str()), (Some(1002), ""));
}

#[tokio::test]
async fn a_container_gets_from_its_image_what_it_does_not_state() {
    let (daemon, cri) = daemon().await;
    let name = "mirror.example/app:1";
    pull(&cri, name).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    for (name_of, policy, groups) in [
        ("merges", SupplementalGroupsPolicy::Merge, "1000 1234 50000"),
        ("strict", SupplementalGroupsPolicy::Strict, "1000 1234"),
    ] {
        let config = v1::ContainerConfig {
            image: Some(image(name)),
            command: Vec::new(),
            args: Vec::new(),
            working_dir: String::new(),
            mounts: Vec::new(),
            linux: Some(v1::LinuxContainerConfig {
                security_context: Some(v1::LinuxContainerSecurityContext {
                    supplemental_groups: vec![1234],
                    supplemental_groups_policy: policy.into(),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..container_config(name_of)
        };
        let id = started(&cri, &pod, &config).await;
        let ended = until(&cri, &id, ContainerState::ContainerExited).await;
        assert_eq!(ended.exit_code, 4);
        let log = daemon.home().root().join(format!("web/{name_of}/2.log"));
        let log = fs::read_to_string(log).unwrap();
        let lines: Vec<&str> = log
            .lines()
            .filter_map(|line| Some(line.split_once(" F ")?.1))
            .collect();
        assert_eq!(lines, [groups, "test /srv", "hello"]);
        let status = container_reply(&cri, &id).await.unwrap().status.unwrap();
        let user = status.user.unwrap().linux.unwrap();
        let shown: Vec<String> = user
            .supplemental_groups
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            (user.uid, user.gid, shown.join(" ").as_str()),
            (1000, 1000, groups)
        );
    }
}

#[tokio::test]
async fn an_image_is_mounted_read_only_as_a_whole_or_in_part() {
    let (daemon, cri) = daemon().await;
    let name = "registry.example/app:1";
    pull(&cri, name).await;
    pull(&cri, tests::cri::IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let mounted = |part: &str, readonly: bool, image_name: &str| v1::ContainerConfig {
        mounts: vec![v1::Mount {
            container_path: "/image".to_owned(),
            image: Some(image(image_name)),
            image_sub_path: part.to_owned(),
            readonly,
            ..Default::default()
        }],
        linux: None,
        ..container_config(&format!("c{}", part.len()))
    };
    let id = started(&cri, &pod, &mounted("", true, name)).await;
    let run = |id: String, script: &'static str| {
        let cri = &cri;
        async move {
            let request = v1::ExecSyncRequest {
                container_id: id,
                cmd: ["sh", "-c", script].map(str::to_owned).to_vec(),
                timeout: 20,
            };
            let reply = cri.exec_sync(request).await.unwrap();
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (reply.exit_code, text(reply.stdout), text(reply.stderr))
        }
    };
    let (code_of, stdout, _) = run(id.clone(), "/image/bin/ls /image; cat /image/srv/motd").await;
    assert_eq!((code_of, stdout.as_str()), (0, "bin\netc\nsrv\nhello\n"));
    let (_, _, stderr) = run(id.clone(), "touch /image/x").await;
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    let status = container_reply(&cri, &id).await.unwrap().status.unwrap();
    let image_ref = &status.mounts[0].image.as_ref().unwrap().image_ref;
    let id = image_of(&cri, name).await.unwrap().id;
    assert_eq!(*image_ref, id);
    let part = started(&cri, &pod, &mounted("etc", true, name)).await;
    let (_, stdout, _) = run(part, "ls /image").await;
    assert_eq!(stdout, "group\npasswd\n");
    for (part, readonly, image_name, expected) in [
        ("none", true, name, Code::InvalidArgument),
        ("../x", true, name, Code::InvalidArgument),
        ("srv", false, name, Code::InvalidArgument),
        ("srv", true, "registry.example/none:1", Code::NotFound),
    ] {
        let config = mounted(part, readonly, image_name);
        assert_eq!(code(create(&cri, &pod, &config).await), expected, "{part}");
    }
}

#[test]
fn an_invalid_table_stops_the_start_with_its_path() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "[[image]]\nentrypont = []\n").unwrap();
    let home = tests::Home::new(&["--images", file.path().to_str().unwrap()]);
    let status = home.command().status().unwrap();
    assert!(!status.success());
    let log = home.log();
    assert!(
        log.contains("entrypont") && log.contains(file.path().to_str().unwrap()),
        "{log}"
    );
}

#[tokio::test]
async fn a_container_without_a_command_is_the_program_of_its_image() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let name = "registry.example:5000/team/kafka:4.1";
    let id = pull(&cri, name).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    // A kubelet states the id of the image, and its name beside it.
    let config = v1::ContainerConfig {
        image: Some(v1::ImageSpec {
            image: id,
            user_specified_image: name.to_owned(),
            ..Default::default()
        }),
        command: Vec::new(),
        args: Vec::new(),
        ..container_config("broker")
    };
    let container = started(&cri, &pod, &config).await;
    let probe = v1::ExecSyncRequest {
        container_id: container,
        cmd: ["pgrep", "-f", "kafka"].map(str::to_owned).to_vec(),
        timeout: 10,
    };
    let reply = cri.exec_sync(probe).await.unwrap();
    assert_eq!((reply.exit_code, &reply.stdout[..]), (0, &b"1\n"[..]));
}
