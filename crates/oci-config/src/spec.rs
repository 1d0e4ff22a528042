//! The parts of a spec that the creation of a container reads.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::field::{Field, InvalidField, integer, section, small};
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
    /// OOM score adjustment. The simulation alone uses it, so a wrong value counts as absent.
    pub oom_score_adj: Option<i64>,
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
    /// Whether the container gets a PID namespace of its own: `namespaces` has one of the type
    /// `pid` without a path. The simulation alone uses it, so a wrong value counts as absent.
    #[serde(rename = "namespaces", deserialize_with = "has_pid_namespace")]
    pub has_pid_namespace: bool,
}

fn has_pid_namespace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    struct Namespace<'a> {
        #[serde(borrow)]
        r#type: Cow<'a, str>,
        #[serde(borrow, default)]
        path: Option<Cow<'a, str>>,
    }
    let text = <&RawValue>::deserialize(deserializer)?.get();
    let namespaces: Vec<Namespace<'_>> = serde_json::from_str(text).unwrap_or_default();
    let is_new = |ns: &Namespace<'_>| ns.path.as_deref().is_none_or(str::is_empty);
    let mut namespaces = namespaces.iter();
    Ok(namespaces.any(|namespace| namespace.r#type == "pid" && is_new(namespace)))
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
    #[serde(rename = "oomScoreAdj", deserialize_with = "integer")]
    oom_score_adj: Field<i128>,
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
        let oom_score_adj = raw.oom_score_adj.value();
        Self {
            args: args.collect(),
            oom_score_adj: oom_score_adj.and_then(|number| i64::try_from(*number).ok()),
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
    fn a_wrong_oom_score_adjustment_counts_as_absent() {
        let adjustment = |value: &str| {
            let spec = spec(&format!("{{\"process\": {{\"oomScoreAdj\": {value}}}}}"));
            assert_eq!(spec.invalid, [], "{value}");
            spec.process.oom_score_adj
        };
        assert_eq!(adjustment("985"), Some(985));
        assert_eq!(adjustment("-997"), Some(-997));
        for wrong in ["null", "\"985\"", "0.5", "18446744073709551615", "{}"] {
            assert_eq!(adjustment(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_pid_namespace_without_a_path_is_a_new_one() {
        for (namespaces, is_new) in [
            (r#"[{"type": "pid"}]"#, true),
            (
                r#"[{"type": "mount"}, {"type": "pid", "path": null}]"#,
                true,
            ),
            (r#"[{"type": "pid", "path": ""}]"#, true),
            (r#"[{"type": "pid", "path": "/proc/1/ns/pid"}]"#, false),
            (r#"[{"type": "mount"}]"#, false),
            ("null", false),
            ("[]", false),
            ("7", false),
            (r#"[{"type": 7}]"#, false),
        ] {
            let spec = spec(&format!("{{\"linux\": {{\"namespaces\": {namespaces}}}}}"));
            let linux = spec.linux.value().unwrap();
            assert_eq!(linux.has_pid_namespace, is_new, "{namespaces}");
        }
    }

    #[test]
    fn other_texts_than_objects_are_refused() {
        for text in ["", "[]", "5", "null", "{\"linux\":", "{}}"] {
            assert!(from_slice::<Spec>(text.as_bytes()).is_err(), "{text}");
        }
    }
}
