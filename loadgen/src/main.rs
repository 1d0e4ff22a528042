//! `loadgen`: see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    loadgen::main(std::env::args_os().collect()).into()
}
