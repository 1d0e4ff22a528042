//! Names and numbers of users and groups, from `/etc/passwd` and `/etc/group`.

use super::call::Call;

impl Call<'_> {
    /// Returns the id of a name in `file`, which is `/etc/passwd` or `/etc/group`. A number is
    /// its own id.
    pub(super) fn id_of(&self, text: &str, file: &str) -> Option<u32> {
        if let Ok(number) = text.parse() {
            return Some(number);
        }
        let entries = self.read_text(file).ok()?;
        let found = entries
            .lines()
            .find(|line| line.split(':').next() == Some(text))?;
        found.split(':').nth(2)?.parse().ok()
    }

    /// Returns the name of an id in `file`, which is `/etc/passwd` or `/etc/group`.
    pub(super) fn name_of(&self, id: u32, file: &str) -> Option<String> {
        let entries = self.read_text(file).ok()?;
        let number = id.to_string();
        let found = entries
            .lines()
            .find(|line| line.split(':').nth(2) == Some(&number))?;
        found.split(':').next().map(str::to_owned)
    }
}
