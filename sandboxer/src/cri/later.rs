//! RPCs of later versions of CRI than the one of the crate `k8s-cri`:
//! `UpdatePodSandboxResources`, new in Kubernetes 1.32.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use containerd_sandbox::Result;
use containerd_sandbox::server::MAX_GRPC_MESSAGE;
use k8s_cri::v1::LinuxContainerResources;
use k8s_cri::v1::runtime_service_server::RuntimeServiceServer;
use tonic::body::Body;
use tonic::codec::{CompressionEncoding, EnabledCompressionEncodings};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::Cri;

/// HTTP/2 path of the RPC.
const UPDATE_POD: &str = "/runtime.v1.RuntimeService/UpdatePodSandboxResources";

/// `runtime.v1.UpdatePodSandboxResourcesRequest`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct UpdatePodSandboxResourcesRequest {
    #[prost(string, tag = "1")]
    pub(super) pod_sandbox_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) overhead: Option<LinuxContainerResources>,
    #[prost(message, optional, tag = "3")]
    pub(super) resources: Option<LinuxContainerResources>,
}

/// `runtime.v1.UpdatePodSandboxResourcesResponse`
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub(super) struct UpdatePodSandboxResourcesResponse {}

impl Cri {
    /// Changes the resources of a pod. Values that are not stated stay as they are: both
    /// messages of the request are optional, and in each zero stands for a value that is not
    /// stated (`api.proto` of CRI).
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a value that cannot be read.
    pub(super) async fn update_pod_sandbox_resources(
        &self,
        request: UpdatePodSandboxResourcesRequest,
    ) -> Result<UpdatePodSandboxResourcesResponse> {
        let (_, sandbox) = self.pod(&request.pod_sandbox_id)?;
        let UpdatePodSandboxResourcesRequest {
            overhead,
            resources,
            ..
        } = request;
        sandbox.update_pod(resources, overhead).await?;
        Ok(UpdatePodSandboxResourcesResponse {})
    }
}

/// The crate's runtime service together with the RPCs that the crate does not have.
#[derive(Clone)]
pub(super) struct Runtime {
    pub(super) known: RuntimeServiceServer<Cri>,
    pub(super) cri: Arc<Cri>,
}

impl NamedService for Runtime {
    const NAME: &'static str = <RuntimeServiceServer<Cri> as NamedService>::NAME;
}

impl Service<http::Request<Body>> for Runtime {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != UPDATE_POD {
            return self.known.call(request);
        }
        let update = UpdatePod(Arc::clone(&self.cri));
        Box::pin(async move {
            let mut accepted = EnabledCompressionEncodings::default();
            accepted.enable(CompressionEncoding::Gzip);
            let mut grpc = Grpc::new(ProstCodec::default())
                .apply_compression_config(accepted, EnabledCompressionEncodings::default())
                .apply_max_message_size_config(
                    Some(update.0.limits.message),
                    Some(MAX_GRPC_MESSAGE),
                );
            Ok(grpc.unary(update, request).await)
        })
    }
}

struct UpdatePod(Arc<Cri>);

impl UnaryService<UpdatePodSandboxResourcesRequest> for UpdatePod {
    type Response = UpdatePodSandboxResourcesResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<UpdatePodSandboxResourcesRequest>) -> Self::Future {
        let cri = Arc::clone(&self.0);
        Box::pin(async move {
            match cri.update_pod_sandbox_resources(request.into_inner()).await {
                Ok(reply) => Ok(Response::new(reply)),
                Err(error) => {
                    let rpc = "RuntimeService.update_pod_sandbox_resources";
                    cri.outcomes.failed(rpc, &error);
                    Err(error.into())
                }
            }
        })
    }
}
