//! Traces of `loadgen`.

use std::fmt::Write as _;
use std::io::{self, Write};

use inventory::Pod;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::laid::{Laid, is_exact, lay, shares};
use super::timeline::Timeline;

/// Schema and version of the head (`loadgen/src/workload/trace`).
const SCHEMA: &str = "resource-slot.loadgen.trace";
const SCHEMA_VERSION: u32 = 1;

/// Image of a container that states none.
const IMAGE: &str = "registry.k8s.io/pause:3.10";

/// Microseconds of CPU time in each 100 ms for one millicore.
const QUOTA_US_PER_MILLICORE: u64 = 100;

/// Pods of one node.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    /// Description of the source, for people.
    pub source: &'a str,
    /// Pods, in the order of their arrival.
    pub pods: &'a [&'a Pod],
    /// Span of time of all nodes.
    pub timeline: Timeline,
}

/// Contents of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TraceSummary {
    /// Number of pods.
    pub pods: u64,
    /// Sum of the CPU requests of the pods, in millicores.
    pub cpu_millicores: i64,
    /// Sum of the memory requests of the pods, in bytes.
    pub memory_bytes: i64,
    /// Number of pods whose CPU request no runtime can be told exactly: 1 or 2 millicores, or more
    /// than 256 cores for one container.
    pub inexact: u64,
}

#[derive(Serialize)]
struct Head<'a> {
    schema: &'a str,
    schema_version: u32,
    source: &'a str,
    pods: u64,
    pods_sha256: String,
}

#[derive(Serialize)]
struct Line<'a> {
    at_ns: u64,
    pod: PodLine<'a>,
}

#[derive(Serialize)]
struct PodLine<'a> {
    index: u64,
    sandbox_id: String,
    name: &'a str,
    uid: String,
    namespace: &'a str,
    app: &'a str,
    containers: Vec<ContainerLine>,
    life: Life,
}

#[derive(Serialize)]
struct Life {
    #[serde(rename = "for")]
    stay_ms: u64,
}

#[derive(Serialize)]
struct ContainerLine {
    id: String,
    name: String,
    image: String,
    resources: Resources,
    end: End,
}

#[derive(Serialize)]
struct Resources {
    shares: u64,
    quota_us: Option<u64>,
    memory_limit: Option<u64>,
    memory_reservation: Option<u64>,
    pids: Option<u64>,
}

#[derive(Serialize)]
struct End {
    signal: &'static str,
}

impl Trace<'_> {
    /// Writes the trace and returns what it holds. The pods are encoded twice, once for the hash in
    /// the head, so that a trace of any length needs no memory.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<TraceSummary> {
        let mut hash = Hashing(Sha256::new());
        self.write_pods(&mut hash)?;
        let head = Head {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            source: self.source,
            pods: self.pods.len() as u64,
            pods_sha256: hexadecimal(&hash.0.finalize()),
        };
        serde_json::to_writer(&mut *out, &head)?;
        writeln!(out)?;
        let summary = self.write_pods(out)?;
        out.flush()?;
        Ok(summary)
    }

    fn write_pods(&self, out: &mut dyn Write) -> io::Result<TraceSummary> {
        let mut summary = TraceSummary::default();
        for (index, pod) in (0..).zip(self.pods) {
            let laid = lay(pod);
            let requests = &pod.template.effective.requests;
            summary.pods += 1;
            summary.cpu_millicores = summary.cpu_millicores.saturating_add(requests.cpu());
            summary.memory_bytes = summary.memory_bytes.saturating_add(requests.memory());
            summary.inexact += u64::from(!is_exact(pod, &laid));
            let line = Line {
                at_ns: self.timeline.arrival_ns(pod),
                pod: line(index, pod, laid, self.timeline.stay_ms(pod)),
            };
            serde_json::to_writer(&mut *out, &line)?;
            writeln!(out)?;
        }
        Ok(summary)
    }
}

fn line(index: u64, pod: &Pod, laid: Vec<Laid>, stay_ms: u64) -> PodLine<'_> {
    let arrival = pod.arrival.map(|arrival| arrival.0.to_string());
    let sandbox_id = id(&[
        &pod.namespace,
        &pod.name,
        pod.uid.as_deref().unwrap_or_default(),
        arrival.as_deref().unwrap_or_default(),
    ]);
    let uid = match &pod.uid {
        Some(uid) => uid.to_string(),
        None => uuid(&sandbox_id),
    };
    let owner = pod.owner.as_ref().map(|owner| &*owner.name);
    let label = pod.template.labels.get("app").map(|app| &**app);
    let container = |(place, laid): (usize, Laid)| {
        let whole = |amount: Option<i64>| amount.and_then(|amount| u64::try_from(amount).ok());
        ContainerLine {
            id: id(&[&sandbox_id, &place.to_string()]),
            name: laid.name,
            image: if laid.image.is_empty() {
                IMAGE.to_owned()
            } else {
                laid.image
            },
            resources: Resources {
                shares: shares(laid.cpu_request),
                quota_us: whole(laid.cpu_limit)
                    .map(|limit| limit.saturating_mul(QUOTA_US_PER_MILLICORE)),
                memory_limit: whole(laid.memory_limit),
                memory_reservation: whole(laid.memory_request),
                pids: None,
            },
            end: End { signal: "term" },
        }
    };
    let containers = laid.into_iter().enumerate().map(container).collect();
    PodLine {
        index,
        sandbox_id,
        name: &pod.name,
        uid,
        namespace: &pod.namespace,
        app: label.or(owner).unwrap_or("planned"),
        containers,
        life: Life { stay_ms },
    }
}

/// Returns an id of 64 hexadecimal digits that follows from these texts.
fn id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hexadecimal(&hash.finalize())
}

/// Returns a UUID of version 8 (RFC 9562) out of hexadecimal digits.
fn uuid(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let (first, last) = (part(0, 8), part(20, 32));
    format!(
        "{first}-{}-8{}-8{}-{last}",
        part(8, 12),
        part(13, 16),
        part(17, 20)
    )
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Writer that only hashes.
struct Hashing(Sha256);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
