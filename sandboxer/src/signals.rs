//! Signals that stop the daemon, and signals that it survives though they end a process by
//! default.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

/// Number of SIGHUP (signal(7)).
const SIGHUP: u32 = 1;

/// Time in which the runtime hands over a signal that came before.
const HAND_OVER: Duration = Duration::from_millis(1);

/// Receives SIGTERM, SIGINT and SIGHUP. From its creation on, none of them ends the process.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` if the process was started with SIGHUP ignored, as nohup does: it stays ignored.
    hangup: Option<Signal>,
}

impl Signals {
    /// Starts to listen.
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind, name| signal(kind).with_context(|| format!("listen for {name}"));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Ok(Self {
            terminate: listen(SignalKind::terminate(), "SIGTERM")?,
            interrupt: listen(SignalKind::interrupt(), "SIGINT")?,
            hangup: if ignores(&status, SIGHUP) {
                None
            } else {
                Some(listen(SignalKind::hangup(), "SIGHUP")?)
            },
        })
    }

    /// Waits for the next signal and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = hangup => "SIGHUP",
        }
    }

    /// Returns the name of a signal that has already come.
    pub(crate) async fn come(&mut self) -> Option<&'static str> {
        tokio::time::timeout(HAND_OVER, self.next()).await.ok()
    }
}

/// Survives SIGXFSZ, SIGUSR1 and SIGUSR2 from now on, for the life of the process. Must be called in the
/// runtime.
///
/// # Errors
/// If a handler cannot be installed.
pub(crate) fn survive() -> Result<()> {
    // A write beyond the limit of file sizes (RLIMIT_FSIZE) then fails with EFBIG, which the
    // journal and the views treat as a full disk. The runtime never removes a handler.
    let too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    drop(signal(too_large).context("listen for SIGXFSZ")?);
    // containerd and dockerd print their goroutines on SIGUSR1 and go on, and tools that watch
    // a node send the signal to every runtime that answers slowly.
    for (kind, name) in [
        (SignalKind::user_defined1(), "SIGUSR1"),
        (SignalKind::user_defined2(), "SIGUSR2"),
    ] {
        let mut signals = signal(kind).with_context(|| format!("listen for {name}"))?;
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                info!("Ignored {name}: it has no meaning here");
            }
        });
    }
    Ok(())
}

/// Returns whether a process with this `/proc/PID/status` ignores a signal: bit n - 1 of the
/// hexadecimal mask `SigIgn` stands for signal n (proc(5)).
fn ignores(status: &str, signal: u32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_bits_of_the_mask() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001002\n";
        assert!(!ignores(status, SIGHUP));
        assert!(ignores(status, 2) && ignores(status, 13));
        assert!(ignores("SigIgn:\t0000000000000001\n", SIGHUP));
        assert!(!ignores("", SIGHUP));
    }
}
