//! The thread that runs the commands of containers in the toy userland.
//!
//! A command is not trusted. On a thread of its own, which yields the processor to the threads
//! of the APIs, its work delays no call of another pod: on a machine with several processors the
//! thread has another one, and on one processor the system prefers the APIs. The commands take
//! turns on this thread, and those that never wait share a small part of it.

use std::io;

use rustix::process::setpriority_process;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tracing::{debug, warn};

use slot::KILLED;
use toy_userland::{Io, Share, Shell};

/// Nice value of a thread whose work nobody waits for more than for the APIs: of two busy
/// threads on one processor, this one gets about a tenth.
const NICE: i32 = 10;

/// Size of the thread's stack, the same as of a main thread on Linux: the deepest nesting of a
/// script takes a part of it.
const STACK_BYTES: usize = 8 << 20;

/// The running commands of all containers. Dropping this ends them.
#[derive(Debug)]
pub(super) struct Scripts {
    runtime: Handle,
    share: Share,
    /// Stops the thread when it is dropped.
    _running: oneshot::Sender<()>,
}

impl Scripts {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's error if it has no thread or descriptor left.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (running, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name("scripts".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                be_nice();
                // Nobody sends: the channel is closed at the end.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            runtime: handle,
            share: Share::new(),
            _running: running,
        })
    }

    /// Runs a command to its end, and returns its exit code. Dropping the future kills the
    /// command, at the end of its turn.
    pub(super) async fn run(&self, shell: Shell, argv: Vec<String>, io: Io) -> u32 {
        let shell = shell.sharing(&self.share);
        let task = self
            .runtime
            .spawn(async move { shell.run(&argv, io).await });
        let _guard = AbortOnDrop(task.abort_handle());
        match task.await {
            Ok(code) => u32::from(code),
            Err(e) => {
                debug!("a command did not end by itself: {e}");
                KILLED
            }
        }
    }
}

/// Makes the system prefer other threads to the calling one.
pub(super) fn be_nice() {
    if let Err(e) = setpriority_process(None, NICE) {
        warn!("a thread in the background keeps its priority: {e}");
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::AsyncReadExt;
    use toy_userland::{Limits, Setup, World};

    fn shell(world: &Arc<World>) -> Shell {
        Shell::new(Arc::clone(world), Limits::default())
    }

    fn argv(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    fn io() -> (Io, tokio::io::DuplexStream) {
        let (stdout, read) = tokio::io::duplex(1024);
        let io = Io {
            stdin: Box::new(tokio::io::empty()),
            stdout: Box::new(stdout),
            stderr: Box::new(tokio::io::sink()),
        };
        (io, read)
    }

    #[tokio::test]
    async fn a_command_runs_on_the_threads_own_time() {
        let scripts = Scripts::start().unwrap();
        let world = Arc::new(World::new(Setup::default()));
        // No task of this runtime runs while the commands do.
        let endless: Vec<_> = (0..20)
            .map(|_| {
                let (io, read) = io();
                let shell = shell(&world).sharing(&scripts.share);
                let argv = argv("while :; do :; done");
                let task = async move { shell.run(&argv, io).await };
                (scripts.runtime.spawn(task), read)
            })
            .collect();
        let (own, mut read) = io();
        let code = scripts.run(shell(&world), argv("echo ready; exit 3"), own);
        let mut output = String::new();
        let (code, read) = tokio::join!(code, read.read_to_string(&mut output));
        read.unwrap();
        assert_eq!((code, output.as_str()), (3, "ready\n"));
        assert!(endless.iter().all(|(task, _)| !task.is_finished()));
    }

    #[tokio::test]
    async fn a_command_ends_with_its_future() {
        let scripts = Scripts::start().unwrap();
        let world = Arc::new(World::new(Setup::default()));
        let (own, mut read) = io();
        let running = scripts.run(shell(&world), argv("while :; do :; done"), own);
        let ended = tokio::time::timeout(Duration::from_millis(50), running).await;
        assert!(ended.is_err());
        // The end of its output shows that the command is gone.
        let mut output = String::new();
        read.read_to_string(&mut output).await.unwrap();
        assert_eq!(output, "");
    }

    #[tokio::test]
    async fn commands_end_with_the_thread() {
        let scripts = Scripts::start().unwrap();
        let world = Arc::new(World::new(Setup::default()));
        let (own, mut read) = io();
        let shell = shell(&world);
        let argv = argv("sleep 1000");
        scripts
            .runtime
            .spawn(async move { shell.run(&argv, own).await });
        drop(scripts);
        let mut output = String::new();
        read.read_to_string(&mut output).await.unwrap();
        assert_eq!(output, "");
    }
}
