//! Reading that objects of all kinds have in common.

use serde::Deserialize;

use crate::api::{ObjectMeta, OwnerReference, PodSpec};
use crate::check::{self, Fields, unknown_field};
use crate::tree::{DecodeError, Step, Tree, decode};
use crate::{InventoryBuilder, ReadError, Source};

/// One object and its place.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub tree: &'a Tree,
    pub source: &'a Source,
}

impl<'a> Reader<'a> {
    /// Returns the reader of an object.
    pub fn new(tree: &'a Tree, source: &'a Source) -> Self {
        Self { tree, source }
    }

    /// Reads the object as a type.
    pub fn decode<T: Deserialize<'a>>(self) -> Result<T, ReadError> {
        decode(self.tree).map_err(|error| self.error(error))
    }

    /// Refuses fields that the type does not have. An object of a cluster may be of a newer
    /// version, so there such a field is an assumption.
    pub fn check_fields(
        self,
        builder: &mut InventoryBuilder,
        fields: &Fields,
        kind: &str,
        of_cluster: bool,
    ) -> Result<(), ReadError> {
        match unknown_field(self.tree, fields) {
            None => Ok(()),
            Some(error) if of_cluster => {
                let (_, field, _) = error.into_parts();
                let field = without_places(&field);
                builder.assume(format!(
                    "{field} of {kind}, an unknown field, decides nothing"
                ));
                Ok(())
            }
            Some(error) => Err(self.error(error)),
        }
    }

    /// Checks the spec of a pod, which lies below these keys, and states which of its fields no
    /// plan follows.
    pub fn check_pod_spec(
        self,
        builder: &mut InventoryBuilder,
        keys: &[&str],
        spec: &PodSpec,
    ) -> Result<(), ReadError> {
        let mut tree = self.tree;
        for key in keys {
            match tree.get(key) {
                Some(within) => tree = within,
                None => break,
            }
        }
        if tree.get("resourceClaims").is_some() {
            builder.assume("devices of resource claims are not counted");
        }
        let volumes = tree.get("volumes").into_iter().flat_map(Tree::items);
        if { volumes }.any(|volume| volume.get("persistentVolumeClaim").is_some()) {
            builder.assume("persistent volumes keep no pod from a node");
        }
        check::pod_spec(tree, spec).map_err(|error| {
            let error = keys
                .iter()
                .rev()
                .fold(error, |error, key| error.within(key));
            self.error(error)
        })
    }

    /// Checks the name of the object.
    pub fn check_name(self, name: &str) -> Result<(), ReadError> {
        check::object_name(name).map_err(|message| self.wrong(&["metadata", "name"], message))
    }

    /// Returns the error of the field below these keys.
    pub fn wrong(self, keys: &[&str], message: impl Into<String>) -> ReadError {
        let steps: Vec<_> = keys.iter().copied().map(Step::Key).collect();
        self.error(DecodeError::of(self.tree, &steps, message))
    }

    fn error(self, error: DecodeError) -> ReadError {
        ReadError::decode(&self.source.file, error)
    }
}

/// Removes the places in lists from the path of a field.
fn without_places(field: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in field.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => {}
            _ => text.push(c),
        }
    }
    text
}

/// Returns the namespace of an object.
pub(super) fn namespace(metadata: &ObjectMeta) -> &str {
    match metadata.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    }
}

/// Returns the object that made this one.
pub(super) fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata
        .owner_references
        .iter()
        .find(|owner| owner.controller)
}

/// Returns metadata and spec of a pod or of a pod template, as they were written.
pub(super) fn raw(tree: &Tree) -> serde_json::Value {
    let parts = ["metadata", "spec"].into_iter();
    parts
        .filter_map(|key| Some((key.to_owned(), tree.get(key)?.to_json())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
