//! Output for people.

use std::io::{self, Write};
use std::time::Duration;

use containerd_sandbox::Key;

use super::Options;
use super::totals::{Totals, TotalsByState, running};
use journal::Recovered;
use pod_resources::ResourceInfo;
use slot::Timestamp;
use slot::{Container, Slot};

/// Length of a shortened id in characters, the same as crictl's.
const SHORT_ID: usize = 13;
/// Space between columns.
const GAP: &str = "  ";

const HEADINGS: [&str; COLUMNS] = [
    "NAMESPACE",
    "ID",
    "POD",
    "STATE",
    "AGE",
    "CONTAINERS",
    "CPU REQ/LIM",
    "MEMORY REQ/LIM",
    "PIDS",
    "STORAGE",
    "NETWORK",
];
const COLUMNS: usize = 11;

type Row = [String; COLUMNS];

pub(super) fn write(
    found: &Recovered,
    options: &Options,
    now: Timestamp,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut sorted: Vec<_> = found.slots.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    for (key, slot) in sorted {
        rows.push(slot_row(key, slot, options, now));
        if options.containers {
            let containers = slot.containers.iter();
            rows.extend(containers.map(|container| container_row(container, options)));
        }
    }
    let totals = TotalsByState::of(found.slots.values().map(AsRef::as_ref));
    for (name, of) in [
        ("created", &totals.created),
        ("ready", &totals.ready),
        ("not ready", &totals.not_ready),
        ("all", &totals.all),
    ] {
        rows.push(totals_row(name, of));
    }
    print(&rows, out)?;
    for warning in found.report.warnings() {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

fn slot_row(key: &Key, slot: &Slot, options: &Options, now: Timestamp) -> Row {
    let pod = slot.sandbox.pod.as_ref();
    let pod = pod.map_or_else(|| "-".to_owned(), |p| format!("{}/{}", p.namespace, p.name));
    let exit = slot
        .exit
        .map_or_else(String::new, |exit| format!(" ({})", exit.code));
    let name = [
        key.namespace().to_owned(),
        shown_id(key.id(), options),
        printable(&pod),
        format!("{}{exit}", slot.state.name()),
        age(now.since(slot.created_at)),
        format!("{}/{}", running(slot), slot.containers.len()),
    ];
    row(name, &slot.resource_info())
}

fn container_row(container: &Container, options: &Options) -> Row {
    let init = &container.init;
    let exit = init
        .exit
        .map_or_else(String::new, |exit| format!(" ({})", exit.code));
    let name = [
        String::new(),
        format!("+ {}", shown_id(&container.id, options)),
        String::new(),
        format!("{}{exit}", init.state.name()),
        String::new(),
        String::new(),
    ];
    row(name, &container.info)
}

fn totals_row(state: &str, totals: &Totals) -> Row {
    let name = [
        "TOTAL".to_owned(),
        totals.slots.to_string(),
        String::new(),
        state.to_owned(),
        String::new(),
        format!("{}/{}", totals.containers_running, totals.containers),
    ];
    row(name, &totals.resource_info)
}

fn row([namespace, id, pod, state, age, containers]: [String; 6], info: &ResourceInfo) -> Row {
    [
        namespace,
        id,
        pod,
        state,
        age,
        containers,
        pair(info.cpu_request.map(cores), info.cpu_limit.map(cores)),
        pair(info.memory_request.map(bytes), info.memory_limit.map(bytes)),
        info.pid_limit.map_or_else(dash, |n| n.to_string()),
        info.storage_limit.map_or_else(dash, bytes),
        info.network_bandwidth.map_or_else(dash, bits_per_second),
    ]
}

fn dash() -> String {
    "-".to_owned()
}

fn pair(request: Option<String>, limit: Option<String>) -> String {
    let (request, limit) = (request.unwrap_or_else(dash), limit.unwrap_or_else(dash));
    format!("{request}/{limit}")
}

fn shown_id(id: &str, options: &Options) -> String {
    match id.get(..SHORT_ID) {
        Some(short) if !options.full_ids => short.to_owned(),
        Some(_) | None => id.to_owned(),
    }
}

/// Replaces control characters in a pod's name, which its creator chose, so that the name
/// cannot move the cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

fn cores(cores: f64) -> String {
    format!("{cores}")
}

/// Formats a size with three significant digits or more, in the largest binary unit.
fn bytes(bytes: u64) -> String {
    scaled(bytes, 1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])
}

fn bits_per_second(bits: u64) -> String {
    scaled(bits, 1000, &["", "k", "M", "G", "T", "P", "E"]) + "bit/s"
}

fn scaled(value: u64, base: u64, units: &[&str]) -> String {
    let (mut scale, mut unit) = (1, 0);
    while value / scale >= base && unit + 1 < units.len() {
        scale *= base;
        unit += 1;
    }
    if value.is_multiple_of(scale) {
        format!("{}{}", value / scale, units[unit])
    } else {
        format!("{:.1}{}", value as f64 / scale as f64, units[unit])
    }
}

/// Formats an age in its two largest units, because ages are there to be compared.
fn age(age: Duration) -> String {
    let text = humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
    let parts: Vec<&str> = text.split(' ').take(2).collect();
    parts.join("")
}

fn print(rows: &[Row], out: &mut impl Write) -> io::Result<()> {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        writeln!(out, "{}", line.join(GAP).trim_end())?;
    }
    Ok(())
}
