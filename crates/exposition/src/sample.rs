//! One metric at a time, for collectors.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// What a metric is. The unit is the last part of the exposed name, as OpenMetrics wants
/// it; a counter's name then ends in `_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// The name without unit and `_total`.
    pub name: &'static str,
    /// What it tells, in a sentence.
    pub help: &'static str,
    /// The unit in the plural, such as `seconds`; empty for a number of things.
    pub unit: &'static str,
}

impl Descriptor {
    /// A metric that only ever grows. `samples` writes its series.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn counter(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Counter, samples)
    }

    /// A metric that goes up and down. `samples` writes its series.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn gauge(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Gauge, samples)
    }

    /// A distribution. `samples` writes its series.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn histogram(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Histogram, samples)
    }

    /// Facts that do not change while the process lives, as labels.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn info(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        labels: &impl EncodeLabelSet,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Info, |s| s.0.encode_info(labels))
    }

    fn encode(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        kind: MetricType,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let unit = (!self.unit.is_empty()).then(|| Unit::Other(self.unit.to_owned()));
        let metric = encoder.encode_descriptor(self.name, self.help, unit.as_ref(), kind)?;
        samples(&mut Samples(metric))
    }
}

/// Where the series of a metric are written.
#[derive(Debug)]
pub struct Samples<'a>(MetricEncoder<'a>);

impl Samples<'_> {
    /// The value of a counter's only series.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn count(&mut self, value: u64) -> fmt::Result {
        self.0.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// The value of a counter's only series, where it is no whole number.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sum(&mut self, value: f64) -> fmt::Result {
        self.0.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// The value of one series of a counter.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn count_of(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        let mut series = self.0.encode_family(labels)?;
        series.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// The value of a gauge's only series.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn value(&mut self, value: f64) -> fmt::Result {
        self.0.encode_gauge(&value)
    }

    /// The value of one series of a gauge.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn value_of(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// The value of one series of a histogram of durations, in seconds: how many are in each
    /// bucket alone, whose last one has no bound, the bounds of the others, and the sum.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn durations_of(
        &mut self,
        labels: &impl EncodeLabelSet,
        bounds_ns: &[u64],
        buckets: &[u64],
        sum: Duration,
    ) -> fmt::Result {
        let seconds = bounds_ns.iter().map(|ns| *ns as f64 / 1e9);
        let bounds = seconds.chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(buckets.iter().copied()).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let mut series = self.0.encode_family(labels)?;
        series.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, &buckets, None)
    }
}
