//! Traces: recorded pods with their arrivals and lifetimes.
//!
//! A trace is a JSON Lines file: a head, then one pod per line, in order of arrival.
//! The source is a run or the journal of a sandboxer, and a trace can be replayed.
//! The requests of the pods follow from the trace byte for byte; the hash in its head
//! verifies them. A trace that another program wrote, such as `slotplan`, has the hash of its
//! lines instead.

mod journal;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::journal::{Told, of_journal};

use crate::bounded::{self, MAX_LINE};
use crate::workload::plan::{self, Plan, Pod};

/// Schema name in the head of the file.
pub const SCHEMA: &str = "resource-slot.loadgen.trace";

/// Version of the file format.
pub const SCHEMA_VERSION: u32 = 1;

/// Pods with their arrivals.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Description of the source, for people.
    pub source: String,
    /// Pods in order, each with its arrival since the arrival of the first.
    pub pods: Vec<Arrived>,
}

/// Pod with its arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arrived {
    /// Nanoseconds since the arrival of the first pod.
    pub at_ns: u64,
    /// The pod.
    pub pod: Pod,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: String,
    schema_version: u32,
    source: String,
    pods: u64,
    /// Hash of the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plan_hash: Option<String>,
    /// SHA-256 of the lines below the head, for writers that do not know the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pods_sha256: Option<String>,
}

/// Failure to read, write or build a trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// A file cannot be read or written.
    #[error("{} {}", .verb, path.display())]
    File {
        /// The failed action: `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// The file violates the format of a trace or of a journal.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// Description of the violation and of the expected form.
        what: String,
    },
    /// A journal contains no pod from its creation on.
    #[error("the journal in {} tells of no pod from its creation on", dir.display())]
    Empty {
        /// Directory of the journal.
        dir: PathBuf,
    },
    /// A request cannot be encoded.
    #[error("encode the plan")]
    Encode(#[source] serde_json::Error),
}

impl Trace {
    /// Records a plan with the arrivals of its pods by index, counted from any common
    /// moment.
    pub fn of_plan(plan: &Plan, arrivals: &[Duration], source: String) -> Self {
        let first = arrivals.first().copied().unwrap_or_default();
        let mut last = 0;
        let pods = (0..)
            .zip(arrivals)
            .map(|(index, at)| {
                let since = at.saturating_sub(first).as_nanos();
                // Two workers may begin two pods out of order.
                last = u64::try_from(since).unwrap_or(u64::MAX).max(last);
                Arrived {
                    at_ns: last,
                    pod: plan.pod(index),
                }
            })
            .collect();
        Self { source, pods }
    }

    /// Returns a plan with the recorded pods.
    pub fn plan(&self) -> Plan {
        let pods = self.pods.iter().map(|arrived| arrived.pod.clone());
        Plan::recorded(pods.collect::<Vec<_>>())
    }

    /// Returns the arrivals, divided by `speed`.
    pub fn arrivals(&self, speed: f64) -> Vec<Duration> {
        let at = |arrived: &Arrived| Duration::from_nanos(arrived.at_ns).div_f64(speed);
        self.pods.iter().map(at).collect()
    }

    /// Writes the trace to a file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TraceError> {
        let hash = plan::hash(&self.plan(), self.pods.len() as u64).map_err(TraceError::Encode)?;
        let head = Head {
            schema: SCHEMA.to_owned(),
            schema_version: SCHEMA_VERSION,
            source: self.source.clone(),
            pods: self.pods.len() as u64,
            plan_hash: Some(hash.to_string()),
            pods_sha256: None,
        };
        let write = || {
            let mut out = BufWriter::new(File::create(path)?);
            serde_json::to_writer(&mut out, &head)?;
            writeln!(out)?;
            for arrived in &self.pods {
                serde_json::to_writer(&mut out, arrived)?;
                writeln!(out)?;
            }
            out.flush()
        };
        write().map_err(|source| TraceError::File {
            verb: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a trace from a file.
    ///
    /// # Errors
    /// If the file cannot be read, is not a trace, or was truncated or changed.
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        let failed = |source| TraceError::File {
            verb: "read",
            path: path.to_owned(),
            source,
        };
        let wrong = |line: usize, what: String| TraceError::Wrong {
            path: path.to_owned(),
            line,
            what,
        };
        let mut input = BufReader::new(bounded::open(path).map_err(failed)?);
        let mut next = || bounded::line(&mut input, MAX_LINE);
        let first = next().map_err(failed)?.unwrap_or_default();
        let head: Head = serde_json::from_str(&first)
            .map_err(|e| wrong(1, format!("not the head of a trace: {e}")))?;
        if head.schema != SCHEMA || head.schema_version != SCHEMA_VERSION {
            let what = format!(
                "schema is {:?} version {}, not {SCHEMA:?} version {SCHEMA_VERSION}",
                head.schema, head.schema_version
            );
            return Err(wrong(1, what));
        }
        let mut pods: Vec<Arrived> = Vec::new();
        let mut lines = Sha256::new();
        for number in 2.. {
            let Some(line) = next().map_err(failed)? else {
                break;
            };
            if head.pods_sha256.is_some() {
                lines.update(&line);
                lines.update("\n");
            }
            let arrived: Arrived = serde_json::from_str(&line)
                .map_err(|e| wrong(number, format!("not a pod of a trace: {e}")))?;
            check(&arrived.pod).map_err(|what| wrong(number, what))?;
            if pods.last().is_some_and(|last| last.at_ns > arrived.at_ns) {
                return Err(wrong(
                    number,
                    "at_ns is before that of the line above".to_owned(),
                ));
            }
            pods.push(arrived);
        }
        if pods.is_empty() || pods.len() as u64 != head.pods {
            let what = format!("pods is {}, and {} follow", head.pods, pods.len());
            return Err(wrong(1, what));
        }
        if let Some(stated) = &head.pods_sha256 {
            let hash = hexadecimal(&lines.finalize());
            if hash != *stated {
                let what = format!("pods_sha256 is {stated}, and that of the lines {hash}");
                return Err(wrong(1, what));
            }
        }
        if head.plan_hash.is_none() && head.pods_sha256.is_none() {
            return Err(wrong(1, "neither plan_hash nor pods_sha256".to_owned()));
        }
        let trace = Self {
            source: head.source,
            pods,
        };
        if let Some(stated) = &head.plan_hash {
            let hash = plan::hash(&trace.plan(), head.pods).map_err(TraceError::Encode)?;
            if hash.to_string() != *stated {
                let what = format!("plan_hash is {stated}, and that of the pods {hash}");
                return Err(wrong(1, what));
            }
        }
        Ok(trace)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Checks the ids of a pod, because ids become paths.
fn check(pod: &Pod) -> Result<(), String> {
    let containers = pod
        .containers
        .iter()
        .map(|container| ("container", &container.id));
    for (kind, id) in [("sandbox", &pod.sandbox_id)].into_iter().chain(containers) {
        containerd_sandbox::check_id(kind, id).map_err(|e| e.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workload::scenario::{Distribution, Lifecycle, PodShape};

    fn plan() -> Plan {
        let lifecycle = Lifecycle::For(Distribution::Uniform(0, 500));
        Plan::new(
            7,
            PodShape {
                lifecycle,
                ..PodShape::default()
            },
        )
    }

    fn trace() -> Trace {
        let arrivals = [50, 70, 60, 90].map(Duration::from_millis);
        Trace::of_plan(&plan(), &arrivals, "a test".to_owned())
    }

    fn written() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.jsonl");
        trace().write(&path).unwrap();
        (dir, path)
    }

    #[test]
    fn a_trace_reads_back_with_the_same_requests() {
        let (_dir, path) = written();
        let read = Trace::read(&path).unwrap();
        assert_eq!(read, trace());
        assert_eq!(
            plan::hash(&read.plan(), 4).unwrap(),
            plan::hash(&plan(), 4).unwrap()
        );
        let ms: Vec<u128> = read.arrivals(0.5).iter().map(Duration::as_millis).collect();
        assert_eq!(ms, [0, 40, 40, 80]);
    }

    /// Returns the text of a trace with the hash of its lines in place of that of its requests.
    fn by_lines(text: &str) -> String {
        let (head, lines) = text.split_once('\n').unwrap();
        let mut head: serde_json::Value = serde_json::from_str(head).unwrap();
        head.as_object_mut().unwrap().remove("plan_hash");
        head["pods_sha256"] = hexadecimal(&Sha256::digest(lines)).into();
        format!("{head}\n{lines}")
    }

    #[test]
    fn the_hash_of_the_lines_stands_for_that_of_the_requests() {
        let (_dir, path) = written();
        let text = by_lines(&fs::read_to_string(&path).unwrap());
        fs::write(&path, &text).unwrap();
        assert_eq!(Trace::read(&path).unwrap(), trace());
        for (text, expected) in [
            (
                text.replace("\"at_ns\":0", "\"at_ns\":1"),
                "t.jsonl:1: pods_sha256 is",
            ),
            (
                text.replace("pods_sha256\":", "pods_sha256\":null,\"plan_hash\":"),
                "t.jsonl:1: plan_hash is",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let message = Trace::read(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}\nnot {expected}");
        }
        let mut lines = text.lines();
        let mut head: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        head["pods_sha256"] = serde_json::Value::Null;
        let rest = lines.collect::<Vec<_>>().join("\n") + "\n";
        fs::write(&path, format!("{head}\n{rest}")).unwrap();
        let message = Trace::read(&path).unwrap_err().to_string();
        assert!(
            message.ends_with("neither plan_hash nor pods_sha256"),
            "{message}"
        );
    }

    #[test]
    fn a_truncated_or_changed_trace_is_refused() {
        let (_dir, path) = written();
        let text = fs::read_to_string(&path).unwrap();
        let cut = text
            .lines()
            .take(3)
            .fold(String::new(), |all, line| all + line + "\n");
        let first = text.find("\"name\":\"").unwrap() + 8;
        let mut changed = text.clone();
        changed.replace_range(first..=first, "X");
        for (text, expected) in [
            (cut, "t.jsonl:1: pods is 4, and 2 follow"),
            (
                text.trim_end()[..text.len() - 20].to_owned(),
                "t.jsonl:5: not a pod of a trace",
            ),
            (changed, "plan_hash is"),
            (
                text.replace("\"schema_version\":1", "\"schema_version\":2"),
                "version 2, not",
            ),
            (
                text.replace("\"sandbox_id\":\"", "\"sandbox_id\":\"../"),
                "t.jsonl:2:",
            ),
            (String::new(), "t.jsonl:1: not the head"),
        ] {
            fs::write(&path, text).unwrap();
            let message = Trace::read(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}\nnot {expected}");
        }
    }
}
