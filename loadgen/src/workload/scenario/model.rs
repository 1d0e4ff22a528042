//! Types of a scenario.

use std::time::Duration;

/// Complete description of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Name: lower-case letters, digits and hyphens.
    pub name: String,
    /// Purpose of the scenario, in a sentence.
    pub description: String,
    /// Subject to load, in the form of `--subject`; `None` leaves it to the command line.
    pub subject: Option<String>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Properties of pods.
    pub pods: PodShape,
    /// Arrivals of pods.
    pub load: LoadShape,
    /// Number of connections that the pods share.
    pub connections: u32,
    /// Number of threads that drive the connections; at most one per connection.
    pub threads: u32,
    /// Time limit of a call.
    pub timeout: Duration,
}

/// Distributions of the properties of pods.
#[derive(Debug, Clone, PartialEq)]
pub struct PodShape {
    /// Number of containers per pod.
    pub containers: Distribution,
    /// CPU request of a container, in millicores.
    pub cpu_millicores: Distribution,
    /// Memory request of a container, in MiB.
    pub memory_mib: Distribution,
    /// Limit of processes of a container.
    pub pids: Distribution,
    /// Signals that end containers.
    pub signal: SignalChoice,
    /// Stay of a pod once all its containers run.
    pub lifecycle: Lifecycle,
}

/// Stay of a pod once all its containers run.
#[derive(Debug, Clone, PartialEq)]
pub enum Lifecycle {
    /// Fixed time in milliseconds, drawn per pod; the pod is then stopped and
    /// removed.
    For(Distribution),
    /// Until the last pod of the run has been started; all pods are then stopped and
    /// removed.
    Held,
    /// Until each container has exited by itself with exit code 1 and has been
    /// deleted and created again `restarts` times; the pod is then stopped and
    /// removed.
    CrashLoop {
        /// Number of restarts of a container.
        restarts: u32,
        /// Run time of a container before each exit, in milliseconds.
        exit_after_ms: Distribution,
    },
    /// Until all containers have exited by themselves; the pod is then stopped and
    /// removed.
    Job {
        /// Run time of a container, in milliseconds.
        exit_after_ms: Distribution,
        /// Exit code of a container, from 0 to 255.
        exit_code: Distribution,
    },
    /// Until `hold` after the last pod of the run has been started. A container exits
    /// by itself and is then deleted and created again. At the end all pods are
    /// stopped and removed.
    RestartAlways {
        /// Time with all pods present.
        hold: Duration,
        /// Run time of a container before each exit, in milliseconds.
        exit_after_ms: Distribution,
        /// Exit code of a container, from 0 to 255.
        exit_code: Distribution,
    },
}

/// Choice of the signals that end containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalChoice {
    /// SIGKILL for every container.
    Kill,
    /// SIGTERM for every container.
    Term,
    /// SIGKILL or SIGTERM per container, drawn by the plan.
    Mix,
}

/// Distribution of whole numbers.
///
/// Draws are the same on every machine: they use integers, or arithmetic without the
/// mathematical library of the platform.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Always this value.
    Constant(u64),
    /// Every value from the first to the second, equally likely.
    Uniform(u64, u64),
    /// Every power of two that the range touches equally likely, and every value
    /// within one equally likely.
    LogUniform(u64, u64),
    /// Normal distribution, rounded; a value out of range is drawn again.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        sd: f64,
        /// Lowest value.
        min: u64,
        /// Highest value.
        max: u64,
    },
    /// Log-normal distribution, rounded; a value out of range is drawn again.
    LogNormal {
        /// Median.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
        /// Lowest value.
        min: u64,
        /// Highest value.
        max: u64,
    },
    /// Exponential distribution, rounded and cut at `max`.
    Exponential {
        /// Mean.
        mean: f64,
        /// Highest value.
        max: u64,
    },
    /// Value at rank k, from 1, of a list, with a probability proportional to
    /// k^-exponent.
    Zipf {
        /// Exponent, above 0.
        exponent: f64,
        /// Values, the likeliest first.
        values: Vec<u64>,
    },
    /// Values with their weights.
    Choice(Vec<(u64, u32)>),
}

/// Arrivals of pods.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadShape {
    /// A pod starts when an earlier one has ended.
    Closed(Closed),
    /// A pod starts at its intended time, independent of other pods.
    Open {
        /// Phases in order.
        phases: Vec<Phase>,
        /// Highest number of pods under way at once. Further pods wait, and their
        /// latency includes the wait.
        max_in_flight: u32,
    },
}

/// A closed loop: each worker starts its next pod when its last one has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Number of workers.
    pub concurrency: u32,
    /// Number of pods, without the warm-up.
    pub pods: u64,
    /// Number of pods in the warm-up, before measuring begins.
    pub warm_up_pods: u64,
    /// Time limit from the first measured pod; the loop then ends even if pods are
    /// left. `None`: no limit.
    pub duration: Option<Duration>,
}

/// Part of an open loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Name.
    pub name: String,
    /// Length.
    pub duration: Duration,
    /// Rate of arrivals, in pods per second.
    pub rate: Rate,
    /// Spacing of arrivals.
    pub arrivals: Arrivals,
    /// Whether the phase is measured; a warm-up is not.
    pub measured: bool,
}

/// Rate of pods per second over a phase.
#[derive(Debug, Clone, PartialEq)]
pub enum Rate {
    /// Constant rate.
    Constant(f64),
    /// Linear change from the first to the second rate.
    Ramp(f64, f64),
    /// Sequence of rates, for equal parts of the phase.
    Steps(Vec<f64>),
}

/// Spacing of arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Equal gaps.
    Constant,
    /// Poisson process: exponentially distributed gaps.
    Poisson,
}

/// Default resources: 10 millicores to 4 cores, 16 MiB to 8 GiB, 32 to 4096 processes
/// per container.
impl Default for PodShape {
    fn default() -> Self {
        Self {
            containers: Distribution::Uniform(1, 4),
            cpu_millicores: Distribution::LogUniform(10, 4000),
            memory_mib: Distribution::LogUniform(16, 8192),
            pids: Distribution::LogUniform(32, 4096),
            signal: SignalChoice::Mix,
            lifecycle: Lifecycle::For(Distribution::Constant(0)),
        }
    }
}

impl SignalChoice {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::Kill, Self::Term, Self::Mix];

    /// Returns the word in documents and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Mix => "mix",
        }
    }

    /// Returns the choice with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

impl Arrivals {
    /// All spacings.
    pub const ALL: [Self; 2] = [Self::Constant, Self::Poisson];

    /// Returns the word in documents and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }

    /// Returns the spacing with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|arrivals| arrivals.name() == name)
    }
}

impl PodShape {
    /// Returns the default shape with `min` to `max` containers per pod.
    pub fn with_containers(min: u64, max: u64) -> Self {
        Self {
            containers: Distribution::Uniform(min, max),
            ..Self::default()
        }
    }
}
