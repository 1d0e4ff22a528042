//! Macros over lists, maps and optional values.

use super::{Checked, Checker};
use crate::ast::{Comprehension, Expr, Over};
use crate::error::CompileError;
use crate::program::{Loop, Node};
use crate::types::Type;

impl Checker<'_> {
    pub(super) fn comprehension(&mut self, of: &Comprehension) -> Checked {
        let (range, range_type) = self.check(&of.range)?;
        let range_type = self.unknowns.resolve(&range_type, false);
        let has_two = of.variables.len() == 2;
        let (key, value) = match &range_type {
            Type::List(element) => (Type::Int, Type::clone(element)),
            Type::Map(key, value) => (Type::clone(key), Type::clone(value)),
            Type::Dyn | Type::Var(_) => (Type::Dyn, Type::Dyn),
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                return self.error(of.range.at, message);
            }
        };
        let element = match &range_type {
            Type::Map(..) => key.clone(),
            _ => value.clone(),
        };
        let types = if has_two {
            vec![key.clone(), value]
        } else {
            vec![element.clone()]
        };
        let depth = self.scope.len();
        self.scope.extend(of.variables.iter().cloned().zip(types));
        let checked = self.inside(of, &key, &element);
        self.scope.truncate(depth);
        let (filter, body, result) = checked?;
        let node = Node::Loop(Box::new(Loop {
            kind: of.kind,
            range,
            has_two,
            filter,
            body,
        }));
        Ok((node, result))
    }

    /// Checks filter and body, and returns the type of the result.
    fn inside(
        &mut self,
        of: &Comprehension,
        key: &Type,
        element: &Type,
    ) -> Result<(Option<Node>, Node, Type), CompileError> {
        let filter = match &of.filter {
            Some(filter) => Some(self.condition(filter)?),
            None => None,
        };
        if matches!(
            of.kind,
            Over::All | Over::Exists | Over::ExistsOne | Over::Filter
        ) {
            let body = self.condition(&of.body)?;
            let result = match of.kind {
                Over::Filter => Type::list(element.clone()),
                _ => Type::Bool,
            };
            return Ok((filter, body, result));
        }
        let (body, body_type) = self.check(&of.body)?;
        let body_type = self.unknowns.resolve(&body_type, false);
        let result = match of.kind {
            Over::Map => Type::map(key.clone(), body_type),
            Over::Entries => {
                let (key, value) = (self.unknowns.fresh(), self.unknowns.fresh());
                let entries = Type::map(key, value);
                self.expect(of.body.at, &entries, &body_type)?;
                self.unknowns.resolve(&entries, false)
            }
            Over::Sorted => {
                let has_order = matches!(
                    body_type,
                    Type::Dyn
                        | Type::Var(_)
                        | Type::Int
                        | Type::Uint
                        | Type::Double
                        | Type::Bool
                        | Type::String
                        | Type::Bytes
                        | Type::Timestamp
                        | Type::Duration
                );
                if !has_order {
                    let keys = Type::list(body_type);
                    let target = Type::list(element.clone());
                    return self.no_overload(of.body.at, "sortBy", Some(&target), &[keys]);
                }
                Type::list(element.clone())
            }
            _ => Type::list(body_type),
        };
        Ok((filter, body, result))
    }

    fn condition(&mut self, expr: &Expr) -> Result<Node, CompileError> {
        let (node, of) = self.check(expr)?;
        self.expect(expr.at, &Type::Bool, &of)?;
        Ok(node)
    }

    pub(super) fn opt_map(
        &mut self,
        target: &Expr,
        variable: &str,
        body: &Expr,
        is_flat: bool,
    ) -> Checked {
        let (target_node, of) = self.check(target)?;
        let inner = self.unwrapped(target.at, &of)?;
        self.scope.push((variable.to_owned(), inner));
        let checked = self.check(body);
        self.scope.pop();
        let (body_node, of) = checked?;
        let result = if is_flat {
            Type::optional(self.unwrapped(body.at, &of)?)
        } else {
            Type::optional(of)
        };
        let node = Node::OptMap {
            target: Box::new(target_node),
            body: Box::new(body_node),
            is_flat,
        };
        Ok((node, result))
    }
}
