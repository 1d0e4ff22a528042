//! What is measured, in the form in which a user writes it.
//!
//! ```text
//! PATH                                 a sandboxer to start
//! containerd:PATH?KEY=VALUE&...        a containerd to start
//!     handler=NAME                         runtime handler of the pods
//!     config=FILE                          configuration, before that of loadgen
//!     env=NAME=VALUE                       variable of its environment; may be repeated
//!     sandboxer=PATH                       sandboxer below it, for the handler resource-slot
//! unix:///PATH?handler=NAME            a running CRI runtime
//! ```
//!
//! `containerd:` without a path means the one that [`crate::server::containerd::find`] finds.

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;

use containerd_sandbox::{SocketPath, SocketPathError};

use crate::drive::driver::DriverKind;
use crate::server::Target;
use crate::workload::runtime::HANDLER;

/// Beginnings of the forms.
const CONTAINERD: &str = "containerd:";
const ENDPOINT: &str = "unix://";

/// A text that is no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// The text is empty.
    #[error("an empty subject; wanted a PATH, containerd:PATH or unix:///PATH")]
    Empty,
    /// The key is not one of this form.
    #[error("{key:?} in {subject:?}; {form} has {known}")]
    Key {
        /// Key as given.
        key: String,
        /// The whole subject.
        subject: String,
        /// Form of the subject.
        form: &'static str,
        /// Keys of this form.
        known: &'static str,
    },
    /// The key occurs twice.
    #[error("{key} twice in {subject:?}")]
    Twice {
        /// Key as given.
        key: String,
        /// The whole subject.
        subject: String,
    },
    /// The value is not one of this key.
    #[error("{value:?} as {key} in {subject:?}; wanted {wanted}")]
    Value {
        /// Key as given.
        key: &'static str,
        /// Value as given.
        value: String,
        /// The whole subject.
        subject: String,
        /// Form of a right value.
        wanted: &'static str,
    },
    /// The socket has no usable path.
    #[error("the socket in {subject:?}: {reason}")]
    Socket {
        /// The whole subject.
        subject: String,
        /// Reason, in words.
        reason: String,
    },
}

/// What is measured: a program to start, or a running server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A sandboxer to start: a path, or where revisions are built, a git revision.
    Sandboxer(String),
    /// A containerd to start.
    Containerd(Containerd),
    /// A running CRI runtime.
    Endpoint {
        /// Socket of the runtime.
        socket: SocketPath,
        /// Runtime handler of the pods; `None` for that of the other options.
        handler: Option<String>,
    },
}

/// A containerd to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Containerd {
    /// Path of the program; `None` searches for one.
    pub program: Option<PathBuf>,
    /// Runtime handler of the pods; `None` for that of the other options.
    pub handler: Option<String>,
    /// Configuration file whose settings take precedence over the private ones.
    pub config: Option<PathBuf>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// Sandboxer below it; `None` searches for one.
    pub sandboxer: Option<PathBuf>,
}

impl Subject {
    /// Returns the driver that runs pods on the subject; `of_sandboxer` for a sandboxer.
    pub fn driver(&self, of_sandboxer: DriverKind) -> DriverKind {
        match self {
            Self::Sandboxer(_) => of_sandboxer,
            Self::Containerd(_) | Self::Endpoint { .. } => DriverKind::Cri,
        }
    }

    /// Returns the runtime handler of the pods over CRI; `None` for a sandboxer.
    pub fn handler(&self) -> Option<&str> {
        let stated = match self {
            Self::Sandboxer(_) => return None,
            Self::Containerd(containerd) => &containerd.handler,
            Self::Endpoint { handler, .. } => handler,
        };
        Some(stated.as_deref().unwrap_or(HANDLER))
    }

    /// Returns the target of loads on the subject, with `other` settings where the subject states
    /// none.
    #[must_use]
    pub fn target(&self, other: Target) -> Target {
        let driver = self.driver(other.driver);
        match self.clone() {
            Self::Sandboxer(program) => Target {
                driver,
                sandboxer: Some(program.into()),
                ..other
            },
            Self::Containerd(containerd) => Target {
                driver,
                containerd: containerd.program.or(other.containerd),
                config: containerd.config,
                env: containerd.env,
                sandboxer: containerd.sandboxer.or(other.sandboxer),
                runtime_handler: containerd.handler.unwrap_or(other.runtime_handler),
                ..other
            },
            Self::Endpoint { socket, handler } => Target {
                driver,
                endpoint: Some(socket),
                runtime_handler: handler.unwrap_or(other.runtime_handler),
                ..other
            },
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        if let Some(rest) = text.strip_prefix(CONTAINERD) {
            containerd(text, rest).map(Self::Containerd)
        } else if text.starts_with(ENDPOINT) {
            endpoint(text)
        } else if text.is_empty() {
            Err(SubjectError::Empty)
        } else {
            Ok(Self::Sandboxer(text.to_owned()))
        }
    }
}

/// Returns the pairs of keys and values after the question mark.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// Sets a value that a subject states once.
fn set<T>(to: &mut Option<T>, value: T, key: &str, subject: &str) -> Result<(), SubjectError> {
    if to.replace(value).is_some() {
        return Err(SubjectError::Twice {
            key: key.to_owned(),
            subject: subject.to_owned(),
        });
    }
    Ok(())
}

/// Checks a value that may not be empty.
fn stated<'a>(key: &'static str, value: &'a str, subject: &str) -> Result<&'a str, SubjectError> {
    if value.is_empty() {
        return Err(SubjectError::Value {
            key,
            value: String::new(),
            subject: subject.to_owned(),
            wanted: "a value after =",
        });
    }
    Ok(value)
}

fn containerd(subject: &str, rest: &str) -> Result<Containerd, SubjectError> {
    let (program, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut found = Containerd {
        program: (!program.is_empty()).then(|| program.into()),
        ..Containerd::default()
    };
    for (key, value) in pairs(query) {
        match key {
            "handler" => {
                let value = stated("handler", value, subject)?.to_owned();
                set(&mut found.handler, value, key, subject)?;
            }
            "config" => {
                let value = stated("config", value, subject)?.into();
                set(&mut found.config, value, key, subject)?;
            }
            "sandboxer" => {
                let value = stated("sandboxer", value, subject)?.into();
                set(&mut found.sandboxer, value, key, subject)?;
            }
            "env" => {
                let pair = value.split_once('=').filter(|(name, _)| !name.is_empty());
                let (name, value) = pair.ok_or_else(|| SubjectError::Value {
                    key: "env",
                    value: value.to_owned(),
                    subject: subject.to_owned(),
                    wanted: "NAME=VALUE",
                })?;
                found.env.push((name.to_owned(), value.to_owned()));
            }
            _ => {
                return Err(SubjectError::Key {
                    key: key.to_owned(),
                    subject: subject.to_owned(),
                    form: "containerd:PATH",
                    known: "handler, config, env and sandboxer",
                });
            }
        }
    }
    Ok(found)
}

fn endpoint(subject: &str) -> Result<Subject, SubjectError> {
    let (socket, query) = subject.split_once('?').unwrap_or((subject, ""));
    let socket = socket
        .parse()
        .map_err(|reason: SocketPathError| SubjectError::Socket {
            subject: subject.to_owned(),
            reason: reason.to_string(),
        })?;
    let mut handler = None;
    for (key, value) in pairs(query) {
        if key != "handler" {
            return Err(SubjectError::Key {
                key: key.to_owned(),
                subject: subject.to_owned(),
                form: "unix:///PATH",
                known: "handler",
            });
        }
        set(&mut handler, value.to_owned(), key, subject)?;
    }
    Ok(Subject::Endpoint { socket, handler })
}

impl Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandboxer(program) => f.write_str(program),
            Self::Containerd(containerd) => {
                f.write_str(CONTAINERD)?;
                if let Some(program) = &containerd.program {
                    write!(f, "{}", program.display())?;
                }
                let path =
                    |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
                let once = [
                    ("handler", containerd.handler.clone()),
                    ("config", path(&containerd.config)),
                    ("sandboxer", path(&containerd.sandboxer)),
                ];
                let once = once
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, value?)));
                let env = containerd.env.iter();
                let env = env.map(|(name, value)| ("env", format!("{name}={value}")));
                write_pairs(f, once.chain(env))
            }
            Self::Endpoint { socket, handler } => {
                write!(f, "{ENDPOINT}{socket}")?;
                write_pairs(f, handler.iter().map(|name| ("handler", name.clone())))
            }
        }
    }
}

fn write_pairs(
    f: &mut fmt::Formatter<'_>,
    pairs: impl Iterator<Item = (&'static str, String)>,
) -> fmt::Result {
    for (number, (key, value)) in pairs.enumerate() {
        let mark = if number == 0 { '?' } else { '&' };
        write!(f, "{mark}{key}={value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Subject, String> {
        text.parse()
            .map_err(|error: SubjectError| error.to_string())
    }

    #[test]
    fn each_form_is_read() {
        assert_eq!(read("target/x"), Ok(Subject::Sandboxer("target/x".into())));
        assert_eq!(read("main~3"), Ok(Subject::Sandboxer("main~3".into())));
        assert_eq!(
            read("containerd:"),
            Ok(Subject::Containerd(Containerd::default()))
        );
        assert_eq!(
            read("containerd:/bin/c?config=a.toml&handler=runc&env=A=b=c&env=D=&sandboxer=s"),
            Ok(Subject::Containerd(Containerd {
                program: Some("/bin/c".into()),
                handler: Some("runc".into()),
                config: Some("a.toml".into()),
                env: vec![("A".into(), "b=c".into()), ("D".into(), String::new())],
                sandboxer: Some("s".into()),
            }))
        );
        let Ok(Subject::Endpoint { socket, handler }) = read("unix:///run/c.sock?handler=crun")
        else {
            panic!();
        };
        assert_eq!(
            (socket.to_string(), handler.as_deref()),
            ("/run/c.sock".to_owned(), Some("crun"))
        );
    }

    #[test]
    fn an_error_names_the_key_and_what_would_be_right() {
        for (text, parts) in [
            ("", &["containerd:PATH"][..]),
            ("containerd:a?hanlder=b", &["hanlder", "handler, config"]),
            ("containerd:a?handler=b&handler=c", &["handler twice"]),
            ("containerd:a?handler", &["handler", "a value"]),
            ("containerd:a?env=B", &["\"B\"", "NAME=VALUE"]),
            ("unix:///a?config=b", &["config", "has handler"]),
            ("unix://?handler=runc", &["an empty path"]),
        ] {
            let error = read(text).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{text}: {error}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_subject_reads_what_it_writes(
            program in "[a-z/]{0,8}",
            handler in proptest::option::of("[a-z]{1,5}"),
            env in proptest::collection::vec(("[A-Z]{1,3}", "[a-z=]{0,3}"), 0..3),
        ) {
            let subject = Subject::Containerd(Containerd {
                program: (!program.is_empty()).then(|| program.into()),
                handler,
                env,
                ..Containerd::default()
            });
            prop_assert_eq!(read(&subject.to_string()), Ok(subject));
        }

        #[test]
        fn no_text_panics(text in "(containerd:|unix://)?[a-z?&=/]{0,20}") {
            if let Ok(subject) = read(&text) {
                prop_assert_eq!(read(&subject.to_string()), Ok(subject));
            }
        }
    }
}
