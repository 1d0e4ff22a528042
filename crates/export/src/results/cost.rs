//! Documents of `slotplan cost`.

use std::str::FromStr;

use inventory::Timestamp;
use serde::{Deserialize, Deserializer, de};

use super::{CostLine, ResultError};

pub(super) const SCHEMA: &str = "slotplan/cost/1";

#[derive(Deserialize)]
struct Cost {
    by: Vec<String>,
    currency: String,
    window: Window,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Window {
    #[serde(deserialize_with = "time")]
    start: Timestamp,
    #[serde(deserialize_with = "time")]
    end: Timestamp,
}

/// Group; the total is in billionths of the currency, the parts are in the currency.
#[derive(Deserialize)]
struct Group {
    key: String,
    kind: String,
    cpu: f64,
    memory: f64,
    gpu: f64,
    shared: f64,
    total_nano: i64,
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(from)?;
    Timestamp::from_str(&text).map_err(de::Error::custom)
}

pub(super) fn read(text: &str) -> Result<Vec<CostLine>, ResultError> {
    let cost: Cost = serde_json::from_str(text)?;
    let by = cost.by.join("/");
    let line = |group: Group| {
        let nano = |part: &'static str, money: f64| {
            nano(money).ok_or_else(|| ResultError::Money {
                part,
                key: group.key.clone(),
                money,
            })
        };
        Ok(CostLine {
            by: by.clone(),
            kind: group.kind,
            currency: cost.currency.clone(),
            start: cost.window.start,
            end: cost.window.end,
            cpu_nano: nano("cpu", group.cpu)?,
            memory_nano: nano("memory", group.memory)?,
            gpu_nano: nano("gpu", group.gpu)?,
            shared_nano: nano("shared", group.shared)?,
            total_nano: group.total_nano,
            key: group.key,
        })
    };
    cost.groups.into_iter().map(line).collect()
}

/// Returns an amount in billionths, rounded; `None` beyond 64 bits.
fn nano(money: f64) -> Option<i64> {
    /// 2^63, the first number beyond 64 bits.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let nano = (money * 1e9).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (nano.abs() < LIMIT).then_some(nano as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn document() -> Value {
        json!({
            "schema": SCHEMA, "version": "0.1.0", "currency": "USD", "by": ["namespace", "owner"],
            "window": {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "hours": 24.0},
            "groups": [{"key": "shop/Deployment/web", "kind": "containers", "cpu": 0.5,
                "memory": 0.25, "gpu": 0.0, "shared": 0.125, "total": 0.875,
                "total_nano": 875_000_000, "new_field": [1]}],
        })
    }

    #[test]
    fn a_group_becomes_a_line_in_billionths() {
        let lines = read(&document().to_string()).unwrap();
        let day = 1_767_225_600_000_000_000;
        assert_eq!(
            lines,
            [CostLine {
                by: "namespace/owner".to_owned(),
                key: "shop/Deployment/web".to_owned(),
                kind: "containers".to_owned(),
                currency: "USD".to_owned(),
                start: Timestamp(day),
                end: Timestamp(day + 86_400_000_000_000),
                cpu_nano: 500_000_000,
                memory_nano: 250_000_000,
                gpu_nano: 0,
                shared_nano: 125_000_000,
                total_nano: 875_000_000,
            }]
        );
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (pointer, value, message) in [
            (
                "/groups/0/cpu",
                json!(1e10),
                "cpu of group \"shop/Deployment/web\" is 10000000000",
            ),
            (
                "/groups/0/total_nano",
                json!(1.5),
                "no result of slotplan: invalid type",
            ),
            (
                "/groups",
                json!(3),
                "no result of slotplan: invalid type: integer `3`",
            ),
            (
                "/window/end",
                json!("soon"),
                "no result of slotplan: not a time",
            ),
        ] {
            let mut document = document();
            *document.pointer_mut(pointer).unwrap() = value;
            let error = read(&document.to_string()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
