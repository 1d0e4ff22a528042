//! Samples of one container, and the aggregation that the same container of all pods shares.

use inventory::Timestamp;

use super::amount::{scaled, whole};
use super::buckets::Buckets;
use super::histogram::{Checkpoint, Histogram};
use super::moment::Moment;

const DAY: i64 = 24 * 3_600 * 1_000_000_000;
/// Weight of a sample of CPU usage (`minSampleWeight` in `model/aggregations_config.go`).
const CPU_WEIGHT: f64 = 0.1;
/// Weight of a peak of memory usage.
const MEMORY_WEIGHT: f64 = 1.0;
/// Interval of which the largest memory usage counts (`DefaultMemoryAggregationInterval`).
const MEMORY_INTERVAL: i64 = DAY;
/// Half-life of samples (`DefaultCPUHistogramDecayHalfLife`,
/// `DefaultMemoryHistogramDecayHalfLife`).
const HALF_LIFE: i64 = DAY;
/// Factor of the memory of a container that was ended for lack of it (`DefaultOOMBumpUpRatio`).
const OOM_FACTOR: f64 = 1.2;
/// Bytes by which that memory grows at least (`DefaultOOMMinBumpUp`).
const OOM_BYTES: i64 = 100 << 20;

/// Observation of one container at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// CPU in use, in millicores.
    Cpu(i64),
    /// Memory in use, in bytes.
    Memory(i64),
    /// The container was ended for lack of memory; its memory request in bytes, 0 for none.
    OutOfMemory(i64),
}

/// Usage of the same container of all pods of a workload (`AggregateContainerState`).
///
/// Its size does not depend on the number of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregation {
    cpu: Histogram,
    memory: Histogram,
    first: Moment,
    last: Moment,
    cpu_samples: u64,
}

impl Default for Aggregation {
    fn default() -> Self {
        Self {
            cpu: Histogram::new(Buckets::cpu(), HALF_LIFE),
            memory: Histogram::new(Buckets::memory(), HALF_LIFE),
            first: Moment::ZERO,
            last: Moment::ZERO,
            cpu_samples: 0,
        }
    }
}

impl Aggregation {
    /// Returns the CPU usage in cores that a part of the weight, from 0 to 1, does not exceed.
    pub fn cpu_percentile(&self, part: f64) -> f64 {
        self.cpu.percentile(part)
    }

    /// Returns the memory usage in bytes that a part of the weight, from 0 to 1, does not exceed.
    pub fn memory_percentile(&self, part: f64) -> f64 {
        self.memory.percentile(part)
    }

    /// Returns whether there is usage of memory to recommend from.
    pub fn has_memory(&self) -> bool {
        !self.memory.is_empty()
    }

    /// Returns the number of samples of CPU usage.
    pub fn cpu_samples(&self) -> u64 {
        self.cpu_samples
    }

    /// Returns the time of the first sample of CPU usage, [`Moment::ZERO`] without one.
    pub fn first(&self) -> Moment {
        self.first
    }

    /// Returns the time of the last sample of CPU usage, [`Moment::ZERO`] without one.
    pub fn last(&self) -> Moment {
        self.last
    }

    /// Returns the histogram of CPU usage as VPA saves it.
    pub fn cpu_checkpoint(&self) -> Checkpoint {
        self.cpu.checkpoint()
    }

    /// Returns the histogram of peaks of memory usage as VPA saves it.
    pub fn memory_checkpoint(&self) -> Checkpoint {
        self.memory.checkpoint()
    }

    fn add_cpu(&mut self, millicores: i64, time: Moment) {
        self.cpu.add(millicores as f64 / 1000.0, CPU_WEIGHT, time);
        self.last = self.last.max(time);
        if self.first.is_zero() || time < self.first {
            self.first = time;
        }
        self.cpu_samples += 1;
    }
}

/// State of one container of one pod, by which samples enter an aggregation (`ContainerState`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerState {
    last_cpu: Moment,
    last_memory: Moment,
    window_end: Moment,
    memory_peak: i64,
    oom_peak: i64,
}

impl Default for ContainerState {
    fn default() -> Self {
        Self {
            last_cpu: Moment::ZERO,
            last_memory: Moment::ZERO,
            window_end: Moment::ZERO,
            memory_peak: 0,
            oom_peak: 0,
        }
    }
}

impl ContainerState {
    /// Adds an observation to an aggregation; returns whether it counts.
    ///
    /// As upstream, negative amounts, CPU usage not after the last one, memory usage before the
    /// last one, and ends for lack of memory more than a day before it do not count.
    pub fn add(
        &mut self,
        aggregation: &mut Aggregation,
        time: Timestamp,
        observation: Observation,
    ) -> bool {
        let time = Moment::from(time);
        match observation {
            Observation::Cpu(millicores) => self.add_cpu(aggregation, time, millicores),
            Observation::Memory(bytes) => self.add_memory(aggregation, time, bytes, false),
            Observation::OutOfMemory(request) => self.add_oom(aggregation, time, request),
        }
    }

    fn add_cpu(&mut self, aggregation: &mut Aggregation, time: Moment, millicores: i64) -> bool {
        if millicores < 0 || time <= self.last_cpu {
            return false;
        }
        aggregation.add_cpu(millicores, time);
        self.last_cpu = time;
        true
    }

    /// Adds memory usage (`addMemorySample`): the window has one peak, which replaces the one
    /// before. A first usage of 0 in a window remains its peak, as upstream.
    fn add_memory(
        &mut self,
        aggregation: &mut Aggregation,
        time: Moment,
        bytes: i64,
        out_of_memory: bool,
    ) -> bool {
        if bytes < 0 || (!out_of_memory && time < self.last_memory) {
            return false;
        }
        self.last_memory = time;
        if self.window_end.is_zero() {
            self.window_end = time;
        }
        if time < self.window_end {
            let peak = self.memory_peak.max(self.oom_peak);
            if peak == 0 || bytes <= peak {
                return true;
            }
            let memory = &mut aggregation.memory;
            memory.remove(peak as f64, MEMORY_WEIGHT, self.window_end);
        } else {
            let beyond = time.since(self.window_end);
            let shift = (beyond - beyond % MEMORY_INTERVAL).wrapping_add(MEMORY_INTERVAL);
            self.window_end = self.window_end.plus(shift.into());
            self.memory_peak = 0;
            self.oom_peak = 0;
        }
        let memory = &mut aggregation.memory;
        memory.add(bytes as f64, MEMORY_WEIGHT, self.window_end);
        if out_of_memory {
            self.oom_peak = bytes;
        } else {
            self.memory_peak = bytes;
        }
        true
    }

    /// Adds an end for lack of memory as usage of more memory (`RecordOOM`).
    fn add_oom(&mut self, aggregation: &mut Aggregation, time: Moment, request: i64) -> bool {
        if !self.last_memory.is_zero() && time < self.last_memory.plus((-MEMORY_INTERVAL).into()) {
            return false;
        }
        let used = request.max(self.memory_peak);
        // Upstream's sum wraps; the other amount is the larger one then.
        let by_bytes = used.wrapping_add(whole(OOM_BYTES as f64));
        let needed = by_bytes.max(scaled(used, OOM_FACTOR));
        self.add_memory(aggregation, time, needed, true)
    }
}
