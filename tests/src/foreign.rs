//! gRPC clients of other implementations, driven over pipes.
//!
//! `tests/foreign/client.py` and `client.js` only transport messages; this side encodes and
//! decodes them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Daemon, PATIENCE};

/// Returns the output of a script that finds or installs a program. If it fails, returns `None`
/// and prints that the test is skipped, unless the environment variable `required` is set.
///
/// # Panics
/// If the script fails and `required` is set.
pub fn found_by(script: &str, required: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scripts")
        .join(script);
    let output = Command::new(path).output().expect("the script runs");
    if output.status.success() {
        let path = String::from_utf8(output.stdout).expect("a path is text");
        return Some(PathBuf::from(path.trim_end()));
    }
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        std::env::var_os(required).is_none(),
        "{required} is set, and scripts/{script} fails: {why}"
    );
    eprintln!("SKIPPED: scripts/{script} fails: {why}");
    None
}

/// Returns whether a program is installed. If not, prints that the test is skipped, unless the
/// environment variable `required` is set.
///
/// # Panics
/// If the program is missing and `required` is set.
pub fn has_program(name: &str, required: &str) -> bool {
    let version = Command::new(name).arg("--version").output();
    if version.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(
        std::env::var_os(required).is_none(),
        "{required} is set, and there is no {name}"
    );
    eprintln!("SKIPPED: no {name} to test with");
    false
}

/// An implementation of gRPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// grpcio for Python, on gRPC's C core.
    Grpcio,
    /// @grpc/grpc-js for Node.
    GrpcJs,
}

/// All implementations.
pub const IMPLEMENTATIONS: [Implementation; 2] = [Implementation::Grpcio, Implementation::GrpcJs];

/// Returns the path of a method of CRI's runtime service.
pub fn runtime(method: &str) -> String {
    format!("/runtime.v1.RuntimeService/{method}")
}

/// Returns the path of a method of CRI's image service.
pub fn image(method: &str) -> String {
    format!("/runtime.v1.ImageService/{method}")
}

/// Returns the path of a method of the Controller.
pub fn controller(method: &str) -> String {
    format!("/containerd.services.sandbox.v1.Controller/{method}")
}

/// Returns the path of a method of the health service.
pub fn health(method: &str) -> String {
    format!("/grpc.health.v1.Health/{method}")
}

/// A call.
#[derive(Debug, Clone, Default)]
pub struct Call<'a> {
    /// Deadline; `None` for none.
    pub timeout: Option<Duration>,
    /// Compression of the request: `gzip` or `deflate`. grpc-js takes a channel option instead.
    pub compression: Option<&'a str>,
    /// Names and values. A value whose name ends with `-bin` is base64.
    pub metadata: &'a [(&'a str, &'a str)],
    /// Whether the reply is a stream.
    pub is_stream: bool,
}

/// The end of a call, or a message of a stream.
#[derive(Debug, Clone, Deserialize)]
pub struct Event {
    id: u32,
    /// Name of the gRPC code; `None` for a message of a stream.
    pub code: Option<String>,
    /// The message of an error.
    #[serde(default)]
    pub details: String,
    /// The reply in base64.
    message: String,
}

impl Event {
    /// Decodes the reply of a successful call or a message of a stream.
    ///
    /// # Panics
    /// If the call failed, or the message is another one.
    #[track_caller]
    pub fn reply<M: Message + Default>(&self) -> M {
        let code = self.code.as_deref().unwrap_or("OK");
        assert_eq!(code, "OK", "{}", self.details);
        let bytes = STANDARD.decode(&self.message).expect("base64");
        M::decode(&bytes[..]).expect("the message")
    }

    /// Checks that the call failed with this code and all `words` in its message.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn refused(&self, code: &str, words: &[&str]) {
        assert_eq!(self.code.as_deref(), Some(code), "{}", self.details);
        for word in words {
            assert!(self.details.contains(word), "no {word:?}: {}", self.details);
        }
    }
}

/// A process with one gRPC channel to a daemon.
pub struct Foreign {
    child: Child,
    requests: ChildStdin,
    events: Receiver<Event>,
    /// Events of calls that nothing has asked for yet.
    waiting: BTreeMap<u32, Vec<Event>>,
    last: u32,
}

impl Foreign {
    /// Starts a client with these channel options. Returns `None` without the implementation.
    ///
    /// # Panics
    /// If the client does not start.
    pub fn connect(kind: Implementation, daemon: &Daemon, options: &Value) -> Option<Self> {
        let target = format!("unix:{}", daemon.home().socket().display());
        Self::to(kind, &target, options)
    }

    /// Starts a client of a target in gRPC's syntax.
    ///
    /// # Panics
    /// If the client does not start.
    pub fn to(kind: Implementation, target: &str, options: &Value) -> Option<Self> {
        let client = |name| {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
            dir.join(name).into_os_string()
        };
        let (program, script, packages): (OsString, _, _) = match kind {
            Implementation::Grpcio => {
                let python = found_by("python-grpc", "REQUIRE_PYTHON_GRPC")?;
                (python.into(), client("client.py"), None)
            }
            Implementation::GrpcJs => {
                let packages = found_by("node-grpc", "REQUIRE_NODE_GRPC")?;
                ("node".into(), client("client.js"), Some(packages))
            }
        };
        let mut command = Command::new(program);
        command
            .arg(script)
            .arg(target)
            .arg(options.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(packages) = packages {
            command.env("NODE_PATH", packages);
        }
        let mut child = command.spawn().expect("the client starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = lines.next().expect("a first event").expect("text");
        let first: Value = serde_json::from_str(&first).expect("JSON");
        assert_eq!(first, json!({ "ready": true }));
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).expect("an event");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            requests: child.stdin.take().expect("a pipe"),
            child,
            events,
            waiting: BTreeMap::new(),
            last: 0,
        })
    }

    /// Begins a call and returns its number.
    ///
    /// # Panics
    /// If the client has ended.
    pub fn begin(&mut self, path: &str, request: &impl Message, call: &Call<'_>) -> u32 {
        self.last += 1;
        let request = json!({
            "id": self.last,
            "path": path,
            "message": STANDARD.encode(request.encode_to_vec()),
            "timeout": call.timeout.map(|timeout| timeout.as_secs_f64()),
            "compression": call.compression,
            "metadata": call.metadata,
            "stream": call.is_stream,
        });
        self.say(&request);
        self.last
    }

    /// Cancels a call.
    ///
    /// # Panics
    /// If the client has ended.
    pub fn cancel(&mut self, id: u32) {
        self.say(&json!({ "id": id, "cancel": true }));
    }

    fn say(&mut self, request: &Value) {
        writeln!(self.requests, "{request}").expect("the client runs");
    }

    /// Waits for the next event of a call.
    ///
    /// # Panics
    /// If none comes within [`PATIENCE`].
    #[track_caller]
    pub fn next(&mut self, id: u32) -> Event {
        loop {
            if let Some(event) = self.take(id) {
                return event;
            }
            let event = self.events.recv_timeout(PATIENCE).expect("an event");
            self.waiting.entry(event.id).or_default().push(event);
        }
    }

    /// Returns whether an event of a call has come already.
    ///
    /// # Panics
    /// If the client has ended.
    pub fn has_event(&mut self, id: u32) -> bool {
        loop {
            match self.events.recv_timeout(Duration::ZERO) {
                Ok(event) => self.waiting.entry(event.id).or_default().push(event),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => panic!("the client has ended"),
            }
        }
        self.waiting
            .get(&id)
            .is_some_and(|events| !events.is_empty())
    }

    fn take(&mut self, id: u32) -> Option<Event> {
        let events = self.waiting.get_mut(&id)?;
        (!events.is_empty()).then(|| events.remove(0))
    }

    /// Makes a call and waits for its end.
    ///
    /// # Panics
    /// If it does not end within [`PATIENCE`].
    #[track_caller]
    pub fn call_with(&mut self, path: &str, request: &impl Message, call: &Call<'_>) -> Event {
        let id = self.begin(path, request, call);
        self.next(id)
    }

    /// Makes a call without options and waits for its end.
    ///
    /// # Panics
    /// If it does not end within [`PATIENCE`].
    #[track_caller]
    pub fn call(&mut self, path: &str, request: &impl Message) -> Event {
        self.call_with(path, request, &Call::default())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
