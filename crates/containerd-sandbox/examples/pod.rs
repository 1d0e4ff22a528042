//! The smallest client: it creates and starts one pod over gRPC, as containerd does.
//!
//! ```sh
//! cargo run -p containerd-sandbox --example pod -- /run/resource-slot-sandboxer.sock demo
//! ```
//!
//! The pod requests resources by annotations. The program prints the pod's status and leaves the
//! pod running.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use containerd_client::services::v1::sandbox::{
    ControllerCreateRequest, ControllerStartRequest, ControllerStatusRequest,
};
use containerd_sandbox::DEFAULT_NAMESPACE;
use containerd_sandbox::client::Controller;
use cri_api::v1::{PodSandboxConfig, PodSandboxMetadata};
use prost::Message;

const ANNOTATIONS: [(&str, &str); 5] = [
    ("resources.limits.cpu", "2"),
    ("resources.requests.cpu", "500m"),
    ("resources.limits.memory", "2Gi"),
    ("resources.limits.pid", "1000"),
    ("kubernetes.io/egress-bandwidth", "10M"),
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(socket), Some(id)) = (args.next(), args.next()) else {
        return Err("usage: pod SOCKET ID".into());
    };
    run(Path::new(&socket), id).await
}

/// Creates and starts the pod with this id.
pub(crate) async fn run(socket: &Path, id: String) -> Result<(), Box<dyn Error>> {
    let sandboxer = Controller::connect(socket, DEFAULT_NAMESPACE).await?;

    let config = PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: id.clone(),
            uid: id.clone(),
            namespace: "default".to_owned(),
            attempt: 0,
        }),
        annotations: HashMap::from(
            ANNOTATIONS.map(|(key, value)| (key.to_owned(), value.to_owned())),
        ),
        ..Default::default()
    };
    let create = ControllerCreateRequest {
        sandbox_id: id.clone(),
        options: Some(prost_types::Any {
            type_url: "runtime.v1.PodSandboxConfig".to_owned(),
            value: config.encode_to_vec(),
        }),
        ..Default::default()
    };
    sandboxer.create(create).await?;
    let start = ControllerStartRequest {
        sandbox_id: id.clone(),
        ..Default::default()
    };
    let started = sandboxer.start(start).await?;
    println!("tasks at {} (API v{})", started.address, started.version);

    let status = ControllerStatusRequest {
        sandbox_id: id,
        verbose: true,
        ..Default::default()
    };
    let status = sandboxer.status(status).await?;
    let details = status.info.get("info").map(|json| format!(": {json}"));
    println!("{}{}", status.state, details.unwrap_or_default());
    Ok(())
}
