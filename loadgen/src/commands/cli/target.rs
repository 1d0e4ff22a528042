//! Options for the server under load.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use containerd_sandbox::SocketPath;

use super::FilesArgs;
use super::values::socket;
use crate::drive::driver::DriverKind;
use crate::server::image;
use crate::server::subject::{Subject, SubjectError};
use crate::server::{Cni, Target};
use crate::workload::runtime::{HANDLER, Network};
use crate::workload::scenario::Scenario;

/// Server under load, and the driver that runs pods on it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Target")]
pub struct TargetArgs {
    /// Subject to load: the PATH of a sandboxer to start; containerd:PATH, to start one, with
    /// ?handler=NAME&config=FILE&env=NAME=VALUE&sandboxer=PATH, each of which may be left out;
    /// or unix:///PATH?handler=NAME, a running CRI runtime.
    #[arg(long, env = "LOADGEN_SUBJECT", value_name = "SUBJECT",
          conflicts_with_all = ["endpoint", "containerd", "sandboxer"])]
    pub subject: Option<Subject>,
    /// Driver that runs the pods: ttrpc; controller, over gRPC and ttrpc as
    /// containerd calls a sandboxer; or cri, to a containerd.
    #[arg(
        long,
        env = "LOADGEN_TARGET",
        value_name = "DRIVER",
        default_value = "ttrpc"
    )]
    pub target: DriverKind,
    /// Namespace of containerd for the pods; over CRI always k8s.io.
    #[arg(
        long,
        env = "LOADGEN_NAMESPACE",
        value_name = "NAME",
        default_value = "k8s.io",
        value_parser = namespace
    )]
    pub namespace: String,
    /// Load the sandboxer, or with --target cri the CRI runtime, at this socket,
    /// unix:///PATH or PATH, instead of starting one. A sandboxer must be able to
    /// read the bundles that this program writes.
    #[arg(long, env = "LOADGEN_ENDPOINT", value_name = "SOCKET", value_parser = socket(),
          conflicts_with_all = ["sandboxer", "sandboxer_args", "containerd", "files"])]
    pub endpoint: Option<SocketPath>,
    /// Over CRI: runtime handler of the pods. Containers carry keys of cgroup v2, for
    /// limits of processes and reserved memory, only with the default handler: others
    /// may refuse them.
    #[arg(
        long,
        env = "LOADGEN_RUNTIME_HANDLER",
        value_name = "NAME",
        default_value = HANDLER
    )]
    pub runtime_handler: String,
    /// Over CRI: image of the containers. The default image is loaded into a
    /// containerd; another one is pulled if the runtime does not have it.
    #[arg(
        long,
        env = "LOADGEN_IMAGE",
        value_name = "NAME",
        default_value = image::NAME
    )]
    pub image: String,
    /// Over CRI: network of the pods.
    #[arg(
        long,
        env = "LOADGEN_NETWORK",
        value_name = "NETWORK",
        default_value = "host"
    )]
    pub network: Network,
    /// Over CRI, with --network pod and a containerd to start: directory of the configuration of
    /// the pods' network [default: a plugin that does nothing].
    #[arg(
        long,
        env = "LOADGEN_CNI_CONF",
        value_name = "DIR",
        requires = "cni_bin"
    )]
    pub cni_conf: Option<PathBuf>,
    /// Directory of the plugins that this configuration names.
    #[arg(
        long,
        env = "LOADGEN_CNI_BIN",
        value_name = "DIR",
        requires = "cni_conf"
    )]
    pub cni_bin: Option<PathBuf>,
    /// Over CRI: containerd to start, 2.1 or newer [default: $CONTAINERD_BIN, else on
    /// PATH].
    #[arg(long, env = "LOADGEN_CONTAINERD", value_name = "PATH")]
    pub containerd: Option<PathBuf>,
    /// Sandboxer to start [default: resource-slot-sandboxer beside this program, else
    /// on PATH].
    #[arg(long, env = "LOADGEN_SANDBOXER", value_name = "PATH")]
    pub sandboxer: Option<PathBuf>,
    /// Argument for the started sandboxer; may be repeated. --dir=DIR keeps its
    /// directory, and --history in it each pod of the run, for slotplan.
    #[arg(
        long = "sandboxer-arg",
        env = "LOADGEN_SANDBOXER_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub sandboxer_args: Vec<OsString>,
    /// Place of the files of started servers.
    #[command(flatten)]
    pub files: FilesArgs,
}

impl TargetArgs {
    /// Returns the target of the options, or of the scenario if they name no server.
    ///
    /// # Errors
    /// A subject in the scenario that is none.
    pub fn of(&self, scenario: &Scenario) -> Result<Target, SubjectError> {
        let target = Target::from(self);
        let is_named = self.subject.is_some()
            || self.endpoint.is_some()
            || self.containerd.is_some()
            || self.sandboxer.is_some();
        match &scenario.subject {
            Some(subject) if !is_named => Ok(subject.parse::<Subject>()?.target(target)),
            _ => Ok(target),
        }
    }
}

impl From<&TargetArgs> for Target {
    fn from(args: &TargetArgs) -> Self {
        let target = Self {
            driver: args.target,
            namespace: args.namespace.clone(),
            endpoint: args.endpoint.clone(),
            runtime_handler: args.runtime_handler.clone(),
            image: args.image.clone(),
            network: args.network,
            cni: args
                .cni_conf
                .clone()
                .zip(args.cni_bin.clone())
                .map(|(conf, bin)| Cni { conf, bin }),
            spans: None,
            containerd: args.containerd.clone(),
            config: None,
            env: Vec::new(),
            sandboxer: args.sandboxer.clone(),
            sandboxer_args: args.sandboxer_args.clone(),
            files: args.files.directory(),
        };
        match &args.subject {
            Some(subject) => subject.target(target),
            None => target,
        }
    }
}

fn namespace(text: &str) -> Result<String, String> {
    containerd_sandbox::check_id("namespace", text)
        .map(|()| text.to_owned())
        .map_err(|error| error.to_string())
}
