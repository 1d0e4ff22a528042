//! `loadgen schema`: the form of a `result.json` as JSON Schema (2020-12).

use std::io::{self, Write};

use schemars::Schema;
use schemars::generate::SchemaSettings;

use crate::result::RunResult;

/// Returns the schema of a run's result in the form that [`RunResult`] is written in.
pub fn run() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings
        .into_generator()
        .into_root_schema_for::<RunResult>()
}

/// Writes the schema of a run's result.
///
/// # Errors
/// Errors of the writer.
pub fn write(out: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &run())?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use jsonschema::Validator;
    use serde_json::Value;

    use super::*;
    use crate::result::fixture::example;

    /// Command that generates the committed file.
    const AGAIN: &str = "loadgen schema >results/schema/run-2.schema.json";

    const COMMITTED: &str = include_str!("../../../results/schema/run-2.schema.json");

    fn validator() -> Validator {
        jsonschema::validator_for(run().as_value()).unwrap()
    }

    fn document() -> Value {
        serde_json::to_value(example()).unwrap()
    }

    /// Returns the places and reasons of the errors in a changed document.
    fn refused(change: impl FnOnce(&mut Value)) -> String {
        let mut document = document();
        change(&mut document);
        let validator = validator();
        let errors: Vec<_> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        errors.join("\n")
    }

    #[test]
    fn the_committed_schema_is_the_types() {
        let mut text = Vec::new();
        write(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            COMMITTED,
            "make it again: {AGAIN}"
        );
    }

    #[test]
    fn a_result_is_valid() {
        assert_eq!(refused(|_| ()), "");
    }

    #[test]
    fn a_missing_field_is_noticed() {
        let errors = refused(|d| {
            d.as_object_mut().unwrap().remove("plan_hash");
        });
        assert!(errors.contains("plan_hash"), "{errors}");
        let errors = refused(|d| {
            let sample = &mut d["processes"][0]["samples"][0];
            sample.as_object_mut().unwrap().remove("rss_bytes");
        });
        assert!(errors.contains("/processes/0/samples/0: "), "{errors}");
    }

    #[test]
    fn a_wrong_type_is_noticed() {
        for (change, place) in [
            (
                (|d| d["totals"]["pods"] = "many".into()) as fn(&mut Value),
                "/totals/pods",
            ),
            (|d| d["totals"]["pods"] = (-1).into(), "/totals/pods"),
            (
                |d| d["timeline"][0]["operations"][0]["operation"] = "dance".into(),
                "/timeline/0/operations/0/operation",
            ),
            (|d| d["load"]["mode"] = "ajar".into(), "/load/mode"),
            (
                |d| d["processes"][0]["cpu_user_s"] = Value::Null,
                "/processes/0/cpu_user_s",
            ),
        ] {
            let errors = refused(change);
            assert!(errors.starts_with(place), "{place}: {errors}");
        }
    }

    #[test]
    fn an_unknown_version_or_document_is_noticed() {
        assert!(refused(|d| d["schema_version"] = 3.into()).starts_with("/schema_version"));
        assert!(refused(|d| d["schema"] = "x".into()).starts_with("/schema"));
    }

    #[test]
    fn every_field_is_described_with_its_unit() {
        let schema = run();
        let schema = schema.as_value();
        let mut fields = 0;
        let types = schema["$defs"].as_object().unwrap().values();
        for properties in types
            .chain([schema])
            .filter_map(|t| t["properties"].as_object())
        {
            for (name, field) in properties {
                let description = field["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{name} has no description");
                let unit = [
                    ("_ns", "nanoseconds"),
                    ("_per_s", "per second"),
                    ("_s", "second"),
                    ("_bytes", "bytes"),
                ];
                if let Some((_, unit)) = unit.iter().find(|(end, _)| name.ends_with(end)) {
                    assert!(
                        description.to_lowercase().contains(unit),
                        "{name}: {description}"
                    );
                }
                fields += 1;
            }
        }
        assert!(fields > 90, "{fields}");
    }
}
