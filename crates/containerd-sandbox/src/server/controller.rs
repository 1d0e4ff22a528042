//! The service `containerd.services.sandbox.v1.Controller` over gRPC: containerd calls it for a
//! proxy plugin of type `sandbox`.

use std::collections::HashMap;
use std::time::SystemTime;

use containerd_client::services::v1::sandbox as api;
use containerd_client::types;

use super::service::{Service, TASK_API_VERSION, architecture, key, state_name};
use crate::api::{Sandbox, SandboxOptions, SandboxRecord, SandboxUpdate, Sandboxer};
use crate::error::Result;
use crate::scan::check_json;

#[allow(missing_docs, clippy::pedantic)]
mod generated {
    tonic::include_proto!("containerd.services.sandbox.v1.Controller");
}

pub(super) use generated::controller_server::{Controller, ControllerServer};

impl<S: Sandboxer> Service<S> {
    async fn controller_create(
        &self,
        namespace: &str,
        request: api::ControllerCreateRequest,
    ) -> Result<api::ControllerCreateResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let options = SandboxOptions {
            options: request.options.map(Into::into),
            netns_path: request.netns_path,
            annotations: request.annotations,
            record: request.sandbox.map(record).transpose()?.unwrap_or_default(),
        };
        self.sandboxer.create(&key, options).await?;
        Ok(api::ControllerCreateResponse {
            sandbox_id: request.sandbox_id,
        })
    }

    async fn controller_start(
        &self,
        namespace: &str,
        request: api::ControllerStartRequest,
    ) -> Result<api::ControllerStartResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.start(&key).await?;
        let status = self.sandboxer.sandbox(&key)?.status(false)?;
        Ok(api::ControllerStartResponse {
            sandbox_id: request.sandbox_id,
            pid: status.pid,
            created_at: Some(status.created_at.into()),
            labels: HashMap::new(),
            address: self.task_address.to_string(),
            version: TASK_API_VERSION,
        })
    }

    async fn controller_platform(
        &self,
        namespace: &str,
        request: api::ControllerPlatformRequest,
    ) -> Result<api::ControllerPlatformResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.sandbox(&key)?.ping()?;
        Ok(api::ControllerPlatformResponse {
            platform: Some(types::Platform {
                os: "linux".to_owned(),
                architecture: architecture().to_owned(),
                ..Default::default()
            }),
        })
    }

    async fn controller_stop(
        &self,
        namespace: &str,
        request: api::ControllerStopRequest,
    ) -> Result<api::ControllerStopResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.stop(&key, false).await?;
        Ok(api::ControllerStopResponse {})
    }

    async fn controller_wait(
        &self,
        namespace: &str,
        request: api::ControllerWaitRequest,
    ) -> Result<api::ControllerWaitResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let exit = self.sandboxer.sandbox(&key)?.exit_signal()?.wait().await;
        Ok(api::ControllerWaitResponse {
            exit_status: exit.code,
            exited_at: Some(exit.at.into()),
        })
    }

    async fn controller_status(
        &self,
        namespace: &str,
        request: api::ControllerStatusRequest,
    ) -> Result<api::ControllerStatusResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let status = self.sandboxer.sandbox(&key)?.status(request.verbose)?;
        Ok(api::ControllerStatusResponse {
            sandbox_id: request.sandbox_id,
            pid: status.pid,
            state: state_name(status.ready).to_owned(),
            info: status.info,
            created_at: Some(status.created_at.into()),
            exited_at: status.exit.map(|exit| exit.at.into()),
            extra: None,
            address: self.task_address.to_string(),
            version: TASK_API_VERSION,
        })
    }

    async fn controller_shutdown(
        &self,
        namespace: &str,
        request: api::ControllerShutdownRequest,
    ) -> Result<api::ControllerShutdownResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.delete(&key).await?;
        Ok(api::ControllerShutdownResponse {})
    }

    async fn controller_metrics(
        &self,
        namespace: &str,
        request: api::ControllerMetricsRequest,
    ) -> Result<api::ControllerMetricsResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let data = self.sandboxer.sandbox(&key)?.stats()?;
        Ok(api::ControllerMetricsResponse {
            metrics: Some(types::Metric {
                timestamp: Some(SystemTime::now().into()),
                id: request.sandbox_id,
                data: Some(data.into()),
            }),
        })
    }

    async fn controller_update(
        &self,
        namespace: &str,
        request: api::ControllerUpdateRequest,
    ) -> Result<api::ControllerUpdateResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let update = SandboxUpdate {
            record: request.sandbox.map(record).transpose()?.unwrap_or_default(),
            fields: request.fields,
        };
        self.sandboxer.update(&key, update).await?;
        Ok(api::ControllerUpdateResponse {})
    }
}

/// Returns the parts of containerd's record of a sandbox that a sandboxer may use.
///
/// # Errors
/// `ResourceExhausted` for an extension of more values than a JSON text may have.
fn record(sandbox: types::Sandbox) -> Result<SandboxRecord> {
    // containerd encodes its own extensions as JSON.
    for extension in sandbox.extensions.values() {
        check_json(&extension.value)?;
    }
    Ok(SandboxRecord {
        runtime: sandbox.runtime.map(|r| r.name).unwrap_or_default(),
        labels: sandbox.labels,
        extensions: sandbox
            .extensions
            .into_iter()
            .map(|(name, any)| (name, any.into()))
            .collect(),
    })
}

crate::rpcs! {
    namespaced_grpc impl [S: Sandboxer] Controller for Service<S> {
        name = "Controller";
        messages = api;
        admission = admission;
        table = rpc about sandbox_id;
    }
    create => controller_create(ControllerCreateRequest) -> ControllerCreateResponse;
    start => controller_start(ControllerStartRequest) -> ControllerStartResponse;
    platform => controller_platform(ControllerPlatformRequest) -> ControllerPlatformResponse;
    stop => controller_stop(ControllerStopRequest) -> ControllerStopResponse;
    wait => controller_wait(ControllerWaitRequest) -> ControllerWaitResponse;
    status => controller_status(ControllerStatusRequest) -> ControllerStatusResponse;
    shutdown => controller_shutdown(ControllerShutdownRequest) -> ControllerShutdownResponse;
    metrics => controller_metrics(ControllerMetricsRequest) -> ControllerMetricsResponse;
    update => controller_update(ControllerUpdateRequest) -> ControllerUpdateResponse;
}
