//! The null sandboxer: it keeps only the state that its replies need, with no journal, no
//! views and no log. Its cost is a lower bound for any sandboxer with these protocols.

mod fault;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use containerd_sandbox::server::{Server, SocketFile};
use containerd_sandbox::{
    Any, Container, ContainerOptions, Deleted, Error, ExecOptions, Exit, ExitSignal, Key,
    LinuxResources, ProcessState, ProcessStatus, Result, Sandbox, SandboxOptions, SandboxStatus,
    SandboxUpdate, Sandboxer, Stdio, server,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::signal::unix::{SignalKind, signal};

pub use self::fault::Faults;
use self::fault::Faulty;

/// Process id of every process: above 2^22, the maximum of Linux.
const PID: u32 = (1 << 22) + 1;

/// Number that is added to a signal's number in an exit status, by the convention of
/// shells.
const BY_SIGNAL: u32 = 128;

/// Tables of all sandboxes and tasks.
#[derive(Debug, Clone)]
pub struct Null(Arc<Tables>);

#[derive(Debug)]
struct Tables {
    faulty: Faulty,
    sandboxes: Mutex<HashMap<Key, NullSandbox>>,
    tasks: Mutex<HashMap<Key, NullTask>>,
}

/// One sandbox.
#[derive(Debug, Clone)]
pub struct NullSandbox {
    key: Key,
    all: Null,
    created_at: SystemTime,
    exit: Arc<ExitSignal>,
}

/// One task.
#[derive(Debug, Clone)]
pub struct NullTask {
    key: Key,
    all: Null,
    bundle: String,
    stdio: Stdio,
    running: Arc<AtomicBool>,
    exit: Arc<ExitSignal>,
}

/// Serves on a socket until SIGTERM or SIGINT.
///
/// # Errors
/// A socket that cannot be listened on.
pub fn run(listen: &Path, die_with_parent: bool, faults: &Faults) -> io::Result<()> {
    if die_with_parent {
        set_parent_process_death_signal(Some(Signal::TERM))?;
    }
    // One thread, like the default of the sandboxer.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listen = std::path::absolute(listen)?;
        let listener = server::bind(&listen).await?;
        let file = SocketFile::of(&listen)?;
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let stop = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let null = Null(Arc::new(Tables {
            faulty: Faulty::new(faults.clone()),
            sandboxes: Mutex::default(),
            tasks: Mutex::default(),
        }));
        let serve = Server::new(Arc::new(null.clone())).serve(listener, stop);
        let served = tokio::select! {
            served = serve => served,
            () = null.0.faulty.stall() => Ok(()),
        };
        file.remove()?;
        served
    })
}

fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

fn exit(code: u32) -> Exit {
    Exit {
        code,
        at: SystemTime::now(),
    }
}

impl Sandboxer for Null {
    type Sandbox = NullSandbox;

    async fn create(&self, id: &Key, _: SandboxOptions) -> Result<()> {
        self.0.faulty.creating().await;
        let sandbox = NullSandbox {
            key: id.clone(),
            all: self.clone(),
            created_at: SystemTime::now(),
            exit: Arc::default(),
        };
        lock(&self.0.sandboxes).insert(id.clone(), sandbox);
        Ok(())
    }

    async fn start(&self, id: &Key) -> Result<()> {
        self.sandbox(id).map(drop)
    }

    async fn stop(&self, id: &Key, _: bool) -> Result<()> {
        self.sandbox(id)?.exit.fire(exit(0));
        Ok(())
    }

    async fn delete(&self, id: &Key) -> Result<()> {
        let removed = lock(&self.0.sandboxes).remove(id);
        removed.ok_or_else(|| Error::not_found("sandbox"))?;
        Ok(())
    }

    async fn update(&self, id: &Key, _: SandboxUpdate) -> Result<()> {
        self.sandbox(id).map(drop)
    }

    fn sandbox(&self, id: &Key) -> Result<NullSandbox> {
        let found = lock(&self.0.sandboxes).get(id).cloned();
        found.ok_or_else(|| Error::not_found("sandbox"))
    }

    fn container(&self, id: &Key) -> Result<NullTask> {
        let found = lock(&self.0.tasks).get(id).cloned();
        found.ok_or_else(|| Error::not_found("container"))
    }
}

impl Sandbox for NullSandbox {
    type Container = NullTask;

    fn status(&self, _: bool) -> Result<SandboxStatus> {
        let exit = self.exit.exit();
        Ok(SandboxStatus {
            pid: PID,
            ready: exit.is_none(),
            created_at: self.created_at,
            exit,
            info: HashMap::new(),
        })
    }

    fn ping(&self) -> Result<()> {
        Ok(())
    }

    fn container(&self, id: &str) -> Result<NullTask> {
        self.all.container(&self.key.sibling(id)?)
    }

    async fn append_container(&self, id: &str, options: ContainerOptions) -> Result<u32> {
        let key = self.key.sibling(id)?;
        let task = NullTask {
            key: key.clone(),
            all: self.all.clone(),
            bundle: options.bundle,
            stdio: options.stdio,
            running: Arc::default(),
            exit: Arc::default(),
        };
        lock(&self.all.0.tasks).insert(key, task);
        Ok(PID)
    }

    async fn update_container(&self, _: &str, _: &LinuxResources) -> Result<()> {
        Ok(())
    }

    async fn remove_container(&self, id: &str) -> Result<Deleted> {
        self.container(id)?.delete(None).await
    }

    fn exit_signal(&self) -> Result<Arc<ExitSignal>> {
        Ok(Arc::clone(&self.exit))
    }

    fn stats(&self) -> Result<Any> {
        Err(Error::unimplemented("stats"))
    }
}

impl Container for NullTask {
    async fn start(&self, _: Option<&str>) -> Result<u32> {
        self.running.store(true, Ordering::Relaxed);
        Ok(PID)
    }

    async fn exec(&self, _: &str, _: ExecOptions) -> Result<()> {
        Err(Error::unimplemented("exec"))
    }

    async fn kill(&self, _: Option<&str>, signal: u32, _: bool) -> Result<()> {
        self.exit.fire(exit(BY_SIGNAL + signal));
        Ok(())
    }

    async fn wait(&self, _: Option<&str>) -> Result<Exit> {
        Ok(self.exit.wait().await)
    }

    fn state(&self, _: Option<&str>) -> Result<ProcessStatus> {
        let exit = self.exit.exit();
        Ok(ProcessStatus {
            bundle: self.bundle.clone(),
            pid: PID,
            state: match (exit, self.running.load(Ordering::Relaxed)) {
                (Some(_), _) => ProcessState::Stopped,
                (None, true) => ProcessState::Running,
                (None, false) => ProcessState::Created,
            },
            stdio: self.stdio.clone(),
            exit,
        })
    }

    fn pids(&self) -> Result<Vec<u32>> {
        Ok(vec![PID])
    }

    fn stats(&self) -> Result<Any> {
        Err(Error::unimplemented("stats"))
    }

    async fn pause(&self) -> Result<()> {
        Err(Error::unimplemented("pause"))
    }

    async fn resume(&self) -> Result<()> {
        Err(Error::unimplemented("resume"))
    }

    async fn update(&self, _: &LinuxResources) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _: Option<&str>) -> Result<Deleted> {
        lock(&self.all.0.tasks).remove(&self.key);
        Ok(Deleted {
            pid: PID,
            exit: self.exit.exit(),
        })
    }

    fn resize_pty(&self, _: Option<&str>, _: u32, _: u32) -> Result<()> {
        Ok(())
    }

    async fn close_stdin(&self, _: Option<&str>) -> Result<()> {
        Ok(())
    }
}
