//! Names that expressions may use.

use crate::compile::compile;
use crate::error::CompileError;
use crate::parser::parse;
use crate::program::Program;
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

    /// Compiles an expression.
    ///
    /// # Errors
    /// A text that is no expression, an unknown name, or types that do not fit.
    pub fn compile(&self, text: &str) -> Result<Program, CompileError> {
        compile(self, text, &parse(text)?)
    }

    /// Compiles an expression whose values must have one type.
    ///
    /// # Errors
    /// As [`Self::compile`], and an expression of another type.
    pub fn compile_to(&self, text: &str, wanted: &Type) -> Result<Program, CompileError> {
        let program = self.compile(text)?;
        match program.output() {
            output if output == wanted => Ok(program),
            output => {
                let message = format!("must evaluate to {wanted} but got {output}");
                Err(CompileError::at(text, 0, message))
            }
        }
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
