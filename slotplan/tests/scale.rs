//! The shipped program at scale, with limits. Run by hand: `cargo test --release -p slotplan --test
//! scale -- --ignored --nocapture`.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use testing::journal::JournalWriter;

/// Pods of the journal.
const PODS: u64 = 1_000_000;
/// Pods of each segment.
const PODS_OF_SEGMENT: u64 = 20_000;
/// Time that the program may take from its start to its end.
const LIMIT: Duration = Duration::from_secs(5);

/// Returns the processor time of all child processes that have ended.
fn of_children() -> (Duration, i64) {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    let microseconds: i64 = times
        .iter()
        .map(|time| time.tv_sec() * 1_000_000 + time.tv_usec())
        .sum();
    let time = Duration::from_micros(microseconds.unsigned_abs());
    (time, usage.max_rss())
}

#[test]
#[ignore = "a measurement, for the release profile"]
fn the_program_reads_a_journal_of_a_million_pods_in_five_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, mut text) = (JournalWriter::default(), String::new());
    let mut bytes = 0;
    for number in 0..PODS / PODS_OF_SEGMENT {
        text.clear();
        let name = format!("{:020}.jsonl", writer.next_record());
        let from = number * PODS_OF_SEGMENT;
        writer.write(&mut text, from..from + PODS_OF_SEGMENT);
        fs::write(dir.path().join(name), &text).unwrap();
        bytes += text.len() as u64;
    }
    drop(text);
    let begin = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_slotplan"))
        .args(["inventory", "--history", "--json", "--node-memory", "16Gi"])
        .arg(dir.path())
        .output()
        .unwrap();
    let took = begin.elapsed();
    assert!(output.status.success(), "{output:?}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["pods"], PODS);
    let (cores, kibibytes) = of_children();
    let verdict = if took <= LIMIT { "met" } else { "MISSED" };
    println!(
        "{verdict}: slotplan inventory --history of {PODS} pods and {bytes} bytes: {took:.2?}, at \
         most {LIMIT:?}; {cores:.2?} of all cores, {} MiB at the peak",
        kibibytes / 1024
    );
    assert!(took <= LIMIT);
}
