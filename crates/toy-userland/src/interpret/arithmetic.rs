//! Arithmetic expansion `$((…))`: C's integer expressions over 64 bits, POSIX XCU 2.6.4.

use std::borrow::Cow;

/// Reason for which an expression has no value. The messages are a shell's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArithmeticError {
    #[error("arithmetic syntax error")]
    Syntax,
    #[error("divide by zero")]
    DivideByZero,
    #[error("expression recursion loop detected")]
    Depth,
    #[error("an arithmetic expression of more than {MAX_EXPRESSION_BYTES} bytes")]
    Length,
}

/// Variables that an expression can read and assign.
pub(crate) trait Names {
    fn value(&self, name: &str) -> Option<Cow<'_, str>>;
    /// Sets a variable, and returns whether that succeeded: it fails on a read-only variable
    /// and when the variables' memory is used up.
    fn assign(&mut self, name: &str, value: i64) -> bool;
}

/// Binary operators and how strongly each binds. Operators of one strength associate to the
/// left. An operator comes before each of its own prefixes.
const BINARY: [(&str, u8); 18] = [
    ("||", 0),
    ("&&", 1),
    ("<<", 7),
    (">>", 7),
    ("<=", 6),
    (">=", 6),
    ("==", 5),
    ("!=", 5),
    ("|", 2),
    ("^", 3),
    ("&", 4),
    ("<", 6),
    (">", 6),
    ("+", 8),
    ("-", 8),
    ("*", 9),
    ("/", 9),
    ("%", 9),
];

const ASSIGNMENTS: [&str; 11] = [
    "<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "=",
];

/// Deepest nesting of parentheses, signs and conditions.
const MAX_DEPTH: u32 = 32;
/// Longest expression, in bytes.
const MAX_EXPRESSION_BYTES: usize = 16 << 10;
/// Longest value of a variable that is read as a number, in bytes.
const MAX_NUMBER_BYTES: usize = 256;

/// Evaluates an expression. An empty expression is zero. Overflow wraps around.
pub(crate) fn evaluate(text: &str, names: &mut impl Names) -> Result<i64, ArithmeticError> {
    if text.len() > MAX_EXPRESSION_BYTES {
        return Err(ArithmeticError::Length);
    }
    let mut reader = Reader {
        rest: text,
        names,
        depth: 0,
        skipping: false,
    };
    reader.blanks();
    if reader.rest.is_empty() {
        return Ok(0);
    }
    let value = reader.assignment()?;
    reader.blanks();
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(ArithmeticError::Syntax)
    }
}

struct Reader<'t, N> {
    rest: &'t str,
    names: &'t mut N,
    depth: u32,
    /// Whether the reader is in an operand that the operator before it leaves unevaluated, such
    /// as the right side of `0 &&`.
    skipping: bool,
}

impl<'t, N: Names> Reader<'t, N> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, operator: &str) -> bool {
        self.blanks();
        match self.rest.strip_prefix(operator) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn enter(&mut self) -> Result<(), ArithmeticError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ArithmeticError::Depth);
        }
        Ok(())
    }

    fn assignment(&mut self) -> Result<i64, ArithmeticError> {
        self.enter()?;
        let start = self.rest;
        let value = match self.name() {
            Some(name) => match self.assignment_operator() {
                Some(operator) => {
                    let right = self.assignment()?;
                    let value = match operator.strip_suffix('=') {
                        Some("") | None => right,
                        Some(operator) => self.apply(operator, self.variable(name)?, right)?,
                    };
                    if !self.skipping && !self.names.assign(name, value) {
                        return Err(ArithmeticError::Syntax);
                    }
                    value
                }
                None => {
                    self.rest = start;
                    self.condition()?
                }
            },
            None => self.condition()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn assignment_operator(&mut self) -> Option<&'static str> {
        self.blanks();
        if self.rest.starts_with("==") {
            return None;
        }
        ASSIGNMENTS.into_iter().find(|operator| self.eat(operator))
    }

    fn condition(&mut self) -> Result<i64, ArithmeticError> {
        let condition = self.binary(0)?;
        if !self.eat("?") {
            return Ok(condition);
        }
        let skipping = self.skipping;
        self.skipping = skipping || condition == 0;
        let yes = self.assignment()?;
        if !self.eat(":") {
            return Err(ArithmeticError::Syntax);
        }
        self.skipping = skipping || condition != 0;
        let no = self.assignment()?;
        self.skipping = skipping;
        Ok(if condition == 0 { no } else { yes })
    }

    /// Reads operands that binary operators of at least this strength connect.
    fn binary(&mut self, weakest: u8) -> Result<i64, ArithmeticError> {
        let mut left = self.unary()?;
        while let Some((operator, strength)) = self.binary_operator(weakest) {
            let skipping = self.skipping;
            let decided = match operator {
                "&&" => left == 0,
                "||" => left != 0,
                _ => false,
            };
            self.skipping = skipping || decided;
            let right = self.binary(strength + 1)?;
            self.skipping = skipping;
            left = self.apply(operator, left, right)?;
        }
        Ok(left)
    }

    /// Reads an operator of at least this strength, unless it is the start of an assignment.
    fn binary_operator(&mut self, weakest: u8) -> Option<(&'static str, u8)> {
        self.blanks();
        let starts = |(operator, _): &(&str, u8)| self.rest.starts_with(operator);
        let (operator, strength) = BINARY.into_iter().find(starts)?;
        let after = &self.rest[operator.len()..];
        let is_comparison = matches!(operator, "<=" | ">=" | "==" | "!=");
        if strength < weakest || (!is_comparison && after.starts_with('=')) {
            return None;
        }
        self.rest = after;
        Some((operator, strength))
    }

    fn apply(&self, operator: &str, left: i64, right: i64) -> Result<i64, ArithmeticError> {
        // Only the lower six bits count, as on x86-64 and AArch64.
        let shift = u32::try_from(right & 63).unwrap_or(0);
        Ok(match operator {
            "||" => i64::from(left != 0 || right != 0),
            "&&" => i64::from(left != 0 && right != 0),
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<<" => left.wrapping_shl(shift),
            ">>" => left.wrapping_shr(shift),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "/" | "%" if right == 0 && self.skipping => 0,
            "/" | "%" if right == 0 => return Err(ArithmeticError::DivideByZero),
            "/" => left.wrapping_div(right),
            "%" => left.wrapping_rem(right),
            _ => return Err(ArithmeticError::Syntax),
        })
    }

    fn unary(&mut self) -> Result<i64, ArithmeticError> {
        self.enter()?;
        let value = if self.eat("-") {
            self.unary()?.wrapping_neg()
        } else if self.eat("+") {
            self.unary()?
        } else if self.eat("!") {
            i64::from(self.unary()? == 0)
        } else if self.eat("~") {
            !self.unary()?
        } else if self.eat("(") {
            let value = self.assignment()?;
            if !self.eat(")") {
                return Err(ArithmeticError::Syntax);
            }
            value
        } else if let Some(name) = self.name() {
            self.variable(name)?
        } else {
            self.number()?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn name(&mut self) -> Option<&'t str> {
        self.blanks();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(name)
    }

    fn variable(&self, name: &str) -> Result<i64, ArithmeticError> {
        match self.names.value(name) {
            Some(text) if text.len() > MAX_NUMBER_BYTES => Err(ArithmeticError::Syntax),
            Some(text) if !text.trim().is_empty() => {
                let text = text.trim();
                let (sign, digits) = match text.strip_prefix('-') {
                    Some(digits) => (-1, digits),
                    None => (1, text.strip_prefix('+').unwrap_or(text)),
                };
                Ok(constant(digits)
                    .ok_or(ArithmeticError::Syntax)?
                    .wrapping_mul(sign))
            }
            _ => Ok(0),
        }
    }

    fn number(&mut self) -> Result<i64, ArithmeticError> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric());
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        constant(digits).ok_or(ArithmeticError::Syntax)
    }
}

/// Parses a decimal, octal (`017`) or hexadecimal (`0xf`) number without a sign.
fn constant(digits: &str) -> Option<i64> {
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hexadecimal) => (hexadecimal, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    impl Names for BTreeMap<String, i64> {
        fn value(&self, name: &str) -> Option<Cow<'_, str>> {
            self.get(name).map(|value| value.to_string().into())
        }

        fn assign(&mut self, name: &str, value: i64) -> bool {
            self.insert(name.to_owned(), value);
            true
        }
    }

    #[test]
    fn expressions_have_the_values_that_a_shell_gives() {
        let mut names = BTreeMap::from([("i".to_owned(), 5)]);
        for (text, expected) in [
            ("", 0),
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("10 - 2 - 3", 5),
            ("7 / 2 % 2", 1),
            ("-3 + +2", -1),
            ("!0 + ~0", 0),
            ("1 << 4 | 1", 17),
            ("i + 1", 6),
            ("i == 5 && i != 4", 1),
            ("i < 5 ? 1 : 2", 2),
            ("0 && 1 / 0", 0),
            ("1 || 1 / 0", 1),
            ("0x10 + 010", 24),
            ("i += 2", 7),
            ("i = i * 2", 14),
            ("j", 0),
            ("9223372036854775807 + 1", i64::MIN),
            ("1 <= 2", 1),
            ("3 & 2 == 2", 1),
            ("1 | 2 ^ 3 & 4", 3),
            ("2 * 3 % 4 + 1 << 1 > 5", 1),
            ("1 == 1 == 1", 1),
            ("8 >> 1 >= 4 && 1 || 0", 1),
            ("k = 3", 3),
            ("k <<= 2", 12),
            ("k >= 12", 1),
        ] {
            assert_eq!(evaluate(text, &mut names), Ok(expected), "{text}");
        }
        assert_eq!(names["i"], 14);
    }

    #[test]
    fn invalid_expressions_are_refused() {
        let mut names = BTreeMap::new();
        for (text, expected) in [
            ("1 +", ArithmeticError::Syntax),
            ("1 2", ArithmeticError::Syntax),
            ("(1", ArithmeticError::Syntax),
            ("08", ArithmeticError::Syntax),
            ("1 / 0", ArithmeticError::DivideByZero),
            (&"(".repeat(10_000), ArithmeticError::Depth),
            (&"-".repeat(10_000), ArithmeticError::Depth),
            (&"~(".repeat(7000), ArithmeticError::Depth),
            (&"1?".repeat(7000), ArithmeticError::Depth),
            (&"1+".repeat(10_000), ArithmeticError::Length),
            ("1 = 2", ArithmeticError::Syntax),
            ("1 + 2 += 3", ArithmeticError::Syntax),
            ("1 =< 2", ArithmeticError::Syntax),
        ] {
            assert_eq!(evaluate(text, &mut names), Err(expected), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_value_or_none(text in "[0-9a-c+*/%<>=!&|^~?:() -]{0,40}") {
            let _ = evaluate(&text, &mut BTreeMap::new());
        }
    }
}
