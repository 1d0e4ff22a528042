//! Failures that are injected into calls.

use containerd_sandbox::{Code, Error, Result};
use serde::Deserialize;

use super::random::Random;

/// Valid values, for messages.
pub(crate) const RIGHT: &str = "the name of a gRPC code such as unavailable, alone or after first N, nth N, every N or \
     share S (0 to 1)";

/// Kinds of calls that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    /// Creation of a pod's sandbox.
    CreatePod,
    /// Start of a pod's sandbox.
    StartPod,
    /// Creation of a container.
    CreateContainer,
    /// Start of a container.
    StartContainer,
    /// Pull of an image.
    PullImage,
}

impl Call {
    /// Number of kinds.
    pub(crate) const COUNT: usize = 5;

    pub(super) fn words(self) -> &'static str {
        match self {
            Self::CreatePod => "creation of a pod",
            Self::StartPod => "start of a pod",
            Self::CreateContainer => "creation of a container",
            Self::StartContainer => "start of a container",
            Self::PullImage => "pull of an image",
        }
    }
}

/// Condition under which one of several numbered events fails.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    /// Always.
    Always,
    First(u64),
    Nth(u64),
    Every(u64),
    Share(f64),
}

/// Condition under which calls fail, and the code with which they fail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Failure {
    when: When,
    code: Code,
}

impl When {
    /// Parses the words of a condition; `None` for other words.
    pub(crate) fn parse(words: &[&str]) -> Option<Self> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        Some(match words {
            ["always"] => Self::Always,
            ["first", n] => Self::First(number(n)?),
            ["nth", n] => Self::Nth(number(n)?),
            ["every", n] => Self::Every(number(n)?),
            ["share", share] => {
                let share: f64 = share.parse().ok()?;
                let sound = (0.0..=1.0).contains(&share);
                sound.then_some(Self::Share(share))?
            }
            _ => return None,
        })
    }

    /// Returns whether the `nth` event, counted from 1, fails.
    pub(crate) fn holds(self, nth: u64, random: &mut Random) -> bool {
        match self {
            Self::Always => true,
            Self::First(n) => nth <= n,
            Self::Nth(n) => nth == n,
            Self::Every(n) => nth.is_multiple_of(n),
            Self::Share(share) => random.unit() < share,
        }
    }
}

impl Failure {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (code, condition) = words.split_last()?;
        let when = if condition.is_empty() {
            When::Always
        } else {
            When::parse(condition)?
        };
        let code = code_of(code)?;
        Some(Self { when, code })
    }

    /// Fails if the condition holds for this call, the `nth` of its kind, counted from 1.
    ///
    /// # Errors
    /// The stated code.
    pub(crate) fn check(&self, call: Call, nth: u64, random: &mut Random) -> Result<()> {
        if !self.when.holds(nth, random) {
            return Ok(());
        }
        Err(Error::new(
            self.code,
            format!("simulated: this {} was to fail", call.words()),
        ))
    }
}

/// Returns the code with a gRPC name, in upper or lower case, with or without underscores
/// and hyphens.
fn code_of(name: &str) -> Option<Code> {
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    Some(match name.as_str() {
        "cancelled" => Code::Cancelled,
        "unknown" => Code::Unknown,
        "invalidargument" => Code::InvalidArgument,
        "deadlineexceeded" => Code::DeadlineExceeded,
        "notfound" => Code::NotFound,
        "alreadyexists" => Code::AlreadyExists,
        "permissiondenied" => Code::PermissionDenied,
        "resourceexhausted" => Code::ResourceExhausted,
        "failedprecondition" => Code::FailedPrecondition,
        "aborted" => Code::Aborted,
        "unimplemented" => Code::Unimplemented,
        "internal" => Code::Internal,
        "unavailable" => Code::Unavailable,
        "dataloss" => Code::DataLoss,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(text: &str, calls: u64) -> Vec<u64> {
        let failure = Failure::parse(text).unwrap();
        let fails = |nth: &u64| {
            let mut random = Random::of(5, &[&nth.to_string()]);
            let checked = failure.check(Call::StartContainer, *nth, &mut random);
            checked.is_err()
        };
        (1..=calls).filter(fails).collect()
    }

    #[test]
    fn exactly_the_stated_calls_fail() {
        assert_eq!(failing("unavailable", 3), [1, 2, 3]);
        assert_eq!(failing("first 2 internal", 4), [1, 2]);
        assert_eq!(failing("nth 3 Internal", 4), [3]);
        assert_eq!(failing("every 2 DEADLINE_EXCEEDED", 5), [2, 4]);
        let share = failing("share 0.25 not-found", 4000).len();
        assert!((900..1100).contains(&share), "{share}");
        assert_eq!(
            failing("share 0.25 aborted", 99),
            failing("share 0.25 aborted", 99)
        );
    }

    #[test]
    fn an_injected_failure_has_its_code_and_says_that_it_is_simulated() {
        let failure = Failure::parse("resource_exhausted").unwrap();
        let mut random = Random::of(1, &[]);
        let error = failure.check(Call::CreatePod, 1, &mut random).unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(error.to_string().contains("simulated"), "{error}");
    }

    #[test]
    fn an_invalid_failure_is_refused() {
        for wrong in [
            "",
            "ok",
            "first 0 internal",
            "every x internal",
            "share 2 internal",
            "2 internal",
        ] {
            assert_eq!(Failure::parse(wrong), None, "{wrong}");
        }
    }
}
