//! Reader of loadgen's traces: pods with their arrivals and stays, in JSON Lines.

use std::borrow::Cow;
use std::io::BufRead;
use std::sync::Arc;

use kube_resources::Quantity;
use serde::Deserialize;

use crate::api::{Container, Labels, PodSpec, ResourceRequirements};
use crate::journal::request_of_shares;
use crate::lines::Lines;
use crate::{InventoryBuilder, Pod, ReadError, ResourceName, Source, Timestamp};

/// Schema in the head of a trace.
pub(crate) const SCHEMA: &str = "resource-slot.loadgen.trace";
/// Version of the schema that is known.
const VERSION: u32 = 1;
/// Period of a CPU quota in a trace, in microseconds.
const PERIOD_US: u64 = 100_000;
/// Application of pods whose application a trace does not know.
const NO_APP: &str = "recorded";

#[derive(Deserialize)]
struct Head {
    schema: String,
    schema_version: u32,
    pods: u64,
}

#[derive(Deserialize)]
struct Arrived<'a> {
    at_ns: u64,
    #[serde(borrow)]
    pod: TracePod<'a>,
}

#[derive(Deserialize)]
struct TracePod<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    app: Cow<'a, str>,
    #[serde(borrow)]
    containers: Vec<TraceContainer<'a>>,
    life: Life,
}

#[derive(Deserialize)]
struct TraceContainer<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    image: Cow<'a, str>,
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    shares: u64,
    #[serde(default)]
    quota_us: Option<u64>,
    #[serde(default)]
    memory_limit: Option<u64>,
    #[serde(default)]
    memory_reservation: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    /// Milliseconds.
    For(u64),
    Held,
    CrashLoop(serde::de::IgnoredAny),
    RestartAlways(serde::de::IgnoredAny),
}

/// Reads a trace.
///
/// # Errors
/// A trace that cannot be read, is of another version, or is truncated.
pub(crate) fn read_trace(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let name = builder.text(file);
    let place = |line| Source {
        file: Arc::clone(&name),
        line,
    };
    let mut lines = Lines::new(reader);
    let mut expected = 0;
    let (mut pods, mut last) = (0, 0);
    let mut lacks = Lacks::default();
    while let Some((number, line)) = lines.next().map_err(|error| ReadError::io(file, error))? {
        let wrong = |error: serde_json::Error| {
            ReadError::wrong(place(number), "", format!("not a trace: {error}"))
        };
        if number == 1 {
            let head: Head = serde_json::from_slice(line).map_err(wrong)?;
            if head.schema != SCHEMA || head.schema_version != VERSION {
                let message = format!(
                    "{:?} version {}, and {SCHEMA:?} version {VERSION} is known",
                    head.schema, head.schema_version
                );
                return Err(ReadError::wrong(place(1), "schema", message));
            }
            expected = head.pods;
            continue;
        }
        let Arrived { at_ns, pod } = serde_json::from_slice(line).map_err(wrong)?;
        if at_ns < last {
            let message = "before that of the line above";
            return Err(ReadError::wrong(place(number), "at_ns", message));
        }
        last = at_ns;
        pods += 1;
        let arrival = i64::try_from(at_ns).unwrap_or(i64::MAX);
        lacks.count(&pod);
        let departure = match pod.life {
            Life::For(millis) => {
                let nanos = i64::try_from(millis).unwrap_or(i64::MAX);
                Some(arrival.saturating_add(nanos.saturating_mul(1_000_000)))
            }
            Life::Held | Life::CrashLoop(_) | Life::RestartAlways(_) => None,
        };
        let spec = PodSpec {
            containers: pod.containers.iter().map(container_of).collect(),
            ..PodSpec::default()
        };
        let app = Some(&*pod.app).filter(|app| *app != NO_APP && !app.is_empty());
        let label = |app: &str| ("app".to_owned(), app.to_owned());
        let labels: Labels = app.map(label).into_iter().collect();
        let pod = Pod {
            namespace: builder.text(&pod.namespace),
            name: (&*pod.name).into(),
            uid: Some((&*pod.uid).into()),
            template: builder.template(labels, spec),
            owner: app.map(|app| builder.owner("Application", app)),
            node: None,
            arrival: Some(Timestamp(arrival)),
            departure: departure.map(Timestamp),
            source: place(number),
        };
        builder.add_pod(pod);
    }
    if pods != expected {
        let message = format!("{expected}, and {pods} follow");
        return Err(ReadError::wrong(place(1), "pods", message));
    }
    if pods > 0 && builder.takes_load() {
        lacks.state(builder, file);
    }
    Ok(())
}

/// Numbers of pods of which a trace lacks something.
#[derive(Default)]
struct Lacks {
    departure: u64,
    /// Pods with a memory limit for each container.
    request: u64,
    memory: u64,
}

impl Lacks {
    fn count(&mut self, pod: &TracePod<'_>) {
        self.departure += u64::from(!matches!(pod.life, Life::For(_)));
        let of_containers = pod.containers.iter().map(|container| &container.resources);
        let unstated = of_containers.filter(|resources| resources.memory_reservation.is_none());
        match unstated.map(|one| one.memory_limit.is_some()).min() {
            Some(true) => self.request += 1,
            Some(false) => self.memory += 1,
            None => {}
        }
    }

    fn state(&self, builder: &mut InventoryBuilder, file: &str) {
        let begin = Timestamp(0);
        builder.assume(format!(
            "{file}: a trace has no date: its first pod arrives at {begin}, and a stay counts \
             from the arrival"
        ));
        for (count, text) in [
            (
                self.departure,
                "stay to the end: a trace does not say when they depart",
            ),
            (
                self.request,
                "state no memory request, and the memory limit is taken for it",
            ),
            (
                self.memory,
                "have an unknown memory request, which counts as none",
            ),
        ] {
            if count > 0 {
                builder.assume(format!("{file}: {count} pods {text}"));
            }
        }
    }
}

fn container_of(container: &TraceContainer<'_>) -> Container {
    let of = &container.resources;
    let mut resources = ResourceRequirements::default();
    let ResourceRequirements { requests, limits } = &mut resources;
    let mut put = |is_limit: bool, name: &str, quantity: Option<Quantity>| {
        let list = if is_limit {
            &mut *limits
        } else {
            &mut *requests
        };
        list.extend(quantity.map(|quantity| (name.to_owned(), quantity)));
    };
    let shares = i64::try_from(of.shares).unwrap_or(i64::MAX);
    let request = request_of_shares(shares).map(Quantity::from_milli);
    let limit = of
        .quota_us
        .map(|quota| quota.saturating_mul(1000).div_ceil(PERIOD_US));
    let (cpu, memory) = (ResourceName::CPU, ResourceName::MEMORY);
    put(false, cpu, request);
    put(true, cpu, limit.map(Quantity::from_milli));
    put(
        false,
        memory,
        of.memory_reservation.map(Quantity::from_bytes),
    );
    put(true, memory, of.memory_limit.map(Quantity::from_bytes));
    Container {
        name: container.name.clone().into_owned(),
        image: container.image.clone().into_owned(),
        resources,
        ..Container::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"schema":"resource-slot.loadgen.trace","schema_version":1,"source":"a run","pods":2,"plan_hash":"00"}"#;
    const POD: &str = r#"{"at_ns":5,"pod":{"index":0,"sandbox_id":"s","name":"web-0","uid":"u","namespace":"n","app":"web","containers":[{"id":"c","name":"c0","image":"i","resources":{"shares":102,"quota_us":20000,"memory_limit":9,"memory_reservation":4,"pids":1},"end":{"signal":"kill"}}],"life":{"for":7}}}"#;

    fn read(text: &str) -> Result<crate::Inventory, ReadError> {
        let mut builder = InventoryBuilder::new();
        crate::read(&mut builder, "t.jsonl", &mut text.as_bytes())?;
        builder.finish()
    }

    #[test]
    fn a_trace_has_requests_arrivals_and_stays_and_what_it_lacks_is_stated() {
        let second = POD
            .replace("web-0", "web-1")
            .replace(r#""memory_reservation":4,"#, "")
            .replace(r#"{"for":7}"#, r#""held""#);
        let inventory = read(&format!("{HEAD}\n{POD}\n{second}\n")).unwrap();
        let [first, second] = &inventory.pods[..] else {
            panic!("{inventory:?}")
        };
        assert_eq!(first.arrival, Some(Timestamp(5)));
        assert_eq!(first.departure, Some(Timestamp(7_000_005)));
        assert_eq!(&*first.owner.as_ref().unwrap().name, "web");
        let effective = &first.template.effective;
        assert_eq!(
            (effective.requests.cpu(), effective.requests.memory()),
            (100, 4)
        );
        assert_eq!(
            (effective.limits.cpu(), effective.limits.memory()),
            (200, 9)
        );
        assert_eq!(second.departure, None);
        assert_eq!(second.template.effective.requests.memory(), 9);
        let stated: Vec<&str> = inventory.assumptions.iter().map(|one| &*one.0).collect();
        assert_eq!(stated.len(), 3, "{stated:?}");
        assert!(stated[0].contains("no date") && stated[1].contains("1 pods stay"));
        assert!(stated[2].contains("1 pods state no memory request"));
    }

    #[test]
    fn a_truncated_or_foreign_trace_is_an_error() {
        for (text, expected) in [
            (
                format!("{HEAD}\n{POD}\n"),
                "t.jsonl:1: pods: 2, and 1 follow",
            ),
            (
                format!("{HEAD}\n{}", &POD[..90]),
                "t.jsonl:2: not a trace: EOF",
            ),
            (
                HEAD.replace("\"schema_version\":1", "\"schema_version\":2"),
                "t.jsonl:1: schema: \"resource-slot.loadgen.trace\" version 2",
            ),
            (
                format!("{HEAD}\n{POD}\n{}\n", POD.replace(":5,", ":4,")),
                "t.jsonl:3: at_ns: before that of the line above",
            ),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}\nnot {expected}");
        }
    }
}
