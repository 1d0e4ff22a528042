//! When a compaction is worth its while.

use super::journal::Options;

/// Fewer bytes are not worth one even where space is short.
const NEEDY: u64 = 64 << 10;

/// What a compaction costs, in bytes, and from how many on it pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Worth {
    min: u64,
    /// The size of the newest snapshot.
    snapshot: u64,
}

impl Worth {
    pub(super) fn new(options: &Options, snapshot: u64) -> Self {
        Self {
            min: options.compact_min_bytes,
            snapshot,
        }
    }

    /// With this new snapshot.
    pub(super) fn after(self, snapshot: u64) -> Self {
        Self { snapshot, ..self }
    }

    /// Whether so many appended bytes are: the journal may grow to twice what
    /// matters in it, so that compacting costs a constant share of appending.
    pub(super) fn pays(self, appended: u64) -> bool {
        appended > self.min.max(self.snapshot.saturating_mul(2))
    }

    /// Whether they are where space is short: a larger share, but still one.
    pub(super) fn pays_in_need(self, appended: u64) -> bool {
        self.pays(appended) || appended > NEEDY.max(self.snapshot / 8)
    }

    /// Whether they are at a start, which all of them hold up: if it is more
    /// them than the snapshot.
    pub(super) fn pays_at_start(self, appended: u64) -> bool {
        self.pays(appended) || appended > NEEDY.max(self.snapshot)
    }

    /// How much room the next snapshot may take: as much as what it replaces.
    pub(super) fn room_needed(self, appended: u64) -> u64 {
        self.snapshot.saturating_add(appended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_less_space_there_is_the_sooner_it_pays() {
        let none = Worth::new(&Options::default(), 0);
        let large = none.after(80 << 20);
        let (kib, mib) = (1 << 10, 1 << 20);
        for (worth, needy, start, leisure) in [
            (none, 64 * kib, 64 * kib, 16 * mib),
            (large, 10 * mib, 80 * mib, 160 * mib),
        ] {
            let from = |pays: fn(Worth, u64) -> bool, bytes: u64| {
                !pays(worth, bytes) && pays(worth, bytes + 1)
            };
            assert!(from(Worth::pays_in_need, needy));
            assert!(from(Worth::pays_at_start, start));
            assert!(from(Worth::pays, leisure));
        }
        assert_eq!(large.room_needed(mib), 81 * mib);
    }

    #[test]
    fn it_never_pays_later_than_was_asked_for() {
        let options = Options {
            compact_min_bytes: 100,
            ..Options::default()
        };
        let worth = Worth::new(&options, 7);
        assert!(worth.pays(101) && worth.pays_in_need(101) && worth.pays_at_start(101));
    }
}
