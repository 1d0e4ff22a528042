//! The parser of lists, pipelines and compound commands, by recursive descent.

use std::sync::Arc;

use super::ast::{
    AndOr, Command, CommandKind, Connector, Item, List, Part, Pipeline, Redirect, RedirectKind,
    Word,
};
use super::lexer::{Lexer, Token};
use super::{Limits, SyntaxError, is_name};

/// Reserved words that end a list if they stand in the place of a command.
const CLOSING: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

/// Parses a script within bounds.
pub(crate) fn parse(text: &str, limits: Limits) -> Result<List, SyntaxError> {
    if text.len() > limits.bytes {
        return Err(SyntaxError::Length(limits.bytes));
    }
    whole(&mut Lexer::new(text, limits))
}

/// Parses a list that ends with the text.
pub(super) fn whole(lexer: &mut Lexer<'_>) -> Result<List, SyntaxError> {
    let list = list(lexer)?;
    match lexer.next()? {
        Token::End => Ok(list),
        other => Err(SyntaxError::Unexpected(other.shown())),
    }
}

/// Parses commands up to a token that cannot begin one.
pub(super) fn list(lexer: &mut Lexer<'_>) -> Result<List, SyntaxError> {
    let mut items = Vec::new();
    loop {
        skip_newlines(lexer)?;
        if ends_list(lexer.peek()?) {
            return Ok(List(items));
        }
        let command = Arc::new(and_or(lexer)?);
        let separator = match lexer.peek()? {
            Token::Operator(operator @ (";" | "&" | "\n")) => *operator,
            _ => "",
        };
        items.push(Item {
            command,
            background: separator == "&",
        });
        if separator.is_empty() {
            return Ok(List(items));
        }
        lexer.next()?;
    }
}

fn ends_list(token: &Token) -> bool {
    match token {
        Token::End | Token::Operator(")" | ";;") => true,
        other => other.plain().is_some_and(|word| CLOSING.contains(&word)),
    }
}

/// Parses a list of at least one command.
fn body(lexer: &mut Lexer<'_>) -> Result<List, SyntaxError> {
    let list = list(lexer)?;
    if list.0.is_empty() {
        return Err(SyntaxError::Unexpected(lexer.peek()?.shown()));
    }
    Ok(list)
}

fn skip_newlines(lexer: &mut Lexer<'_>) -> Result<(), SyntaxError> {
    while *lexer.peek()? == Token::Operator("\n") {
        lexer.next()?;
    }
    Ok(())
}

fn and_or(lexer: &mut Lexer<'_>) -> Result<AndOr, SyntaxError> {
    let first = pipeline(lexer)?;
    let mut rest = Vec::new();
    loop {
        let connector = match lexer.peek()? {
            Token::Operator("&&") => Connector::And,
            Token::Operator("||") => Connector::Or,
            _ => return Ok(AndOr { first, rest }),
        };
        lexer.next()?;
        skip_newlines(lexer)?;
        rest.push((connector, pipeline(lexer)?));
    }
}

fn pipeline(lexer: &mut Lexer<'_>) -> Result<Pipeline, SyntaxError> {
    let mut negated = false;
    while eat_word(lexer, "!")? {
        negated = !negated;
    }
    let mut commands = vec![command(lexer)?];
    while *lexer.peek()? == Token::Operator("|") {
        lexer.next()?;
        skip_newlines(lexer)?;
        commands.push(command(lexer)?);
    }
    Ok(Pipeline { negated, commands })
}

fn command(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    lexer.enter()?;
    let command = command_within(lexer)?;
    lexer.leave();
    Ok(command)
}

fn command_within(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    let token = lexer.peek()?;
    let kind = match (token, token.plain()) {
        (Token::Operator("("), _) => {
            lexer.next()?;
            let list = body(lexer)?;
            expect_operator(lexer, ")")?;
            CommandKind::Subshell(list)
        }
        (_, Some("{")) => {
            lexer.next()?;
            let list = body(lexer)?;
            expect_word(lexer, "}")?;
            CommandKind::Group(list)
        }
        (_, Some("if")) => if_clause(lexer)?,
        (_, Some("while" | "until")) => {
            let until = token.plain() == Some("until");
            lexer.next()?;
            let condition = body(lexer)?;
            let body = do_group(lexer)?;
            CommandKind::Loop {
                until,
                condition,
                body,
            }
        }
        (_, Some("for")) => for_clause(lexer)?,
        (_, Some("case")) => case_clause(lexer)?,
        (_, Some(word)) if CLOSING.contains(&word) => {
            return Err(SyntaxError::Unexpected(token.shown()));
        }
        _ => return simple(lexer),
    };
    let mut redirects = Vec::new();
    while let Some(redirect) = redirect(lexer)? {
        redirects.push(redirect);
    }
    Ok(Command { kind, redirects })
}

fn if_clause(lexer: &mut Lexer<'_>) -> Result<CommandKind, SyntaxError> {
    let mut arms = Vec::new();
    let mut otherwise = None;
    lexer.next()?;
    loop {
        let condition = body(lexer)?;
        expect_word(lexer, "then")?;
        arms.push((condition, body(lexer)?));
        if eat_word(lexer, "elif")? {
            continue;
        }
        if eat_word(lexer, "else")? {
            otherwise = Some(body(lexer)?);
        }
        expect_word(lexer, "fi")?;
        return Ok(CommandKind::If { arms, otherwise });
    }
}

fn for_clause(lexer: &mut Lexer<'_>) -> Result<CommandKind, SyntaxError> {
    lexer.next()?;
    let name = match lexer.next()?.plain() {
        Some(name) if is_name(name) => name.to_owned(),
        _ => return Err(SyntaxError::LoopVariable),
    };
    skip_newlines(lexer)?;
    let mut words = None;
    if eat_word(lexer, "in")? {
        let mut listed = Vec::new();
        while matches!(lexer.peek()?, Token::Word(_)) {
            if let Token::Word(word) = lexer.next()? {
                listed.push(word);
            }
        }
        words = Some(listed);
    }
    if matches!(lexer.peek()?, Token::Operator(";")) {
        lexer.next()?;
    }
    let body = do_group(lexer)?;
    Ok(CommandKind::For { name, words, body })
}

fn do_group(lexer: &mut Lexer<'_>) -> Result<List, SyntaxError> {
    skip_newlines(lexer)?;
    expect_word(lexer, "do")?;
    let list = body(lexer)?;
    expect_word(lexer, "done")?;
    Ok(list)
}

fn case_clause(lexer: &mut Lexer<'_>) -> Result<CommandKind, SyntaxError> {
    lexer.next()?;
    let subject = match lexer.next()? {
        Token::Word(word) => word,
        other => return Err(SyntaxError::Unexpected(other.shown())),
    };
    skip_newlines(lexer)?;
    expect_word(lexer, "in")?;
    let mut arms = Vec::new();
    loop {
        skip_newlines(lexer)?;
        if eat_word(lexer, "esac")? {
            return Ok(CommandKind::Case { subject, arms });
        }
        if *lexer.peek()? == Token::Operator("(") {
            lexer.next()?;
        }
        let mut patterns = Vec::new();
        loop {
            match lexer.next()? {
                Token::Word(word) => patterns.push(word),
                other => return Err(SyntaxError::Unexpected(other.shown())),
            }
            match lexer.next()? {
                Token::Operator("|") => {}
                Token::Operator(")") => break,
                other => return Err(expected(&other, ")")),
            }
        }
        arms.push((patterns, list(lexer)?));
        if *lexer.peek()? == Token::Operator(";;") {
            lexer.next()?;
        } else {
            expect_word(lexer, "esac")?;
            return Ok(CommandKind::Case { subject, arms });
        }
    }
}

fn simple(lexer: &mut Lexer<'_>) -> Result<Command, SyntaxError> {
    let mut assignments = Vec::new();
    let mut words = Vec::new();
    let mut redirects = Vec::new();
    loop {
        if let Some(redirect) = redirect(lexer)? {
            redirects.push(redirect);
            continue;
        }
        let is_function = words.len() == 1 && assignments.is_empty() && redirects.is_empty();
        match lexer.peek()? {
            Token::Operator("(") if is_function => return function(lexer, &words[0]),
            Token::Word(_) => {}
            other if words.is_empty() && assignments.is_empty() && redirects.is_empty() => {
                return Err(SyntaxError::Unexpected(other.shown()));
            }
            _ => break,
        }
        if let Token::Word(word) = lexer.next()? {
            match assignment(&word) {
                Some(assignment) if words.is_empty() => assignments.push(assignment),
                _ => words.push(word),
            }
        }
    }
    Ok(Command {
        kind: CommandKind::Simple { assignments, words },
        redirects,
    })
}

/// Splits a word such as `name=value` into the name and the value.
fn assignment(word: &Word) -> Option<(String, Word)> {
    let (first, rest) = word.0.split_first()?;
    let Part::Plain(text) = first else {
        return None;
    };
    let (name, value) = text.split_once('=')?;
    if !is_name(name) {
        return None;
    }
    let mut parts = Vec::new();
    match value.strip_prefix('~') {
        Some(below) if below.is_empty() || below.starts_with('/') => {
            parts.push(Part::Home);
            parts.push(Part::Plain(below.to_owned()));
        }
        _ => parts.push(Part::Plain(value.to_owned())),
    }
    parts.extend_from_slice(rest);
    Some((name.to_owned(), Word(parts)))
}

fn function(lexer: &mut Lexer<'_>, name: &Word) -> Result<Command, SyntaxError> {
    lexer.next()?;
    expect_operator(lexer, ")")?;
    let name = match name.0.as_slice() {
        [Part::Plain(name)] if is_name(name) => name.clone(),
        _ => return Err(SyntaxError::FunctionName),
    };
    skip_newlines(lexer)?;
    let before = lexer.words;
    let body = Arc::new(command(lexer)?);
    let words = lexer.words - before;
    Ok(Command {
        kind: CommandKind::Function { name, body, words },
        redirects: Vec::new(),
    })
}

fn redirect(lexer: &mut Lexer<'_>) -> Result<Option<Redirect>, SyntaxError> {
    let descriptor = match *lexer.peek()? {
        Token::Descriptor(number) => {
            lexer.next()?;
            Some(number)
        }
        _ => None,
    };
    let Token::Operator(operator @ ("<" | ">" | ">>" | ">|" | "<>" | "<&" | ">&" | "<<" | "<<-")) =
        *lexer.peek()?
    else {
        return Ok(None);
    };
    lexer.next()?;
    let word = match lexer.next()? {
        Token::Word(word) => word,
        other => return Err(SyntaxError::Unexpected(other.shown())),
    };
    let kind = match operator {
        "<" => RedirectKind::Read(word),
        ">>" => RedirectKind::Append(word),
        "<>" => RedirectKind::ReadWrite(word),
        "<&" | ">&" => RedirectKind::Duplicate(word),
        "<<" | "<<-" => RedirectKind::Here(lexer.expect_document(&word, operator == "<<-")),
        _ => RedirectKind::Write(word),
    };
    let reads = operator.starts_with('<');
    Ok(Some(Redirect {
        descriptor: descriptor.unwrap_or(u32::from(!reads)),
        kind,
    }))
}

fn eat_word(lexer: &mut Lexer<'_>, wanted: &str) -> Result<bool, SyntaxError> {
    let found = lexer.peek()?.plain() == Some(wanted);
    if found {
        lexer.next()?;
    }
    Ok(found)
}

fn expect_word(lexer: &mut Lexer<'_>, wanted: &'static str) -> Result<(), SyntaxError> {
    let token = lexer.next()?;
    if token.plain() == Some(wanted) {
        return Ok(());
    }
    Err(expected(&token, wanted))
}

fn expect_operator(lexer: &mut Lexer<'_>, wanted: &'static str) -> Result<(), SyntaxError> {
    let token = lexer.next()?;
    if token == Token::Operator(wanted) {
        return Ok(());
    }
    Err(expected(&token, wanted))
}

fn expected(token: &Token, wanted: &'static str) -> SyntaxError {
    SyntaxError::Expected {
        found: token.shown(),
        wanted,
    }
}
