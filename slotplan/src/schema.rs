//! JSON Schemas (2020-12) of documents, derived from the types that write them.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// Returns the schema of the document `T` with the name `name` in its header, such as
/// `slotplan/capacity/1`.
///
/// An object has the fields of its type and no others, so that a misspelt field is an error.
pub(crate) fn of<T: JsonSchema>(name: &str) -> Schema {
    let settings = SchemaSettings::draft2020_12()
        .for_serialize()
        .with_transform(RecursiveTransform(close));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    let title = name.rsplit_once('/').map_or(name, |(title, _)| title);
    schema.insert("title".to_owned(), title.replace('/', " ").into());
    if let Some(field) = schema.pointer_mut("/properties/schema") {
        field["const"] = name.into();
    }
    schema
}

/// Refuses the fields that an object does not have, and null in fields that may be absent: such a
/// field is left out instead.
fn close(schema: &mut Schema) {
    let required = schema.get("required").and_then(Value::as_array).cloned();
    let is_required = |name: &str| required.iter().flatten().any(|required| *required == *name);
    let Some(Value::Object(fields)) = schema.get_mut("properties") else {
        return;
    };
    for (name, field) in fields {
        if !is_required(name) {
            refuse_null(field);
        }
    }
    let rules = schema.ensure_object();
    rules
        .entry("additionalProperties")
        .or_insert_with(|| json!(false));
}

/// Removes null from the types of a field.
fn refuse_null(field: &mut Value) {
    let Some(field) = field.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = field.get_mut("type") {
        types.retain(|name| *name != "null");
        if let [only] = types.as_mut_slice() {
            let only = only.take();
            field.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = field.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_mut_slice() {
            let only = std::mem::take(only);
            field.remove("anyOf");
            field.extend(only);
        }
    }
}
