//! Order in which a node with too little memory evicts its pods.
//!
//! The order is that of `rankMemoryPressure` in `pkg/kubelet/eviction/helpers.go` of Kubernetes
//! 1.36: pods above their request first, then by priority, then by usage above the request.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::{Pod, Timestamp, UsageSeries};

/// Priority from which a kubelet evicts no pod (`SystemCriticalPriority`).
const CRITICAL: i32 = 2_000_000_000;

/// Pod on a node that has too little memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Place of the pod in the input.
    pub pod: usize,
    /// Memory in use in bytes; `None` if it is unknown, which evicts the pod first.
    pub usage: Option<i64>,
    /// Memory request in bytes, with overhead.
    pub request: i64,
    /// Priority.
    pub priority: i32,
}

/// Memory of a node at its peak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressure {
    /// Node; `None` for pods without one.
    pub node: Option<Arc<str>>,
    /// Time at which the pods of the node used most memory.
    pub time: Timestamp,
    /// Memory in use at that time, in bytes.
    pub usage: i64,
    /// Pods in the order in which they would be evicted.
    pub order: Vec<Candidate>,
}

/// Sorts pods by the order in which they would be evicted; equal ones stay in the order of the
/// input.
pub fn rank(candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| {
        let above = candidate
            .usage
            .map(|usage| usage.saturating_sub(candidate.request));
        let exceeds = above.is_none_or(|above| above > 0);
        (
            Reverse(above.is_none()),
            Reverse(exceeds),
            candidate.priority,
            Reverse(above.unwrap_or(0)),
        )
    });
}

/// Returns, for each node with usage, the time of its highest usage of memory and the order in
/// which its pods would be evicted then. Pods of a critical priority are not evicted. A container
/// uses as much as its last sample says until the next one, or until its pod leaves.
pub fn at_peak(pods: &[Pod], usage: &[UsageSeries]) -> Vec<Pressure> {
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (place, pod) in pods.iter().enumerate() {
        places.insert((&pod.namespace, &pod.name), place);
    }
    let mut nodes: BTreeMap<Option<&Arc<str>>, Vec<Change>> = BTreeMap::new();
    for (series, samples) in usage.iter().enumerate() {
        let key = (samples.namespace.as_ref(), samples.pod.as_ref());
        let Some((&place, pod)) = places
            .get(&key)
            .and_then(|place| Some((place, pods.get(*place)?)))
        else {
            continue;
        };
        let changes = nodes.entry(pod.node.as_ref()).or_default();
        let change = |time, bytes| Change {
            time,
            pod: place,
            series,
            bytes,
        };
        let known = samples.samples.iter().filter_map(|sample| {
            let bytes = sample.memory_bytes?;
            Some(change(sample.time, bytes))
        });
        let before = changes.len();
        changes.extend(known.filter(|change| pod.departure.is_none_or(|end| change.time < end)));
        if changes.len() > before
            && let Some(end) = pod.departure
        {
            changes.push(change(end, 0));
        }
    }
    let nodes = nodes.into_iter();
    nodes
        .filter_map(|(node, changes)| pressure(pods, node, changes))
        .collect()
}

/// Change of the memory that a container uses.
#[derive(Debug, Clone, Copy)]
struct Change {
    time: Timestamp,
    pod: usize,
    series: usize,
    bytes: i64,
}

fn pressure(pods: &[Pod], node: Option<&Arc<str>>, mut changes: Vec<Change>) -> Option<Pressure> {
    changes.sort_by_key(|change| (change.time, change.series));
    let mut now: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    let (mut sum, mut peak): (i64, Option<(i64, Timestamp)>) = (0, None);
    let mut rest = changes.iter().peekable();
    while let Some(change) = rest.next() {
        let before = now.insert((change.pod, change.series), change.bytes);
        sum = sum
            .saturating_sub(before.unwrap_or(0))
            .saturating_add(change.bytes);
        let is_last_at_time = rest.peek().is_none_or(|next| next.time > change.time);
        if is_last_at_time && peak.is_none_or(|(most, _)| sum > most) {
            peak = Some((sum, change.time));
        }
    }
    let (usage, time) = peak?;
    let mut by_series: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    for change in changes.iter().take_while(|change| change.time <= time) {
        by_series.insert((change.pod, change.series), change.bytes);
    }
    let mut by_pod: BTreeMap<usize, i64> = BTreeMap::new();
    for ((pod, _), bytes) in by_series {
        let sum = by_pod.entry(pod).or_default();
        *sum = sum.saturating_add(bytes);
    }
    let mut order: Vec<_> = by_pod
        .into_iter()
        .filter_map(|(place, usage)| {
            let pod = pods.get(place)?;
            let effective = &pod.template.effective;
            let lives = pod.departure.is_none_or(|end| end > time);
            let is_evictable = effective.priority < CRITICAL;
            (lives && is_evictable).then(|| Candidate {
                pod: place,
                usage: Some(usage),
                request: effective.requests.memory(),
                priority: effective.priority,
            })
        })
        .collect();
    rank(&mut order);
    Some(Pressure {
        node: node.cloned(),
        time,
        usage,
        order,
    })
}
