//! Programs that wait, bound the time of another command, or do nothing.

use std::time::Duration;

use super::call::Call;
use crate::outcome::Outcome;
use crate::world::Signal;

/// Exit code of `timeout` when it ends a command: that of SIGTERM, as in BusyBox.
const TIMED_OUT: u8 = 143;

pub(super) fn succeed(_: &mut Call<'_>) -> u8 {
    0
}

pub(super) fn fail(_: &mut Call<'_>) -> u8 {
    1
}

/// Parses a time such as `1.5`, `2m`, `3h` or `4d`; the default unit is the second. `infinity`
/// and a time that is too long are [`Duration::MAX`].
pub(crate) fn duration(text: &str) -> Option<Duration> {
    if matches!(text, "infinity" | "inf") {
        return Some(Duration::MAX);
    }
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let seconds = number.parse::<f64>().ok()?
        * match unit {
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => 1.0,
        };
    Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

pub(super) async fn sleep(mut call: Call<'_>) -> Outcome {
    if call.args.is_empty() {
        call.complain("usage: sleep N...").await;
        return Ok(1);
    }
    let mut total = Duration::ZERO;
    for text in call.args.clone() {
        let Some(one) = duration(&text) else {
            call.complain(&format!("invalid number '{text}'")).await;
            return Ok(1);
        };
        total = total.saturating_add(one);
    }
    tokio::time::sleep(total).await;
    Ok(0)
}

pub(super) async fn timeout(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("+s:k:t:").await?;
    let Some((time, words)) = arguments
        .operands
        .split_first()
        .filter(|(_, rest)| !rest.is_empty())
    else {
        call.complain("usage: timeout [-s SIG] SECS PROG ARGS")
            .await;
        return Ok(1);
    };
    let Some(time) = duration(time) else {
        call.complain(&format!("invalid number '{time}'")).await;
        return Ok(1);
    };
    let signal = match arguments.value('s').map(Signal::parse) {
        Some(Some(signal)) => signal.exit_code(),
        Some(None) => {
            call.complain("bad signal name").await;
            return Ok(1);
        }
        None => TIMED_OUT,
    };
    let variables = call.context.variables.of_program();
    call.spend(call.context.variables.bytes()).await?;
    let running = call.context.host.run(words.to_vec(), variables);
    Ok(match tokio::time::timeout(time, running).await {
        Ok(code) => code,
        Err(_) => signal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        assert_eq!(duration("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("infinity"), Some(Duration::MAX));
        assert_eq!(duration("1e300"), Some(Duration::MAX));
        for text in ["", "x", "-1", "NaN", "s", "é"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
