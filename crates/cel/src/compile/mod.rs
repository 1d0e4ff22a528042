//! Syntax trees to programs: resolves names and checks types.
//!
//! The rules are those of the checker of cel-go: an expression of a known type must fit, and one
//! of the type `dyn` fits everywhere.

mod calls;
mod loops;

use std::sync::Arc;

use crate::ast::{Element, Entry, Expr, Kind};
use crate::environment::Environment;
use crate::error::CompileError;
use crate::library::{Style, function};
use crate::parser::parse;
use crate::program::{Mode, Node, Program};
use crate::types::{Type, Unknowns, most_general};
use crate::value::Value;

impl Environment {
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
}

/// Checks a syntax tree.
fn compile(environment: &Environment, text: &str, expr: &Expr) -> Result<Program, CompileError> {
    let mut checker = Checker {
        environment,
        text,
        unknowns: Unknowns::default(),
        scope: Vec::new(),
    };
    let (node, output) = checker.check(expr)?;
    let output = checker.unknowns.resolve(&output, true);
    Ok(Program { node, output })
}

struct Checker<'a> {
    environment: &'a Environment,
    text: &'a str,
    unknowns: Unknowns,
    /// Variables of macros, the innermost last.
    scope: Vec<(String, Type)>,
}

type Checked = Result<(Node, Type), CompileError>;

impl Checker<'_> {
    fn error<T>(&self, at: usize, message: impl Into<String>) -> Result<T, CompileError> {
        Err(CompileError::at(self.text, at, message))
    }

    fn check(&mut self, expr: &Expr) -> Checked {
        match &expr.kind {
            Kind::Literal(value) => Ok((Node::Const(value.clone()), value.type_of())),
            Kind::Ident(name) => self.ident(expr.at, name),
            Kind::Select {
                operand,
                field,
                is_test,
                is_optional,
            } => {
                let mode = match (is_test, is_optional) {
                    (true, _) => Mode::Test,
                    (_, true) => Mode::Optional,
                    _ => Mode::Value,
                };
                self.select(expr, operand, field, mode)
            }
            Kind::Call { target, name, args } => self.call(expr.at, target.as_deref(), name, args),
            Kind::Logic { is_or, terms } => self.logic(*is_or, terms),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Message(name) => self.error(
                expr.at,
                format!("undeclared reference to '{name}' (in container '')"),
            ),
            Kind::Comprehension(comprehension) => self.comprehension(comprehension),
            Kind::OptMap {
                target,
                variable,
                body,
                is_flat,
            } => self.opt_map(target, variable, body, *is_flat),
        }
    }

    fn expect(&mut self, at: usize, wanted: &Type, given: &Type) -> Result<(), CompileError> {
        if self.unknowns.accepts(wanted, given) {
            return Ok(());
        }
        let wanted = self.unknowns.resolve(wanted, true);
        let given = self.unknowns.resolve(given, true);
        let message = format!("expected type '{wanted}' but found '{given}'");
        self.error(at, message)
    }

    fn local(&self, name: &str) -> Option<usize> {
        self.scope.iter().rposition(|(other, _)| other == name)
    }

    fn ident(&mut self, at: usize, name: &str) -> Checked {
        if let Some(place) = self.local(name)
            && let Some((_, of)) = self.scope.get(place)
        {
            return Ok((Node::Local(place), of.clone()));
        }
        if let Some((place, of)) = self.environment.global(name) {
            return Ok((Node::Global(place), of.clone()));
        }
        if let Some(of) = named_type(name) {
            let of = Arc::new(of);
            return Ok((Node::Const(Value::Type(Arc::clone(&of))), Type::Type(of)));
        }
        self.error(
            at,
            format!("undeclared reference to '{name}' (in container '')"),
        )
    }

    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str, mode: Mode) -> Checked {
        if let Kind::Ident(name) = &operand.kind
            && name == Environment::VARIABLES
            && self.local(name).is_none()
            && self.environment.has_variables()
        {
            return match self.environment.variable(field) {
                Some(_) if mode == Mode::Test => Ok((Node::Const(Value::Bool(true)), Type::Bool)),
                Some((place, of)) if mode == Mode::Value => Ok((Node::Variable(place), of.clone())),
                Some((place, of)) => self.optional_of(expr.at, Node::Variable(place), of),
                None => self.error(expr.at, format!("undefined field '{field}'")),
            };
        }
        let dotted = crate::ast::qualified(expr);
        if mode == Mode::Value
            && let Some(of) = dotted.as_deref().and_then(named_type)
        {
            let of = Arc::new(of);
            return Ok((Node::Const(Value::Type(Arc::clone(&of))), Type::Type(of)));
        }
        let (node, of) = self.check(operand)?;
        let of = self.unknowns.resolve(&of, false);
        let (inner, is_optional) = match &of {
            Type::Optional(inner) => (Type::clone(inner), true),
            plain => (plain.clone(), false),
        };
        let result = match inner {
            Type::Dyn | Type::Var(_) => Type::Dyn,
            Type::Map(key, value) => {
                self.expect(expr.at, &key, &Type::String)?;
                Type::clone(&value)
            }
            Type::Object(object) => match object.fields.get(field) {
                Some(of) => of.clone(),
                None => return self.error(expr.at, format!("undefined field '{field}'")),
            },
            other => {
                let message = format!("type '{other}' does not support field selection");
                return self.error(expr.at, message);
            }
        };
        let result = match mode {
            Mode::Test => Type::Bool,
            Mode::Optional => Type::optional(result),
            Mode::Value if is_optional => Type::optional(result),
            Mode::Value => result,
        };
        let node = Node::Select {
            operand: Box::new(node),
            field: field.into(),
            mode,
        };
        Ok((node, result))
    }

    /// Returns the optional value that a node is in.
    fn optional_of(&self, at: usize, node: Node, of: &Type) -> Checked {
        let Some(function) = function("optional.of") else {
            return self.error(at, "undeclared reference to 'optional.of'");
        };
        let node = Node::Call {
            function,
            style: Style::Global,
            args: vec![node],
        };
        Ok((node, Type::optional(of.clone())))
    }

    fn logic(&mut self, is_or: bool, terms: &[Expr]) -> Checked {
        let mut nodes = Vec::with_capacity(terms.len());
        for term in terms {
            let (node, of) = self.check(term)?;
            if !self.unknowns.accepts(&Type::Bool, &of) {
                let name = if is_or { "_||_" } else { "_&&_" };
                return self.no_overload(term.at, name, None, &[of, Type::Bool]);
            }
            nodes.push(node);
        }
        let node = Node::Logic {
            is_or,
            terms: nodes,
        };
        Ok((node, Type::Bool))
    }

    /// Returns the type that elements of both types have.
    fn join(&mut self, at: usize, before: Option<Type>, next: Type) -> Result<Type, CompileError> {
        let Some(before) = before else {
            return Ok(next);
        };
        self.expect(at, &before, &next)?;
        let before = self.unknowns.resolve(&before, false);
        let next = self.unknowns.resolve(&next, false);
        Ok(most_general(&before, &next))
    }

    /// Returns the type in an optional element, which must be optional.
    fn unwrapped(&mut self, at: usize, of: &Type) -> Result<Type, CompileError> {
        let inner = self.unknowns.fresh();
        self.expect(at, &Type::optional(inner.clone()), of)?;
        match of {
            Type::Dyn => Ok(Type::Dyn),
            _ => Ok(self.unknowns.resolve(&inner, false)),
        }
    }

    fn list(&mut self, elements: &[Element]) -> Checked {
        let (mut nodes, mut element) = (Vec::new(), None);
        for Element { value, is_optional } in elements {
            let (node, mut of) = self.check(value)?;
            if *is_optional {
                of = self.unwrapped(value.at, &of)?;
            }
            element = Some(self.join(value.at, element, of)?);
            nodes.push((node, *is_optional));
        }
        let element = element.unwrap_or_else(|| self.unknowns.fresh());
        let constants = nodes.iter().map(|(node, is_optional)| match node {
            Node::Const(value) if !is_optional => Some(value.clone()),
            _ => None,
        });
        let node = match constants.collect::<Option<Vec<_>>>() {
            Some(values) => Node::Const(Value::list(values)),
            None => Node::List(nodes),
        };
        Ok((node, Type::list(element)))
    }

    fn map(&mut self, entries: &[Entry]) -> Checked {
        let (mut nodes, mut key_type, mut value_type) = (Vec::new(), None, None);
        for entry in entries {
            let (key, of) = self.check(&entry.key)?;
            let of = self.join(entry.key.at, key_type, of)?;
            if !matches!(
                of,
                Type::Dyn | Type::Var(_) | Type::Bool | Type::Int | Type::Uint | Type::String
            ) {
                return self.error(entry.key.at, format!("unsupported key type '{of}'"));
            }
            key_type = Some(of);
            let (value, mut of) = self.check(&entry.value)?;
            if entry.is_optional {
                of = self.unwrapped(entry.value.at, &of)?;
            }
            value_type = Some(self.join(entry.value.at, value_type, of)?);
            nodes.push((key, value, entry.is_optional));
        }
        let key = key_type.unwrap_or_else(|| self.unknowns.fresh());
        let value = value_type.unwrap_or_else(|| self.unknowns.fresh());
        Ok((Node::Map(nodes), Type::map(key, value)))
    }
}

/// Returns the type that a name is.
fn named_type(name: &str) -> Option<Type> {
    let found = match name {
        "bool" | "int" | "uint" | "double" | "string" | "bytes" => Type::parse(name),
        "null_type" => Type::Null,
        "list" => Type::list(Type::Dyn),
        "map" => Type::map(Type::Dyn, Type::Dyn),
        "type" => Type::Type(Arc::new(Type::Dyn)),
        "optional_type" => Type::optional(Type::Dyn),
        "google.protobuf.Timestamp" => Type::Timestamp,
        "google.protobuf.Duration" => Type::Duration,
        "kubernetes.Quantity" => Type::parse("quantity"),
        "kubernetes.URL" => Type::parse("url"),
        "kubernetes.Semver" => Type::parse("semver"),
        "kubernetes.NamedFormat" => Type::parse("format"),
        "net.IP" => Type::parse("ip"),
        "net.CIDR" => Type::parse("cidr"),
        _ => return None,
    };
    Some(found)
}
