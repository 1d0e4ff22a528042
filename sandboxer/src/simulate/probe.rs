//! Answers of containers to probes, as annotations state them.

use std::time::Duration;

use containerd_sandbox::Result;

use super::annotations::Annotations;
use super::behaviour;
use super::delay::{self, Delay};
use super::failure::When;
use super::ports::{self, MAX_PORTS};
use super::random::Random;
use slot::{Container, Moment, ProbeBehaviour, ProcessState};

/// Longest body of an answer, in bytes.
const MAX_BODY: usize = 4 << 10;
/// Largest number of status codes for single paths, and of services.
const MAX_ENTRIES: usize = 64;

/// Valid conditions, for messages.
const RIGHT_FAIL: &str = "always, first N, nth N, every N or share S (0 to 1)";
/// Valid status codes, for messages.
const RIGHT_STATUS: &str = "a status code from 200 to 599, PATH=CODE, or several of these";

/// Status code of HTTP for an answer that is good, unless another one is stated.
const OK: u16 = 200;

/// Draws the answers that annotations state; `None` if they state none.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and the valid values.
pub(crate) fn of_annotations(
    stated: &Annotations,
    random: &mut Random,
) -> Result<Option<Box<ProbeBehaviour>>> {
    let time = |text: &str| humantime::parse_duration(text).ok();
    let ready_after = behaviour::drawn(stated, "probe-ready-after", "probe-ready-jitter", random)?;
    let probes = ProbeBehaviour {
        ports: stated
            .get("probe-ports", "at most 64 port numbers", read_ports)?
            .unwrap_or_default(),
        ready_after: ready_after.unwrap_or_default(),
        ready_for: stated.get("probe-ready-for", "a time such as 5m", time)?,
        answers_unready: stated
            .get("probe-unready", "refuse or answer", |text| match text {
                "refuse" => Some(false),
                "answer" => Some(true),
                _ => None,
            })?
            .unwrap_or(false),
        fail: stated.get("probe-fail", RIGHT_FAIL, |text| {
            condition(text).map(|_| text.to_owned())
        })?,
        delay: stated.get("probe-delay", delay::RIGHT, |text| {
            text.parse::<Delay>().ok().map(|_| text.to_owned())
        })?,
        jitter: stated
            .get("probe-jitter", "a time such as 250ms", time)?
            .unwrap_or_default(),
        status: stated.get("probe-status", RIGHT_STATUS, |text| {
            let codes: Option<Vec<_>> = entries(text).map(read_code).collect();
            let count = codes?.len();
            (1..=MAX_ENTRIES).contains(&count).then(|| text.to_owned())
        })?,
        body: stated.get("probe-body", "a text of at most 4096 bytes", |text| {
            (text.len() <= MAX_BODY).then(|| text.to_owned())
        })?,
        services: stated
            .get("probe-services", "at most 64 names", |text| {
                let names: Vec<String> = entries(text).map(str::to_owned).collect();
                (names.len() <= MAX_ENTRIES).then_some(names)
            })?
            .unwrap_or_default(),
    };
    Ok((probes != ProbeBehaviour::default()).then(|| Box::new(probes)))
}

/// Splits a list at commas and blanks.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(|c: char| c == ',' || c.is_ascii_whitespace());
    parts.filter(|entry| !entry.is_empty())
}

fn read_ports(text: &str) -> Option<Vec<u16>> {
    let port = |entry: &str| entry.parse().ok().filter(|port| *port != 0);
    let ports: Vec<u16> = entries(text).map(port).collect::<Option<_>>()?;
    (ports.len() <= MAX_PORTS).then(|| ports::bounded(ports))
}

fn condition(text: &str) -> Option<When> {
    When::parse(&text.split_whitespace().collect::<Vec<_>>())
}

/// Reads one entry of `probe-status`: the path, `None` for all paths, and the code.
fn read_code(entry: &str) -> Option<(Option<&str>, u16)> {
    let (path, code) = match entry.rsplit_once('=') {
        Some((path, code)) => (Some(path), code),
        None => (None, entry),
    };
    let is_path = path.is_none_or(|path| path.starts_with('/'));
    let code: u16 = code.parse().ok()?;
    ((200..=599).contains(&code) && is_path).then_some((path, code))
}

/// Returns the status code of a good answer to a request for a path.
pub(crate) fn status(probes: Option<&ProbeBehaviour>, path: &str) -> u16 {
    let text = probes.and_then(|probes| probes.status.as_deref());
    let codes = entries(text.unwrap_or_default()).filter_map(read_code);
    let mut found = OK;
    for (of_path, code) in codes {
        match of_path {
            Some(of_path) if of_path == path => return code,
            Some(_) => {}
            None => found = code,
        }
    }
    found
}

/// Readiness of a container that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Whether the container is ready.
    pub(crate) is_ready: bool,
    /// Time until that changes; `None` if it stays as it is, or stands still in a pause.
    pub(crate) changes_in: Option<Duration>,
}

/// Returns whether a container is ready, by the time that it has run.
pub(crate) fn readiness(container: &Container, now: impl Into<Moment>) -> Readiness {
    let Some(probes) = of_container(container) else {
        return Readiness {
            is_ready: true,
            changes_in: None,
        };
    };
    let ran = Duration::from_nanos(container.init.ran_ns(now));
    let end = probes
        .ready_for
        .map(|time| probes.ready_after.saturating_add(time));
    let is_ready = ran >= probes.ready_after && end.is_none_or(|end| ran < end);
    let next = if ran < probes.ready_after {
        Some(probes.ready_after)
    } else {
        end.filter(|end| ran < *end)
    };
    let is_running = container.init.state == ProcessState::Running;
    Readiness {
        is_ready,
        changes_in: next.filter(|_| is_running).map(|at| at.saturating_sub(ran)),
    }
}

/// Returns the stated answers of a container; `None` if none are stated.
pub(crate) fn of_container(container: &Container) -> Option<&ProbeBehaviour> {
    container.behaviour.as_ref()?.probes.as_deref()
}

/// Draws, for the `nth` probe of a container, counted from 1, the delay of the answer and whether
/// the probe fails.
pub(crate) fn draw(container: &Container, nth: u64) -> (Duration, bool) {
    let Some(probes) = of_container(container) else {
        return (Duration::ZERO, false);
    };
    let seed = container.behaviour.as_ref().map_or(0, |stated| stated.seed);
    let mut random = Random::of(seed, &["probe", &nth.to_string()]);
    let delay = probes.delay.as_deref().and_then(|text| text.parse().ok());
    let delay = delay.map_or(Duration::ZERO, |delay: Delay| delay.draw(&mut random));
    let jitter = Delay::Uniform(Duration::ZERO, probes.jitter).draw(&mut random);
    let condition = probes.fail.as_deref().and_then(condition);
    let fails = condition.is_some_and(|when| when.holds(nth, &mut random));
    (delay.saturating_add(jitter), fails)
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::{Behaviour, Change, NewContainer, NewSandbox, ProcessId, Slot, Timestamp};

    fn stated(said: &[(&str, &str)]) -> Result<ProbeBehaviour> {
        let mut annotations = Annotations::default();
        for (name, value) in said {
            annotations.add(name, value)?;
        }
        let read = of_annotations(&annotations, &mut Random::of(1, &[]))?;
        Ok(read.map(|read| *read).unwrap_or_default())
    }

    /// Returns a container that started at the epoch.
    fn container(said: &[(&str, &str)]) -> Container {
        let mut slot = Slot::new(NewSandbox::default(), Timestamp::default());
        let behaviour = Behaviour {
            probes: Some(Box::new(stated(said).unwrap())),
            seed: 3,
            ..Behaviour::default()
        };
        let new = NewContainer {
            id: "c".to_owned(),
            behaviour: Some(Box::new(behaviour)),
            ..NewContainer::default()
        };
        for change in [
            Change::Start,
            Change::CreateContainer(new),
            Change::StartProcess(ProcessId::init("c")),
        ] {
            slot.apply(change, Timestamp::default()).unwrap();
        }
        slot.containers.remove(0)
    }

    fn seconds(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_container_is_ready_between_two_times() {
        let said = [("probe-ready-after", "3s"), ("probe-ready-for", "5s")];
        let mut container = container(&said);
        for (at, is_ready, changes_in) in [
            (0, false, Some(3)),
            (3, true, Some(5)),
            (7, true, Some(1)),
            (8, false, None),
        ] {
            let expected = Readiness {
                is_ready,
                changes_in: changes_in.map(Duration::from_secs),
            };
            assert_eq!(readiness(&container, seconds(at)), expected, "at {at} s");
        }
        container.behaviour = None;
        assert!(readiness(&container, seconds(0)).is_ready);
    }

    #[test]
    fn stated_probes_fail_and_answers_are_late() {
        let said = [
            ("probe-fail", "every 3"),
            ("probe-delay", "1s"),
            ("probe-jitter", "1s"),
        ];
        let container = container(&said);
        let drawn: Vec<_> = (1..=6).map(|nth| draw(&container, nth)).collect();
        let fails: Vec<bool> = drawn.iter().map(|(_, fails)| *fails).collect();
        assert_eq!(fails, [false, false, true, false, false, true]);
        for (delay, _) in &drawn {
            let range = Duration::from_secs(1)..Duration::from_secs(2);
            assert!(range.contains(delay), "{delay:?}");
        }
        assert_ne!(drawn[0].0, drawn[1].0);
        assert_eq!(drawn[0], draw(&container, 1), "the same every time");
    }

    #[test]
    fn a_status_code_is_stated_for_one_path_or_for_all() {
        let probes = stated(&[("probe-status", "204, /ready=503 /a=b=302")]).unwrap();
        for (path, code) in [("/", 204), ("/ready", 503), ("/ready/", 204), ("/a=b", 302)] {
            assert_eq!(status(Some(&probes), path), code, "{path}");
        }
        assert_eq!(status(None, "/"), 200);
    }

    #[test]
    fn an_annotation_that_cannot_be_read_is_named() {
        for (name, value) in [
            ("probe-ports", "0"),
            ("probe-ports", "80,x"),
            ("probe-ready-after", "soon"),
            ("probe-ready-for", "-1s"),
            ("probe-unready", "perhaps"),
            ("probe-fail", "sometimes"),
            ("probe-fail", "every 0"),
            ("probe-delay", "long"),
            ("probe-jitter", "x"),
            ("probe-status", "99"),
            ("probe-status", "600"),
            ("probe-status", "ready=503"),
            ("probe-status", ""),
        ] {
            let message = stated(&[(name, value)]).unwrap_err().to_string();
            let names_both = message.contains(name) && message.contains(value);
            assert!(names_both, "{message}");
        }
        assert_eq!(
            stated(&[("probe-ports", "80, 443")]).unwrap().ports,
            [80, 443]
        );
        assert!(stated(&[("probe-body", &"x".repeat(4097))]).is_err());
    }
}
