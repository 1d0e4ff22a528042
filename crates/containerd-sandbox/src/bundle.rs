//! Reads the `config.json` of an OCI bundle, whose path a request of the task service names.
//!
//! The path comes from a peer: a read never blocks on a FIFO in the place of the file, and never
//! reads more than a limit.

use std::io::Read;
use std::path::Path;

use oci_config::Spec;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Code, Error, Result};

/// Greatest size of a `config.json`, in bytes: containerd's limit of gRPC messages (16 MiB),
/// which bounds every spec that containerd receives.
pub const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// Size in bytes from which a file is read and parsed on a thread for blocking work.
const LARGE_CONFIG_BYTES: u64 = 256 << 10;

/// Annotation that names the sandbox in the spec of a container that CRI created.
pub const SANDBOX_ID_ANNOTATION: &str = "io.kubernetes.cri.sandbox-id";

/// Contents of a bundle.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The parsed `config.json`.
    pub spec: Spec,
    /// Id of the container's sandbox.
    pub sandbox_id: String,
}

/// Reads the bundle at `path`. The sandbox id is the value of [`SANDBOX_ID_ANNOTATION`] in the
/// spec, or else the content of the file `sandbox`, which containerd writes beside the spec.
///
/// # Errors
/// `InvalidArgument` if the path is not absolute, or `config.json` is missing,
/// no regular file, over [`MAX_CONFIG_BYTES`], not an OCI spec, or names no
/// sandbox; `Unavailable` if it cannot be read.
pub async fn read(path: &str) -> Result<Bundle> {
    if !path.starts_with('/') {
        return Err(Error::invalid_argument(format!(
            "bundle {}: an absolute path is needed",
            crate::quoted(path)
        )));
    }
    let bundle = Path::new(path).to_owned();
    let config = bundle.join("config.json");
    let (file, size) = open(&config)?;
    let load = move || load(&bundle, &config, file, size);
    if size < LARGE_CONFIG_BYTES {
        load()
    } else {
        tokio::task::spawn_blocking(load)
            .await
            .map_err(|e| Error::internal(format!("read bundle: {e}")))?
    }
}

/// Opens a regular file of at most [`MAX_CONFIG_BYTES`] and returns it with its size in bytes.
/// Does not block, even if the path is a FIFO.
fn open(path: &Path) -> Result<(std::fs::File, u64)> {
    let shown = crate::quoted(&path.display().to_string());
    let invalid = |reason: &str| Error::invalid_argument(format!("{shown}: {reason}"));
    let fd = rustix::fs::open(
        path,
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|e| match e {
        Errno::NOENT | Errno::NOTDIR => invalid("not found; the bundle must hold an OCI spec"),
        Errno::MFILE | Errno::NFILE => Error::resource_exhausted(format!("{shown}: {e}")),
        Errno::ACCESS | Errno::INVAL | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO => {
            invalid(&e.to_string())
        }
        _ => Error::unavailable(format!("{shown}: {e}")),
    })?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| Error::unavailable(format!("{shown}: {e}")))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(invalid("not a regular file"));
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size > MAX_CONFIG_BYTES {
        return Err(invalid(&format!(
            "{size} bytes, over the limit of {MAX_CONFIG_BYTES}"
        )));
    }
    Ok((fd.into(), size))
}

fn load(bundle: &Path, config: &Path, file: std::fs::File, size: u64) -> Result<Bundle> {
    let mut text = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(MAX_CONFIG_BYTES)
        .read_to_end(&mut text)
        .map_err(|e| Error::unavailable(format!("{}: {e}", config.display())))?;
    crate::scan::check_json(&text)?;
    let spec: Spec = oci_config::from_slice(&text).map_err(|e| {
        Error::invalid_argument(format!("{}: not an OCI spec: {e}", config.display()))
    })?;
    let sandbox_id = match spec.annotations.get(SANDBOX_ID_ANNOTATION) {
        Some(id) => id.clone(),
        None => sandbox_file(bundle)?,
    };
    crate::check_id("sandbox id of the bundle", &sandbox_id)?;
    Ok(Bundle { spec, sandbox_id })
}

fn sandbox_file(bundle: &Path) -> Result<String> {
    let path = bundle.join("sandbox");
    let none = || {
        Error::invalid_argument(format!(
            "{}: names no sandbox: neither the annotation {SANDBOX_ID_ANNOTATION} nor the file \
             {} does",
            bundle.display(),
            path.display()
        ))
    };
    let (file, _) = open(&path).map_err(|e| match e.code() {
        Code::InvalidArgument => none(),
        _ => e,
    })?;
    let mut id = String::new();
    file.take(crate::MAX_ID_LEN as u64 + 2)
        .read_to_string(&mut id)
        .map_err(|_| none())?;
    Ok(id.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn bundle(config: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), config).unwrap();
        dir
    }

    async fn read_dir(dir: &tempfile::TempDir) -> Result<Bundle> {
        read(dir.path().to_str().unwrap()).await
    }

    #[tokio::test]
    async fn the_annotation_names_the_sandbox() {
        let dir = bundle(r#"{"annotations":{"io.kubernetes.cri.sandbox-id":"pod1"}}"#);
        assert_eq!(read_dir(&dir).await.unwrap().sandbox_id, "pod1");
    }

    #[tokio::test]
    async fn without_the_annotation_the_sandbox_file_names_the_sandbox() {
        let dir = bundle(r#"{"linux":{"resources":{"pids":{"limit":5}}},"unknown":{"x":1}}"#);
        assert_eq!(
            read_dir(&dir).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        fs::write(dir.path().join("sandbox"), "pod2\n").unwrap();
        let bundle = read_dir(&dir).await.unwrap();
        assert_eq!(bundle.sandbox_id, "pod2");
        let linux = bundle.spec.linux.value().unwrap();
        let resources = linux.resources.value().unwrap();
        assert!(resources.pids.value().is_some());
    }

    #[tokio::test]
    async fn the_error_of_an_invalid_bundle_names_the_reason() {
        let missing = tempfile::tempdir().unwrap();
        let garbage = bundle("{\"linux\":");
        let wrong = bundle(r#"{"annotations":{"io.kubernetes.cri.sandbox-id":"../etc"}}"#);
        let huge = bundle("{}");
        fs::File::options()
            .write(true)
            .open(huge.path().join("config.json"))
            .unwrap()
            .set_len(50 << 20)
            .unwrap();
        let fifo = tempfile::tempdir().unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            fifo.path().join("config.json"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        for (dir, word) in [
            (&missing, "not found"),
            (&garbage, "not an OCI spec"),
            (&wrong, "sandbox id"),
            (&huge, "over the limit"),
            (&fifo, "not a regular file"),
        ] {
            let error = read_dir(dir).await.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
        assert_eq!(
            read("relative").await.unwrap_err().code(),
            Code::InvalidArgument
        );
    }

    #[tokio::test]
    async fn a_spec_above_the_size_for_blocking_threads_is_read() {
        let filler = "x".repeat(usize::try_from(LARGE_CONFIG_BYTES).unwrap());
        let dir = bundle(&format!(
            r#"{{"annotations":{{"io.kubernetes.cri.sandbox-id":"p","f":"{filler}"}}}}"#
        ));
        assert_eq!(read_dir(&dir).await.unwrap().sandbox_id, "p");
    }
}
