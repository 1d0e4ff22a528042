//! The pods that live at a place of the journal, and those that have ended.

use std::collections::HashMap;
use std::sync::Arc;

use super::JournalOptions;
use super::change::{Change, NewContainer, NewSandbox};
use super::config;
use super::line::Record;
use super::notes::Notes;
use super::shared::{ContainerFacts, PodFacts, Shared};
use super::snapshot::Entry;
use super::template::{Memory, Ran, template};
use crate::{InventoryBuilder, Pod, ReadError, Source, Template, Timestamp, owner_of};

/// Namespace of a sandbox that names no pod.
const NO_NAMESPACE: &str = "default";

/// Mark of an init container, beside the number of its facts.
const INITIAL: u32 = 1 << 31;

/// Pods of a journal.
#[derive(Debug)]
pub(super) struct Living {
    pub(super) notes: Notes,
    name: String,
    options: JournalOptions,
    sandboxes: HashMap<Box<str>, Sandbox>,
    /// Ends of sandboxes that were created before the first record that was read.
    unknown: HashMap<Box<str>, Option<Timestamp>>,
    pods: Shared<PodFacts>,
    containers: Shared<ContainerFacts>,
    templates: HashMap<Box<[u32]>, (Arc<Template>, Memory)>,
    /// Places of pods in the inventory by their uid; filled when a pod first gets another sandbox.
    by_uid: Option<HashMap<Arc<str>, usize>>,
    /// Number of pods that the inventory had before.
    offset: Option<usize>,
    key: String,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Sandbox {
    Live(Box<Live>),
    /// Ended, and not removed yet.
    Ended,
}

#[derive(Debug)]
struct Live {
    namespace: Arc<str>,
    name: Arc<str>,
    uid: Option<Arc<str>>,
    arrival: Timestamp,
    facts: u32,
    containers: Vec<LiveContainer>,
    /// Place in the inventory of the pod whose sandbox was another one before.
    continues: Option<usize>,
    is_resized: bool,
    source: Source,
}

#[derive(Debug)]
struct LiveContainer {
    id: Box<str>,
    facts: u32,
    is_initial: bool,
    has_ended_well: bool,
}

impl Living {
    pub(super) fn new(name: &str, options: JournalOptions) -> Self {
        Self {
            notes: Notes::default(),
            name: name.to_owned(),
            options,
            sandboxes: HashMap::new(),
            unknown: HashMap::new(),
            pods: Shared::default(),
            containers: Shared::default(),
            templates: HashMap::new(),
            by_uid: None,
            offset: None,
            key: String::new(),
            bytes: Vec::new(),
        }
    }

    /// Applies a change. `place` gives the place of a line, and `line` is that of the change.
    ///
    /// # Errors
    /// A description of a message that cannot be read.
    pub(super) fn apply(
        &mut self,
        builder: &mut InventoryBuilder,
        place: &dyn Fn(u64) -> Source,
        line: u64,
        record: &Record<'_>,
        change: Change<'_>,
    ) -> Result<(), String> {
        if matches!(change, Change::Other) {
            return Ok(());
        }
        self.key.clear();
        self.key.push_str(&record.namespace);
        self.key.push('/');
        self.key.push_str(&record.sandbox);
        if let Change::Create(new) = &change {
            let live = self.created(builder, &record.sandbox, new, record.at, place(line))?;
            self.unknown.remove(&*self.key);
            let live = Sandbox::Live(Box::new(live));
            self.sandboxes.insert(self.key.as_str().into(), live);
            return Ok(());
        }
        if matches!(change, Change::Delete) {
            match self.sandboxes.remove(&*self.key) {
                Some(Sandbox::Live(live)) => self.emit(builder, *live, Some(record.at)),
                Some(Sandbox::Ended) => {}
                None => self.unknown_ended(record.at),
            }
            return Ok(());
        }
        let Some(sandbox) = self.sandboxes.get_mut(&*self.key) else {
            if matches!(change, Change::Stop) {
                self.unknown_ended(record.at);
            } else {
                self.unknown.entry(self.key.as_str().into()).or_default();
            }
            return Ok(());
        };
        if matches!(change, Change::Stop) {
            if let Sandbox::Live(live) = std::mem::replace(sandbox, Sandbox::Ended) {
                self.emit(builder, *live, Some(record.at));
            }
            return Ok(());
        }
        let Sandbox::Live(live) = sandbox else {
            return Ok(());
        };
        let (pods, containers) = (&mut self.pods, &mut self.containers);
        live.change(pods, containers, &mut self.bytes, change)
    }

    /// Notes the end of a sandbox whose creation was not read.
    fn unknown_ended(&mut self, at: Timestamp) {
        let end = self.unknown.entry(self.key.as_str().into()).or_default();
        end.get_or_insert(at);
    }

    fn created(
        &mut self,
        builder: &mut InventoryBuilder,
        id: &str,
        new: &NewSandbox<'_>,
        arrival: Timestamp,
        source: Source,
    ) -> Result<Live, String> {
        self.offset.get_or_insert(builder.inventory.pods.len());
        let facts = PodFacts::of(new, &mut self.bytes)?;
        let facts = self.pods.number(facts);
        let mut live = Live {
            namespace: builder.text(NO_NAMESPACE),
            name: id.into(),
            uid: None,
            arrival,
            facts,
            containers: Vec::new(),
            continues: None,
            is_resized: false,
            source,
        };
        match &new.pod {
            Some(pod) if !pod.name.is_empty() => {
                live.namespace = match &*pod.namespace {
                    "" => live.namespace,
                    namespace => builder.text(namespace),
                };
                live.name = (&*pod.name).into();
                live.uid = (!pod.uid.is_empty()).then(|| (&*pod.uid).into());
                if let Some(uid) = live.uid.as_ref().filter(|_| pod.attempt > 0) {
                    live.continues = self.earlier(builder, uid);
                }
            }
            _ => self.notes.nameless(),
        }
        Ok(live)
    }

    /// Returns the place of the pod with this uid, whose sandbox has ended.
    fn earlier(&mut self, builder: &InventoryBuilder, uid: &Arc<str>) -> Option<usize> {
        let offset = self.offset.unwrap_or(0);
        let by_uid = self.by_uid.get_or_insert_with(|| {
            let pods = builder.inventory.pods.iter().enumerate().skip(offset);
            let uids = pods.filter_map(|(place, pod)| Some((pod.uid.clone()?, place)));
            uids.collect()
        });
        by_uid.get(uid).copied()
    }

    /// Adds a sandbox of a snapshot.
    pub(super) fn restore(
        &mut self,
        builder: &mut InventoryBuilder,
        source: &Source,
        entry: &Entry<'_>,
    ) -> Result<(), ReadError> {
        let wrong = |what: &str| ReadError::wrong(source.clone(), "slot", what);
        let created_at = entry.created_at();
        let created_at = created_at.ok_or_else(|| wrong("created_at is no time"))?;
        let key = format!("{}/{}", entry.ns, entry.sandbox);
        let known_end = self.unknown.remove(&*key).flatten();
        let sandbox = &entry.slot.sandbox;
        let mut live = self
            .created(builder, &entry.sandbox, sandbox, created_at, source.clone())
            .map_err(|what| wrong(&what))?;
        for container in &entry.slot.containers {
            live.add(&mut self.containers, &mut self.bytes, container)
                .map_err(|what| wrong(&what))?;
        }
        match entry.ended_at().or(known_end) {
            Some(end) => {
                self.emit(builder, live, Some(end));
                self.sandboxes.insert(key.into(), Sandbox::Ended);
            }
            None => {
                let live = Sandbox::Live(Box::new(live));
                self.sandboxes.insert(key.into(), live);
            }
        }
        Ok(())
    }

    /// Adds a pod to the inventory.
    fn emit(&mut self, builder: &mut InventoryBuilder, live: Live, end: Option<Timestamp>) {
        let mut key = Vec::with_capacity(1 + live.containers.len());
        key.push(live.facts);
        for container in &live.containers {
            let mark = if container.is_initial { INITIAL } else { 0 };
            key.push(container.facts | mark);
        }
        let (template, memory) = match self.templates.get(&*key) {
            Some((template, memory)) => (Arc::clone(template), *memory),
            None => self.template(builder, key.into_boxed_slice(), &live),
        };
        self.notes.memory(memory);
        if live.is_resized {
            self.notes.resized();
        }
        let departure = end.map(|end| {
            if end < live.arrival {
                self.notes.backwards();
            }
            end.max(live.arrival)
        });
        let pods = &mut builder.inventory.pods;
        if let Some(pod) = live.continues.and_then(|place| pods.get_mut(place)) {
            (pod.template, pod.departure) = (template, departure);
            return;
        }
        let labels = &self.pods.get(live.facts).labels;
        let label = |key: &str| {
            let found = labels.iter().find(|(name, _)| name == key)?;
            Some(found.1.as_str())
        };
        let owner = owner_of(&live.name, label);
        let owner = owner.map(|(kind, name)| builder.owner(kind, name));
        if let (Some(by_uid), Some(uid)) = (&mut self.by_uid, &live.uid) {
            by_uid.insert(Arc::clone(uid), builder.inventory.pods.len());
        }
        builder.add_pod(Pod {
            namespace: live.namespace,
            name: live.name,
            uid: live.uid,
            template,
            owner,
            node: None,
            arrival: Some(live.arrival),
            departure,
            source: live.source,
        });
    }

    fn template(
        &mut self,
        builder: &mut InventoryBuilder,
        key: Box<[u32]>,
        live: &Live,
    ) -> (Arc<Template>, Memory) {
        let ran: Vec<_> = live
            .containers
            .iter()
            .map(|container| Ran {
                facts: self.containers.get(container.facts),
                is_initial: container.is_initial,
            })
            .collect();
        let pod = self.pods.get(live.facts);
        let (template, memory) = template(pod, &ran, self.options.node_memory);
        let template = builder.share(template);
        self.templates.insert(key, (Arc::clone(&template), memory));
        (template, memory)
    }

    /// Adds the pods that still live, and states what was taken for granted.
    pub(super) fn finish(mut self, builder: &mut InventoryBuilder) {
        let sandboxes = std::mem::take(&mut self.sandboxes);
        let live = sandboxes.into_values().filter_map(|sandbox| match sandbox {
            Sandbox::Live(live) => Some(live),
            Sandbox::Ended => None,
        });
        let mut live: Vec<_> = live.collect();
        // The order of a hash map is another one each time.
        live.sort_by(|a, b| {
            let key = |live: &Live| (live.arrival, live.source.line);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        for live in live {
            self.emit(builder, *live, None);
        }
        self.notes.lost = self.unknown.len() as u64;
        let Self { notes, name, .. } = self;
        notes.state(&name, self.options.node_memory, builder);
    }
}

impl Live {
    /// Applies a change that neither creates nor ends the sandbox.
    fn change(
        &mut self,
        pods: &mut Shared<PodFacts>,
        containers: &mut Shared<ContainerFacts>,
        bytes: &mut Vec<u8>,
        change: Change<'_>,
    ) -> Result<(), String> {
        match change {
            Change::Update(info) => {
                let mut facts = pods.get(self.facts).clone();
                facts.info = info;
                self.restate(pods, facts);
            }
            Change::UpdatePod(update) => {
                let mut facts = pods.get(self.facts).clone();
                facts.info = update.info;
                if let Some(linux) = &update.linux {
                    let overhead = config::overhead(config::decode(linux, bytes)?)?;
                    facts.set_overhead(overhead);
                }
                self.restate(pods, facts);
            }
            Change::CreateContainer(new) => self.add(containers, bytes, &new)?,
            Change::UpdateContainer(update) => {
                let id = &*update.container;
                if let Some(place) = self.containers.iter().position(|c| *c.id == *id) {
                    let before = containers.get(self.containers[place].facts);
                    let mut facts = before.clone();
                    facts.info = update.info;
                    if let Some(linux) = &update.linux {
                        let linux = config::Linux::read(config::decode(linux, bytes)?)?;
                        facts.take_adjustment(linux);
                    }
                    self.is_resized |= *before != facts;
                    self.containers[place].facts = containers.number(facts);
                }
            }
            Change::Exit(id, code) => {
                let container = self.containers.iter_mut().find(|c| *c.id == *id);
                if let Some(container) = container {
                    container.has_ended_well = code == 0;
                }
            }
            Change::Create(_) | Change::Stop | Change::Delete | Change::Other => {}
        }
        Ok(())
    }

    fn restate(&mut self, pods: &mut Shared<PodFacts>, facts: PodFacts) {
        self.is_resized |= *pods.get(self.facts) != facts;
        self.facts = pods.number(facts);
    }

    /// Adds a container. One that has the name of another is that one, started again.
    fn add(
        &mut self,
        containers: &mut Shared<ContainerFacts>,
        bytes: &mut Vec<u8>,
        new: &NewContainer<'_>,
    ) -> Result<(), String> {
        let facts = ContainerFacts::of(new, bytes)?;
        let is_named = !facts.name.is_empty();
        let same = self.containers.iter().position(|present| {
            let name = &containers.get(present.facts).name;
            (is_named && *name == facts.name) || *present.id == *new.id
        });
        // A snapshot states which containers are initial.
        if is_named && same.is_none() && new.init.is_none() {
            for present in &mut self.containers {
                let is_named = !containers.get(present.facts).name.is_empty();
                present.is_initial |= present.has_ended_well && is_named;
            }
        }
        let exit = new.init.as_ref().and_then(|init| init.exit.as_ref());
        let container = LiveContainer {
            id: (&*new.id).into(),
            facts: containers.number(facts),
            is_initial: new.is_initial,
            has_ended_well: exit.is_some_and(|exit| exit.code == 0),
        };
        match same {
            Some(place) => {
                let is_initial = self.containers[place].is_initial;
                self.containers[place] = LiveContainer {
                    is_initial: is_initial || container.is_initial,
                    ..container
                };
            }
            None => self.containers.push(container),
        }
        Ok(())
    }
}
