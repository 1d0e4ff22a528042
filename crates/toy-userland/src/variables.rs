//! The variables of a shell.

use std::collections::BTreeMap;

/// The value of `IFS` at the start of a shell, XCU 2.5.3.
pub(crate) const SEPARATORS: &str = " \t\n";

/// Bytes that count for a variable besides its name and value.
const ENTRY_BYTES: usize = 256;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Variable {
    value: Option<String>,
    exported: bool,
    read_only: bool,
}

/// Reason for which a variable cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariableError {
    #[error("is read only")]
    ReadOnly,
    #[error("out of memory")]
    TooLong,
}

/// Variables by name. Together they hold a bounded number of bytes.
#[derive(Debug, Clone)]
pub(crate) struct Variables {
    by_name: BTreeMap<String, Variable>,
    bytes: usize,
    limit: usize,
}

impl Variables {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            by_name: BTreeMap::new(),
            bytes: 0,
            limit,
        }
    }

    /// Returns the bytes that count for all variables.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.by_name.get(name)?.value.as_deref()
    }

    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), VariableError> {
        let before = self.by_name.get(name);
        if before.is_some_and(|variable| variable.read_only) {
            return Err(VariableError::ReadOnly);
        }
        let freed = before.map_or(0, |variable| size(name, variable.value.as_deref()));
        let bytes = self.bytes - freed + size(name, value);
        if bytes > self.limit {
            return Err(VariableError::TooLong);
        }
        self.bytes = bytes;
        let variable = self.by_name.entry(name.to_owned()).or_default();
        variable.value = value.map(str::to_owned);
        Ok(())
    }

    pub(crate) fn unset(&mut self, name: &str) -> Result<(), VariableError> {
        let Some(variable) = self.by_name.get(name) else {
            return Ok(());
        };
        if variable.read_only {
            return Err(VariableError::ReadOnly);
        }
        self.bytes -= size(name, variable.value.as_deref());
        self.by_name.remove(name);
        Ok(())
    }

    pub(crate) fn export(&mut self, name: &str) -> Result<(), VariableError> {
        self.mark(name, |variable| variable.exported = true)
    }

    pub(crate) fn make_read_only(&mut self, name: &str) -> Result<(), VariableError> {
        self.mark(name, |variable| variable.read_only = true)
    }

    fn mark(&mut self, name: &str, mark: impl Fn(&mut Variable)) -> Result<(), VariableError> {
        if !self.by_name.contains_key(name) {
            self.set(name, None)?;
        }
        if let Some(variable) = self.by_name.get_mut(name) {
            mark(variable);
        }
        Ok(())
    }

    /// Returns the present state of a variable, for [`Self::restore`].
    pub(crate) fn snapshot(&self, name: &str) -> Option<Variable> {
        self.by_name.get(name).cloned()
    }

    /// Restores a variable to a former state; `None` unsets it. Limits and marks do not prevent
    /// this.
    pub(crate) fn restore(&mut self, name: &str, before: Option<Variable>) {
        if let Some(now) = self.by_name.remove(name) {
            self.bytes -= size(name, now.value.as_deref());
        }
        if let Some(before) = before {
            self.bytes += size(name, before.value.as_deref());
            self.by_name.insert(name.to_owned(), before);
        }
    }

    pub(crate) fn is_exported(&self, name: &str) -> bool {
        self.by_name
            .get(name)
            .is_some_and(|variable| variable.exported)
    }

    /// Iterates over the exported variables that have a value, in the order of their names.
    pub(crate) fn exported(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter(|(name, _)| self.is_exported(name))
    }

    /// Iterates over the variables that have a value, in the order of their names.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.by_name.iter();
        variables.filter_map(|(name, one)| Some((name.as_str(), one.value.as_deref()?)))
    }

    /// Returns the variables of a program that a shell with these variables starts: the
    /// exported ones, and the default `IFS`.
    pub(crate) fn of_program(&self) -> Self {
        let exported = self.by_name.iter().filter(|(_, one)| one.exported);
        let mut variables = Self::new(self.limit);
        variables.by_name = exported
            .map(|(name, one)| (name.clone(), one.clone()))
            .collect();
        let sizes = variables.by_name.iter();
        variables.bytes = sizes
            .map(|(name, one)| size(name, one.value.as_deref()))
            .sum();
        // Every shell sets this variable at its start, so there is room for it.
        let _ = variables.set("IFS", Some(SEPARATORS));
        variables
    }
}

/// Returns the bytes that count for a variable: name, value, and more than its entry in the map
/// takes.
fn size(name: &str, value: Option<&str>) -> usize {
    name.len() + value.map_or(0, str::len) + ENTRY_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_hold_a_bounded_number_of_bytes() {
        let mut variables = Variables::new(515);
        assert_eq!(variables.set("a", Some(&"x".repeat(200))), Ok(()));
        assert_eq!(variables.set("b", Some("")), Err(VariableError::TooLong));
        assert_eq!(variables.set("a", Some("y")), Ok(()));
        assert_eq!(variables.set("b", Some("")), Ok(()));
        variables.unset("b").unwrap();
        assert_eq!(variables.set("c", Some("")), Ok(()));
        assert_eq!(variables.bytes(), 515);
        assert_eq!(variables.get("a"), Some("y"));
    }

    #[test]
    fn read_only_variables_keep_their_values() {
        let mut variables = Variables::new(1000);
        variables.set("a", Some("1")).unwrap();
        variables.make_read_only("a").unwrap();
        assert_eq!(variables.set("a", Some("2")), Err(VariableError::ReadOnly));
        assert_eq!(variables.unset("a"), Err(VariableError::ReadOnly));
    }

    #[test]
    fn a_program_sees_what_is_exported() {
        let mut variables = Variables::new(1000);
        variables.set("a", Some("1")).unwrap();
        variables.set("b", Some("2")).unwrap();
        variables.export("b").unwrap();
        variables.export("c").unwrap();
        assert_eq!(variables.exported().collect::<Vec<_>>(), [("b", "2")]);
    }
}
