//! The server that is to be loaded, as a user names it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::endpoint::Endpoint;
use crate::drive::driver::DriverKind;

/// Describes the server to load and how pods are run on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Driver that runs the pods.
    pub driver: DriverKind,
    /// containerd's namespace for the pods; over CRI it is always `k8s.io`.
    pub namespace: String,
    /// Socket of a server that runs already; `None` starts one.
    pub endpoint: Option<Endpoint>,
    /// Runtime handler of the pods, over CRI.
    pub runtime_handler: String,
    /// Image of the containers, over CRI.
    pub image: String,
    /// The containerd to start; `None` looks for one.
    pub containerd: Option<PathBuf>,
    /// The sandboxer to start; `None` looks for one.
    pub sandboxer: Option<PathBuf>,
    /// Arguments of the sandboxer that is started.
    pub sandboxer_args: Vec<OsString>,
}
