//! The values of a scenario that are more than a word: in its document, and as flags.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Spanned, Value};

use super::parse::MAX_RATE;
use super::{Distribution, Life, Rate};

/// Something wrong, and where.
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

/// A key whose value is a distribution, and which values it may give.
#[derive(Debug, Clone)]
pub struct Key {
    name: &'static str,
    range: RangeInclusive<u64>,
}

/// Containers of a pod: the most is far above what a node allows.
pub const CONTAINERS: Key = Key {
    name: "containers",
    range: 0..=1000,
};

/// A request in millicores. The kernel takes no CFS quota below 1 ms of a period
/// of 100 ms (`kernel/sched/core.c`, `min_cfs_quota_period`).
pub const CPU_MILLICORES: Key = Key {
    name: "cpu_millicores",
    range: 10..=1_000_000,
};

/// A request in MiB.
pub const MEMORY_MIB: Key = Key {
    name: "memory_mib",
    range: 1..=1 << 24,
};

/// Processes: the most is the kernel's PID_MAX_LIMIT (`include/linux/threads.h`).
pub const PIDS: Key = Key {
    name: "pids",
    range: 1..=1 << 22,
};

/// Milliseconds, at most thirty days.
const MILLISECONDS: Key = Key {
    name: "milliseconds",
    range: 0..=30 * 24 * 3600 * 1000,
};

/// How often containers may be started again.
const MAX_RESTARTS: u64 = 10_000;

const FORMS: &str = "a number, [MIN, MAX], or one of { uniform = [MIN, MAX] }, \
    { log_uniform = [MIN, MAX] }, { normal = { mean, sd, min, max } }, \
    { log_normal = { median, sigma, min, max } }, { exponential = { mean, max } }, \
    { zipf = { exponent, values = [..] } } and { choice = [[VALUE, WEIGHT], ..] }";

/// A distribution of what `key` may be.
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
            // Beyond, hardly one draw in a million is within the range.
            if mean + 5.0 * sd < min as f64 || mean - 5.0 * sd > max as f64 {
                return Err(format!(
                    "{name} hardly ever gives a value from {min} to {max}"
                ));
            }
            Distribution::Normal { mean, sd, min, max }
        }
        "log_normal" => {
            let [median, sigma, min, max] =
                fields(inner, &name, ["median", "sigma", "min", "max"])?;
            let (min, max) = ordered(min, max, &name)?;
            let (median, sigma) = (positive(median, &name)?, positive(sigma, &name)?);
            let reach = libm::exp(5.0 * sigma);
            if median * reach < min as f64 || median / reach > max as f64 {
                return Err(format!(
                    "{name} hardly ever gives a value from {min} to {max}"
                ));
            }
            Distribution::LogNormal {
                median,
                sigma,
                min,
                max,
            }
        }
        "exponential" => {
            // Times say what they are in.
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

/// How long a pod stays.
pub(super) fn life(value: &Value) -> Result<Life, String> {
    const LIVES: &str = "\"held\", a time such as \"500ms\", a distribution of milliseconds, or \
        { crash_loop = { restarts, exit_after_ms } }";
    match value {
        Value::String(text) if text == "held" => Ok(Life::Held),
        Value::String(text) => {
            let stay = humantime::parse_duration(text)
                .map_err(|_| format!("life is {text:?}, not {LIVES}"))?;
            let ms = u64::try_from(stay.as_millis()).unwrap_or(u64::MAX);
            let ms = Value::Integer(i64::try_from(ms).unwrap_or(i64::MAX));
            distribution(&ms, &MILLISECONDS).map(Life::For)
        }
        Value::Table(table) if table.contains_key("crash_loop") => {
            let (_, inner) = only(value, "life", LIVES)?;
            let name = "life.crash_loop";
            let [restarts, exit_after] = fields(inner, name, ["restarts", "exit_after_ms"])?;
            let restarts = whole(restarts, "life.crash_loop.restarts")?;
            if restarts > MAX_RESTARTS {
                return Err(format!(
                    "{name}.restarts is {restarts}, above {MAX_RESTARTS}"
                ));
            }
            Ok(Life::CrashLoop {
                restarts: u32::try_from(restarts).unwrap_or(u32::MAX),
                exit_after_ms: distribution(exit_after, &MILLISECONDS)?,
            })
        }
        Value::Integer(_) | Value::Array(_) | Value::Table(_) => {
            distribution(value, &MILLISECONDS).map(Life::For)
        }
        _ => Err(format!("life is {value}, not {LIVES}")),
    }
}

/// A rate of pods per second.
pub(super) fn rate(value: &Value) -> Result<Rate, String> {
    const RATES: &str = "a number of pods per second, { ramp = [FROM, TO] } or { steps = [..] }";
    let one = |value: &Value, least: f64| {
        let rate = real(value, "rate")?;
        if rate.is_finite() && rate >= least && rate <= MAX_RATE {
            Ok(rate)
        } else {
            Err(format!(
                "rate is {rate}, not above 0 and at most {MAX_RATE}"
            ))
        }
    };
    // A pod in a hundred thousand seconds: below is nothing at all.
    let least = 1e-5;
    match value {
        Value::Integer(_) | Value::Float(_) => Ok(Rate::Constant(one(value, least)?)),
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

/// A time above zero.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(format!("is {text:?}, which is no time at all")),
        Ok(time) if time > super::parse::MAX_DURATION => {
            Err(format!("is {text:?}, longer than thirty days"))
        }
        Ok(time) => Ok(time),
        Err(e) => Err(format!(
            "is {text:?}, not a time such as \"500ms\" or \"2m\": {e}"
        )),
    }
}

/// The only entry of a table.
fn only<'a>(value: &'a Value, name: &str, forms: &str) -> Result<(&'a str, &'a Value), String> {
    let mut entries = value.as_table().into_iter().flatten();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err(format!("{name} is {value}, not {forms}")),
    }
}

/// These entries of a table, which must have them all and no others.
fn fields<'a, const N: usize>(
    value: &'a Value,
    name: &str,
    keys: [&str; N],
) -> Result<[&'a Value; N], String> {
    let wanted = keys.join(", ");
    let table = value
        .as_table()
        .ok_or_else(|| format!("{name} is {value}, not a table of {wanted}"))?;
    if let Some(other) = table.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(format!(
            "{name} has the unknown key {other:?}; it has {wanted}"
        ));
    }
    let mut found = Vec::with_capacity(N);
    for key in keys {
        let value = table.get(key);
        found.push(value.ok_or_else(|| format!("{name} lacks {key}; it has {wanted}"))?);
    }
    found.try_into().map_err(|_| format!("{name} has {wanted}"))
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match value.as_array().map(Vec::as_slice) {
        Some([]) | None => Err(format!("{name} is {value}, not a list of something")),
        Some(list) => Ok(list),
    }
}

fn pair(value: &Value, name: &str) -> Result<(u64, u64), String> {
    match value.as_array().map(Vec::as_slice) {
        Some([min, max]) => ordered(min, max, name),
        _ => Err(format!("{name} is {value}, not [MIN, MAX]")),
    }
}

fn ordered(min: &Value, max: &Value, name: &str) -> Result<(u64, u64), String> {
    let (min, max) = (whole(min, name)?, whole(max, name)?);
    if min > max {
        return Err(format!(
            "{name} has the minimum {min} above the maximum {max}"
        ));
    }
    Ok((min, max))
}

fn whole(value: &Value, name: &str) -> Result<u64, String> {
    let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
    number.ok_or_else(|| format!("{name} has {value}, not a whole number from 0"))
}

fn real(value: &Value, name: &str) -> Result<f64, String> {
    let number = match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number).filter(|number| number.is_finite()),
        _ => None,
    };
    number.ok_or_else(|| format!("{name} has {value}, not a number"))
}

fn positive(value: &Value, name: &str) -> Result<f64, String> {
    let number = real(value, name)?;
    if number > 0.0 {
        Ok(number)
    } else {
        Err(format!("{name} has {value}, not a number above 0"))
    }
}

impl Rate {
    /// Pods per second on average.
    pub(crate) fn mean(&self) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Ramp(from, to) => f64::midpoint(*from, *to),
            Self::Steps(rates) => rates.iter().sum::<f64>() / rates.len() as f64,
        }
    }
}
