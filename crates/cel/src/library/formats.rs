//! Formats of texts (`library/format.go`).

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::Evaluated;
use crate::opaque::NamedFormat;
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    (
        "validate",
        Method,
        "format string",
        "optional(list(string))",
        validate,
    ),
    ("format.named", Global, "string", "optional(format)", named),
    ("format.dns1123Label", Global, "", "format", |_, _| {
        of(NamedFormat::Dns1123Label)
    }),
    ("format.dns1123Subdomain", Global, "", "format", |_, _| {
        of(NamedFormat::Dns1123Subdomain)
    }),
    ("format.dns1035Label", Global, "", "format", |_, _| {
        of(NamedFormat::Dns1035Label)
    }),
    ("format.qualifiedName", Global, "", "format", |_, _| {
        of(NamedFormat::QualifiedName)
    }),
    ("format.dns1123LabelPrefix", Global, "", "format", |_, _| {
        of(NamedFormat::Dns1123LabelPrefix)
    }),
    (
        "format.dns1123SubdomainPrefix",
        Global,
        "",
        "format",
        |_, _| of(NamedFormat::Dns1123SubdomainPrefix),
    ),
    ("format.dns1035LabelPrefix", Global, "", "format", |_, _| {
        of(NamedFormat::Dns1035LabelPrefix)
    }),
    ("format.labelValue", Global, "", "format", |_, _| {
        of(NamedFormat::LabelValue)
    }),
    ("format.uri", Global, "", "format", |_, _| {
        of(NamedFormat::Uri)
    }),
    ("format.uuid", Global, "", "format", |_, _| {
        of(NamedFormat::Uuid)
    }),
    ("format.byte", Global, "", "format", |_, _| {
        of(NamedFormat::Byte)
    }),
    ("format.date", Global, "", "format", |_, _| {
        of(NamedFormat::Date)
    }),
    ("format.datetime", Global, "", "format", |_, _| {
        of(NamedFormat::Datetime)
    }),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "the tables want functions that can fail"
)]
fn of(format: NamedFormat) -> Evaluated<Value> {
    Ok(Value::Format(format))
}

const NAMES: [(&str, NamedFormat); 13] = [
    ("dns1123Label", NamedFormat::Dns1123Label),
    ("dns1123Subdomain", NamedFormat::Dns1123Subdomain),
    ("dns1035Label", NamedFormat::Dns1035Label),
    ("qualifiedName", NamedFormat::QualifiedName),
    ("dns1123LabelPrefix", NamedFormat::Dns1123LabelPrefix),
    (
        "dns1123SubdomainPrefix",
        NamedFormat::Dns1123SubdomainPrefix,
    ),
    ("dns1035LabelPrefix", NamedFormat::Dns1035LabelPrefix),
    ("labelValue", NamedFormat::LabelValue),
    ("uri", NamedFormat::Uri),
    ("uuid", NamedFormat::Uuid),
    ("byte", NamedFormat::Byte),
    ("date", NamedFormat::Date),
    ("datetime", NamedFormat::Datetime),
];

fn named(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let [Value::String(name)] = args else {
        return unexpected();
    };
    let found = NAMES.iter().find(|(other, _)| *other == name.as_ref());
    Ok(Value::optional(
        found.map(|(_, format)| Value::Format(*format)),
    ))
}

fn validate(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let [Value::Format(format), Value::String(text)] = args else {
        return unexpected();
    };
    budget.charge_walk(text.len() as u64)?;
    let errors = format.errors(text);
    let errors = (!errors.is_empty()).then(|| Value::list(errors.into_iter().map(Value::string)));
    Ok(Value::optional(errors))
}
