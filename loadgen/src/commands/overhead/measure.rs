//! Rounds of a measurement: every layer once per round, in alternating order.

use std::sync::Arc;

use super::layer::{Layer, Layers};
use super::result::{LayerProcess, LayerResult, RoundResult};
use super::shares::RoundMs;
use crate::drive::bundle::Bundles;
use crate::drive::engine::{EngineError, Load, Measured, Shape};
use crate::process::ProcessUsage;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::result;
use crate::show::progress::{Reporter, Style};
use crate::stats::median;
use crate::stop::Stop;
use crate::workload::scenario::Closed;

/// Warm-up pods at each layer before the first round, for connections, caches and
/// pools.
pub const WARM_UP_PODS: u64 = 20;

/// Figures of all rounds.
#[derive(Debug)]
pub struct Rounds {
    /// Measured layers with their figures.
    layers: Vec<(Layer, OfLayer)>,
    /// Number of rounds completed at every layer.
    pub whole: u32,
    /// Whether a connection was lost.
    pub lost: bool,
}

/// Figures of the rounds of one layer.
#[derive(Debug, Default)]
struct OfLayer {
    recorder: Recorder,
    rounds: Vec<Round>,
}

/// Figures of one layer in one round.
#[derive(Debug)]
struct Round {
    pods: u64,
    p50_ns: u64,
    mean_ns: f64,
    wall_s: f64,
    used: Vec<(&'static str, ProcessUsage)>,
}

/// Layers, load and output of a measurement.
#[derive(Debug)]
pub struct Experiment<'a> {
    /// All layers.
    pub layers: &'a Layers,
    /// Load on each layer in each round.
    pub load: Load,
    /// Bundles for the layers without containerd.
    pub bundles: &'a Arc<Bundles>,
    /// Request to stop.
    pub stop: &'a Stop,
    /// Style of progress output.
    pub style: Style,
}

/// Returns a closed loop of `pods` pods, one at a time, so that latencies add up.
pub fn one_by_one(pods: u64) -> Shape {
    Shape::Closed(Closed {
        concurrency: 1,
        pods,
        warm_up_pods: 0,
        duration: None,
    })
}

impl Experiment<'_> {
    /// Runs the rounds, or fewer after a requested stop or a lost connection.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn run(&self, rounds: u32) -> Result<Rounds, EngineError> {
        let present = self.layers.present();
        let mut all = Rounds {
            layers: present
                .iter()
                .map(|layer| (layer.clone(), OfLayer::default()))
                .collect(),
            whole: 0,
            lost: false,
        };
        let warm_up = Load {
            shape: one_by_one(WARM_UP_PODS.min(self.load.pods())),
            ..self.load.clone()
        };
        for layer in &present {
            // Errors here recur in the first round, which reports them.
            self.put_on(layer, &warm_up)?;
        }
        for round in 1..=rounds {
            let mut order: Vec<usize> = (0..present.len()).collect();
            if round % 2 == 0 {
                order.reverse();
            }
            for place in order {
                let layer = &present[place];
                if self.stop.requested() || all.lost {
                    return Ok(all);
                }
                self.style
                    .say(&format!("Round {round} of {rounds}: {}", layer.name()));
                let before = self.layers.usage(layer);
                let measured = self.put_on(layer, &self.load)?;
                let after = self.layers.usage(layer);
                all.lost |= measured.lost;
                // A partial round gives no figures, but its errors count.
                let cut = measured.pods < self.load.pods();
                all.layers[place].1.take(&measured, &before, &after, cut);
            }
            let has_round = |(_, of): &(Layer, OfLayer)| of.rounds.len() >= round as usize;
            all.whole += u32::from(all.layers.iter().all(has_round));
        }
        Ok(all)
    }

    fn put_on(&self, layer: &Layer, load: &Load) -> Result<Measured, EngineError> {
        let counters = load.counters();
        let _reporter = Reporter::start(self.style, load.pods(), counters.clone());
        self.layers
            .run(layer, load, self.bundles, self.stop, &counters)
    }
}

impl OfLayer {
    fn take(
        &mut self,
        measured: &Measured,
        before: &[(&'static str, ProcessUsage)],
        after: &[(&'static str, ProcessUsage)],
        cut: bool,
    ) {
        if !cut {
            let pods = measured.recorder.histogram(Operation::Pod);
            self.rounds.push(Round {
                pods: pods.len(),
                p50_ns: pods.value_at_quantile(0.5),
                mean_ns: pods.mean(),
                wall_s: measured.wall.as_secs_f64(),
                used: before
                    .iter()
                    .zip(after)
                    .map(|((role, before), (_, after))| (*role, after.since(*before)))
                    .collect(),
            });
        }
        self.recorder.merge(&measured.recorder);
    }

    fn result(&self, layer: &Layer) -> LayerResult {
        let rounds: Vec<RoundResult> = self.rounds.iter().map(Round::result).collect();
        let processes = self.rounds.first().map_or(&[][..], |round| &round.used);
        let process = |(place, (role, _)): (usize, &(&str, ProcessUsage))| LayerProcess {
            role: (*role).to_owned(),
            cpu_ms_per_pod: median(
                rounds
                    .iter()
                    .map(|round| round.cpu_ms_per_pod[place])
                    .collect(),
            ),
            max_rss_bytes: self
                .rounds
                .iter()
                .map(|round| round.used[place].1.max_rss_bytes)
                .max()
                .unwrap_or(0),
        };
        LayerResult {
            layer: layer.clone(),
            pods_per_s: median(rounds.iter().map(|round| round.pods_per_s).collect()),
            operations: result::operations(&self.recorder, layer.operations()),
            processes: processes.iter().enumerate().map(process).collect(),
            rounds,
        }
    }
}

impl Round {
    fn result(&self) -> RoundResult {
        let pods = self.pods.max(1) as f64;
        let cpu = |usage: &ProcessUsage| usage.cpu_user_s + usage.cpu_system_s;
        RoundResult {
            pods: self.pods,
            p50_ns: self.p50_ns,
            mean_ns: self.mean_ns,
            pods_per_s: self.pods as f64 / self.wall_s,
            cpu_ms_per_pod: self
                .used
                .iter()
                .map(|(_, usage)| cpu(usage) * 1000.0 / pods)
                .collect(),
        }
    }
}

impl Rounds {
    /// Returns the figures of every layer.
    pub fn layers(&self) -> Vec<LayerResult> {
        let layers = self.layers.iter();
        layers.map(|(layer, of)| of.result(layer)).collect()
    }

    /// Returns the median latency of a pod in each complete round; empty if a layer
    /// was left out.
    pub fn latencies(&self) -> Vec<RoundMs> {
        let ms = |wanted: &Layer, round: usize| {
            let (_, of) = self.layers.iter().find(|(layer, _)| layer == wanted)?;
            of.rounds.get(round).map(|round| round.p50_ns as f64 / 1e6)
        };
        (0..self.whole as usize)
            .filter_map(|round| {
                Some(RoundMs {
                    floor: ms(&Layer::Floor, round)?,
                    direct: ms(&Layer::Direct, round)?,
                    cri: ms(&Layer::Cri, round)?,
                    containerd: ms(&Layer::Containerd, round)?,
                })
            })
            .collect()
    }

    /// Returns the errors of all layers together.
    pub fn problems(self) -> Recorder {
        let mut all = Recorder::default();
        for (_, layer) in self.layers {
            all.merge(&layer.recorder);
        }
        all
    }
}
