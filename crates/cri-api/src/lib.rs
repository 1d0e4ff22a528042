//! The Container Runtime Interface (CRI) of Kubernetes, version v1: the messages, clients and
//! servers of `runtime.v1.RuntimeService` and `runtime.v1.ImageService`.
//!
//! `proto/runtime.v1.proto` lists the names and numbers of Kubernetes 1.37
//! (`k8s.io/cri-api/pkg/apis/runtime/v1/api.proto`), which documents what each of them means. The
//! test `published` compares the list with a published `api.proto`, and renews it from one.
//!
//! ```
//! use cri_api::v1::{PodSandboxConfig, PodSandboxMetadata};
//!
//! let config = PodSandboxConfig {
//!     metadata: Some(PodSandboxMetadata {
//!         name: "web".to_owned(),
//!         ..Default::default()
//!     }),
//!     ..Default::default()
//! };
//! assert!(config.linux.is_none());
//! ```

use std::fmt;

mod text;

/// Messages, clients and servers of the package `runtime.v1`.
pub mod v1 {
    #![allow(missing_docs, deprecated, clippy::pedantic, clippy::all)]
    tonic::include_proto!("runtime.v1");
}

/// Descriptor of the package `runtime.v1`: an encoded `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("runtime.v1.descriptors");

/// Shows the user and the registry, and of each secret only whether it is there: `api.proto`
/// marks the others as `debug_redact`.
impl fmt::Debug for v1::AuthConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = |text: &str| if text.is_empty() { "" } else { "[redacted]" };
        f.debug_struct("AuthConfig")
            .field("username", &self.username)
            .field("password", &secret(&self.password))
            .field("auth", &secret(&self.auth))
            .field("server_address", &self.server_address)
            .field("identity_token", &secret(&self.identity_token))
            .field("registry_token", &secret(&self.registry_token))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::v1::AuthConfig;

    #[test]
    fn no_secret_is_shown() {
        let auth = AuthConfig {
            username: "alice".to_owned(),
            password: "hunter2".to_owned(),
            registry_token: "t0ken".to_owned(),
            ..Default::default()
        };
        let shown = format!("{auth:?}");
        assert!(shown.contains("alice"));
        assert!(
            !shown.contains("hunter2") && !shown.contains("t0ken"),
            "{shown}"
        );
    }
}
