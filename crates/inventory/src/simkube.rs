//! Traces of SimKube: objects of a cluster as they were applied and deleted over time.
//!
//! The format is version 2 of `sk-core/src/trace` of github.com/acrlabs/simkube: a MessagePack map
//! with the keys `version`, `config`, `events`, `index` and `pod_lifecycles`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::BufRead;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::effective::round_up;
use crate::kubernetes::{add_object, workload_of};
use crate::pending::{Count, Names, Workload};
use crate::tree::{LineCounter, MAX_DEPTH, Tree, TreeSeed};
use crate::{InventoryBuilder, Owner, Pod, ReadError, Source, Template, Timestamp};

/// Version of the format that is read.
const VERSION: u16 = 2;

#[derive(Deserialize)]
struct Trace {
    version: u16,
    events: Vec<Event>,
    /// Lives of pods by kind and name of their workload, then by a hash of their spec.
    #[serde(default)]
    pod_lifecycles: BTreeMap<(String, String), BTreeMap<u64, Vec<Lifecycle>>>,
}

#[derive(Deserialize)]
struct Event {
    /// Time in seconds since 1970-01-01T00:00:00Z.
    ts: i64,
    applied_objs: Trees,
    deleted_objs: Trees,
}

/// Life of a pod, in seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Deserialize)]
enum Lifecycle {
    /// Nothing is known.
    Empty,
    /// Start.
    Running(i64),
    /// Start and end.
    Finished(i64, i64),
}

/// Objects of any kind.
struct Trees(Vec<Tree>);

impl<'de> Deserialize<'de> for Trees {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TreesVisitor)
    }
}

struct TreesVisitor;

impl<'de> Visitor<'de> for TreesVisitor {
    type Value = Trees;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Trees, A::Error> {
        let lines = LineCounter::without_lines();
        let mut trees = Vec::new();
        while let Some(tree) = items.next_element_seed(TreeSeed(&lines))? {
            trees.push(tree);
        }
        Ok(Trees(trees))
    }
}

/// Reads a trace of SimKube and adds the pods of its workloads over time.
///
/// A pod of a workload arrives when the number of pods grows, and departs when it shrinks, when
/// the pod template changes or when the workload is deleted. The pods of Jobs and CronJobs have
/// the lives that the trace recorded, if it did.
///
/// # Errors
/// A file that is no trace of version 2, or an object that is wrong.
pub fn read_simkube(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let source = Source {
        file: file.into(),
        line: 0,
    };
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| ReadError::io(file, error))?;
    let wrong = |message: String| ReadError::wrong(source.clone(), "", message);
    let mut decoder = rmp_serde::Deserializer::from_read_ref(&bytes);
    decoder.set_max_depth(MAX_DEPTH);
    let trace = Trace::deserialize(&mut decoder)
        .map_err(|error| wrong(format!("not a trace of SimKube: {error}")))?;
    if trace.version != VERSION {
        let message = format!("trace version {}: only {VERSION} is known", trace.version);
        return Err(wrong(message));
    }
    if !builder.takes_load() {
        return Ok(());
    }
    let mut replay = Replay {
        lifecycles: trace.pod_lifecycles,
        alive: BTreeMap::new(),
    };
    let mut last = i64::MIN;
    for (place, event) in trace.events.into_iter().enumerate() {
        if event.ts < last {
            let message = format!("{} is before the event before it, {last}", event.ts);
            return Err(ReadError::wrong(
                source,
                format!("events[{place}].ts"),
                message,
            ));
        }
        last = event.ts;
        replay.event(builder, &source, place, event)?;
    }
    for (_, life) in replay.alive {
        life.end(builder, 0, None);
    }
    Ok(())
}

/// Workloads by namespace, kind and name.
type Key = (String, &'static str, String);

struct Replay {
    lifecycles: BTreeMap<(String, String), BTreeMap<u64, Vec<Lifecycle>>>,
    alive: BTreeMap<Key, Life>,
}

/// Workload that is there.
struct Life {
    namespace: Arc<str>,
    owner: Option<Arc<Owner>>,
    names: Names,
    template: Arc<Template>,
    node: Option<Arc<str>>,
    /// Arrivals of its pods.
    arrivals: Vec<Timestamp>,
    source: Source,
}

impl Replay {
    fn event(
        &mut self,
        builder: &mut InventoryBuilder,
        source: &Source,
        place: usize,
        event: Event,
    ) -> Result<(), ReadError> {
        let time = Timestamp::from_seconds(event.ts);
        let lists = [
            ("applied_objs", event.applied_objs, true),
            ("deleted_objs", event.deleted_objs, false),
        ];
        for (list, Trees(trees), is_applied) in lists {
            for (item, tree) in trees.into_iter().enumerate() {
                let within = format!("events[{place}].{list}[{item}]");
                let workload =
                    workload_of(builder, source, &tree).map_err(|error| error.within(&within))?;
                match workload {
                    Some(workload) if is_applied => self
                        .apply(builder, workload, time)
                        .map_err(|error| error.within(&within))?,
                    Some(workload) => self.delete(builder, &workload, time),
                    None if is_applied => add_object(builder, &source.file, tree)
                        .map_err(|error| error.within(&within))?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        builder: &mut InventoryBuilder,
        mut workload: Workload,
        time: Timestamp,
    ) -> Result<(), ReadError> {
        let count = match workload.count {
            Count::Fixed(count) | Count::Replicas(count) => count,
            Count::PerNode => {
                builder.assume("a DaemonSet of a SimKube trace is there from the start");
                let is_known = builder.pending.workloads.iter().any(|known| {
                    (known.kind, &known.namespace, &known.name)
                        == (workload.kind, &workload.namespace, &workload.name)
                });
                if !is_known {
                    builder.pending.workloads.push(workload);
                }
                return Ok(());
            }
        };
        if let Some(lives) = self.recorded(&workload) {
            add_recorded(builder, workload, &lives);
            return Ok(());
        }
        builder.check_number(&workload, count as usize)?;
        builder.assume_of_kind(workload.kind);
        let key = key(&workload);
        let names = match self.alive.get(&key) {
            Some(life) => life.names.clone(),
            None => workload.names(&mut builder.pending.taken),
        };
        round_up(&mut workload.spec);
        let node = workload.spec.node_name.clone();
        let template = builder.template_with_raw(workload.labels, workload.spec, workload.raw);
        if let Some(life) = self.alive.get_mut(&key) {
            if !Arc::ptr_eq(&life.template, &template) {
                life.shrink(builder, 0, Some(time));
                life.template = template;
            }
        } else {
            let is_pod = workload.kind == "Pod";
            let life = Life {
                namespace: builder.text(&workload.namespace),
                owner: match &workload.controller {
                    Some(parent) => Some(builder.owner(&parent.kind, &parent.name)),
                    None if is_pod => None,
                    None => Some(builder.owner(workload.kind, &workload.name)),
                },
                names,
                template,
                node: (!node.is_empty()).then(|| builder.text(&node)),
                arrivals: Vec::new(),
                source: workload.source,
            };
            self.alive.insert(key.clone(), life);
        }
        if let Some(life) = self.alive.get_mut(&key) {
            life.shrink(builder, count as usize, Some(time));
            life.arrivals.resize(count as usize, time);
        }
        Ok(())
    }

    fn delete(&mut self, builder: &mut InventoryBuilder, workload: &Workload, time: Timestamp) {
        if let Some(life) = self.alive.remove(&key(workload)) {
            let prefix = format!("{}-", workload.name);
            builder
                .pending
                .taken
                .remove(&(workload.namespace.clone(), prefix));
            life.end(builder, 0, Some(time));
        }
    }

    /// Returns the lives of the pods of a workload that runs to completion, the first time that it
    /// is applied.
    fn recorded(&mut self, workload: &Workload) -> Option<Vec<Lifecycle>> {
        if !matches!(workload.kind, "Job" | "CronJob") {
            return None;
        }
        let kind = format!("batch/v1.{}", workload.kind);
        let name = format!("{}/{}", workload.namespace, workload.name);
        let lives = self.lifecycles.get_mut(&(kind, name))?;
        Some(std::mem::take(lives).into_values().flatten().collect())
    }
}

fn key(workload: &Workload) -> Key {
    (
        workload.namespace.clone(),
        workload.kind,
        workload.name.clone(),
    )
}

impl Life {
    /// Keeps the first pods and lets the others depart.
    fn shrink(
        &mut self,
        builder: &mut InventoryBuilder,
        keep: usize,
        departure: Option<Timestamp>,
    ) {
        for index in keep..self.arrivals.len() {
            builder.add_pod(Pod {
                namespace: Arc::clone(&self.namespace),
                name: self
                    .names
                    .pod(u32::try_from(index).unwrap_or(u32::MAX))
                    .into(),
                uid: None,
                template: Arc::clone(&self.template),
                owner: self.owner.clone(),
                node: self.node.clone(),
                arrival: Some(self.arrivals[index]),
                departure,
                source: self.source.clone(),
            });
        }
        self.arrivals.truncate(keep);
    }

    fn end(mut self, builder: &mut InventoryBuilder, keep: usize, departure: Option<Timestamp>) {
        self.shrink(builder, keep, departure);
    }
}

/// Adds a pod for each life that was recorded.
fn add_recorded(builder: &mut InventoryBuilder, mut workload: Workload, lives: &[Lifecycle]) {
    round_up(&mut workload.spec);
    let names = workload.names(&mut builder.pending.taken);
    let owner = builder.owner(workload.kind, &workload.name);
    let namespace = builder.text(&workload.namespace);
    let template = builder.template_with_raw(workload.labels, workload.spec, workload.raw);
    for (index, life) in (0..).zip(lives) {
        let (start, end) = match *life {
            Lifecycle::Empty => continue,
            Lifecycle::Running(start) => (start, None),
            Lifecycle::Finished(start, end) => (start, Some(end.max(start))),
        };
        builder.add_pod(Pod {
            namespace: Arc::clone(&namespace),
            name: names.pod(index).into(),
            uid: None,
            template: Arc::clone(&template),
            owner: Some(Arc::clone(&owner)),
            node: None,
            arrival: Some(Timestamp::from_seconds(start)),
            departure: end.map(Timestamp::from_seconds),
            source: workload.source.clone(),
        });
    }
}
