//! `date`. All times are in UTC.

use std::time::{Duration, SystemTime};

use super::call::Call;

/// Format of the time that `uptime` shows.
pub(super) const UPTIME_CLOCK: &str = "%H:%M:%S";

const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Longest format.
pub(super) const MAX_FORMAT_BYTES: usize = 4096;

pub(super) fn date(call: &mut Call<'_>) -> u8 {
    let mut time = call.world().now();
    let mut format = "%a %b %e %H:%M:%S UTC %Y".to_owned();
    let mut args = std::mem::take(&mut call.args).into_iter();
    while let Some(argument) = args.next() {
        match argument.as_str() {
            "-u" => {}
            "-d" => {
                let given = args.next().unwrap_or_default();
                let seconds = given
                    .strip_prefix('@')
                    .and_then(|text| text.parse::<u64>().ok());
                let seconds = seconds.map(Duration::from_secs);
                match seconds.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(seconds)) {
                    Some(given) => time = given,
                    None => return call.fail(&format!("invalid date '{given}'")),
                }
            }
            "-Iseconds" => format = "%Y-%m-%dT%H:%M:%S+00:00".to_owned(),
            "-I" => format = "%Y-%m-%d".to_owned(),
            "-R" => format = "%a, %d %b %Y %H:%M:%S +0000".to_owned(),
            argument => match argument.strip_prefix('+') {
                Some(given) if given.len() > MAX_FORMAT_BYTES => {
                    return call.fail(&format!("a format of more than {MAX_FORMAT_BYTES} bytes"));
                }
                Some(given) => format = given.to_owned(),
                None => return call.fail(&format!("invalid date '{argument}'")),
            },
        }
    }
    let line = formatted(time, &format);
    call.print_line(&line);
    0
}

/// Formats a time in UTC with the conversions of strftime(3), and `%N` for nanoseconds.
pub(super) fn formatted(time: SystemTime, format: &str) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = since.as_secs();
    let days = seconds / 86_400;
    let (year, month, day, day_of_year) = civil(days);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let weekday = usize::try_from(days % 7).unwrap_or(0);
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let part = match chars.next() {
            Some('Y') => year.to_string(),
            Some('y') => format!("{:02}", year % 100),
            Some('m') => format!("{:02}", month + 1),
            Some('d') => format!("{day:02}"),
            Some('e') => format!("{day:>2}"),
            Some('j') => format!("{day_of_year:03}"),
            Some('H') => format!("{hour:02}"),
            Some('I') => format!("{:02}", (hour + 11) % 12 + 1),
            Some('p') => if hour < 12 { "AM" } else { "PM" }.to_owned(),
            Some('M') => format!("{minute:02}"),
            Some('S') => format!("{second:02}"),
            Some('N') => format!("{:09}", since.subsec_nanos()),
            Some('s') => seconds.to_string(),
            Some('a') => WEEKDAYS[weekday][..3].to_owned(),
            Some('A') => WEEKDAYS[weekday].to_owned(),
            Some('u') => ((weekday + 3) % 7 + 1).to_string(),
            Some('b' | 'h') => MONTHS[month][..3].to_owned(),
            Some('B') => MONTHS[month].to_owned(),
            Some('F') => format!("{year}-{:02}-{day:02}", month + 1),
            Some('T') => format!("{hour:02}:{minute:02}:{second:02}"),
            Some('R') => format!("{hour:02}:{minute:02}"),
            Some('Z') => "UTC".to_owned(),
            Some('z') => "+0000".to_owned(),
            Some('n') => "\n".to_owned(),
            Some('t') => "\t".to_owned(),
            Some('%') | None => "%".to_owned(),
            Some(other) => format!("%{other}"),
        };
        text.push_str(&part);
    }
    text
}

/// Returns the date of a day in the Gregorian calendar, counted in days since 1970-01-01: the
/// year, the month from 0, the day of the month from 1 and the day of the year from 1.
fn civil(mut days: u64) -> (u64, usize, u64, u64) {
    // 400 years of the Gregorian calendar are 146,097 days.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let length = |year| 365 + u64::from(is_leap(year));
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    let day_of_year = days + 1;
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while month < 11 && days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    (year, month, days + 1, day_of_year)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_dates_that_date_gives() {
        let at = |seconds, format| {
            formatted(
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                format,
            )
        };
        assert_eq!(at(0, "%a %F %T %j %u"), "Thu 1970-01-01 00:00:00 001 4");
        assert_eq!(at(951_782_400, "%A %d %B %y"), "Tuesday 29 February 00");
        assert_eq!(
            at(4_107_542_399, "%F %I:%M:%S %p"),
            "2100-02-28 11:59:59 PM"
        );
        assert_eq!(at(1_700_000_000, "%s%%%q%"), "1700000000%%q%");
    }
}
