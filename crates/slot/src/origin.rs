//! The API through which a sandbox or container was created.

use super::change::NewSandbox;
use super::cri::HostPort;
use super::state::Container;

/// API through which a sandbox or container was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// containerd's sandbox API, by its Controller or over ttrpc.
    SandboxApi,
    /// CRI's `RuntimeService`.
    Cri,
}

impl NewSandbox {
    /// Returns the API through which the sandbox was created.
    pub fn origin(&self) -> Origin {
        match self.cri {
            Some(_) => Origin::Cri,
            None => Origin::SandboxApi,
        }
    }

    /// Returns the IP addresses of the sandbox, the primary one first; none on the host's network,
    /// and where they are not known.
    pub fn ips(&self) -> impl Iterator<Item = &str> {
        let of_cri = self.cri.iter().flat_map(|pod| {
            let primary = std::iter::once(&pod.ip).filter(|ip| !ip.is_empty());
            primary.chain(&pod.additional_ips)
        });
        let of_record = self.hints.iter().flat_map(|hints| &hints.ips);
        of_cri.chain(of_record).map(String::as_str)
    }

    /// Returns the host ports of a pod of CRI; none of another sandbox, whose host ports are
    /// containerd's.
    pub fn host_ports(&self) -> impl Iterator<Item = HostPort> {
        self.cri.iter().flat_map(|pod| pod.host_ports())
    }

    /// Returns the runtime handler that CRI names, or the runtime that containerd records;
    /// empty if neither is stated.
    pub fn handler(&self) -> &str {
        match &self.cri {
            Some(pod) => &pod.handler,
            None => &self.runtime,
        }
    }
}

impl Container {
    /// Returns the API through which the container was created.
    pub fn origin(&self) -> Origin {
        match self.cri {
            Some(_) => Origin::Cri,
            None => Origin::SandboxApi,
        }
    }
}
