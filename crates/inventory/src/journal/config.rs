//! Configurations of CRI, as far as they decide a plan.
//!
//! The journal has them as the encoded messages `PodSandboxConfig`, `ContainerConfig`,
//! `LinuxPodSandboxConfig` and `LinuxContainerResources` of
//! `k8s.io/cri-api/pkg/apis/runtime/v1`, in Base64. The numbers of the fields are theirs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::wire::{Fields, Value};

/// Bytes that are no message of the expected kind.
pub(super) type Invalid = String;

/// Decodes the Base64 text of a message into `bytes`.
pub(super) fn decode<'b>(text: &str, bytes: &'b mut Vec<u8>) -> Result<&'b [u8], Invalid> {
    bytes.clear();
    STANDARD
        .decode_vec(text, bytes)
        .map_err(|error| format!("not a message in Base64: {error}"))?;
    Ok(bytes)
}

/// Configuration of a pod (`PodSandboxConfig`).
#[derive(Debug, Default, PartialEq)]
pub(super) struct PodConfig<'a> {
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) annotations: Vec<(&'a str, &'a str)>,
    pub(super) overhead: Linux,
}

/// Configuration of a container (`ContainerConfig`).
#[derive(Debug, Default, PartialEq)]
pub(super) struct ContainerConfig<'a> {
    pub(super) name: &'a str,
    /// Name of the image as the pod states it.
    pub(super) image: &'a str,
    pub(super) linux: Linux,
}

/// Resources (`LinuxContainerResources`). A number that is 0 is not stated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Linux {
    pub(super) cpu_shares: i64,
    pub(super) memory_limit: i64,
    pub(super) oom_score_adj: i64,
}

impl<'a> PodConfig<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Invalid> {
        let mut config = Self::default();
        for field in Fields::new(message) {
            match field? {
                (6, Value::Bytes(entry)) => config.labels.push(entry_of(entry)?),
                (7, Value::Bytes(entry)) => config.annotations.push(entry_of(entry)?),
                (8, Value::Bytes(linux)) => config.overhead = overhead(linux)?,
                _ => {}
            }
        }
        Ok(config)
    }
}

/// Reads the overhead of a pod from a `LinuxPodSandboxConfig`.
pub(super) fn overhead(message: &[u8]) -> Result<Linux, Invalid> {
    let mut overhead = Linux::default();
    for field in Fields::new(message) {
        if let (4, Value::Bytes(resources)) = field? {
            overhead = Linux::read(resources)?;
        }
    }
    Ok(overhead)
}

impl<'a> ContainerConfig<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, Invalid> {
        let mut config = Self::default();
        for field in Fields::new(message) {
            match field? {
                (1, Value::Bytes(metadata)) => {
                    for field in Fields::new(metadata) {
                        if let (1, Value::Bytes(name)) = field? {
                            config.name = text(name)?;
                        }
                    }
                }
                (2, Value::Bytes(image)) => config.image = image_name(image)?,
                (15, Value::Bytes(linux)) => {
                    for field in Fields::new(linux) {
                        if let (1, Value::Bytes(resources)) = field? {
                            config.linux = Linux::read(resources)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(config)
    }
}

/// Reads the name that a pod states from an `ImageSpec`; a kubelet resolves the other one to an
/// id.
fn image_name(message: &[u8]) -> Result<&str, Invalid> {
    let (mut image, mut specified) = ("", "");
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(name)) => image = text(name)?,
            (18, Value::Bytes(name)) => specified = text(name)?,
            _ => {}
        }
    }
    Ok(if specified.is_empty() {
        image
    } else {
        specified
    })
}

impl Linux {
    pub(super) fn read(message: &[u8]) -> Result<Self, Invalid> {
        let mut linux = Self::default();
        for field in Fields::new(message) {
            if let (number, Value::Number(value)) = field? {
                let value = value.cast_signed();
                match number {
                    3 => linux.cpu_shares = value,
                    4 => linux.memory_limit = value,
                    5 => linux.oom_score_adj = value,
                    _ => {}
                }
            }
        }
        Ok(linux)
    }
}

/// Reads an entry of a map of texts.
fn entry_of(message: &[u8]) -> Result<(&str, &str), Invalid> {
    let (mut key, mut value) = ("", "");
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(bytes)) => key = text(bytes)?,
            (2, Value::Bytes(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn text(bytes: &[u8]) -> Result<&str, Invalid> {
    std::str::from_utf8(bytes).map_err(|error| format!("a text of a message: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a field with bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).unwrap();
        [&[number << 3 | 2, length], bytes].concat()
    }

    #[test]
    fn a_pod_has_labels_and_overhead() {
        let label = [field(1, b"app"), field(2, b"web")].concat();
        let linux = field(4, &[0x18, 100, 0x20, 0x80, 0x01]);
        let message = [
            field(6, &label),
            field(7, &field(1, b"a")),
            field(8, &linux),
        ]
        .concat();
        let config = PodConfig::read(&message).unwrap();
        assert_eq!(config.labels, [("app", "web")]);
        assert_eq!(config.annotations, [("a", "")]);
        let overhead = Linux {
            cpu_shares: 100,
            memory_limit: 128,
            oom_score_adj: 0,
        };
        assert_eq!(config.overhead, overhead);
    }

    #[test]
    fn a_container_has_a_name_an_image_and_an_adjustment() {
        let image = field(1, b"sha256:1");
        // -997 as a number of 64 bits, and the field 18, whose tag has two bytes.
        let resources = [
            0x28, 0x9b, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        let specified = [&[0x92, 0x01, 5][..], b"nginx"].concat();
        let message = [
            field(1, &field(1, b"app")),
            field(2, &[image, specified].concat()),
            field(15, &field(1, &resources)),
        ]
        .concat();
        let config = ContainerConfig::read(&message).unwrap();
        assert_eq!((config.name, config.image), ("app", "nginx"));
        assert_eq!(config.linux.oom_score_adj, -997);
        assert!(ContainerConfig::read(&message[..message.len() - 1]).is_err());
        assert!(decode("?", &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = PodConfig::read(&bytes);
            let _ = ContainerConfig::read(&bytes);
        }
    }
}
