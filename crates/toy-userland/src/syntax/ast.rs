//! What a script consists of. Parts that outlive the text they came with, such
//! as functions and background commands, are shared.

use std::sync::{Arc, OnceLock};

/// Commands one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct List(pub(crate) Vec<Item>);

/// One of them, up to its `;` or `&`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) command: Arc<AndOr>,
    pub(crate) background: bool,
}

/// Pipelines connected by `&&` and `||`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AndOr {
    pub(crate) first: Pipeline,
    pub(crate) rest: Vec<(Connector, Pipeline)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connector {
    And,
    Or,
}

/// Commands connected by `|`: at least one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    pub(crate) negated: bool,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) shape: Shape,
    pub(crate) redirects: Vec<Redirect>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Simple {
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
    },
    Group(List),
    Subshell(List),
    If {
        arms: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    Loop {
        until: bool,
        condition: List,
        body: List,
    },
    /// Without words it goes over the positional parameters.
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: List,
    },
    Case {
        subject: Word,
        arms: Vec<(Vec<Word>, List)>,
    },
    Function {
        name: String,
        body: Arc<Command>,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// The descriptor that is meant; if none is stated, 0 to read and 1 to write.
    pub(crate) descriptor: u32,
    pub(crate) kind: RedirectKind,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    Read(Word),
    Write(Word),
    Append(Word),
    /// `<>`
    ReadWrite(Word),
    /// `>&` or `<&`: a descriptor's number, or `-`.
    Duplicate(Word),
    Here(HereDocument),
}

/// The body comes after the line, so it is filled in later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HereDocument(pub(super) Arc<OnceLock<Word>>);

impl HereDocument {
    pub(crate) fn body(&self) -> Option<&Word> {
        self.0.get()
    }
}

/// Parts that are expanded and put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text in which `*`, `?` and `[` may be patterns.
    Plain(String),
    /// Text that is meant as it stands.
    Quoted(String),
    /// `~` at the start of a word.
    Home,
    /// `$name`, `${name…}`
    Parameter {
        name: String,
        substitution: Substitution,
        quoted: bool,
    },
    /// `$(…)`
    Command { list: Arc<List>, quoted: bool },
    /// `$((…))`, whose parts are expanded before it is computed.
    Arithmetic { expression: Word, quoted: bool },
}

/// What is to become of a parameter's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Substitution {
    Value,
    /// `${#name}`
    Length,
    /// `-`: another word if it is unset; with a colon, if it is empty, too.
    Default {
        word: Word,
        or_empty: bool,
    },
    /// `=`: the same, and assign it.
    Assign {
        word: Word,
        or_empty: bool,
    },
    /// `?`: the same, and fail.
    Error {
        word: Word,
        or_empty: bool,
    },
    /// `+`: another word if it is set.
    Alternative {
        word: Word,
        or_empty: bool,
    },
    /// `#` and `##`
    RemovePrefix {
        pattern: Word,
        longest: bool,
    },
    /// `%` and `%%`
    RemoveSuffix {
        pattern: Word,
        longest: bool,
    },
}
