//! Invalid values, and whether they are errors or warnings.

use std::fmt;

use super::weight::WeightFormula;

/// Source in which a value was stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `linux.resources` of a container's OCI spec, or of an update.
    OciResources,
    /// `linux.resources` of a container's CRI configuration, or of an update.
    ContainerResources,
    /// An annotation of a container.
    ContainerAnnotation,
    /// `linux.resources` of the pod's configuration.
    PodResources,
    /// `linux.overhead` of the pod's configuration.
    PodOverhead,
    /// An annotation of the pod's configuration.
    PodAnnotation,
    /// An annotation of the request that creates the sandbox.
    RequestAnnotation,
    /// The record that containerd keeps of the sandbox, as a whole.
    Record,
    /// `linux.resources` in that record.
    RecordResources,
    /// `linux.overhead` in that record.
    RecordOverhead,
    /// A pod annotation in that record.
    RecordAnnotation,
    /// A label of that record.
    RecordLabel,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OciResources => "OCI resources",
            Self::ContainerResources => "container resources",
            Self::ContainerAnnotation => "container annotation",
            Self::PodResources => "pod resources",
            Self::PodOverhead => "pod overhead",
            Self::PodAnnotation => "pod annotation",
            Self::RequestAnnotation => "request annotation",
            Self::Record => "sandbox record",
            Self::RecordResources => "sandbox record's resources",
            Self::RecordOverhead => "sandbox record's overhead",
            Self::RecordAnnotation => "sandbox record's annotation",
            Self::RecordLabel => "sandbox record's label",
        })
    }
}

/// A stated resource that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin} {key}: cannot read \"{value}\": expected {expected}")]
pub struct InvalidResource {
    /// Source of the value.
    pub origin: Origin,
    /// Key or name of the value.
    pub key: &'static str,
    /// The value, shortened, with control characters escaped.
    pub value: String,
    /// Description of a valid value.
    pub expected: &'static str,
}

impl InvalidResource {
    pub(super) fn new(
        origin: Origin,
        key: &'static str,
        value: &str,
        expected: &'static str,
    ) -> Self {
        Self {
            origin,
            key,
            value: printable(value),
            expected,
        }
    }
}

/// Most characters of a value in a message.
const SHOWN: usize = 64;

fn printable(value: &str) -> String {
    let mut chars = value.chars();
    let mut shown: String = chars
        .by_ref()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if !chars.as_str().is_empty() {
        shown.push('…');
    }
    shown
}

/// Treatment of a value that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// Refuse the request with the value.
    #[default]
    Reject,
    /// Warn and ignore the value: the field is null unless another source states it.
    Warn,
}

/// Choices of how values are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Treatment of a value that cannot be read.
    pub on_invalid: OnInvalid,
    /// Formula by which a `cpu.weight` was made of CPU shares.
    pub weight_formula: WeightFormula,
}

impl From<OnInvalid> for Rules {
    fn from(on_invalid: OnInvalid) -> Self {
        Self {
            on_invalid,
            ..Self::default()
        }
    }
}

/// Passes on readings, and turns invalid ones into errors or warnings.
pub(super) struct Reader {
    rules: Rules,
    warnings: Vec<InvalidResource>,
}

impl Reader {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            warnings: Vec::new(),
        }
    }

    pub(super) fn weight_formula(&self) -> WeightFormula {
        self.rules.weight_formula
    }

    /// Returns the value of a reading; `None` if it is invalid and only a warning.
    pub(super) fn accept<T>(
        &mut self,
        reading: Result<T, InvalidResource>,
    ) -> Result<Option<T>, InvalidResource> {
        match (reading, self.rules.on_invalid) {
            (Ok(value), _) => Ok(Some(value)),
            (Err(invalid), OnInvalid::Reject) => Err(invalid),
            (Err(invalid), OnInvalid::Warn) => {
                // A pod's configuration arrives twice, the second time in containerd's record.
                // One warning is enough.
                let known = |warning: &InvalidResource| {
                    (warning.key, &warning.value) == (invalid.key, &invalid.value)
                };
                if !self.warnings.iter().any(known) {
                    self.warnings.push(invalid);
                }
                Ok(None)
            }
        }
    }

    pub(super) fn into_warnings(self) -> Vec<InvalidResource> {
        self.warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(value: &str) -> InvalidResource {
        InvalidResource::new(
            Origin::PodAnnotation,
            "resources.limits.cpu",
            value,
            "a number",
        )
    }

    #[test]
    fn the_message_names_source_key_value_and_a_valid_value() {
        assert_eq!(
            invalid("two").to_string(),
            "pod annotation resources.limits.cpu: cannot read \"two\": expected a number"
        );
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(invalid("a\n\0\u{1b}[31m\"").value, "a\\n\\0\\u{1b}[31m\\\"");
    }

    #[test]
    fn a_long_value_is_shortened_between_characters() {
        let shown = invalid(&"é".repeat(1 << 20)).value;
        assert_eq!(shown, format!("{}…", "é".repeat(64)));
        let fitting = "x".repeat(64);
        assert_eq!(invalid(&fitting).value, fitting);
    }

    #[test]
    fn the_same_value_causes_one_warning() {
        let mut reader = Reader::new(OnInvalid::Warn.into());
        for value in ["x", "x", "y"] {
            assert_eq!(reader.accept::<()>(Err(invalid(value))), Ok(None));
        }
        let again = InvalidResource {
            origin: Origin::RecordAnnotation,
            ..invalid("x")
        };
        assert_eq!(reader.accept::<()>(Err(again)), Ok(None));
        assert_eq!(reader.into_warnings(), [invalid("x"), invalid("y")]);
    }
}
