//! Commands in containers.

use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{
    Code, Container, Error, ExecOptions, Exit, Process, Result, Sandboxer, Stdio,
};
use k8s_cri::v1::{
    AttachRequest, AttachResponse, ExecRequest, ExecResponse, ExecSyncRequest, ExecSyncResponse,
    PortForwardRequest, PortForwardResponse,
};
use tracing::debug;

use super::containers::check_running;
use super::{Cri, id};
use crate::live::{Found, ResourceSlotContainer, ResourceSlotSandboxer};

/// SIGKILL by its Linux number.
const SIGKILL: u32 = 9;

/// What a command has said, and how it ended.
///
/// This is the place of a userland: from the container's own configuration and its
/// pod's it can tell what a command would print, and with which code it would end.
/// Without one a command prints nothing and ends as the process that stood for it.
fn answer_of_command(_container: Found<'_>, _command: &[String], exit: Exit) -> ExecSyncResponse {
    ExecSyncResponse {
        stdout: Vec::new(),
        stderr: Vec::new(),
        exit_code: i32::try_from(exit.code).unwrap_or(i32::MAX),
    }
}

impl Cri {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run;
    /// `DeadlineExceeded` when the command has not ended in time, and then it is
    /// killed; `InvalidArgument` without a command.
    pub(super) async fn exec_sync(&self, request: ExecSyncRequest) -> Result<ExecSyncResponse> {
        if request.cmd.is_empty() {
            return Err(Error::invalid_argument("cmd: a command is needed"));
        }
        let limit = match u64::try_from(request.timeout) {
            Ok(0) => None,
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                return Err(Error::invalid_argument(format!(
                    "timeout {}: a number of seconds, 0 or more, is needed",
                    request.timeout
                )));
            }
        };
        let container = self.container(&request.container_id)?;
        check_running(&container, "exec in")?;
        let exec = id::random()?;
        let options = ExecOptions {
            process: Process {
                args: request.cmd.clone(),
                terminal: false,
            },
            stdio: Stdio::default(),
        };
        let _clean_up = CleanUp {
            sandboxer: &self.sandboxer,
            container: container.read_cri(|found| found.container.id.clone())?,
            exec: exec.clone(),
        };
        container.exec(&exec, options).await?;
        container.start(Some(&exec)).await?;
        let ended = container.wait(Some(&exec));
        let exit = match limit {
            None => ended.await?,
            Some(limit) => tokio::time::timeout(limit, ended).await.map_err(|_| {
                let message = format!(
                    "timeout {}: the command did not end in time",
                    request.timeout
                );
                Error::new(Code::DeadlineExceeded, message)
            })??,
        };
        container.read_cri(|found| answer_of_command(found, &request.cmd, exit))
    }

    /// # Errors
    /// Always `Unimplemented`.
    pub(super) async fn exec(&self, _: ExecRequest) -> Result<ExecResponse> {
        Err(no_streaming("Exec", "; ExecSync answers (crictl exec -s)"))
    }

    /// # Errors
    /// Always `Unimplemented`.
    pub(super) async fn attach(&self, _: AttachRequest) -> Result<AttachResponse> {
        Err(no_streaming("Attach", ""))
    }

    /// # Errors
    /// Always `Unimplemented`.
    pub(super) async fn port_forward(&self, _: PortForwardRequest) -> Result<PortForwardResponse> {
        Err(no_streaming("PortForward", ""))
    }
}

fn no_streaming(rpc: &str, instead: &str) -> Error {
    Error::unimplemented(format!("{rpc}: there is no streaming server here{instead}"))
}

/// Ends and forgets the process of a command, by whatever way it is dropped: the
/// caller may be gone.
struct CleanUp<'a> {
    sandboxer: &'a Arc<ResourceSlotSandboxer>,
    container: String,
    exec: String,
}

impl Drop for CleanUp<'_> {
    fn drop(&mut self) {
        let key = Cri::key(&self.container);
        let Ok(container) = key.and_then(|key| self.sandboxer.container(&key)) else {
            return;
        };
        let exec = std::mem::take(&mut self.exec);
        tokio::spawn(async move {
            if let Err(e) = end(&container, &exec).await {
                debug!("process {exec}: {e}");
            }
        });
    }
}

async fn end(container: &ResourceSlotContainer, exec: &str) -> Result<()> {
    match container.kill(Some(exec), SIGKILL, false).await {
        Err(e) if e.code() != Code::NotFound => return Err(e),
        _ => {}
    }
    container.delete(Some(exec)).await.map(drop)
}
