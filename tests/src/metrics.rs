//! A strict parser of OpenMetrics 1.0, for scrapes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::PATIENCE;

/// `Accept` header of a client that reads OpenMetrics.
pub const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0";

/// A metric family.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Family {
    /// Type: `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// Unit; empty for none.
    pub unit: String,
    /// Help text.
    pub help: String,
    /// Series: names and labels of the samples.
    pub samples: BTreeMap<Series, f64>,
}

/// Name and labels of a sample.
pub type Series = (String, BTreeMap<String, String>);

/// Result of a scrape: metric families by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scrape(pub BTreeMap<String, Family>);

impl Scrape {
    /// Parses OpenMetrics.
    ///
    /// # Panics
    /// If a line violates the format.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let body = text
            .strip_suffix("# EOF\n")
            .expect("# EOF is the last line");
        let mut scrape = Self::default();
        let mut current: Option<String> = None;
        let mut has_samples = false;
        for line in body.split_terminator('\n') {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (what, name) = (words.next().unwrap(), words.next().expect(line));
                let value = words.next().expect(line);
                if current.as_deref() != Some(name) {
                    current = Some(name.to_owned());
                    has_samples = false;
                    let before = scrape.0.insert(name.to_owned(), Family::default());
                    assert_eq!(before, None, "{name} comes twice");
                }
                assert!(!has_samples, "{line}: after samples");
                let family = scrape.0.get_mut(name).unwrap();
                let field = match what {
                    "TYPE" => &mut family.kind,
                    "HELP" => &mut family.help,
                    "UNIT" => &mut family.unit,
                    other => panic!("{line}: {other}"),
                };
                assert!(field.is_empty() && !value.is_empty(), "{line}");
                value.clone_into(field);
                continue;
            }
            has_samples = true;
            let name = current.as_deref().expect(line);
            let (series, value) = sample(line);
            let family = scrape.0.get_mut(name).unwrap();
            let suffix = series.0.strip_prefix(name).expect(line);
            assert!(suffixes(&family.kind).contains(&suffix), "{line}");
            let before = family.samples.insert(series, value);
            assert_eq!(before, None, "{line}: twice");
        }
        for (name, family) in &scrape.0 {
            family.check(name);
        }
        scrape
    }

    /// Returns the value of a sample; `None` if the series does not exist.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let series = (name.to_owned(), labels.collect());
        self.0
            .values()
            .find_map(|family| family.samples.get(&series))
            .copied()
    }

    /// Returns the names of all samples that the families may have.
    pub fn sample_names(&self) -> BTreeSet<String> {
        let families = self.0.iter();
        let names = families.flat_map(|(name, family)| {
            let suffixes = suffixes(&family.kind).iter();
            suffixes.map(move |suffix| format!("{name}{suffix}"))
        });
        names.collect()
    }
}

impl Family {
    /// Returns the names of a family's labels without that of the bucket's bound, if the family has
    /// samples.
    pub fn labels(&self) -> BTreeSet<String> {
        let labels = self.samples.keys().flat_map(|(_, labels)| labels.keys());
        labels.filter(|label| *label != "le").cloned().collect()
    }

    fn check(&self, name: &str) {
        assert!(!self.help.is_empty(), "{name} has no HELP");
        assert!(!suffixes(&self.kind).is_empty(), "{name} has no TYPE");
        if !self.unit.is_empty() {
            assert!(
                name.ends_with(&format!("_{}", self.unit)),
                "{name}: {}",
                self.unit
            );
        }
        for ((sample, labels), value) in &self.samples {
            if self.kind != "gauge" {
                assert!(*value >= 0.0, "{sample}: {value}");
            }
            if self.kind == "histogram" && sample.ends_with("_count") {
                self.check_histogram(name, labels, *value);
            }
        }
    }

    /// Checks that the buckets ascend and that the last one equals the count.
    fn check_histogram(&self, name: &str, labels: &BTreeMap<String, String>, count: f64) {
        let mut buckets = Vec::new();
        for ((sample, of), value) in &self.samples {
            let mut of = of.clone();
            if let Some(bound) = of.remove("le")
                && *sample == format!("{name}_bucket")
                && of == *labels
            {
                buckets.push((number(&bound), *value));
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(
            buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
            "{name}: {buckets:?}"
        );
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, count)), "{name}");
    }
}

/// Returns the suffixes that the samples of a family of this type add to its name.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        "info" => &["_info"],
        _ => &[],
    }
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        _ => text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}")),
    }
}

/// Parses a line `name{label="value",…} number`.
fn sample(line: &str) -> (Series, f64) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = line.find(|c| !is_name(c)).expect(line);
    let (name, mut rest) = line.split_at(end);
    assert!(
        name.starts_with(|c: char| c.is_ascii_alphabetic()),
        "{line}"
    );
    let mut labels = BTreeMap::new();
    if let Some(opened) = rest.strip_prefix('{') {
        rest = opened;
        loop {
            let (label, quoted) = rest.split_once("=\"").expect(line);
            assert!(!label.is_empty() && label.chars().all(is_name), "{line}");
            let mut value = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next().expect(line) {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next().expect(line).1 {
                        'n' => '\n',
                        escaped @ ('"' | '\\') => escaped,
                        other => panic!("{line}: \\{other}"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            let before = labels.insert(label.to_owned(), value);
            assert_eq!(before, None, "{line}: {label} twice");
            rest = &quoted[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').expect(line);
    }
    let value = rest.strip_prefix(' ').expect(line);
    ((name.to_owned(), labels), number(value))
}

/// Sends a GET and returns the head and the body of the answer.
///
/// # Panics
/// If no answer comes.
pub fn get(address: SocketAddr, path: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("metrics are served");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: here\r\nAccept: {accept}\r\n\r\n"
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), body.to_owned())
}

/// Scrapes in the OpenMetrics format.
///
/// # Panics
/// If the answer has another format or status.
#[track_caller]
pub fn scrape(address: SocketAddr) -> Scrape {
    let (head, body) = get(address, "/metrics", OPEN_METRICS);
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: application/openmetrics-text"),
        "{head}"
    );
    Scrape::parse(&body)
}

/// Finds the address in the log line "Metrics are served on http://ADDRESS/metrics".
pub fn address(log: &str) -> Option<SocketAddr> {
    let (_, url) = log.rsplit_once("etrics are served on http://")?;
    url.split_once("/metrics")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "twice")]
    fn a_series_that_comes_twice_is_noticed() {
        Scrape::parse("# HELP a A\n# TYPE a gauge\na{b=\"c\"} 1\na{b=\"c\"} 2\n# EOF\n");
    }

    #[test]
    #[should_panic(expected = "EOF")]
    fn an_end_that_is_missing_is_noticed() {
        Scrape::parse("# HELP a A\n# TYPE a gauge\na 1\n");
    }

    #[test]
    fn labels_are_read_as_they_were_written() {
        let scrape =
            Scrape::parse("# HELP a A\n# TYPE a gauge\na{b=\"c\\n\\\"\",d=\"\"} 1.5\n# EOF\n");
        assert_eq!(scrape.value("a", &[("b", "c\n\""), ("d", "")]), Some(1.5));
    }
}
