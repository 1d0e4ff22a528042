//! Samples the processes under test once a second, on a thread of its own.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::usage::{self, Look, Sample};
use crate::record::tape::INTERVAL;

/// Role and id of a process under test.
pub type Process = (&'static str, u32);

/// Samples of each process.
type Samples = Vec<Vec<Sample>>;

/// Samples of the thread, and its longest delay.
type Watched = (Samples, Duration);

/// Observations of a whole run.
#[derive(Debug)]
pub struct Sampled {
    /// All samples of each process, in order.
    pub samples: Vec<(&'static str, Vec<Sample>)>,
    /// Longest time by which this program was late for a sample: about the longest time for
    /// which it did not run.
    pub pause: Duration,
}

/// Last two samples of each process; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Latest(Arc<Mutex<Vec<Seen>>>);

/// Role of a process, and its last two samples.
#[derive(Debug)]
struct Seen {
    role: &'static str,
    before: Sample,
    now: Sample,
}

impl Latest {
    /// Calls `make` with the role and the last two samples of each process, and returns
    /// the values.
    pub fn each<T>(&self, make: impl Fn(&str, &Sample, &Sample) -> T) -> Vec<T> {
        let seen = self.lock();
        seen.iter()
            .map(|seen| make(seen.role, &seen.before, &seen.now))
            .collect()
    }

    fn take(&self, role: &'static str, sample: Sample) {
        let mut seen = self.lock();
        match seen.iter_mut().find(|seen| seen.role == role) {
            Some(seen) => {
                seen.before = seen.now;
                seen.now = sample;
            }
            None => seen.push(Seen {
                role,
                before: sample,
                now: sample,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Seen>> {
        // Each change stores whole samples, so the list is consistent even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Samples the processes until [`Sampler::finish`].
#[derive(Debug)]
pub struct Sampler {
    begun: Instant,
    processes: Vec<Process>,
    samples: Samples,
    thread: Option<(Sender<()>, JoinHandle<Watched>)>,
}

impl Sampler {
    /// Takes the first sample of each process, with the share of memory, and starts the
    /// thread for the next ones.
    pub fn start(processes: Vec<Process>, latest: &Latest) -> Self {
        let begun = Instant::now();
        let samples: Samples = processes
            .iter()
            .map(|process| look(*process, begun, Look::Thorough).into_iter().collect())
            .collect();
        let (done, told) = mpsc::channel();
        for ((role, _), first) in processes.iter().zip(&samples) {
            if let Some(first) = first.first() {
                latest.take(role, *first);
            }
        }
        let (looked_at, latest) = (processes.clone(), latest.clone());
        let watch = move || {
            let mut seen: Samples = vec![Vec::new(); looked_at.len()];
            let mut due = begun + INTERVAL;
            let mut pause = Duration::ZERO;
            loop {
                let wait = due.saturating_duration_since(Instant::now());
                let told = told.recv_timeout(wait);
                pause = pause.max(Instant::now().saturating_duration_since(due));
                if told != Err(RecvTimeoutError::Timeout) {
                    return (seen, pause);
                }
                for (process, seen) in looked_at.iter().zip(&mut seen) {
                    if let Some(sample) = look(*process, begun, Look::Brief) {
                        latest.take(process.0, sample);
                        seen.push(sample);
                    }
                }
                due += INTERVAL;
            }
        };
        let thread = std::thread::Builder::new()
            .name("sampler".to_owned())
            .spawn(watch);
        Self {
            begun,
            processes,
            samples,
            // Without a thread there are only the first and the last samples.
            thread: thread.ok().map(|thread| (done, thread)),
        }
    }

    /// Takes the last sample of each process, and ends the observation.
    pub fn finish(mut self) -> Sampled {
        let last: Vec<_> = self
            .processes
            .iter()
            .map(|process| look(*process, self.begun, Look::Thorough))
            .collect();
        let mut pause = Duration::ZERO;
        if let Some((done, thread)) = self.thread.take() {
            drop(done);
            // A thread that has panicked leaves the first and the last samples.
            let (seen, longest) = thread.join().unwrap_or_default();
            pause = longest;
            for (samples, seen) in self.samples.iter_mut().zip(seen) {
                samples.extend(seen);
            }
        }
        for (samples, last) in self.samples.iter_mut().zip(last) {
            samples.extend(last);
        }
        let roles = self.processes.iter().map(|(role, _)| *role);
        Sampled {
            samples: roles.zip(self.samples).collect(),
            pause,
        }
    }
}

fn look((_, pid): Process, begun: Instant, look: Look) -> Option<Sample> {
    usage::sample(pid, begun.elapsed(), look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_at_the_beginning_and_at_the_end() {
        let sampler = Sampler::start(
            vec![("loadgen", std::process::id()), ("gone", u32::MAX)],
            &Latest::default(),
        );
        let seen = sampler.finish().samples;
        let (role, samples) = &seen[0];
        assert_eq!(*role, "loadgen");
        let [first, last] = &samples[..] else {
            panic!("{samples:?}");
        };
        assert!(first.at_s <= last.at_s && first.rss_bytes > 100_000);
        assert!(first.pss_bytes.is_some_and(|pss| pss <= first.rss_bytes));
        assert!(last.threads >= first.threads && last.fds > Some(2));
        assert!(seen[1].1.is_empty());
    }
}
