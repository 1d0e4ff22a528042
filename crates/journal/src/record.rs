//! A record of the journal: one change of one sandbox, on one line of JSON. The fields are the
//! sequence number, the time, namespace and id of the sandbox, the change, and the CRC-32 of the
//! bytes before it. A record from a time at which the wall clock had been set also has the field
//! `skew`: the nanoseconds by which the steady clock was ahead of `at`.
//!
//! `{"seq":17,"at":"2024-01-01T10:00:00.000000000Z","ns":"k8s.io","sandbox":"abc","do":"start","crc":"9f1c22aa"}`

use std::io::Write;

use containerd_sandbox::Key;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::checksum::{self, LineError};
use slot::{Change, Moment, Timestamp};

/// Highest valid sequence number: no journal counts so far, and adding one to it cannot
/// overflow.
pub(super) const MAX_SEQ: u64 = 1 << 62;

/// A decoded record, with its change or the decoded part of the change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Record<C = Change> {
    pub(super) seq: u64,
    pub(super) at: Moment,
    pub(super) key: Key,
    pub(super) change: C,
}

#[derive(Serialize)]
struct Body<'a> {
    at: Timestamp,
    #[serde(skip_serializing_if = "is_zero")]
    skew: i64,
    ns: &'a str,
    sandbox: &'a str,
    #[serde(rename = "do")]
    change: &'a Change,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a, C> {
    seq: u64,
    at: Timestamp,
    #[serde(default)]
    skew: i64,
    ns: &'a str,
    sandbox: &'a str,
    #[serde(rename = "do")]
    change: C,
    #[serde(rename = "crc")]
    _crc: IgnoredAny,
}

/// Encodes the part of a record that does not depend on the sequence number: the costly part.
pub(super) fn encode_body(
    body: &mut Vec<u8>,
    key: &Key,
    at: Moment,
    change: &Change,
) -> Result<(), serde_json::Error> {
    let fields = Body {
        at: at.wall(),
        skew: at.skew_ns(),
        ns: key.namespace(),
        sandbox: key.id(),
        change,
    };
    serde_json::to_writer(body, &fields)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(skew: &i64) -> bool {
    *skew == 0
}

/// Writes the line of a body and a sequence number.
pub(super) fn encode(line: &mut Vec<u8>, seq: u64, body: &[u8]) {
    let members = body.strip_prefix(b"{").unwrap_or(body);
    let members = members.strip_suffix(b"}").unwrap_or(members);
    // Writing to memory does not fail.
    let _ = write!(line, "{{\"seq\":{seq},");
    line.extend_from_slice(members);
    checksum::seal(line);
}

/// Decodes a line, given with its newline.
pub(super) fn decode<C: DeserializeOwned>(raw: &[u8]) -> Result<Record<C>, LineError> {
    let malformed = |reason: String| LineError::Malformed(format!("not a record: {reason}"));
    let object = checksum::unseal(raw)?;
    let line: Line<'_, C> = serde_json::from_slice(object).map_err(|e| malformed(e.to_string()))?;
    if !(1..=MAX_SEQ).contains(&line.seq) {
        return Err(malformed(format!("sequence number {}", line.seq)));
    }
    Ok(Record {
        seq: line.seq,
        at: Moment::new(line.at, line.skew),
        key: Key::new(line.ns, line.sandbox).map_err(|e| malformed(e.to_string()))?,
        change: line.change,
    })
}

/// Returns the sandbox that a damaged line seems to belong to.
pub(super) fn guess_key(raw: &[u8]) -> Option<Key> {
    let text = String::from_utf8_lossy(raw);
    let member = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    Key::new(&member("\"ns\":\"")?, &member("\"sandbox\":\"")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    fn line(seq: u64, key: &Key, at: impl Into<Moment>, change: &Change) -> Vec<u8> {
        let (mut body, mut line) = (Vec::new(), Vec::new());
        encode_body(&mut body, key, at.into(), change).unwrap();
        encode(&mut line, seq, &body);
        line
    }

    #[test]
    fn a_record_is_one_readable_line() {
        let key = Key::new("k8s.io", "abc").unwrap();
        let at = Timestamp::from_nanos(1_704_103_200_000_000_000);
        let text = String::from_utf8(line(17, &key, at, &Change::Start)).unwrap();
        let content = r#"{"seq":17,"at":"2024-01-01T10:00:00.000000000Z","ns":"k8s.io","sandbox":"abc","do":"start""#;
        let crc = crc32fast::hash(content.as_bytes());
        assert_eq!(text, format!("{content},\"crc\":\"{crc:08x}\"}}\n"));
    }

    #[test]
    fn a_line_with_a_valid_checksum_that_is_no_record_is_refused() {
        for (content, word) in [
            ("{\"x\":1", "unknown field"),
            (
                r#"{"seq":0,"at":"2024-01-01T10:00:00Z","ns":"n","sandbox":"a","do":"start""#,
                "sequence number 0",
            ),
            (
                r#"{"seq":18446744073709551615,"at":"2024-01-01T10:00:00Z","ns":"n","sandbox":"a","do":"start""#,
                "sequence number",
            ),
            (
                r#"{"seq":1,"at":"2024-01-01T10:00:00Z","ns":"n","sandbox":"../a","do":"start""#,
                "../a",
            ),
            (
                r#"{"seq":1,"at":"2024-01-01T10:00:00Z","ns":"n","sandbox":"a","do":"explode""#,
                "explode",
            ),
        ] {
            let mut line = content.as_bytes().to_vec();
            checksum::seal(&mut line);
            let error = decode::<Change>(&line).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_sandbox_of_a_damaged_line_is_often_found() {
        let key = Key::new("k8s.io", "abc").unwrap();
        let line = line(1, &key, Timestamp::default(), &Change::Start);
        assert_eq!(guess_key(&line[..line.len() - 5]), Some(key));
        assert_eq!(guess_key(b"\xff\"ns\":\"a"), None);
        assert_eq!(guess_key(b"\"ns\":\"a\",\"sandbox\":\"../b\""), None);
    }

    proptest! {
        #[test]
        fn a_written_record_is_read_back(
            seq in 1..=MAX_SEQ,
            nanos: u64,
            skew in prop_oneof![Just(0), any::<i64>()],
            (key, change) in testing::any_change(),
        ) {
            let at = Moment::new(Timestamp::from_nanos(nanos), skew);
            let raw = line(seq, &key, at, &change);
            prop_assert_eq!(raw.iter().position(|b| *b == b'\n'), Some(raw.len() - 1));
            prop_assert_eq!(guess_key(&raw), Some(key.clone()));
            prop_assert_eq!(decode::<Change>(&raw).unwrap(), Record { seq, at, key, change });
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode::<Change>(&bytes);
            let _ = guess_key(&bytes);
            let mut sealed = bytes;
            checksum::seal(&mut sealed);
            let _ = decode::<Change>(&sealed);
        }
    }
}
