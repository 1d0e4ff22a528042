//! What a scenario consists of.

use std::time::Duration;

/// A whole workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// What it is good for, in a sentence.
    pub description: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// What pods ask for.
    pub pods: PodShape,
    /// When pods come.
    pub load: LoadShape,
    /// How many connections the pods share.
    pub connections: u32,
    /// How many threads drive the connections; at most one each.
    pub threads: u32,
    /// How long a call may take.
    pub timeout: Duration,
}

/// What pods ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct PodShape {
    /// How many containers a pod has.
    pub containers: Distribution,
    /// The CPU that a container requests, in millicores.
    pub cpu_millicores: Distribution,
    /// The memory that a container requests, in MiB.
    pub memory_mib: Distribution,
    /// The most processes that a container may have.
    pub pids: Distribution,
    /// How containers are ended.
    pub signal: SignalChoice,
    /// How long a pod stays once all its containers run.
    pub lifecycle: Lifecycle,
}

/// How long a pod stays once all its containers run.
#[derive(Debug, Clone, PartialEq)]
pub enum Lifecycle {
    /// So many milliseconds, drawn for each pod; then it is stopped and removed.
    For(Distribution),
    /// Until the last pod of the run has been started; then all are stopped and removed.
    Held,
    /// Its containers end by themselves, with exit code 1, and are deleted and
    /// created again, so many times; then the pod is stopped and removed.
    CrashLoop {
        /// How often a container is started again.
        restarts: u32,
        /// How long it runs each time, in milliseconds.
        exit_after_ms: Distribution,
    },
    /// Its containers end by themselves; then the pod is stopped and removed.
    Job {
        /// How long a container runs, in milliseconds.
        exit_after_ms: Distribution,
        /// With which exit code it ends, from 0 to 255.
        exit_code: Distribution,
    },
    /// Until so long after the last pod of the run has been started. Its containers
    /// end by themselves, and each is deleted and created again when it has. Then
    /// all pods are stopped and removed.
    RestartAlways {
        /// How long all pods are there.
        hold: Duration,
        /// How long a container runs each time, in milliseconds.
        exit_after_ms: Distribution,
        /// With which exit code it ends, from 0 to 255.
        exit_code: Distribution,
    },
}

/// The signals that containers are ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalChoice {
    /// SIGKILL for every container.
    Kill,
    /// SIGTERM for every container.
    Term,
    /// One or the other, by the plan.
    Mix,
}

/// A distribution of whole numbers.
///
/// Draws are the same on every machine: they use integers, or arithmetic that
/// no mathematical library of the platform takes part in.
#[derive(Debug, Clone, PartialEq)]
pub enum Distribution {
    /// Always this.
    Constant(u64),
    /// Each from the first to the last equally likely.
    Uniform(u64, u64),
    /// Each power of two that the range touches equally likely, and so is every value within one.
    LogUniform(u64, u64),
    /// A normal distribution, rounded, drawn again outside the range.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        sd: f64,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// A log-normal distribution, rounded, drawn again outside the range.
    LogNormal {
        /// Its median.
        median: f64,
        /// The standard deviation of its natural logarithm.
        sigma: f64,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// An exponential distribution, rounded, cut at `max`.
    Exponential {
        /// Its mean.
        mean: f64,
        /// The greatest value.
        max: u64,
    },
    /// The value at rank k, from 1, of a list with probability proportional to k^-exponent.
    Zipf {
        /// The exponent, above 0.
        exponent: f64,
        /// The values, the likeliest first.
        values: Vec<u64>,
    },
    /// Values and their weights.
    Choice(Vec<(u64, u32)>),
}

/// When pods come.
#[derive(Debug, Clone, PartialEq)]
pub enum LoadShape {
    /// When others have gone.
    Closed(Closed),
    /// When their time has come, whatever became of the others.
    Open {
        /// One after the other.
        phases: Vec<Phase>,
        /// The most pods that may be under way at once; others wait, and the
        /// time they wait counts.
        max_in_flight: u32,
    },
}

/// A closed loop: each worker starts its next pod when its last one has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// How many workers.
    pub concurrency: u32,
    /// How many pods at most, those of the warm-up not counted.
    pub pods: u64,
    /// How many pods come before those that are measured.
    pub warm_up_pods: u64,
    /// When it ends even if there are pods left; counted from the first measured pod.
    pub duration: Option<Duration>,
}

/// A part of an open loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it lasts.
    pub duration: Duration,
    /// Pods per second.
    pub rate: Rate,
    /// How arrivals are spaced.
    pub arrivals: Arrivals,
    /// Whether it is measured; a warm-up is not.
    pub measured: bool,
}

/// A rate of pods per second.
#[derive(Debug, Clone, PartialEq)]
pub enum Rate {
    /// The same all the time.
    Constant(f64),
    /// From the first to the second, linearly.
    Ramp(f64, f64),
    /// One after the other, for equal parts of the phase.
    Steps(Vec<f64>),
}

/// How arrivals are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly.
    Constant,
    /// As in a Poisson process: the gaps are exponentially distributed.
    Poisson,
}

/// What a container asks for by default: 10 millicores to 4 cores, 16 MiB to
/// 8 GiB, 32 to 4096 processes.
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
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Kill, Self::Term, Self::Mix];

    /// Returns the word for it in documents and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Term => "term",
            Self::Mix => "mix",
        }
    }

    /// Returns the choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|choice| choice.name() == name)
    }
}

impl Arrivals {
    /// Both ways.
    pub const ALL: [Self; 2] = [Self::Constant, Self::Poisson];

    /// Returns the word for it in documents and options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        }
    }

    /// Returns the arrivals of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|arrivals| arrivals.name() == name)
    }
}

impl PodShape {
    /// The default, with so many containers.
    pub fn with_containers(min: u64, max: u64) -> Self {
        Self {
            containers: Distribution::Uniform(min, max),
            ..Self::default()
        }
    }
}
