//! The programs: commands that are files in `/bin`, one function each, in files by theme.
//! Messages and exit codes are those of BusyBox, which most small images contain.
//!
//! A program sees its [`Call`]: the arguments, and a [`Context`] with the world, the working
//! directory, the streams, the limits and the signals. It never sees the shell that started
//! it; a test holds that this module does not import `interpret`. A program that runs another
//! command, such as `env` or `timeout`, does so through [`Host`].
//!
//! # Adding a program
//!
//! 1. Choose the kind. A *plain* program, `fn(&mut Call) -> u8`, neither reads standard input
//!    nor waits: it collects its output with `print_line` and its messages with `fail`, and
//!    returns the exit code. A *long* program, `async fn(&mut Call) -> Outcome`, does the same,
//!    and calls `spend` or `step` on the way, because its work grows with the file tree or with
//!    its operands. A *waiting* program, `async fn(Call) -> Outcome`, writes at once with `write`
//!    and `complain`.
//! 2. Put the function into the file of its theme, or into a new one, and parse the arguments
//!    with `arguments` (plain) or `arguments_now` (waiting).
//! 3. Call `step` in each round of a loop that reads, writes or waits; `chunk` and `line` do so
//!    themselves, and `write` counts its bytes. Call `spend` after work on a text in one go, so
//!    that no more than about a millisecond lies between two of these calls. Bound all that the program keeps in memory by the [`Limits`](crate::Limits)
//!    or a constant: scripts are untrusted.
//! 4. Add a line to `PROGRAMS`, in the order of the names: `/bin`, `which` and `ls` then show
//!    the program. Add the name to the list in the crate's README, which a test compares.
//! 5. Add rows to `tests/scripts.rs`, with the results of BusyBox. `tests/bounds.rs` runs each
//!    program of the table with many options without further work.
//!
//! A command that changes the state of the shell, such as a variable, is not a program. It
//! belongs to `interpret::builtins`.

mod accounts;
mod arguments;
mod call;
mod conditions;
mod copy;
mod date;
mod environment;
mod files;
mod filters;
mod grep;
mod identity;
mod listing;
mod network;
mod printf;
mod processes;
mod system;
mod tar;
mod terminal;
mod text;
mod timing;

use futures::future::BoxFuture;

use crate::outcome::Outcome;
pub(crate) use arguments::Arguments;
pub(crate) use call::{Call, Context, Host};
pub(crate) use timing::duration;

/// Cost of an argument of a plain program, in bytes of text.
const WORD_COST: usize = 256;

/// The kinds of programs.
#[derive(Clone, Copy)]
enum Run {
    /// Neither reads standard input nor waits. Its output is written at its end.
    Plain(fn(&mut Call<'_>) -> u8),
    /// Like a plain program, but its work can be long, so it makes steps.
    Long(for<'a, 's> fn(&'a mut Call<'s>) -> BoxFuture<'a, Outcome>),
    /// May read, write and wait.
    Waiting(for<'a> fn(Call<'a>) -> BoxFuture<'a, Outcome>),
}

/// A program and its name.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    run: Run,
}

/// Runs a program to its end.
pub(crate) async fn run(program: &Program, mut call: Call<'_>) -> Outcome {
    match program.run {
        Run::Plain(plain) => {
            let words = call.args.len().saturating_mul(WORD_COST);
            let code = plain(&mut call);
            call.spend(words.saturating_add(call.out.len())).await?;
            call.flush().await?;
            Ok(code)
        }
        Run::Long(long) => {
            let code = long(&mut call).await?;
            call.flush().await?;
            Ok(code)
        }
        Run::Waiting(waiting) => waiting(call).await,
    }
}

/// Returns the program of a name.
pub(crate) fn find(name: &str) -> Option<&'static Program> {
    let found = PROGRAMS.binary_search_by_key(&name, |program| program.name);
    found.ok().map(|index| &PROGRAMS[index])
}

/// Returns the names of all programs, in order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|program| program.name)
}

macro_rules! programs {
    ($($kind:ident $name:literal $run:path;)*) => {
        &[$(programs!(@ $kind $name $run)),*]
    };
    (@ plain $name:literal $run:path) => {
        Program { name: $name, run: Run::Plain($run) }
    };
    (@ long $name:literal $run:path) => {
        Program { name: $name, run: Run::Long(|call| Box::pin($run(call))) }
    };
    (@ waiting $name:literal $run:path) => {
        Program { name: $name, run: Run::Waiting(|call| Box::pin($run(call))) }
    };
}

/// All programs, in the order of their names, which the search needs.
static PROGRAMS: &[Program] = programs! {
    plain "[" conditions::bracket;
    plain "arch" system::arch;
    plain "basename" files::basename;
    plain "brctl" network::brctl;
    waiting "cat" filters::cat;
    long "chgrp" files::chgrp;
    long "chmod" files::chmod;
    long "chown" files::chown;
    long "cp" copy::cp;
    waiting "curl" network::curl;
    waiting "cut" text::cut;
    plain "date" date::date;
    waiting "dd" filters::dd;
    plain "df" system::df;
    plain "dirname" files::dirname;
    plain "echo" text::echo;
    waiting "env" environment::env;
    plain "false" timing::fail;
    long "find" listing::find;
    waiting "grep" grep::grep;
    plain "groups" identity::groups;
    waiting "head" filters::head;
    plain "hostname" identity::hostname;
    plain "id" identity::id;
    plain "kill" processes::kill;
    long "ls" listing::ls;
    long "mkdir" files::mkdir;
    plain "mount" system::mount;
    long "mv" copy::mv;
    waiting "nc" network::nc;
    plain "nproc" system::nproc;
    waiting "nslookup" network::nslookup;
    plain "pgrep" processes::pgrep;
    waiting "ping" network::ping;
    plain "printenv" environment::printenv;
    long "printf" printf::printf;
    plain "ps" processes::ps;
    plain "pwd" files::pwd;
    long "rm" files::rm;
    long "rmdir" files::rmdir;
    waiting "seq" filters::seq;
    waiting "sleep" timing::sleep;
    waiting "sort" text::sort;
    long "stat" listing::stat;
    plain "stty" terminal::stty;
    plain "sync" timing::succeed;
    long "sysctl" system::sysctl;
    waiting "tail" filters::tail;
    waiting "tar" tar::tar;
    waiting "tee" filters::tee;
    plain "test" conditions::test;
    waiting "timeout" timing::timeout;
    waiting "top" processes::top;
    long "touch" files::touch;
    waiting "tr" text::tr;
    plain "true" timing::succeed;
    plain "tty" terminal::tty;
    plain "umask" system::umask;
    plain "uname" system::uname;
    waiting "uniq" text::uniq;
    plain "uptime" system::uptime;
    waiting "wc" text::wc;
    waiting "wget" network::wget;
    plain "which" environment::which;
    plain "whoami" identity::whoami;
    waiting "yes" filters::yes;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_in_the_order_that_the_search_needs() {
        assert!(PROGRAMS.is_sorted_by_key(|program| program.name));
        assert!(PROGRAMS.iter().all(|program| find(program.name).is_some()));
        assert!(find("nonesuch").is_none());
    }
}
