//! A snapshot: the state after a record, one sandbox a line.

use std::borrow::Cow;
use std::io::BufRead;
use std::sync::Arc;

use serde::Deserialize;

use super::FORMAT;
use super::change::{NewContainer, NewSandbox};
use super::line::{time, unseal};
use crate::lines::Lines;
use crate::{ReadError, Source, Timestamp};

/// Sandbox in a snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct Entry<'a> {
    /// Namespace of containerd.
    #[serde(borrow)]
    pub(super) ns: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) sandbox: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) slot: Slot<'a>,
}

/// State of a sandbox.
#[derive(Debug, Deserialize)]
pub(super) struct Slot<'a> {
    #[serde(borrow)]
    pub(super) sandbox: NewSandbox<'a>,
    #[serde(borrow)]
    created_at: Cow<'a, str>,
    #[serde(borrow, default)]
    exit: Option<Exit<'a>>,
    #[serde(borrow, default)]
    pub(super) containers: Vec<NewContainer<'a>>,
}

#[derive(Debug, Deserialize)]
struct Exit<'a> {
    #[serde(borrow)]
    at: Cow<'a, str>,
}

impl Entry<'_> {
    /// Returns the time of the creation; `None` if it is no time.
    pub(super) fn created_at(&self) -> Option<Timestamp> {
        time(&self.slot.created_at)
    }

    /// Returns the time of the end; `None` for a sandbox that has not ended.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        time(&self.slot.exit.as_ref()?.at)
    }
}

#[derive(Deserialize)]
struct Header {
    snapshot: u64,
    format: u32,
}

#[derive(Deserialize)]
struct End {
    end: u64,
    sandboxes: u64,
}

/// Reads the snapshot of record `seq` and gives its sandboxes to `take`.
pub(super) fn read(
    file: &str,
    seq: u64,
    reader: &mut dyn BufRead,
    take: &mut dyn FnMut(&Source, &Entry<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let file: Arc<str> = file.into();
    let wrong = |line, what: String| {
        let place = Source {
            file: Arc::clone(&file),
            line,
        };
        ReadError::wrong(place, "", what)
    };
    let mut lines = Lines::new(reader);
    let (mut sandboxes, mut last, mut has_ended) = (0_u64, 0, false);
    loop {
        let line = lines.next().map_err(|error| ReadError::Io {
            file: file.to_string(),
            error,
        })?;
        let Some((number, raw)) = line else { break };
        last = number;
        let raw = raw.strip_suffix(b"\n");
        let raw = raw.ok_or_else(|| wrong(number, "the line does not end".to_owned()))?;
        let object = unseal(raw).map_err(|what| wrong(number, what.to_owned()))?;
        let malformed = |error: serde_json::Error| wrong(number, error.to_string());
        if has_ended {
            let what = "there is more after the last line".to_owned();
            return Err(wrong(number, what));
        }
        if number == 1 {
            let header: Header = serde_json::from_str(object).map_err(malformed)?;
            if header.format != FORMAT {
                let what = format!("format {}, and {FORMAT} is known", header.format);
                return Err(wrong(number, what));
            }
            if header.snapshot != seq {
                let what = format!("the state after record {}, not {seq}", header.snapshot);
                return Err(wrong(number, what));
            }
        } else if object.starts_with("{\"end\":") {
            let end: End = serde_json::from_str(object).map_err(malformed)?;
            if (end.end, end.sandboxes) != (seq, sandboxes) {
                let what = format!(
                    "{} sandboxes after record {} were written, {sandboxes} after {seq} are here",
                    end.sandboxes, end.end
                );
                return Err(wrong(number, what));
            }
            has_ended = true;
        } else {
            let entry: Entry<'_> = serde_json::from_str(object).map_err(malformed)?;
            sandboxes += 1;
            let place = Source {
                file: Arc::clone(&file),
                line: number,
            };
            take(&place, &entry)?;
        }
    }
    if !has_ended {
        return Err(wrong(last + 1, "the last line is missing".to_owned()));
    }
    Ok(())
}
