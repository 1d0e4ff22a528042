//! Functions that expressions call.
//!
//! They are those of the environment that Kubernetes 1.36 compiles policies in
//! (`apiserver/pkg/cel/environment/base.go`): the standard library of cel-go, its strings (version
//! 2), sets, lists (version 3) and optional values, and Kubernetes' own lists, regular expressions,
//! URLs, quantities, IP addresses, CIDRs, formats and semantic versions. Each module has a table
//! of signatures.

mod format;
mod formats;
mod lists;
mod net;
mod operators;
mod optionals;
mod quantity;
mod regexes;
mod semver;
mod standard;
mod strings;
mod time;
mod url;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::types::Type;
use crate::value::Value;

pub(crate) use lists::sorted;
pub(crate) use regexes::compile as compile_regex;

/// Code of a function.
pub(crate) type Run = fn(&[Value], &mut Budget) -> Evaluated<Value>;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// `f(a, b)`.
    Global,
    /// `a.f(b)`.
    Method,
}

/// Row of a table of signatures: name, style, types of the arguments (with that of the target
/// first), type of the result, code.
pub(crate) type Row = (&'static str, Style, &'static str, &'static str, Run);

/// One signature of a function.
#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) style: Style,
    pub(crate) args: Vec<Type>,
    pub(crate) result: Type,
    run: Run,
}

/// Function with all of its signatures.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) overloads: Vec<Overload>,
}

impl Function {
    /// Calls the signature that takes these values.
    pub(crate) fn call(
        &self,
        style: Style,
        args: &[Value],
        budget: &mut Budget,
    ) -> Evaluated<Value> {
        let takes = |overload: &&Overload| {
            overload.style == style
                && overload.args.len() == args.len()
                && args
                    .iter()
                    .zip(&overload.args)
                    .all(|(arg, of)| arg.fits(of))
        };
        match self.overloads.iter().find(takes) {
            Some(overload) => (overload.run)(args, budget),
            None => Err(EvalError::overload(self.name)),
        }
    }
}

static FUNCTIONS: LazyLock<BTreeMap<&'static str, Function>> = LazyLock::new(|| {
    let tables = [
        format::ROWS,
        formats::ROWS,
        lists::ROWS,
        net::ROWS,
        operators::ROWS,
        optionals::ROWS,
        quantity::ROWS,
        regexes::ROWS,
        semver::ROWS,
        standard::ROWS,
        strings::ROWS,
        time::ROWS,
        url::ROWS,
    ];
    let mut functions = BTreeMap::new();
    for &(name, style, args, result, run) in tables.into_iter().flatten() {
        let function = functions.entry(name).or_insert_with(|| Function {
            name,
            overloads: Vec::new(),
        });
        function.overloads.push(Overload {
            style,
            args: args.split_whitespace().map(Type::parse).collect(),
            result: Type::parse(result),
            run,
        });
    }
    functions
});

/// Returns the function of this name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name)
}

/// Returns the error of a function that its signature should have kept from these arguments.
fn unexpected<T>() -> Evaluated<T> {
    Err(EvalError::overload("arguments"))
}

/// Returns a size as an integer.
fn int(size: usize) -> Value {
    Value::Int(i64::try_from(size).unwrap_or(i64::MAX))
}

/// Returns whether two values are equal, and takes the work of the comparison from the budget: two
/// small values can share parts so often that they are large.
pub(crate) fn equal(a: &Value, b: &Value, budget: &mut Budget) -> Evaluated<bool> {
    budget.charge_walk(a.weight().min(b.weight()))?;
    match (a, b) {
        (Value::List(a), Value::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(a, b, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Map(a), Value::Map(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in a.iter() {
                match b.get(key) {
                    Some(other) if equal(value, other, budget)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Optional(Some(a)), Value::Optional(Some(b))) => equal(a, b, budget),
        (a, b) => Ok(a.equals(b)),
    }
}
