//! `loadgen supervise`: runs a program, and adopts the processes that outlive their parents below
//! it.
//!
//! The shims of a containerd are such processes. The supervisor waits for them when they end, so
//! their CPU time is not lost, see [`crate::process::tree`].

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, set_child_subreaper,
    set_parent_process_death_signal, wait,
};

/// Runs a program with its arguments to its end, and returns its status, in the
/// cgroup with this directory. The supervisor gets SIGTERM when the thread that started it ends.
///
/// # Errors
/// A program that cannot be started, or errors of the kernel.
pub fn run(program: &[OsString], cgroup: Option<&Path>) -> io::Result<WaitStatus> {
    let [program, args @ ..] = program else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    set_child_subreaper(Some(getpid()))?;
    if let Some(cgroup) = cgroup {
        // 0 means the process that writes.
        fs::write(cgroup.join("cgroup.procs"), "0")?;
    }
    let main = Pid::from_child(&Command::new(program).args(args).spawn()?);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main => return Ok(status),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
