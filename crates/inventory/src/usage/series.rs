//! Points of one source to usage over time.

use super::metric::Quantity;
use super::notes::Notes;
use super::number::whole;

/// A value that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// In nanoseconds since 1970.
    pub(super) time: i64,
    pub(super) value: f64,
    /// Line or number of the point in its file, for messages.
    pub(super) place: u64,
}

/// Points of one source, such as one series of Prometheus.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Points(pub(super) Vec<Point>);

impl Points {
    /// Returns times and values: billionths of a core, bytes, or kills.
    ///
    /// # Errors
    /// A description of two points of one time with other values, and the place of the second.
    pub(super) fn values(
        mut self,
        quantity: Quantity,
        notes: &mut Notes,
    ) -> Result<Vec<(i64, i64)>, (u64, String)> {
        let is_sorted = self.0.is_sorted_by_key(|point| point.time);
        if !is_sorted {
            notes.unsorted += 1;
            self.0.sort_by_key(|point| point.time);
        }
        let mut clash = None;
        self.0.dedup_by(|second, first| {
            let is_same = second.time == first.time;
            if is_same && second.value.to_bits() != first.value.to_bits() {
                clash.get_or_insert((*second, *first));
            }
            notes.repeated += u64::from(is_same);
            is_same
        });
        if let Some((second, first)) = clash {
            let (this, other) = (second.value, first.value);
            let message = format!("{this}, and {other} at the same time before");
            return Err((second.place, message));
        }
        notes.gaps(&self.0.iter().map(|point| point.time).collect::<Vec<_>>());
        Ok(match quantity {
            Quantity::Cpu => self.each(|value| whole(value * 1e9)),
            Quantity::Memory | Quantity::Oom => self.each(whole),
            Quantity::CpuCounter => self.increases(notes, |increase, nanos| {
                // Seconds of CPU time in a time, in billionths of a core.
                #[expect(clippy::cast_precision_loss, reason = "times are far below 2^53 ms")]
                let seconds = nanos as f64 / 1e9;
                whole(increase / seconds * 1e9)
            }),
            Quantity::OomCounter => self.increases(notes, |increase, _| whole(increase)),
        })
    }

    fn each(&self, value: impl Fn(f64) -> i64) -> Vec<(i64, i64)> {
        let points = self.0.iter();
        points
            .map(|point| (point.time, value(point.value)))
            .collect()
    }

    /// Returns what the increases of a counter come to. A counter that falls was begun anew at 0,
    /// as Prometheus takes it (`extrapolatedRate`).
    fn increases(&self, notes: &mut Notes, value: impl Fn(f64, i64) -> i64) -> Vec<(i64, i64)> {
        notes.single += u64::from(self.0.len() == 1);
        let pairs = self.0.windows(2).filter_map(|pair| match pair {
            [before, now] => Some((before, now)),
            _ => None,
        });
        let rate = |(before, now): (&Point, &Point)| {
            let mut increase = now.value - before.value;
            if increase < 0.0 {
                notes.resets += 1;
                increase = now.value;
            }
            (now.time, value(increase, now.time - before.time))
        };
        pairs.map(rate).collect()
    }
}

/// Values of all sources of one quantity of one container, in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) values: Vec<(i64, i64)>,
}

impl Merged {
    /// Adds the values of another source. Of two values of one time the larger one stays.
    pub(super) fn add(&mut self, values: Vec<(i64, i64)>, notes: &mut Notes) {
        if self.values.is_empty() {
            self.values = values;
            return;
        }
        let follows = match (self.values.last(), values.first()) {
            (Some((last, _)), Some((first, _))) => last < first,
            _ => true,
        };
        self.values.extend(values);
        if follows {
            return;
        }
        self.values.sort_unstable();
        // The larger value of a time comes last, and is the one that is kept.
        self.values.dedup_by(|second, first| {
            let is_same = second.0 == first.0;
            if is_same {
                notes.twice += u64::from(second.1 != first.1);
                *first = *second;
            }
            is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(values: &[(i64, f64)]) -> Points {
        let point = |(place, (time, value)): (u64, &(i64, f64))| Point {
            time: time * 1_000_000_000,
            value: *value,
            place,
        };
        Points((1..).zip(values).map(point).collect())
    }

    fn seconds(values: &[(i64, i64)]) -> Vec<(i64, i64)> {
        values
            .iter()
            .map(|(time, value)| (time / 1_000_000_000, *value))
            .collect()
    }

    #[test]
    fn a_counter_becomes_rates_and_begins_anew_when_it_falls() {
        let mut notes = Notes::default();
        let counter = points(&[(0, 10.0), (60, 40.0), (120, 6.0), (180, 6.0)]);
        let rates = counter.values(Quantity::CpuCounter, &mut notes).unwrap();
        let expected = [(60, 500_000_000), (120, 100_000_000), (180, 0)];
        assert_eq!(seconds(&rates), expected);
        assert_eq!(notes.resets, 1);
        let one = points(&[(0, 1.0)]);
        assert_eq!(one.values(Quantity::CpuCounter, &mut notes), Ok(vec![]));
        assert_eq!(notes.single, 1);
    }

    #[test]
    fn order_is_restored_repetitions_count_once_and_contradictions_are_errors() {
        let mut notes = Notes::default();
        let memory = points(&[(60, 2.0), (0, 1.0), (60, 2.0), (120, 3.4)]);
        let values = memory.values(Quantity::Memory, &mut notes).unwrap();
        assert_eq!(seconds(&values), [(0, 1), (60, 2), (120, 3)]);
        assert_eq!((notes.unsorted, notes.repeated), (1, 1));
        let clash = points(&[(0, 1.0), (60, 2.0), (60, 3.0)]);
        let (place, message) = clash.values(Quantity::Memory, &mut notes).unwrap_err();
        assert_eq!(place, 3);
        assert_eq!(message, "3, and 2 at the same time before");
    }

    #[test]
    fn of_two_sources_the_larger_value_counts() {
        let mut notes = Notes::default();
        let mut merged = Merged::default();
        merged.add(vec![(1, 5), (2, 5)], &mut notes);
        merged.add(vec![(3, 1)], &mut notes);
        merged.add(vec![(2, 7), (3, 1)], &mut notes);
        assert_eq!(merged.values, [(1, 5), (2, 7), (3, 1)]);
        assert_eq!(notes.twice, 1);
    }

    proptest! {
        #[test]
        fn the_rates_of_a_rising_counter_add_up_to_its_rise(
            steps in prop::collection::vec((1..1000_i64, 0..1_000_000_u32), 2..50),
        ) {
            let (mut time, mut total) = (0, 0.0);
            let mut all = vec![(0, 0.0)];
            for (interval, increase) in steps {
                time += interval;
                total += f64::from(increase);
                all.push((time, total));
            }
            let rates = points(&all).values(Quantity::CpuCounter, &mut Notes::default()).unwrap();
            let mut before = 0;
            let mut sum = 0_i128;
            for (time, rate) in &rates {
                sum += i128::from(*rate) * i128::from(time - before) / 1_000_000_000;
                before = *time;
            }
            #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
            let expected = total as i128 * 1_000_000_000;
            prop_assert!((sum - expected).abs() <= i128::from(time), "{sum} {expected}");
        }
    }
}
