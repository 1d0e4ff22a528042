//! Journals of many pods, in the form that a sandboxer behind containerd writes.

use std::fmt::Write;
use std::ops::Range;

/// Workloads to which the pods belong.
pub const WORKLOADS: u64 = 200;

/// Records of each pod.
pub const RECORDS: u64 = 8;

/// Writer of a journal with [`RECORDS`] records of each pod, from its creation to its removal. The
/// pods come one after the other, a thousand a second.
///
/// The records are written by this crate's own code, so that a reader is tested against the form
/// and not against a writer that shares its faults.
#[derive(Debug, Default)]
pub struct JournalWriter {
    /// Number of the last record.
    seq: u64,
}

impl JournalWriter {
    /// Adds the records of pods to a segment.
    pub fn write(&mut self, segment: &mut String, pods: Range<u64>) {
        for pod in pods {
            self.pod(segment, pod);
        }
    }

    /// Returns the number of the next record, which names the next segment.
    pub fn next_record(&self) -> u64 {
        self.seq + 1
    }

    fn pod(&mut self, segment: &mut String, pod: u64) {
        let (workload, id) = (pod % WORKLOADS, format!("{:064x}", pod + (1 << 60)));
        let create = format!(
            r#"{{"create":{{"pid":{pid},"info":{{"cpu_limit":null,"cpu_request":0.25,"memory_limit":null,"memory_request":null,"pid_limit":null,"storage_limit":null,"network_bandwidth":null}},"pod":{{"name":"web-{workload}-6d4cf56db6-{pod:05x}","namespace":"team-{team}","uid":"d35fa509-9687-4be2-9138-{pod:012x}","attempt":0}},"hints":{{"hostname":"web-{workload}-6d4cf56db6-{pod:05x}","resolv_conf":"search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"}},"meta":{{"labels":{{"app":"web-{workload}","app.kubernetes.io/part-of":"shop","pod-template-hash":"6d4cf56db6"}},"annotations":{{"kubernetes.io/config.source":"api"}}}}}}}}"#,
            pid = 4_194_305 + pod,
            team = workload % 10,
        );
        let container = format!(
            r#"{{"create_container":{{"id":"{id}","name":"app","bundle":"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}","info":{{"cpu_limit":0.5,"cpu_request":0.25,"memory_limit":{memory},"memory_request":null,"pid_limit":null,"storage_limit":null,"network_bandwidth":null}},"oom_score_adj":938,"annotations":{{"io.kubernetes.cri.image-name":"registry.example/shop/web:{workload}"}},"process":{{"pid":{pid},"stdio":{{"stdout":"/run/containerd/{id}-stdout","stderr":"/run/containerd/{id}-stderr"}},"command":["sleep","infinity"]}}}}}}"#,
            memory = (workload + 1) << 26,
            pid = 8_194_305 + pod,
        );
        let records = [
            (0, create),
            (1, "\"start\"".to_owned()),
            (2, container),
            (3, format!(r#"{{"start_process":{{"container":"{id}"}}}}"#)),
            (4, format!(r#"{{"exit":[{{"container":"{id}"}},143]}}"#)),
            (4, format!(r#"{{"delete_process":{{"container":"{id}"}}}}"#)),
            (5, r#"{"stop":0}"#.to_owned()),
            (6, "\"delete\"".to_owned()),
        ];
        for (step, change) in records {
            self.record(segment, pod, step, &change);
        }
    }

    /// Adds a record with its checksum. Writing to a string cannot fail.
    fn record(&mut self, segment: &mut String, pod: u64, step: u64, change: &str) {
        self.seq += 1;
        let (begin, second) = (segment.len(), pod / 1000 + step);
        let _ = write!(
            segment,
            "{{\"seq\":{},\"at\":\"2026-01-01T{:02}:{:02}:{:02}.{:09}Z\",\"ns\":\"k8s.io\",\
             \"sandbox\":\"{pod:064x}\",\"do\":{change}",
            self.seq,
            second / 3600,
            second / 60 % 60,
            second % 60,
            pod % 1_000_000_000
        );
        let crc = crc32fast::hash(&segment.as_bytes()[begin..]);
        let _ = writeln!(segment, ",\"crc\":\"{crc:08x}\"}}");
    }
}
