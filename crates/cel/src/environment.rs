//! Names that expressions may use.

use crate::types::Type;

/// Names that expressions may use, with their types.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    globals: Vec<(String, Type)>,
    variables: Option<Vec<(String, Type)>>,
}

impl Environment {
    /// Name of the object that has the variables.
    pub const VARIABLES: &'static str = "variables";

    /// Declares a name and returns its number.
    pub fn declare(&mut self, name: &str, of: Type) -> usize {
        self.globals.push((name.to_owned(), of));
        self.globals.len() - 1
    }

    /// Declares `variables.NAME` and returns its number.
    pub fn declare_variable(&mut self, name: &str, of: Type) -> usize {
        let variables = self.variables.get_or_insert_default();
        variables.push((name.to_owned(), of));
        variables.len() - 1
    }

    pub(crate) fn global(&self, name: &str) -> Option<(usize, &Type)> {
        find(&self.globals, name)
    }

    pub(crate) fn has_variables(&self) -> bool {
        self.variables.is_some()
    }

    pub(crate) fn variable(&self, name: &str) -> Option<(usize, &Type)> {
        find(self.variables.as_deref()?, name)
    }
}

/// Returns the number and the type of the last declaration of a name.
fn find<'a>(all: &'a [(String, Type)], name: &str) -> Option<(usize, &'a Type)> {
    let place = all.iter().rposition(|(other, _)| other == name)?;
    Some((place, &all.get(place)?.1))
}
