//! Macros: calls that are syntax, such as `has(a.b)` and `list.all(x, x > 0)`.

use crate::ast::{Comprehension, Expr, Kind, Maker, Over};
use crate::error::CompileError;

/// Makes a call without a target, or expands the macro that it is.
pub(crate) fn global_call(
    maker: &Maker<'_>,
    at: usize,
    name: String,
    mut args: Vec<Expr>,
) -> Result<Expr, CompileError> {
    if name == "has" && args.len() == 1 {
        let Some(Expr {
            kind:
                Kind::Select {
                    operand,
                    field,
                    is_test: false,
                    is_optional: false,
                },
            ..
        }) = args.pop()
        else {
            return Err(maker.error(at, "invalid argument to has() macro"));
        };
        let kind = Kind::Select {
            operand,
            field,
            is_test: true,
            is_optional: false,
        };
        return maker.node(kind, at);
    }
    let kind = Kind::Call {
        target: None,
        name,
        args,
    };
    maker.node(kind, at)
}

/// Makes a call with a target, or expands the macro that it is.
pub(crate) fn member_call(
    maker: &Maker<'_>,
    at: usize,
    target: Expr,
    name: String,
    args: Vec<Expr>,
) -> Result<Expr, CompileError> {
    if let Some((kind, variables, has_filter)) = comprehension(&name, args.len()) {
        let mut args = args.into_iter();
        let mut names = Vec::new();
        for variable in args.by_ref().take(variables) {
            names.push(variable_name(maker, &variable)?);
        }
        if names.len() == 2 && names.first() == names.last() {
            let message = "duplicate variable name in macro";
            return Err(maker.error(at, message));
        }
        let filter = if has_filter { args.next() } else { None };
        let Some(body) = args.next() else {
            return Err(maker.error(at, "missing argument of a macro"));
        };
        let comprehension = Comprehension {
            kind,
            range: target,
            variables: names,
            filter,
            body,
        };
        return maker.node(Kind::Comprehension(Box::new(comprehension)), at);
    }
    let is_flat = name == "optFlatMap";
    if (is_flat || name == "optMap") && args.len() == 2 {
        let mut args = args.into_iter();
        if let (Some(variable), Some(body)) = (args.next(), args.next()) {
            let kind = Kind::OptMap {
                target: Box::new(target),
                variable: variable_name(maker, &variable)?,
                body: Box::new(body),
                is_flat,
            };
            return maker.node(kind, at);
        }
        return Err(maker.error(at, "missing argument of a macro"));
    }
    let kind = Kind::Call {
        target: Some(Box::new(target)),
        name,
        args,
    };
    maker.node(kind, at)
}

/// Returns the result of a macro over elements, its number of variables, and whether it has a
/// filter; `None` for a plain function.
fn comprehension(name: &str, args: usize) -> Option<(Over, usize, bool)> {
    let found = match (name, args) {
        ("all", 2) => (Over::All, 1, false),
        ("all", 3) => (Over::All, 2, false),
        ("exists", 2) => (Over::Exists, 1, false),
        ("exists", 3) => (Over::Exists, 2, false),
        ("exists_one" | "existsOne", 2) => (Over::ExistsOne, 1, false),
        ("existsOne", 3) => (Over::ExistsOne, 2, false),
        ("map", 2) => (Over::List, 1, false),
        ("map", 3) => (Over::List, 1, true),
        ("filter", 2) => (Over::Filter, 1, false),
        ("sortBy", 2) => (Over::Sorted, 1, false),
        ("transformList", 3) => (Over::List, 2, false),
        ("transformList", 4) => (Over::List, 2, true),
        ("transformMap", 3) => (Over::Map, 2, false),
        ("transformMap", 4) => (Over::Map, 2, true),
        ("transformMapEntry", 3) => (Over::Entries, 2, false),
        ("transformMapEntry", 4) => (Over::Entries, 2, true),
        _ => return None,
    };
    Some(found)
}

fn variable_name(maker: &Maker<'_>, variable: &Expr) -> Result<String, CompileError> {
    match &variable.kind {
        Kind::Ident(name) => Ok(name.clone()),
        _ => Err(maker.error(variable.at, "argument must be a simple name")),
    }
}
