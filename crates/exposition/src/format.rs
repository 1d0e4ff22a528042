//! The two text formats and their choice by a client's `Accept` header.

use std::fmt;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4, which all clients can read.
    Prometheus,
}

impl Format {
    /// Returns the format for a client with this `Accept` header: OpenMetrics if the header names
    /// it with a quality of at least that of plain text (RFC 9110, section 12.5.1).
    pub fn accepted(accept: &str) -> Self {
        let best = |wanted: &str| {
            let ranges = accept.split(',').filter_map(quality);
            let named = ranges.filter(|(media, _)| media.eq_ignore_ascii_case(wanted));
            named.map(|(_, quality)| quality).fold(0.0, f32::max)
        };
        let open_metrics = best("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= best("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Returns the value of the `Content-Type` header.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }

    /// Encodes all metrics of a registry.
    ///
    /// # Errors
    /// If a collector fails.
    pub fn encode(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut text = String::new();
        match self {
            Self::OpenMetrics => text::encode(&mut text, registry)?,
            Self::Prometheus => prometheus_text::encode(&mut text, registry)?,
        }
        Ok(text)
    }
}

/// Parses a media range and its quality, from 0 to 1; `None` if the quality is not a number.
fn quality(range: &str) -> Option<(&str, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    let stated = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let quality = stated.map_or(Some(1.0), |stated| stated.parse().ok())?;
    Some((media, quality))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_client_gets_open_metrics_only_if_its_header_names_that_format() {
        use Format::{OpenMetrics, Prometheus};
        for (accept, format) in [
            ("", Prometheus),
            ("*/*", Prometheus),
            ("text/plain", Prometheus),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0", OpenMetrics),
            ("application/openmetrics-text;q=0", Prometheus),
            (
                "application/openmetrics-text;q=0.2,text/plain;q=0.9",
                Prometheus,
            ),
            ("application/openmetrics-text;q=much", Prometheus),
            // The headers of Prometheus 2.42 and 3.
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics,
            ),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }

    proptest! {
        #[test]
        fn no_header_causes_a_panic(accept: String) {
            Format::accepted(&accept);
        }
    }
}
