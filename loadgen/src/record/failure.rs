//! Failures of a call, and their grouping into classes.

use std::fmt;

use containerd_sandbox::{Code, Error};

use crate::record::operation::Operation;

/// Maximum length of a message class and of an example, in characters.
const MESSAGE_CHARS: usize = 300;

/// Minimum length of an id. A shorter run of hexadecimal digits is an ordinary word.
const ID_CHARS: usize = 12;

/// Kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureCode {
    /// The call failed with this status.
    Status(Code),
    /// The call succeeded, but its reply contradicts the plan.
    WrongAnswer,
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => code.fmt(f),
            Self::WrongAnswer => f.write_str("WrongAnswer"),
        }
    }
}

/// A failed call, or a call with a wrong reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}", operation = operation.name())]
pub struct Failure {
    /// Operation of the call.
    pub operation: Operation,
    /// Kind of the failure.
    pub code: FailureCode,
    /// Error message of the server, or a description of the mistake in the reply.
    pub message: String,
}

impl Failure {
    /// Describes a call that failed.
    pub fn status(operation: Operation, error: &Error) -> Self {
        Self {
            operation,
            code: FailureCode::Status(error.code()),
            message: shortened(&error.to_string()),
        }
    }

    /// Describes a reply that failed its check.
    pub fn wrong(operation: Operation, message: &str) -> Self {
        Self {
            operation,
            code: FailureCode::WrongAnswer,
            message: shortened(message),
        }
    }

    /// Returns whether the server may be gone: it did not reply, or not in time.
    pub fn is_silence(&self) -> bool {
        matches!(
            self.code,
            FailureCode::Status(Code::Unavailable | Code::DeadlineExceeded)
        )
    }

    /// Returns the message without the parts that differ between pods: ids become `*`,
    /// numbers become `#`.
    pub fn class(&self) -> String {
        let mut class = String::with_capacity(self.message.len());
        let mut rest = &*self.message;
        while let Some(first) = rest.chars().next() {
            let id = prefix(rest, |c| c.is_ascii_hexdigit());
            let number = prefix(rest, |c| c.is_ascii_digit());
            let taken = if id >= ID_CHARS {
                class.push('*');
                id
            } else if number > 0 {
                class.push('#');
                number
            } else {
                class.push(first);
                first.len_utf8()
            };
            rest = &rest[taken..];
        }
        class
    }
}

/// Returns the length of the longest prefix of characters that `wanted` accepts; all of
/// them are ASCII.
fn prefix(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn class(message: &str) -> String {
        Failure::wrong(Operation::TaskState, message).class()
    }

    #[test]
    fn ids_and_numbers_do_not_make_a_class_of_their_own() {
        let one = format!("container {} not found: pid 71", "0a".repeat(32));
        let two = format!("container {} not found: pid 9", "f3".repeat(32));
        assert_eq!(class(&one), "container * not found: pid #");
        assert_eq!(class(&one), class(&two));
    }

    #[test]
    fn words_stay() {
        assert_eq!(class("a bad cafe: no éclair"), "a bad cafe: no éclair");
    }

    #[test]
    fn a_failure_names_operation_and_code() {
        let failure = Failure::status(Operation::TaskKill, &Error::not_found("gone"));
        assert_eq!(failure.to_string(), "task_kill: NotFound: gone");
        let failure = Failure::wrong(Operation::TaskWait, "late");
        assert_eq!(failure.to_string(), "task_wait: WrongAnswer: late");
    }

    #[test]
    fn only_a_missing_reply_is_silence() {
        let silence = |error| Failure::status(Operation::Pod, &error).is_silence();
        assert!(silence(Error::unavailable("x")));
        assert!(silence(Error::new(Code::DeadlineExceeded, "x")));
        assert!(!silence(Error::not_found("x")));
        assert!(!Failure::wrong(Operation::Pod, "x").is_silence());
    }

    proptest! {
        #[test]
        fn any_message_has_a_class_of_bounded_length(message in "\\PC{0,400}") {
            prop_assert!(class(&message).chars().count() <= MESSAGE_CHARS + 1);
        }
    }
}
