//! Conversion of a sandboxer's journal to a trace of the pods of a real node.
//!
//! Only segments are read, not snapshots: a snapshot does not contain the creation
//! times of its sandboxes. A daemon with `--history` keeps all segments. Reading does
//! not disturb a running daemon; an incomplete last line, still being written, is
//! left out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::{Arrived, Trace, TraceError};
use crate::workload::plan::{Container, End, Pod, PodLifecycle, Resources, Signal};
use crate::workload::resources::ResourceInfo;

/// Image of every container in the trace: a journal does not contain images.
const IMAGE: &str = "registry.k8s.io/pause:3.10";

/// Exit code of a container ended by SIGTERM.
const TERMINATED: i64 = 143;

/// Trace from a journal, with the numbers of incomplete pods.
#[derive(Debug)]
pub struct Told {
    /// The pods.
    pub trace: Trace,
    /// Number of sandboxes created before the journal begins; the trace leaves them
    /// out.
    pub without_beginning: usize,
    /// Number of pods still alive at the end of the journal; in the trace they stay
    /// until that end.
    pub without_end: usize,
}

#[derive(Deserialize)]
struct Record<'a> {
    seq: u64,
    at: &'a str,
    ns: &'a str,
    sandbox: &'a str,
    #[serde(rename = "do")]
    change: Value,
}

#[derive(Deserialize)]
struct Create {
    pod: Option<PodMeta>,
}

#[derive(Deserialize)]
struct PodMeta {
    name: String,
    namespace: String,
    uid: String,
}

#[derive(Deserialize)]
struct CreateContainer {
    id: String,
    info: ResourceInfo,
}

/// Pod under construction from the records read so far.
struct PodHistory {
    created: SystemTime,
    pod: Pod,
    /// Start of its last container.
    started: Option<SystemTime>,
    /// First end of one of its containers after that, or stop of the pod.
    ended: Option<SystemTime>,
}

/// Reads the pods of a sandboxer's directory from its journal, all containerd
/// namespaces together.
///
/// # Errors
/// If the journal cannot be read, is malformed, or contains no pod from its creation
/// on.
pub fn of_journal(dir: &Path) -> Result<Told, TraceError> {
    let journal = dir.join("journal");
    let mut pods: Vec<PodHistory> = Vec::new();
    let mut living: HashMap<(String, String), usize> = HashMap::new();
    let mut unknown = std::collections::HashSet::new();
    let mut last = SystemTime::UNIX_EPOCH;
    for path in segments(&journal)? {
        let text = fs::read_to_string(&path).map_err(|source| TraceError::File {
            verb: "read",
            path: path.clone(),
            source,
        })?;
        // Text after the last newline is an incomplete record.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        for (number, line) in (1..).zip(whole.lines()) {
            let wrong = |what: String| TraceError::Wrong {
                path: path.clone(),
                line: number,
                what,
            };
            let record: Record<'_> = serde_json::from_str(line)
                .map_err(|e| wrong(format!("not a record of a journal: {e}")))?;
            let at = humantime::parse_rfc3339(record.at)
                .map_err(|e| wrong(format!("at is {:?}: {e}", record.at)))?;
            last = last.max(at);
            let key = (record.ns.to_owned(), record.sandbox.to_owned());
            if let Some(create) = record.change.get("create") {
                let create = Create::deserialize(create)
                    .map_err(|e| wrong(format!("create of record {}: {e}", record.seq)))?;
                living.insert(key, pods.len());
                pods.push(PodHistory::new(
                    record.sandbox,
                    at,
                    create,
                    pods.len() as u64,
                ));
                continue;
            }
            let Some(place) = living.get(&key).copied() else {
                unknown.insert(key);
                continue;
            };
            if record.change.as_str() == Some("delete") {
                living.remove(&key);
            }
            pods[place]
                .take(&record.change, at)
                .map_err(|e| wrong(format!("record {}: {e}", record.seq)))?;
        }
    }
    let Some(first) = pods.first().map(|pod| pod.created) else {
        return Err(TraceError::Empty { dir: journal });
    };
    let without_end = pods.iter().filter(|pod| pod.ended.is_none()).count();
    let trace = Trace {
        source: format!("the journal in {}", dir.display()),
        pods: pods
            .into_iter()
            .map(|history| history.arrived(first, last))
            .collect(),
    };
    Ok(Told {
        trace,
        without_beginning: unknown.len(),
        without_end,
    })
}

/// Returns the segments of a journal, in order.
fn segments(journal: &Path) -> Result<Vec<std::path::PathBuf>, TraceError> {
    let list = || {
        let mut found = Vec::new();
        for entry in fs::read_dir(journal)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let number = name.strip_suffix(".jsonl");
            // The names have equal length, so their order is the order of their
            // numbers.
            if number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    };
    list().map_err(|source| TraceError::File {
        verb: "read",
        path: journal.to_owned(),
        source,
    })
}

/// Returns whether `process` is the init process of a container, not an exec process.
fn is_init(process: &Value) -> bool {
    process.get("exec").is_none_or(Value::is_null)
}

impl PodHistory {
    fn new(id: &str, created: SystemTime, create: Create, index: u64) -> Self {
        let meta = create.pod.unwrap_or_else(|| PodMeta {
            name: id.to_owned(),
            namespace: "default".to_owned(),
            uid: id.to_owned(),
        });
        Self {
            created,
            pod: Pod {
                index,
                sandbox_id: id.to_owned(),
                name: meta.name,
                uid: meta.uid,
                namespace: Cow::Owned(meta.namespace),
                app: Cow::Borrowed("recorded"),
                containers: Vec::new(),
                lifecycle: PodLifecycle::For(Duration::ZERO),
            },
            started: None,
            ended: None,
        }
    }

    fn take(&mut self, change: &Value, at: SystemTime) -> Result<(), serde_json::Error> {
        if let Some(create) = change.get("create_container") {
            let CreateContainer { id, info } = CreateContainer::deserialize(create)?;
            // A container created again, as after a crash, is one container for a
            // replay.
            if self
                .pod
                .containers
                .iter()
                .all(|container| container.id != id)
            {
                self.pod.containers.push(Container {
                    name: format!("c{}", self.pod.containers.len()),
                    id,
                    image: Cow::Borrowed(IMAGE),
                    resources: Resources::of_info(&info),
                    end: End::Signal(Signal::Kill),
                });
            }
        } else if change.get("start_process").is_some_and(is_init) {
            self.started = Some(at);
            self.ended = None;
        } else if let Some(exit) = change.get("exit").filter(|exit| is_init(&exit[0])) {
            self.ended.get_or_insert(at);
            let id = exit[0]["container"].as_str().unwrap_or_default();
            let container = self.pod.containers.iter_mut().find(|c| c.id == id);
            if let Some(container) = container
                && exit[1].as_i64() == Some(TERMINATED)
            {
                container.end = End::Signal(Signal::Term);
            }
        } else if change.get("stop").is_some() || change.as_str() == Some("delete") {
            self.ended.get_or_insert(at);
        }
        Ok(())
    }

    fn arrived(mut self, first: SystemTime, last: SystemTime) -> Arrived {
        let since =
            |at: SystemTime, begin: SystemTime| at.duration_since(begin).unwrap_or_default();
        let started = self.started.unwrap_or(self.created);
        let stayed = since(self.ended.unwrap_or(last), started);
        // The resolution of a trace.
        let ms = u64::try_from(stayed.as_millis()).unwrap_or(u64::MAX);
        self.pod.lifecycle = PodLifecycle::For(Duration::from_millis(ms));
        Arrived {
            at_ns: u64::try_from(since(self.created, first).as_nanos()).unwrap_or(u64::MAX),
            pod: self.pod,
        }
    }
}
