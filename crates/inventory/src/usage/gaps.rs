//! Gaps between the times of samples.

/// Returns the number of gaps between times, which are intervals of more than two and a half of
/// the usual one, and the longest gap in nanoseconds.
pub(super) fn gaps(times: &[i64]) -> (u64, i64) {
    let mut intervals: Vec<i64> = times
        .windows(2)
        .filter_map(|pair| match pair {
            [before, now] => Some(now.saturating_sub(*before)),
            _ => None,
        })
        .collect();
    // Two intervals do not tell which one is usual.
    if intervals.len() < 3 {
        return (0, 0);
    }
    let middle = intervals.len() / 2;
    let (_, usual, _) = intervals.select_nth_unstable(middle);
    // Two and a half of the usual interval, so that a sample that was missed is a gap only
    // together with a second one.
    let bound = usual.saturating_mul(2).saturating_add(*usual / 2);
    let long = intervals.iter().filter(|interval| **interval > bound);
    let longest = long.clone().max().copied().unwrap_or(0);
    (long.count() as u64, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_intervals_far_beyond_the_usual_one() {
        let times = [0, 10, 20, 30, 100, 110].map(|time| time * 1_000_000_000);
        assert_eq!(gaps(&times), (1, 70_000_000_000));
        assert_eq!(gaps(&[0, 1, 100]), (0, 0));
        assert_eq!(gaps(&[i64::MIN, 0, i64::MAX, i64::MAX]).0, 0);
    }
}
