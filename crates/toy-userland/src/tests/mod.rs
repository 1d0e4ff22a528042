//! Tests of whole scripts. The answers are those of BusyBox 1.35, except that
//! names are listed in order and that nothing is said of what a signal ended.

mod bounds;
mod conformance;
mod scripts;

use std::sync::Arc;

use tokio::io::AsyncReadExt;

use super::*;

/// What a command wrote, and its code.
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
