//! The methods of CRI that describe the runtime itself.

use std::collections::HashMap;
use std::path::Path;

use containerd_sandbox::{Error, Result, quoted};
use cri_api::v1::{
    CgroupDriver, LinuxRuntimeConfiguration, RuntimeCondition, RuntimeConfigRequest,
    RuntimeConfigResponse, RuntimeFeatures, RuntimeHandler, RuntimeHandlerFeatures, RuntimeStatus,
    StatusRequest, StatusResponse, UpdateRuntimeConfigRequest, UpdateRuntimeConfigResponse,
    VersionRequest, VersionResponse,
};
use serde_json::json;
use tracing::info;

use super::{Cri, check};

/// Version of kubelet's runtime API that clients expect in the reply.
const KUBELET_API_VERSION: &str = "0.1.0";
/// Version of CRI.
const CRI_VERSION: &str = "v1";
/// Directory that exists exactly where systemd runs (`sd_booted(3)`).
const SYSTEMD: &str = "/run/systemd/system";

impl Cri {
    /// Returns names and versions.
    pub(super) async fn version(&self, _: VersionRequest) -> Result<VersionResponse> {
        Ok(VersionResponse {
            version: KUBELET_API_VERSION.to_owned(),
            runtime_name: check::HANDLER.to_owned(),
            runtime_version: env!("CARGO_PKG_VERSION").to_owned(),
            runtime_api_version: CRI_VERSION.to_owned(),
        })
    }

    /// Returns the runtime's conditions, which are all met, and its handlers. A handler
    /// claims every feature, because a feature needs nothing to be done.
    pub(super) async fn status(&self, request: StatusRequest) -> Result<StatusResponse> {
        let condition = |kind: &str| RuntimeCondition {
            r#type: kind.to_owned(),
            status: true,
            reason: String::new(),
            message: String::new(),
        };
        let handler = |name: &str| RuntimeHandler {
            name: name.to_owned(),
            features: Some(RuntimeHandlerFeatures {
                recursive_read_only_mounts: true,
                user_namespaces: true,
            }),
        };
        let info = if request.verbose {
            self.verbose_status()?
        } else {
            HashMap::new()
        };
        Ok(StatusResponse {
            status: Some(RuntimeStatus {
                conditions: vec![condition("RuntimeReady"), condition("NetworkReady")],
            }),
            info,
            runtime_handlers: vec![handler(""), handler(check::HANDLER)],
            features: Some(RuntimeFeatures {
                supplemental_groups_policy: true,
                user_namespaces_host_network: true,
                mount_options: true,
            }),
        })
    }

    fn verbose_status(&self) -> Result<HashMap<String, String>> {
        let containers = self
            .sandboxer
            .pods(|_, slot, _| Some(slot.containers.len()));
        let info = json!({
            "dir": self.dir,
            "sandboxes": self.sandboxer.len(),
            "pods": containers.len(),
            "containers": containers.iter().sum::<usize>(),
            "images": self.images.all().len(),
        });
        let json = serde_json::to_string(&info)
            .map_err(|e| Error::internal(format!("encode runtime info: {e}")))?;
        Ok(HashMap::from([("config".to_owned(), json)]))
    }

    /// Returns the cgroup driver that a kubelet should use. The driver fits the machine,
    /// because kubelet makes the pods' cgroups itself.
    pub(super) async fn runtime_config(
        &self,
        _: RuntimeConfigRequest,
    ) -> Result<RuntimeConfigResponse> {
        let driver = if Path::new(SYSTEMD).is_dir() {
            CgroupDriver::Systemd
        } else {
            CgroupDriver::Cgroupfs
        };
        Ok(RuntimeConfigResponse {
            linux: Some(LinuxRuntimeConfiguration {
                cgroup_driver: driver.into(),
            }),
        })
    }

    /// Accepts the node's range of pod addresses and does not use it, as containerd without a
    /// template of a network configuration: the range is often too small for a node that costs
    /// nothing, and other machines may route it.
    pub(super) async fn update_runtime_config(
        &self,
        request: UpdateRuntimeConfigRequest,
    ) -> Result<UpdateRuntimeConfigResponse> {
        let network = request.runtime_config.and_then(|c| c.network_config);
        if let Some(network) = network.filter(|network| !network.pod_cidr.is_empty()) {
            info!(
                "The node's range of pod addresses is {}; pods get theirs of --pod-cidr",
                quoted(&network.pod_cidr)
            );
        }
        Ok(UpdateRuntimeConfigResponse {})
    }
}
