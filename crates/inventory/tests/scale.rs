//! Reading at scale, with limits. Run by hand: `cargo test --release -p inventory --test scale --
//! --ignored --nocapture --test-threads 1`.

#![expect(
    clippy::disallowed_methods,
    reason = "the measurements are read from proc(5)"
)]

use std::fmt::Write as _;
use std::time::Duration;

use inventory::journal::{JournalOptions, JournalReader, Segment};
use inventory::usage::UsageReader;
use inventory::{Inventory, InventoryBuilder};
use testing::journal::JournalWriter;

/// Pods of the journal.
const PODS: u64 = 1_000_000;
/// Pods of each segment, whose text is made before it is read.
const PODS_OF_SEGMENT: u64 = 20_000;

/// Returns the time that this thread has had a core (`schedstat` of proc(5)).
fn core_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Returns the resident memory of this process in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
#[ignore = "a measurement, for the release profile"]
fn a_journal_of_a_million_pods_is_read_in_five_seconds() {
    let (mut took, mut bytes) = (Duration::ZERO, 0);
    let before = resident();
    let mut builder = InventoryBuilder::new();
    let options = JournalOptions {
        node_memory: Some(16 << 30),
    };
    let mut reader = JournalReader::new("journal", 0, options);
    let (mut writer, mut text) = (JournalWriter::default(), String::new());
    for pods in 0..PODS / PODS_OF_SEGMENT {
        text.clear();
        let (first, from) = (writer.next_record(), pods * PODS_OF_SEGMENT);
        writer.write(&mut text, from..from + PODS_OF_SEGMENT);
        let segment = Segment {
            first,
            next: Some(writer.next_record()),
        };
        let began = core_time();
        reader
            .segment(&mut builder, "1.jsonl", segment, &mut text.as_bytes())
            .unwrap();
        took += core_time().saturating_sub(began);
        bytes += text.len() as u64;
    }
    drop(text);
    let began = core_time();
    reader.finish(&mut builder);
    let of_each = resident().saturating_sub(before) / PODS;
    let inventory = builder.finish().unwrap();
    took += core_time().saturating_sub(began);
    assert_eq!(inventory.pods.len() as u64, PODS);
    let limit = Duration::from_secs(5);
    let verdict = if took <= limit { "met" } else { "MISSED" };
    println!(
        "{verdict}: {PODS} pods of a journal with {} bytes for each: {took:.2?}, at most {limit:?}; \
         {of_each} bytes of memory for each",
        bytes / PODS
    );
    assert!(took <= limit);
}

/// Samples of each form of usage.
const SAMPLES: u64 = 2_000_000;
/// Samples of one series: a day of minutes.
const MINUTES: u64 = 1440;

fn usage(form: &str, text: &str) -> Inventory {
    let before = resident();
    let began = core_time();
    let (mut builder, mut reader) = (InventoryBuilder::new(), UsageReader::new());
    reader.read(form, &mut text.as_bytes(), None).unwrap();
    reader.finish(&mut builder);
    let took = core_time().saturating_sub(began);
    let bytes = resident().saturating_sub(before) / SAMPLES;
    let limit = Duration::from_secs(5) * u32::try_from(SAMPLES).unwrap() / 10_000_000;
    let verdict = if took <= limit { "met" } else { "MISSED" };
    println!(
        "{verdict}: {SAMPLES} samples as {form}: {took:.2?}, at most {limit:?}; {bytes} bytes of memory for each"
    );
    assert!(took <= limit, "{took:?}");
    builder.finish().unwrap()
}

#[test]
#[ignore = "a measurement, for the release profile"]
fn ten_million_samples_are_read_in_five_seconds() {
    let mut table = "time,namespace,pod,container,cpu_millicores,memory_bytes\n".to_owned();
    for sample in 0..SAMPLES / 2 {
        let (series, minute) = (sample / MINUTES, sample % MINUTES);
        let time = 1_700_000_000 + minute * 60;
        let memory = (64 << 20) + sample % 4096;
        writeln!(
            table,
            "{time},team,web-{series},app,{}.5,{memory}",
            sample % 900
        )
        .unwrap();
    }
    let of_table = usage("CSV", &table);
    drop(table);
    let (mut json, mut text) = (String::new(), String::new());
    json.push_str(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..SAMPLES / MINUTES {
        let comma = if series == 0 { "" } else { "," };
        write!(json, r#"{comma}{{"metric":{{"__name__":"container_memory_working_set_bytes","namespace":"team","pod":"web-{series}","container":"app"}},"values":["#).unwrap();
        for minute in 0..MINUTES {
            let (comma, time) = (
                if minute == 0 { "" } else { "," },
                1_700_000_000 + minute * 60,
            );
            let memory = (64 << 20) + minute % 4096;
            write!(json, r#"{comma}[{time}.781,"{memory}"]"#).unwrap();
            writeln!(text, r#"container_memory_working_set_bytes{{container="app",namespace="team",pod="web-{series}"}} {memory} {time}781"#).unwrap();
        }
        json.push_str("]}");
    }
    json.push_str("]}}");
    let of_json = usage("JSON of Prometheus", &json);
    drop(json);
    let of_text = usage("metrics as text", &text);
    assert_eq!(of_json.usage, of_text.usage);
    assert_eq!(of_table.usage.len() as u64, SAMPLES / 2 / MINUTES + 1);
}
