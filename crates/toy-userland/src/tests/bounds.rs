//! Tests of the bounds on untrusted scripts.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Runs a script for at most an hour of tokio's paused time. `None`: the script runs longer.
async fn bounded(script: &str) -> Option<Answer> {
    tokio::time::timeout(Duration::from_secs(3600), sh(script))
        .await
        .ok()
}

#[tokio::test(start_paused = true)]
async fn recursion_ends_with_a_message() {
    for script in [
        "f() { f; }; f",
        "f() { echo $(f); }; f",
        "f() { (f); }; f",
        "f() { f | f; }; f",
        "f() { eval f; }; f",
        "echo 'sh /tmp/x' > /tmp/x; sh /tmp/x",
        "x='eval \"$x\"'; eval \"$x\"",
        "$(yes env | head -n 10000 | tr '\\n' ' ') true",
        "$(yes command | head -n 10000 | tr '\\n' ' ') true",
        "$(yes exec | head -n 10000 | tr '\\n' ' ') true",
        "$(yes timeout 9 | head -n 7000 | tr '\\n' ' ') true",
        "$(yes eval | head -n 10000 | tr '\\n' ' ') true",
    ] {
        let found = bounded(script).await.expect(script);
        assert!(
            found.stderr.contains("nested more than 48 deep"),
            "{script} {found:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_fork_bomb_runs_out_of_processes() {
    let found = bounded("f() { f & f; }; f; wait").await.expect("it ends");
    assert!(found.stderr.contains("nested more than") || found.stderr.contains("can't fork"));
}

#[tokio::test(start_paused = true)]
async fn unbounded_growth_is_stopped() {
    for (script, message) in [
        ("x=a; while true; do x=$x$x; done", "sh: "),
        ("x=$(yes)", ""),
        (
            "i=0; while true; do i=$((i+1)); export v$i=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa || exit; done",
            "out of memory",
        ),
        (
            "while true; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa >> /tmp/x || exit; done",
            "No space left",
        ),
        ("printf '%999999999999s' a | wc -c", ""),
        (
            "i=0; while mkdir /tmp/$i; do i=$((i+1)); done",
            "No space left",
        ),
    ] {
        let found = bounded(script).await.expect(script);
        assert!(found.stderr.contains(message), "{script}");
        assert!(found.stdout.len() < 100, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_never_waits_is_slowed_down() {
    let world = world();
    let script = "i=0; while true; do i=$((i+1)); echo $i > /tmp/i; done";
    let argv = ["sh", "-c", script];
    let running = run_with(&world, &argv, "");
    assert!(
        tokio::time::timeout(Duration::from_secs(20), running)
            .await
            .is_err()
    );
    let found = run_with(&world, &["cat", "/tmp/i"], "").await;
    let rounds: u64 = found.stdout.trim().parse().unwrap();
    assert!(rounds < 100_000, "{rounds}");
}

/// Makes 2,000 files in `/tmp`, and a variable `x` of 128 KiB.
const MUCH: &str = "cd /tmp; for i in $(seq 2000); do echo > file-$i; done
    x=aaaaaaaaaaaaaaaa; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do x=$x$x; done; ";

/// Scripts whose commands are few and whose work is long, and the least number of turns that
/// they take besides that of the preparation.
const LONG_WORK: [(&str, u64); 14] = [
    ("echo ?????????*z /*/*1*2*", 5),
    (": ${x%%*b*} ${x##*b*}", 9),
    (": ${x%%b*} ${x#*b}", 9),
    ("case $x in *a*b) echo y;; *b*a*) echo z;; esac", 7),
    (": $x $x $x $x", 8),
    ("IFS=a; : $x", 1),
    ("echo $x | grep -c '\\(a*\\)*b'", 5),
    ("echo $x | tr a-z A-Z | wc", 6),
    ("echo $x | cut -c 1-", 50),
    ("head -c 1000000 /dev/zero | cat | wc -c", 35),
    ("find / -name '*1*2*' > /dev/null", 9),
    ("ls -lR / > /dev/null", 15),
    ("chmod -R a+r /tmp; rm -r /tmp/*", 20),
    ("mkdir /srv/a; cp -r /tmp /srv/a; mv /srv/a /srv/b", 9),
];

/// Returns how often a script lets other tasks run, and its errors.
async fn turns(script: &str) -> (u64, String) {
    let mut turns = 0;
    let mut running = std::pin::pin!(sh(script));
    let found = std::future::poll_fn(|context| {
        turns += 1;
        running.as_mut().poll(context)
    });
    let found = found.await;
    (turns, found.stderr)
}

#[tokio::test(start_paused = true)]
async fn long_work_is_done_in_turns() {
    let (before, _) = turns(MUCH).await;
    for (script, least) in LONG_WORK {
        let (all, stderr) = turns(&format!("{MUCH}{script}")).await;
        let turns = all.saturating_sub(before);
        assert!(turns >= least, "{script}: {turns} {stderr}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_beyond_a_bound_is_refused_with_the_bound() {
    for (script, message) in [
        (
            "cat /$(yes a/ | head -n 9000 | tr -d '\\n')",
            "File name too long",
        ),
        (
            ": $(($(seq -s + 9000)))",
            "an arithmetic expression of more than 16384 bytes",
        ),
        (
            "cd /; : /*$(head -c 70000 /dev/zero | tr '\\0' a)",
            "a pattern of more than 65536 bytes",
        ),
        (
            "grep $(head -c 9000 /dev/zero | tr '\\0' a) /etc/hosts",
            "a pattern of more than 8192 bytes",
        ),
        (
            "tr $(head -c 2000 /dev/zero | tr '\\0' a) b",
            "a set of more than 1024 bytes",
        ),
        (
            "date +$(head -c 5000 /dev/zero | tr '\\0' a)",
            "a format of more than 4096 bytes",
        ),
        (
            ": $(seq 20000)",
            "Argument list too long: more than 16384 words or 1048576 bytes",
        ),
        (
            "eval \"$(seq -s ' ' 20000)\"",
            "a script of more than 16384 words",
        ),
        (
            "eval \"$(head -c 140000 /dev/zero | tr '\\0' a)\"",
            "a script of more than 131072 bytes",
        ),
        (
            "eval \"$(seq -s '|:|' 200)\"",
            "can't fork: more than 256 commands in pipelines",
        ),
        (
            "b=$(seq -s ' ' 6000); for i in 1 2 3; do eval \"f$i() { : $b; }\"; done",
            "out of memory: more than 256 functions or 16384 words in them",
        ),
    ] {
        let found = bounded(script).await.expect(script);
        assert!(found.stderr.contains(message), "{script} {}", found.stderr);
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_without_a_reader_ends() {
    let (stdout, reader) = tokio::io::duplex(64);
    drop(reader);
    let io = Io {
        stdin: Box::new(tokio::io::empty()),
        stdout: Box::new(stdout),
        stderr: Box::new(tokio::io::sink()),
    };
    let argv = ["sh", "-c", "while true; do echo a; done"].map(str::to_owned);
    let shell = Shell::new(world(), Limits::default());
    assert_eq!(shell.run(&argv, io).await, 141);
}

/// Words and parts of words. `words` adds those that contain whitespace.
const WORDS: &str = r#"if then fi while do done for in case esac x x=1 $x "$x" ${x:-a} ${x% }
    $( ) ( { ; && || | & ! > < >> /tmp/f 2>&1 <<E * [ ] test echo cat grep printf %d -n head tail
    wc seq 3 tr a-z cut -f1 sort read set -- shift eval trap EXIT wait kill $! $$ sleep 1 timeout
    env sh -c exec exit return break continue f() f local export unset cd .. ls -l -R / rm -rf cp
    mv mkdir -p dd if=/dev/zero of=/tmp/d bs=1k count=3 date +%s find -name stat chmod +x id ps
    pgrep sysctl df ' " ` \ $(( 1+ )) ~ # é %s\n tee uniq yes"#;

fn words() -> impl Strategy<Value = &'static str> {
    let words = WORDS.split_whitespace().chain(["\n", "E\n", "a b", ""]);
    prop::sample::select(words.collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_script_ends_or_can_be_dropped(words in prop::collection::vec(words(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let script = words.join(" ");
        runtime.block_on(async {
            let _ = tokio::time::timeout(Duration::from_secs(5), sh(&script)).await;
        });
    }

    #[test]
    fn any_arguments_are_answered(words in prop::collection::vec(words(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let world = world();
            let running = run_with(&world, &words, "a b\nc\n");
            let _ = tokio::time::timeout(Duration::from_secs(5), running).await;
        });
    }
}

/// Runs every program with every letter as an option, on a directory and a file. Sends each
/// command before it runs.
async fn every_command(begun: std::sync::mpsc::Sender<String>) {
    let letters = ('a'..='z').chain(['A', 'E', 'F', 'R', 'S']);
    for letter in letters {
        let world = world();
        for name in crate::interpret::program_names() {
            let command = format!("{name} -{letter} /etc /etc/passwd");
            begun.send(command.clone()).unwrap();
            let argv = ["sh", "-c", command.as_str()];
            let ran = run_with(&world, &argv, "y\n");
            // Some programs wait without end; only blocking the thread is an error.
            let _ = tokio::time::timeout(Duration::from_secs(10), ran).await;
        }
    }
}

#[test]
fn no_command_blocks_the_thread_it_runs_on() {
    let (sender, begun) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(every_command(sender));
    });
    let mut last = String::new();
    loop {
        match begun.recv_timeout(Duration::from_secs(60)) {
            Ok(command) => last = command,
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("{last} blocks"),
        }
    }
    assert_eq!(last, "yes -S /etc /etc/passwd");
}
