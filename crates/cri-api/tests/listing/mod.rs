//! Descriptors as text: one line for each fact, or a `.proto` file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FieldOptions, FileDescriptorProto,
    MessageOptions, MethodDescriptorProto, ServiceDescriptorProto,
};

/// Returns each field, value and method of a file as one line that states all that decides its
/// encoding. The names of an enumeration's values are left out: they are not encoded, and those of
/// `Signal` got a prefix in Kubernetes 1.37.
pub fn facts(file: &FileDescriptorProto) -> BTreeSet<String> {
    let messages = file.message_type.iter().flat_map(|message| {
        let fields = message.field.iter().map(|f| line(message, f));
        let name = format!("message {}", message.name());
        fields
            .map(|field| format!("{}: {field}", message.name()))
            .chain([name])
            .collect::<Vec<_>>()
    });
    let nested = file.message_type.iter().flat_map(|m| &m.enum_type);
    let enums = file.enum_type.iter().chain(nested).flat_map(|one| {
        let value = |v: &prost_types::EnumValueDescriptorProto| {
            format!("{}: a value {}", one.name(), v.number())
        };
        one.value.iter().map(value).collect::<Vec<_>>()
    });
    let methods = file.service.iter().flat_map(|service| {
        let method = |m: &MethodDescriptorProto| format!("{}: {}", service.name(), rpc(m));
        service.method.iter().map(method).collect::<Vec<_>>()
    });
    messages.chain(enums).chain(methods).collect()
}

/// Returns a `.proto` file with the same messages, enumerations and services, sorted by name, the
/// parts of each by number.
pub fn proto(file: &FileDescriptorProto) -> String {
    let mut out = format!(
        "// Names and numbers of the Container Runtime Interface, version v1 (Kubernetes,\n\
         // k8s.io/cri-api/pkg/apis/runtime/v1). Written by the test `published`.\n\n\
         syntax = \"proto3\";\n\npackage {};\n",
        file.package()
    );
    let mut services: Vec<_> = file.service.iter().collect();
    services.sort_by_key(|service| service.name());
    for one in services {
        write_service(&mut out, one);
    }
    let mut enums: Vec<_> = file.enum_type.iter().collect();
    enums.sort_by_key(|one| one.name());
    for one in enums {
        write_block(&mut out, "enum", one.name(), enum_values(one));
    }
    let mut messages: Vec<_> = file.message_type.iter().collect();
    messages.sort_by_key(|message| message.name());
    for one in messages {
        write_message(&mut out, one);
    }
    out
}

fn write_service(out: &mut String, service: &ServiceDescriptorProto) {
    let mut methods: Vec<_> = service.method.iter().collect();
    methods.sort_by_key(|method| method.name());
    write_block(out, "service", service.name(), methods.into_iter().map(rpc));
}

fn enum_values(one: &EnumDescriptorProto) -> Vec<String> {
    let mut values: Vec<_> = one.value.iter().collect();
    values.sort_by_key(|value| value.number());
    let value =
        |v: &&prost_types::EnumValueDescriptorProto| format!("{} = {}", v.name(), v.number());
    values.iter().map(value).collect()
}

fn write_message(out: &mut String, message: &DescriptorProto) {
    let mut fields: Vec<_> = message.field.iter().collect();
    fields.sort_by_key(|field| field.number());
    // No enumeration inside of a message of CRI has more values than fit on one line.
    let enums = message
        .enum_type
        .iter()
        .map(|one| format!("enum {} {{ {}; }}", one.name(), enum_values(one).join("; ")));
    let fields = fields.into_iter().map(|field| line(message, field));
    write_block(out, "message", message.name(), enums.chain(fields));
}

fn write_block(out: &mut String, kind: &str, name: &str, lines: impl IntoIterator<Item = String>) {
    let _ = write!(out, "\n{kind} {name} {{");
    let end = |line: &str| if line.ends_with('}') { "" } else { ";" };
    let lines: Vec<_> = lines
        .into_iter()
        .map(|line| format!("  {line}{}\n", end(&line)))
        .collect();
    if !lines.is_empty() {
        out.push('\n');
    }
    out.extend(lines);
    out.push_str("}\n");
}

fn rpc(method: &MethodDescriptorProto) -> String {
    let message = |name: &str, streamed: bool| {
        let stream = if streamed { "stream " } else { "" };
        format!("({stream}{})", local(name))
    };
    format!(
        "rpc {}{} returns {}",
        method.name(),
        message(method.input_type(), method.client_streaming()),
        message(method.output_type(), method.server_streaming()),
    )
}

/// Returns a field as `.proto` files state it.
fn line(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let repeated = field.label() == Label::Repeated;
    let entry = message.nested_type.iter().find(|nested| {
        let is_map = nested
            .options
            .as_ref()
            .is_some_and(MessageOptions::map_entry);
        is_map && field.type_name().ends_with(&format!(".{}", nested.name()))
    });
    let kind = match entry {
        Some(entry) => format!("map<{}, {}>", kind(&entry.field[0]), kind(&entry.field[1])),
        None if repeated => format!("repeated {}", kind(field)),
        None => kind(field),
    };
    assert!(field.oneof_index.is_none(), "no field of CRI is in a oneof");
    let deprecated = field.options.as_ref().is_some_and(FieldOptions::deprecated);
    let options = if deprecated {
        " [deprecated = true]"
    } else {
        ""
    };
    format!("{kind} {} = {}{options}", field.name(), field.number())
}

fn kind(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => local(field.type_name()).to_owned(),
        scalar => scalar
            .as_str_name()
            .trim_start_matches("TYPE_")
            .to_lowercase(),
    }
}

/// Returns the last part of a type's full name: all types of CRI are in one package.
fn local(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
