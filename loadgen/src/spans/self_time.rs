//! Divides the time of a call among its spans.

/// A span within a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Beginning, in nanoseconds.
    pub from_ns: u64,
    /// End, in nanoseconds.
    pub until_ns: u64,
    /// Number of spans above it.
    pub depth: usize,
}

/// Returns the self time of each span, in nanoseconds: each moment of the first span, the call,
/// belongs to the deepest span that is open, and of several to the one that was opened last. So the
/// self times add up to the time of the call, also if spans overlap.
pub fn self_times(spans: &[Interval]) -> Vec<u64> {
    let mut times = vec![0; spans.len()];
    let Some(call) = spans.first() else {
        return times;
    };
    let mut bounds: Vec<u64> = spans
        .iter()
        .flat_map(|span| [span.from_ns, span.until_ns])
        .map(|at| at.clamp(call.from_ns, call.until_ns))
        .collect();
    bounds.sort_unstable();
    bounds.dedup();
    for piece in bounds.windows(2) {
        let open = |span: &Interval| span.from_ns <= piece[0] && piece[1] <= span.until_ns;
        let owner = (0..spans.len())
            .filter(|place| open(&spans[*place]))
            .max_by_key(|place| (spans[*place].depth, spans[*place].from_ns));
        if let Some(owner) = owner {
            times[owner] += piece[1] - piece[0];
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(from_ns: u64, until_ns: u64, depth: usize) -> Interval {
        Interval {
            from_ns,
            until_ns,
            depth,
        }
    }

    #[test]
    fn a_span_keeps_the_time_that_its_children_leave() {
        let spans = [
            span(0, 100, 0),
            span(10, 90, 1),
            span(20, 30, 2),
            span(50, 70, 2),
        ];
        assert_eq!(self_times(&spans), [20, 50, 10, 20]);
    }

    #[test]
    fn of_spans_at_the_same_time_the_later_one_has_it() {
        let spans = [span(0, 100, 0), span(10, 60, 1), span(40, 80, 1)];
        assert_eq!(self_times(&spans), [30, 30, 40]);
    }

    #[test]
    fn what_lies_outside_of_the_call_counts_nowhere() {
        assert_eq!(self_times(&[span(10, 20, 0), span(0, 15, 1)]), [5, 5]);
        assert_eq!(self_times(&[]), Vec::<u64>::new());
    }

    proptest! {
        #[test]
        fn self_times_add_up_to_the_call(
            call in 1_u64..1000,
            spans in proptest::collection::vec((0_u64..1200, 0_u64..500, 1_usize..5), 0..20),
        ) {
            let mut all = vec![span(100, 100 + call, 0)];
            all.extend(spans.into_iter().map(|(from, took, depth)| span(from, from + took, depth)));
            prop_assert_eq!(self_times(&all).iter().sum::<u64>(), call);
        }
    }
}
