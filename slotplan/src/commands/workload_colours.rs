//! Colours of workloads on pages, with their key.

use std::collections::BTreeMap;

use maud::{Markup, PreEscaped, html};

/// Largest number of workloads with a colour of their own.
const COLOURS: usize = 6;

/// Style of the segments of bars, by colour, and of the key.
pub const STYLE: &str = "\
.seg { stroke: var(--ground); stroke-width: 2; vector-effect: non-scaling-stroke; }
.c0 { fill: var(--s0); } .c1 { fill: var(--s1); } .c2 { fill: var(--s2); } .c3 { fill: var(--s3); }
.c4 { fill: var(--s4); } .c5 { fill: var(--s5); } .c6 { fill: var(--s6); }
.key .chip { width: .8rem; height: .8rem; flex: none; }
";

/// Colours of the workloads with the largest weights. The others share one.
#[derive(Debug, Default)]
pub struct WorkloadColours {
    workloads: Vec<String>,
    has_others: bool,
}

impl WorkloadColours {
    /// Gives colours to workloads by their weights.
    pub fn new(weights: BTreeMap<String, i64>) -> Self {
        let mut order: Vec<_> = weights.into_iter().collect();
        order.sort_by(|(name, weight), (other, of_other)| (of_other, name).cmp(&(weight, other)));
        let has_others = order.len() > COLOURS;
        let first = order.into_iter().take(COLOURS);
        Self {
            workloads: first.map(|(name, _)| name).collect(),
            has_others,
        }
    }

    /// Returns the number of a workload's colour, for the classes `c0` to `c6`.
    pub fn of(&self, workload: &str) -> usize {
        let place = self.workloads.iter().position(|name| name == workload);
        place.unwrap_or(COLOURS)
    }

    /// Renders the key.
    pub fn key(&self) -> Markup {
        let names = self.workloads.iter().map(String::as_str).enumerate();
        let names = names.chain(self.has_others.then_some((COLOURS, "others")));
        html! {
            ul.key {
                @for (colour, name) in names {
                    li {
                        (PreEscaped(format!(
                            "<svg class=\"chip\" viewBox=\"0 0 10 10\" aria-hidden=\"true\">\
                             <rect class=\"c{colour}\" width=\"10\" height=\"10\"/></svg>"
                        )))
                        (name)
                    }
                }
            }
        }
    }
}
