//! A typed message, as gRPC and ttrpc carry it.

/// `google.protobuf.Any`, independent of the protobuf library of either protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Any {
    /// Name of the message type. containerd omits the prefix `type.googleapis.com/`.
    pub type_url: String,
    /// Encoded message: protobuf, or JSON for the OCI types.
    pub value: Vec<u8>,
}

impl Any {
    /// Returns whether the message is of this type, with or without a URL prefix.
    pub fn is(&self, name: &str) -> bool {
        self.type_url
            .strip_suffix(name)
            .is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('/'))
    }
}

impl From<prost_types::Any> for Any {
    fn from(any: prost_types::Any) -> Self {
        Self {
            type_url: any.type_url,
            value: any.value,
        }
    }
}

impl From<Any> for prost_types::Any {
    fn from(any: Any) -> Self {
        Self {
            type_url: any.type_url,
            value: any.value,
        }
    }
}

impl From<protobuf::well_known_types::any::Any> for Any {
    fn from(any: protobuf::well_known_types::any::Any) -> Self {
        Self {
            type_url: any.type_url,
            value: any.value,
        }
    }
}

impl From<Any> for protobuf::well_known_types::any::Any {
    fn from(any: Any) -> Self {
        Self {
            type_url: any.type_url,
            value: any.value,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_recognised_with_and_without_url_prefix() {
        let any = |url: &str| Any {
            type_url: url.to_owned(),
            value: Vec::new(),
        };
        let name = "runtime.v1.PodSandboxConfig";
        assert!(any("runtime.v1.PodSandboxConfig").is(name));
        assert!(any("type.googleapis.com/runtime.v1.PodSandboxConfig").is(name));
        assert!(!any("xruntime.v1.PodSandboxConfig").is(name));
        assert!(!any("").is(name));
    }
}
