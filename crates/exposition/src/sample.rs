//! Writes one metric at a time, for collectors.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

/// Name, help text and unit of a metric. The exposed name ends with the unit, as OpenMetrics
/// requires, and that of a counter then with `_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Name without unit and `_total`.
    pub name: &'static str,
    /// Meaning of the metric, in a sentence.
    pub help: &'static str,
    /// Unit in the plural, such as `seconds`; empty for a count.
    pub unit: &'static str,
}

impl Descriptor {
    /// Writes a metric that only grows. `samples` writes its series.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn counter(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Counter, samples)
    }

    /// Writes a metric that goes up and down. `samples` writes its series.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn gauge(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Gauge, samples)
    }

    /// Writes a distribution. `samples` writes its series.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn histogram(
        self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl FnOnce(&mut Samples<'_>) -> fmt::Result,
    ) -> fmt::Result {
        self.encode(encoder, MetricType::Histogram, samples)
    }

    /// Writes facts that are constant during the life of the process, as labels.
    ///
    /// # Errors
    /// If the encoder fails.
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

/// Writer of the series of one metric.
#[derive(Debug)]
pub struct Samples<'a>(MetricEncoder<'a>);

impl Samples<'_> {
    /// Writes the only series of a counter.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn count(&mut self, value: u64) -> fmt::Result {
        self.0.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// Writes the only series of a counter with a fractional value.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn sum(&mut self, value: f64) -> fmt::Result {
        self.0.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// Writes one series of a counter.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn count_of(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        let mut series = self.0.encode_family(labels)?;
        series.encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    /// Writes the only series of a gauge.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn value(&mut self, value: f64) -> fmt::Result {
        self.0.encode_gauge(&value)
    }

    /// Writes one series of a gauge.
    ///
    /// # Errors
    /// If the encoder fails.
    pub fn value_of(&mut self, labels: &impl EncodeLabelSet, value: f64) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    /// Writes one series of a histogram of durations, in seconds. `buckets` are the numbers of
    /// durations in each bucket, not cumulated; the last bucket has no bound, and `bounds_ns` are
    /// the upper bounds of the others, in nanoseconds.
    ///
    /// # Errors
    /// If the encoder fails.
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
