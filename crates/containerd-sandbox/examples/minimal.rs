//! The smallest sandboxer: it keeps sandboxes and containers in memory.
//!
//! ```sh
//! cargo run -p containerd-sandbox --example minimal -- /tmp/minimal.sock
//! ```
//!
//! No process runs in a container. A container ends when it is killed or its sandbox is stopped.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use containerd_sandbox::server::{self, Server};
use containerd_sandbox::{
    Any, Container, ContainerOptions, Deleted, Error, ExecOptions, Exit, ExitSignal, Key,
    LinuxResources, ProcessState, ProcessStatus, Result, Sandbox, SandboxOptions, SandboxStatus,
    SandboxUpdate, Sandboxer, Stdio,
};
use tokio::net::UnixListener;

/// Process id of everything: one more than 2^22, the greatest `pid_max` of Linux, so that no real
/// process has it.
const PID: u32 = (1 << 22) + 1;

/// Number of the signal SIGKILL.
const SIGKILL: u32 = 9;

/// All sandboxes and containers.
#[derive(Clone, Default)]
struct Minimal(Arc<Mutex<Tables>>);

#[derive(Default)]
struct Tables {
    sandboxes: HashMap<Key, Pod>,
    containers: HashMap<Key, Task>,
}

/// Handle of a sandbox.
#[derive(Clone)]
struct Pod {
    all: Minimal,
    key: Key,
    created_at: SystemTime,
    exit: Arc<ExitSignal>,
}

/// Handle of a container.
#[derive(Clone)]
struct Task {
    all: Minimal,
    key: Key,
    sandbox: Key,
    bundle: String,
    stdio: Stdio,
    is_started: Arc<AtomicBool>,
    exit: Arc<ExitSignal>,
}

impl Minimal {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exit(code: u32) -> Exit {
    Exit {
        code,
        at: SystemTime::now(),
    }
}

impl Sandboxer for Minimal {
    type Sandbox = Pod;

    async fn create(&self, id: &Key, _: SandboxOptions) -> Result<()> {
        let mut tables = self.tables();
        if tables.sandboxes.contains_key(id) {
            return Err(Error::already_exists(format!("sandbox {id} exists")));
        }
        let pod = Pod {
            all: self.clone(),
            key: id.clone(),
            created_at: SystemTime::now(),
            exit: Arc::default(),
        };
        tables.sandboxes.insert(id.clone(), pod);
        Ok(())
    }

    async fn start(&self, id: &Key) -> Result<()> {
        self.sandbox(id)?.ping()
    }

    async fn stop(&self, id: &Key, _: bool) -> Result<()> {
        let pod = self.sandbox(id)?;
        for task in self.tables().containers.values() {
            if task.sandbox == *id {
                task.exit.fire(exit(128 + SIGKILL));
            }
        }
        pod.exit.fire(exit(0));
        Ok(())
    }

    async fn delete(&self, id: &Key) -> Result<()> {
        self.stop(id, true).await?;
        let mut tables = self.tables();
        tables.containers.retain(|_, task| task.sandbox != *id);
        tables.sandboxes.remove(id);
        Ok(())
    }

    async fn update(&self, id: &Key, _: SandboxUpdate) -> Result<()> {
        self.sandbox(id)?.ping()
    }

    fn sandbox(&self, id: &Key) -> Result<Pod> {
        let found = self.tables().sandboxes.get(id).cloned();
        found.ok_or_else(|| Error::not_found(format!("sandbox {id} does not exist")))
    }

    fn container(&self, id: &Key) -> Result<Task> {
        let found = self.tables().containers.get(id).cloned();
        found.ok_or_else(|| Error::not_found(format!("container {id} does not exist")))
    }
}

impl Sandbox for Pod {
    type Container = Task;

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
        self.all.sandbox(&self.key).map(drop)
    }

    fn container(&self, id: &str) -> Result<Task> {
        self.all.container(&self.key.sibling(id)?)
    }

    async fn append_container(&self, id: &str, options: ContainerOptions) -> Result<u32> {
        let key = self.key.sibling(id)?;
        let mut tables = self.all.tables();
        if tables.containers.contains_key(&key) {
            return Err(Error::already_exists(format!("container {key} exists")));
        }
        let task = Task {
            all: self.all.clone(),
            key: key.clone(),
            sandbox: self.key.clone(),
            bundle: options.bundle,
            stdio: options.stdio,
            is_started: Arc::default(),
            exit: Arc::default(),
        };
        tables.containers.insert(key, task);
        Ok(PID)
    }

    async fn update_container(&self, id: &str, resources: &LinuxResources) -> Result<()> {
        self.container(id)?.update(resources).await
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

impl Container for Task {
    async fn start(&self, _: Option<&str>) -> Result<u32> {
        self.is_started.store(true, Ordering::Relaxed);
        Ok(PID)
    }

    async fn exec(&self, _: &str, _: ExecOptions) -> Result<()> {
        Err(Error::unimplemented("exec"))
    }

    async fn kill(&self, _: Option<&str>, signal: u32, _: bool) -> Result<()> {
        self.exit.fire(exit(128 + signal));
        Ok(())
    }

    async fn wait(&self, _: Option<&str>) -> Result<Exit> {
        Ok(self.exit.wait().await)
    }

    fn state(&self, _: Option<&str>) -> Result<ProcessStatus> {
        let exit = self.exit.exit();
        let state = match exit {
            Some(_) => ProcessState::Stopped,
            None if self.is_started.load(Ordering::Relaxed) => ProcessState::Running,
            None => ProcessState::Created,
        };
        Ok(ProcessStatus {
            bundle: self.bundle.clone(),
            pid: PID,
            state,
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
        let end = self.exit.exit();
        if end.is_none() && self.is_started.load(Ordering::Relaxed) {
            let message = format!("container {} runs", self.key);
            return Err(Error::failed_precondition(message));
        }
        self.all.tables().containers.remove(&self.key);
        Ok(Deleted {
            pid: PID,
            exit: end,
        })
    }

    fn resize_pty(&self, _: Option<&str>, _: u32, _: u32) -> Result<()> {
        Ok(())
    }

    async fn close_stdin(&self, _: Option<&str>) -> Result<()> {
        Ok(())
    }
}

/// Serves an empty sandboxer until `stop` is done.
pub(crate) async fn serve(
    listener: UnixListener,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    Server::new(Arc::new(Minimal::default()))
        .serve(listener, stop)
        .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let Some(socket) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: minimal SOCKET"));
    };
    let listener = server::bind(Path::new(&socket)).await?;
    let interrupt = async { drop(tokio::signal::ctrl_c().await) };
    serve(listener, interrupt).await?;
    std::fs::remove_file(socket)
}
