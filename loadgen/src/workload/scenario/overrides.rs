//! Overrides of the values of a scenario.

use std::borrow::Cow;
use std::time::Duration;

use super::parse::not_too_many;
use super::{Arrivals, Distribution, Lifecycle, LoadShape, Phase, Rate, Scenario, SignalChoice};

/// Default length of the measured phase of an open loop made by `--rate`, and of its
/// warm-up.
const DURATION: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(2);

/// Default limit of pods under way in an open loop made by `--rate`.
const MAX_IN_FLIGHT: u32 = 10_000;

/// Overrides of the values of a scenario; `None` keeps the value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Seed of all random numbers.
    pub seed: Option<u64>,
    /// Number of pods of a closed loop.
    pub pods: Option<u64>,
    /// Number of pods in the warm-up of a closed loop.
    pub warm_up_pods: Option<u64>,
    /// Number of pods under way at once in a closed loop.
    pub concurrency: Option<u32>,
    /// Rate in pods per second; replaces the load by an open loop at this rate.
    pub rate: Option<f64>,
    /// Spacing of arrivals in an open loop.
    pub arrivals: Option<Arrivals>,
    /// Length of the only measured phase of an open loop, or time limit of a closed
    /// loop.
    pub duration: Option<Duration>,
    /// Length of the warm-up before the phase made by `rate`; zero for none.
    pub warm_up: Option<Duration>,
    /// Limit of pods under way at once in an open loop. Further pods wait, and their
    /// latency includes the wait.
    pub max_in_flight: Option<u32>,
    /// Number of connections that the pods share; at most one per pod.
    pub connections: Option<u32>,
    /// Number of threads that drive the connections; at most one per connection.
    pub threads: Option<u32>,
    /// Time limit of a call.
    pub timeout: Option<Duration>,
    /// Number of containers per pod.
    pub containers: Option<Distribution>,
    /// CPU request of a container, in millicores.
    pub cpu_millicores: Option<Distribution>,
    /// Memory request of a container, in MiB.
    pub memory_mib: Option<Distribution>,
    /// Limit of processes of a container.
    pub pids: Option<Distribution>,
    /// Signals that end containers.
    pub signal: Option<SignalChoice>,
    /// Stay of a pod once all its containers run.
    pub lifecycle: Option<Lifecycle>,
}

/// Option that conflicts with the scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("--{option} does not go with the scenario {scenario:?}: {why}")]
pub struct Mismatch {
    option: &'static str,
    scenario: String,
    why: Cow<'static, str>,
}

const NEEDS_CLOSED: &str = "it belongs to a closed loop, and this is an open one";
const NEEDS_OPEN: &str =
    "it belongs to an open loop, and this is a closed one; --rate makes it one";

impl Overrides {
    /// Applies the overrides to a scenario.
    ///
    /// # Errors
    /// If an option has no meaning for the scenario.
    pub fn apply(&self, mut scenario: Scenario) -> Result<Scenario, Mismatch> {
        set(&mut scenario.seed, self.seed.as_ref());
        set(&mut scenario.connections, self.connections.as_ref());
        set(&mut scenario.threads, self.threads.as_ref());
        set(&mut scenario.timeout, self.timeout.as_ref());
        let pods = &mut scenario.pods;
        set(&mut pods.containers, self.containers.as_ref());
        set(&mut pods.cpu_millicores, self.cpu_millicores.as_ref());
        set(&mut pods.memory_mib, self.memory_mib.as_ref());
        set(&mut pods.pids, self.pids.as_ref());
        set(&mut pods.signal, self.signal.as_ref());
        set(&mut pods.lifecycle, self.lifecycle.as_ref());
        let mismatch = |(option, why)| Mismatch {
            option,
            scenario: scenario.name.clone(),
            why: Cow::Borrowed(why),
        };
        if self.warm_up.is_some() && self.rate.is_none() {
            return Err(mismatch(("warm-up", "it goes with --rate")));
        }
        match (&mut scenario.load, self.rate) {
            (_, Some(rate)) => {
                self.nothing_closed().map_err(mismatch)?;
                scenario.load = self.open(rate);
            }
            (LoadShape::Closed(closed), None) => {
                self.nothing_open().map_err(mismatch)?;
                set(&mut closed.pods, self.pods.as_ref());
                set(&mut closed.warm_up_pods, self.warm_up_pods.as_ref());
                set(&mut closed.concurrency, self.concurrency.as_ref());
                closed.duration = self.duration.or(closed.duration);
            }
            (
                LoadShape::Open {
                    phases,
                    max_in_flight,
                },
                None,
            ) => {
                self.nothing_closed().map_err(mismatch)?;
                set(max_in_flight, self.max_in_flight.as_ref());
                for phase in phases.iter_mut() {
                    set(&mut phase.arrivals, self.arrivals.as_ref());
                }
                if let Some(duration) = self.duration {
                    let mut measured = phases.iter_mut().filter(|phase| phase.measured);
                    match (measured.next(), measured.next()) {
                        (Some(phase), None) => phase.duration = duration,
                        _ => {
                            return Err(mismatch((
                                "duration",
                                "it has several measured phases; give --rate, too",
                            )));
                        }
                    }
                }
            }
        }
        if let LoadShape::Open { phases, .. } = &scenario.load {
            not_too_many(phases).map_err(|why| Mismatch {
                option: if self.rate.is_some() {
                    "rate"
                } else {
                    "duration"
                },
                scenario: scenario.name.clone(),
                why: Cow::Owned(why),
            })?;
        }
        Ok(scenario)
    }

    /// Returns an open loop with one rate, after a warm-up at the same rate.
    fn open(&self, rate: f64) -> LoadShape {
        let phase = |name: &str, duration, measured| Phase {
            name: name.to_owned(),
            duration,
            rate: Rate::Constant(rate),
            arrivals: self.arrivals.unwrap_or(Arrivals::Poisson),
            measured,
        };
        let warm_up = self.warm_up.unwrap_or(WARM_UP);
        let warm_up = (!warm_up.is_zero()).then(|| phase("warm-up", warm_up, false));
        let steady = phase("steady", self.duration.unwrap_or(DURATION), true);
        LoadShape::Open {
            phases: warm_up.into_iter().chain([steady]).collect(),
            max_in_flight: self.max_in_flight.unwrap_or(MAX_IN_FLIGHT),
        }
    }

    fn nothing_closed(&self) -> Result<(), (&'static str, &'static str)> {
        let given = [
            ("pods", self.pods.is_some()),
            ("warm-up-pods", self.warm_up_pods.is_some()),
            ("concurrency", self.concurrency.is_some()),
        ];
        none(&given, NEEDS_CLOSED)
    }

    fn nothing_open(&self) -> Result<(), (&'static str, &'static str)> {
        let given = [
            ("arrivals", self.arrivals.is_some()),
            ("max-in-flight", self.max_in_flight.is_some()),
        ];
        none(&given, NEEDS_OPEN)
    }
}

fn none(
    given: &[(&'static str, bool)],
    why: &'static str,
) -> Result<(), (&'static str, &'static str)> {
    match given.iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((option, _)) => Err((*option, why)),
    }
}

fn set<T: Clone>(field: &mut T, given: Option<&T>) {
    if let Some(given) = given {
        field.clone_from(given);
    }
}
