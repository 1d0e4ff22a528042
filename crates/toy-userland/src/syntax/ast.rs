//! The syntax tree of a script. Functions and background commands outlive the text that
//! contains them, so they are shared.

use std::sync::{Arc, OnceLock};

/// A list of commands that run in sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct List(pub(crate) Vec<Item>);

/// One AND-OR list, up to its `;` or `&`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) command: Arc<AndOr>,
    pub(crate) background: bool,
}

/// An AND-OR list: pipelines connected by `&&` and `||`.
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

/// A pipeline: one or more commands connected by `|`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pipeline {
    pub(crate) negated: bool,
    pub(crate) commands: Vec<Command>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) kind: CommandKind,
    pub(crate) redirects: Vec<Redirect>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommandKind {
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
    /// A `for` loop. Without words, it runs over the positional parameters.
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
        /// Number of words and operators of the body.
        words: usize,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    /// Descriptor that is redirected; by default 0 to read and 1 to write.
    pub(crate) descriptor: u32,
    pub(crate) kind: RedirectKind,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RedirectKind {
    Read(Word),
    Write(Word),
    Append(Word),
    /// `<>`: opens a file for both.
    ReadWrite(Word),
    /// `>&` or `<&`: the word is a descriptor's number, or `-` to close.
    Duplicate(Word),
    Here(HereDocument),
}

/// A here-document. Its body follows the line of the redirection, so it is set later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HereDocument(pub(super) Arc<OnceLock<Word>>);

impl HereDocument {
    pub(crate) fn body(&self) -> Option<&Word> {
        self.0.get()
    }
}

/// A word: parts that are expanded and joined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Unquoted text, in which `*`, `?` and `[` are special.
    Plain(String),
    /// Quoted text.
    Quoted(String),
    /// `~` at the start of a word.
    Home,
    /// `$name` or `${name…}`
    Parameter {
        name: String,
        substitution: Substitution,
        quoted: bool,
    },
    /// `$(…)`
    Command { list: Arc<List>, quoted: bool },
    /// `$((…))`. The parts are expanded before the expression is evaluated.
    Arithmetic { expression: Word, quoted: bool },
}

/// Operation of a parameter expansion, POSIX XCU 2.6.2. With `or_empty`, which a colon sets, an
/// empty value counts as unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Substitution {
    Value,
    /// `${#name}`
    Length,
    /// `${name-word}`: the word if the parameter is unset.
    Default {
        word: Word,
        or_empty: bool,
    },
    /// `${name=word}`: the word, which is also assigned, if the parameter is unset.
    Assign {
        word: Word,
        or_empty: bool,
    },
    /// `${name?word}`: an error with the word as its message if the parameter is unset.
    Error {
        word: Word,
        or_empty: bool,
    },
    /// `${name+word}`: the word if the parameter is set.
    Alternative {
        word: Word,
        or_empty: bool,
    },
    /// `${name#pattern}` and `${name##pattern}`
    RemovePrefix {
        pattern: Word,
        longest: bool,
    },
    /// `${name%pattern}` and `${name%%pattern}`
    RemoveSuffix {
        pattern: Word,
        longest: bool,
    },
}
