//! Parts of one run (`loadgen run --part`) and their merge.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::place::{Place, entries, plan_hash};
use tests::{binary, read_json};

const PODS: &str = "30";

#[test]
fn parts_on_sandboxers_of_their_own_run_each_pod_of_the_plan_once() {
    const PARTS: usize = 4;
    let place = Place::new();
    let run = |number: usize| {
        let part = format!("{number}/{PARTS}");
        let args = [
            "--pods",
            PODS,
            "--warm-up-pods",
            "5",
            "--concurrency",
            "6",
            "--part",
            &part,
        ];
        let mut command = place.command(&args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("loadgen runs")
    };
    let running: Vec<_> = (0..PARTS).map(run).collect();
    for mut child in running {
        assert_eq!(child.wait().expect("an end").code(), Some(0));
    }
    let mut dirs = entries(place.results.path());
    dirs.sort_by_key(|dir| {
        let number = &read_json(&dir.join("result.json"))["scenario"]["part"]["number"];
        number.as_u64()
    });
    let merged = place.results.path().join("whole");
    let merge = |dirs: &[PathBuf]| {
        let mut command = Command::new(binary("loadgen"));
        command.arg("merge").arg(&merged).args(dirs);
        command.output().expect("loadgen runs")
    };
    let output = merge(&[&dirs[..2], &dirs[3..]].concat());
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("of 4 parts 2 is missing"), "{shown}");
    assert_eq!(merge(&dirs).status.code(), Some(0));

    let result = read_json(&merged.join("result.json"));
    let hash = plan_hash(&["--pods", PODS, "--warm-up-pods", "5"]);
    assert_eq!(result["plan_hash"], hash);
    assert_eq!(result["totals"]["pods"].to_string(), PODS);
    assert_eq!(result["totals"]["errors"], 0);
    let of_parts = dirs.iter().map(|dir| {
        let part = read_json(&dir.join("result.json"));
        assert_eq!(part["plan_hash"], hash);
        part["scenario"]["pods"].as_u64().expect("a number")
    });
    assert_eq!(of_parts.sum::<u64>(), 35);
}

#[test]
fn a_merge_says_which_part_was_killed_or_interrupted() {
    let part = |part| ["--pods", PODS, "--warm-up-pods", "0", "--part", part];
    let whole = ["0/3", "1/3"].map(|number| {
        let place = Place::new();
        place.good(&mut place.command(&part(number)));
        place
    });
    let merge = |dirs: &[PathBuf]| {
        let mut command = Command::new(binary("loadgen"));
        command
            .arg("merge")
            .arg(whole[0].results.path().join("whole"));
        let output = command.args(dirs).output().expect("loadgen runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    };
    // It goes on for seconds.
    let long = ["--pods", "9000", "--concurrency", "3", "--part", "2/3"];
    for (signal, reason) in [
        (Signal::KILL, "of 3 parts 2 is missing"),
        (Signal::INT, "is part 2/3, which was interrupted"),
    ] {
        let place = Place::new();
        let mut loadgen = place
            .command(&long)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("loadgen starts");
        place.first_view();
        kill_process(Pid::from_child(&loadgen), signal).expect("a child");
        let status = loadgen.wait().expect("a child");
        assert_ne!(status.code(), Some(0));
        let saved = entries(place.results.path());
        let shown = merge(&[&whole.each_ref().map(Place::saved), &saved[..]].concat());
        assert!(shown.contains(reason), "{shown}");
    }
}
