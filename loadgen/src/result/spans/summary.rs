//! Summarizes the trees of the calls of a load.

use std::collections::BTreeMap;

use otlp::Span;

use super::{
    CallSpans, ComponentTime, NameTime, SpansResult, Waterfall, WaterfallOf, WaterfallSpan,
};
use crate::record::operation::Operation;
use crate::spans::Recorder;
use crate::spans::component::Component;
use crate::spans::tree::{self, Tree};
use crate::stats::bootstrap::Bootstrap;
use crate::stats::mean;

/// Confidence of the intervals.
const CONFIDENCE: f64 = 0.95;

/// Builds the trees of all recorded calls, and summarizes them by call and component.
pub fn summarize(recorder: &Recorder, spans: &[Span], seed: u64) -> SpansResult {
    let calls = recorder.take();
    let trees = tree::trees(recorder, &calls, spans);
    let mut of_pods: BTreeMap<u64, Vec<&Tree>> = BTreeMap::new();
    for tree in &trees.trees {
        of_pods.entry(tree.pod).or_default().push(tree);
    }
    let pods: Vec<&[&Tree]> = of_pods.values().map(Vec::as_slice).collect();
    let operations = Operation::ALL.into_iter();
    SpansResult {
        pods: pods.len() as u64,
        spans: spans.len() as u64,
        calls_without_spans: trees.without_server as u64,
        spans_beyond_calls: trees.outliving as u64,
        components: components(&pods, None, seed),
        calls: operations
            .filter_map(|operation| call(&pods, operation, seed))
            .collect(),
        waterfalls: waterfalls(&pods),
    }
}

/// Returns the self times of the components of a pod's calls, of one operation or of all: the
/// greatest first.
fn components(pods: &[&[&Tree]], operation: Option<Operation>, seed: u64) -> Vec<ComponentTime> {
    let mut times: BTreeMap<Component, Vec<f64>> = BTreeMap::new();
    for (place, trees) in pods.iter().enumerate() {
        for node in nodes(trees, operation) {
            let of_pods = times
                .entry(node.component)
                .or_insert_with(|| vec![0.0; pods.len()]);
            of_pods[place] += node.self_ns as f64 / 1e6;
        }
    }
    let whole: f64 = times.values().map(|of_pods| mean(of_pods)).sum();
    let bootstrap = Bootstrap::in_blocks(seed, pods.len());
    let time = |(component, of_pods): (Component, Vec<f64>)| {
        let self_ms = mean(&of_pods);
        let drawn = bootstrap.values(&of_pods, mean);
        let interval = bootstrap.interval(self_ms, &drawn, of_pods.len(), CONFIDENCE);
        let finite = |bound: f64| bound.is_finite().then_some(bound.max(0.0));
        ComponentTime {
            component,
            self_ms_per_pod: self_ms,
            low: finite(interval.low),
            high: finite(interval.high),
            share: self_ms / whole,
        }
    };
    let mut times: Vec<ComponentTime> = times.into_iter().map(time).collect();
    times.sort_by(|a, b| b.self_ms_per_pod.total_cmp(&a.self_ms_per_pod));
    times
}

fn nodes<'a>(
    trees: &'a [&'a Tree],
    operation: Option<Operation>,
) -> impl Iterator<Item = &'a tree::Node> {
    let wanted = move |tree: &&&Tree| operation.is_none_or(|wanted| tree.operation == wanted);
    trees.iter().filter(wanted).flat_map(|tree| &tree.nodes)
}

/// Returns the figures of one operation; `None` if no pod has such a call.
fn call(pods: &[&[&Tree]], operation: Operation, seed: u64) -> Option<CallSpans> {
    let all = pods.iter().flat_map(|trees| trees.iter());
    let latencies = all.filter(|tree| tree.operation == operation);
    let latencies: Vec<f64> = latencies.map(|tree| tree.took_ns as f64 / 1e6).collect();
    if latencies.is_empty() {
        return None;
    }
    let count = latencies.len() as f64;
    let mut names: BTreeMap<(Component, &str), (u64, u64)> = BTreeMap::new();
    for node in pods.iter().flat_map(|trees| nodes(trees, Some(operation))) {
        let (count, self_ns) = names.entry((node.component, &node.name)).or_default();
        *count += 1;
        *self_ns += node.self_ns;
    }
    let name = |((component, name), (spans, self_ns)): ((Component, &str), (u64, u64))| NameTime {
        name: name.to_owned(),
        component,
        count_per_call: spans as f64 / count,
        self_ms_per_call: self_ns as f64 / 1e6 / count,
    };
    let mut names: Vec<NameTime> = names.into_iter().map(name).collect();
    names.sort_by(|a, b| b.self_ms_per_call.total_cmp(&a.self_ms_per_call));
    Some(CallSpans {
        operation,
        count: latencies.len() as u64,
        mean_ms: mean(&latencies),
        components: components(pods, Some(operation), seed),
        names,
    })
}

/// Returns the pods with the median and the longest time in their calls.
fn waterfalls(pods: &[&[&Tree]]) -> Vec<Waterfall> {
    let mut by_time: Vec<(u64, &[&Tree])> = pods
        .iter()
        .map(|trees| (trees.iter().map(|tree| tree.took_ns).sum(), *trees))
        .collect();
    by_time.sort_by_key(|(time, _)| *time);
    let places = match by_time.len() {
        0 => Vec::new(),
        count => vec![
            (WaterfallOf::Median, (count - 1) / 2),
            (WaterfallOf::Slowest, count - 1),
        ],
    };
    let each = places.into_iter();
    each.map(|(of, place)| waterfall(of, by_time[place].1))
        .collect()
}

fn waterfall(of: WaterfallOf, trees: &[&Tree]) -> Waterfall {
    let begin = trees.iter().map(|tree| tree.from_ns).min().unwrap_or(0);
    let mut trees: Vec<&&Tree> = trees.iter().collect();
    trees.sort_by_key(|tree| tree.from_ns);
    let spans = trees.iter().flat_map(|tree| {
        tree.nodes.iter().map(|node| WaterfallSpan {
            name: node.name.clone(),
            component: node.component,
            from_ns: tree.from_ns - begin + node.from_ns,
            took_ns: node.took_ns,
            self_ns: node.self_ns,
            depth: node.depth as u64,
        })
    });
    Waterfall {
        of,
        pod: trees.first().map_or(0, |tree| tree.pod),
        calls_ns: trees.iter().map(|tree| tree.took_ns).sum(),
        spans: spans.collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use otlp::Kind;

    use super::*;

    /// Records calls of pods, each with the span of the server over half of its latency.
    fn recorded(latencies_ms: &[u64]) -> (Recorder, Vec<Span>) {
        let recorder = Recorder::new(7);
        let mut spans = Vec::new();
        for (pod, ms) in latencies_ms.iter().enumerate() {
            let pod = recorder.pod(pod as u64);
            let begun = pod.begin();
            let took = Duration::from_millis(*ms);
            pod.end(begun, Operation::RunPodSandbox, took);
            spans.push((begun.context, took));
        }
        let calls = recorder.take();
        let spans = calls
            .calls
            .iter()
            .zip(spans)
            .map(|(call, (context, took))| Span {
                trace: context.trace,
                id: 1000,
                parent: Some(context.span),
                name: "runtime.v1.RuntimeService/RunPodSandbox".to_owned(),
                service: "containerd".into(),
                kind: Kind::Server,
                from_ns: call.from_ns,
                until_ns: call.from_ns + u64::try_from(took.as_nanos()).unwrap() / 2,
                attributes: Vec::new(),
                failed: false,
            });
        let spans = spans.collect();
        for call in &calls.calls {
            let pod = recorder.pod(call.pod);
            let mut begun = pod.begin();
            begun.at(call.from_ns);
            pod.end(
                begun,
                call.operation,
                Duration::from_nanos(call.until_ns - call.from_ns),
            );
        }
        (recorder, spans)
    }

    #[test]
    fn components_add_up_to_the_latency_and_waterfalls_are_of_the_median_and_the_slowest() {
        let (recorder, spans) = recorded(&[10, 20, 30, 40, 90]);
        let result = summarize(&recorder, &spans, 1);
        assert_eq!((result.pods, result.calls_without_spans), (5, 0));
        let [call] = &result.calls[..] else {
            panic!("{:?}", result.calls)
        };
        assert!((call.mean_ms - 38.0).abs() < 1e-9);
        let sum: f64 = call.components.iter().map(|one| one.self_ms_per_pod).sum();
        assert!((sum - 38.0).abs() < 1e-9);
        assert_eq!(result.components.len(), 2);
        assert!((result.components[0].share - 0.5).abs() < 1e-9);
        let found: Vec<_> = result.waterfalls.iter().map(|w| (w.of, w.pod)).collect();
        assert_eq!(found, [(WaterfallOf::Median, 2), (WaterfallOf::Slowest, 4)]);
        assert_eq!(result.waterfalls[1].spans[1].took_ns, 45_000_000);
    }

    #[test]
    fn a_load_without_spans_has_no_figures() {
        let result = summarize(&Recorder::new(1), &[], 1);
        assert_eq!(
            (result.pods, result.calls.len(), result.waterfalls.len()),
            (0, 0, 0)
        );
    }
}
