//! The runtime that pods ask for, by the names of the shipped configuration drop-in.

/// Runtime handler of the pods that run on the sandboxer, as
/// `deploy/containerd/resource-slot.toml` configures it.
pub const HANDLER: &str = "resource-slot";

/// Runtime that the handler is configured as, so that running tasks outlive a restart
/// of containerd; its shim is not started.
pub const RUNTIME_TYPE: &str = "io.containerd.runc.v2";
