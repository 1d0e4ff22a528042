//! Parsers for values of a scenario in the form of options.

use std::time::Duration;

use super::limits::{MAX_DURATION, MAX_RATE, MIN_RATE};
use super::value::{self, Key};
use super::{Distribution, Lifecycle};

/// Parses a rate: a number per second, or one with a unit such as `10/s`, `5/m` or `100/h`.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn rate(text: &str) -> Result<f64, String> {
    match value::per_second(text)? {
        rate if (MIN_RATE..=MAX_RATE).contains(&rate) => Ok(rate),
        _ => Err(format!("not from {MIN_RATE} to {MAX_RATE} per second")),
    }
}

/// Parses a time above zero, such as `500ms`.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn duration(text: &str) -> Result<Duration, String> {
    value::duration(text)
}

/// Parses a time; `0s` is valid.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn duration_or_none(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time <= MAX_DURATION => Ok(time),
        Ok(_) => Err("longer than thirty days".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Parses the number of containers of a pod.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn containers(text: &str) -> Result<Distribution, String> {
    distribution(text, &value::CONTAINERS)
}

/// Parses the CPU request of a container, in millicores.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn cpu_millicores(text: &str) -> Result<Distribution, String> {
    distribution(text, &value::CPU_MILLICORES)
}

/// Parses the memory request of a container, in MiB.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn memory_mib(text: &str) -> Result<Distribution, String> {
    distribution(text, &value::MEMORY_MIB)
}

/// Parses the limit of processes of a container.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn pids(text: &str) -> Result<Distribution, String> {
    distribution(text, &value::PIDS)
}

/// Parses MIN-MAX, or a distribution in the form of a scenario.
fn distribution(text: &str, key: &Key) -> Result<Distribution, String> {
    let range = text
        .split_once('-')
        .and_then(|(min, max)| Some((min.trim().parse().ok()?, max.trim().parse().ok()?)));
    let value = match range {
        Some((min, max)) => {
            toml::Value::Array(vec![toml::Value::Integer(min), toml::Value::Integer(max)])
        }
        None => toml_value(text)?,
    };
    value::distribution(&value, key)
}

/// Parses the stay of a pod.
///
/// # Errors
/// A message that describes the error in `text`.
pub fn lifecycle(text: &str) -> Result<Lifecycle, String> {
    let value = match toml_value(text) {
        Ok(value) if value.is_table() || value.is_array() => value,
        _ => toml::Value::String(text.to_owned()),
    };
    value::life(&value)
}

fn toml_value(text: &str) -> Result<toml::Value, String> {
    let mut table: toml::Table = toml::from_str(&format!("value = {text}"))
        .map_err(|e| format!("not a TOML value: {}", e.message()))?;
    table
        .remove("value")
        .ok_or_else(|| "not a TOML value".to_owned())
}
