//! Signatures of operators. Their code is in `evaluate`, which never calls this one.

use super::{Row, Style, unexpected};
use crate::budget::Budget;
use crate::error::Evaluated;
use crate::value::Value;

fn never(_: &[Value], _: &mut Budget) -> Evaluated<Value> {
    unexpected()
}

const fn row(name: &'static str, args: &'static str, result: &'static str) -> Row {
    (name, Style::Global, args, result, never)
}

/// Adds the signatures of one comparison.
macro_rules! comparison {
    ($name:literal) => {
        [
            row($name, "bool bool", "bool"),
            row($name, "int int", "bool"),
            row($name, "int double", "bool"),
            row($name, "int uint", "bool"),
            row($name, "uint uint", "bool"),
            row($name, "uint double", "bool"),
            row($name, "uint int", "bool"),
            row($name, "double double", "bool"),
            row($name, "double int", "bool"),
            row($name, "double uint", "bool"),
            row($name, "string string", "bool"),
            row($name, "bytes bytes", "bool"),
            row($name, "timestamp timestamp", "bool"),
            row($name, "duration duration", "bool"),
        ]
    };
}

const LESS: [Row; 14] = comparison!("_<_");
const LESS_EQUAL: [Row; 14] = comparison!("_<=_");
const GREATER: [Row; 14] = comparison!("_>_");
const GREATER_EQUAL: [Row; 14] = comparison!("_>=_");

const OTHERS: [Row; 41] = [
    row("_+_", "int int", "int"),
    row("_+_", "uint uint", "uint"),
    row("_+_", "double double", "double"),
    row("_+_", "string string", "string"),
    row("_+_", "bytes bytes", "bytes"),
    row("_+_", "list(A) list(A)", "list(A)"),
    row("_+_", "timestamp duration", "timestamp"),
    row("_+_", "duration timestamp", "timestamp"),
    row("_+_", "duration duration", "duration"),
    row("_-_", "int int", "int"),
    row("_-_", "uint uint", "uint"),
    row("_-_", "double double", "double"),
    row("_-_", "timestamp timestamp", "duration"),
    row("_-_", "timestamp duration", "timestamp"),
    row("_-_", "duration duration", "duration"),
    row("_*_", "int int", "int"),
    row("_*_", "uint uint", "uint"),
    row("_*_", "double double", "double"),
    row("_/_", "int int", "int"),
    row("_/_", "uint uint", "uint"),
    row("_/_", "double double", "double"),
    row("_%_", "int int", "int"),
    row("_%_", "uint uint", "uint"),
    row("-_", "int", "int"),
    row("-_", "double", "double"),
    row("!_", "bool", "bool"),
    row("_==_", "A A", "bool"),
    row("_!=_", "A A", "bool"),
    row("_?_:_", "bool A A", "A"),
    row("@in", "A list(A)", "bool"),
    row("@in", "A map(A,B)", "bool"),
    row("_[_]", "list(A) int", "A"),
    row("_[_]", "map(A,B) A", "B"),
    row("_[_]", "optional(list(A)) int", "optional(A)"),
    row("_[_]", "optional(map(A,B)) A", "optional(B)"),
    row("_[?_]", "list(A) int", "optional(A)"),
    row("_[?_]", "map(A,B) A", "optional(B)"),
    row("_[?_]", "optional(list(A)) int", "optional(A)"),
    row("_[?_]", "optional(map(A,B)) A", "optional(B)"),
    row("_&&_", "bool bool", "bool"),
    row("_||_", "bool bool", "bool"),
];

pub(super) const ROWS: &[Row] = &ALL;

const ALL: [Row; 97] = {
    let mut all = [row("", "", ""); 97];
    let tables: [&[Row]; 5] = [&LESS, &LESS_EQUAL, &GREATER, &GREATER_EQUAL, &OTHERS];
    let (mut table, mut next) = (0, 0);
    while table < tables.len() {
        let mut place = 0;
        while place < tables[table].len() {
            all[next] = tables[table][place];
            place += 1;
            next += 1;
        }
        table += 1;
    }
    all
};
