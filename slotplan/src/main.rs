//! Entry point of `slotplan`; the library of the same name contains the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    slotplan::main(&args).into()
}
