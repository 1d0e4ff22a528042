//! Changes to a scenario.

use std::borrow::Cow;
use std::time::Duration;

use super::parse::not_too_many;
use super::{Arrivals, Distribution, Lifecycle, LoadShape, Phase, Rate, Scenario, SignalChoice};

/// How long an open loop is measured if nothing else is said, and its warm-up.
const DURATION: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(2);

/// The most pods under way in an open loop if nothing else is said.
const MAX_IN_FLIGHT: u32 = 10_000;

/// Changes to a scenario; `None` leaves a value as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Where everything random comes from.
    pub seed: Option<u64>,
    /// How many pods, in a closed loop.
    pub pods: Option<u64>,
    /// How many pods of a closed loop come before those that are measured.
    pub warm_up_pods: Option<u64>,
    /// How many pods a closed loop has under way at once.
    pub concurrency: Option<u32>,
    /// Make it an open loop: so many pods a second, whatever becomes of them.
    pub rate: Option<f64>,
    /// How the pods of an open loop are spaced.
    pub arrivals: Option<Arrivals>,
    /// How long it is measured: an open loop with one measured phase, or the most for a closed one.
    pub duration: Option<Duration>,
    /// With --rate: how long the warm-up before it is; "0s" for none.
    pub warm_up: Option<Duration>,
    /// How many pods of an open loop may be under way at once; the others wait, and that counts.
    pub max_in_flight: Option<u32>,
    /// How many connections the pods share; at most one for each.
    pub connections: Option<u32>,
    /// How many threads drive the connections; at most one for each.
    pub threads: Option<u32>,
    /// How long a call may take.
    pub timeout: Option<Duration>,
    /// How many containers a pod has: N, MIN-MAX, or a distribution as in a scenario.
    pub containers: Option<Distribution>,
    /// The CPU that a container requests, in millicores.
    pub cpu_millicores: Option<Distribution>,
    /// The memory that a container requests, in MiB.
    pub memory_mib: Option<Distribution>,
    /// The most processes that a container may have.
    pub pids: Option<Distribution>,
    /// The signal that ends a container.
    pub signal: Option<SignalChoice>,
    /// How long a pod stays once its containers run: a time, "held", or as in a scenario.
    pub lifecycle: Option<Lifecycle>,
}

/// An option that does not go with the scenario.
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
    /// Changes a scenario.
    ///
    /// # Errors
    /// If an option has no meaning for it.
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

    /// One rate, after a warm-up at the same.
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
