//! Tests of whole scripts. The expected results are those of BusyBox 1.35, with two
//! differences: names are listed in order, and there is no message about a process that a
//! signal ended.

mod bounds;
mod conformance;
mod interactive;
mod scripts;
mod tar;

use std::sync::Arc;

use tokio::io::AsyncReadExt;

use super::*;

/// Output and exit code of a command.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    stdout: String,
    stderr: String,
    code: u8,
}

fn world() -> Arc<World> {
    Arc::new(World::new(Setup {
        hostname: "pod-1".to_owned(),
        ..Setup::default()
    }))
}

async fn run_with(world: &Arc<World>, argv: &[&str], stdin: &str) -> Answer {
    let (stdout, mut out) = tokio::io::duplex(4096);
    let (stderr, mut err) = tokio::io::duplex(4096);
    let io = Io {
        stdin: Box::new(std::io::Cursor::new(stdin.to_owned())),
        stdout: Box::new(stdout),
        stderr: Box::new(stderr),
    };
    let argv: Vec<String> = argv.iter().map(ToString::to_string).collect();
    let shell = Shell::new(Arc::clone(world), Limits::default());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (code, _, _) = tokio::join!(
        shell.run(&argv, io),
        out.read_to_end(&mut stdout),
        err.read_to_end(&mut stderr)
    );
    Answer {
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
        code,
    }
}

async fn sh(script: &str) -> Answer {
    run_with(&world(), &["sh", "-c", script], "").await
}

fn answer(stdout: &str, stderr: &str, code: u8) -> Answer {
    Answer {
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
        code,
    }
}
