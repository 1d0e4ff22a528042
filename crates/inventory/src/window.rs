//! Part of an inventory that lies in a window of time.

use crate::{Inventory, Timestamp};

/// Window of time; `None` for no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// Beginning.
    pub from: Option<Timestamp>,
    /// End, which is not part of the window.
    pub to: Option<Timestamp>,
}

impl Window {
    /// Returns whether a time lies in the window.
    pub fn contains(self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }
}

impl Inventory {
    /// Keeps what lies in a window: the pods that live in it and the samples that were taken in
    /// it. A pod that arrived before is there from the start, and one that departs later stays.
    ///
    /// ```
    /// use inventory::{Inventory, Timestamp, Window};
    ///
    /// let mut inventory = Inventory::default();
    /// inventory.clip(Window { from: Some(Timestamp::from_seconds(60)), to: None });
    /// ```
    pub fn clip(&mut self, window: Window) {
        self.pods.retain_mut(|pod| {
            let is_over = |end| window.from.is_some_and(|from| end <= from);
            let is_later = |start| window.to.is_some_and(|to| start >= to);
            if pod.departure.is_some_and(is_over) || pod.arrival.is_some_and(is_later) {
                return false;
            }
            pod.arrival = pod.arrival.filter(|start| window.contains(*start));
            let ends_later = |end| window.to.is_some_and(|to| end >= to);
            if pod.departure.is_some_and(ends_later) {
                pod.departure = None;
            }
            true
        });
        // Pods that are there from the start come first.
        self.pods.sort_by_key(|pod| pod.arrival);
        self.usage.retain_mut(|series| {
            series.samples.retain(|sample| window.contains(sample.time));
            !series.samples.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{Labels, PodSpec};
    use crate::{Pod, Source, Template};

    fn pod(name: &str, arrival: i64, departure: Option<i64>) -> Pod {
        Pod {
            namespace: "n".into(),
            name: name.into(),
            uid: None,
            template: Arc::new(Template::new(Labels::new(), PodSpec::default())),
            owner: None,
            node: None,
            arrival: Some(Timestamp(arrival)),
            departure: departure.map(Timestamp),
            source: Source {
                file: "f".into(),
                line: 1,
            },
        }
    }

    #[test]
    fn a_window_keeps_the_pods_that_live_in_it() {
        let mut inventory = Inventory {
            pods: vec![
                pod("before", 0, Some(10)),
                pod("into", 5, Some(15)),
                pod("within", 11, Some(12)),
                pod("beyond", 19, Some(20)),
                pod("after", 20, None),
            ],
            ..Inventory::default()
        };
        let bound = |time| Some(Timestamp(time));
        inventory.clip(Window {
            from: bound(10),
            to: bound(20),
        });
        let pods: Vec<_> = inventory
            .pods
            .iter()
            .map(|pod| (&*pod.name, pod.arrival, pod.departure))
            .collect();
        let expected = [
            ("into", None, bound(15)),
            ("within", bound(11), bound(12)),
            ("beyond", bound(19), None),
        ];
        assert_eq!(pods, expected);
    }
}
