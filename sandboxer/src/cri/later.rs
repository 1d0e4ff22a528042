//! RPCs of later versions of CRI than the crate's: `UpdatePodSandboxResources`, which
//! came with Kubernetes 1.32.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use containerd_sandbox::Result;
use k8s_cri::v1::LinuxContainerResources;
use k8s_cri::v1::runtime_service_server::RuntimeServiceServer;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::Cri;

/// Where the RPC is, gRPC over HTTP2.
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
    /// Changes what a pod asks for. What is not stated stays as it was: both messages of
    /// the request are optional, and in each zero stands for what is not stated (CRI's
    /// `api.proto`).
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

/// The runtime service of the crate, with what it does not know.
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
            let mut grpc = Grpc::new(ProstCodec::default());
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
