//! `slotplan schema`: the forms of the documents as JSON Schema (2020-12).

use std::io::{self, Write};

use clap::Args;
use clap::builder::PossibleValuesParser;
use schemars::Schema;

use super::{capacity, cost, diff, export, fit, inventory, policy, profile, schedule};

/// Document with its kind and version, and its schema.
type Document = (&'static str, fn() -> Schema);

/// Documents of all commands, in the order of their names.
const DOCUMENTS: [Document; 11] = [
    (capacity::document::SCHEMA, capacity::document::schema),
    (cost::document::SCHEMA, cost::document::schema),
    (diff::document::SCHEMA, diff::document::schema),
    (export::answer::SCHEMA, export::answer::schema),
    (fit::document::SCHEMA, fit::document::schema),
    (inventory::SCHEMA, inventory::schema),
    (policy::document::SCHEMA, policy::document::schema),
    (profile::document::SCHEMA, profile::document::schema),
    (schedule::document::SCHEMA, schedule::document::schema),
    (schedule::explain::SCHEMA, schedule::explain::schema),
    (schedule::over_time::SCHEMA, schedule::over_time::schema),
];

/// Options of `slotplan schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Document: the middle part of its field `schema`, such as capacity; without it, the kinds and
    /// versions of all documents are listed
    #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(DOCUMENTS.map(name)))]
    name: Option<String>,
}

impl SchemaArgs {
    /// Writes the schema of the document, or the list of all documents.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(wanted) = &self.name else {
            return DOCUMENTS
                .iter()
                .try_for_each(|(schema, _)| writeln!(out, "{schema}"));
        };
        for (_, schema) in DOCUMENTS.iter().filter(|known| name(**known) == wanted) {
            serde_json::to_writer_pretty(&mut *out, &schema())?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// Returns the name of a document: `capacity` of `slotplan/capacity/1`.
fn name((schema, _): Document) -> &'static str {
    schema.split('/').nth(1).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// Returns each schema, printed, with its name and the name of its file.
    fn printed() -> impl Iterator<Item = (&'static str, String, String)> {
        DOCUMENTS.into_iter().map(|document| {
            let mut text = Vec::new();
            let args = SchemaArgs {
                name: Some(name(document).to_owned()),
            };
            args.write(&mut text).unwrap();
            let file = format!("{}.schema.json", document.0.replace('/', "-"));
            (name(document), file, String::from_utf8(text).unwrap())
        })
    }

    #[test]
    fn the_committed_schemas_are_the_types() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/schema");
        for (name, file, text) in printed() {
            let committed = std::fs::read_to_string(directory.join(&file)).unwrap_or_default();
            assert_eq!(
                text, committed,
                "make it again: slotplan schema {name} >results/schema/{file}"
            );
        }
    }

    #[test]
    fn every_schema_is_valid_and_names_its_document() {
        for (name, _, text) in printed() {
            let schema: Value = serde_json::from_str(&text).unwrap();
            assert!(jsonschema::meta::is_valid(&schema), "{name}");
            let document = schema["properties"]["schema"]["const"].as_str().unwrap();
            assert!(document.starts_with("slotplan/"), "{document}");
            assert_eq!(schema["title"], format!("slotplan {name}"));
        }
    }

    #[test]
    fn every_object_is_closed_and_every_field_described() {
        for (document, _, text) in printed() {
            let schema: Value = serde_json::from_str(&text).unwrap();
            let definitions = schema["$defs"].as_object();
            let types = definitions.into_iter().flat_map(|types| types.values());
            for of_type in types.chain([&schema]) {
                let Some(properties) = of_type["properties"].as_object() else {
                    continue;
                };
                assert_eq!(of_type["additionalProperties"], false, "{document}");
                for (name, field) in properties {
                    let told = field["description"].as_str().unwrap_or_default();
                    assert!(!told.is_empty(), "{document}: {name} has no description");
                    let told = told.to_lowercase();
                    for (end, unit) in [
                        ("_seconds", "second"),
                        ("_bytes", "bytes"),
                        ("_millicores", "millicores"),
                        ("_nano", "billionths"),
                        ("_core_hours", "core-hours"),
                        ("_gib_hours", "hours of 2^30 bytes"),
                        ("_per_month", "month"),
                        ("_per_hour", "hour"),
                        ("_percent", "percent"),
                    ] {
                        let is_wanted = name.ends_with(end);
                        assert!(
                            !is_wanted || told.contains(unit),
                            "{document}: {name}: {told}"
                        );
                    }
                }
            }
        }
    }
}
