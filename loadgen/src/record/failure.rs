//! What can go wrong with one call, and how such failures are grouped.

use std::fmt;

use containerd_sandbox::{Code, Error};

use crate::record::operation::Operation;

/// The longest message class and example kept, in characters.
const MESSAGE_CHARS: usize = 300;

/// Shorter runs of hexadecimal digits are words.
const ID_CHARS: usize = 12;

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureCode {
    /// The call failed.
    Status(Code),
    /// The call succeeded and its reply contradicts the plan.
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

/// A call that did not do what the plan wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {code}: {message}", operation = operation.name())]
pub struct Failure {
    /// The call.
    pub operation: Operation,
    /// What kind of failure.
    pub code: FailureCode,
    /// What the server said, or what is wrong with its answer.
    pub message: String,
}

impl Failure {
    /// The call failed.
    pub fn status(operation: Operation, error: &Error) -> Self {
        Self {
            operation,
            code: FailureCode::Status(error.code()),
            message: shortened(&error.to_string()),
        }
    }

    /// The reply is wrong.
    pub fn wrong(operation: Operation, message: &str) -> Self {
        Self {
            operation,
            code: FailureCode::WrongAnswer,
            message: shortened(message),
        }
    }

    /// Whether the peer may be gone: it did not answer, or not in time.
    pub fn is_silence(&self) -> bool {
        matches!(
            self.code,
            FailureCode::Status(Code::Unavailable | Code::DeadlineExceeded)
        )
    }

    /// The message without what differs from pod to pod: ids are `*`, numbers `#`.
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

/// The length of the leading characters, all ASCII, that are `wanted`.
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
    fn only_no_answer_is_silence() {
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
