//! Simulated usage of containers, as containerd's cgroup v2 metrics.

use containerd_sandbox::{Any, Error, Result};
use containerd_shim_protos::cgroups_v2::metrics::{CPUStat, MemoryStat, Metrics, PidsStat};
use protobuf::{Message, MessageField};
use serde::Serialize;

use super::curve;
use kube_resources::oom_memory_request;
use pod_resources::ResourceInfo;
use slot::{Container, Curve, Moment, ProcessState, Slot};

/// Share of its CPU request that a running container uses.
const CPU_SHARE: f64 = 0.1;
/// CPU request that is assumed if none is stated, in cores.
const CPU_UNSTATED: f64 = 0.1;
/// Share of its memory request that a running container uses; low enough that neither an
/// eviction nor an OOM would follow.
const MEMORY_SHARE: f64 = 0.5;
/// Memory request that is assumed if none is known, in bytes.
const MEMORY_UNKNOWN: u64 = 64 << 20;

/// Moment of a reading, and the node that it is read on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    /// Moment of the reading.
    pub(crate) now: Moment,
    /// Memory of the node in bytes; 0 if it is not known.
    pub(crate) node_memory: u64,
}

/// Memory request that the simulated usage of a container is a share of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct MemoryBasis {
    /// Request in bytes.
    pub(crate) request: u64,
    /// Source of the request.
    pub(crate) source: MemorySource,
}

/// Source of a memory request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MemorySource {
    /// The request is stated.
    Stated,
    /// The request is estimated from the OOM score adjustment.
    OomScoreAdj,
    /// No request is known.
    Assumed,
}

/// Returns the memory request of a container, as far as it is known. A limit is no sign of a
/// request: a share of it would show a horizontal autoscaler another utilisation than the
/// behaviour states.
pub(crate) fn memory_basis(container: &Container, node_memory: u64) -> MemoryBasis {
    let info = container.info;
    let estimate = || {
        let adjustment = container.oom_score_adj()?;
        oom_memory_request(adjustment, node_memory).estimate(info.memory_limit)
    };
    let (request, source) = match (info.memory_request, estimate()) {
        (Some(stated), _) => (stated, MemorySource::Stated),
        (None, Some(estimate)) => (estimate, MemorySource::OomScoreAdj),
        (None, None) => (MEMORY_UNKNOWN, MemorySource::Assumed),
    };
    MemoryBasis { request, source }
}

/// Usage at one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time since the start, in microseconds.
    pub(crate) cpu_usec: u64,
    /// Present CPU usage, in nanoseconds of CPU time per second.
    pub(crate) nano_cores: u64,
    /// Memory in use, in bytes.
    pub(crate) memory: u64,
    /// Memory limit in bytes; `None`: no limit.
    pub(crate) memory_limit: Option<u64>,
    /// Number of processes.
    pub(crate) pids: u64,
    pids_limit: Option<u64>,
}

/// Returns the usage of a container.
pub(crate) fn usage(container: &Container, at: Sampling) -> Usage {
    let ResourceInfo {
        cpu_limit,
        cpu_request,
        memory_limit,
        pid_limit,
        ..
    } = container.info;
    let conduct = container.behaviour.as_deref();
    let seed = conduct.map_or(0, |conduct| conduct.seed);
    let cpu = conduct.and_then(|conduct| conduct.cpu);
    let cpu = cpu.unwrap_or(Curve::Constant(CPU_SHARE));
    let requested = cpu_request.or(cpu_limit).unwrap_or(CPU_UNSTATED);
    let ran_s = container.init.ran_ns(at.now) as f64 / 1e9;
    let cores = requested * curve::at(cpu, seed, ran_s);
    let used_s = requested * curve::used(cpu, seed, ran_s);
    let running = matches!(
        container.init.state,
        ProcessState::Running | ProcessState::Paused
    );
    let execs = container
        .execs
        .iter()
        .filter(|(_, process)| process.state == ProcessState::Running)
        .count() as u64;
    let memory = conduct.and_then(|conduct| conduct.memory);
    let memory = memory.unwrap_or(Curve::Constant(MEMORY_SHARE));
    let requested = memory_basis(container, at.node_memory).request;
    // Shares are at most 100 and never negative; the conversion cuts numbers beyond 64
    // bits.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let memory = (requested as f64 * curve::at(memory, seed, ran_s)) as u64;
    let memory = memory.min(memory_limit.unwrap_or(u64::MAX));
    Usage {
        // Shares and run times are far below 2^52, and never negative.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        cpu_usec: (used_s * 1e6) as u64,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        nano_cores: if container.init.state == ProcessState::Running {
            (cores * 1e9) as u64
        } else {
            0
        },
        memory: if running { memory } else { 0 },
        memory_limit,
        pids: if running { 1 + execs } else { 0 },
        pids_limit: pid_limit,
    }
}

fn metrics(usage: Usage) -> Result<Any> {
    // An absent limit must not read as "nothing is allowed": clients subtract from it.
    let unlimited = u64::MAX;
    let metrics = Metrics {
        pids: MessageField::some(PidsStat {
            current: usage.pids,
            limit: usage.pids_limit.unwrap_or(0),
            ..Default::default()
        }),
        cpu: MessageField::some(CPUStat {
            usage_usec: usage.cpu_usec,
            user_usec: usage.cpu_usec,
            ..Default::default()
        }),
        memory: MessageField::some(MemoryStat {
            usage: usage.memory,
            anon: usage.memory,
            usage_limit: usage.memory_limit.unwrap_or(unlimited),
            ..Default::default()
        }),
        ..Default::default()
    };
    let value = metrics
        .write_to_bytes()
        .map_err(|e| Error::internal(format!("encode metrics: {e}")))?;
    Ok(Any {
        type_url: "io.containerd.cgroups.v2.Metrics".to_owned(),
        value,
    })
}

/// Returns a container's usage, encoded.
///
/// # Errors
/// `Internal` if it cannot be encoded.
pub(crate) fn of_container(container: &Container, at: Sampling) -> Result<Any> {
    metrics(usage(container, at))
}

/// Returns the usage of all containers of a sandbox, encoded.
///
/// # Errors
/// `Internal` if it cannot be encoded.
pub(crate) fn of_sandbox(slot: &Slot, at: Sampling) -> Result<Any> {
    metrics(sum(slot, at))
}

/// Returns the sum of the usage of a sandbox's containers.
pub(crate) fn sum(slot: &Slot, at: Sampling) -> Usage {
    let info = slot.resource_info();
    let sum = slot
        .containers
        .iter()
        .map(|container| usage(container, at))
        .fold(Usage::default(), |sum, one| Usage {
            cpu_usec: sum.cpu_usec.saturating_add(one.cpu_usec),
            nano_cores: sum.nano_cores.saturating_add(one.nano_cores),
            memory: sum.memory.saturating_add(one.memory),
            pids: sum.pids + one.pids,
            memory_limit: info.memory_limit,
            pids_limit: info.pid_limit,
        });
    Usage {
        // The sandbox's own limit may be below the sum.
        memory: sum.memory.min(info.memory_limit.unwrap_or(u64::MAX)),
        ..sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::{Change, NewContainer, NewProcess, NewSandbox, ProcessId, Timestamp};

    fn seconds(s: u64) -> Timestamp {
        Timestamp::from_nanos(s * 1_000_000_000)
    }

    fn at(s: u64) -> Sampling {
        Sampling {
            now: seconds(s).into(),
            node_memory: 16 << 30,
        }
    }

    fn slot(info: ResourceInfo) -> Slot {
        let mut slot = Slot::new(NewSandbox::default(), seconds(0));
        let container = NewContainer {
            id: "c".to_owned(),
            bundle: "/b".to_owned(),
            info,
            process: NewProcess::default(),
            ..NewContainer::default()
        };
        for change in [
            Change::Start,
            Change::CreateContainer(container),
            Change::StartProcess(ProcessId::init("c")),
        ] {
            slot.apply(change, seconds(0)).unwrap();
        }
        slot
    }

    fn decoded(any: &Any) -> Metrics {
        assert_eq!(any.type_url, "io.containerd.cgroups.v2.Metrics");
        Metrics::parse_from_bytes(&any.value).unwrap()
    }

    #[test]
    fn usage_is_a_share_of_the_request_and_grows_with_running_time() {
        let info = ResourceInfo {
            cpu_request: Some(2.0),
            memory_request: Some(1 << 30),
            ..Default::default()
        };
        let mut slot = slot(info);
        let read =
            |slot: &Slot, s| decoded(&of_container(slot.container("c").unwrap(), at(s)).unwrap());
        assert_eq!(read(&slot, 10).cpu.usage_usec, 2_000_000);
        assert_eq!(read(&slot, 10).memory.usage, 1 << 29);
        assert_eq!(read(&slot, 10).pids.current, 1);
        slot.apply(Change::Pause("c".to_owned()), seconds(10))
            .unwrap();
        assert_eq!(read(&slot, 60).cpu.usage_usec, 2_000_000);
        slot.apply(Change::Exit(ProcessId::init("c"), 0), seconds(60))
            .unwrap();
        assert_eq!(read(&slot, 70).memory.usage, 0);
    }

    #[test]
    fn usage_stays_within_the_limits() {
        let mut slot = slot(ResourceInfo {
            memory_request: Some(2 << 30),
            memory_limit: Some(512 << 20),
            ..Default::default()
        });
        let container = slot.container("c").unwrap();
        let metrics = decoded(&of_container(container, at(1)).unwrap());
        assert_eq!(metrics.memory.usage, 512 << 20);
        slot.sandbox.info.memory_limit = Some(10 << 20);
        let metrics = decoded(&of_sandbox(&slot, at(1)).unwrap());
        assert_eq!(metrics.memory.usage, 10 << 20);
    }

    #[test]
    fn memory_is_a_share_of_the_request_as_far_as_that_is_known() {
        let node = 16 << 30;
        for (request, adjustment, source, around) in [
            (Some(1 << 30), Some(500), MemorySource::Stated, 1_u64 << 30),
            // A Burstable container, a Guaranteed one, one without a request, and no kubelet's.
            (None, Some(938), MemorySource::OomScoreAdj, 1 << 30),
            (None, Some(-997), MemorySource::OomScoreAdj, 4 << 30),
            (None, Some(1000), MemorySource::Assumed, 64 << 20),
            (None, None, MemorySource::Assumed, 64 << 20),
        ] {
            let mut slot = slot(ResourceInfo {
                memory_request: request,
                memory_limit: Some(4 << 30),
                ..ResourceInfo::default()
            });
            slot.containers[0].oom_score_adj = adjustment;
            let container = slot.container("c").unwrap();
            let basis = memory_basis(container, node);
            assert_eq!(basis.source, source, "{adjustment:?}");
            assert!(basis.request.abs_diff(around) <= node / 1000, "{basis:?}");
            assert_eq!(usage(container, at(1)).memory, basis.request / 2);
        }
    }

    #[test]
    fn no_limit_reads_as_the_largest_one() {
        let slot = slot(ResourceInfo::default());
        let metrics = decoded(&of_sandbox(&slot, at(1)).unwrap());
        assert_eq!(metrics.memory.usage_limit, u64::MAX);
        assert!(metrics.memory.usage <= metrics.memory.usage_limit);
    }
}
