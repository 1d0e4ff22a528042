//! A client's ledger of acknowledged steps: a seeded load of random legal steps, and the facts
//! that must be on the disk after a crash.
//!
//! Facts are words, spelled as in `inspect --json`. The ledger shares no code with the sandboxer's
//! state machines.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use containerd_sandbox::client::Ttrpc;
use containerd_sandbox::{Code, Error, Result};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde_json::{Value, json};

use crate::{Home, PATIENCE, bundle, eventually, request, spec};

const CONTAINERS: [&str; 3] = ["a", "b", "c"];
/// Exec ids: a container's first process and two execs.
const PROCESSES: [&str; 3] = ["", "x", "y"];
const SANDBOXES: usize = 4;

/// Known facts of one sandbox.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    state: &'static str,
    exit: Option<u32>,
    containers: BTreeMap<String, ContainerFacts>,
}

#[derive(Debug, Clone, PartialEq)]
struct ContainerFacts {
    memory: u64,
    /// Processes by exec id; the first process has the empty id.
    processes: BTreeMap<&'static str, ProcessFacts>,
}

#[derive(Debug, Clone, PartialEq)]
struct ProcessFacts {
    state: &'static str,
    exit: Option<u32>,
}

impl ProcessFacts {
    const CREATED: Self = Self {
        state: "created",
        exit: None,
    };

    fn end(&mut self, code: u32) {
        if self.state != "stopped" {
            self.state = "stopped";
            self.exit = Some(code);
        }
    }
}

type Book = BTreeMap<String, Facts>;

#[derive(Debug, Clone)]
enum Step {
    CreateSandbox,
    StartSandbox,
    StopSandbox,
    ShutdownSandbox,
    Create(&'static str, u64),
    Update(&'static str, u64),
    Pause(&'static str),
    Resume(&'static str),
    Exec(&'static str, &'static str),
    Start(&'static str, &'static str),
    Kill(&'static str, &'static str),
    Delete(&'static str, &'static str),
}

impl Step {
    /// Returns the facts after each record of this step; `None` after the deletion of the sandbox.
    /// Empty if the step is not legal now.
    fn outcomes(&self, facts: Option<&Facts>) -> Vec<Option<Facts>> {
        let Some(before) = facts else {
            let created = Facts {
                state: "created",
                ..Default::default()
            };
            return match self {
                Step::CreateSandbox => vec![Some(created)],
                _ => Vec::new(),
            };
        };
        let mut after = before.clone();
        let done = match *self {
            Step::CreateSandbox => false,
            Step::StartSandbox => {
                after.state = "ready";
                before.state == "created"
            }
            Step::StopSandbox => {
                after.stop(0);
                before.state != "not_ready"
            }
            Step::ShutdownSandbox if before.state == "not_ready" => return vec![None],
            Step::ShutdownSandbox => {
                after.stop(137);
                return vec![Some(after), None];
            }
            Step::Create(id, memory) => {
                let new = ContainerFacts {
                    memory,
                    processes: BTreeMap::from([("", ProcessFacts::CREATED)]),
                };
                before.state == "ready" && after.containers.insert(id.to_owned(), new).is_none()
            }
            Step::Update(id, memory) => after.containers.get_mut(id).is_some_and(|container| {
                container.memory = memory;
                container.processes[""].state != "stopped"
            }),
            Step::Pause(id) => after.step(id, "", "running", "paused"),
            Step::Resume(id) => after.step(id, "", "paused", "running"),
            Step::Exec(id, exec) => after.containers.get_mut(id).is_some_and(|container| {
                container.processes[""].state == "running"
                    && container
                        .processes
                        .insert(exec, ProcessFacts::CREATED)
                        .is_none()
            }),
            Step::Start(id, exec) => after.step(id, exec, "created", "running"),
            Step::Kill(id, exec) => after.kill(id, exec, 143),
            Step::Delete(id, exec) => {
                let ended = after.kill(id, exec, 137).then(|| Some(after.clone()));
                let state = before
                    .containers
                    .get(id)
                    .and_then(|c| c.processes.get(exec));
                if !state.is_some_and(|process| ["created", "stopped"].contains(&process.state)) {
                    return Vec::new();
                }
                if exec.is_empty() {
                    after.containers.remove(id);
                } else if let Some(container) = after.containers.get_mut(id) {
                    container.processes.remove(exec);
                }
                return ended.into_iter().chain([Some(after)]).collect();
            }
        };
        if done { vec![Some(after)] } else { Vec::new() }
    }

    async fn call(&self, client: &Ttrpc, sandbox: &str, files: &Path) -> Result<()> {
        let id = |container: &str| format!("{sandbox}-{container}");
        match *self {
            Step::CreateSandbox => {
                let request = request::create_sandbox(sandbox);
                client.create_sandbox(&request).await.map(drop)
            }
            Step::StartSandbox => {
                let request = request::start_sandbox(sandbox);
                client.start_sandbox(&request).await.map(drop)
            }
            Step::StopSandbox => {
                let request = request::stop_sandbox(sandbox);
                client.stop_sandbox(&request).await.map(drop)
            }
            Step::ShutdownSandbox => {
                let request = request::shutdown_sandbox(sandbox);
                client.shutdown_sandbox(&request).await.map(drop)
            }
            Step::Create(container, memory) => {
                let resources = json!({ "memory": { "limit": memory } });
                let bundle = bundle(files, &id(container), &spec(sandbox, &resources));
                let request = request::create(&id(container), &bundle);
                client.create(&request).await.map(drop)
            }
            Step::Update(container, memory) => {
                let resources = json!({ "memory": { "limit": memory } });
                let request = request::update(&id(container), &resources);
                client.update(&request).await.map(drop)
            }
            Step::Pause(container) => client
                .pause(&request::pause(&id(container)))
                .await
                .map(drop),
            Step::Resume(container) => {
                let request = request::resume(&id(container));
                client.resume(&request).await.map(drop)
            }
            Step::Exec(container, exec) => {
                let request = request::exec(&id(container), exec, &["sleep", "3600"]);
                client.exec(&request).await.map(drop)
            }
            Step::Start(container, exec) => {
                let request = request::start(&id(container), exec);
                client.start(&request).await.map(drop)
            }
            Step::Kill(container, exec) => {
                let request = request::kill(&id(container), exec, 15);
                client.kill(&request).await.map(drop)
            }
            Step::Delete(container, exec) => {
                let request = request::delete(&id(container), exec);
                client.delete(&request).await.map(drop)
            }
        }
    }

    /// Draws a legal step.
    fn draw(rng: &mut impl Rng, facts: Option<&Facts>) -> (Self, Vec<Option<Facts>>) {
        loop {
            let container = CONTAINERS.choose(rng).expect("there are some");
            let process = PROCESSES.choose(rng).expect("there are some");
            let memory = rng.random_range(1..1000) << 20;
            // Ends are rarer than beginnings, so that sandboxes grow.
            let step = match rng.random_range(0..40) {
                0..4 => Step::CreateSandbox,
                4..8 => Step::StartSandbox,
                8 => Step::StopSandbox,
                9 if rng.random_bool(0.3) => Step::ShutdownSandbox,
                9..16 => Step::Create(container, memory),
                16..19 => Step::Update(container, memory),
                19..21 => Step::Pause(container),
                21..23 => Step::Resume(container),
                23..27 if !process.is_empty() => Step::Exec(container, process),
                27..33 => Step::Start(container, process),
                33..36 => Step::Kill(container, process),
                36..40 => Step::Delete(container, process),
                _ => continue,
            };
            let outcomes = step.outcomes(facts);
            if !outcomes.is_empty() {
                return (step, outcomes);
            }
        }
    }
}

impl Facts {
    fn step(&mut self, id: &str, exec: &str, from: &str, to: &'static str) -> bool {
        let container = self.containers.get_mut(id);
        match container.and_then(|c| c.processes.get_mut(exec)) {
            Some(process) if process.state == from => {
                process.state = to;
                true
            }
            _ => false,
        }
    }

    /// Ends a process; with a container's first process, the others, too.
    fn kill(&mut self, id: &str, exec: &str, code: u32) -> bool {
        let Some(container) = self.containers.get_mut(id) else {
            return false;
        };
        let alive = |p: &&mut ProcessFacts| p.state != "stopped";
        let Some(process) = container.processes.get_mut(exec).filter(alive) else {
            return false;
        };
        process.end(code);
        if exec.is_empty() {
            container.processes.values_mut().for_each(|p| p.end(137));
        }
        true
    }

    fn stop(&mut self, code: u32) {
        let processes = self
            .containers
            .values_mut()
            .flat_map(|c| c.processes.values_mut());
        processes.for_each(|p| p.end(137));
        self.state = "not_ready";
        self.exit = Some(code);
    }

    /// Converts a sandbox in the output of `inspect`.
    fn of(entry: &Value) -> Self {
        let sandbox = entry["id"].as_str().expect("an id");
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let containers = list(&entry["slot"]["containers"]).into_iter().map(|c| {
            let execs = list(&c["execs"]).into_iter().map(|pair| {
                let exec = word(&PROCESSES, &pair[0]);
                (exec, process_of(&pair[1]))
            });
            let facts = ContainerFacts {
                memory: c["info"]["memory_limit"].as_u64().expect("a limit"),
                processes: execs.chain([("", process_of(&c["init"]))]).collect(),
            };
            let id = c["id"].as_str().expect("an id");
            let own = id.strip_prefix(sandbox).expect("ids begin alike");
            (own.trim_start_matches('-').to_owned(), facts)
        });
        let facts = Self {
            state: word(&["created", "ready", "not_ready"], &entry["slot"]["state"]),
            exit: exit_of(&entry["slot"]),
            containers: containers.collect(),
        };
        let sum = facts.containers.values().map(|c| c.memory).sum::<u64>();
        let shown = entry["resource_info"]["memory_limit"].as_u64();
        assert_eq!(shown, (sum > 0).then_some(sum), "{entry:#}");
        facts
    }
}

fn word(words: &[&'static str], value: &Value) -> &'static str {
    let found = words.iter().find(|word| **word == *value);
    found.unwrap_or_else(|| panic!("{value} is none of {words:?}"))
}

fn exit_of(value: &Value) -> Option<u32> {
    let code = value["exit"]["code"].as_u64()?;
    Some(u32::try_from(code).expect("an exit code"))
}

fn process_of(value: &Value) -> ProcessFacts {
    let states = ["created", "running", "paused", "stopped"];
    ProcessFacts {
        state: word(&states, &value["state"]),
        exit: exit_of(value),
    }
}

/// A client, its ledger, and the step without a reply.
pub struct Client {
    name: String,
    book: Book,
    in_flight: Option<(String, Step, Vec<Option<Facts>>)>,
    files: PathBuf,
}

impl Client {
    /// Creates a client with an empty ledger. Bundles are written to `files`.
    pub fn new(name: String, files: &Path) -> Self {
        Self {
            name,
            book: Book::new(),
            in_flight: None,
            files: files.to_owned(),
        }
    }

    /// Takes random steps and counts the acknowledged ones, until the connection is lost. Returns
    /// the error of that.
    ///
    /// # Panics
    /// If a legal step is refused.
    pub async fn load(
        &mut self,
        client: &Ttrpc,
        rng: &mut impl Rng,
        acknowledged: &AtomicU64,
    ) -> Error {
        loop {
            let sandbox = format!("{}-{}", self.name, rng.random_range(0..SANDBOXES));
            let (step, outcomes) = Step::draw(rng, self.book.get(&sandbox));
            match step.call(client, &sandbox, &self.files).await {
                Ok(()) => {
                    let after = outcomes
                        .into_iter()
                        .last()
                        .expect("legal steps do something");
                    self.set(sandbox, after);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Err(e) if e.code() == Code::Unavailable => {
                    self.in_flight = Some((sandbox, step, outcomes));
                    return e;
                }
                Err(e) => panic!(
                    "{step:?} of {sandbox} is legal: {:#?}, but: {e}",
                    self.book.get(&sandbox)
                ),
            }
        }
    }

    fn set(&mut self, sandbox: String, facts: Option<Facts>) {
        match facts {
            Some(facts) => self.book.insert(sandbox, facts),
            None => self.book.remove(&sandbox),
        };
    }

    /// Compares the output of `inspect` with the ledger. The step in flight may have happened, in
    /// whole or up to one of its records; the ledger takes over the facts that are found.
    ///
    /// # Panics
    /// If an acknowledged step is missing, or a fact follows from no step.
    pub fn settle(&mut self, inspect: &Value) {
        let slots = inspect["slots"].as_array().expect("slots");
        let prefix = format!("{}-", self.name);
        let mut found: Book = slots
            .iter()
            .filter_map(|slot| Some((slot["id"].as_str()?, slot)))
            .filter(|(id, _)| id.starts_with(&prefix))
            .map(|(id, slot)| (id.to_owned(), Facts::of(slot)))
            .collect();
        if let Some((sandbox, step, outcomes)) = self.in_flight.take() {
            let now = found.remove(&sandbox);
            let before = self.book.remove(&sandbox);
            assert!(
                now == before || outcomes.contains(&now),
                "{step:?} of {sandbox} was in flight\nbefore: {before:#?}\nnow: {now:#?}"
            );
            assert_eq!(found, self.book);
            self.set(sandbox, now);
        } else {
            assert_eq!(found, self.book);
        }
    }

    /// Requests all objects of the ledger from a running sandboxer.
    ///
    /// # Panics
    /// If a reply differs from the ledger.
    pub async fn verify(&self, client: &Ttrpc) {
        for (sandbox, facts) in &self.book {
            let status = client
                .sandbox_status(&request::sandbox_status(sandbox))
                .await;
            let status = status.unwrap_or_else(|e| panic!("{sandbox}: {e}"));
            let ready = facts.state == "ready";
            assert_eq!(status.state == "SANDBOX_READY", ready, "{sandbox}");
            for (container, facts) in &facts.containers {
                let id = format!("{sandbox}-{container}");
                for (exec, process) in &facts.processes {
                    let state = client.state(&request::state(&id, exec)).await;
                    let state = state.unwrap_or_else(|e| panic!("{id} {exec}: {e}"));
                    let shown = format!("{:?}", state.status.enum_value_or_default());
                    assert_eq!(shown.to_lowercase(), process.state, "{id} {exec}");
                    assert_eq!(state.exit_status, process.exit.unwrap_or(0), "{id} {exec}");
                }
            }
        }
    }
}

/// Views by their directories; `None` for a missing file.
type Shown = BTreeMap<String, Option<Value>>;

/// Compares the views on the disk with the output of `inspect`, after a running daemon has
/// written pending ones.
///
/// # Panics
/// If a view is missing, differs, or belongs to no sandbox.
pub fn compare_views(home: &Home, inspect: &Value) {
    let mut expected = Shown::from(["journal", "lock"].map(|name| (name.to_owned(), None)));
    for slot in inspect["slots"].as_array().expect("slots") {
        let sandbox = slot["id"].as_str().expect("an id");
        expected.insert(sandbox.to_owned(), Some(slot["resource_info"].clone()));
        for container in slot["slot"]["containers"].as_array().into_iter().flatten() {
            let id = container["id"].as_str().expect("an id");
            let dir = format!("{sandbox}/containers/{id}");
            expected.insert(dir, Some(container["info"].clone()));
        }
    }
    let give_up = Instant::now() + PATIENCE / 2;
    let found = eventually("the views to agree", || {
        let found = shown(&home.dir());
        (found == expected || Instant::now() > give_up).then_some(found)
    });
    assert_eq!(found, expected);
}

/// Returns whether a name is no sandbox's: the directory in which views are written, and the
/// file of the images.
const NO_VIEWS: [&str; 3] = [".spare", "images.json", ".images.json.spare"];

fn shown(dir: &Path) -> Shown {
    let view = |path: String| {
        let json = std::fs::read(dir.join(&path).join("resource_info.json")).ok();
        let info = json.map(|json| serde_json::from_slice(&json).expect("a view is whole"));
        (path, info)
    };
    let of_sandbox = |sandbox: String| {
        let containers = format!("{sandbox}/containers");
        let ids = names(&dir.join(&containers)).into_iter();
        let ids = ids.map(move |id| format!("{containers}/{id}"));
        std::iter::once(sandbox).chain(ids)
    };
    names(dir)
        .into_iter()
        .filter(|name| !NO_VIEWS.contains(&name.as_str()))
        .flat_map(of_sandbox)
        .map(view)
        .collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Returns the names in a directory, sorted; none if the directory is missing.
///
/// # Panics
/// If a name is not UTF-8.
pub fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    sorted(
        entries
            .map(|entry| entry.expect("readable").file_name())
            .map(|name| name.into_string().expect("names are UTF-8"))
            .collect(),
    )
}
