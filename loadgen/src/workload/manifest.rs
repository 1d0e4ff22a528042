//! Pods and containers as crictl takes them: the messages of CRI in JSON, in which any field may
//! be absent.

use std::io;
use std::path::{Path, PathBuf};

use cri_api::v1::{
    ContainerConfig, ContainerMetadata, DnsConfig, ImageSpec, KeyValue, LinuxContainerConfig,
    LinuxContainerResources, LinuxContainerSecurityContext, LinuxPodSandboxConfig,
    LinuxSandboxSecurityContext, Mount, NamespaceOption, PodSandboxConfig, PodSandboxMetadata,
    PortMapping,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::bounded;

/// Longest document, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Reason for which a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the file system.
        #[source]
        source: io::Error,
    },
    /// The file is no document of the expected kind.
    #[error("{}: {reason}", path.display())]
    Wrong {
        /// Path of the file.
        path: PathBuf,
        /// Description of the mistake.
        reason: String,
    },
}

/// A message of CRI that a file can contain.
pub trait Manifest: Serialize + DeserializeOwned {
    /// Returns the message with a value in each field that a file may set: one message in each
    /// field of a message or of a list of them.
    fn template() -> Self;
}

impl Manifest for PodSandboxConfig {
    fn template() -> Self {
        Self {
            metadata: Some(PodSandboxMetadata::default()),
            dns_config: Some(DnsConfig::default()),
            port_mappings: vec![PortMapping::default()],
            linux: Some(LinuxPodSandboxConfig {
                security_context: Some(LinuxSandboxSecurityContext {
                    namespace_options: Some(NamespaceOption::default()),
                    ..Default::default()
                }),
                overhead: Some(LinuxContainerResources::default()),
                resources: Some(LinuxContainerResources::default()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

impl Manifest for ContainerConfig {
    fn template() -> Self {
        Self {
            metadata: Some(ContainerMetadata::default()),
            image: Some(ImageSpec::default()),
            envs: vec![KeyValue::default()],
            mounts: vec![Mount::default()],
            linux: Some(LinuxContainerConfig {
                resources: Some(LinuxContainerResources::default()),
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(NamespaceOption::default()),
                    ..Default::default()
                }),
            }),
            ..Default::default()
        }
    }
}

/// Reads a message from a file.
///
/// # Errors
/// A file that cannot be read, is no JSON, or has an unknown field or a wrong value.
pub fn read<T: Manifest>(path: &Path) -> Result<T, ManifestError> {
    let text = bounded::read_to_string(path, MAX_BYTES).map_err(|source| ManifestError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|reason| ManifestError::Wrong {
        path: path.to_owned(),
        reason,
    })
}

fn parse<T: Manifest>(text: &str) -> Result<T, String> {
    let given: Value = serde_json::from_str(text).map_err(|e| format!("no JSON document: {e}"))?;
    let template = serde_json::to_value(T::template()).map_err(|e| e.to_string())?;
    let whole = filled(given, &template, "")?;
    let mut track = serde_path_to_error::Track::new();
    T::deserialize(serde_path_to_error::Deserializer::new(whole, &mut track))
        .map_err(|e| format!("its field {}: {e}", track.path()))
}

/// Adds the fields that `given` lacks, because the messages can only be parsed as a whole. `at`
/// is the path of the value.
fn filled(given: Value, template: &Value, at: &str) -> Result<Value, String> {
    match (given, template) {
        // A map without an entry in the template is a map of the message, such as labels.
        (Value::Object(mut given), Value::Object(template)) if !template.is_empty() => {
            let mut whole = Map::new();
            for (name, template) in template {
                let value = match given.remove(name) {
                    None | Some(Value::Null) => absent(template),
                    Some(value) => filled(value, template, &format!("{at}{name}."))?,
                };
                whole.insert(name.clone(), value);
            }
            match given.keys().next() {
                Some(unknown) => Err(format!("unknown field {at}{unknown}")),
                None => Ok(Value::Object(whole)),
            }
        }
        (Value::Array(given), Value::Array(template)) if !template.is_empty() => given
            .into_iter()
            .map(|value| filled(value, &template[0], at))
            .collect(),
        (given, _) => Ok(given),
    }
}

/// Returns the value of a field that a document lacks: none for a message or a list of them.
fn absent(template: &Value) -> Value {
    match template {
        Value::Object(message) if !message.is_empty() => Value::Null,
        Value::Array(_) => Value::Array(Vec::new()),
        default => default.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_fields_have_their_defaults() {
        let pod: PodSandboxConfig = parse(
            r#"{"metadata": {"name": "p", "uid": "u"}, "annotations": {"a": "b"},
                "port_mappings": [{"container_port": 80}],
                "linux": {"security_context": {"namespace_options": {"network": 2}},
                          "resources": {"cpu_shares": 256}}}"#,
        )
        .unwrap();
        let metadata = pod.metadata.unwrap();
        assert_eq!(
            (metadata.name, metadata.namespace),
            ("p".to_owned(), String::new())
        );
        assert_eq!(pod.annotations["a"], "b");
        assert_eq!(pod.port_mappings[0].container_port, 80);
        let linux = pod.linux.unwrap();
        assert_eq!(linux.resources.unwrap().cpu_shares, 256);
        assert_eq!(linux.overhead, None);
        let namespaces = linux.security_context.unwrap().namespace_options.unwrap();
        assert_eq!((namespaces.network, namespaces.pid), (2, 0));

        let container: ContainerConfig = parse(
            r#"{"image": {"image": "i"}, "command": ["sh"], "envs": [{"key": "K", "value": "V"}]}"#,
        )
        .unwrap();
        assert_eq!(container.image.unwrap().image, "i");
        assert_eq!(
            (&*container.command[0], &*container.envs[0].key),
            ("sh", "K")
        );
        assert_eq!((container.linux, container.metadata), (None, None));
        assert_eq!(
            parse::<PodSandboxConfig>("{}"),
            Ok(PodSandboxConfig::default())
        );
        assert_eq!(
            parse::<ContainerConfig>("{}"),
            Ok(ContainerConfig::default())
        );
    }

    #[test]
    fn mistakes_are_named_with_their_field() {
        for (text, words) in [
            ("pod", "no JSON document"),
            ("[]", "its field"),
            (
                r#"{"linux": {"resorces": {}}}"#,
                "unknown field linux.resorces",
            ),
            (r#"{"metadata": {"attempt": "one"}}"#, "metadata.attempt"),
            (r#"{"labels": {"a": 1}}"#, "labels.a"),
        ] {
            let reason = parse::<PodSandboxConfig>(text).unwrap_err();
            assert!(reason.contains(words), "{text}: {reason}");
        }
    }
}
