//! A load with the spans of its calls.

use otlp::Span;

use crate::drive::engine::Load;
use crate::measure::session::Session;
use crate::result::spans::{self, SpansResult};
use crate::spans::{Collector, Recorder};

/// A load whose calls have spans.
#[derive(Debug)]
pub struct Traced<'a> {
    collector: &'a Collector,
    recorder: Recorder,
    /// The load, which records the spans of its calls.
    pub load: Load,
}

impl<'a> Traced<'a> {
    /// Prepares a load for a server that sends its spans to the collector.
    pub fn new(collector: &'a Collector, load: &Load) -> Self {
        let recorder = Recorder::start();
        Self {
            collector,
            load: Load {
                spans: Some(recorder.clone()),
                ..load.clone()
            },
            recorder,
        }
    }

    /// Waits for the spans of the last calls, and returns those of CNI plugins.
    pub fn settle(&self, session: &Session<'_>) -> Vec<Span> {
        self.collector.settle(&self.recorder);
        session.server().cni_spans()
    }

    /// Summarizes all spans. The servers have ended and sent their last ones.
    pub fn result(&self, of_cni: Vec<Span>, seed: u64) -> SpansResult {
        let mut spans = self.collector.take();
        spans.extend(of_cni);
        spans::summarize(&self.recorder, &spans, seed)
    }
}
