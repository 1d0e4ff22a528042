//! The server to load, as a user specifies it.

use std::ffi::OsString;
use std::path::PathBuf;

use containerd_sandbox::SocketPath;

use crate::drive::driver::DriverKind;

/// Describes the server to load and how pods are run on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Driver that runs the pods.
    pub driver: DriverKind,
    /// Namespace of containerd for the pods; over CRI it is always `k8s.io`.
    pub namespace: String,
    /// Socket of a running server; `None` starts a server.
    pub endpoint: Option<SocketPath>,
    /// Runtime handler of the pods, over CRI.
    pub runtime_handler: String,
    /// Image of the containers, over CRI.
    pub image: String,
    /// Path of the containerd to start; `None` searches for one.
    pub containerd: Option<PathBuf>,
    /// Path of the sandboxer to start; `None` searches for one.
    pub sandboxer: Option<PathBuf>,
    /// Arguments of the sandboxer to start.
    pub sandboxer_args: Vec<OsString>,
}
