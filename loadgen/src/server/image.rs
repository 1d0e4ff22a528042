//! Stores a minimal image in a containerd, so that no registry is needed.
//!
//! The image has one layer with one program, under the paths `/pause` and `/bin/sh`. The
//! program waits for SIGTERM and ends with the exit code that a shell reports for such a
//! child. The image is stored as an OCI image (image-spec `manifest.md` and `config.md`)
//! through containerd's content, lease and image services.

mod pause;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::leases_client::LeasesClient;
use containerd_client::services::v1::{
    CreateImageRequest, CreateRequest, DeleteRequest, Image, WriteAction, WriteContentRequest,
};
use containerd_client::types::Descriptor;
use containerd_sandbox::{Code, Error, GRPC_NAMESPACE, Result};
use cri_api::v1::image_service_client::ImageServiceClient;
use cri_api::v1::{ImageSpec, ImageStatusRequest, PullImageRequest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;

/// Name of the image.
pub const NAME: &str = "localhost/resource-slot/pause:2";

/// Size of a block of tar, in bytes.
const BLOCK: usize = 512;

/// Paths of the program: the command of the image, and the shell for commands of a
/// caller.
const PROGRAM_PATHS: [&str; 2] = ["pause", "bin/sh"];

const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Label by which containerd's garbage collector follows references between blobs.
const REFERENCE: &str = "containerd.io/gc.ref.content";

/// Namespace of CRI's images, pods and containers.
pub const NAMESPACE: &str = "k8s.io";

/// CRI learns about a new image from an event: the interval and the limit of the polls
/// for it.
const HEARING_POLL: Duration = Duration::from_millis(5);
const HEARING_LIMIT: Duration = Duration::from_secs(30);

/// One piece of content.
struct Blob {
    media_type: &'static str,
    bytes: Vec<u8>,
    labels: HashMap<String, String>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self {
            media_type,
            bytes,
            labels: HashMap::new(),
        }
    }

    fn digest(&self) -> String {
        let mut digest = "sha256:".to_owned();
        for byte in Sha256::digest(&self.bytes) {
            // Writing to a string cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        digest
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": self.digest(),
            "size": self.bytes.len(),
        })
    }
}

/// Returns a tar archive (POSIX `ustar`) of one executable file under several paths.
fn archive(paths: &[&str], content: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    for path in paths {
        archive.extend(header(path, content.len()));
        archive.extend(content);
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    // Two blocks of zeros end the archive.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

/// Returns the header block of an executable file that belongs to root.
fn header(path: &str, size: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, field: &str| {
        block[at..at + field.len()].copy_from_slice(field.as_bytes());
    };
    put(0, path);
    put(100, "0000755");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(156, "0");
    put(257, "ustar\x0000");
    // Sum of the block's bytes, computed with spaces in the field of the sum.
    put(148, "        ");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Returns the layer, the configuration and the manifest for an architecture.
fn blobs(architecture: &str) -> [Blob; 3] {
    let layer = match pause::program(architecture) {
        Some(program) => archive(&PROGRAM_PATHS, &program),
        // No program exists for this architecture, so a runtime with real containers
        // needs another image.
        None => archive(&[], &[]),
    };
    let layer = Blob::new(LAYER_TYPE, layer);
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": { "Cmd": ["/pause"], "Env": ["PATH=/bin"] },
        "rootfs": { "type": "layers", "diff_ids": [layer.digest()] },
    });
    let config = Blob::new(CONFIG_TYPE, config.to_string().into_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let mut manifest = Blob::new(MANIFEST_TYPE, manifest.to_string().into_bytes());
    manifest.labels = HashMap::from([
        (format!("{REFERENCE}.config"), config.digest()),
        (format!("{REFERENCE}.l.0"), layer.digest()),
    ]);
    [layer, config, manifest]
}

/// Returns the architecture of this machine by its name in Go, which image-spec requires.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Stores the image in the containerd of this connection, if CRI does not know it yet, and
/// waits until CRI knows it.
///
/// # Errors
/// Errors of the server; `Unimplemented` for a server that is no containerd.
pub async fn ensure(channel: Channel) -> Result<()> {
    if is_known(&channel, NAME).await? {
        return Ok(());
    }
    let create = CreateRequest {
        id: format!("loadgen-image-{}", std::process::id()),
        ..Default::default()
    };
    let mut leases = LeasesClient::new(channel.clone());
    let lease = leases.create(call(create, None)?).await?.into_inner();
    let lease = lease.lease.map(|lease| lease.id).unwrap_or_default();
    let stored = store(&channel, &lease).await;
    let delete = DeleteRequest {
        id: lease,
        sync: false,
    };
    leases.delete(call(delete, None)?).await?;
    stored?;
    let heard = async {
        while !is_known(&channel, NAME).await? {
            tokio::time::sleep(HEARING_POLL).await;
        }
        Ok(())
    };
    tokio::time::timeout(HEARING_LIMIT, heard)
        .await
        .unwrap_or_else(|_| {
            Err(Error::unavailable(format!(
                "CRI does not know the image {NAME} {HEARING_LIMIT:?} after it was stored"
            )))
        })
}

/// Provides an image to CRI at this connection. The image of this module is stored in
/// containerd without a registry. Any other image, and every image of a runtime other
/// than containerd, is pulled unless CRI knows it.
///
/// # Errors
/// Errors of the server.
pub async fn provide(channel: Channel, name: &str) -> Result<()> {
    if name == NAME {
        match ensure(channel.clone()).await {
            // A runtime other than containerd: the pull below succeeds only if that runtime
            // needs no registry, like the sandboxer.
            Err(e) if e.code() == Code::Unimplemented => {}
            ensured => return ensured,
        }
    }
    if is_known(&channel, name).await? {
        return Ok(());
    }
    let pull = PullImageRequest {
        image: Some(named(name)),
        ..Default::default()
    };
    ImageServiceClient::new(channel).pull_image(pull).await?;
    Ok(())
}

fn named(image: &str) -> ImageSpec {
    ImageSpec {
        image: image.to_owned(),
        ..Default::default()
    }
}

async fn is_known(channel: &Channel, name: &str) -> Result<bool> {
    let request = ImageStatusRequest {
        image: Some(named(name)),
        ..Default::default()
    };
    let status = ImageServiceClient::new(channel.clone())
        .image_status(request)
        .await?;
    Ok(status.into_inner().image.is_some())
}

async fn store(channel: &Channel, lease: &str) -> Result<()> {
    let mut content = ContentClient::new(channel.clone());
    let blobs = blobs(architecture());
    for blob in &blobs {
        let length = i64::try_from(blob.bytes.len()).unwrap_or(i64::MAX);
        let write = WriteContentRequest {
            action: WriteAction::Commit.into(),
            r#ref: format!("loadgen-{}", blob.digest()),
            total: length,
            expected: blob.digest(),
            data: blob.bytes.clone(),
            labels: blob.labels.clone(),
            ..Default::default()
        };
        match written(&mut content, write, lease).await {
            Err(error) if error.code() != Code::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    let [.., manifest] = &blobs;
    let image = Image {
        name: NAME.to_owned(),
        target: Some(Descriptor {
            media_type: manifest.media_type.to_owned(),
            digest: manifest.digest(),
            size: i64::try_from(manifest.bytes.len()).unwrap_or(i64::MAX),
            ..Default::default()
        }),
        ..Default::default()
    };
    let create = CreateImageRequest {
        image: Some(image),
        ..Default::default()
    };
    let created = ImagesClient::new(channel.clone())
        .create(call(create, Some(lease))?)
        .await
        .map_err(Error::from);
    match created {
        Err(error) if error.code() != Code::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

async fn written(
    content: &mut ContentClient<Channel>,
    write: WriteContentRequest,
    lease: &str,
) -> Result<()> {
    let stream = futures::stream::iter([write]);
    let mut replies = content
        .write(call(stream, Some(lease))?)
        .await?
        .into_inner();
    while replies.message().await?.is_some() {}
    Ok(())
}

/// Creates a request in the namespace of CRI, with a lease if one is given.
fn call<T>(message: T, lease: Option<&str>) -> Result<Request<T>> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(GRPC_NAMESPACE, MetadataValue::from_static(NAMESPACE));
    if let Some(lease) = lease {
        let lease = lease
            .parse()
            .map_err(|e| Error::internal(format!("lease {lease:?}: {e}")))?;
        metadata.insert("containerd-lease", lease);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_other_blobs_and_keeps_them() {
        let [layer, config, manifest] = blobs("amd64");
        let text: Value = serde_json::from_slice(&manifest.bytes).unwrap();
        assert_eq!(text["config"]["digest"], config.digest());
        assert_eq!(text["layers"][0]["digest"], layer.digest());
        assert_eq!(text["layers"][0]["size"], 3072);
        let kept: Vec<&String> = manifest.labels.values().collect();
        assert!(kept.contains(&&config.digest()) && kept.contains(&&layer.digest()));
    }

    #[test]
    fn without_a_program_the_layer_is_empty() {
        let [layer, ..] = blobs("s390x");
        // Output of `head -c 1024 /dev/zero | sha256sum`.
        assert_eq!(
            layer.digest(),
            "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
        );
    }

    #[test]
    fn tar_unpacks_the_layer() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("layer.tar");
        std::fs::write(&file, archive(&PROGRAM_PATHS, b"a program")).unwrap();
        let tar = std::process::Command::new("tar")
            .current_dir(dir.path())
            .args(["-xf", "layer.tar"])
            .output()
            .unwrap();
        assert!(tar.status.success() && tar.stderr.is_empty(), "{tar:?}");
        for path in PROGRAM_PATHS {
            let path = dir.path().join(path);
            assert_eq!(std::fs::read(&path).unwrap(), b"a program");
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &std::fs::metadata(&path).unwrap().permissions(),
            );
            assert_eq!(mode & 0o777, 0o755);
        }
    }
}
