//! The shell: expands the words of a script and runs its commands.
//!
//! [`Interpreter`] is the state of one shell. The other files add its methods, one theme
//! each, and import only that state: `execute` runs lists, pipelines and compound commands;
//! `simple` and `programs` run one command; `expand`, `fields` and `glob` expand words, and
//! `arithmetic` evaluates expressions in them; `redirect` redirects descriptors, `background`
//! runs background commands, `traps` runs the actions of signals; `interactive` reads commands
//! from a terminal, whose signals `foreground` hands on; `builtins` are the commands that change
//! the state.
//!
//! These methods call each other in a circle, because the language does: a command holds
//! words, a word may hold a command substitution, and that holds commands. Each turn of the
//! circle goes through [`Interpreter::enter`], which bounds the nesting, and through
//! [`Interpreter::step`], which lets other tasks run and slows down a script that never waits.

mod arithmetic;
mod background;
mod builtins;
mod execute;
mod expand;
mod fields;
mod foreground;
mod glob;
mod interactive;
mod interpreter;
mod jobs;
mod programs;
mod redirect;
mod simple;
mod traps;

pub(crate) use foreground::Foreground;
pub(crate) use interpreter::Interpreter;
pub(crate) use jobs::until_killed;
pub(crate) use programs::{is_known, program_names};
