//! Names and numbers of users and groups, from `/etc/passwd` and `/etc/group`.

use std::collections::BTreeMap;

/// Most bytes of such a file that are read.
const MAX_FILE_BYTES: usize = 64 << 10;

/// The entries of the files that a program has looked into, by the files' paths.
#[derive(Default)]
pub(super) struct Accounts(BTreeMap<&'static str, Entries>);

/// The entries of one file. Of several for one name or id, the first counts.
#[derive(Default)]
struct Entries {
    ids: BTreeMap<String, Option<u32>>,
    names: BTreeMap<String, String>,
}

impl Entries {
    fn parse(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(MAX_FILE_BYTES)];
        let mut entries = Self::default();
        for line in text.lines() {
            let mut fields = line.split(':');
            let name = fields.next().unwrap_or_default();
            let id = fields.nth(1);
            let number = id.and_then(|id| id.parse().ok());
            entries.ids.entry(name.to_owned()).or_insert(number);
            if let Some(id) = id {
                let names = entries.names.entry(id.to_owned());
                names.or_insert_with(|| name.to_owned());
            }
        }
        entries
    }
}

impl Accounts {
    /// Returns the entries of a file, which `read` reads if no entry of it was looked for before.
    fn of(&mut self, file: &'static str, read: impl FnOnce() -> String) -> &Entries {
        let entries = self.0.entry(file);
        entries.or_insert_with(|| Entries::parse(&read()))
    }

    /// Returns the id of a name. A number is its own id.
    pub(super) fn id_of(
        &mut self,
        text: &str,
        file: &'static str,
        read: impl FnOnce() -> String,
    ) -> Option<u32> {
        if let Ok(number) = text.parse() {
            return Some(number);
        }
        self.of(file, read).ids.get(text).copied().flatten()
    }

    /// Returns the name of an id.
    pub(super) fn name_of(
        &mut self,
        id: u32,
        file: &'static str,
        read: impl FnOnce() -> String,
    ) -> Option<String> {
        self.of(file, read).names.get(&id.to_string()).cloned()
    }
}
