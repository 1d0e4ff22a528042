//! Output for tools.
//!
//! ```json
//! {
//!   "schema": "resource-slot.inspect",
//!   "schema_version": 1,
//!   "dir": "/var/lib/kuasar-resource-slot",
//!   "journal": { "last_seq": 17, "snapshot": 12, "segments": 1, "records": 5, "torn_bytes": 0, "damage": [] },
//!   "slots": [ { "namespace": "k8s.io", "id": "abc", "resource_info": {…}, "slot": {…} } ],
//!   "totals": { "created": {…}, "ready": {…}, "not_ready": {…}, "all": {…} }
//! }
//! ```
//!
//! Slots are sorted by namespace and id. `slot` is the whole slot, as in a snapshot.
//! `resource_info` holds the resources that the slot asks for: each field is the slot's own,
//! or else the sum over its containers. A member of `totals` has `slots`, `containers`,
//! `containers_running` and `resource_info`. `damage` holds one text for each place of the
//! journal that cannot be used. Members may be added; a change of the members above is a new
//! `schema_version`.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::totals::TotalsByState;
use journal::Recovered;
use pod_resources::ResourceInfo;
use slot::Slot;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    schema_version: u32,
    dir: String,
    journal: Journal,
    slots: Vec<Entry<'a>>,
    totals: TotalsByState,
}

#[derive(Serialize)]
struct Journal {
    last_seq: u64,
    snapshot: Option<u64>,
    segments: usize,
    records: u64,
    torn_bytes: u64,
    damage: Vec<String>,
}

#[derive(Serialize)]
struct Entry<'a> {
    namespace: &'a str,
    id: &'a str,
    resource_info: ResourceInfo,
    slot: &'a Slot,
}

pub(super) fn write(dir: &Path, found: &Recovered, out: &mut impl Write) -> io::Result<()> {
    let report = &found.report;
    let mut sorted: Vec<_> = found.slots.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let document = Document {
        schema: "resource-slot.inspect",
        schema_version: 1,
        dir: dir.display().to_string(),
        journal: Journal {
            last_seq: report.last_seq,
            snapshot: report.snapshot,
            segments: report.segments,
            records: report.records,
            torn_bytes: report.torn.as_ref().map_or(0, |torn| torn.bytes),
            damage: report.dropped.iter().map(ToString::to_string).collect(),
        },
        slots: sorted
            .into_iter()
            .map(|(key, slot)| Entry {
                namespace: key.namespace(),
                id: key.id(),
                resource_info: slot.resource_info(),
                slot,
            })
            .collect(),
        totals: TotalsByState::of(found.slots.values().map(AsRef::as_ref)),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
