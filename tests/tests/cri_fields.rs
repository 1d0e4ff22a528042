//! Every field that a client of CRI can state has a documented effect, and every field of a
//! configuration is kept or refused by its name.

use std::collections::BTreeSet;

use containerd_sandbox::client::Cri;
use cri_api::v1;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage as _, Value,
};
use tests::Daemon;
use tests::cri::{IMAGE, container_config, pod_config, pull, run_pod};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(cri_api::DESCRIPTORS).unwrap()
}

/// Returns the fields of all messages that a request contains, as `Message.field`.
fn stated_fields(pool: &DescriptorPool) -> BTreeSet<String> {
    let mut waiting: Vec<MessageDescriptor> = pool
        .services()
        .flat_map(|service| service.methods().map(|m| m.input()).collect::<Vec<_>>())
        .collect();
    let mut seen = BTreeSet::new();
    let mut fields = BTreeSet::new();
    while let Some(message) = waiting.pop() {
        if !seen.insert(message.full_name().to_owned()) {
            continue;
        }
        for field in message.fields() {
            if !message.is_map_entry() {
                fields.insert(format!("{}.{}", message.name(), field.name()));
            }
            if let Kind::Message(inner) = field.kind() {
                waiting.push(inner);
            }
        }
    }
    fields
}

#[test]
fn every_field_has_a_row_in_the_reference() {
    let page = include_str!("../../docs/reference/cri-fields.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let names: Vec<&str> = rows
        .map(|row| row.split('|').nth(1).unwrap())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let unique: BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "a field has two rows");
    let fields = stated_fields(&pool());
    let has_row = |field: &String| {
        let (message, _) = field.split_once('.').unwrap();
        names.contains(&field.as_str()) || names.contains(&format!("{message}.*").as_str())
    };
    let missing: Vec<_> = fields.iter().filter(|field| !has_row(field)).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    let is_field = |name: &&&str| match name.strip_suffix('*') {
        Some(message) => fields.iter().any(|field| field.starts_with(message)),
        None => fields.contains(**name),
    };
    let stale: Vec<_> = names.iter().filter(|name| !is_field(name)).collect();
    assert!(stale.is_empty(), "no such field: {stale:?}");
}

/// Returns a value of a field that is not its default.
fn sample(field: &FieldDescriptor) -> Value {
    match field.kind() {
        Kind::String => Value::String("sample".to_owned()),
        Kind::Bytes => Value::Bytes(b"sample".to_vec().into()),
        Kind::Bool => Value::Bool(true),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(7),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(7),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(7),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(7),
        Kind::Float => Value::F32(0.5),
        Kind::Double => Value::F64(0.5),
        Kind::Enum(_) => Value::EnumNumber(1),
        Kind::Message(_) => unreachable!("messages are entered"),
    }
}

/// Returns copies of a message, each with one more field set, with the path of the field.
fn variants(base: &DynamicMessage) -> Vec<(String, DynamicMessage)> {
    let mut variants = Vec::new();
    for field in base.descriptor().fields() {
        let name = field.name().to_owned();
        let mut add = |path: String, value: Value| {
            let mut variant = base.clone();
            variant.set_field(&field, value);
            variants.push((path, variant));
        };
        match field.kind() {
            _ if field.is_map() => {
                let entry = (
                    MapKey::String("sample".to_owned()),
                    Value::String("v".to_owned()),
                );
                let mut map = base.get_field(&field).as_map().unwrap().clone();
                map.extend([entry]);
                add(name, Value::Map(map));
            }
            Kind::Message(inner) if field.is_list() => {
                let list = base.get_field(&field).as_list().unwrap().to_vec();
                for (path, item) in self::variants(&DynamicMessage::new(inner)) {
                    let longer = [list.clone(), vec![Value::Message(item)]].concat();
                    add(format!("{name}.{path}"), Value::List(longer));
                }
            }
            Kind::Message(_) => {
                let present = base.get_field(&field).as_message().unwrap().clone();
                for (path, inner) in self::variants(&present) {
                    add(format!("{name}.{path}"), Value::Message(inner));
                }
            }
            _ if field.is_list() => add(name, Value::List(vec![sample(&field)])),
            _ => add(name, sample(&field)),
        }
    }
    variants
}

/// Returns a message with reflection.
fn reflected(name: &str, message: &impl prost::Message) -> DynamicMessage {
    let descriptor = pool().get_message_by_name(name).unwrap();
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).unwrap()
}

/// Asserts that an error names the last part of a field's path.
fn assert_names(error: &containerd_sandbox::Error, path: &str) {
    assert_eq!(
        error.code(),
        containerd_sandbox::Code::InvalidArgument,
        "{path}: {error}"
    );
    let text = error.to_string();
    let named = path.rsplit('.').any(|part| text.contains(part));
    assert!(named, "{path}: the error names another field: {error}");
}

#[tokio::test]
async fn every_field_of_a_pod_is_kept_or_refused_by_name() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let base = pod_config("web", daemon.home().root());
    let mut refused = Vec::new();
    for (n, (path, variant)) in variants(&reflected("runtime.v1.PodSandboxConfig", &base))
        .into_iter()
        .enumerate()
    {
        let mut config = v1::PodSandboxConfig::decode(variant.encode_to_vec().as_slice()).unwrap();
        if let Some(metadata) = &mut config.metadata {
            // The metadata of each pod is unique.
            metadata.namespace = format!("n{n}");
        }
        let request = v1::RunPodSandboxRequest {
            config: Some(config.clone()),
            runtime_handler: String::new(),
        };
        match cri.run_pod_sandbox(request).await {
            Ok(ran) => {
                let request = v1::PodSandboxStatusRequest {
                    pod_sandbox_id: ran.pod_sandbox_id,
                    verbose: true,
                };
                let status = cri.pod_sandbox_status(request).await.unwrap();
                let kept: v1::PodSandboxConfig =
                    serde_json::from_str(&status.info["config"]).unwrap();
                assert_eq!(kept, config, "{path}");
            }
            Err(error) => {
                assert_names(&error, &path);
                refused.push(path);
            }
        }
    }
    println!("refused: {refused:?}");
    assert!(refused.len() < 15, "{refused:?}");
}

async fn create(
    cri: &Cri,
    pod: &str,
    config: &v1::ContainerConfig,
) -> Result<String, containerd_sandbox::Error> {
    tests::cri::create(cri, pod, config).await
}

#[tokio::test]
async fn every_field_of_a_container_is_kept_or_refused_by_name() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let mut base = container_config("app");
    // An image that was not pulled is another error than a field that is wrong.
    base.linux.get_or_insert_default();
    let mut refused = Vec::new();
    for (n, (path, variant)) in variants(&reflected("runtime.v1.ContainerConfig", &base))
        .into_iter()
        .enumerate()
    {
        let mut config = v1::ContainerConfig::decode(variant.encode_to_vec().as_slice()).unwrap();
        if path == "image.image" {
            continue;
        }
        if let Some(metadata) = &mut config.metadata {
            metadata.attempt = u32::try_from(n).unwrap() + 100;
        }
        match create(&cri, &pod, &config).await {
            Ok(container_id) => {
                let request = v1::ContainerStatusRequest {
                    container_id,
                    verbose: true,
                };
                let status = cri.container_status(request).await.unwrap();
                let info: serde_json::Value = serde_json::from_str(&status.info["info"]).unwrap();
                let kept: v1::ContainerConfig =
                    serde_json::from_value(info["config"].clone()).unwrap();
                assert_eq!(kept, config, "{path}");
            }
            Err(error) => {
                assert_names(&error, &path);
                refused.push(path);
            }
        }
    }
    println!("refused: {refused:?}");
    assert!(refused.len() < 15, "{refused:?}");
}

#[tokio::test]
async fn a_value_that_an_enumeration_does_not_have_is_refused() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let mut tried = 0;
    for (path, variant) in variants(&reflected(
        "runtime.v1.ContainerConfig",
        &container_config("app"),
    )) {
        let config = v1::ContainerConfig::decode(variant.encode_to_vec().as_slice()).unwrap();
        let Some(wrong) =
            with_unknown_enum(&reflected("runtime.v1.ContainerConfig", &config), &path)
        else {
            continue;
        };
        let config = v1::ContainerConfig::decode(wrong.encode_to_vec().as_slice()).unwrap();
        assert_names(&create(&cri, &pod, &config).await.unwrap_err(), &path);
        tried += 1;
    }
    for (path, variant) in variants(&reflected(
        "runtime.v1.PodSandboxConfig",
        &pod_config("api", daemon.home().root()),
    )) {
        let Some(wrong) = with_unknown_enum(&variant, &path) else {
            continue;
        };
        let config = v1::PodSandboxConfig::decode(wrong.encode_to_vec().as_slice()).unwrap();
        let request = v1::RunPodSandboxRequest {
            config: Some(config),
            runtime_handler: String::new(),
        };
        assert_names(&cri.run_pod_sandbox(request).await.unwrap_err(), &path);
        tried += 1;
    }
    assert!(tried > 15, "{tried}");
}

/// Returns the message with a number that its enumeration does not have at the end of the path,
/// or `None` if the path leads to another type.
fn with_unknown_enum(message: &DynamicMessage, path: &str) -> Option<DynamicMessage> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let field = message.descriptor().get_field_by_name(name)?;
    let mut changed = message.clone();
    let value = match (rest, message.get_field(&field).into_owned()) {
        (None, Value::EnumNumber(_)) => Value::EnumNumber(99),
        (Some(rest), Value::Message(inner)) => Value::Message(with_unknown_enum(&inner, rest)?),
        (Some(rest), Value::List(mut list)) => {
            let last = list.pop()?;
            list.push(Value::Message(with_unknown_enum(last.as_message()?, rest)?));
            Value::List(list)
        }
        _ => return None,
    };
    changed.set_field(&field, value);
    Some(changed)
}
