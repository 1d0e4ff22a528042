//! Canonical TOML form of a scenario: equal scenarios print equally.

use std::fmt::{self, Display, Formatter};

use super::{Closed, Distribution, Lifecycle, LoadShape, Phase, Rate, Scenario};

impl Display for Scenario {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "name = {}", text(&self.name))?;
        writeln!(f, "description = {}", text(&self.description))?;
        if let Some(subject) = &self.subject {
            writeln!(f, "subject = {}", text(subject))?;
        }
        writeln!(f, "seed = {}", self.seed)?;
        let pods = &self.pods;
        writeln!(f, "\n[pods]")?;
        writeln!(f, "containers = {}", pods.containers)?;
        writeln!(f, "cpu_millicores = {}", pods.cpu_millicores)?;
        writeln!(f, "memory_mib = {}", pods.memory_mib)?;
        writeln!(f, "pids = {}", pods.pids)?;
        writeln!(f, "signal = {}", text(pods.signal.name()))?;
        writeln!(f, "life = {}", pods.lifecycle)?;
        writeln!(f, "\n[load]")?;
        writeln!(f, "connections = {}", self.connections)?;
        writeln!(f, "threads = {}", self.threads)?;
        writeln!(f, "timeout = {}", time(self.timeout))?;
        match &self.load {
            LoadShape::Closed(closed) => write!(f, "{closed}"),
            LoadShape::Open {
                phases,
                max_in_flight,
            } => {
                writeln!(f, "max_in_flight = {max_in_flight}")?;
                phases.iter().try_for_each(|phase| write!(f, "\n{phase}"))
            }
        }
    }
}

impl Display for Closed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "concurrency = {}", self.concurrency)?;
        writeln!(f, "pods = {}", self.pods)?;
        writeln!(f, "warm_up_pods = {}", self.warm_up_pods)?;
        match self.duration {
            None => Ok(()),
            Some(duration) => writeln!(f, "duration = {}", time(duration)),
        }
    }
}

impl Display for Phase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "[[load.phases]]")?;
        writeln!(f, "name = {}", text(&self.name))?;
        writeln!(f, "duration = {}", time(self.duration))?;
        writeln!(f, "rate = {}", self.rate)?;
        writeln!(f, "arrivals = {}", text(self.arrivals.name()))?;
        writeln!(f, "measured = {}", self.measured)
    }
}

impl Display for Rate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            // Debug format, so that every rate prints as a float with a point.
            Self::Constant(rate) => write!(f, "{rate:?}"),
            Self::Ramp(from, to) => write!(f, "{{ ramp = [{from:?}, {to:?}] }}"),
            Self::Steps(rates) => write!(f, "{{ steps = {rates:?} }}"),
        }
    }
}

impl Display for Lifecycle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(Distribution::Constant(ms)) => write!(f, "\"{ms}ms\""),
            Self::For(stay) => write!(f, "{stay}"),
            Self::Held => f.write_str("\"held\""),
            Self::CrashLoop {
                restarts,
                exit_after_ms,
            } => write!(
                f,
                "{{ crash_loop = {{ restarts = {restarts}, exit_after_ms = {exit_after_ms} }} }}"
            ),
            Self::Job {
                exit_after_ms,
                exit_code,
            } => write!(
                f,
                "{{ job = {{ exit_after_ms = {exit_after_ms}, exit_code = {exit_code} }} }}"
            ),
            Self::RestartAlways {
                hold,
                exit_after_ms,
                exit_code,
            } => write!(
                f,
                "{{ restart_always = {{ hold = {}, exit_after_ms = {exit_after_ms}, \
                 exit_code = {exit_code} }} }}",
                time(*hold)
            ),
        }
    }
}

impl Display for Distribution {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(value) => write!(f, "{value}"),
            Self::Uniform(min, max) => write!(f, "[{min}, {max}]"),
            Self::LogUniform(min, max) => write!(f, "{{ log_uniform = [{min}, {max}] }}"),
            Self::Normal { mean, sd, min, max } => write!(
                f,
                "{{ normal = {{ mean = {mean:?}, sd = {sd:?}, min = {min}, max = {max} }} }}"
            ),
            Self::LogNormal {
                median,
                sigma,
                min,
                max,
            } => write!(
                f,
                "{{ log_normal = {{ median = {median:?}, sigma = {sigma:?}, min = {min}, \
                 max = {max} }} }}"
            ),
            Self::Exponential { mean, max } => {
                write!(f, "{{ exponential = {{ mean = {mean:?}, max = {max} }} }}")
            }
            Self::Zipf { exponent, values } => write!(
                f,
                "{{ zipf = {{ exponent = {exponent:?}, values = {values:?} }} }}"
            ),
            Self::Choice(choices) => {
                let each = choices
                    .iter()
                    .map(|(value, weight)| format!("[{value}, {weight}]"));
                write!(
                    f,
                    "{{ choice = [{}] }}",
                    each.collect::<Vec<_>>().join(", ")
                )
            }
        }
    }
}

fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn time(time: std::time::Duration) -> String {
    format!("\"{}\"", humantime::format_duration(time))
}
