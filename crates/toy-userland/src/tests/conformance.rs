//! Tests of behaviour on which conformance tests of container runtimes depend.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_program_runs_by_its_path_or_by_its_name() {
    let world = world();
    let found = run_with(&world, &["cat", "/etc/hostname"], "").await;
    assert_eq!(found, answer("pod-1\n", "", 0));
    let found = run_with(&world, &["/bin/id", "-u"], "").await;
    assert_eq!(found, answer("0\n", "", 0));
}

#[tokio::test]
async fn standard_input_is_read() {
    let found = run_with(&world(), &["cat"], "hello\n").await;
    assert_eq!(found, answer("hello\n", "", 0));
    let found = run_with(
        &world(),
        &["sh"],
        "for x in a b\ndo echo $x\ndone\nexit 3\necho no\n",
    )
    .await;
    assert_eq!(found, answer("a\nb\n", "", 3));
}

#[tokio::test]
async fn files_of_one_command_are_read_by_the_next() {
    let world = world();
    run_with(&world, &["sh", "-c", "echo $HOSTNAME > /tmp/x"], "").await;
    let found = run_with(&world, &["cat", "/tmp/x"], "").await;
    assert_eq!(found, answer("pod-1\n", "", 0));
}

#[tokio::test]
async fn commands_find_the_setup_of_their_container() {
    let world = Arc::new(World::new(Setup {
        environment: vec![("GREETING".into(), "hello world".into())],
        working_directory: "/data".into(),
        user: User {
            uid: 1000,
            gid: 2000,
            groups: vec![3000],
            name: String::new(),
        },
        capabilities: Capabilities {
            effective: CapabilitySet::from_names(["CAP_NET_ADMIN"]),
            ..Capabilities::default()
        },
        no_new_privileges: true,
        sysctls: vec![("kernel.shm_rmid_forced".into(), "1".into())],
        mounts: vec![Mount {
            source: "overlay".into(),
            target: "/".into(),
            kind: "overlay".into(),
            options: vec!["ro".into()],
            ..Mount::default()
        }],
        ..Setup::default()
    }));
    for (script, stdout, stderr, code) in [
        (
            "grep CapEff /proc/self/status",
            "CapEff:\t0000000000001000\n",
            "",
            0,
        ),
        (
            "grep NoNewPrivs /proc/self/status",
            "NoNewPrivs:\t1\n",
            "",
            0,
        ),
        ("cat /proc/sys/kernel/shm_rmid_forced", "1\n", "", 0),
        ("id", "uid=1000 gid=2000 groups=2000,3000\n", "", 0),
        ("id -G", "2000 3000\n", "", 0),
        ("whoami", "", "whoami: unknown uid 1000\n", 1),
        ("pwd", "/data\n", "", 0),
        (
            "echo $GREETING > x; echo $?",
            "1\n",
            "sh: can't create x: Permission denied\n",
            0,
        ),
        (
            "touch /tmp/x",
            "",
            "touch: /tmp/x: Read-only file system\n",
            1,
        ),
        ("printenv GREETING", "hello world\n", "", 0),
    ] {
        let found = run_with(&world, &["sh", "-c", script], "").await;
        assert_eq!(found, answer(stdout, stderr, code), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_sleeps_keeps_time_until_it_is_dropped() {
    let (stdout, mut out) = tokio::io::duplex(4096);
    let io = Io {
        stdin: Box::new(tokio::io::empty()),
        stdout: Box::new(stdout),
        stderr: Box::new(tokio::io::sink()),
    };
    let argv = ["sh", "-c", "while true; do echo hi; sleep 1; done"].map(str::to_owned);
    let shell = Shell::new(world(), Limits::default());
    let running = tokio::time::timeout(Duration::from_millis(9500), shell.run(&argv, io));
    assert!(running.await.is_err());
    let mut text = String::new();
    out.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hi\n".repeat(10));
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_a_command_that_does_not_trap_it() {
    for (script, stdout, code) in [
        ("sleep 100", "", 143),
        (
            "trap 'echo bye; exit 3' TERM; while true; do sleep 1; done",
            "bye\n",
            3,
        ),
        ("trap 'echo bye; exit 3' TERM; sleep 100 & wait", "bye\n", 3),
        ("trap '' TERM; sleep 5; echo survived", "survived\n", 0),
    ] {
        let (writer, mut out) = tokio::io::duplex(4096);
        let io = Io {
            stdin: Box::new(tokio::io::empty()),
            stdout: Box::new(writer),
            stderr: Box::new(tokio::io::sink()),
        };
        let shell = Shell::new(world(), Limits::default());
        let signals = shell.signals();
        let argv = ["sh", "-c", script].map(str::to_owned);
        let (found, ()) = tokio::join!(shell.run(&argv, io), async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            signals.send(Signal::TERM);
        });
        let mut text = String::new();
        out.read_to_string(&mut text).await.unwrap();
        assert_eq!((text.as_str(), found), (stdout, code), "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_can_signal_the_containers_first_process() {
    let world = world();
    run_with(&world, &["kill", "-TERM", "1"], "").await;
    assert_eq!(world.init_signals().killed().await, Signal::TERM);
}

#[tokio::test]
async fn an_unknown_command_has_the_configured_exit_code() {
    let world = Arc::new(World::new(Setup {
        unknown_command: 0,
        ..Setup::default()
    }));
    let found = run_with(&world, &["/bin/grpc_health_probe", "-addr=:80"], "").await;
    assert_eq!(found, answer("", "", 0));
    let found = run_with(&super::world(), &["nonesuch"], "").await;
    assert_eq!(found, answer("", "sh: nonesuch: not found\n", 127));
}

#[tokio::test(start_paused = true)]
async fn a_masked_program_cannot_be_run_and_a_host_name_is_changed_by_an_administrator() {
    let world = |capability: &str| {
        Arc::new(World::new(Setup {
            masked_paths: vec!["/bin/ls".into()],
            capabilities: Capabilities {
                effective: CapabilitySet::from_names([capability]),
                ..Capabilities::default()
            },
            ..Setup::default()
        }))
    };
    let admin = world("CAP_SYS_ADMIN");
    let filtered = Arc::new(World::new(Setup {
        denied_calls: ["fchmodat", "sethostname"].map(str::to_owned).to_vec(),
        capabilities: admin.setup().capabilities,
        ..Setup::default()
    }));
    for (world, argv, stdout, stderr, code) in [
        (
            &admin,
            ["/bin/sh", "-c", "ls"],
            "",
            "/bin/sh: ls: Permission denied\n",
            126,
        ),
        (
            &admin,
            ["sh", "-c", "hostname new; hostname; uname -n"],
            "new\nnew\n",
            "",
            0,
        ),
        (
            &world("CAP_CHOWN"),
            ["sh", "-c", "hostname new"],
            "",
            "hostname: sethostname: Operation not permitted\n",
            1,
        ),
        (
            &filtered,
            ["sh", "-c", "chmod 400 /; hostname new; chown 1 /tmp"],
            "",
            "chmod: /: Operation not permitted\n\
             hostname: sethostname: Operation not permitted\n",
            0,
        ),
    ] {
        let found = run_with(world, &argv, "").await;
        assert_eq!(found, answer(stdout, stderr, code), "{argv:?}");
    }
}
