//! Entry point of `loadgen`; the library of the same name contains the program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    loadgen::main(&args).into()
}
