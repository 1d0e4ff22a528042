//! Bytes as text in JSON.
//!
//! CRI states the value of an environment variable as bytes since Kubernetes 1.37. Its JSON is a
//! text (`api_json.go` of `k8s.io/cri-api`), in which a byte that is no UTF-8 becomes U+FFFD.

use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

pub(crate) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}
