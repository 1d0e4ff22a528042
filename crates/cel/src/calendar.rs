//! Points and lengths of time: calendar and texts.

pub(crate) const SECOND: i64 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND as i128;

/// First and last second of the years 1 to 9999.
const MIN_SECONDS: i128 = -62_135_596_800;
const MAX_SECONDS: i128 = 253_402_300_799;

/// Calendar fields of a point in time.
pub(crate) struct Fields {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) day_of_year: i64,
    pub(crate) day_of_week: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) milli: i64,
}

/// Returns year, month and day of a number of days since 1970 (Howard Hinnant's algorithm).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Returns the number of days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns the calendar fields of a point in time.
pub(crate) fn fields(nanos: i128) -> Fields {
    let whole = |number: i128| i64::try_from(number).unwrap_or(0);
    let day_number = whole(nanos.div_euclid(DAY));
    let in_day = nanos.rem_euclid(DAY);
    let seconds = whole(in_day / i128::from(SECOND));
    let (year, month, day) = civil(day_number);
    Fields {
        year,
        month,
        day,
        day_of_year: day_number - days(year, 1, 1),
        day_of_week: (day_number + 4).rem_euclid(7),
        hour: seconds / 3600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        milli: whole(in_day % i128::from(SECOND)) / 1_000_000,
    }
}

/// Returns the offset of a zone from UTC in nanoseconds. The names of zones need a data base of
/// them, which is not here, so `UTC` and offsets such as `-08:00` are all there are.
pub(crate) fn offset(zone: &str) -> Option<i128> {
    if matches!(zone, "" | "UTC" | "Z") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let parts = rest.split_once(':').and_then(|(hours, minutes)| {
        let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
        (hours < 24 && minutes < 60).then_some((hours, minutes))
    });
    let (hours, minutes) = parts?;
    let seconds = i128::from(hours) * 3600 + i128::from(minutes) * 60;
    Some(sign * seconds * i128::from(SECOND))
}

/// Returns a point in time if it lies in the years 1 to 9999.
pub(crate) fn in_range(nanos: i128) -> Option<i128> {
    let seconds = nanos.div_euclid(i128::from(SECOND));
    (MIN_SECONDS..=MAX_SECONDS)
        .contains(&seconds)
        .then_some(nanos)
}

/// Reads a point in time in RFC 3339.
pub(crate) fn parse_timestamp(text: &str) -> Option<i128> {
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(())?;
        digits.parse().ok()
    };
    let sign = |at: usize, of: &[u8]| text.as_bytes().get(at).is_some_and(|b| of.contains(b));
    let punctuated =
        sign(4, b"-") && sign(7, b"-") && sign(10, b"T") && sign(13, b":") && sign(16, b":");
    punctuated.then_some(())?;
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let date = days(year, month, day);
    let is_date = (1..=12).contains(&month) && civil(date) == (year, month, day);
    (is_date && hour < 24 && minute < 60 && second < 60).then_some(())?;
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            rest.split_at(end)
        }
        None => ("", rest),
    };
    if rest.starts_with('.') && fraction.is_empty() {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let away = match zone {
        "Z" => 0,
        zone if zone.starts_with(['+', '-']) && zone.len() == 6 => offset(zone)?,
        _ => return None,
    };
    let seconds = i128::from(date) * 86_400 + i128::from(hour * 3600 + minute * 60 + second);
    in_range(seconds * i128::from(SECOND) + nanos - away)
}

/// Reads a length of time as Go does: `1h30m`, `-1.5s`, `100ms`.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let has_digits = !whole.is_empty() || !fraction.is_empty();
        let is_number = has_digits && !fraction.contains('.') && number.len() < 40;
        is_number.then_some(())?;
        let units = [
            ("ns", 1),
            ("us", 1000),
            ("µs", 1000),
            ("μs", 1000),
            ("ms", 1_000_000),
            ("s", SECOND),
            ("m", 60 * SECOND),
            ("h", 3600 * SECOND),
        ];
        let (name, unit) = units
            .into_iter()
            .find(|(name, _)| behind.starts_with(name))?;
        let unit = i128::from(unit);
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        total = total.checked_add(whole.checked_mul(unit)?)?;
        let digits: i128 = format!("{fraction:0<18}").get(..18)?.parse().ok()?;
        total = total.checked_add(digits * unit / 1_000_000_000_000_000_000)?;
        rest = &behind[name.len()..];
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

/// Writes a point in time in RFC 3339, with the digits of a second that it needs.
pub(crate) fn show_timestamp(nanos: i128) -> String {
    let of = fields(nanos);
    let fraction = nanos.rem_euclid(i128::from(SECOND));
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:09}").trim_end_matches('0').to_owned(),
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z",
        of.year, of.month, of.day, of.hour, of.minute, of.second
    )
}

/// Writes a length of time in seconds: `90s`, `1.5s`.
pub(crate) fn show_duration(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (nanos, second) = (nanos.unsigned_abs(), SECOND.unsigned_abs());
    let (whole, fraction) = (nanos / second, nanos % second);
    let fraction = match fraction {
        0 => String::new(),
        fraction => format!(".{fraction:09}").trim_end_matches('0').to_owned(),
    };
    format!("{sign}{whole}{fraction}s")
}
