//! The clocks of the daemon: the wall clock, and a steady clock that nobody sets.
//!
//! The steady clock is the kernel's `CLOCK_BOOTTIME` plus an offset, by which it shows the time
//! that the wall clock would show if nobody had set it. The offset is kept in a file, so that a
//! restart of the daemon during the same boot goes on with the same steady clock, whatever
//! happened to the wall clock in between. After a reboot the steady clock begins at the time of
//! the wall clock, or where the journal ends if that is later.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use journal::{CLOCK, JOURNAL, Slots, TEMPORARY_CLOCK};
use slot::{Moment, Timestamp};

/// Id of the present boot (`Documentation/admin-guide/sysctl/kernel.rst`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Largest difference of both clocks that counts as none, in nanoseconds: the clocks are read
/// one after the other, and the thread may be interrupted in between.
const SLACK_NS: u64 = 10_000_000;

/// Reading of both clocks of the kernel, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// Wall clock: time since the Unix epoch.
    pub(crate) wall: u64,
    /// Time since the boot, including suspensions.
    pub(crate) up: u64,
}

/// The clocks of the daemon.
pub struct Clock {
    read: Box<dyn Fn() -> Reading + Send + Sync>,
    /// Steady clock minus time since the boot, in nanoseconds.
    offset: i64,
    /// Latest time of the steady clock that was returned.
    latest: AtomicU64,
}

/// Contents of the file.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    boot: String,
    offset_ns: i64,
}

impl Clock {
    /// Returns the clocks for the state directory `dir`, whose recovered slots are `slots`. If
    /// the file cannot be written, the log has a warning.
    pub fn open(dir: &Path, slots: &Slots) -> Self {
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        Self::kept_in(dir, boot.trim(), latest(slots), Box::new(of_kernel))
    }

    fn kept_in(
        dir: &Path,
        boot: &str,
        latest: u64,
        read: Box<dyn Fn() -> Reading + Send + Sync>,
    ) -> Self {
        let journal = dir.join(JOURNAL);
        let kept = fs::read(journal.join(CLOCK)).ok();
        let kept: Option<Kept> = kept.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(kept) = kept
            && !boot.is_empty()
            && kept.boot == boot
        {
            return Self::new(kept.offset_ns, latest, read);
        }
        let now = read();
        if now.wall < latest {
            info!("the wall clock is behind the journal: durations go on from the journal");
        }
        let kept = Kept {
            boot: boot.to_owned(),
            offset_ns: difference(now.wall.max(latest), now.up),
        };
        if let Err(e) = keep(&journal, &kept) {
            warn!(
                "cannot write {}: {e}; if the wall clock is set, a restart shows other durations",
                journal.join(CLOCK).display()
            );
        }
        Self::new(kept.offset_ns, latest, read)
    }

    fn new(offset: i64, latest: u64, read: Box<dyn Fn() -> Reading + Send + Sync>) -> Self {
        Self {
            read,
            offset,
            latest: AtomicU64::new(latest),
        }
    }

    /// Returns clocks that `read` reads.
    #[cfg(test)]
    pub(crate) fn of(read: impl Fn() -> Reading + Send + Sync + 'static) -> Self {
        let now = read();
        Self::new(difference(now.wall, now.up), 0, Box::new(read))
    }

    /// Returns the present moment. Its steady time is never before one that was returned
    /// earlier.
    pub(crate) fn now(&self) -> Moment {
        let Reading { wall, up } = (self.read)();
        let steady = up.saturating_add_signed(self.offset);
        let steady = if steady.abs_diff(wall) <= SLACK_NS {
            wall
        } else {
            steady
        };
        let latest = self.latest.fetch_max(steady, Ordering::Relaxed);
        let steady = steady.max(latest);
        Moment::new(Timestamp::from_nanos(wall), difference(steady, wall))
    }
}

impl Default for Clock {
    /// Returns the clocks of the kernel, with a steady clock that begins now.
    fn default() -> Self {
        let now = of_kernel();
        Self::new(difference(now.wall, now.up), 0, Box::new(of_kernel))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("offset", &self.offset)
            .finish_non_exhaustive()
    }
}

fn of_kernel() -> Reading {
    let up = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(up.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(up.tv_nsec).unwrap_or(0);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    let wall = wall.unwrap_or_default().as_nanos();
    Reading {
        wall: u64::try_from(wall).unwrap_or(u64::MAX),
        up: seconds.saturating_mul(1_000_000_000).saturating_add(nanos),
    }
}

/// Returns the latest time of the steady clock that the slots know.
fn latest(slots: &Slots) -> u64 {
    let containers = slots.values().flat_map(|slot| &slot.containers);
    let processes = containers.flat_map(|container| {
        let execs = container.execs.iter().map(|(_, process)| process);
        std::iter::once(&container.init).chain(execs)
    });
    let running = processes.filter_map(|process| process.running_since);
    running.max().map_or(0, Timestamp::nanos)
}

/// Returns `a - b`, as far as it can be represented.
fn difference(a: u64, b: u64) -> i64 {
    let difference = i128::from(a) - i128::from(b);
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

/// Replaces the file in one step.
fn keep(journal: &Path, kept: &Kept) -> io::Result<()> {
    let temporary = journal.join(TEMPORARY_CLOCK);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    fs::rename(&temporary, journal.join(CLOCK))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Clocks of a kernel that tests set.
    #[derive(Default)]
    struct Kernel {
        wall: AtomicU64,
        up: AtomicU64,
    }

    impl Kernel {
        fn at(wall: u64, up: u64) -> Arc<Self> {
            let kernel = Self::default();
            kernel.set(wall, up);
            Arc::new(kernel)
        }

        fn set(&self, wall: u64, up: u64) {
            self.wall.store(wall * SECOND, Ordering::Relaxed);
            self.up.store(up * SECOND, Ordering::Relaxed);
        }

        fn reader(self: &Arc<Self>) -> Box<dyn Fn() -> Reading + Send + Sync> {
            let kernel = Arc::clone(self);
            Box::new(move || Reading {
                wall: kernel.wall.load(Ordering::Relaxed),
                up: kernel.up.load(Ordering::Relaxed),
            })
        }
    }

    /// Returns the seconds of the wall clock and of the steady clock.
    fn seconds(clock: &Clock) -> (u64, u64) {
        let now = clock.now();
        let seconds = |time: Timestamp| time.nanos() / SECOND;
        (seconds(now.wall()), seconds(now.steady()))
    }

    #[test]
    fn the_steady_clock_goes_on_when_the_wall_clock_is_set() {
        let kernel = Kernel::at(1000, 50);
        let clock = Clock::of(kernel.reader());
        assert_eq!(seconds(&clock), (1000, 1000));
        kernel.set(400, 60);
        assert_eq!(seconds(&clock), (400, 1010));
        kernel.set(9000, 61);
        assert_eq!(seconds(&clock), (9000, 1011));
        kernel.set(1020, 70);
        assert_eq!(clock.now().skew_ns(), 0);
    }

    #[test]
    fn a_short_interruption_between_both_readings_counts_as_no_difference() {
        let kernel = Kernel::at(1000, 50);
        let clock = Clock::of(kernel.reader());
        kernel.wall.fetch_add(SECOND + SLACK_NS, Ordering::Relaxed);
        kernel.up.fetch_add(SECOND, Ordering::Relaxed);
        assert_eq!(clock.now().skew_ns(), 0);
        // Even then the steady clock does not go back.
        let before = clock.now().steady();
        kernel.wall.fetch_sub(SLACK_NS, Ordering::Relaxed);
        assert_eq!(clock.now().steady(), before);
    }

    #[test]
    fn a_restart_during_the_same_boot_goes_on_with_the_same_steady_clock() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(JOURNAL)).unwrap();
        let kernel = Kernel::at(1000, 50);
        let open = |boot, latest| Clock::kept_in(dir.path(), boot, latest, kernel.reader());
        assert_eq!(seconds(&open("a", 0)), (1000, 1000));
        kernel.set(300, 80);
        assert_eq!(seconds(&open("a", 0)), (300, 1030));
        // After a reboot, the wall clock is all that is known.
        kernel.set(2000, 5);
        assert_eq!(seconds(&open("b", 1010 * SECOND)), (2000, 2000));
        kernel.set(100, 5);
        assert_eq!(seconds(&open("c", 1990 * SECOND)), (100, 1990));
    }

    #[test]
    fn a_file_that_cannot_be_read_or_written_is_no_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(JOURNAL)).unwrap();
        fs::write(dir.path().join(JOURNAL).join(CLOCK), "{").unwrap();
        let kernel = Kernel::at(1000, 50);
        let open = |dir: &Path| Clock::kept_in(dir, "a", 0, kernel.reader());
        assert_eq!(seconds(&open(dir.path())), (1000, 1000));
        assert_eq!(seconds(&open(&dir.path().join("missing"))), (1000, 1000));
    }
}
