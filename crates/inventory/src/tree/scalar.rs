//! Types of plain scalars.
//!
//! The rules are those of YAML 1.1 as `sigs.k8s.io/yaml` reads it (`resolve` of goyaml.v2), which
//! kubectl and the API server use: `yes` and `on` are booleans, `010` is eight.

use super::Value;

/// Returns the value of a scalar without quotes.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Value::Text(text.to_owned());
    }
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    integer(&digits)
        .or_else(|| float(&digits))
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |prefixes: [&str; 2]| prefixes.iter().find_map(|p| digits.strip_prefix(p));
    let (digits, radix) = if let Some(rest) = radix(["0x", "0X"]) {
        (rest, 16)
    } else if let Some(rest) = radix(["0o", "0O"]) {
        (rest, 8)
    } else if let Some(rest) = radix(["0b", "0B"]) {
        (rest, 2)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (&digits[1..], 8)
    } else {
        (digits, 10)
    };
    if !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude).map(Value::Signed)
    } else {
        Some(i64::try_from(magnitude).map_or(Value::Unsigned(magnitude), Value::Signed))
    }
}

/// Reads `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
fn float(text: &str) -> Option<Value> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    if let Some(exponent) = exponent
        && !is_number(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))
    {
        return None;
    }
    let is_mantissa = match mantissa.split_once('.') {
        None => is_number(mantissa),
        Some(("", fraction)) => is_number(fraction),
        Some((whole, fraction)) => is_number(whole) && (fraction.is_empty() || is_number(fraction)),
    };
    if is_mantissa {
        text.parse().ok().map(Value::Float)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_that_kubectl_gives_them() {
        for (text, value) in [
            ("~", Value::Null),
            ("on", Value::Bool(true)),
            ("No", Value::Bool(false)),
            ("0", Value::Signed(0)),
            ("-7", Value::Signed(-7)),
            ("010", Value::Signed(8)),
            ("0x10", Value::Signed(16)),
            ("1_000", Value::Signed(1000)),
            ("18446744073709551615", Value::Unsigned(u64::MAX)),
            ("-9223372036854775808", Value::Signed(i64::MIN)),
            (
                "18446744073709551616",
                Value::Float(18_446_744_073_709_551_616.0),
            ),
            ("0.1", Value::Float(0.1)),
            ("1e3", Value::Float(1000.0)),
            ("089", Value::Float(89.0)),
            (".5", Value::Float(0.5)),
            ("5.", Value::Float(5.0)),
        ] {
            assert_eq!(resolve(text), value, "{text}");
        }
        for text in [
            "1E", "100m", "-", "+", ".", "1.2.3", "0x", "e3", "1e", "2Gi", "0b2", "+-1",
        ] {
            assert_eq!(resolve(text), Value::Text(text.to_owned()), "{text}");
        }
    }
}
