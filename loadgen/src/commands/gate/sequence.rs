//! The blocks of a gate, one after the other, until a look decides or the time is over.
//!
//! The first blocks calibrate: their duration gives the number of blocks in the time of the
//! gate, and with it the looks; their noise gives the forecast. They count as all others do.

use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::block::{Block, Ended, Experiment, Order};
use super::decide::{Decision, Judged, Rule, Standing, Terms};
use super::error::GateError;
use super::forecast::Forecast;
use super::table;
use crate::record::recorder::Recorder;
use crate::result::calibration::GateFinds;
use crate::show::progress::Style;

/// Number of blocks that calibrate.
const CALIBRATION: usize = 6;

/// Highest number of blocks: the exact test of more takes noticeable time and memory.
const MOST_BLOCKS: u32 = 1000;

/// Time beyond which more time is no advice, in minutes.
const MOST_MINUTES: f64 = 120.0;

/// Length of a gate.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Time for all blocks.
    pub time: Duration,
    /// Highest number of blocks.
    pub most_blocks: Option<u32>,
}

/// CPUs of the blocks.
#[derive(Debug, Clone)]
pub struct Cpus {
    /// Numbers of the CPUs that may be drawn; empty if the blocks are not confined.
    pub allowed: Vec<usize>,
    /// Number of CPUs that a block draws.
    pub per_block: usize,
}

/// State of a gate after its blocks.
#[derive(Debug)]
pub struct Sequence {
    /// Complete blocks without errors.
    pub blocks: Vec<Block>,
    /// Metrics over all blocks.
    pub metrics: Vec<Judged>,
    /// Decision of the last look.
    pub decision: Decision,
    /// Rule with its looks.
    pub rule: Rule,
    /// Forecast after the calibration; `None` if the gate ended before.
    pub forecast: Option<Forecast>,
    /// Errors in the rounds.
    pub problems: Recorder,
    /// Further problems, in words.
    pub complaints: Vec<String>,
    /// Duration of all blocks.
    pub took: Duration,
}

impl Cpus {
    /// Draws the CPUs of a block.
    fn draw(&self, coin: &mut impl Rng) -> Vec<usize> {
        let mut left = self.allowed.clone();
        let mut drawn: Vec<usize> = (0..self.per_block.min(left.len()))
            .map(|_| left.swap_remove(coin.next_u32() as usize % left.len()))
            .collect();
        drawn.sort_unstable();
        drawn
    }
}

/// Returns the rule for the stated highest number of blocks; if none is stated, for those that
/// are `in_time`, or for the lowest sufficient number.
///
/// # Errors
/// The lowest sufficient number of blocks, if the stated one is below it.
pub fn rule(terms: Terms, most_blocks: Option<u32>, in_time: u32) -> Result<Rule, u32> {
    match most_blocks {
        Some(most) => Rule::new(terms, most),
        None => Rule::new(terms, in_time).or_else(|needed| Rule::new(terms, needed)),
    }
}

impl Experiment<'_> {
    /// Runs blocks until a look decides, the time is over, all blocks are run, an error
    /// occurs, or a stop is requested.
    ///
    /// # Errors
    /// As [`Experiment::block`].
    pub fn sequence(
        &self,
        terms: Terms,
        length: Length,
        cpus: &Cpus,
        seed: u64,
        style: Style,
    ) -> Result<Sequence, GateError> {
        let mut coin = ChaCha8Rng::seed_from_u64(seed);
        let too_few = |needed| GateError::TooFewBlocks {
            needed,
            alpha: terms.alpha,
        };
        let rule = rule(terms, length.most_blocks, 0).map_err(too_few)?;
        let (metrics, decision) = rule.judge(&[]);
        let mut sequence = Sequence {
            blocks: Vec::new(),
            metrics,
            decision,
            rule,
            forecast: None,
            problems: Recorder::default(),
            complaints: Vec::new(),
            took: Duration::ZERO,
        };
        let started = Instant::now();
        while !self.stop.requested() && sequence.decision == Decision::Undecided {
            if sequence.is_over(length) {
                break;
            }
            let order = Order::draw(&mut coin);
            let ended = match self.block(order, &cpus.draw(&mut coin)) {
                // Blocks measured before the interruption remain valid.
                Err(error) if error.is_interruption() && !self.stop.aborted() => break,
                ended => ended?,
            };
            if !sequence.add(ended) {
                break;
            }
            sequence.took = started.elapsed();
            if sequence.blocks.len() == CALIBRATION {
                sequence.calibrate(terms, length);
                if let Some(forecast) = &sequence.forecast {
                    style.say(&table::finds(&forecast.finds(&sequence.rule, length.time)));
                }
            }
            sequence.look(length);
            style.say(&sequence.progress());
        }
        Ok(sequence)
    }
}

impl Sequence {
    /// Adds a block; returns whether it was complete and without errors.
    fn add(&mut self, ended: Ended) -> bool {
        self.problems.merge(&ended.problems);
        self.complaints.extend(ended.complaints);
        let whole = ended.block.is_some();
        self.blocks.extend(ended.block);
        whole
    }

    /// Plans the looks by the duration of a block, and makes the forecast.
    fn calibrate(&mut self, terms: Terms, length: Length) {
        self.rule = self.rule_of(terms, length);
        self.forecast = self.forecast(&self.rule);
    }

    /// Returns what a gate of this length finds, by the blocks so far; `None` before the
    /// calibration.
    pub fn finds(&self, terms: Terms, length: Length) -> Option<GateFinds> {
        let rule = self.rule_of(terms, length);
        let forecast = self.forecast(&rule);
        let forecast = forecast.filter(|forecast| forecast.blocks >= CALIBRATION);
        forecast.map(|forecast| forecast.finds(&rule, length.time))
    }

    /// Returns the rule of a gate of this length, by the duration of the blocks so far.
    fn rule_of(&self, terms: Terms, length: Length) -> Rule {
        let in_time = blocks_in(length.time, self.seconds_per_block());
        rule(terms, length.most_blocks, in_time).unwrap_or_else(|_| self.rule.clone())
    }

    fn forecast(&self, rule: &Rule) -> Option<Forecast> {
        let differences = rule.cost.differences(&self.blocks)?;
        Some(Forecast::of(&differences, self.seconds_per_block(), rule))
    }

    fn seconds_per_block(&self) -> f64 {
        self.took.as_secs_f64() / self.blocks.len().max(1) as f64
    }

    /// Returns whether no more blocks may begin. The first look is made in any case.
    fn is_over(&self, length: Length) -> bool {
        let blocks = self.blocks.len();
        blocks >= self.rule.most_blocks() && blocks >= CALIBRATION
            || self.took >= length.time && blocks >= self.rule.first_look()
    }

    /// Judges all blocks, and decides if this is one of the looks. When the time is over
    /// before the last one, this is the last one.
    fn look(&mut self, length: Length) {
        let (metrics, decision) = self.rule.judge(&self.blocks);
        self.metrics = metrics;
        let blocks = self.blocks.len();
        let is_last = self.took >= length.time && blocks >= self.rule.first_look();
        if blocks >= CALIBRATION && (self.rule.looks_after(blocks) || is_last) {
            self.decision = decision;
        }
    }

    /// Returns a line on the last block.
    fn progress(&self) -> String {
        let cost = self.metrics.iter().find(|m| m.metric == self.rule.cost);
        let shown = cost.map_or_else(String::new, |cost| {
            format!(": {} {}", cost.metric.name(), table::signed(cost.change))
        });
        let number = self.blocks.len();
        match self.forecast {
            None => format!("Block {number}{shown}"),
            Some(_) => format!(
                "Block {number} of at most {}{shown}",
                self.rule.most_blocks()
            ),
        }
    }

    /// Returns the reasons for an undecided gate, with the way to a decision; empty for a
    /// decision. `length` is that of the gate.
    pub fn reasons(&self, length: Length) -> Vec<String> {
        if self.decision != Decision::Undecided {
            return Vec::new();
        }
        if !self.is_over(length) {
            let blocks = self.blocks.len();
            return vec![format!(
                "the gate ended after {blocks} blocks, before its last look after {}",
                self.rule.most_blocks()
            )];
        }
        let open = self.metrics.iter().filter(|m| m.standing == Standing::Open);
        open.map(|metric| self.reason(metric)).collect()
    }

    fn reason(&self, open: &Judged) -> String {
        let bound = |bound: Option<f64>| bound.map_or_else(|| "?".to_owned(), table::signed);
        let minutes = open.metric.differences(&self.blocks).map(|differences| {
            let forecast = Forecast::of(&differences, self.seconds_per_block(), &self.rule);
            let rule = Rule {
                min_effect: open.min_effect.unwrap_or(self.rule.min_effect),
                ..self.rule.clone()
            };
            forecast.minutes_to_decide(open.change, &rule)
        });
        let advice = match minutes {
            Some(minutes) if minutes <= MOST_MINUTES => {
                format!("--max-minutes {:.0} would probably decide", minutes.ceil())
            }
            _ => "this is so close to the minimum effect that only another one decides".to_owned(),
        };
        format!(
            "{} changed by {}, surely within {} to {}: {advice}",
            open.metric.name(),
            table::signed(open.change),
            bound(open.at_least),
            bound(open.at_most),
        )
    }
}

/// Returns the number of blocks that fit into a time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the highest number of blocks"
)]
fn blocks_in(time: Duration, seconds_per_block: f64) -> u32 {
    let blocks = (time.as_secs_f64() / seconds_per_block).floor();
    blocks.clamp(0.0, f64::from(MOST_BLOCKS)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_draws_as_many_cpus_as_it_shall_and_each_of_them_sometimes() {
        let cpus = Cpus {
            allowed: vec![2, 5, 7],
            per_block: 1,
        };
        let mut coin = ChaCha8Rng::seed_from_u64(1);
        let drawn: std::collections::BTreeSet<_> = (0..50).map(|_| cpus.draw(&mut coin)).collect();
        assert_eq!(Vec::from_iter(drawn), [[2], [5], [7]]);
        let two = Cpus {
            per_block: 2,
            ..cpus.clone()
        };
        assert!((0..50).all(|_| {
            let drawn = two.draw(&mut coin);
            drawn.len() == 2 && drawn[0] < drawn[1]
        }));
        let all = Cpus {
            allowed: Vec::new(),
            ..cpus
        };
        assert!(all.draw(&mut coin).is_empty());
    }

    #[test]
    fn the_time_gives_the_number_of_blocks() {
        assert_eq!(blocks_in(Duration::from_secs(120), 1.5), 80);
        assert_eq!(blocks_in(Duration::from_secs(1), 1.5), 0);
        assert_eq!(blocks_in(Duration::from_secs(1), 0.0), MOST_BLOCKS);
    }
}
