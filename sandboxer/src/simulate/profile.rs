//! The profile: the behaviour file with defaults for all pods and containers, and failures
//! of calls.

use std::num::NonZeroU64;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use containerd_sandbox::{Error, Result};
use serde::Deserialize;

use super::annotations::Annotations;
use super::behaviour::{self, ContainerBehaviour, PodBehaviour};
use super::delay::{self, Delay};
use super::failure::{Call, Failure};
use super::image_pattern::ImagePattern;
use super::random::Random;
use super::tries::Tries;
use super::{curve, failure, probe, signal};
use crate::units::bytes_of_document;
use slot::Behaviour;

/// Highest rate of log lines of a container.
const MAX_LINES_PER_SECOND: f64 = 1000.0;

/// Behaviour of pods and containers whose annotations state none, and calls that fail.
#[derive(Debug, Default)]
pub struct Profile {
    seed: u64,
    images: Pulls,
    slow: Vec<(ImagePattern, Delay)>,
    defaults: Annotations,
    failures: Vec<FailingCall>,
    /// Number of calls so far, by kind.
    calls: [AtomicU64; Call::COUNT],
    /// Number of calls so far, by kind and object.
    tries: Tries,
}

/// Calls that fail.
#[derive(Debug)]
struct FailingCall {
    call: Call,
    /// Images whose pulls fail; `None` for all, and for another call.
    image: Option<ImagePattern>,
    failure: Failure,
}

/// A call that may be to fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Try<'a> {
    pub(crate) call: Call,
    /// Names that seed the draw.
    pub(crate) names: &'a [&'a str],
    /// Number of this call among those about the same object, from 1.
    pub(crate) nth: u64,
}

/// Format of the behaviour file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    seed: u64,
    images: Pulls,
    defaults: toml::Table,
    fail: Vec<FileFailure>,
    #[serde(rename = "slow-pull")]
    slow_pull: Vec<FileSlow>,
}

/// Images whose pulls take longer than the others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSlow {
    image: String,
    delay: String,
}

/// Sizes of images, and the rate at which they are pulled.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct Pulls {
    /// Size of every image in bytes; `None`: each image has a size derived from its name.
    #[serde(deserialize_with = "bytes_of_document")]
    pub(crate) size_bytes: Option<u64>,
    /// Rate in bytes per second; `None`: a pull takes no time.
    #[serde(deserialize_with = "bytes_of_document")]
    bytes_per_second: Option<NonZeroU64>,
}

impl Pulls {
    /// Returns the time that a pull of `size_bytes` takes.
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
    image: Option<String>,
    when: String,
}

impl Profile {
    /// Reads a behaviour file, in TOML.
    ///
    /// # Errors
    /// `InvalidArgument` for a file that cannot be read or is invalid, with its path, and
    /// the line or the name.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong =
            |e: &dyn std::fmt::Display| Error::invalid_argument(format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
        Self::parse(&text).map_err(|e| wrong(&e))
    }

    fn parse(text: &str) -> Result<Self> {
        let wrong = |e: &dyn std::fmt::Display| Error::invalid_argument(e.to_string());
        let file: File = toml::from_str(text).map_err(|e| wrong(&e))?;
        let mut defaults = Annotations::default();
        for (name, value) in &file.defaults {
            let value = match value {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            defaults.add(name, &value)?;
        }
        let failure = |FileFailure { call, image, when }: &FileFailure| {
            let failure = Failure::parse(when);
            let failure = failure.ok_or_else(|| {
                Error::invalid_argument(format!(
                    "fail: when {when:?}: {} is needed",
                    failure::RIGHT
                ))
            })?;
            if image.is_some() && *call != Call::PullImage {
                return Err(Error::invalid_argument(
                    "fail: image: only a call pull-image is about an image",
                ));
            }
            let image = image.as_deref().map(ImagePattern::parse).transpose()?;
            Ok(FailingCall {
                call: *call,
                image,
                failure,
            })
        };
        let slow = |FileSlow { image, delay }: &FileSlow| {
            let parsed = delay.parse().map_err(|()| {
                Error::invalid_argument(format!(
                    "slow-pull: delay {delay:?}: {} is needed",
                    delay::RIGHT
                ))
            })?;
            Ok((ImagePattern::parse(image)?, parsed))
        };
        let failures = file.fail.iter().map(failure).collect::<Result<_>>()?;
        let profile = Self {
            seed: file.seed,
            images: file.images,
            slow: file.slow_pull.iter().map(slow).collect::<Result<_>>()?,
            defaults,
            failures,
            calls: <[AtomicU64; Call::COUNT]>::default(),
            tries: Tries::default(),
        };
        // Invalid defaults are reported when the file is read.
        profile.container(&Annotations::default(), Vec::new(), &[])?;
        profile.pod(Annotations::default(), &[])?;
        Ok(profile)
    }

    /// Returns the sizes of images and the rate of pulls.
    pub(crate) fn images(&self) -> Pulls {
        self.images
    }

    /// Returns whether the behaviour file lets calls of this kind fail.
    pub(crate) fn fails(&self, call: Call) -> bool {
        self.failures.iter().any(|failing| failing.call == call)
    }

    /// Counts a call about an object, and returns its number among those, from 1.
    pub(crate) fn count(&self, call: Call, object: &[&str]) -> u64 {
        self.tries.next(&[&[call.words()], object].concat())
    }

    /// Counts a call, and fails it if the behaviour file says so.
    ///
    /// # Errors
    /// The stated code.
    pub(crate) fn check(&self, tried: Try<'_>) -> Result<()> {
        if self.failures.is_empty() {
            return Ok(());
        }
        let nth = self.calls[tried.call as usize].fetch_add(1, Ordering::Relaxed) + 1;
        let of_call = self.failures.iter().enumerate();
        for (n, failing) in of_call.filter(|(_, failing)| failing.call == tried.call) {
            let random = &mut self.draw(tried, &format!("fail {n}"));
            failing.failure.check(tried.call, nth, random)?;
        }
        Ok(())
    }

    /// Fails a call if an annotation says so. `failure` is the annotation's value.
    ///
    /// # Errors
    /// The stated code.
    pub(crate) fn check_annotated(&self, failure: Option<&Failure>, tried: Try<'_>) -> Result<()> {
        let Some(failure) = failure else {
            return Ok(());
        };
        failure.check(tried.call, tried.nth, &mut self.draw(tried, "fail"))
    }

    /// Returns the time that a pull takes in addition to that of its size. `names` are the names
    /// of the image, the full one last.
    ///
    /// # Errors
    /// The code with which the pull is to fail; calls are counted by the full name.
    pub(crate) fn pull(&self, names: &[&str]) -> Result<Duration> {
        let is_for = |pattern: &ImagePattern| names.iter().any(|name| pattern.matches(name));
        let full = names.last().copied().unwrap_or_default();
        let of_pulls = self.failures.iter().enumerate();
        let mut failing = of_pulls
            .filter(|(_, failing)| failing.call == Call::PullImage)
            .filter(|(_, failing)| failing.image.as_ref().is_none_or(is_for))
            .peekable();
        if failing.peek().is_some() {
            let tried = Try {
                call: Call::PullImage,
                names: &[full],
                nth: self.count(Call::PullImage, &[full]),
            };
            for (n, failing) in failing {
                let random = &mut self.draw(tried, &format!("fail {n}"));
                failing.failure.check(tried.call, tried.nth, random)?;
            }
        }
        let slow = self.slow.iter().find(|(pattern, _)| is_for(pattern));
        let random = &mut self.random(&[full], "pull");
        Ok(slow.map_or(Duration::ZERO, |(_, delay)| delay.draw(random)))
    }

    /// Returns the random numbers of one try. A later try draws anew.
    fn draw(&self, tried: Try<'_>, purpose: &str) -> Random {
        match tried.nth {
            0 | 1 => self.random(tried.names, purpose),
            nth => self.random(tried.names, &format!("{purpose}, try {nth}")),
        }
    }

    fn random(&self, names: &[&str], purpose: &str) -> Random {
        Random::of(self.seed, &[names, &[purpose]].concat())
    }

    /// Draws the behaviour of a container from its annotations, including its pod's, and
    /// from its command.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the annotation with an invalid value.
    pub(crate) fn container(
        &self,
        annotations: &Annotations,
        args: Vec<String>,
        names: &[&str],
    ) -> Result<ContainerBehaviour> {
        if annotations.is_empty() && self.defaults.is_empty() {
            let process = behaviour::of_init(annotations, args, &mut Random::of(0, &[]))?;
            return Ok(ContainerBehaviour {
                process,
                ..ContainerBehaviour::default()
            });
        }
        let stated = self.defaults.clone().and(annotations.clone());
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
            signals: stated
                .get("on-signal", signal::RIGHT, signal::parse)?
                .unwrap_or_default(),
            termination_message: stated.parsed("termination-message", "a text")?,
            probes: probe::of_annotations(&stated, &mut self.random(names, "probe"))?,
            seed: 0,
        };
        let conduct = (conduct != Behaviour::default()).then(|| {
            let seed = self.random(names, "curve").next();
            Box::new(Behaviour { seed, ..conduct })
        });
        Ok(ContainerBehaviour {
            process: behaviour::of_init(&stated, args, &mut self.random(names, "exit"))?,
            conduct,
            fail_create,
        })
    }

    /// Draws the behaviour of a pod's sandbox from its annotations.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the annotation with an invalid value.
    pub(crate) fn pod(&self, annotations: Annotations, names: &[&str]) -> Result<PodBehaviour> {
        if annotations.is_empty() && self.defaults.is_empty() {
            return Ok(PodBehaviour::default());
        }
        let stated = self.defaults.clone().and(annotations.clone());
        let fail = |name| stated.get(name, failure::RIGHT, Failure::parse);
        Ok(PodBehaviour {
            annotations,
            start_delay: self.delay(&stated, "pod-start-delay", "pod-start-jitter", names)?,
            fail_create: fail("fail-pod-create")?,
            fail_start: fail("fail-pod-start")?,
        })
    }

    /// Draws a delay from the annotations `name` and `jitter`; zero if neither is stated.
    fn delay(
        &self,
        stated: &Annotations,
        name: &str,
        jitter: &str,
        names: &[&str],
    ) -> Result<Duration> {
        behaviour::drawn(stated, name, jitter, &mut self.random(names, name))
            .map(Option::unwrap_or_default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::behaviour::ProcessBehaviour;
    use containerd_sandbox::Code;

    fn stated(said: &[(&str, &str)]) -> Annotations {
        let mut stated = Annotations::default();
        for (name, value) in said {
            stated.add(name, value).unwrap();
        }
        stated
    }

    #[test]
    fn a_container_without_annotations_has_the_default_behaviour() {
        let drawn = Profile::default().container(&Annotations::default(), Vec::new(), &["c"]);
        let drawn = drawn.unwrap();
        assert!(drawn.conduct.is_none() && drawn.fail_create.is_none());
        assert_eq!(drawn.process, ProcessBehaviour::default());
    }

    #[test]
    fn a_file_has_defaults_that_annotations_override() {
        let profile = Profile::parse(
            "seed = 7\n[defaults]\nexit-after = \"uniform 1s 2s\"\nexit-code = 3\nlog-lines-per-second = 0.5\n\
             [[fail]]\ncall = \"create-container\"\nwhen = \"every 2 unavailable\"",
        )
        .unwrap();
        let drawn =
            |names: &[&str], said| profile.container(&stated(said), Vec::new(), names).unwrap();
        let one = drawn(&["a"], &[]);
        let after = one.process.planned_exit.ends_after.unwrap();
        assert!((1.0..=2.0).contains(&after.as_secs_f64()), "{after:?}");
        assert_eq!(
            one.process,
            drawn(&["a"], &[]).process,
            "the same every time"
        );
        assert_ne!(one.process, drawn(&["b"], &[]).process);
        let own = drawn(&["a"], &[("exit-code", "4")]);
        assert_eq!(own.process.planned_exit.exit_code, 4);
        assert!((own.conduct.unwrap().log_lines_per_second - 0.5).abs() < f64::EPSILON);
        let fails: Vec<bool> = (0..4)
            .map(|_| {
                profile
                    .check(tried(Call::CreateContainer, &["x"], 1))
                    .is_err()
            })
            .collect();
        assert_eq!(fails, [false, true, false, true]);
        assert!(
            profile
                .check(tried(Call::StartContainer, &["x"], 1))
                .is_ok()
        );
    }

    #[test]
    fn the_same_seed_fails_the_same_calls() {
        let victims = |seed: u64| -> Vec<usize> {
            let file = format!(
                "seed = {seed}\n[[fail]]\ncall = \"create-pod\"\nwhen = \"share 0.1 internal\""
            );
            let profile = Profile::parse(&file).unwrap();
            let fails = |n: &usize| {
                profile
                    .check(tried(Call::CreatePod, &[&format!("pod-{n}")], 1))
                    .is_err()
            };
            (0..1000).filter(fails).collect()
        };
        assert_eq!(victims(1), victims(1));
        assert_ne!(victims(1), victims(2));
    }

    fn tried<'a>(call: Call, names: &'a [&'a str], nth: u64) -> Try<'a> {
        Try { call, names, nth }
    }

    #[test]
    fn a_share_is_drawn_anew_for_each_try() {
        let file = "[[fail]]\ncall = \"create-pod\"\nwhen = \"share 0.5 internal\"";
        let profile = Profile::parse(file).unwrap();
        for pod in 0..50 {
            let name = format!("pod-{pod}");
            let tries = 1..30;
            let fails = |nth: &u64| {
                profile
                    .check(tried(Call::CreatePod, &[&name], *nth))
                    .is_err()
            };
            let failed = tries.filter(fails).count();
            assert!((1..29).contains(&failed), "{name}: {failed}");
        }
    }

    #[test]
    fn pulls_of_some_images_fail_or_are_slow() {
        let profile = Profile::parse(
            r#"
            [[fail]]
            call = "pull-image"
            image = "*/broken:*"
            when = "not-found"
            [[fail]]
            call = "pull-image"
            image = "docker.io/library/flaky:*"
            when = "first 2 unavailable"
            [[slow-pull]]
            image = "slow.example.com/*"
            delay = "30s"
            "#,
        )
        .unwrap();
        let pull = |names: &[&str]| profile.pull(names);
        for _ in 0..3 {
            let error = pull(&["docker.io/team/broken:1"]).unwrap_err();
            assert_eq!(error.code(), Code::NotFound);
        }
        let flaky = || pull(&["flaky", "docker.io/library/flaky:latest"]);
        let fails = [1, 2, 3].map(|_| flaky().is_err());
        assert_eq!(fails, [true, true, false]);
        assert!(
            pull(&["docker.io/library/flaky:2"]).is_err(),
            "counted by image"
        );
        let slow = pull(&["slow.example.com/app:1"]).unwrap();
        assert_eq!(slow, Duration::from_secs(30));
        assert_eq!(pull(&["nginx"]).unwrap(), Duration::ZERO);
    }

    #[test]
    fn an_invalid_setting_is_named() {
        for (file, word) in [
            ("seeds = 1", "seeds"),
            ("[defaults]\nexit-afer = \"1s\"", "exit-afer"),
            ("[defaults]\ncpu = \"much\"", "cpu"),
            ("[defaults]\non-signal = \"KILL=0\"", "on-signal"),
            ("[defaults]\npod-start-delay = \"soon\"", "pod-start-delay"),
            ("[defaults]\nfail-start = \"ok\"", "fail-start"),
            (
                "[defaults]\nlog-lines-per-second = 1e9",
                "log-lines-per-second",
            ),
            ("[images]\nbytes-per-second = 0", "bytes-per-second"),
            ("[[slow-pull]]\nimage = \"a\"\ndelay = \"soon\"", "delay"),
            (
                "[[fail]]\ncall = \"start-pod\"\nimage = \"a\"\nwhen = \"internal\"",
                "pull-image",
            ),
            ("[[fail]]\ncall = \"dance\"\nwhen = \"internal\"", "dance"),
            ("[[fail]]\ncall = \"start-pod\"\nwhen = \"ok\"", "\"ok\""),
        ] {
            let error = Profile::parse(file).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().contains(word), "{error}");
        }
        let missing = Profile::read(Path::new("/nowhere/behaviour.toml")).unwrap_err();
        assert!(
            missing.to_string().contains("/nowhere/behaviour.toml"),
            "{missing}"
        );
    }
}
