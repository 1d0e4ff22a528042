//! Scenarios of `loadgen` with the distributions of a load.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::RangeInclusive;

use inventory::Pod;

use super::laid::lay;

/// Ranges of the keys of a scenario (`loadgen/src/workload/scenario/value.rs`).
const CONTAINERS: RangeInclusive<u64> = 1..=1000;
const CPU_MILLICORES: RangeInclusive<u64> = 10..=256_000;
const MEMORY_MIB: RangeInclusive<u64> = 1..=1 << 24;
const STAY_MS: RangeInclusive<u64> = 0..=30 * 24 * 3600 * 1000;

/// Most values of a distribution.
const VALUES: usize = 64;

/// Most pods that a closed loop makes at once.
const CONCURRENCY: usize = 32;

/// Returns a scenario in TOML that draws pods like these: the number of containers, their CPU and
/// memory, the stays, and the rate of arrivals. Each is drawn by itself: a scenario does not know
/// which container of a pod is large. `None` without pods.
///
/// Values out of the range of a scenario are moved to its ends. A container without a request is
/// left out of the distribution, as is a pod that stays out of that of the stays.
pub fn scenario(pods: &[Pod]) -> Option<String> {
    if pods.is_empty() {
        return None;
    }
    let (mut containers, mut cpu, mut memory) = (Counts::new(), Counts::new(), Counts::new());
    let mut stays = Counts::new();
    for pod in pods {
        let laid = lay(pod);
        count(&mut containers, laid.len() as u64, &CONTAINERS);
        for container in &laid {
            let amount = |amount: Option<i64>| amount.and_then(|amount| u64::try_from(amount).ok());
            if let Some(millicores) = amount(container.cpu_request) {
                count(&mut cpu, millicores, &CPU_MILLICORES);
            }
            if let Some(bytes) = amount(container.memory_request) {
                count(&mut memory, bytes.div_ceil(1 << 20), &MEMORY_MIB);
            }
        }
        if let Some((arrival, departure)) = pod.arrival.zip(pod.departure) {
            let stay = i128::from(departure.0) - i128::from(arrival.0);
            let stay = u64::try_from(stay / 1_000_000).unwrap_or(0);
            count(&mut stays, stay, &STAY_MS);
        }
    }
    let mut text = format!(
        "name = \"planned\"\ndescription = \"Pods like the {} of a plan of slotplan.\"\n\n[pods]\n",
        pods.len()
    );
    for (key, counts) in [
        ("containers", &containers),
        ("cpu_millicores", &cpu),
        ("memory_mib", &memory),
    ] {
        if !counts.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key} = {}", distribution(counts));
        }
    }
    if stays.is_empty() {
        text.push_str("life = \"held\"\n");
    } else {
        let _ = writeln!(text, "life = {}", distribution(&stays));
    }
    text.push_str(&load(pods));
    Some(text)
}

/// Number of times that each value occurs.
type Counts = BTreeMap<u64, u64>;

fn count(counts: &mut Counts, value: u64, range: &RangeInclusive<u64>) {
    let value = value.clamp(*range.start(), *range.end());
    *counts.entry(value).or_default() += 1;
}

/// Returns values with their weights. Of more than [`VALUES`] values, every one stands for an equal
/// part of the occurrences, as its median.
fn distribution(counts: &Counts) -> String {
    let total: u64 = counts.values().sum();
    let mut choices: Vec<(u64, u64)> = if counts.len() <= VALUES {
        counts
            .iter()
            .map(|(value, count)| (*value, *count))
            .collect()
    } else {
        let parts = VALUES as u64;
        let median = |part: u64| {
            let rank = u128::from(total) * u128::from(2 * part + 1) / u128::from(2 * parts);
            (nth(counts, rank), 1)
        };
        (0..parts).map(median).collect()
    };
    // Weights are numbers of 32 bits.
    let largest = choices.iter().map(|(_, weight)| *weight).max().unwrap_or(0);
    let divisor = largest.div_ceil(u32::MAX.into()).max(1);
    for (_, weight) in &mut choices {
        *weight = (*weight / divisor).max(1);
    }
    let choices: Vec<_> = choices
        .iter()
        .map(|(value, weight)| format!("[{value}, {weight}]"))
        .collect();
    format!("{{ choice = [{}] }}", choices.join(", "))
}

/// Returns the value at a place of all occurrences in order.
fn nth(counts: &Counts, place: u128) -> u64 {
    let mut before = 0;
    for (value, count) in counts {
        before += u128::from(*count);
        if place < before {
            return *value;
        }
    }
    counts.keys().next_back().copied().unwrap_or(0)
}

/// Returns the part about arrivals: an open loop at the mean rate if pods arrive over time, in at
/// most thirty days, else a closed loop.
fn load(pods: &[Pod]) -> String {
    /// Bounds of a rate, in pods per second, and of a phase, in milliseconds.
    const RATES: RangeInclusive<f64> = 1e-5..=1e6;
    const PHASE_MS: RangeInclusive<i128> = 1..=30 * 24 * 3600 * 1000;
    let arrivals = || pods.iter().filter_map(|pod| pod.arrival);
    let span = arrivals().min().zip(arrivals().max());
    let span_ms = span.map_or(0, |(first, last)| {
        (i128::from(last.0) - i128::from(first.0)) / 1_000_000
    });
    let rate = arrivals().count() as f64 * 1000.0 / span_ms as f64;
    if PHASE_MS.contains(&span_ms) && RATES.contains(&rate) {
        return format!(
            "\n[[load.phases]]\nname = \"planned\"\nduration = \"{span_ms}ms\"\nrate = {rate:?}\n"
        );
    }
    let concurrency = pods.len().min(CONCURRENCY);
    format!(
        "\n[load]\nconcurrency = {concurrency}\npods = {}\n",
        pods.len()
    )
}
