//! Log lines of a fixed shape:
//! `[2024-01-01T10:00:00Z INFO  resource_slot_sandboxer] Creating ResourceSlot sandbox: test-sandbox`.

use std::fmt::{self, Write};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::cli::LogFormat;

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
        let time = humantime::format_rfc3339_seconds(SystemTime::now());
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
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    match format {
        LogFormat::Text => registry.with(layer.event_format(Line)).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
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
    fn control_characters_are_shown_as_text() {
        let mut line = String::new();
        let text = "schön\t\u{1b}[31mred\u{7}\n";
        Clean(Writer::new(&mut line)).write_str(text).unwrap();
        assert_eq!(line, "schön\t\\u{1b}[31mred\\u{7}\n");
    }
}
