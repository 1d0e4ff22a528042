//! Generates the messages, clients and servers of `proto/runtime.v1.proto`, and the descriptor
//! of the file.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out: PathBuf = std::env::var_os("OUT_DIR")
        .ok_or("OUT_DIR is not set")?
        .into();
    tonic_prost_build::configure()
        .type_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]")
        .field_attribute(
            "runtime.v1.KeyValue.value",
            "#[serde(with = \"crate::text\")]",
        )
        // The crate has an own implementation, which shows no secret.
        .skip_debug(["runtime.v1.AuthConfig"])
        .file_descriptor_set_path(out.join("runtime.v1.descriptors.bin"))
        .compile_protos(&["proto/runtime.v1.proto"], &["proto"])?;
    Ok(())
}
