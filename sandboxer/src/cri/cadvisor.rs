//! The metrics that CRI reports of pods and containers, under cAdvisor's names
//! (`metrics/prometheus.go` of cAdvisor), so that the dashboards and rules written for a kubelet's
//! cAdvisor find them.
//!
//! Metrics of pressure, huge pages and resource limits of processes are left out: none of these
//! exists here. Metrics of block devices are described and never have a value. A metric that is
//! always zero is reported of the pod, and not of each of its containers.

use cri_api::v1::{LinuxContainerResources, Metric, MetricDescriptor, MetricType, UInt64Value};

use crate::simulate::usage::Usage;
use slot::Timestamp;

/// Labels of every metric. `id` is the id of the pod or container. A pod's own metrics have an
/// empty `container` and `image`. `name`, for which cAdvisor repeats the id, is empty, because each
/// metric carries its labels and clients take 16 MiB in one message.
const LABELS: [&str; 6] = ["container", "id", "image", "name", "namespace", "pod"];
/// Period of the kernel's default bandwidth control, in microseconds
/// (`Documentation/scheduler/sched-bwc.rst`).
const CPU_PERIOD: u64 = 100_000;
/// CPU shares of a cgroup that states none (`Documentation/admin-guide/cgroup-v1/cgroups.rst`).
const CPU_SHARES: u64 = 1024;
const NANOS: u64 = 1_000_000_000;

/// Values of the further labels of one metric, one list for each series.
type Series = &'static [&'static [&'static str]];
const NO_LABELS: Series = &[&[]];
/// The device of a file system that has none.
const NO_DEVICE: Series = &[&[""]];
const INTERFACES: Series = &[&["eth0"]];

/// Which objects a metric describes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Container,
    Pod,
    Both,
}

/// A metric: name, help text, type, further labels with their values, and value. Values are whole
/// numbers; `None` leaves the metric out.
struct Row {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    scope: Scope,
    keys: &'static [&'static str],
    values: Series,
    value: fn(&Facts<'_>) -> Option<u64>,
}

/// The facts that the metrics of one pod or container are computed from.
pub(super) struct Facts<'a> {
    /// Present use.
    pub(super) usage: Usage,
    /// Linux resources of a container; those of a pod are not read.
    pub(super) linux: &'a LinuxContainerResources,
    /// Memory request in bytes.
    pub(super) memory_request: Option<u64>,
    /// Limit of files in bytes.
    pub(super) storage_limit: Option<u64>,
    /// Limit of processes.
    pub(super) pid_limit: Option<u64>,
    /// Start of the pod or container.
    pub(super) started_at: Timestamp,
    /// Whether the pod has the host's network and so no interface of its own.
    pub(super) is_on_host_network: bool,
    /// Time of the reply.
    pub(super) now: Timestamp,
}

impl Facts<'_> {
    fn cpu_seconds(&self) -> u64 {
        self.usage.cpu_usec / 1_000_000
    }

    fn network(&self) -> Option<u64> {
        (!self.is_on_host_network).then_some(0)
    }
}

/// Values of the labels of one pod or container, in the order of [`LABELS`].
pub(super) struct Labels<'a> {
    /// Name of the container; empty for a pod.
    pub(super) container: &'a str,
    /// Id of the pod or container.
    pub(super) id: &'a str,
    /// Image of the container; empty for a pod.
    pub(super) image: &'a str,
    /// Namespace of the pod.
    pub(super) namespace: &'a str,
    /// Name of the pod.
    pub(super) pod: &'a str,
}

/// Returns the descriptors of all metrics.
pub(super) fn descriptors() -> Vec<MetricDescriptor> {
    let owned = |keys: &[&str]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let descriptor = |row: &Row| MetricDescriptor {
        name: row.name.to_owned(),
        help: row.help.to_owned(),
        label_keys: [owned(&LABELS), owned(row.keys)].concat(),
    };
    ROWS.iter().map(descriptor).collect()
}

/// Returns the metrics of a container.
pub(super) fn of_container(facts: &Facts<'_>, labels: &Labels<'_>) -> Vec<Metric> {
    metrics(Scope::Container, facts, labels)
}

/// Returns the metrics of a pod.
pub(super) fn of_pod(facts: &Facts<'_>, labels: &Labels<'_>) -> Vec<Metric> {
    metrics(Scope::Pod, facts, labels)
}

fn metrics(scope: Scope, facts: &Facts<'_>, labels: &Labels<'_>) -> Vec<Metric> {
    let Labels {
        container,
        id,
        image,
        namespace,
        pod,
    } = *labels;
    let common = [container, id, image, "", namespace, pod];
    let wanted = ROWS
        .iter()
        .filter(|row| row.scope == scope || row.scope == Scope::Both);
    let valued = wanted.filter_map(|row| Some((row, (row.value)(facts)?)));
    let series = valued.flat_map(|(row, value)| {
        row.values.iter().map(move |further| Metric {
            name: row.name.to_owned(),
            // Zero says that the value was read for this reply.
            timestamp: 0,
            metric_type: row.kind.into(),
            label_values: common
                .iter()
                .chain(*further)
                .map(ToString::to_string)
                .collect(),
            value: Some(UInt64Value { value }),
        })
    });
    series.collect()
}

/// Returns a number of CRI's resources if it states one.
fn positive(stated: i64) -> Option<u64> {
    u64::try_from(stated).ok().filter(|&value| value > 0)
}

const ROWS: [Row; 47] = [
    Row {
        name: "container_blkio_device_usage_total",
        help: "Bytes moved by block devices; no device is used.",
        kind: MetricType::Counter,
        scope: Scope::Container,
        keys: &["device", "major", "minor", "operation"],
        values: &[],
        value: |_| None,
    },
    Row {
        name: "container_cpu_cfs_periods_total",
        help: "Elapsed enforcement periods; no quota is enforced.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_cpu_cfs_throttled_periods_total",
        help: "Throttled enforcement periods.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_cpu_cfs_throttled_seconds_total",
        help: "Throttled time, in seconds.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_cpu_system_seconds_total",
        help: "CPU time in the kernel, in whole seconds.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_cpu_usage_seconds_total",
        help: "CPU time consumed, in whole seconds.",
        kind: MetricType::Counter,
        scope: Scope::Both,
        keys: &["cpu"],
        values: &[&["total"]],
        value: |facts| Some(facts.cpu_seconds()),
    },
    Row {
        name: "container_cpu_user_seconds_total",
        help: "CPU time in programs, in whole seconds.",
        kind: MetricType::Counter,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.cpu_seconds()),
    },
    Row {
        name: "container_file_descriptors",
        help: "Open file descriptors.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_fs_inodes_free",
        help: "Free inodes; files are not limited.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &["device"],
        values: NO_DEVICE,
        value: |_| Some(0),
    },
    Row {
        name: "container_fs_inodes_total",
        help: "Inodes of the file system; files are not limited.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &["device"],
        values: NO_DEVICE,
        value: |_| Some(0),
    },
    Row {
        name: "container_fs_limit_bytes",
        help: "Limit of files, in bytes; 0 without one.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &["device"],
        values: NO_DEVICE,
        value: |facts| Some(facts.storage_limit.unwrap_or(0)),
    },
    Row {
        name: "container_fs_reads_bytes_total",
        help: "Bytes read from devices; no device is used.",
        kind: MetricType::Counter,
        scope: Scope::Container,
        keys: &["device"],
        values: &[],
        value: |_| None,
    },
    Row {
        name: "container_fs_reads_total",
        help: "Reads from devices; no device is used.",
        kind: MetricType::Counter,
        scope: Scope::Container,
        keys: &["device"],
        values: &[],
        value: |_| None,
    },
    Row {
        name: "container_fs_usage_bytes",
        help: "Files of the container, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &["device"],
        values: NO_DEVICE,
        value: |_| Some(0),
    },
    Row {
        name: "container_fs_writes_bytes_total",
        help: "Bytes written to devices; no device is used.",
        kind: MetricType::Counter,
        scope: Scope::Container,
        keys: &["device"],
        values: &[],
        value: |_| None,
    },
    Row {
        name: "container_fs_writes_total",
        help: "Writes to devices; no device is used.",
        kind: MetricType::Counter,
        scope: Scope::Container,
        keys: &["device"],
        values: &[],
        value: |_| None,
    },
    Row {
        name: "container_last_seen",
        help: "Time of this reply, in seconds since 1970.",
        kind: MetricType::Gauge,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.now.nanos() / NANOS),
    },
    Row {
        name: "container_memory_cache",
        help: "Page cache, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_memory_failcnt",
        help: "Times that the memory limit was hit.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_memory_failures_total",
        help: "Page faults.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["failure_type", "scope"],
        values: &[&["pgfault", "container"], &["pgmajfault", "container"]],
        value: |_| Some(0),
    },
    Row {
        name: "container_memory_kernel_usage",
        help: "Memory of the kernel, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_memory_mapped_file",
        help: "Mapped files, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_memory_max_usage_bytes",
        help: "Memory in use, in bytes; the maximum is not kept.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.memory),
    },
    Row {
        name: "container_memory_rss",
        help: "Anonymous memory, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.memory),
    },
    Row {
        name: "container_memory_swap",
        help: "Swap in use, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_memory_usage_bytes",
        help: "Memory in use, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.memory),
    },
    Row {
        name: "container_memory_working_set_bytes",
        help: "Working set of memory, in bytes.",
        kind: MetricType::Gauge,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.memory),
    },
    Row {
        name: "container_network_receive_bytes_total",
        help: "Bytes of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_receive_errors_total",
        help: "Errors of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_receive_packets_dropped_total",
        help: "Dropped packets of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_receive_packets_total",
        help: "Packets of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_transmit_bytes_total",
        help: "Bytes of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_transmit_errors_total",
        help: "Errors of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_transmit_packets_dropped_total",
        help: "Dropped packets of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_network_transmit_packets_total",
        help: "Packets of the pod's network interface; nothing is sent.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &["interface"],
        values: INTERFACES,
        value: |facts| facts.network(),
    },
    Row {
        name: "container_oom_events_total",
        help: "Out-of-memory events of the running container.",
        kind: MetricType::Counter,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_processes",
        help: "Processes.",
        kind: MetricType::Gauge,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.pids),
    },
    Row {
        name: "container_sockets",
        help: "Open sockets.",
        kind: MetricType::Gauge,
        scope: Scope::Pod,
        keys: &[],
        values: NO_LABELS,
        value: |_| Some(0),
    },
    Row {
        name: "container_spec_cpu_period",
        help: "CFS period, in microseconds.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(positive(facts.linux.cpu_period).unwrap_or(CPU_PERIOD)),
    },
    Row {
        name: "container_spec_cpu_quota",
        help: "CFS quota, in microseconds; absent without one.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| positive(facts.linux.cpu_quota),
    },
    Row {
        name: "container_spec_cpu_shares",
        help: "CPU shares.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(positive(facts.linux.cpu_shares).unwrap_or(CPU_SHARES)),
    },
    Row {
        name: "container_spec_memory_limit_bytes",
        help: "Memory limit, in bytes; 0 without one.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.memory_limit.unwrap_or(0)),
    },
    Row {
        name: "container_spec_memory_reservation_limit_bytes",
        help: "Memory request, in bytes; 0 if it is not stated.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.memory_request.unwrap_or(0)),
    },
    Row {
        name: "container_spec_memory_swap_limit_bytes",
        help: "Limit of memory and swap, in bytes; 0 without one.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(positive(facts.linux.memory_swap_limit_in_bytes).unwrap_or(0)),
    },
    Row {
        name: "container_start_time_seconds",
        help: "Time of the start, in seconds since 1970.",
        kind: MetricType::Gauge,
        scope: Scope::Both,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.started_at.nanos() / NANOS),
    },
    Row {
        name: "container_threads",
        help: "Threads: one for each process.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.usage.pids),
    },
    Row {
        name: "container_threads_max",
        help: "Limit of processes; 0 without one.",
        kind: MetricType::Gauge,
        scope: Scope::Container,
        keys: &[],
        values: NO_LABELS,
        value: |facts| Some(facts.pid_limit.unwrap_or(0)),
    },
];
