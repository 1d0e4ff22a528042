//! Functions on lists: those of Kubernetes (`library/lists.go`), of cel-go (`ext.Lists`), and sets
//! (`ext.Sets`).

use std::cmp::Ordering;

use super::Style::{Global, Method};
use super::{Row, equal, int, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("sum", Method, "list(int)", "int", sum),
    ("sum", Method, "list(uint)", "uint", sum),
    ("sum", Method, "list(double)", "double", sum),
    ("sum", Method, "list(duration)", "duration", sum),
    ("min", Method, "list(int)", "int", min),
    ("min", Method, "list(uint)", "uint", min),
    ("min", Method, "list(double)", "double", min),
    ("min", Method, "list(bool)", "bool", min),
    ("min", Method, "list(string)", "string", min),
    ("min", Method, "list(bytes)", "bytes", min),
    ("min", Method, "list(duration)", "duration", min),
    ("min", Method, "list(timestamp)", "timestamp", min),
    ("max", Method, "list(int)", "int", max),
    ("max", Method, "list(uint)", "uint", max),
    ("max", Method, "list(double)", "double", max),
    ("max", Method, "list(bool)", "bool", max),
    ("max", Method, "list(string)", "string", max),
    ("max", Method, "list(bytes)", "bytes", max),
    ("max", Method, "list(duration)", "duration", max),
    ("max", Method, "list(timestamp)", "timestamp", max),
    ("isSorted", Method, "list(int)", "bool", is_sorted),
    ("isSorted", Method, "list(uint)", "bool", is_sorted),
    ("isSorted", Method, "list(double)", "bool", is_sorted),
    ("isSorted", Method, "list(bool)", "bool", is_sorted),
    ("isSorted", Method, "list(string)", "bool", is_sorted),
    ("isSorted", Method, "list(bytes)", "bool", is_sorted),
    ("isSorted", Method, "list(duration)", "bool", is_sorted),
    ("isSorted", Method, "list(timestamp)", "bool", is_sorted),
    ("indexOf", Method, "list(A) A", "int", index_of),
    ("lastIndexOf", Method, "list(A) A", "int", last_index_of),
    ("slice", Method, "list(A) int int", "list(A)", slice),
    ("flatten", Method, "list(list(A))", "list(A)", flatten),
    ("flatten", Method, "list(dyn) int", "list(dyn)", flatten),
    ("lists.range", Global, "int", "list(int)", range),
    ("distinct", Method, "list(A)", "list(A)", distinct),
    ("reverse", Method, "list(A)", "list(A)", reverse),
    ("sort", Method, "list(int)", "list(int)", sort),
    ("sort", Method, "list(uint)", "list(uint)", sort),
    ("sort", Method, "list(double)", "list(double)", sort),
    ("sort", Method, "list(bool)", "list(bool)", sort),
    ("sort", Method, "list(string)", "list(string)", sort),
    ("sort", Method, "list(bytes)", "list(bytes)", sort),
    ("sort", Method, "list(duration)", "list(duration)", sort),
    ("sort", Method, "list(timestamp)", "list(timestamp)", sort),
    ("sets.contains", Global, "list(A) list(A)", "bool", contains),
    (
        "sets.equivalent",
        Global,
        "list(A) list(A)",
        "bool",
        equivalent,
    ),
    (
        "sets.intersects",
        Global,
        "list(A) list(A)",
        "bool",
        intersects,
    ),
];

/// Returns the list that is the first argument, and charges a walk over it.
fn list<'a>(args: &'a [Value], budget: &mut Budget) -> Evaluated<&'a [Value]> {
    match args {
        [Value::List(values), ..] => {
            budget.charge_walk(values.len() as u64)?;
            Ok(values)
        }
        _ => unexpected(),
    }
}

fn compare(a: &Value, b: &Value) -> Evaluated<Ordering> {
    if std::mem::discriminant(a) != std::mem::discriminant(b) {
        return Err(EvalError::overload("elements of different types"));
    }
    a.compare(b)
        .ok_or_else(|| EvalError::overload("elements without an order"))
}

fn sum(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let values = list(args, budget)?;
    let Some((first, rest)) = values.split_first() else {
        return Ok(Value::Int(0));
    };
    let mut sum = match first {
        Value::Int(_) | Value::Uint(_) | Value::Double(_) | Value::Duration(_) => first.clone(),
        _ => return Err(EvalError::overload("sum")),
    };
    for value in rest {
        let overflow = |name| EvalError::Overflow(name);
        sum = match (&sum, value) {
            (Value::Int(a), Value::Int(b)) => {
                Value::Int(a.checked_add(*b).ok_or_else(|| overflow("integer"))?)
            }
            (Value::Uint(a), Value::Uint(b)) => Value::Uint(
                a.checked_add(*b)
                    .ok_or_else(|| overflow("unsigned integer"))?,
            ),
            (Value::Double(a), Value::Double(b)) => Value::Double(a + b),
            (Value::Duration(a), Value::Duration(b)) => {
                Value::Duration(a.checked_add(*b).ok_or_else(|| overflow("duration"))?)
            }
            _ => return Err(EvalError::overload("sum")),
        };
    }
    Ok(sum)
}

fn extreme(args: &[Value], wanted: Ordering, budget: &mut Budget) -> Evaluated<Value> {
    let values = list(args, budget)?;
    let Some((first, rest)) = values.split_first() else {
        let which = if wanted == Ordering::Less {
            "min"
        } else {
            "max"
        };
        return Err(EvalError::invalid(format!("{which} called on empty list")));
    };
    let mut best = first;
    for value in rest {
        if compare(value, best)? == wanted {
            best = value;
        }
    }
    Ok(best.clone())
}

fn min(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    extreme(args, Ordering::Less, budget)
}

fn max(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    extreme(args, Ordering::Greater, budget)
}

fn is_sorted(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    for pair in list(args, budget)?.windows(2) {
        if let [a, b] = pair
            && compare(a, b)? == Ordering::Greater
        {
            return Ok(Value::Bool(false));
        }
    }
    Ok(Value::Bool(true))
}

fn index_of(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let ([_, wanted], values) = (args, list(args, budget)?) else {
        return unexpected();
    };
    for (place, value) in values.iter().enumerate() {
        if equal(value, wanted, budget)? {
            return Ok(int(place));
        }
    }
    Ok(Value::Int(-1))
}

fn last_index_of(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let ([_, wanted], values) = (args, list(args, budget)?) else {
        return unexpected();
    };
    for (place, value) in values.iter().enumerate().rev() {
        if equal(value, wanted, budget)? {
            return Ok(int(place));
        }
    }
    Ok(Value::Int(-1))
}

fn slice(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let ([_, Value::Int(start), Value::Int(end)], values) = (args, list(args, budget)?) else {
        return unexpected();
    };
    let place = |number: i64| usize::try_from(number).ok();
    let part = place(*start)
        .zip(place(*end))
        .and_then(|(start, end)| values.get(start..end));
    part.map(|part| Value::list(part.iter().cloned()))
        .ok_or_else(|| EvalError::invalid(format!("cannot slice({start}, {end})")))
}

fn flatten(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    fn walk(
        values: &[Value],
        depth: i64,
        flat: &mut Vec<Value>,
        budget: &mut Budget,
    ) -> Evaluated<()> {
        budget.charge(values.len() as u64)?;
        for value in values {
            match value {
                Value::List(inner) if depth > 0 => walk(inner, depth - 1, flat, budget)?,
                plain => flat.push(plain.clone()),
            }
        }
        Ok(())
    }
    let depth = match args {
        [_, Value::Int(depth)] if *depth < 0 => {
            return Err(EvalError::invalid("level must be non-negative"));
        }
        [_, Value::Int(depth)] => *depth,
        _ => 1,
    };
    let mut flat = Vec::new();
    walk(list(args, budget)?, depth, &mut flat, budget)?;
    Ok(Value::list(flat))
}

fn range(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let [Value::Int(end)] = args else {
        return unexpected();
    };
    budget.charge(u64::try_from(*end).unwrap_or(0))?;
    Ok(Value::list((0..*end).map(Value::Int)))
}

fn distinct(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for value in list(args, budget)? {
        if !holds(&kept, value, budget)? {
            kept.push(value.clone());
        }
    }
    Ok(Value::list(kept))
}

fn reverse(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    Ok(Value::list(list(args, budget)?.iter().rev().cloned()))
}

fn sort(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let values = list(args, budget)?;
    sorted(values, values)
}

/// Sorts values by their keys; equal keys keep the order of their values.
pub(crate) fn sorted(values: &[Value], keys: &[Value]) -> Evaluated<Value> {
    // The order is total if all keys have the same type and each has an order with itself, which
    // NaN has not.
    if let Some(first) = keys.first() {
        for key in keys {
            compare(first, key)?;
            compare(key, key)?;
        }
    }
    let mut pairs: Vec<_> = keys.iter().zip(values).collect();
    pairs.sort_by(|(a, _), (b, _)| a.compare(b).unwrap_or(Ordering::Equal));
    let values = pairs.into_iter().map(|(_, value)| value.clone());
    Ok(Value::list(values))
}

fn holds(values: &[Value], wanted: &Value, budget: &mut Budget) -> Evaluated<bool> {
    for value in values {
        budget.charge(1)?;
        if equal(value, wanted, budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holds_all(values: &[Value], wanted: &[Value], budget: &mut Budget) -> Evaluated<bool> {
    for value in wanted {
        if !holds(values, value, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn two_lists(args: &[Value]) -> Evaluated<(&[Value], &[Value])> {
    match args {
        [Value::List(a), Value::List(b)] => Ok((a, b)),
        _ => unexpected(),
    }
}

fn contains(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (all, wanted) = two_lists(args)?;
    holds_all(all, wanted, budget).map(Value::Bool)
}

fn equivalent(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (a, b) = two_lists(args)?;
    let both = holds_all(a, b, budget)? && holds_all(b, a, budget)?;
    Ok(Value::Bool(both))
}

fn intersects(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (a, b) = two_lists(args)?;
    for value in b {
        if holds(a, value, budget)? {
            return Ok(Value::Bool(true));
        }
    }
    Ok(Value::Bool(false))
}
