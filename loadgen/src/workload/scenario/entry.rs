//! Entries of TOML tables and lists. Error messages contain the key and the value.

use toml::Value;

/// Returns the only entry of a table.
pub(super) fn only<'a>(
    value: &'a Value,
    name: &str,
    forms: &str,
) -> Result<(&'a str, &'a Value), String> {
    let mut entries = value.as_table().into_iter().flatten();
    match (entries.next(), entries.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err(format!("{name} is {value}, not {forms}")),
    }
}

/// Returns the entries of a table, which must have exactly these keys.
pub(super) fn fields<'a, const N: usize>(
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

pub(super) fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match value.as_array().map(Vec::as_slice) {
        Some([]) | None => Err(format!("{name} is {value}, not a list of something")),
        Some(list) => Ok(list),
    }
}

pub(super) fn pair(value: &Value, name: &str) -> Result<(u64, u64), String> {
    match value.as_array().map(Vec::as_slice) {
        Some([min, max]) => ordered(min, max, name),
        _ => Err(format!("{name} is {value}, not [MIN, MAX]")),
    }
}

pub(super) fn ordered(min: &Value, max: &Value, name: &str) -> Result<(u64, u64), String> {
    let (min, max) = (whole(min, name)?, whole(max, name)?);
    if min > max {
        return Err(format!(
            "{name} has the minimum {min} above the maximum {max}"
        ));
    }
    Ok((min, max))
}

pub(super) fn whole(value: &Value, name: &str) -> Result<u64, String> {
    let number = value.as_integer().and_then(|n| u64::try_from(n).ok());
    number.ok_or_else(|| format!("{name} has {value}, not a whole number from 0"))
}

pub(super) fn real(value: &Value, name: &str) -> Result<f64, String> {
    let number = match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Float(number) => Some(*number).filter(|number| number.is_finite()),
        _ => None,
    };
    number.ok_or_else(|| format!("{name} has {value}, not a number"))
}

pub(super) fn positive(value: &Value, name: &str) -> Result<f64, String> {
    let number = real(value, name)?;
    if number > 0.0 {
        Ok(number)
    } else {
        Err(format!("{name} has {value}, not a number above 0"))
    }
}
