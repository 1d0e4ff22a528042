//! Log lines of a fixed shape:
//! `[2024-01-01T10:00:00Z INFO  resource_slot_sandboxer] Creating ResourceSlot sandbox: test-sandbox`.

mod output;

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::cli::LogFormat;
use output::Output;

/// Target that all events of this project's crates are shown with.
const TARGET: &str = "resource_slot_sandboxer";
/// Crates of this project whose events are logged at the chosen level and shown with
/// [`TARGET`].
const OWN: [&str; 9] = [
    TARGET,
    "sandboxer",
    "containerd_sandbox",
    "journal",
    "views",
    "slot",
    "pod_resources",
    "toy_userland",
    "exposition",
];

struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let time = humantime::format_rfc3339_seconds(printable(SystemTime::now()));
        let name = target(metadata.target());
        write!(writer, "[{time} {:<5} {name}] ", metadata.level())?;
        let mut fields = Fields {
            writer: Clean(writer.by_ref()),
            written: Ok(()),
        };
        event.record(&mut fields);
        fields.written?;
        writeln!(writer)
    }
}

/// Writes an event's message, followed by its other fields.
struct Fields<'a> {
    writer: Clean<'a>,
    written: fmt::Result,
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.written = self.written.and_then(|()| match field.name() {
            "message" => write!(self.writer, "{value:?}"),
            // Source positions that crates log through the crate `log`.
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.writer, " {name}={value:?}"),
        });
    }
}

/// Escapes control characters that a terminal would obey, because messages contain clients'
/// text. Text without one, the usual case, is written as a whole.
struct Clean<'a>(Writer<'a>);

impl Write for Clean<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_clean = |c: char| !c.is_control() || c == '\n' || c == '\t';
        if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) || text.chars().all(is_clean) {
            return self.0.write_str(text);
        }
        for c in text.chars() {
            if is_clean(c) {
                self.0.write_char(c)?;
            } else {
                write!(self.0, "{}", c.escape_default())?;
            }
        }
        Ok(())
    }
}

/// Returns the time, or the nearest one that RFC 3339 can express: a clock that was never set
/// may run before 1970.
fn printable(time: SystemTime) -> SystemTime {
    // The last second of the year 9999.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    time.clamp(UNIX_EPOCH, last)
}

fn target(target: &str) -> &str {
    let name = target.split("::").next().unwrap_or(target);
    if OWN.contains(&name) { TARGET } else { target }
}

/// Starts logging to standard error.
pub(crate) fn start(level: Level, format: LogFormat) {
    let others = if level == Level::TRACE {
        Level::TRACE
    } else {
        Level::WARN
    };
    let mut filter = Targets::new().with_default(others);
    for own in OWN {
        filter = filter.with_target(own, level);
    }
    if level != Level::TRACE {
        // ttrpc logs a line per frame or call about errors of a client; the server's own
        // checks log once.
        filter = filter.with_target("ttrpc", LevelFilter::OFF);
    }
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_ansi(false);
    match format {
        LogFormat::Text => {
            let layer = layer.with_writer(Output::stderr(text_notice));
            registry.with(layer.event_format(Line)).init();
        }
        LogFormat::Json => {
            let layer = layer.with_writer(Output::stderr(json_notice));
            registry.with(layer.json().flatten_event(true)).init();
        }
    }
}

/// Message that stands in the place of lost lines.
fn lost_lines(lost: u64) -> String {
    format!("{lost} lines of the log were lost here: standard error took no output")
}

fn text_notice(time: SystemTime, lost: u64) -> String {
    let time = humantime::format_rfc3339_seconds(printable(time));
    format!("[{time} WARN  {TARGET}] {}\n", lost_lines(lost))
}

fn json_notice(time: SystemTime, lost: u64) -> String {
    let line = serde_json::json!({
        "timestamp": humantime::format_rfc3339_micros(printable(time)).to_string(),
        "level": "WARN",
        "message": lost_lines(lost),
        "target": TARGET,
    });
    format!("{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_our_crates_have_one_target() {
        assert_eq!(target("sandboxer::live::core"), TARGET);
        assert_eq!(target("containerd_sandbox::server"), TARGET);
        assert_eq!(target("journal::writer"), TARGET);
        assert_eq!(target("views::worker"), TARGET);
        assert_eq!(target("h2::proto"), "h2::proto");
    }

    #[test]
    fn a_clock_before_1970_or_after_9999_has_a_printable_time() {
        let shown = |time| humantime::format_rfc3339_seconds(printable(time)).to_string();
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        assert_eq!(shown(UNIX_EPOCH - century), "1970-01-01T00:00:00Z");
        assert_eq!(shown(UNIX_EPOCH + 100 * century), "9999-12-31T23:59:59Z");
        assert_eq!(shown(UNIX_EPOCH + century / 2), "2019-12-20T00:00:00Z");
    }

    #[test]
    fn the_notice_of_lost_lines_has_the_form_of_the_log() {
        assert_eq!(
            text_notice(UNIX_EPOCH, 12),
            "[1970-01-01T00:00:00Z WARN  resource_slot_sandboxer] 12 lines of the log were lost \
             here: standard error took no output\n"
        );
        let json = json_notice(UNIX_EPOCH, 1);
        let fields: serde_json::Value = serde_json::from_str(json.trim_end()).unwrap();
        assert_eq!(fields["level"], "WARN");
        assert_eq!(fields["timestamp"], "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn control_characters_are_shown_as_text() {
        let mut line = String::new();
        let text = "schön\t\u{1b}[31mred\u{7}\n";
        Clean(Writer::new(&mut line)).write_str(text).unwrap();
        assert_eq!(line, "schön\t\\u{1b}[31mred\\u{7}\n");
    }
}
