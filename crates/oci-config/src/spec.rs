//! The parts of a spec that the creation of a container reads.

use std::collections::HashMap;

use serde::Deserialize;

use crate::field::{Field, InvalidField, section, small};
use crate::resources::{LinuxResources, texts};

/// The parts of an OCI runtime spec that the creation of a container reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Raw")]
pub struct Spec {
    /// Annotations of the container. A value that is no text is given as JSON.
    pub annotations: HashMap<String, String>,
    /// First process of the container.
    pub process: Process,
    /// Settings that only Linux has.
    pub linux: Field<Linux>,
    /// Fields outside of `linux` that cannot be read and count as absent.
    pub invalid: Vec<InvalidField>,
}

/// A process of a container: the first one, or one that an exec adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "RawProcess")]
pub struct Process {
    /// Command and arguments.
    pub args: Vec<String>,
    /// Fields that cannot be read and count as absent.
    pub invalid: Vec<InvalidField>,
}

/// The Linux part of a spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Linux {
    /// Limits that a kernel would enforce.
    #[serde(deserialize_with = "section")]
    pub resources: Field<LinuxResources>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    #[serde(deserialize_with = "texts")]
    annotations: Field<HashMap<String, String>>,
    #[serde(deserialize_with = "section")]
    process: Field<Process>,
    #[serde(deserialize_with = "section")]
    linux: Field<Linux>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawProcess {
    #[serde(deserialize_with = "small")]
    args: Field<Vec<Option<String>>>,
}

impl From<Raw> for Spec {
    fn from(raw: Raw) -> Self {
        let mut invalid = Vec::new();
        let annotations = raw.annotations;
        let annotations = annotations.take("annotations", "an object of texts", &mut invalid);
        let process = raw.process.take("process", "an object", &mut invalid);
        let mut process = process.unwrap_or_default();
        invalid.append(&mut process.invalid);
        Self {
            annotations: annotations.unwrap_or_default(),
            process,
            linux: raw.linux,
            invalid,
        }
    }
}

impl From<RawProcess> for Process {
    fn from(raw: RawProcess) -> Self {
        let mut invalid = Vec::new();
        let args = raw.args;
        let args = args.take("process.args", "a list of texts", &mut invalid);
        // Go reads a null in a list of texts as an empty text.
        let args = args.into_iter().flatten().map(Option::unwrap_or_default);
        Self {
            args: args.collect(),
            invalid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::from_slice;

    fn spec(text: &str) -> Spec {
        from_slice(text.as_bytes()).unwrap()
    }

    #[test]
    fn null_counts_as_absent_everywhere() {
        for text in [
            "{}",
            r#"{"annotations": null, "process": null, "linux": null}"#,
            r#"{"process": {"args": null}, "annotations": {"a": null}}"#,
        ] {
            assert_eq!(spec(text), Spec::default(), "{text}");
        }
        let with = |linux: &str| spec(&format!("{{\"linux\":{linux}}}")).linux;
        assert_eq!(
            with(r#"{"resources": null}"#),
            Field::Value(Linux::default())
        );
        let empty = LinuxResources::default();
        assert_eq!(
            with(r#"{"resources":{"cpu":null,"memory":null,"pids":null,"unified":null}}"#)
                .value()
                .unwrap()
                .resources,
            Field::Value(empty)
        );
    }

    #[test]
    fn each_wrong_value_outside_of_linux_is_named() {
        let wrong = spec(r#"{"annotations": [1], "process": {"args": "sleep"}, "linux": 5}"#);
        let shown: Vec<String> = wrong.invalid.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "annotations: cannot read […]: expected an object of texts",
                "process.args: cannot read \"sleep\": expected a list of texts"
            ]
        );
        assert_eq!(wrong.linux, Field::Unreadable("5".into()));
        let wrong = spec(r#"{"process": "sleep"}"#);
        assert_eq!(
            wrong.invalid[0].to_string(),
            "process: cannot read \"sleep\": expected an object"
        );
    }

    #[test]
    fn other_texts_than_objects_are_refused() {
        for text in ["", "[]", "5", "null", "{\"linux\":", "{}}"] {
            assert!(from_slice::<Spec>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
