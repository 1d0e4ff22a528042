//! Decides when a compaction pays.

use super::options::Options;

/// Least appended bytes for a compaction that comes earlier than
/// [`Options::compact_min_bytes`].
const SMALLEST: u64 = 64 << 10;

/// Sizes that decide whether a compaction pays.
///
/// A compaction costs about as much as writing the snapshot again, and frees the bytes that
/// were appended since the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CompactionPolicy {
    /// [`Options::compact_min_bytes`].
    min: u64,
    /// Size of the newest snapshot in bytes; 0 without one.
    snapshot: u64,
}

impl CompactionPolicy {
    /// Returns the policy for a newest snapshot of `snapshot` bytes.
    pub(super) fn new(options: &Options, snapshot: u64) -> Self {
        Self {
            min: options.compact_min_bytes,
            snapshot,
        }
    }

    /// Returns the policy for a new snapshot of `snapshot` bytes.
    pub(super) fn after(self, snapshot: u64) -> Self {
        Self { snapshot, ..self }
    }

    /// Returns whether a compaction pays after `appended` bytes.
    ///
    /// The journal may grow to twice the size of its snapshot, so that compacting costs a
    /// constant share of appending.
    pub(super) fn pays(self, appended: u64) -> bool {
        appended > self.min.max(self.snapshot.saturating_mul(2))
    }

    /// Returns whether a compaction pays after `appended` bytes when the disk is nearly full.
    ///
    /// From an eighth of the snapshot on, the bytes that a compaction frees are worth its
    /// cost.
    pub(super) fn pays_when_space_is_short(self, appended: u64) -> bool {
        self.pays(appended) || appended > SMALLEST.max(self.snapshot / 8)
    }

    /// Returns whether a compaction pays at a start that read `appended` bytes of segments.
    ///
    /// Reading them delays every start. So a compaction pays as soon as the segments hold more
    /// bytes than the snapshot.
    pub(super) fn pays_at_start(self, appended: u64) -> bool {
        self.pays(appended) || appended > SMALLEST.max(self.snapshot)
    }

    /// Returns the bytes that the next snapshot may take: at most as many as the files it
    /// replaces.
    pub(super) fn room_needed(self, appended: u64) -> u64 {
        self.snapshot.saturating_add(appended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compaction_pays_sooner_at_a_start_and_when_space_is_short() {
        let none = CompactionPolicy::new(&Options::default(), 0);
        let large = none.after(80 << 20);
        let (kib, mib) = (1 << 10, 1 << 20);
        for (policy, needy, start, leisure) in [
            (none, 64 * kib, 64 * kib, 16 * mib),
            (large, 10 * mib, 80 * mib, 160 * mib),
        ] {
            let from = |pays: fn(CompactionPolicy, u64) -> bool, bytes: u64| {
                !pays(policy, bytes) && pays(policy, bytes + 1)
            };
            assert!(from(CompactionPolicy::pays_when_space_is_short, needy));
            assert!(from(CompactionPolicy::pays_at_start, start));
            assert!(from(CompactionPolicy::pays, leisure));
        }
        assert_eq!(large.room_needed(mib), 81 * mib);
    }

    #[test]
    fn a_compaction_pays_at_the_latest_after_the_bytes_of_the_options() {
        let options = Options {
            compact_min_bytes: 100,
            ..Options::default()
        };
        let policy = CompactionPolicy::new(&options, 7);
        assert!(
            policy.pays(101) && policy.pays_when_space_is_short(101) && policy.pays_at_start(101)
        );
    }
}
