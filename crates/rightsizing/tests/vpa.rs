//! Compares the recommendation with answers of VPA's own code.

use std::collections::BTreeMap;

use inventory::Timestamp;
use proptest::prelude::*;
use rightsizing::vpa::{Checkpoint, Estimate, Moment, Observation, Recommender};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z in seconds since 1970.
const START: i64 = 1_767_225_600;

type Row = (i64, Option<i64>, Option<i64>, Option<i64>);

#[test]
fn recommendations_are_those_of_vpa() {
    compare(include_str!("../../../tests/data/golden/vpa.json"));
}

#[test]
fn recommendations_are_those_of_vpa_for_drawn_samples() {
    compare(include_str!("data/vpa-drawn.json"));
}

/// Compares with the file that the variable `VPA_CASES` names, for instance with a longer list
/// of drawn samples.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the rules are for the crate, and this file is not part of the project"
)]
fn recommendations_are_those_of_vpa_for_a_file() {
    match std::env::var("VPA_CASES") {
        Ok(path) => compare(&std::fs::read_to_string(path).unwrap()),
        Err(_) => eprintln!("SKIPPED: VPA_CASES names no file"),
    }
}

fn compare(file: &str) {
    let file: Value = serde_json::from_str(file).unwrap();
    for case in file["cases"].as_array().unwrap() {
        let samples: BTreeMap<String, Vec<Row>> =
            serde_json::from_value(case["samples"].clone()).unwrap();
        for (container, rows) in &samples {
            let found = answer(rows, samples.len());
            let expected = case["expect"][container].clone();
            assert_eq!(
                plain(found),
                plain(expected),
                "{} {container}",
                case["name"]
            );
        }
    }
}

fn answer(rows: &[Row], containers: usize) -> Value {
    let mut recommender = Recommender::default();
    let mut count = [0, 0];
    for &(seconds, cpu, memory, oom) in rows {
        let time = Timestamp::from_seconds(START + seconds);
        let observations = [
            cpu.map(Observation::Cpu),
            memory.map(Observation::Memory),
            oom.map(Observation::OutOfMemory),
        ];
        for observation in observations.into_iter().flatten() {
            count[usize::from(recommender.add(0, time, observation))] += 1;
        }
    }
    let usage = recommender.aggregation();
    let percentiles: serde_json::Map<_, _> = ["0.05", "0.5", "0.9", "0.95", "0.99", "1"]
        .into_iter()
        .map(|text| {
            let part = text.parse().unwrap();
            let both = [usage.cpu_percentile(part), usage.memory_percentile(part)];
            (text.to_owned(), json!(both))
        })
        .collect();
    let Estimate {
        target,
        lower_bound,
        upper_bound,
    } = recommender.estimate(containers);
    json!({
        "target": target,
        "lower_bound": lower_bound,
        "upper_bound": upper_bound,
        "state": {
            "checkpoint": {
                "cpu": checkpoint(&usage.cpu_checkpoint()),
                "memory": checkpoint(&usage.memory_checkpoint()),
            },
            "cpu_samples": usage.cpu_samples(),
            "first_s": seconds(usage.first()),
            "last_s": seconds(usage.last()),
            "percentiles_cores_bytes": percentiles,
            "samples_taken": count[1],
            "samples_discarded": count[0],
        },
    })
}

fn checkpoint(checkpoint: &Checkpoint) -> Value {
    json!({
        "referenceTimestamp": checkpoint.reference.to_string(),
        "bucketWeights": checkpoint.bucket_weights,
        "totalWeight": checkpoint.total_weight,
    })
}

fn seconds(moment: Moment) -> Option<i64> {
    moment
        .timestamp()
        .map(|time| time.0 / 1_000_000_000 - START)
}

/// Makes every number one of 64 bits with a point: Go writes a whole one without it. No whole
/// number of the answers is above 2^53.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.into_iter().map(plain).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, plain(value)))
            .collect(),
        value => value,
    }
}

proptest! {
    #[test]
    fn any_observations_give_ordered_amounts(
        observations in prop::collection::vec(
            (0..3_usize, any::<i64>(), 0..3_u8, prop_oneof![any::<i64>(), 0..5_000_i64]),
            0..60,
        ),
        containers in 1..5_usize,
    ) {
        let mut recommender = Recommender::default();
        for (pod, time, kind, amount) in observations {
            let observation = match kind {
                0 => Observation::Cpu(amount),
                1 => Observation::Memory(amount),
                _ => Observation::OutOfMemory(amount),
            };
            recommender.add(pod, Timestamp(time), observation);
        }
        let Estimate { target, lower_bound, upper_bound } = recommender.estimate(containers);
        let least = rightsizing::vpa::minimum_for(containers);
        let cpu = [least, lower_bound, target, upper_bound].map(|of| of.cpu_millicores);
        prop_assert!(cpu.is_sorted(), "{cpu:?}");
        let memory = [least, lower_bound, target, upper_bound].map(|of| of.memory_bytes);
        prop_assert!(memory.is_sorted(), "{memory:?}");
    }
}
