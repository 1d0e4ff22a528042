//! One object: its kind decides its reader.

use std::sync::Arc;

use crate::pending::Workload;
use crate::tree::{Tree, Value};
use crate::{InventoryBuilder, Object, ReadError, Source};

use super::common::Reader;
use super::version::{Kind, may_have};
use super::{class, node, pod, workload};

/// Kind and version of a list, which its items may leave out.
#[derive(Debug, Default)]
pub(super) struct ListKind {
    api_version: Option<String>,
    item_kind: Option<String>,
}

impl ListKind {
    /// Returns the kind of the list with these entries.
    pub fn of(entries: &[(String, Tree)]) -> Self {
        let text = |key: &str| {
            let (_, tree) = entries.iter().find(|(name, _)| name == key)?;
            tree.text()
        };
        let kind = text("kind").and_then(|kind| kind.strip_suffix("List"));
        Self {
            api_version: text("apiVersion").map(str::to_owned),
            item_kind: kind.filter(|kind| !kind.is_empty()).map(str::to_owned),
        }
    }

    /// Returns whether the items must state their kind.
    pub fn is_unknown(&self) -> bool {
        self.item_kind.is_none()
    }
}

/// Adds an object or the items of a list.
pub(crate) fn add(
    builder: &mut InventoryBuilder,
    file: &Arc<str>,
    tree: Tree,
) -> Result<(), ReadError> {
    add_item(builder, file, tree, &ListKind::default())
}

/// Reads a workload, or a pod as a workload of one; `None` for an object of another kind.
pub(crate) fn workload_of(
    builder: &mut InventoryBuilder,
    source: &Source,
    tree: &Tree,
) -> Result<Option<Workload>, ReadError> {
    let text = |key: &str| tree.get(key).and_then(Tree::text).unwrap_or("");
    match Kind::of(text("apiVersion"), text("kind")) {
        Some((Kind::Pod, _)) => pod::workload(builder, source, tree).map(Some),
        Some((kind, _)) if kind.is_workload() => {
            workload::workload(builder, kind, source, tree).map(Some)
        }
        _ => Ok(None),
    }
}

/// Adds an item of a list, or the items of a list within it.
pub(super) fn add_item(
    builder: &mut InventoryBuilder,
    file: &Arc<str>,
    mut tree: Tree,
    list: &ListKind,
) -> Result<(), ReadError> {
    let source = Source {
        file: file.clone(),
        line: tree.line,
    };
    let wrong = |message: &str| ReadError::wrong(source.clone(), "", message);
    if let (Value::Map(entries), true) = (&tree.value, tree.get("items").is_some()) {
        let list = ListKind::of(entries);
        let items = tree.take("items").map(|items| items.value);
        return match items {
            Some(Value::Null) | None => Ok(()),
            Some(Value::List(items)) => items
                .into_iter()
                .try_for_each(|item| add_item(builder, file, item, &list)),
            Some(_) => Err(ReadError::wrong(source, "items", "not a list")),
        };
    }
    if !matches!(tree.value, Value::Map(_)) {
        return Err(wrong("not an object of the Kubernetes API: not a map"));
    }
    let text = |key: &str, of_list: &Option<String>| match tree.get(key) {
        None => Ok(of_list.clone()),
        Some(tree) => match tree.text() {
            Some(text) => Ok(Some(text.to_owned())),
            None => {
                let place = Source {
                    file: file.clone(),
                    line: tree.line,
                };
                Err(ReadError::wrong(place, key, "not a text"))
            }
        },
    };
    let Some(kind) = text("kind", &list.item_kind)? else {
        return Err(wrong("not an object of the Kubernetes API: it has no kind"));
    };
    let Some(api_version) = text("apiVersion", &list.api_version)? else {
        return Err(wrong(
            "not an object of the Kubernetes API: it has no apiVersion",
        ));
    };
    let Some((way, known)) = Kind::of(&api_version, &kind) else {
        unknown(builder, &tree, &api_version, &kind).map_err(|message| wrong(&message))?;
        if builder.keeps_raw() {
            // The parameters of a policy can be of any kind.
            keep(builder, &tree, api_version, kind, source);
        } else {
            builder.ignore(&api_version, &kind);
        }
        return Ok(());
    };
    if !known {
        builder.assume(format!(
            "{kind} of {api_version}, an unknown version, is read as if it were the known one"
        ));
    }
    let reader = Reader::new(&tree, &source);
    match way {
        Kind::List => Ok(()),
        Kind::Node => node::add(builder, source, &tree),
        _ if !builder.takes_load() => Ok(()),
        Kind::Pod => pod::add(builder, source, &tree),
        Kind::PriorityClass => {
            class::add_priority(builder, &source, reader)?;
            keep(builder, &tree, api_version, kind, source);
            Ok(())
        }
        Kind::RuntimeClass => class::add_runtime(builder, &source, reader),
        Kind::Autoscaler => class::add_autoscaler(builder, reader),
        Kind::Keep => {
            keep(builder, &tree, api_version, kind, source);
            Ok(())
        }
        _ => workload::add(builder, way, &source, &tree),
    }
}

/// States what an object of an unknown kind is taken for.
///
/// # Errors
/// A kind that its API group does not have, such as a misspelt one.
fn unknown(
    builder: &mut InventoryBuilder,
    tree: &Tree,
    api_version: &str,
    kind: &str,
) -> Result<(), String> {
    let within = |tree: &Tree, keys: &[&str]| {
        let mut keys = keys.iter();
        keys.try_fold(tree, |tree, key| tree.get(key)).is_some()
    };
    if !may_have(api_version, kind) {
        if !within(tree, &["metadata", "uid"]) {
            return Err(format!("{api_version} has no kind {kind}"));
        }
        builder.assume(format!(
            "{kind} of {api_version}, an unknown kind, decides nothing"
        ));
    }
    if within(tree, &["spec", "template", "spec", "containers"]) {
        builder.assume(format!(
            "{kind} of {api_version}, an unknown kind with a pod template, makes no pods"
        ));
    }
    Ok(())
}

/// Keeps an object for a command that knows its kind.
fn keep(
    builder: &mut InventoryBuilder,
    tree: &Tree,
    api_version: String,
    kind: String,
    source: Source,
) {
    builder.add_object(Object {
        value: tree.to_json(),
        api_version,
        kind,
        source,
    });
}
