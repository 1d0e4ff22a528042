//! Recordings of the calls of a CRI client, such as a kubelet.
//!
//! A recording is a file of JSON lines: a call with its request and replies, an event, or a part
//! of messages. A message is stored as the numbers of its parts, each of which is stored once,
//! before its first use, as base64. The order of the calls is the order of their ends.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

mod codec;
mod events;
mod expect;
mod ids;
mod parts;
pub mod proxy;
pub mod replay;

/// Longest message that is passed on, in bytes: more than any client of CRI receives.
const LONGEST_MESSAGE: usize = 64 << 20;
/// Code of a call that its caller gave up (`CANCELLED`, grpc.io "Status codes").
pub const CANCELLED: i32 = 1;
/// Code of a call that found no runtime (`UNAVAILABLE`).
const UNAVAILABLE: i32 = 14;

/// Methods with another reply at every call. A recording keeps the first call of each request.
const STATISTICS: [&str; 8] = [
    "ContainerStats",
    "ImageFsInfo",
    "ListContainerStats",
    "ListPodSandboxMetrics",
    "ListPodSandboxStats",
    "PodSandboxStats",
    "Status",
    "StreamPodSandboxStats",
];

/// A call of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Time from the start of the recording to the start of the call, in milliseconds.
    pub at_ms: u64,
    /// Duration of the call in milliseconds.
    pub took_ms: u64,
    /// Name of the method without its service.
    pub method: String,
    /// Request, in its protobuf encoding.
    pub request: Vec<u8>,
    /// Replies, in their protobuf encoding; one, unless the method streams or fails.
    pub replies: Vec<Vec<u8>>,
    /// gRPC status code.
    pub code: i32,
    /// Message of the status.
    pub message: String,
}

/// An entry of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A call has ended.
    Call(Call),
    /// The recorder has connected to the runtime; again, if the runtime was started again.
    RuntimeConnected,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Part(String),
    RuntimeConnected,
    Call {
        at_ms: u64,
        took_ms: u64,
        method: String,
        request: Vec<usize>,
        replies: Vec<Vec<usize>>,
        #[serde(default, skip_serializing_if = "is_zero")]
        code: i32,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(code: &i32) -> bool {
    *code == 0
}

/// Writes a recording and leaves out what a replay does not need: calls that found no runtime,
/// calls whose reply to the same request is the same as before, and of each request for
/// statistics all but the first.
#[derive(Debug)]
pub struct Writer<W> {
    file: W,
    parts: HashMap<Vec<u8>, usize>,
    /// The last outcome of each method and request.
    last: HashMap<(String, Vec<u8>), Outcome>,
}

/// The code and the replies of a call.
type Outcome = (i32, Vec<Vec<u8>>);

impl<W: Write> Writer<W> {
    /// Returns a writer of an empty recording.
    pub fn new(file: W) -> Self {
        Self {
            file,
            parts: HashMap::new(),
            last: HashMap::new(),
        }
    }

    /// Appends an entry, unless the recording leaves it out.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let line = match entry {
            Entry::RuntimeConnected => Line::RuntimeConnected,
            Entry::Call(call) if self.repeats(call) => return Ok(()),
            Entry::Call(call) => {
                let replies = call.replies.iter().map(|reply| self.store(reply));
                Line::Call {
                    replies: replies.collect::<io::Result<_>>()?,
                    request: self.store(&call.request)?,
                    at_ms: call.at_ms,
                    took_ms: call.took_ms,
                    method: call.method.clone(),
                    code: call.code,
                    message: call.message.clone(),
                }
            }
        };
        self.write(&line)
    }

    fn repeats(&mut self, call: &Call) -> bool {
        if call.code == UNAVAILABLE {
            return true;
        }
        let request = (call.method.clone(), call.request.clone());
        let outcome = (call.code, call.replies.clone());
        let statistics = STATISTICS.contains(&&*call.method);
        match self.last.get(&request) {
            Some(last) if statistics || *last == outcome => true,
            _ => {
                self.last.insert(request, outcome);
                false
            }
        }
    }

    /// Stores the parts of a message and returns their numbers.
    fn store(&mut self, message: &[u8]) -> io::Result<Vec<usize>> {
        let mut numbers = Vec::new();
        for part in parts::split(message) {
            let next = self.parts.len();
            let number = *self.parts.entry(part.to_owned()).or_insert(next);
            if number == next {
                self.write(&Line::Part(STANDARD.encode(part)))?;
            }
            numbers.push(number);
        }
        Ok(numbers)
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        self.file.flush()
    }
}

/// Reads a recording.
///
/// # Errors
/// The file cannot be read, or a line is not one of a recording; with the number of the line.
pub fn read(file: impl BufRead) -> io::Result<Vec<Entry>> {
    let (mut entries, mut parts) = (Vec::new(), Vec::new());
    for (index, text) in file.lines().enumerate() {
        let entry = entry(&text?, &mut parts).map_err(|e| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {}: {e}", index + 1),
            )
        })?;
        entries.extend(entry);
    }
    Ok(entries)
}

/// Reads a line: an entry, or a part that is added to `parts`.
fn entry(text: &str, parts: &mut Vec<Vec<u8>>) -> Result<Option<Entry>, String> {
    let line = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let (at_ms, took_ms, method, request, replies, code, message) = match line {
        Line::RuntimeConnected => return Ok(Some(Entry::RuntimeConnected)),
        Line::Part(part) => {
            parts.push(STANDARD.decode(part).map_err(|e| e.to_string())?);
            return Ok(None);
        }
        Line::Call {
            at_ms,
            took_ms,
            method,
            request,
            replies,
            code,
            message,
        } => (at_ms, took_ms, method, request, replies, code, message),
    };
    let join = |numbers: &[usize]| {
        let found = numbers.iter().map(|&n| parts.get(n).map(Vec::as_slice));
        let found: Option<Vec<&[u8]>> = found.collect();
        found.map(|parts| parts.concat()).ok_or("a part is missing")
    };
    Ok(Some(Entry::Call(Call {
        request: join(&request)?,
        replies: replies
            .iter()
            .map(|reply| join(reply))
            .collect::<Result<_, _>>()?,
        at_ms,
        took_ms,
        method,
        code,
        message,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, request: &[u8], reply: &[u8]) -> Entry {
        Entry::Call(Call {
            at_ms: 1,
            took_ms: 2,
            method: method.to_owned(),
            request: request.to_owned(),
            replies: vec![reply.to_owned()],
            code: 0,
            message: String::new(),
        })
    }

    fn written(entries: &[Entry]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file);
        for entry in entries {
            writer.append(entry).expect("a vector takes everything");
        }
        file
    }

    #[test]
    fn a_recording_is_read_as_it_was_written() {
        let mut failed = call("StopContainer", b"b", b"");
        if let Entry::Call(call) = &mut failed {
            (call.code, call.message, call.replies) = (5, "no such container".to_owned(), vec![]);
        }
        let entries = [
            Entry::RuntimeConnected,
            call("RunPodSandbox", &[7; 100], b"id"),
            failed,
        ];
        assert_eq!(read(&*written(&entries)).expect("sound"), entries);
    }

    #[test]
    fn polls_without_news_and_later_statistics_are_left_out() {
        let lost = |mut entry: Entry| {
            if let Entry::Call(call) = &mut entry {
                (call.code, call.replies) = (UNAVAILABLE, vec![]);
            }
            entry
        };
        let entries = [
            call("ListContainers", b"all", b"one"),
            call("ListContainers", b"all", b"one"),
            call("ListContainers", b"some", b"one"),
            call("ListContainers", b"all", b"two"),
            call("ListContainers", b"all", b"one"),
            lost(call("ListContainers", b"all", b"")),
            call("ListContainerStats", b"all", b"1"),
            call("ListContainerStats", b"all", b"2"),
        ];
        let kept: Vec<Entry> = [0, 2, 3, 4, 6].map(|i| entries[i].clone()).into();
        assert_eq!(read(&*written(&entries)).expect("sound"), kept);
    }

    #[test]
    fn an_item_of_many_lists_is_stored_once() {
        let item = [&[10, 100][..], &[7; 100]].concat();
        let more = [&item[..], &[18, 1, 1]].concat();
        let text = written(&[
            call("ListContainers", b"", &item),
            call("ListContainers", b"", &more),
        ]);
        let parts = text
            .split(|&byte| byte == b'\n')
            .filter(|line| line.starts_with(b"{\"part\""));
        assert_eq!(parts.count(), 2);
    }

    #[test]
    fn a_damaged_line_is_named() {
        for (text, word) in [
            ("{\"part\":\"!\"}", "line 1"),
            ("\"runtime_connected\"\n{}", "line 2"),
            (
                "{\"call\":{\"at_ms\":0,\"took_ms\":0,\"method\":\"A\",\"request\":[3],\"replies\":[]}}",
                "a part is missing",
            ),
        ] {
            let error = read(text.as_bytes()).expect_err("damaged").to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
