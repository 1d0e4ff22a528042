//! Usage of containers, from files of other programs.
//!
//! # Modules
//!
//! - `prometheus`: answers of Prometheus to range queries, in JSON.
//! - `exposition`: metrics as text, in the formats of OpenMetrics and of Prometheus, with times.
//! - `csv`: tables.
//! - `metric`: the metrics that are known, and the container of a series.
//! - `number`: times and values as they are written.
//! - `series`: points of one source to usage over time: counters to rates, order. `gaps` finds the
//!   gaps between them.
//! - `notes`: what was taken for granted, counted.

mod csv;
mod exposition;
mod gaps;
mod metric;
mod notes;
mod number;
mod prometheus;
mod series;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use crate::{InventoryBuilder, ReadError, Sample, Timestamp, UsageSeries};
use metric::Container;
use notes::Notes;
use series::{Merged, Points};

pub use metric::Quantity;

/// Usage in the making, out of any number of files.
#[derive(Debug, Default)]
pub struct UsageReader {
    /// In the order of their names, which is that of the result.
    containers: BTreeMap<Container, Measured>,
    notes: Notes,
}

/// Usage of one container, by quantity.
#[derive(Debug, Default)]
struct Measured {
    cpu: Merged,
    memory: Merged,
    oom: Merged,
}

impl UsageReader {
    /// Returns a reader that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file. `file` is its name, for messages; `unnamed` is the quantity of series whose
    /// metric has no name, as in an answer to a query with a function.
    ///
    /// # Errors
    /// A file that cannot be read, or has a value that is wrong.
    pub fn read(
        &mut self,
        file: &str,
        reader: &mut dyn BufRead,
        unnamed: Option<Quantity>,
    ) -> Result<(), ReadError> {
        let beginning = reader
            .fill_buf()
            .map_err(|error| ReadError::io(file, error))?;
        let first = beginning.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'{') {
            prometheus::read(self, file, reader, unnamed)
        } else if csv::is_table(beginning) {
            csv::read(self, file, reader)
        } else {
            exposition::read(self, file, reader)
        }
    }

    /// Takes the points of one source.
    ///
    /// # Errors
    /// A description of two points of one time with other values, and the place of the second.
    fn take(
        &mut self,
        container: &Container,
        quantity: Quantity,
        points: Points,
    ) -> Result<(), (u64, String)> {
        let values = points.values(quantity, &mut self.notes)?;
        if !self.containers.contains_key(container) {
            self.containers
                .insert(container.clone(), Measured::default());
        }
        if let Some(measured) = self.containers.get_mut(container) {
            let merged = match quantity {
                Quantity::CpuCounter | Quantity::Cpu => &mut measured.cpu,
                Quantity::Memory => &mut measured.memory,
                Quantity::OomCounter | Quantity::Oom => &mut measured.oom,
            };
            merged.add(values, &mut self.notes);
        }
        Ok(())
    }

    /// Adds the usage of every container, and what was taken for granted.
    pub fn finish(self, builder: &mut InventoryBuilder) {
        for (container, measured) in self.containers {
            let samples = measured.samples();
            if samples.is_empty() {
                continue;
            }
            let usage = UsageSeries {
                namespace: builder.text(&container.namespace),
                pod: builder.text(&container.pod),
                container: builder.text(&container.name),
                samples,
            };
            builder.add_usage(usage);
        }
        self.notes.state(builder);
    }
}

impl Measured {
    /// Returns one sample for each time at which something was measured.
    fn samples(self) -> Vec<Sample> {
        let (cpu, memory, oom) = (self.cpu.values, self.memory.values, self.oom.values);
        let mut samples = Vec::with_capacity(cpu.len().max(memory.len()));
        let (mut at_cpu, mut at_memory, mut at_oom) = (0, 0, 0);
        let value = |values: &[(i64, i64)], place: &mut usize, time: i64| {
            let (_, value) = values.get(*place).filter(|(at, _)| *at == time)?;
            *place += 1;
            Some(*value)
        };
        loop {
            let next = [cpu.get(at_cpu), memory.get(at_memory), oom.get(at_oom)];
            let Some(time) = next.into_iter().flatten().map(|(time, _)| *time).min() else {
                return samples;
            };
            samples.push(Sample {
                time: Timestamp(time),
                cpu_nanocores: value(&cpu, &mut at_cpu, time),
                memory_bytes: value(&memory, &mut at_memory, time),
                oom_killed: value(&oom, &mut at_oom, time).is_some_and(|kills| kills > 0),
            });
        }
    }
}

/// Returns whether a file that begins like this has usage, and nothing else that is known.
pub(crate) fn is_usage(beginning: &[u8]) -> bool {
    /// Beginnings of an answer of Prometheus, of metrics as text, and of lines of cAdvisor.
    const HEADS: [&str; 4] = ["{\"status\":\"", "#HELP", "#TYPE", "container_"];
    let head = &beginning[..beginning.len().min(40)];
    let head = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    let head: Vec<u8> = head.copied().collect();
    csv::is_table(beginning) || HEADS.iter().any(|known| head.starts_with(known.as_bytes()))
}

/// Returns the name of a file to share it between places.
fn shared(file: &str) -> Arc<str> {
    file.into()
}
