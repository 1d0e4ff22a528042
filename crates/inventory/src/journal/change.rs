//! Changes of a sandbox, as far as they decide a plan, borrowed from the line.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::amounts::Info;

/// Change of a sandbox.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// The sandbox is created.
    Create(Box<NewSandbox<'a>>),
    /// The sandbox states other resources.
    Update(Info),
    /// The pod states other resources and overhead.
    UpdatePod(UpdatePod<'a>),
    /// A container is created.
    CreateContainer(Box<NewContainer<'a>>),
    /// A container states other resources.
    UpdateContainer(UpdateContainer<'a>),
    /// The first process of a container ends with an exit code.
    Exit(Cow<'a, str>, u32),
    /// The sandbox ends.
    Stop,
    /// The sandbox is removed.
    Delete,
    /// Nothing that decides a plan.
    Other,
}

/// Exit code of a process that SIGKILL ended.
pub(super) const KILLED: u32 = 128 + 9;

/// Changes without an effect on a plan.
const OTHERS: [&str; 6] = [
    "{\"start_process\":",
    "{\"delete_process\":",
    "{\"create_exec\":",
    "{\"pause\":",
    "{\"resume\":",
    "\"start\"",
];

impl<'a> Change<'a> {
    /// Reads a change.
    ///
    /// # Errors
    /// A description of text that is no change, and of a change of another version.
    pub(super) fn read(text: &'a str) -> Result<Self, String> {
        if OTHERS.iter().any(|other| text.starts_with(other)) {
            return Ok(Self::Other);
        }
        if text == "\"delete\"" {
            return Ok(Self::Delete);
        }
        Ok(
            match serde_json::from_str(text).map_err(|e| e.to_string())? {
                Tagged::Create(new) => Self::Create(new),
                Tagged::Update(info) => Self::Update(info),
                Tagged::UpdatePod(update) => Self::UpdatePod(update),
                Tagged::CreateContainer(new) => Self::CreateContainer(new),
                Tagged::UpdateContainer(update) => Self::UpdateContainer(update),
                Tagged::Exit(process, code) => Self::of_process(process, code),
                Tagged::OutOfMemory(process) => Self::of_process(process, KILLED),
                Tagged::Stop(_) => Self::Stop,
                Tagged::Delete => Self::Delete,
                Tagged::Start
                | Tagged::StartProcess(_)
                | Tagged::DeleteProcess(_)
                | Tagged::CreateExec(_)
                | Tagged::Pause(_)
                | Tagged::Resume(_) => Self::Other,
            },
        )
    }

    fn of_process(process: ProcessId<'a>, code: u32) -> Self {
        match process.exec {
            None => Self::Exit(process.container, code),
            Some(_) => Self::Other,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tagged<'a> {
    #[serde(borrow)]
    Create(Box<NewSandbox<'a>>),
    Start,
    Stop(serde::de::IgnoredAny),
    Update(Info),
    UpdatePod(UpdatePod<'a>),
    Delete,
    CreateContainer(Box<NewContainer<'a>>),
    UpdateContainer(UpdateContainer<'a>),
    Exit(ProcessId<'a>, u32),
    OutOfMemory(ProcessId<'a>),
    StartProcess(serde::de::IgnoredAny),
    DeleteProcess(serde::de::IgnoredAny),
    CreateExec(serde::de::IgnoredAny),
    Pause(serde::de::IgnoredAny),
    Resume(serde::de::IgnoredAny),
}

/// Sandbox, at its creation or in a snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct NewSandbox<'a> {
    #[serde(default)]
    pub(super) info: Info,
    #[serde(borrow, default)]
    pub(super) pod: Option<PodName<'a>>,
    #[serde(borrow, default)]
    pub(super) meta: Option<Meta<'a>>,
    #[serde(borrow, default)]
    pub(super) cri: Option<CriPod<'a>>,
}

/// Name of a pod.
#[derive(Debug, Deserialize)]
pub(super) struct PodName<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) namespace: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) uid: Cow<'a, str>,
    #[serde(default)]
    pub(super) attempt: u32,
}

/// Labels and annotations of a sandbox of the sandbox API.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Meta<'a> {
    #[serde(borrow)]
    pub(super) labels: Texts<'a>,
    #[serde(borrow)]
    pub(super) annotations: Texts<'a>,
}

/// Configuration of a pod of the CRI API, and its last update, encoded.
#[derive(Debug, Deserialize)]
pub(super) struct CriPod<'a> {
    #[serde(borrow)]
    pub(super) config: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) updated: Option<Cow<'a, str>>,
}

/// Update of a pod.
#[derive(Debug, Deserialize)]
pub(super) struct UpdatePod<'a> {
    pub(super) info: Info,
    #[serde(borrow, default)]
    pub(super) linux: Option<Cow<'a, str>>,
}

/// Container, at its creation or in a snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct NewContainer<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'a, str>,
    #[serde(default)]
    pub(super) info: Info,
    #[serde(default)]
    pub(super) oom_score_adj: Option<i64>,
    #[serde(borrow, default)]
    pub(super) annotations: Option<Texts<'a>>,
    #[serde(borrow, default)]
    pub(super) cri: Option<CriPod<'a>>,
    /// Set in a snapshot alone.
    #[serde(default)]
    pub(super) is_initial: bool,
    /// Set in a snapshot alone.
    #[serde(default)]
    pub(super) init: Option<Process>,
}

/// Process in a snapshot.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Process {
    pub(super) exit: Option<Exit>,
}

/// End in a snapshot.
#[derive(Debug, Deserialize)]
pub(super) struct Exit {
    pub(super) code: u32,
}

/// Update of a container.
#[derive(Debug, Deserialize)]
pub(super) struct UpdateContainer<'a> {
    #[serde(borrow)]
    pub(super) container: Cow<'a, str>,
    pub(super) info: Info,
    #[serde(borrow, default)]
    pub(super) linux: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ProcessId<'a> {
    #[serde(borrow)]
    container: Cow<'a, str>,
    #[serde(default)]
    exec: Option<serde::de::IgnoredAny>,
}

/// Texts by name, in the order in which they are written.
#[derive(Debug, Default)]
pub(super) struct Texts<'a>(pub(super) Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextsVisitor;
        impl<'de> Visitor<'de> for TextsVisitor {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some((key, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    texts.push((key.0, value.0));
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_map(TextsVisitor)
    }
}

/// Text, borrowed if it has no escape.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_change_is_known_and_another_is_an_error() {
        for (text, kind) in [
            (r#""start""#, "Other"),
            (r#"{"stop":0}"#, "Stop"),
            (r#""delete""#, "Delete"),
            (
                r#"{"create":{"pid":1,"info":{"cpu_limit":null}}}"#,
                "Create",
            ),
            (
                r#"{"create_container":{"id":"c","bundle":"/b","info":{},"process":{"pid":2}}}"#,
                "CreateContainer",
            ),
            (r#"{"update":{}}"#, "Update"),
            (r#"{"update_pod":{"info":{},"linux":""}}"#, "UpdatePod"),
            (
                r#"{"update_container":{"container":"c","info":{}}}"#,
                "UpdateContainer",
            ),
            (r#"{"start_process":{"container":"c"}}"#, "Other"),
            (r#"{"pause":"c"}"#, "Other"),
            (r#"{"resume":"c"}"#, "Other"),
            (r#"{"create_exec":{}}"#, "Other"),
            (r#"{"exit":[{"container":"c"},7]}"#, "Exit(\"c\", 7)"),
            (r#"{"exit":[{"container":"c","exec":"e"},7]}"#, "Other"),
            (r#"{"out_of_memory":{"container":"c"}}"#, "Exit(\"c\", 137)"),
            (r#"{"delete_process":{"container":"c"}}"#, "Other"),
        ] {
            let change = format!("{:?}", Change::read(text).unwrap());
            assert!(change.starts_with(kind), "{text}: {change}");
        }
        let error = Change::read("\"explode\"").unwrap_err();
        assert!(error.contains("explode"), "{error}");
    }
}
