//! The builtins: commands that read or change the state of the shell, and `sh`, which starts
//! another one. They see the whole [`Interpreter`](super::Interpreter); all other commands
//! are in `crate::commands` and see a small context.

mod cd;
mod flow;
mod invocation;
mod lookup;
mod quote;
mod read;
mod sh;
mod signals;
mod variables;

use futures::future::BoxFuture;

use crate::outcome::Outcome;
pub(super) use invocation::Invocation;

/// A builtin of the shell.
pub(super) struct Builtin {
    pub(super) name: &'static str,
    /// Whether `/bin` has a file of this name, so that other programs can run the builtin.
    is_program: bool,
    pub(super) run: for<'a> fn(Invocation<'a>) -> BoxFuture<'a, Outcome>,
}

/// Returns the builtin of a name.
pub(super) fn find(name: &str) -> Option<&'static Builtin> {
    let found = BUILTINS.binary_search_by_key(&name, |builtin| builtin.name);
    found.ok().map(|index| &BUILTINS[index])
}

/// Returns the names of the builtins that are files in `/bin`.
pub(super) fn program_names() -> impl Iterator<Item = &'static str> {
    let programs = BUILTINS.iter().filter(|builtin| builtin.is_program);
    programs.map(|builtin| builtin.name)
}

/// Returns the names of all builtins, in order.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BUILTINS.iter().map(|builtin| builtin.name)
}

macro_rules! builtins {
    ($($kind:ident $name:literal $run:path;)*) => {
        &[$(Builtin {
            name: $name,
            is_program: builtins!(@ $kind),
            run: |invocation| Box::pin($run(invocation)),
        }),*]
    };
    (@ builtin) => { false };
    (@ program) => { true };
}

/// All builtins, in the order of their names, which the search needs.
static BUILTINS: &[Builtin] = builtins! {
    builtin "." flow::source;
    builtin ":" flow::nothing;
    builtin "break" flow::leave_loop;
    builtin "cd" cd::change_directory;
    builtin "command" lookup::command;
    builtin "continue" flow::next_round;
    builtin "eval" flow::eval;
    builtin "exec" flow::exec;
    builtin "exit" flow::exit;
    builtin "export" variables::export;
    builtin "local" variables::local;
    builtin "read" read::read;
    builtin "readonly" variables::read_only;
    builtin "return" flow::return_from;
    builtin "set" variables::set;
    program "sh" sh::sh;
    builtin "shift" variables::shift;
    builtin "trap" signals::trap;
    builtin "type" lookup::kind_of;
    builtin "unset" variables::unset;
    builtin "wait" signals::wait;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_in_the_order_that_the_search_needs() {
        assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
        assert!(BUILTINS.iter().all(|one| find(one.name).is_some()));
        assert!(find("cat").is_none());
        assert_eq!(program_names().collect::<Vec<_>>(), ["sh"]);
    }
}
