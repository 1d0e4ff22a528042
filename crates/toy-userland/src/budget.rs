//! The budget of processor time of a command, in steps, and the share that slowed commands have
//! in common.
//!
//! A step is a command, a round of a loop, or 4 KiB of text that a command handles: some
//! microseconds of work. Work is counted and not timed, so a script behaves the same on each
//! machine, and a test counts it, too.
//!
//! A command works in turns of [`STEPS_PER_TURN`] and lets other tasks run after each. The steps
//! at full speed come back while the command waits. A command that has used them up rests after
//! each turn, and all such commands of one [`Share`] rest for one another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Bytes of text that count as one step.
const STEP_BYTES: usize = 4096;
/// Units of work in a step: one for each byte of text.
const STEP: u64 = STEP_BYTES as u64;
/// Steps after which a command lets other tasks run.
const STEPS_PER_TURN: u64 = 32;
/// Steps for which a slowed command rests for one [`PAUSE`].
const STEPS_PER_PAUSE: u64 = 64;
/// Length of such a rest. A step takes microseconds.
const PAUSE: Duration = Duration::from_millis(10);
/// Steps that all slowed commands of a share make in one [`PAUSE`] together.
const SHARED_STEPS_PER_PAUSE: u64 = 256;
/// Steps at full speed that come back in a second.
const STEPS_BACK_PER_SECOND: u64 = 50;

/// The processor time that the slowed commands of a program have in common, however many they
/// are. A clone stands for the same share.
#[derive(Debug, Clone)]
pub struct Share {
    /// Time at which the next of these commands may work.
    next: Arc<Mutex<Instant>>,
}

impl Share {
    /// Makes a share of which nothing is used.
    pub fn new() -> Self {
        Self {
            next: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Takes so many units of work, and returns the time at which the command may go on.
    fn take(&self, now: Instant, work: u64) -> Instant {
        let mut next = self.next.lock();
        *next = (*next).max(now) + scaled(PAUSE, work, SHARED_STEPS_PER_PAUSE * STEP);
        *next
    }
}

impl Default for Share {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns `time * work / per`.
fn scaled(time: Duration, work: u64, per: u64) -> Duration {
    // Both times are far below 2^64 ns.
    Duration::from_nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / per * work)
}

/// The budget of one command and of all that it starts.
#[derive(Debug)]
pub(crate) struct Budget {
    share: Share,
    /// Work since the last turn ended.
    turn: AtomicU64,
    full_speed: Mutex<FullSpeed>,
}

/// Work that is left at full speed.
#[derive(Debug)]
struct FullSpeed {
    left: u64,
    most: u64,
    /// Time up to which work has come back.
    since: Instant,
}

impl FullSpeed {
    /// Takes work, and returns whether it was there.
    fn take(&mut self, now: Instant, work: u64) -> bool {
        let waited = now.saturating_duration_since(self.since);
        let back = waited.as_millis() * u128::from(STEPS_BACK_PER_SECOND * STEP) / 1000;
        if back > 0 {
            self.since = now;
            let back = u64::try_from(back).unwrap_or(u64::MAX);
            self.left = self.left.saturating_add(back).min(self.most);
        }
        match self.left.checked_sub(work) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

impl Budget {
    /// Makes the budget of a command with so many steps at full speed.
    pub(crate) fn new(share: Share, full_speed_steps: u64) -> Self {
        let most = full_speed_steps.saturating_mul(STEP);
        Self {
            share,
            turn: AtomicU64::new(0),
            full_speed: Mutex::new(FullSpeed {
                left: most,
                most,
                since: Instant::now(),
            }),
        }
    }

    /// Counts the handling of so many bytes, and returns whether the turn is over: then
    /// [`Self::rest`] is due.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let work = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.turn.fetch_add(work, Ordering::Relaxed);
        before.saturating_add(work) >= STEPS_PER_TURN * STEP
    }

    /// Counts a step, and returns whether the turn is over.
    pub(crate) fn step(&self) -> bool {
        self.spend(STEP_BYTES)
    }

    /// Lets other tasks run, and waits as long as a command rests that has used up its steps at
    /// full speed.
    pub(crate) async fn rest(&self) {
        let work = self.turn.swap(0, Ordering::Relaxed);
        let now = Instant::now();
        if self.full_speed.lock().take(now, work) {
            tokio::task::yield_now().await;
            return;
        }
        let alone = now + scaled(PAUSE, work, STEPS_PER_PAUSE * STEP);
        let together = self.share.take(now, work);
        tokio::time::sleep_until(alone.max(together)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works without a pause until the deadline, and returns the number of steps.
    async fn steps_until(budget: Budget, end: Instant) -> u64 {
        let mut steps = 0;
        while Instant::now() < end {
            steps += 1;
            if budget.step() {
                budget.rest().await;
            }
        }
        steps
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_never_waits_is_slowed_down() {
        let end = Instant::now() + Duration::from_secs(10);
        let steps = steps_until(Budget::new(Share::new(), 1000), end).await;
        // 1,000 at full speed, 50 a second back, and 64 in each 10 ms.
        assert!((60_000..70_000).contains(&steps), "{steps}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_waits_now_and_then_keeps_its_speed() {
        let budget = Budget::new(Share::new(), 100);
        let begun = Instant::now();
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            for _ in 0..STEPS_BACK_PER_SECOND {
                if budget.step() {
                    budget.rest().await;
                }
            }
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(1000));
    }

    #[tokio::test(start_paused = true)]
    async fn many_commands_that_never_wait_have_one_share() {
        let end = Instant::now() + Duration::from_secs(10);
        let share = Share::new();
        let running = (0..200).map(|_| steps_until(Budget::new(share.clone(), 100), end));
        let steps: Vec<u64> = futures::future::join_all(running).await;
        let all: u64 = steps.iter().sum();
        // 100 each at full speed, 256 in each 10 ms together, and 50 a second back for each.
        assert!(all < 20_000 + 256_000 + 100_000 + 20_000, "{all}");
        let least = steps.iter().min().unwrap();
        assert!(*least > 1000, "{least}");
    }

    #[test]
    fn a_turn_is_over_after_so_much_work() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let budget = Budget::new(Share::new(), 0);
        let turns = (0..STEPS_PER_TURN).map(|_| budget.step());
        assert_eq!(turns.filter(|over| *over).count(), 1);
        let budget = Budget::new(Share::new(), 0);
        assert!(!budget.spend(STEP_BYTES * 31));
        assert!(budget.spend(usize::MAX));
    }
}
