//! `test` and `[`: conditions on files, texts and numbers.

use super::call::Call;
use crate::directory::WorkingDirectory;
use crate::world::{Node, NodeKind, Special};

/// Deepest nesting of `!` and parentheses.
const MAX_DEPTH: u32 = 64;

pub(super) fn bracket(call: &mut Call<'_>) -> u8 {
    if call.args.pop().as_deref() != Some("]") {
        call.fail("missing ]");
        return 2;
    }
    test(call)
}

pub(super) fn test(call: &mut Call<'_>) -> u8 {
    let args = std::mem::take(&mut call.args);
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let descriptors = &call.context.descriptors;
    let mut reader = Reader {
        directory: &call.context.directory,
        terminals: [
            descriptors.stdin.terminal().is_some(),
            descriptors.stdout.terminal().is_some(),
            descriptors.stderr.terminal().is_some(),
        ],
        words: &words,
        depth: 0,
    };
    let holds = reader.top();
    let left = reader.words.first().map(ToString::to_string);
    match (holds, left) {
        (Ok(holds), None) => u8::from(!holds),
        (Ok(_), Some(word)) => {
            call.fail(&format!("{word}: unknown operand"));
            2
        }
        (Err(error), _) => {
            call.fail(&error.to_string());
            2
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum TestError {
    #[error("argument expected")]
    Missing,
    #[error("closing paren expected")]
    Parenthesis,
    #[error("{0}: bad number")]
    Number(String),
    #[error("nested too deep")]
    Depth,
}

struct Reader<'a> {
    directory: &'a WorkingDirectory,
    /// Whether each descriptor is a terminal.
    terminals: [bool; 3],
    words: &'a [&'a str],
    depth: u32,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn eat(&mut self, wanted: &str) -> bool {
        let found = self.words.first() == Some(&wanted);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    /// Evaluates all words. Their number decides the meaning of up to three words, so that an
    /// operand may look like an operator.
    fn top(&mut self) -> Result<bool, TestError> {
        match *self.words {
            [] => Ok(false),
            [one] => {
                self.words = &[];
                Ok(!one.is_empty())
            }
            ["!", one] => {
                self.words = &[];
                Ok(one.is_empty())
            }
            [left, operator, right] if is_binary(operator) => {
                self.words = &[];
                self.binary(left, operator, right)
            }
            _ => self.or(),
        }
    }

    fn or(&mut self) -> Result<bool, TestError> {
        let mut holds = self.and()?;
        while self.eat("-o") {
            holds |= self.and()?;
        }
        Ok(holds)
    }

    fn and(&mut self) -> Result<bool, TestError> {
        let mut holds = self.primary()?;
        while self.eat("-a") {
            holds &= self.primary()?;
        }
        Ok(holds)
    }

    fn primary(&mut self) -> Result<bool, TestError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TestError::Depth);
        }
        let holds = self.primary_within();
        self.depth -= 1;
        holds
    }

    fn primary_within(&mut self) -> Result<bool, TestError> {
        if let [left, operator, right, ..] = *self.words
            && is_binary(operator)
        {
            self.words = &self.words[3..];
            return self.binary(left, operator, right);
        }
        if self.eat("!") {
            return self.primary().map(|holds| !holds);
        }
        if self.eat("(") {
            let holds = self.or()?;
            return if self.eat(")") {
                Ok(holds)
            } else {
                Err(TestError::Parenthesis)
            };
        }
        let word = self.next().ok_or(TestError::Missing)?;
        match (is_unary(word), self.words.first()) {
            (true, Some(_)) => {
                let operand = self.next().ok_or(TestError::Missing)?;
                Ok(self.unary(word, operand))
            }
            _ => Ok(!word.is_empty()),
        }
    }

    fn unary(&self, operator: &str, operand: &str) -> bool {
        match operator {
            "-n" => return !operand.is_empty(),
            "-z" => return operand.is_empty(),
            "-t" => {
                let descriptor = operand.parse::<usize>();
                let found = descriptor
                    .ok()
                    .and_then(|number| self.terminals.get(number));
                return found.copied().unwrap_or(false);
            }
            _ => {}
        }
        let Some(node) = self.node(operand) else {
            return false;
        };
        let user = self.directory.user();
        match operator {
            "-d" => node.is_directory(),
            "-f" => node.is_file(),
            "-b" => node.kind == NodeKind::Special(Special::Block),
            "-c" => is_character_device(&node),
            "-p" => node.kind == NodeKind::Special(Special::Fifo),
            "-S" => node.kind == NodeKind::Special(Special::Socket),
            "-s" => node.size() > 0,
            "-r" => node.allows(user, 4),
            "-w" => node.allows(user, 2),
            "-x" => node.allows(user, 1),
            "-e" => true,
            // The file tree shows no links and no set-id bits.
            _ => false,
        }
    }

    fn node(&self, path: &str) -> Option<Node> {
        if path.is_empty() {
            return None;
        }
        self.directory
            .world
            .tree()
            .find(&self.directory.absolute(path))
    }

    fn binary(&self, left: &str, operator: &str, right: &str) -> Result<bool, TestError> {
        match operator {
            "=" | "==" => return Ok(left == right),
            "!=" => return Ok(left != right),
            "<" => return Ok(left < right),
            ">" => return Ok(left > right),
            "-ef" => return Ok(self.directory.absolute(left) == self.directory.absolute(right)),
            "-nt" | "-ot" => {
                let time = |path| self.node(path).map(|node| node.modified);
                let (left, right) = (time(left), time(right));
                return Ok(if operator == "-nt" {
                    left > right
                } else {
                    left < right
                });
            }
            _ => {}
        }
        let (left, right) = (number(left)?, number(right)?);
        Ok(match operator {
            "-eq" => left == right,
            "-ne" => left != right,
            "-lt" => left < right,
            "-le" => left <= right,
            "-gt" => left > right,
            _ => left >= right,
        })
    }
}

fn is_character_device(node: &Node) -> bool {
    matches!(
        node.kind,
        NodeKind::Device(_) | NodeKind::Special(Special::Character)
    )
}

fn is_unary(word: &str) -> bool {
    let operators = [
        "-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-L", "-n", "-O", "-p", "-r", "-s", "-S",
        "-t", "-u", "-w", "-x", "-z",
    ];
    operators.contains(&word)
}

fn is_binary(word: &str) -> bool {
    let operators = [
        "=", "==", "!=", "<", ">", "-ef", "-nt", "-ot", "-eq", "-ne", "-lt", "-le", "-gt", "-ge",
    ];
    operators.contains(&word)
}

fn number(text: &str) -> Result<i64, TestError> {
    text.trim()
        .parse()
        .map_err(|_| TestError::Number(text.to_owned()))
}
