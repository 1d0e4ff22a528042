//! Runtime of the pods, with the names from the shipped configuration drop-in.

/// Runtime handler of the pods that run on the sandboxer, as
/// `deploy/containerd/resource-slot.toml` configures it.
pub const HANDLER: &str = "resource-slot";

/// Runtime type in the configuration of the handler. With it, running tasks outlive a
/// restart of containerd; its shim is not started.
pub const RUNTIME_TYPE: &str = "io.containerd.runc.v2";
