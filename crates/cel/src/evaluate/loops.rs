//! Macros over lists and maps.

use super::{Machine, operators};
use crate::ast::Over;
use crate::error::{EvalError, Evaluated};
use crate::library::sorted;
use crate::program::Loop;
use crate::value::{Map, Value};

/// Result of a macro as it grows.
#[derive(Default)]
struct Growing {
    failed: Option<EvalError>,
    count: usize,
    values: Vec<Value>,
    keys: Vec<Value>,
    map: Map,
}

impl Machine<'_> {
    pub(super) fn run(&mut self, of: &Loop) -> Evaluated<Value> {
        let range = self.evaluate(&of.range)?;
        let depth = self.stack.len();
        let mut growing = Growing::default();
        let decided = self.walk(of, &range, &mut growing);
        self.stack.truncate(depth);
        if let Some(truth) = decided? {
            return Ok(Value::Bool(truth));
        }
        if let Some(error) = growing.failed {
            return Err(error);
        }
        match of.kind {
            Over::All => Ok(Value::Bool(true)),
            Over::Exists => Ok(Value::Bool(false)),
            Over::ExistsOne => Ok(Value::Bool(growing.count == 1)),
            Over::List | Over::Filter => Ok(Value::list(growing.values)),
            Over::Sorted => sorted(&growing.values, &growing.keys),
            Over::Map | Over::Entries => Ok(Value::Map(growing.map.into())),
        }
    }

    /// Walks over the range; returns the truth that one element decides, if one does.
    fn walk(&mut self, of: &Loop, range: &Value, growing: &mut Growing) -> Evaluated<Option<bool>> {
        match range {
            Value::List(values) => {
                for (place, value) in values.iter().enumerate() {
                    let key = Value::Int(i64::try_from(place).unwrap_or(i64::MAX));
                    let step = self.step(of, value, &key, value, growing)?;
                    if step.is_some() {
                        return Ok(step);
                    }
                }
            }
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    let step = self.step(of, key, key, value, growing)?;
                    if step.is_some() {
                        return Ok(step);
                    }
                }
            }
            _ => return Err(EvalError::overload("range of a macro")),
        }
        Ok(None)
    }

    fn step(
        &mut self,
        of: &Loop,
        element: &Value,
        key: &Value,
        value: &Value,
        growing: &mut Growing,
    ) -> Evaluated<Option<bool>> {
        let depth = self.stack.len();
        if of.has_two {
            self.stack.push(key.clone());
            self.stack.push(value.clone());
        } else {
            self.stack.push(element.clone());
        }
        let step = self.body(of, element, key, growing);
        self.stack.truncate(depth);
        step
    }

    fn body(
        &mut self,
        of: &Loop,
        element: &Value,
        key: &Value,
        growing: &mut Growing,
    ) -> Evaluated<Option<bool>> {
        self.budget.charge(2)?;
        if let Some(filter) = &of.filter
            && !truth(&self.evaluate(filter)?)?
        {
            return Ok(None);
        }
        let body = self.evaluate(&of.body);
        match of.kind {
            Over::All | Over::Exists => {
                let decides = of.kind == Over::Exists;
                match body.and_then(|body| truth(&body)) {
                    Ok(truth) if truth == decides => return Ok(Some(decides)),
                    Ok(_) => {}
                    Err(EvalError::OutOfBudget) => return Err(EvalError::OutOfBudget),
                    // Another element may still decide.
                    Err(error) => {
                        growing.failed.get_or_insert(error);
                    }
                }
            }
            Over::ExistsOne => growing.count += usize::from(truth(&body?)?),
            Over::Filter => {
                if truth(&body?)? {
                    growing.values.push(element.clone());
                }
            }
            Over::List => growing.values.push(body?),
            Over::Sorted => {
                growing.keys.push(body?);
                growing.values.push(element.clone());
            }
            Over::Map => {
                growing.map.insert(operators::key(key.clone())?, body?);
            }
            Over::Entries => {
                let Value::Map(entries) = body? else {
                    return Err(EvalError::overload("transformMapEntry"));
                };
                self.budget.charge(entries.len() as u64)?;
                for (key, value) in entries.iter() {
                    if !growing.map.insert(key.clone(), value.clone()) {
                        let message = "insert failed: key already exists";
                        return Err(EvalError::invalid(message));
                    }
                }
            }
        }
        Ok(None)
    }
}

fn truth(value: &Value) -> Evaluated<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        _ => Err(EvalError::overload("condition")),
    }
}
