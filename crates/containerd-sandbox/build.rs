//! Generates the gRPC server trait of `containerd.services.sandbox.v1.Controller` for the message
//! types of the crate `containerd-client`, which contains clients only.

use tonic_build::manual::{Builder, Method, Service};

const MESSAGES: &str = "::containerd_client::services::v1::sandbox";

/// Name of each RPC, which is also the stem of its messages, and of its Rust method.
const METHODS: [(&str, &str); 9] = [
    ("Create", "create"),
    ("Start", "start"),
    ("Platform", "platform"),
    ("Stop", "stop"),
    ("Wait", "wait"),
    ("Status", "status"),
    ("Shutdown", "shutdown"),
    ("Metrics", "metrics"),
    ("Update", "update"),
];

fn main() {
    let mut service = Service::builder()
        .name("Controller")
        .package("containerd.services.sandbox.v1")
        .comment("Manages the sandboxes of one sandboxer.");
    for (rpc, method) in METHODS {
        service = service.method(
            Method::builder()
                .name(method)
                .route_name(rpc)
                .comment(format!("Answers the {rpc} RPC."))
                .input_type(format!("{MESSAGES}::Controller{rpc}Request"))
                .output_type(format!("{MESSAGES}::Controller{rpc}Response"))
                .codec_path("::tonic_prost::ProstCodec")
                .build(),
        );
    }
    Builder::new()
        .build_client(false)
        .compile(&[service.build()]);
}
