//! The service `containerd.runtime.sandbox.v1.Sandbox` over ttrpc: containerd calls it on shims.

use std::time::SystemTime;

use containerd_shim_protos::sandbox_api as api;
use containerd_shim_protos::sandbox_async::Sandbox as SandboxRpc;
use containerd_shim_protos::types::platform::Platform;
use protobuf::MessageField;

use super::service::{Service, architecture, key, state_name};
use crate::api::{Sandbox, SandboxOptions, Sandboxer};
use crate::error::Result;

impl<S: Sandboxer> Service<S> {
    async fn sandbox_create(
        &self,
        namespace: &str,
        request: api::CreateSandboxRequest,
    ) -> Result<api::CreateSandboxResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let options = SandboxOptions {
            options: request.options.into_option().map(Into::into),
            netns_path: request.netns_path,
            annotations: request.annotations,
            ..Default::default()
        };
        self.sandboxer.create(&key, options).await?;
        Ok(api::CreateSandboxResponse::default())
    }

    async fn sandbox_start(
        &self,
        namespace: &str,
        request: api::StartSandboxRequest,
    ) -> Result<api::StartSandboxResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.start(&key).await?;
        let status = self.sandboxer.sandbox(&key)?.status(false)?;
        Ok(api::StartSandboxResponse {
            pid: status.pid,
            created_at: MessageField::some(status.created_at.into()),
            ..Default::default()
        })
    }

    async fn sandbox_platform(
        &self,
        namespace: &str,
        request: api::PlatformRequest,
    ) -> Result<api::PlatformResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.sandbox(&key)?.ping()?;
        let platform = Platform {
            os: "linux".to_owned(),
            architecture: architecture().to_owned(),
            ..Default::default()
        };
        Ok(api::PlatformResponse {
            platform: MessageField::some(platform),
            ..Default::default()
        })
    }

    async fn sandbox_stop(
        &self,
        namespace: &str,
        request: api::StopSandboxRequest,
    ) -> Result<api::StopSandboxResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.stop(&key, false).await?;
        Ok(api::StopSandboxResponse::default())
    }

    async fn sandbox_wait(
        &self,
        namespace: &str,
        request: api::WaitSandboxRequest,
    ) -> Result<api::WaitSandboxResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let exit = self.sandboxer.sandbox(&key)?.exit_signal()?.wait().await;
        Ok(api::WaitSandboxResponse {
            exit_status: exit.code,
            exited_at: MessageField::some(exit.at.into()),
            ..Default::default()
        })
    }

    async fn sandbox_status_inner(
        &self,
        namespace: &str,
        request: api::SandboxStatusRequest,
    ) -> Result<api::SandboxStatusResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let status = self.sandboxer.sandbox(&key)?.status(request.verbose)?;
        Ok(api::SandboxStatusResponse {
            sandbox_id: request.sandbox_id,
            pid: status.pid,
            state: state_name(status.ready).to_owned(),
            info: status.info,
            created_at: MessageField::some(status.created_at.into()),
            exited_at: status.exit.map(|exit| exit.at.into()).into(),
            ..Default::default()
        })
    }

    async fn sandbox_ping(
        &self,
        namespace: &str,
        request: api::PingRequest,
    ) -> Result<api::PingResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.sandbox(&key)?.ping()?;
        Ok(api::PingResponse::default())
    }

    async fn sandbox_shutdown(
        &self,
        namespace: &str,
        request: api::ShutdownSandboxRequest,
    ) -> Result<api::ShutdownSandboxResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        self.sandboxer.delete(&key).await?;
        Ok(api::ShutdownSandboxResponse::default())
    }

    async fn sandbox_metrics_inner(
        &self,
        namespace: &str,
        request: api::SandboxMetricsRequest,
    ) -> Result<api::SandboxMetricsResponse> {
        let key = key(namespace, "sandbox_id", &request.sandbox_id)?;
        let data = self.sandboxer.sandbox(&key)?.stats()?;
        let mut response = api::SandboxMetricsResponse::default();
        let metric = response.metrics.mut_or_insert_default();
        metric.timestamp = MessageField::some(SystemTime::now().into());
        metric.id = request.sandbox_id;
        metric.data = MessageField::some(data.into());
        Ok(response)
    }
}

crate::rpcs! {
    namespaced_ttrpc impl [S: Sandboxer] SandboxRpc for Service<S> {
        name = "Sandbox";
        messages = api;
        admission = admission;
        table = rpc about sandbox_id;
    }
    create_sandbox => sandbox_create(CreateSandboxRequest) -> CreateSandboxResponse;
    start_sandbox => sandbox_start(StartSandboxRequest) -> StartSandboxResponse;
    platform => sandbox_platform(PlatformRequest) -> PlatformResponse;
    stop_sandbox => sandbox_stop(StopSandboxRequest) -> StopSandboxResponse;
    wait_sandbox => sandbox_wait(WaitSandboxRequest) -> WaitSandboxResponse;
    sandbox_status => sandbox_status_inner(SandboxStatusRequest) -> SandboxStatusResponse;
    ping_sandbox => sandbox_ping(PingRequest) -> PingResponse;
    shutdown_sandbox => sandbox_shutdown(ShutdownSandboxRequest) -> ShutdownSandboxResponse;
    sandbox_metrics => sandbox_metrics_inner(SandboxMetricsRequest) -> SandboxMetricsResponse;
}
