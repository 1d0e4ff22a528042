//! Waits for simulated times, so that they last as long as they were stated.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;

/// Longest time for which a timer of the kernel is used. The timers of tokio count milliseconds and
/// end one or two of them late, which is a small share of a longer time.
const EXACT: Duration = Duration::from_millis(100);

/// Bounds the descriptors that are in use for timers of the kernel. Further waits end late.
static TIMERS: Semaphore = Semaphore::const_new(1000);

/// Waits for a simulated time.
pub(crate) async fn wait(time: Duration) {
    if time.is_zero() {
        return;
    }
    if time <= EXACT
        && let Ok(_permit) = TIMERS.try_acquire()
        && let Ok(timer) = timer(time)
        && timer.readable().await.is_ok()
    {
        return;
    }
    tokio::time::sleep(time).await;
}

#[expect(
    deprecated,
    reason = "the safe function: the timer is owned, so it stays open while it is registered"
)]
/// Returns a timer of the kernel (timerfd_create(2)), which is readable after this time.
fn timer(time: Duration) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value: Timespec::try_from(time).map_err(io::Error::other)?,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    AsyncFd::with_interest(timer, Interest::READABLE)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn no_wait_ends_early() {
        for micros in [0, 1, 1500, 10_000, 100_001] {
            let time = Duration::from_micros(micros);
            let begun = Instant::now();
            wait(time).await;
            assert!(begun.elapsed() >= time, "{time:?}");
        }
    }

    #[tokio::test]
    async fn more_waits_than_timers_all_end() {
        let waits = (0..1500).map(|_| tokio::spawn(wait(Duration::from_millis(20))));
        let waits: Vec<_> = waits.collect();
        for wait in waits {
            wait.await.unwrap();
        }
        assert_eq!(TIMERS.available_permits(), 1000);
    }
}
