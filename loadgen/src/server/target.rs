//! The server to load, as a user specifies it.

use std::ffi::OsString;
use std::path::PathBuf;

use containerd_sandbox::SocketPath;

use crate::drive::driver::DriverKind;
use crate::server::image;
use crate::workload::runtime::{HANDLER, Network};

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
    /// Network of the pods, over CRI.
    pub network: Network,
    /// CNI of the pods of a started containerd; `None` is the shipped plugin, which does nothing.
    pub cni: Option<Cni>,
    /// Path of the containerd to start; `None` searches for one.
    pub containerd: Option<PathBuf>,
    /// Configuration file of that containerd, whose settings take precedence over the private ones.
    pub config: Option<PathBuf>,
    /// Variables of the environment of that containerd.
    pub env: Vec<(String, String)>,
    /// Path of the sandboxer to start; `None` searches for one.
    pub sandboxer: Option<PathBuf>,
    /// Arguments of the sandboxer to start.
    pub sandboxer_args: Vec<OsString>,
    /// OTLP receiver of the spans of started servers; `None` if they send none.
    pub spans: Option<String>,
    /// Directory below which started servers keep their files.
    pub files: PathBuf,
}

/// Directories of CNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cni {
    /// Directory of the network's configuration.
    pub conf: PathBuf,
    /// Directory of the plugins.
    pub bin: PathBuf,
}

impl Target {
    /// Returns the target of loads with this driver on a server that is searched for and started,
    /// with its files below `files`.
    pub fn new(driver: DriverKind, files: PathBuf) -> Self {
        Self {
            driver,
            namespace: image::NAMESPACE.to_owned(),
            endpoint: None,
            runtime_handler: HANDLER.to_owned(),
            image: image::NAME.to_owned(),
            network: Network::default(),
            cni: None,
            containerd: None,
            config: None,
            env: Vec::new(),
            sandboxer: None,
            sandboxer_args: Vec::new(),
            spans: None,
            files,
        }
    }
}
