//! Metrics of the journal, the views and the start.

use std::fmt;
use std::sync::Arc;

use exposition::Descriptor;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::live::ResourceSlotSandboxer;
use journal::Report;

const fn descriptor(name: &'static str, help: &'static str, unit: &'static str) -> Descriptor {
    Descriptor { name, help, unit }
}

const RECORDS: Descriptor = descriptor(
    "resource_slot_journal_records",
    "Records that were appended to the journal",
    "",
);
const BYTES: Descriptor = descriptor(
    "resource_slot_journal_appended",
    "What was appended to the journal",
    "bytes",
);
const SEGMENTS: Descriptor = descriptor(
    "resource_slot_journal_segments",
    "Segments that were begun after the first one",
    "",
);
const SYNCS: Descriptor = descriptor(
    "resource_slot_journal_syncs",
    "Times that the journal was made durable",
    "",
);
const SYNC_FAILURES: Descriptor = descriptor(
    "resource_slot_journal_sync_failures",
    "Times that the journal could not be made durable",
    "",
);
const SYNC_TIME: Descriptor = descriptor(
    "resource_slot_journal_sync",
    "Time that making the journal durable took",
    "seconds",
);
const LAST_SYNC: Descriptor = descriptor(
    "resource_slot_journal_last_sync_timestamp",
    "When the journal was last made durable, in Unix time; absent before, as always with --sync none",
    "seconds",
);
const SNAPSHOTS: Descriptor = descriptor(
    "resource_slot_journal_snapshots",
    "Snapshots that were taken in place of segments",
    "",
);
const SNAPSHOT: Descriptor = descriptor(
    "resource_slot_journal_snapshot",
    "Size of the last snapshot that was taken; absent before",
    "bytes",
);
const VIEWS_BACKLOG: Descriptor = descriptor(
    "resource_slot_views_backlog",
    "Changes of resource_info.json files that are still to be made",
    "",
);
const RECOVERY: Descriptor = descriptor(
    "resource_slot_recovery",
    "How long reading the journal took at the start",
    "seconds",
);
const RECOVERED_SANDBOXES: Descriptor = descriptor(
    "resource_slot_recovered_sandboxes",
    "Sandboxes that the journal held at the start",
    "",
);
const RECOVERED_RECORDS: Descriptor = descriptor(
    "resource_slot_recovered_records",
    "Records that were read at the start, those in a snapshot left out",
    "",
);

/// Encodes the state of the journal and the views.
pub(super) struct Store {
    /// Sandboxer with the journal and the views.
    pub(super) sandboxer: Arc<ResourceSlotSandboxer>,
    /// Report of reading the journal at the start.
    pub(super) recovered: Report,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Collector for Store {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let stats = self.sandboxer.journal_stats();
        RECORDS.counter(encoder, |s| s.count(stats.records))?;
        BYTES.counter(encoder, |s| s.count(stats.bytes))?;
        SEGMENTS.counter(encoder, |s| s.count(stats.segments))?;
        SYNCS.counter(encoder, |s| s.count(stats.syncs))?;
        SYNC_FAILURES.counter(encoder, |s| s.count(stats.failed_syncs))?;
        SYNC_TIME.counter(encoder, |s| s.sum(stats.sync_time.as_secs_f64()))?;
        LAST_SYNC.gauge(encoder, |s| match stats.last_sync {
            Some(at) => s.value(at.nanos() as f64 / 1e9),
            None => Ok(()),
        })?;
        SNAPSHOTS.counter(encoder, |s| s.count(stats.snapshots))?;
        SNAPSHOT.gauge(encoder, |s| match stats.snapshot_bytes {
            Some(bytes) => s.value(bytes as f64),
            None => Ok(()),
        })?;
        let backlog = self.sandboxer.views_backlog();
        VIEWS_BACKLOG.gauge(encoder, |s| s.value(backlog as f64))?;
        let recovered = &self.recovered;
        RECOVERY.gauge(encoder, |s| s.value(recovered.took.as_secs_f64()))?;
        RECOVERED_SANDBOXES.gauge(encoder, |s| s.value(recovered.sandboxes as f64))?;
        RECOVERED_RECORDS.gauge(encoder, |s| s.value(recovered.records as f64))
    }
}
