//! Conclusion of a search: the sentences that follow from the lines of its table.
//!
//! A rate meets the thresholds if one of its lines does, misses them if none does and one
//! misses, and is unknown otherwise.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use display::human;

/// Outcome of one line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LineOutcome {
    /// All thresholds are met.
    Met,
    /// A threshold is missed.
    Missed,
    /// The measurement does not tell.
    Unknown {
        /// Reason.
        why: Unknown,
        /// Duration of a run that would tell, in seconds; `None` if it is impractically long
        /// or another reason.
        needed_s: Option<f64>,
    },
}

/// Reason for which the outcome of a line is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// Without the lag of the generator the thresholds might have been met.
    Late,
    /// A percentile of so few pods may be on either side of its threshold.
    TooFewPods,
}

/// Outcome of the lines of one rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Tally {
    met: usize,
    missed: usize,
    unknown: Option<(Unknown, Option<f64>)>,
}

/// Conclusion from the lines of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// Highest rate that met the thresholds and is below every rate that missed them, in pods
    /// per second; `None` if there is no such rate.
    pub met: Option<f64>,
    /// Lowest rate that missed the thresholds, in pods per second; `None` if no rate did.
    pub missed: Option<f64>,
    slo: String,
    rates: Vec<(f64, Tally)>,
}

impl Unknown {
    /// Returns the verdict in tables.
    pub fn verdict(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::TooFewPods => "too few pods",
        }
    }
}

impl Tally {
    fn is_missed(&self) -> bool {
        self.met == 0 && self.missed > 0
    }

    fn is_unknown(&self) -> bool {
        self.met == 0 && self.missed == 0
    }
}

impl Conclusion {
    /// Draws the conclusion from lines: rates in pods per second, above 0, and outcomes. `slo`
    /// names the thresholds.
    pub fn of(slo: &[String], lines: impl IntoIterator<Item = (f64, LineOutcome)>) -> Self {
        let mut rates: BTreeMap<u64, (f64, Tally)> = BTreeMap::new();
        for (rate, outcome) in lines {
            // The bits of positive numbers have the order of the numbers.
            let (_, tally) = rates
                .entry(rate.to_bits())
                .or_insert((rate, Tally::default()));
            match outcome {
                LineOutcome::Met => tally.met += 1,
                LineOutcome::Missed => tally.missed += 1,
                LineOutcome::Unknown { why, needed_s } => tally.unknown = Some((why, needed_s)),
            }
        }
        let rates: Vec<_> = rates.into_values().collect();
        let missed = rates.iter().find(|(_, tally)| tally.is_missed());
        let missed = missed.map(|(rate, _)| *rate);
        let below = |rate: f64| missed.is_none_or(|missed| rate < missed);
        let met = rates
            .iter()
            .rfind(|(rate, tally)| tally.met > 0 && below(*rate));
        Self {
            met: met.map(|(rate, _)| *rate),
            missed,
            slo: slo.join(" and "),
            rates,
        }
    }

    /// Returns why it is unknown whether a rate above [`Conclusion::met`] meets the
    /// thresholds: one that was tried, although none above has missed them. `None` if no such
    /// rate was tried.
    pub fn open_end(&self) -> Option<String> {
        if self.missed.is_some() {
            return None;
        }
        let above = |rate: f64| self.met.is_none_or(|met| rate > met);
        self.rates
            .iter()
            .find(|(rate, tally)| above(*rate) && tally.is_unknown())
            .and_then(|(rate, tally)| Some(unknown(*rate, tally.unknown?)))
    }

    /// Returns the conclusion in one sentence.
    pub fn headline(&self) -> String {
        let slo = &self.slo;
        let above: Vec<f64> = self
            .rates
            .iter()
            .filter(|(rate, tally)| tally.met > 0 && self.missed.is_some_and(|m| *rate > m))
            .map(|(rate, _)| *rate)
            .collect();
        let highest = self.rates.last().map(|(rate, _)| *rate);
        let unknown = self.rates.iter().any(|(_, tally)| tally.is_unknown());
        match (self.met, self.missed.map(human::rate)) {
            (Some(met), Some(missed)) if above.is_empty() => format!(
                "{} is the highest rate found with {slo}; {missed} is too high",
                human::rate(met)
            ),
            (Some(met), Some(missed)) => format!(
                "{} is the highest rate with {slo} below the lowest miss, {missed}; above it, \
                 {} met the thresholds again",
                human::rate(met),
                list(&above)
            ),
            (Some(met), None) if highest == Some(met) => {
                format!(
                    "{} meets {slo}, and nothing higher was tried",
                    human::rate(met)
                )
            }
            (Some(met), None) => format!(
                "{} is the highest rate found with {slo}; the outcome of higher ones is unknown",
                human::rate(met)
            ),
            (None, Some(missed)) if !above.is_empty() => format!(
                "the lowest miss of {slo} is {missed}; above it, {} met the thresholds",
                list(&above)
            ),
            (None, Some(missed)) if unknown => {
                format!("no rate is known to meet {slo}: {missed} is too high")
            }
            (None, Some(missed)) => format!("no rate meets {slo}: {missed} is too high"),
            (None, None) if unknown => {
                format!("no rate is known to meet {slo}: the outcome of each is unknown")
            }
            (None, None) => "no rate was measured".to_owned(),
        }
    }

    /// Returns all sentences: the headline, then one for each rate whose lines contradict each
    /// other, and one for each rate whose outcome is unknown.
    pub fn sentences(&self) -> Vec<String> {
        let mut sentences = vec![self.headline()];
        for (rate, tally) in &self.rates {
            if tally.met > 0 && tally.missed > 0 {
                sentences.push(format!(
                    "{} missed in {} of the runs above and met in {}",
                    human::rate(*rate),
                    tally.missed,
                    tally.met
                ));
            }
            if let (true, Some(why)) = (tally.is_unknown(), tally.unknown) {
                sentences.push(unknown(*rate, why));
            }
        }
        sentences
    }
}

impl fmt::Display for Conclusion {
    /// Formats each sentence on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sentences = self.sentences().into_iter();
        sentences.try_for_each(|sentence| writeln!(f, "{sentence}"))
    }
}

fn unknown(rate: f64, (why, needed_s): (Unknown, Option<f64>)) -> String {
    let rate = human::rate(rate);
    match (why, needed_s) {
        (Unknown::Late, _) => format!(
            "{rate} is unknown: the generator was late, so the limit may be the generator's and \
             not the server's"
        ),
        (Unknown::TooFewPods, Some(needed_s)) => format!(
            "{rate} is unknown: too few pods for its percentiles; --duration {}s would be enough",
            needed_s.ceil()
        ),
        (Unknown::TooFewPods, None) => format!(
            "{rate} is unknown: its percentiles are too near to the thresholds for any practical \
             --duration"
        ),
    }
}

fn list(rates: &[f64]) -> String {
    let rates: Vec<_> = rates.iter().map(|rate| human::rate(*rate)).collect();
    rates.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LATE: LineOutcome = LineOutcome::Unknown {
        why: Unknown::Late,
        needed_s: None,
    };

    fn few(needed_s: Option<f64>) -> LineOutcome {
        LineOutcome::Unknown {
            why: Unknown::TooFewPods,
            needed_s,
        }
    }

    fn of(lines: &[(f64, LineOutcome)]) -> Conclusion {
        Conclusion::of(&["pod.p99<50ms".to_owned()], lines.iter().copied())
    }

    #[test]
    fn each_kind_of_table_has_its_sentences() {
        use LineOutcome::{Met, Missed};
        for (lines, sentences) in [
            (&[][..], &["no rate was measured"][..]),
            (
                &[(100.0, Met), (200.0, Missed), (200.0, Missed)],
                &["100/s is the highest rate found with pod.p99<50ms; 200/s is too high"],
            ),
            (
                &[(100.0, Met)],
                &["100/s meets pod.p99<50ms, and nothing higher was tried"],
            ),
            (
                &[(100.0, Met), (200.0, LATE), (200.0, LATE)],
                &[
                    "100/s is the highest rate found with pod.p99<50ms; the outcome of higher \
                     ones is unknown",
                    "200/s is unknown: the generator was late, so the limit may be the \
                     generator's and not the server's",
                ],
            ),
            (
                &[(100.0, Missed)],
                &["no rate meets pod.p99<50ms: 100/s is too high"],
            ),
            (
                &[(5.0, few(Some(73.6))), (100.0, Missed)],
                &[
                    "no rate is known to meet pod.p99<50ms: 100/s is too high",
                    "5.00/s is unknown: too few pods for its percentiles; --duration 74s would \
                     be enough",
                ],
            ),
            (
                &[(100.0, few(None))],
                &[
                    "no rate is known to meet pod.p99<50ms: the outcome of each is unknown",
                    "100/s is unknown: its percentiles are too near to the thresholds for any \
                     practical --duration",
                ],
            ),
            (
                &[(100.0, Missed), (200.0, Met)],
                &["the lowest miss of pod.p99<50ms is 100/s; above it, 200/s met the thresholds"],
            ),
            (
                &[(100.0, Met), (200.0, Missed), (300.0, Met), (300.0, Missed)],
                &[
                    "100/s is the highest rate with pod.p99<50ms below the lowest miss, 200/s; \
                     above it, 300/s met the thresholds again",
                    "300/s missed in 1 of the runs above and met in 1",
                ],
            ),
        ] {
            assert_eq!(of(lines).sentences(), sentences, "{lines:?}");
        }
    }

    fn any_lines() -> impl Strategy<Value = Vec<(f64, LineOutcome)>> {
        let outcome = prop_oneof![
            Just(LineOutcome::Met),
            Just(LineOutcome::Missed),
            Just(LATE),
            Just(few(Some(90.0))),
        ];
        let rate = (1_u32..12).prop_map(|rate| f64::from(rate) * 100.0);
        prop::collection::vec((rate, outcome), 0..20)
    }

    proptest! {
        /// Compares each claim with the lines, without the tallies.
        #[test]
        fn every_sentence_is_true_of_the_lines(lines in any_lines()) {
            let conclusion = of(&lines);
            let headline = conclusion.headline();
            let has = |rate: f64, outcome: LineOutcome| lines.contains(&(rate, outcome));
            let met = |rate: f64| has(rate, LineOutcome::Met);
            let missed = |rate: f64| !met(rate) && has(rate, LineOutcome::Missed);
            let rates = || lines.iter().map(|(rate, _)| *rate);

            if headline.contains("nothing higher was tried") {
                let top = rates().fold(0.0, f64::max);
                prop_assert!(met(top) && conclusion.met == Some(top), "{headline}");
            }
            if headline.contains("highest rate found") {
                let found = conclusion.met.unwrap();
                prop_assert!(rates().all(|rate| rate <= found || !met(rate)), "{headline}");
            }
            if headline.contains("higher ones is unknown") {
                let found = conclusion.met.unwrap();
                prop_assert!(rates().any(|rate| rate > found), "{headline}");
                prop_assert!(rates().all(|rate| rate <= found || !(met(rate) || missed(rate))));
            }
            if headline.contains("no rate meets") {
                prop_assert!(rates().all(missed), "{headline}");
            }
            if headline.contains("no rate is known to meet") {
                prop_assert!(rates().all(|rate| !met(rate)), "{headline}");
                prop_assert!(rates().any(|rate| !missed(rate)), "{headline}");
            }
            if headline.contains("outcome of each is unknown") {
                prop_assert!(rates().all(|rate| !met(rate) && !missed(rate)), "{headline}");
            }
            if headline.contains("is too high") {
                let too_high = conclusion.missed.unwrap();
                prop_assert!(rates().all(|rate| rate < too_high || !met(rate)), "{headline}");
            }
            prop_assert_eq!(headline.contains("no rate was measured"), lines.is_empty());
            if let Some(found) = conclusion.met {
                prop_assert!(met(found) && rates().all(|rate| rate >= found || !missed(rate)));
                prop_assert!(headline.contains(&human::rate(found)));
            }
            if let Some(lowest) = conclusion.missed {
                prop_assert!(missed(lowest) && rates().all(|rate| rate >= lowest || !missed(rate)));
                prop_assert!(headline.contains(&human::rate(lowest)));
            }
            // A rate that met above the lowest miss is named.
            for rate in rates().filter(|rate| met(*rate)) {
                if conclusion.missed.is_some_and(|missed| rate > missed) {
                    prop_assert!(headline.contains(&human::rate(rate)), "{headline}");
                }
            }
            // Each rate without a known outcome has a sentence, and no other rate has one.
            let sentences = conclusion.sentences();
            for rate in rates() {
                let begin = format!("{} is unknown", human::rate(rate));
                let said = sentences.iter().any(|sentence| sentence.starts_with(&begin));
                prop_assert_eq!(said, !met(rate) && !missed(rate), "{:?}", sentences);
                let begin = format!("{} missed in", human::rate(rate));
                let said = sentences.iter().any(|sentence| sentence.starts_with(&begin));
                prop_assert_eq!(said, met(rate) && has(rate, LineOutcome::Missed));
            }
            let open = conclusion.missed.is_none()
                && rates().any(|rate| conclusion.met.is_none_or(|met| rate > met));
            prop_assert_eq!(conclusion.open_end().is_some(), open);
        }
    }
}
