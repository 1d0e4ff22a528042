//! Lists in JSON, item by item.

use std::fmt;
use std::sync::Arc;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::tree::{LineCounter, Tree, TreeSeed, Value};
use crate::{InventoryBuilder, ReadError};

use super::object::{self, ListKind};

/// Reads one object, or a list whose items are added one by one.
pub(super) struct ListSeed<'a> {
    pub builder: &'a mut InventoryBuilder,
    pub file: &'a Arc<str>,
    pub lines: &'a LineCounter,
    /// Error of an object, which the error of the JSON reader cannot hold.
    pub failed: &'a mut Option<ReadError>,
}

impl ListSeed<'_> {
    fn add<E: de::Error>(&mut self, tree: Tree, list: &ListKind) -> Result<(), E> {
        object::add_item(self.builder, self.file, tree, list).map_err(|error| {
            *self.failed = Some(error);
            E::custom("see the error of the object")
        })
    }
}

impl<'de> DeserializeSeed<'de> for ListSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the Kubernetes API")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let line = self.lines.line();
        let mut entries: Vec<(String, Tree)> = Vec::new();
        // Items without a kind of their own that came before the kind of the list.
        let mut waiting = Vec::new();
        let mut is_list = false;
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                is_list = true;
                let list = ListKind::of(&entries);
                map.next_value_seed(ItemsSeed {
                    all: &mut self,
                    list: &list,
                    waiting: &mut waiting,
                })?;
            } else if entries.iter().any(|(name, _)| *name == key) {
                let message = format_args!("{key}: the key is there twice");
                return Err(de::Error::custom(message));
            } else {
                entries.push((key, map.next_value_seed(TreeSeed(self.lines))?));
            }
        }
        let list = ListKind::of(&entries);
        if is_list {
            for tree in waiting {
                self.add(tree, &list)?;
            }
            return Ok(());
        }
        let value = Value::Map(entries);
        self.add(Tree { line, value }, &ListKind::default())
    }
}

struct ItemsSeed<'a, 'b> {
    all: &'a mut ListSeed<'b>,
    list: &'a ListKind,
    waiting: &'a mut Vec<Tree>,
}

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // A list without items has null.
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects under items")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(tree) = items.next_element_seed(TreeSeed(self.all.lines))? {
            if tree.get("kind").is_none() && self.list.is_unknown() {
                self.waiting.push(tree);
            } else {
                self.all.add(tree, self.list)?;
            }
        }
        Ok(())
    }
}
