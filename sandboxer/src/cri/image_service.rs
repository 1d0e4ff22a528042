//! CRI's ImageService. No image is fetched: a pull adds the name of an image.

use std::collections::HashMap;

use containerd_sandbox::{Error, Result};
use cri_api::v1;
use cri_api::v1::{
    FilesystemUsage, ImageFilter, ImageFsInfoRequest, ImageFsInfoResponse, ImageSpec,
    ImageStatusRequest, ImageStatusResponse, ListImagesRequest, ListImagesResponse,
    PullImageRequest, PullImageResponse, RemoveImageRequest, RemoveImageResponse,
    StreamImagesRequest, StreamImagesResponse,
};
use futures::{Stream, StreamExt as _, stream};
use serde_json::json;

use super::images::Image;
use super::reference::Reference;
use super::stats::number;
use super::{Cri, Part, check, status};
use crate::wait::wait;
use slot::Timestamp;

/// Number of images in a part of a stream; an image has a few hundred bytes.
const IMAGES_PER_PART: usize = 1000;

impl Cri {
    /// Adds an image and returns its id.
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid name; the code with which the behaviour file lets the
    /// pull fail; the error of the file of images.
    pub(super) async fn pull_image(&self, request: PullImageRequest) -> Result<PullImageResponse> {
        let name = check::image(request.image.as_ref())?;
        let full = match Reference::parse(name) {
            Ok(reference) => reference.by_tag().unwrap_or_else(|| reference.by_digest()),
            // An id, or a name that the pull refuses.
            Err(_) => name.to_owned(),
        };
        let delay = self.sandboxer.profile().pull(&[name, &full])?;
        wait(delay).await;
        let image = self.images.pull(name).await?;
        Ok(PullImageResponse {
            image_ref: image.id,
        })
    }

    /// Returns the image with a name or id, or none if it was not pulled.
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid name.
    pub(super) async fn image_status(
        &self,
        request: ImageStatusRequest,
    ) -> Result<ImageStatusResponse> {
        let name = check::image(request.image.as_ref())?;
        let image = self.images.find(name)?;
        let info = match &image {
            Some(image) if request.verbose => verbose(image)?,
            _ => HashMap::new(),
        };
        Ok(ImageStatusResponse {
            image: image.map(|image| self.message(image)),
            info,
        })
    }

    /// Lists the images that were pulled, or the one with the name or id in the filter.
    pub(super) async fn list_images(
        &self,
        request: ListImagesRequest,
    ) -> Result<ListImagesResponse> {
        let images = self.filtered_images(request.filter)?;
        Ok(ListImagesResponse { images })
    }

    /// Streams the images that [`Cri::list_images`] lists, in parts.
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid name.
    pub(super) async fn stream_images(
        &self,
        request: StreamImagesRequest,
    ) -> Result<impl Stream<Item = Part<StreamImagesResponse>> + use<>> {
        let images = stream::iter(self.filtered_images(request.filter)?);
        let parts = images.chunks(IMAGES_PER_PART);
        Ok(parts.map(|images| Ok(StreamImagesResponse { images })))
    }

    fn filtered_images(&self, filter: Option<ImageFilter>) -> Result<Vec<v1::Image>> {
        let wanted = filter.and_then(|filter| filter.image);
        let images = match wanted.filter(|spec| !spec.image.is_empty()) {
            Some(spec) => self.images.find(&spec.image)?.into_iter().collect(),
            None => self.images.all().values().cloned().collect::<Vec<_>>(),
        };
        Ok(images
            .into_iter()
            .map(|image| self.message(image))
            .collect())
    }

    fn message(&self, image: Image) -> v1::Image {
        let config = self.images.config_of(&image.id).unwrap_or_default();
        let name = image.repo_tags.first().or(image.repo_digests.first());
        v1::Image {
            spec: Some(ImageSpec {
                image: name.unwrap_or(&image.id).clone(),
                ..Default::default()
            }),
            id: image.id,
            repo_tags: image.repo_tags.into_iter().collect(),
            repo_digests: image.repo_digests.into_iter().collect(),
            size: image.size_bytes,
            uid: config.uid().map(|value| v1::Int64Value { value }),
            username: config.username().to_owned(),
            pinned: false,
        }
    }

    /// Removes an image with all its names, even if containers use it. An image that does
    /// not exist is no error.
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid name; the error of the file of images.
    pub(super) async fn remove_image(
        &self,
        request: RemoveImageRequest,
    ) -> Result<RemoveImageResponse> {
        let name = check::image(request.image.as_ref())?;
        self.images.remove(name).await?;
        Ok(RemoveImageResponse {})
    }

    /// Returns the space that the images would take, the sum of their sizes. Containers
    /// write nothing.
    pub(super) async fn image_fs_info(&self, _: ImageFsInfoRequest) -> Result<ImageFsInfoResponse> {
        let images = self.images.all();
        let timestamp = status::nanos(Timestamp::now());
        let usage = |used_bytes: u64, inodes_used: u64| FilesystemUsage {
            timestamp,
            fs_id: Some(self.filesystem()),
            used_bytes: Some(number(used_bytes)),
            inodes_used: Some(number(inodes_used)),
        };
        let bytes = images.values().map(|image| image.size_bytes).sum();
        let inodes = images.values().map(Image::inodes).sum();
        Ok(ImageFsInfoResponse {
            image_filesystems: vec![usage(bytes, inodes)],
            container_filesystems: vec![usage(0, 0)],
        })
    }
}

fn verbose(image: &Image) -> Result<HashMap<String, String>> {
    let info = json!({ "image": image, "inodes": image.inodes() });
    let json = serde_json::to_string(&info)
        .map_err(|e| Error::internal(format!("encode image info: {e}")))?;
    Ok(HashMap::from([("info".to_owned(), json)]))
}
