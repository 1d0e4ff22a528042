//! Entry point of `loadgen`; the library of the same name contains the program.

use std::path::Path;
use std::process::ExitCode;

use loadgen::spans::cni;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    // The interpreter of a wrapper of a CNI plugin, whose start counts in the times of a pod.
    if let [_, command, wrapper, rest @ ..] = &args[..]
        && command == cni::COMMAND
    {
        return cni::run(Path::new(wrapper), rest).into();
    }
    loadgen::main(&args).into()
}
