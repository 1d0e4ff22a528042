//! Images that containers mount as volumes.

use containerd_sandbox::{Error, Result, quoted};
use cri_api::v1::{ContainerConfig, Mount};

use super::Cri;
use slot::MountedImage;
use toy_userland::Volume;

impl Cri {
    /// Finds the images that a container mounts.
    ///
    /// # Errors
    /// `NotFound` for an image that was not pulled; `InvalidArgument` for a mount that is not
    /// read-only or also names a path of the node, and for a path that the image does not have.
    pub(super) fn mounted_images(&self, config: &ContainerConfig) -> Result<Vec<MountedImage>> {
        let mounts = config.mounts.iter().enumerate();
        let of_images = mounts.filter_map(|(index, mount)| {
            let image = mount.image.as_ref()?;
            (!image.image.is_empty()).then(|| self.mounted_image(index, mount, &image.image))
        });
        of_images.collect()
    }

    fn mounted_image(&self, index: usize, mount: &Mount, name: &str) -> Result<MountedImage> {
        let field = format!("config.mounts {}", quoted(&mount.container_path));
        let wrong = |what: &str| Err(Error::invalid_argument(format!("{field}: {what}")));
        if !mount.readonly {
            return wrong("the mount of an image has to be readonly");
        }
        if !mount.host_path.is_empty() {
            return wrong("host_path and image are stated, one of them is needed");
        }
        let part = &mount.image_sub_path;
        if part.starts_with('/') || part.split('/').any(|name| name == "..") {
            let part = quoted(part);
            return wrong(&format!(
                "image_sub_path {part}: a path that leads down is needed"
            ));
        }
        let image = self.images.find(name)?.ok_or_else(|| {
            Error::not_found(format!("{field}: image {}: not pulled", quoted(name)))
        })?;
        let config = self.images.config_of(&image.id).unwrap_or_default();
        let mounted = MountedImage {
            mount: index,
            image_ref: image.id.clone(),
            files: config.files,
        };
        let files: Vec<(String, Vec<u8>)> = mounted
            .files
            .iter()
            .map(|(path, text)| (path.clone(), text.clone().into_bytes()))
            .collect();
        if Volume::of_image(&files, part).is_err() {
            let part = quoted(part);
            return wrong(&format!(
                "image_sub_path {part}: the image does not have it"
            ));
        }
        Ok(mounted)
    }
}
