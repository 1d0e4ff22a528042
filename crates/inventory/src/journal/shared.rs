//! Facts that equal pods share.

use std::collections::HashMap;

use super::amounts::Info;
use super::change::{Meta, NewContainer, NewSandbox, Texts};
use super::config::{self, ContainerConfig, Linux, PodConfig};

/// Annotation in which `kubectl apply` keeps the manifest of a pod (`LastAppliedConfigAnnotation`
/// in `k8s.io/api/core/v1`).
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Labels in which a kubelet repeats the metadata of a pod, which differ between equal pods.
const POD_LABELS: &str = "io.kubernetes.pod.";
/// Annotation in which containerd gives the name of a container's image.
const IMAGE_NAME: &str = "io.kubernetes.cri.image-name";

/// Facts of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct PodFacts {
    /// In the order of their names.
    pub(super) labels: Vec<(String, String)>,
    /// Manifest with which the pod was applied.
    pub(super) manifest: Option<String>,
    /// Resources that the pod states itself, without overhead as far as that is known.
    pub(super) info: Info,
    pub(super) overhead: Info,
}

/// Facts of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct ContainerFacts {
    /// Empty if it is not known.
    pub(super) name: String,
    /// Empty if it is not known.
    pub(super) image: String,
    pub(super) info: Info,
    pub(super) oom_score_adj: Option<i64>,
}

impl PodFacts {
    /// Reads the facts of a new sandbox. `bytes` is a buffer.
    pub(super) fn of(new: &NewSandbox<'_>, bytes: &mut Vec<u8>) -> Result<Self, String> {
        let mut facts = Self {
            info: new.info,
            ..Self::default()
        };
        if let Some(Meta {
            labels,
            annotations,
        }) = &new.meta
        {
            facts.take(texts(labels), texts(annotations));
        }
        if let Some(cri) = &new.cri {
            let config = PodConfig::read(config::decode(&cri.config, bytes)?)?;
            let PodConfig {
                labels,
                annotations,
                overhead,
            } = config;
            facts.take(labels.into_iter(), annotations.into_iter());
            facts.set_overhead(overhead);
            if let Some(updated) = &cri.updated {
                let overhead = config::overhead(config::decode(updated, bytes)?)?;
                facts.info = new.info;
                facts.set_overhead(overhead);
            }
        }
        Ok(facts)
    }

    fn take<'a>(
        &mut self,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        mut annotations: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let labels = labels.filter(|(key, _)| !key.starts_with(POD_LABELS));
        self.labels = labels.map(owned).collect();
        // A message has its labels in any order.
        self.labels.sort_unstable();
        let manifest = annotations.find(|(key, _)| *key == LAST_APPLIED);
        self.manifest = manifest.map(|(_, text)| text.to_owned());
    }

    /// Takes an overhead that the stated resources contain out of them.
    pub(super) fn set_overhead(&mut self, overhead: Linux) {
        let memory = u64::try_from(overhead.memory_limit).ok();
        let memory = memory.filter(|bytes| *bytes > 0);
        self.overhead = Info {
            cpu_request: super::amounts::of_shares(overhead.cpu_shares),
            memory_limit: memory,
            memory_request: memory,
            ..Info::default()
        };
        self.info = self.info.without(self.overhead);
    }
}

impl ContainerFacts {
    /// Reads the facts of a new container. `bytes` is a buffer.
    pub(super) fn of(new: &NewContainer<'_>, bytes: &mut Vec<u8>) -> Result<Self, String> {
        let Some(cri) = &new.cri else {
            let image = new.annotations.as_ref().and_then(|all| {
                let mut all = texts(all);
                all.find(|(key, _)| *key == IMAGE_NAME)
            });
            return Ok(Self {
                name: new.name.clone().into_owned(),
                image: image.map_or_else(String::new, |(_, name)| name.to_owned()),
                info: new.info,
                oom_score_adj: new.oom_score_adj,
            });
        };
        let ContainerConfig { name, image, linux } =
            ContainerConfig::read(config::decode(&cri.config, bytes)?)?;
        let mut facts = Self {
            name: name.to_owned(),
            image: image.to_owned(),
            info: new.info,
            oom_score_adj: None,
        };
        facts.take_adjustment(linux);
        if let Some(updated) = &cri.updated {
            facts.take_adjustment(Linux::read(config::decode(updated, bytes)?)?);
        }
        Ok(facts)
    }

    /// Takes the OOM score adjustment over, if one is stated: 0 states none.
    pub(super) fn take_adjustment(&mut self, linux: Linux) {
        if linux.oom_score_adj != 0 {
            self.oom_score_adj = Some(linux.oom_score_adj);
        }
    }
}

fn texts<'a>(texts: &'a Texts<'_>) -> impl Iterator<Item = (&'a str, &'a str)> {
    texts.0.iter().map(|(key, value)| (&**key, &**value))
}

/// Facts that are kept once, by number.
#[derive(Debug)]
pub(super) struct Shared<T> {
    numbers: HashMap<T, u32>,
    all: Vec<T>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            all: Vec::new(),
        }
    }
}

impl<T: Clone + std::hash::Hash + Eq> Shared<T> {
    /// Returns the number of these facts.
    pub(super) fn number(&mut self, facts: T) -> u32 {
        if let Some(number) = self.numbers.get(&facts) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(facts.clone());
        self.numbers.insert(facts, number);
        number
    }

    /// Returns the facts with a number that [`Self::number`] returned.
    pub(super) fn get(&self, number: u32) -> &T {
        &self.all[number as usize]
    }
}
