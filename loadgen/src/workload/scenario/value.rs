//! Structured values of a scenario, in its document and as options.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Spanned, Value};

use super::entry::{fields, list, only, ordered, pair, positive, real, whole};
use super::limits::{MAX_DURATION, MAX_RATE, MIN_RATE};
use super::{Distribution, Lifecycle, Rate};

/// Error message with the place of its cause in the document.
pub(super) struct Problem {
    pub(super) span: Option<std::ops::Range<usize>>,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn at<T>(place: &Spanned<T>, message: String) -> Self {
        Self {
            span: Some(place.span()),
            message,
        }
    }
}

/// Key of a distribution, with the range of its values.
#[derive(Debug, Clone)]
pub struct Key {
    name: &'static str,
    range: RangeInclusive<u64>,
}

/// Containers of a pod. The maximum is far above the limit of a node.
pub const CONTAINERS: Key = Key {
    name: "containers",
    range: 0..=1000,
};

/// CPU request in millicores. The kernel accepts no CFS quota below 1 ms in a period
/// of 100 ms (`kernel/sched/core.c`, `min_cfs_quota_period`) and at most 2^18 shares
/// (`kernel/sched/sched.h`, `MAX_SHARES`).
pub const CPU_MILLICORES: Key = Key {
    name: "cpu_millicores",
    range: 10..=256_000,
};

/// Memory request in MiB.
pub const MEMORY_MIB: Key = Key {
    name: "memory_mib",
    range: 1..=1 << 24,
};

/// Limit of processes. The maximum is the kernel's PID_MAX_LIMIT
/// (`include/linux/threads.h`).
pub const PIDS: Key = Key {
    name: "pids",
    range: 1..=1 << 22,
};

/// Thirty days in milliseconds.
const MAX_MS: u64 = 30 * 24 * 3600 * 1000;

/// Stay of a pod, in milliseconds.
const LIFE: Key = Key {
    name: "life",
    range: 0..=MAX_MS,
};

/// Returns the key for the run time of a container that exits by itself, in
/// milliseconds.
const fn exit_after_ms(name: &'static str) -> Key {
    Key {
        name,
        range: 0..=MAX_MS,
    }
}

/// Returns the key for the exit code of a container that exits by itself; the range
/// is that of wait(2).
const fn exit_code(name: &'static str) -> Key {
    Key {
        name,
        range: 0..=255,
    }
}

const NANOS_PER_MS: u32 = 1_000_000;

/// Highest number of restarts of a container.
const MAX_RESTARTS: u64 = 10_000;

const FORMS: &str = "a number, [MIN, MAX], or one of { uniform = [MIN, MAX] }, \
    { log_uniform = [MIN, MAX] }, { normal = { mean, sd, min, max } }, \
    { log_normal = { median, sigma, min, max } }, { exponential = { mean, max } }, \
    { zipf = { exponent, values = [..] } } and { choice = [[VALUE, WEIGHT], ..] }";

/// Parses a distribution with values in the range of `key`.
pub(super) fn distribution(value: &Value, key: &Key) -> Result<Distribution, String> {
    let found = match value {
        Value::Integer(_) => Distribution::Constant(whole(value, key.name)?),
        Value::Array(_) => {
            let (min, max) = pair(value, key.name)?;
            Distribution::Uniform(min, max)
        }
        Value::Table(_) => of_table(value, key.name)?,
        _ => return Err(format!("{} is {value}, not {FORMS}", key.name)),
    };
    let (min, max) = found.range();
    let (least, most) = (*key.range.start(), *key.range.end());
    if min < least || max > most {
        return Err(format!(
            "{} goes from {min} to {max}, beyond what it may be, {least} to {most}",
            key.name
        ));
    }
    Ok(found)
}

fn of_table(value: &Value, key: &str) -> Result<Distribution, String> {
    let (kind, inner) = only(value, key, FORMS)?;
    let name = format!("{key}.{kind}");
    Ok(match kind {
        "constant" => Distribution::Constant(whole(inner, &name)?),
        "uniform" => {
            let (min, max) = pair(inner, &name)?;
            Distribution::Uniform(min, max)
        }
        "log_uniform" => {
            let (min, max) = pair(inner, &name)?;
            if min == 0 {
                return Err(format!("{name} begins at 0, which has no logarithm"));
            }
            Distribution::LogUniform(min, max)
        }
        "normal" => {
            let [mean, sd, min, max] = fields(inner, &name, ["mean", "sd", "min", "max"])?;
            let (min, max) = ordered(min, max, &name)?;
            let (mean, sd) = (real(mean, &name)?, positive(sd, &name)?);
            let place = |end: f64| (end - mean) / sd;
            often_enough(&name, min, max, place)?;
            Distribution::Normal { mean, sd, min, max }
        }
        "log_normal" => {
            let [median, sigma, min, max] =
                fields(inner, &name, ["median", "sigma", "min", "max"])?;
            let (min, max) = ordered(min, max, &name)?;
            let (median, sigma) = (positive(median, &name)?, positive(sigma, &name)?);
            let place = |end: f64| libm::log(end.max(0.0) / median) / sigma;
            often_enough(&name, min, max, place)?;
            Distribution::LogNormal {
                median,
                sigma,
                min,
                max,
            }
        }
        "exponential" => {
            // Keys of times carry their unit.
            let ms = inner.get("mean_ms").is_some();
            let keys = if ms {
                ["mean_ms", "max_ms"]
            } else {
                ["mean", "max"]
            };
            let [mean, max] = fields(inner, &name, keys)?;
            Distribution::Exponential {
                mean: positive(mean, &name)?,
                max: whole(max, &name)?,
            }
        }
        "zipf" => {
            let [exponent, values] = fields(inner, &name, ["exponent", "values"])?;
            let values = list(values, &name)?
                .iter()
                .map(|value| whole(value, &name))
                .collect::<Result<Vec<_>, _>>()?;
            Distribution::Zipf {
                exponent: positive(exponent, &name)?,
                values,
            }
        }
        "choice" => Distribution::Choice(choices(inner, &name)?),
        other => {
            return Err(format!(
                "{key} has the unknown form {other:?}: it is {FORMS}"
            ));
        }
    })
}

/// Lowest share of draws that must be in range. From this share on, practically every
/// value comes from a draw, not from clamping to an end of the range.
const LEAST_SHARE: f64 = 0.01;

/// Checks that draws are in range often enough; `place` returns the distance of a
/// value from the middle in standard deviations.
fn often_enough(name: &str, min: u64, max: u64, place: impl Fn(f64) -> f64) -> Result<(), String> {
    let above = |deviations: f64| libm::erfc(deviations / std::f64::consts::SQRT_2) / 2.0;
    // Includes the values that round to the ends.
    let share = above(place(min as f64 - 0.5)) - above(place(max as f64 + 0.5));
    // A share that is not a number fails, too.
    if share >= LEAST_SHARE {
        return Ok(());
    }
    Err(format!(
        "{name} hardly ever gives a value from {min} to {max}: in {:.2} % of draws, and it must be \
         1 % at least",
        share * 100.0
    ))
}

fn choices(value: &Value, name: &str) -> Result<Vec<(u64, u32)>, String> {
    let one = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([value, weight]) => {
            let weight = whole(weight, name)?;
            let weight = u32::try_from(weight)
                .map_err(|_| format!("{name} has the weight {weight}, above {}", u32::MAX))?;
            Ok((whole(value, name)?, weight))
        }
        _ => Err(format!("{name} has {value}, not [VALUE, WEIGHT]")),
    };
    let choices = list(value, name)?
        .iter()
        .map(one)
        .collect::<Result<Vec<_>, String>>()?;
    if choices.iter().all(|(_, weight)| *weight == 0) {
        return Err(format!("{name} has no weight above 0"));
    }
    Ok(choices)
}

/// Parses the stay of a pod.
pub(super) fn life(value: &Value) -> Result<Lifecycle, String> {
    const LIVES: &str = "\"held\", a time such as \"500ms\", a distribution of milliseconds, or \
        one of { crash_loop = { restarts, exit_after_ms } }, { job = { exit_after_ms, exit_code } } \
        and { restart_always = { hold, exit_after_ms, exit_code } }";
    let with_exits = ["crash_loop", "job", "restart_always"];
    match value {
        Value::String(text) if text == "held" => Ok(Lifecycle::Held),
        Value::String(text) => {
            let stay = humantime::parse_duration(text)
                .map_err(|_| format!("life is {text:?}, not {LIVES}"))?;
            let ms = milliseconds("life", text, stay)?;
            distribution(&Value::Integer(ms), &LIFE).map(Lifecycle::For)
        }
        Value::Table(table) if with_exits.iter().any(|kind| table.contains_key(*kind)) => {
            match only(value, "life", LIVES)? {
                ("crash_loop", inner) => crash_loop(inner),
                ("job", inner) => job(inner),
                (_, inner) => restart_always(inner),
            }
        }
        Value::Integer(_) | Value::Array(_) | Value::Table(_) => {
            distribution(value, &LIFE).map(Lifecycle::For)
        }
        _ => Err(format!("life is {value}, not {LIVES}")),
    }
}

fn milliseconds(name: &str, text: &str, time: Duration) -> Result<i64, String> {
    if !time.subsec_nanos().is_multiple_of(NANOS_PER_MS) {
        return Err(format!("{name} is {text:?}, not in whole milliseconds"));
    }
    Ok(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn crash_loop(value: &Value) -> Result<Lifecycle, String> {
    const NAME: &str = "life.crash_loop";
    let [restarts, exit_after] = fields(value, NAME, ["restarts", "exit_after_ms"])?;
    let restarts = whole(restarts, "life.crash_loop.restarts")?;
    if restarts > MAX_RESTARTS {
        return Err(format!(
            "{NAME}.restarts is {restarts}, above {MAX_RESTARTS}"
        ));
    }
    Ok(Lifecycle::CrashLoop {
        restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
        exit_after_ms: distribution(exit_after, &exit_after_ms("life.crash_loop.exit_after_ms"))?,
    })
}

fn job(value: &Value) -> Result<Lifecycle, String> {
    let [exit_after, code] = fields(value, "life.job", ["exit_after_ms", "exit_code"])?;
    Ok(Lifecycle::Job {
        exit_after_ms: distribution(exit_after, &exit_after_ms("life.job.exit_after_ms"))?,
        exit_code: distribution(code, &exit_code("life.job.exit_code"))?,
    })
}

fn restart_always(value: &Value) -> Result<Lifecycle, String> {
    const HOLD: &str = "life.restart_always.hold";
    let keys = ["hold", "exit_after_ms", "exit_code"];
    let [hold, exit_after, code] = fields(value, "life.restart_always", keys)?;
    let text = hold
        .as_str()
        .ok_or_else(|| format!("{HOLD} is {hold}, not a time such as \"1m\""))?;
    let hold = duration(text).map_err(|wrong| format!("{HOLD} {wrong}"))?;
    milliseconds(HOLD, text, hold)?;
    let after = exit_after_ms("life.restart_always.exit_after_ms");
    Ok(Lifecycle::RestartAlways {
        hold,
        exit_after_ms: distribution(exit_after, &after)?,
        exit_code: distribution(code, &exit_code("life.restart_always.exit_code"))?,
    })
}

/// Parses a number per second: a plain one, or one per second, minute or hour.
pub(super) fn per_second(text: &str) -> Result<f64, String> {
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let seconds = match unit.trim() {
        "s" | "sec" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (number / seconds).is_finite() => Ok(number / seconds),
        _ => Err("not a rate such as 10, 10/s, 5/m or 100/h".to_owned()),
    }
}

/// Parses a rate in pods per second.
pub(super) fn rate(value: &Value) -> Result<Rate, String> {
    const RATES: &str = "a number of pods per second, one with a unit such as \"5/m\", { ramp = [FROM, TO] } or { steps = [..] }";
    let one = |value: &Value, least: f64| {
        let rate = match value {
            Value::String(text) => {
                per_second(text).map_err(|wrong| format!("rate is {text:?}, {wrong}"))?
            }
            value => real(value, "rate")?,
        };
        if (least..=MAX_RATE).contains(&rate) {
            Ok(rate)
        } else {
            Err(format!("rate is {rate}, not from {least} to {MAX_RATE}"))
        }
    };
    let least = MIN_RATE;
    match value {
        Value::Integer(_) | Value::Float(_) | Value::String(_) => {
            Ok(Rate::Constant(one(value, least)?))
        }
        Value::Table(_) => {
            let (kind, inner) = only(value, "rate", RATES)?;
            let rates = list(inner, &format!("rate.{kind}"))?;
            match (kind, rates) {
                ("ramp", [from, to]) => {
                    let (from, to) = (one(from, 0.0)?, one(to, 0.0)?);
                    if from.max(to) < least {
                        return Err("rate.ramp never rises above 0".to_owned());
                    }
                    Ok(Rate::Ramp(from, to))
                }
                ("steps", rates) => {
                    let rates = rates.iter().map(|rate| one(rate, least));
                    Ok(Rate::Steps(rates.collect::<Result<_, _>>()?))
                }
                _ => Err(format!("rate is {value}, not {RATES}")),
            }
        }
        _ => Err(format!("rate is {value}, not {RATES}")),
    }
}

/// Parses a time above zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(format!("is {text:?}, which is no time at all")),
        Ok(time) if time > MAX_DURATION => Err(format!("is {text:?}, longer than thirty days")),
        Ok(time) => Ok(time),
        Err(e) => Err(format!(
            "is {text:?}, not a time such as \"500ms\" or \"2m\": {e}"
        )),
    }
}

impl Rate {
    /// Returns the average rate in pods per second.
    pub(crate) fn mean(&self) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Ramp(from, to) => f64::midpoint(*from, *to),
            Self::Steps(rates) => rates.iter().sum::<f64>() / rates.len() as f64,
        }
    }
}
