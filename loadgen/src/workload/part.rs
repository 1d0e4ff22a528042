//! Parts of one plan, for several machines at the same time.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Variable with the number of a pod of an indexed Job (Kubernetes, `completionMode: Indexed`).
const JOB_INDEX: &str = "JOB_COMPLETION_INDEX";

/// Highest number of parts.
const MOST: u32 = 10_000;

/// Part of a plan: pod k belongs to part k mod N.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Number of the part, from 0.
    pub number: u32,
    /// Number of all parts.
    pub of: u32,
}

/// Error of a text that is no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// The text has another form, or its number is not below that of all parts.
    #[error("{text:?} is no part: wanted I/N with I from 0 to N-1, and N from 1 to {MOST}")]
    Form {
        /// The text.
        text: String,
    },
    /// The text leaves the number out, and the environment has none.
    #[error("/{of} leaves the number of the part to {JOB_INDEX}, which is {found}")]
    NoIndex {
        /// Number of all parts.
        of: u32,
        /// Value of the variable, or that it is not set.
        found: String,
    },
}

impl Part {
    /// Returns the index in the whole plan of the pod at `place` in this part.
    pub fn index(self, place: u64) -> u64 {
        place * u64::from(self.of) + u64::from(self.number)
    }

    /// Returns the number of pods in this part of the first `pods` of the whole plan.
    pub fn share(self, pods: u64) -> u64 {
        let (number, of) = (u64::from(self.number), u64::from(self.of));
        pods.saturating_sub(number).div_ceil(of)
    }

    fn read(text: &str, job_index: Option<&str>) -> Result<Self, PartError> {
        let form = || PartError::Form {
            text: text.to_owned(),
        };
        let (number, of) = text.split_once('/').ok_or_else(form)?;
        let of: u32 = of.parse().map_err(|_| form())?;
        let number = match number {
            "" => {
                let index = job_index.and_then(|index| index.parse().ok());
                index.ok_or_else(|| PartError::NoIndex {
                    of,
                    found: job_index.map_or("not set".to_owned(), |index| format!("{index:?}")),
                })?
            }
            number => number.parse().map_err(|_| form())?,
        };
        let is_part = number < of && of <= MOST;
        is_part.then_some(Self { number, of }).ok_or_else(form)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = PartError;

    /// Reads `I/N`; `/N` takes the number from the variable of an indexed Job.
    fn from_str(text: &str) -> Result<Self, PartError> {
        Self::read(text, std::env::var(JOB_INDEX).ok().as_deref())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_is_stated_or_that_of_a_job() {
        let part = |number, of| Ok(Part { number, of });
        assert_eq!(Part::read("2/4", None), part(2, 4));
        assert_eq!(Part::read("/4", Some("3")), part(3, 4));
        assert_eq!(Part::read("0/1", None), part(0, 1));
        for (text, job) in [
            ("4/4", None),
            ("-1/4", None),
            ("0/0", None),
            ("0/10001", None),
            ("2", None),
            ("1/2/3", None),
            ("/4", Some("4")),
        ] {
            assert!(
                matches!(Part::read(text, job), Err(PartError::Form { .. })),
                "{text}"
            );
        }
        let error = Part::read("/4", None).unwrap_err().to_string();
        assert!(
            error.ends_with("JOB_COMPLETION_INDEX, which is not set"),
            "{error}"
        );
        let error = Part::read("/4", Some("first")).unwrap_err().to_string();
        assert!(error.ends_with("which is \"first\""), "{error}");
    }

    proptest! {
        #[test]
        fn each_pod_belongs_to_one_part(of in 1_u32..20, pods in 0_u64..200) {
            let mut found: Vec<u64> = (0..of)
                .flat_map(|number| {
                    let part = Part { number, of };
                    (0..part.share(pods)).map(move |place| part.index(place))
                })
                .collect();
            found.sort_unstable();
            prop_assert_eq!(found, (0..pods).collect::<Vec<_>>());
        }
    }
}
