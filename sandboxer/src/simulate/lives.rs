//! How pods and containers live: by what is said of them, and for all of them.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use containerd_sandbox::{Error, Result};
use serde::Deserialize;

use super::failure::{Call, Failure};
use super::life::{self, Course};
use super::random::Random;
use super::stated::Stated;
use super::{curve, failure};
use slot::Behaviour;

/// The most lines that a container writes a second.
const MAX_LINES_PER_SECOND: f64 = 1000.0;

/// How pods and containers live that do not say otherwise, and which calls fail.
#[derive(Debug, Default)]
pub struct Lives {
    seed: u64,
    images: Pulls,
    defaults: Stated,
    failures: Vec<(Call, Failure)>,
    /// How many calls of each kind there were.
    calls: [AtomicU64; Call::COUNT],
}

/// The file that says it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    seed: u64,
    images: Pulls,
    defaults: toml::Table,
    fail: Vec<FileFailure>,
}

/// How images are pulled.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Pulls {
    /// The size of every image, in bytes; else each has one made up of its name.
    pub(crate) size_bytes: Option<u64>,
    /// How much of an image comes a second, in bytes; else it is there at once.
    bytes_per_second: Option<NonZeroU64>,
}

impl Pulls {
    /// How long an image of this size takes.
    pub(crate) fn time(self, size_bytes: u64) -> Duration {
        self.bytes_per_second.map_or(Duration::ZERO, |rate| {
            // Sizes are far below 2^53.
            Duration::try_from_secs_f64(size_bytes as f64 / rate.get() as f64)
                .unwrap_or(Duration::MAX)
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFailure {
    call: Call,
    when: String,
}

/// How a container lives.
#[derive(Debug, Default)]
pub(crate) struct ContainerLife {
    pub(crate) course: Course,
    pub(crate) conduct: Option<Box<Behaviour>>,
    pub(crate) fail_create: Option<Failure>,
}

/// How a pod's sandbox lives.
#[derive(Debug, Default)]
pub(crate) struct PodLife {
    pub(crate) start_delay: Duration,
    pub(crate) fail_create: Option<Failure>,
    pub(crate) fail_start: Option<Failure>,
}

impl Lives {
    /// As a TOML file says.
    ///
    /// # Errors
    /// `InvalidArgument` for a file that cannot be read or says what makes no sense,
    /// with its path, and the line or the name.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong =
            |e: &dyn std::fmt::Display| Error::invalid_argument(format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
        Self::parse(&text).map_err(|e| wrong(&e))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = |e: &dyn std::fmt::Display| Error::invalid_argument(e.to_string());
        let file: File = toml::from_str(text).map_err(|e| wrong(&e))?;
        let mut defaults = Stated::default();
        for (name, value) in &file.defaults {
            let value = match value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            defaults.add(name, &value)?;
        }
        let failure = |FileFailure { call, when }: &FileFailure| {
            let failure = Failure::parse(when);
            let failure = failure.ok_or_else(|| {
                Error::invalid_argument(format!(
                    "fail: when {when:?}: {} is needed",
                    failure::RIGHT
                ))
            })?;
            Ok((*call, failure))
        };
        let failures = file.fail.iter().map(failure).collect::<Result<_>>()?;
        let lives = Self {
            seed: file.seed,
            images: file.images,
            defaults,
            failures,
            calls: <[AtomicU64; Call::COUNT]>::default(),
        };
        // What makes no sense is to be told now.
        lives.container(Stated::default(), Vec::new(), &[])?;
        lives.pod(Stated::default(), &[])?;
        Ok(lives)
    }

    /// How images are pulled.
    pub(crate) fn images(&self) -> Pulls {
        self.images
    }

    /// Counts a call, and fails it if it is to fail.
    ///
    /// # Errors
    /// The stated code.
    pub(crate) fn check(&self, call: Call, names: &[&str]) -> Result<()> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let nth = self.calls[call as usize].fetch_add(1, Ordering::Relaxed) + 1;
        let of_call = self.failures.iter().enumerate();
        for (n, (_, failure)) in of_call.filter(|(_, (failing, _))| *failing == call) {
            failure.check(call, nth, &mut self.random(names, &format!("fail {n}")))?;
        }
        Ok(())
    }

    /// Fails a call that a pod or container says is to fail.
    ///
    /// # Errors
    /// The stated code.
    pub(crate) fn check_stated(
        &self,
        failure: Option<&Failure>,
        call: Call,
        nth: u64,
        names: &[&str],
    ) -> Result<()> {
        let Some(failure) = failure else {
            return Ok(());
        };
        failure.check(call, nth, &mut self.random(names, "fail"))
    }

    fn random(&self, names: &[&str], purpose: &str) -> Random {
        Random::of(self.seed, &[names, &[purpose]].concat())
    }

    /// How a container lives, by what it and its pod say, and by its command.
    ///
    /// # Errors
    /// `InvalidArgument`, naming what makes no sense.
    pub(crate) fn container(
        &self,
        stated: Stated,
        args: Vec<String>,
        names: &[&str],
    ) -> Result<ContainerLife> {
        if stated.is_empty() && self.defaults.is_empty() {
            let course = life::of_init(&stated, args, &mut Random::of(0, &[]))?;
            return Ok(ContainerLife {
                course,
                ..ContainerLife::default()
            });
        }
        let stated = self.defaults.clone().and(stated);
        let fail = |name| stated.get(name, failure::RIGHT, Failure::parse);
        let fail_create = fail("fail-create")?;
        fail("fail-start")?;
        let conduct = Behaviour {
            start_delay: self.delay(&stated, "start-delay", "start-jitter", names)?,
            fail_start: stated.parsed("fail-start", failure::RIGHT)?,
            log_lines_per_second: stated
                .get("log-lines-per-second", "a number from 0 to 1000", |text| {
                    let rate: f64 = text.parse().ok()?;
                    (0.0..=MAX_LINES_PER_SECOND).contains(&rate).then_some(rate)
                })?
                .unwrap_or(0.0),
            cpu: stated.get("cpu", curve::RIGHT, curve::parse)?,
            memory: stated.get("memory", curve::RIGHT, curve::parse)?,
            exec_output: stated.parsed("exec-output", "a text")?,
            exec_code: stated.parsed("exec-code", "a number from 0 to 255")?,
            seed: 0,
        };
        let conduct = (conduct != Behaviour::default()).then(|| {
            let seed = self.random(names, "curve").next();
            Box::new(Behaviour { seed, ..conduct })
        });
        Ok(ContainerLife {
            course: life::of_init(&stated, args, &mut self.random(names, "exit"))?,
            conduct,
            fail_create,
        })
    }

    /// How a pod's sandbox lives.
    ///
    /// # Errors
    /// `InvalidArgument`, naming what makes no sense.
    pub(crate) fn pod(&self, stated: Stated, names: &[&str]) -> Result<PodLife> {
        if stated.is_empty() && self.defaults.is_empty() {
            return Ok(PodLife::default());
        }
        let stated = self.defaults.clone().and(stated);
        let fail = |name| stated.get(name, failure::RIGHT, Failure::parse);
        Ok(PodLife {
            start_delay: self.delay(&stated, "pod-start-delay", "pod-start-jitter", names)?,
            fail_create: fail("fail-pod-create")?,
            fail_start: fail("fail-pod-start")?,
        })
    }

    /// A time, and up to so much more.
    fn delay(&self, stated: &Stated, name: &str, jitter: &str, names: &[&str]) -> Result<Duration> {
        life::drawn(stated, name, jitter, &mut self.random(names, name))
            .map(Option::unwrap_or_default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    fn stated(said: &[(&str, &str)]) -> Stated {
        let mut stated = Stated::default();
        for (name, value) in said {
            stated.add(name, value).unwrap();
        }
        stated
    }

    #[test]
    fn what_nobody_says_anything_of_has_nothing_to_carry() {
        let life = Lives::default().container(Stated::default(), Vec::new(), &["c"]);
        let life = life.unwrap();
        assert!(life.conduct.is_none() && life.fail_create.is_none());
        assert_eq!(life.course, Course::default());
    }

    #[test]
    fn a_file_says_how_all_live_that_do_not_say_otherwise() {
        let lives = Lives::parse(
            "seed = 7\n[defaults]\nexit-after = \"uniform 1s 2s\"\nexit-code = 3\nlog-lines-per-second = 0.5\n\
             [[fail]]\ncall = \"create-container\"\nwhen = \"every 2 unavailable\"",
        )
        .unwrap();
        let life = |names: &[&str], said| lives.container(stated(said), Vec::new(), names).unwrap();
        let one = life(&["a"], &[]);
        let after = one.course.planned_exit.ends_after.unwrap();
        assert!((1.0..=2.0).contains(&after.as_secs_f64()), "{after:?}");
        assert_eq!(one.course, life(&["a"], &[]).course, "the same every time");
        assert_ne!(one.course, life(&["b"], &[]).course);
        let own = life(&["a"], &[("exit-code", "4")]);
        assert_eq!(own.course.planned_exit.exit_code, 4);
        assert!((own.conduct.unwrap().log_lines_per_second - 0.5).abs() < f64::EPSILON);
        let fails: Vec<bool> = (0..4)
            .map(|_| lives.check(Call::CreateContainer, &["x"]).is_err())
            .collect();
        assert_eq!(fails, [false, true, false, true]);
        assert!(lives.check(Call::StartContainer, &["x"]).is_ok());
    }

    #[test]
    fn the_same_seed_has_the_same_victims() {
        let victims = |seed: u64| -> Vec<usize> {
            let file = format!(
                "seed = {seed}\n[[fail]]\ncall = \"create-pod\"\nwhen = \"share 0.1 internal\""
            );
            let lives = Lives::parse(&file).unwrap();
            let fails = |n: &usize| {
                lives
                    .check(Call::CreatePod, &[&format!("pod-{n}")])
                    .is_err()
            };
            (0..1000).filter(fails).collect()
        };
        assert_eq!(victims(1), victims(1));
        assert_ne!(victims(1), victims(2));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_name() {
        for (file, word) in [
            ("seeds = 1", "seeds"),
            ("[defaults]\nexit-afer = \"1s\"", "exit-afer"),
            ("[defaults]\ncpu = \"much\"", "cpu"),
            ("[defaults]\npod-start-delay = \"soon\"", "pod-start-delay"),
            ("[defaults]\nfail-start = \"ok\"", "fail-start"),
            (
                "[defaults]\nlog-lines-per-second = 1e9",
                "log-lines-per-second",
            ),
            ("[images]\nbytes-per-second = 0", "bytes-per-second"),
            ("[[fail]]\ncall = \"dance\"\nwhen = \"internal\"", "dance"),
            ("[[fail]]\ncall = \"start-pod\"\nwhen = \"ok\"", "\"ok\""),
        ] {
            let error = Lives::parse(file).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().contains(word), "{error}");
        }
        let missing = Lives::read(Path::new("/nowhere/lives.toml")).unwrap_err();
        assert!(
            missing.to_string().contains("/nowhere/lives.toml"),
            "{missing}"
        );
    }
}
