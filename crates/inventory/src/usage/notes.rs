//! What usage does not say and was taken for granted, counted.

use std::collections::BTreeMap;

use super::gaps::gaps;
use crate::InventoryBuilder;

/// Counts for the assumptions about usage.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Series whose points were out of order.
    pub(super) unsorted: u64,
    /// Points that repeat the one before.
    pub(super) repeated: u64,
    /// Counters that began anew.
    pub(super) resets: u64,
    /// Counters with a single point.
    pub(super) single: u64,
    /// Values of one time that differ between two series of one container.
    pub(super) twice: u64,
    /// Values that are not a number.
    pub(super) not_a_number: u64,
    /// Series of whole pods.
    pub(super) of_pods: u64,
    /// Series of nothing that is a pod.
    pub(super) of_others: u64,
    /// Series of metrics that decide nothing, by name.
    pub(super) foreign: BTreeMap<String, u64>,
    gaps: u64,
    longest_gap: i64,
}

impl Notes {
    /// Counts the gaps between the times of a series.
    pub(super) fn gaps(&mut self, times: &[i64]) {
        let (count, longest) = gaps(times);
        self.gaps += count;
        self.longest_gap = self.longest_gap.max(longest);
    }

    /// Counts a series of a metric that decides nothing.
    pub(super) fn foreign(&mut self, name: &str) {
        *self.foreign.entry(name.to_owned()).or_default() += 1;
    }

    /// States the assumptions.
    pub(super) fn state(self, builder: &mut InventoryBuilder) {
        let longest = self.longest_gap / 1_000_000_000;
        for (count, text) in [
            (
                self.unsorted,
                "series with samples out of order, which were sorted by time".to_owned(),
            ),
            (
                self.repeated,
                "samples repeat one of the same time and value, and count once".to_owned(),
            ),
            (
                self.resets,
                "falls of a counter, which is taken to have begun anew at 0".to_owned(),
            ),
            (
                self.single,
                "counters with one sample, which shows no rate".to_owned(),
            ),
            (
                self.twice,
                "times at which two series of one container differ: the larger value is used"
                    .to_owned(),
            ),
            (
                self.not_a_number,
                "samples that are not a number (NaN), which are left out".to_owned(),
            ),
            (
                self.gaps,
                format!(
                    "gaps, of at most {longest} s: nothing is known of the usage within, and \
                     a counter's mean over a gap counts at its end"
                ),
            ),
            (
                self.of_pods,
                "series of a whole pod or its pause container, which are left out".to_owned(),
            ),
            (
                self.of_others,
                "series without the labels namespace and pod, which are left out".to_owned(),
            ),
        ] {
            if count > 0 {
                builder.assume(format!("usage: {count} {text}"));
            }
        }
        for (name, count) in self.foreign {
            builder.assume(format!(
                "usage: {count} series of {name}, which is no known metric of CPU or memory, and \
                 left out"
            ));
        }
    }
}
