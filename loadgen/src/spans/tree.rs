//! Builds the tree of the spans of each call.

use std::collections::{HashMap, HashSet};

use otlp::{Kind, Span};

use super::component::Component;
use super::recorder::{Called, Calls, Recorder};
use super::self_time::{self, Interval};
use crate::record::operation::Operation;

/// Attributes with the id of the pod or container that a span is of.
pub(super) const IDS: [&str; 2] = ["sandbox.id", "container.id"];

/// A call with the spans below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Index of the pod in the plan.
    pub pod: u64,
    /// Operation of the call.
    pub operation: Operation,
    /// Beginning of the call, in nanoseconds since 1970.
    pub from_ns: u64,
    /// Latency of the call, in nanoseconds.
    pub took_ns: u64,
    /// The call itself, and then the spans below it: each after its parent, and spans with the same
    /// parent in the order of their beginnings.
    pub nodes: Vec<Node>,
}

/// A span in the tree of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Name of the span.
    pub name: String,
    /// Component of the span.
    pub component: Component,
    /// Time from the beginning of the call to that of the span, in nanoseconds.
    pub from_ns: u64,
    /// Duration of the span within the call, in nanoseconds.
    pub took_ns: u64,
    /// Self time of the span, in nanoseconds; see [`self_time::self_times`].
    pub self_ns: u64,
    /// Number of spans above it.
    pub depth: usize,
}

/// Trees of the calls of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trees {
    /// Trees of calls with a span of the server that answered them, in the order of the calls.
    pub trees: Vec<Tree>,
    /// Number of calls without one, which have no tree.
    pub without_server: usize,
    /// Number of spans that outlive their call, such as those that wait for the end of a
    /// container. They are in no tree.
    pub outliving: usize,
}

/// Spans by the pods and ids of their parents, and those without a trace of the load by the pods that
/// their ids name.
struct Index<'a> {
    of_parent: HashMap<(u64, u64), Vec<&'a Span>>,
    of_id: HashMap<u64, Vec<&'a Span>>,
}

impl<'a> Index<'a> {
    fn new(recorder: &Recorder, ids: &HashMap<String, u64>, spans: &'a [Span]) -> Self {
        let mut index = Self {
            of_parent: HashMap::new(),
            of_id: HashMap::new(),
        };
        for span in spans {
            if let Some(pod) = recorder.pod_of(span.trace) {
                if let Some(parent) = span.parent {
                    let children = index.of_parent.entry((pod, parent)).or_default();
                    children.push(span);
                }
                continue;
            }
            let id = IDS.iter().find_map(|key| span.attribute(key));
            if let Some(pod) = id.and_then(|id| ids.get(id)) {
                index.of_id.entry(*pod).or_default().push(span);
            }
        }
        index
    }
}

/// Builds the trees of all calls.
pub fn trees(recorder: &Recorder, calls: &Calls, spans: &[Span]) -> Trees {
    let mut index = Index::new(recorder, &calls.pods, spans);
    let mut trees = Trees::default();
    for call in &calls.calls {
        let mut growing = Growing::new(call);
        growing.add_children(&mut index.of_parent);
        if growing.spans.len() == 1 {
            trees.without_server += 1;
            continue;
        }
        let of_id = index.of_id.get(&call.pod).map_or(&[][..], Vec::as_slice);
        growing.add_within(of_id);
        trees.outliving += growing.outliving;
        trees.trees.push(growing.tree());
    }
    trees
}

/// A span of a tree that grows.
struct Placed<'a> {
    name: &'a str,
    component: Component,
    from_ns: u64,
    until_ns: u64,
    parent: usize,
    depth: usize,
}

/// A tree that grows. The first span is the call.
struct Growing<'a> {
    call: &'a Called,
    spans: Vec<Placed<'a>>,
    outliving: usize,
}

impl<'a> Growing<'a> {
    fn new(call: &'a Called) -> Self {
        Self {
            call,
            spans: vec![Placed {
                name: call.operation.name(),
                component: Component::Grpc,
                from_ns: call.from_ns,
                until_ns: call.until_ns,
                parent: 0,
                depth: 0,
            }],
            outliving: 0,
        }
    }

    fn add(&mut self, span: &'a Span, parent: usize, component: Component) {
        self.spans.push(Placed {
            name: &span.name,
            component,
            from_ns: span.from_ns,
            until_ns: span.until_ns,
            parent,
            depth: self.spans[parent].depth + 1,
        });
    }

    /// Returns whether a span ends within the call. Time that the two clocks may differ by is the
    /// difference of one reading to the next, far below a microsecond.
    fn ends_within(&self, span: &Span) -> bool {
        span.from_ns >= self.call.from_ns && span.until_ns <= self.call.until_ns
    }

    /// Takes the children of the call, and theirs.
    fn add_children(&mut self, of_parent: &mut HashMap<(u64, u64), Vec<&'a Span>>) {
        // Each id is removed when its children are added, so that no cycle is followed.
        let mut next = vec![(self.call.id, 0)];
        while let Some((id, place)) = next.pop() {
            for span in of_parent.remove(&(self.call.pod, id)).unwrap_or_default() {
                if self.ends_within(span) {
                    next.push((span.id, self.spans.len()));
                    // Whatever its name is, the answer to this program is the CRI plugin's.
                    let component = match (place, span.kind) {
                        (0, Kind::Server) => Component::Cri,
                        _ => component_of(span),
                    };
                    self.add(span, place, component);
                } else {
                    self.outliving += 1;
                }
            }
        }
    }

    /// Adds spans without the trace of the call: below the deepest span around each of them. Of
    /// spans with the same beginning the longest comes first, so that it may be around the others.
    fn add_within(&mut self, spans: &[&'a Span]) {
        let mut within: Vec<&&Span> = spans.iter().filter(|span| self.ends_within(span)).collect();
        within.sort_by_key(|span| (span.from_ns, std::cmp::Reverse(span.until_ns)));
        for span in within {
            let around = |place: &usize| {
                let other = &self.spans[*place];
                other.from_ns <= span.from_ns && span.until_ns <= other.until_ns
            };
            let places = (0..self.spans.len()).filter(around);
            let deepest = places.max_by_key(|place| self.spans[*place].depth);
            self.add(span, deepest.unwrap_or(0), component_of(span));
        }
    }

    /// Gives the calls of tasks that no server has a span of to the shim: such a span contains the
    /// work of the shim and of the runtime below it, beside the way to them.
    fn give_to_shim(&mut self) {
        let served: HashSet<usize> = self
            .spans
            .iter()
            .filter(|span| matches!(span.component, Component::Sandboxer | Component::Shim))
            .map(|span| span.parent)
            .collect();
        for (place, span) in self.spans.iter_mut().enumerate() {
            if span.component == Component::Ttrpc && !served.contains(&place) {
                span.component = Component::Shim;
            }
        }
    }

    fn tree(mut self) -> Tree {
        self.give_to_shim();
        let intervals: Vec<Interval> = self
            .spans
            .iter()
            .map(|span| Interval {
                from_ns: span.from_ns,
                until_ns: span.until_ns,
                depth: span.depth,
            })
            .collect();
        let self_times = self_time::self_times(&intervals);
        let node = |place: usize| {
            let span: &Placed<'_> = &self.spans[place];
            Node {
                name: span.name.to_owned(),
                component: span.component,
                from_ns: span.from_ns - self.call.from_ns,
                took_ns: span.until_ns - span.from_ns,
                self_ns: self_times[place],
                depth: span.depth,
            }
        };
        Tree {
            pod: self.call.pod,
            operation: self.call.operation,
            from_ns: self.call.from_ns,
            took_ns: self.call.until_ns - self.call.from_ns,
            nodes: self.order().into_iter().map(node).collect(),
        }
    }

    /// Returns the places of the spans, each after its parent.
    fn order(&self) -> Vec<usize> {
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); self.spans.len()];
        for (place, span) in self.spans.iter().enumerate().skip(1) {
            children[span.parent].push(place);
        }
        let (mut order, mut next) = (Vec::new(), vec![0]);
        while let Some(place) = next.pop() {
            order.push(place);
            children[place].sort_by_key(|child| std::cmp::Reverse(self.spans[*child].from_ns));
            next.append(&mut children[place]);
        }
        order
    }
}

fn component_of(span: &Span) -> Component {
    Component::of(&span.service, &span.name, span.kind)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Begin of the only call, whose latency is 100 ns.
    const AT: u64 = 1000;

    fn span(trace: u128, id: u64, parent: Option<u64>, name: &str, times: [u64; 2]) -> Span {
        Span {
            trace,
            id,
            parent,
            name: name.to_owned(),
            service: "containerd".into(),
            kind: match parent {
                Some(1) => Kind::Server,
                _ => Kind::Internal,
            },
            from_ns: AT + times[0],
            until_ns: AT + times[1],
            attributes: Vec::new(),
            failed: false,
        }
    }

    fn grown(spans: &[Span]) -> Trees {
        let recorder = Recorder::new(7);
        let pod = recorder.pod(0);
        pod.has_id("p");
        pod.end(
            pod.begin(),
            Operation::RunPodSandbox,
            Duration::from_nanos(100),
        );
        let mut calls = recorder.take();
        (calls.calls[0].from_ns, calls.calls[0].until_ns) = (AT, AT + 100);
        trees(&recorder, &calls, spans)
    }

    fn trace() -> u128 {
        Recorder::new(7).pod(0).begin().context.trace
    }

    /// Formats a tree with depths, names, components and self times.
    fn shown(tree: &Tree) -> Vec<String> {
        let line = |node: &Node| {
            format!(
                "{} {} {:?} {}",
                node.depth, node.name, node.component, node.self_ns
            )
        };
        tree.nodes.iter().map(line).collect()
    }

    #[test]
    fn spans_are_joined_by_their_parents_and_foreign_ones_by_id_and_time() {
        let trace = trace();
        let foreign = Span {
            trace: 99,
            service: "resource-slot-sandboxer".into(),
            attributes: vec![("sandbox.id".to_owned(), "p".to_owned())],
            ..span(1, 5, None, "Controller/Start", [60, 70])
        };
        let stranger = Span {
            attributes: vec![("sandbox.id".to_owned(), "q".to_owned())],
            ..foreign.clone()
        };
        let found = grown(&[
            span(trace, 3, Some(2), "metadata.sandbox.Create", [20, 40]),
            span(
                trace,
                2,
                Some(1),
                "runtime.v1.RuntimeService/RunPodSandbox",
                [10, 90],
            ),
            foreign,
            stranger,
        ]);
        assert_eq!(found.trees.len(), 1);
        assert_eq!(
            shown(&found.trees[0]),
            [
                "0 run_pod_sandbox Grpc 20",
                "1 runtime.v1.RuntimeService/RunPodSandbox Cri 50",
                "2 metadata.sandbox.Create Metadata 20",
                "2 Controller/Start Sandboxer 10",
            ]
        );
    }

    #[test]
    fn a_call_without_the_servers_span_has_no_tree() {
        let found = grown(&[span(trace(), 3, Some(2), "metadata.a", [20, 40])]);
        assert_eq!((found.trees.len(), found.without_server), (0, 1));
    }

    #[test]
    fn spans_that_outlive_the_call_are_in_no_tree() {
        let trace = trace();
        let found = grown(&[
            span(trace, 2, Some(1), "a", [10, 90]),
            span(trace, 3, Some(2), "containerd.task.v3.Task/Wait", [20, 400]),
        ]);
        assert_eq!((found.trees[0].nodes.len(), found.outliving), (2, 1));
    }

    #[test]
    fn a_call_of_a_task_without_the_span_of_its_server_is_the_shims() {
        let trace = trace();
        let task = |id, times| Span {
            kind: Kind::Client,
            ..span(trace, id, Some(2), "containerd.task.v3.Task/Create", times)
        };
        let served = Span {
            service: "resource-slot-sandboxer".into(),
            ..span(
                trace,
                5,
                Some(4),
                "containerd.task.v3.Task/Create",
                [60, 70],
            )
        };
        let found = grown(&[
            span(trace, 2, Some(1), "a", [0, 100]),
            task(3, [10, 30]),
            task(4, [50, 80]),
            served,
        ]);
        let components: Vec<_> = found.trees[0].nodes[2..]
            .iter()
            .map(|node| node.component)
            .collect();
        assert_eq!(
            components,
            [Component::Shim, Component::Ttrpc, Component::Sandboxer]
        );
    }

    #[test]
    fn spans_in_a_circle_are_not_followed() {
        let trace = trace();
        let found = grown(&[
            span(trace, 2, Some(1), "a", [10, 90]),
            span(trace, 3, Some(4), "b", [20, 30]),
            span(trace, 4, Some(3), "c", [20, 30]),
            span(trace, 2, Some(2), "d", [20, 30]),
        ]);
        assert_eq!(found.trees[0].nodes.len(), 3);
    }
}
