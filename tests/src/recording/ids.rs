//! The ids of pods and containers in a recording, and those that stand for them in a replay.

use std::collections::{HashMap, HashSet};

use super::{Call, Entry};

/// Digits of an id of a pod or container.
const DIGITS: usize = 64;

/// Returns the ids that a message contains: its runs of exactly 64 hexadecimal digits.
fn mentioned(message: &[u8]) -> impl Iterator<Item = &str> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    // A digest of an image has the same digits behind a colon.
    let words = message.split(move |byte| !digit(byte) && *byte != b':');
    words
        .filter(|word| word.len() == DIGITS)
        .filter_map(|word| std::str::from_utf8(word).ok())
}

/// What the whole recording tells about its pods and containers.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The pod of each container.
    pods: HashMap<String, String>,
    /// Changes: their start and end in milliseconds, and the ids that they are about.
    changes: Vec<(u64, u64, HashSet<String>)>,
    /// Containers that ended by themselves.
    ended: HashSet<String>,
}

impl Facts {
    /// Gathers the facts. `exited` tells from the reply to a call the containers that have ended.
    pub(super) fn gather(entries: &[Entry], exited: impl Fn(&Call) -> Vec<String>) -> Self {
        let (mut facts, mut stopped) = (Self::default(), HashSet::new());
        for entry in entries {
            let Entry::Call(call) = entry else { continue };
            if !is_change(&call.method) {
                let by_itself = exited(call).into_iter().filter(|id| !stopped.contains(id));
                facts.ended.extend(by_itself);
                continue;
            }
            let about = call.replies.iter().chain([&call.request]);
            let about: HashSet<String> = about
                .flat_map(|m| mentioned(m))
                .map(str::to_owned)
                .collect();
            let created = call
                .replies
                .iter()
                .flat_map(|reply| mentioned(reply))
                .next();
            let pod = mentioned(&call.request).next();
            match (&*call.method, created, pod) {
                ("CreateContainer", Some(id), Some(pod)) => {
                    facts.pods.insert(id.to_owned(), pod.to_owned());
                }
                ("StopContainer" | "StopPodSandbox", ..) => {
                    stopped.extend(facts.with_containers(&about));
                }
                _ => {}
            }
            let about = facts.with_containers(&about);
            facts
                .changes
                .push((call.at_ms, call.at_ms + call.took_ms, about));
        }
        facts
    }

    /// Returns these ids and those of the containers and pods that they belong to.
    fn with_containers(&self, ids: &HashSet<String>) -> HashSet<String> {
        let of_pods = self
            .pods
            .iter()
            .filter(|(id, pod)| ids.contains(*pod) || ids.contains(*id));
        let related = of_pods.flat_map(|(id, pod)| [id.clone(), pod.clone()]);
        related.chain(ids.iter().cloned()).collect()
    }

    /// Whether a change of this pod or container went on while the call did, so that its reply
    /// may tell the state before or after it.
    pub(super) fn in_doubt(&self, call: &Call, id: &str) -> bool {
        // Times are whole milliseconds.
        let (begin, end) = (call.at_ms.saturating_sub(1), call.at_ms + call.took_ms + 1);
        let at_once = |&&(from, to, _): &&(u64, u64, HashSet<String>)| from <= end && begin <= to;
        self.changes
            .iter()
            .filter(at_once)
            .any(|(.., ids)| ids.contains(id))
    }

    /// Whether the container ended by itself, so that it may have ended earlier in a replay,
    /// which does not wait between calls.
    pub(super) fn ended(&self, container: &str) -> bool {
        self.ended.contains(container)
    }
}

/// Whether the method changes pods or containers.
pub(super) fn is_change(method: &str) -> bool {
    ["Run", "Create", "Start", "Stop", "Remove", "Update"]
        .iter()
        .any(|verb| method.starts_with(verb))
}

/// The ids of a replay by those of its recording. Both are equally long, so that they can be
/// exchanged in encoded messages.
#[derive(Debug, Default)]
pub(super) struct Ids(HashMap<String, String>);

impl Ids {
    /// Takes `live` for `recorded` from now on.
    ///
    /// # Errors
    /// One of them is no id.
    pub(super) fn learn(&mut self, recorded: &str, live: &str) -> Result<(), String> {
        for id in [recorded, live] {
            if mentioned(id.as_bytes()).next() != Some(id) {
                return Err(format!("{id:?} is no id of 64 hexadecimal digits"));
            }
        }
        self.0.insert(recorded.to_owned(), live.to_owned());
        Ok(())
    }

    /// Exchanges the ids of a recorded message.
    pub(super) fn exchange(&self, message: &[u8]) -> Vec<u8> {
        let mut message = message.to_owned();
        let mut at = 0;
        while let Some(word) = message.get(at..at + DIGITS) {
            let live = std::str::from_utf8(word).ok().and_then(|id| self.0.get(id));
            if let Some(live) = live {
                message[at..at + DIGITS].copy_from_slice(live.as_bytes());
                at += DIGITS;
            } else {
                at += 1;
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, at_ms: u64, request: &str, reply: &str) -> Entry {
        Entry::Call(Call {
            at_ms,
            took_ms: 1,
            method: method.to_owned(),
            request: request.as_bytes().to_owned(),
            replies: vec![reply.as_bytes().to_owned()],
            code: 0,
            message: String::new(),
        })
    }

    #[test]
    fn ids_are_exchanged_and_digests_and_unknown_ids_stay() {
        let [pod, live, other] = ["a", "b", "c"].map(|digit| digit.repeat(DIGITS));
        let mut ids = Ids::default();
        ids.learn(&pod, &live).expect("ids");
        let message = format!("\n@{pod}\x12@{other} sha256:{other}");
        let exchanged = ids.exchange(message.as_bytes());
        assert_eq!(exchanged, message.replace(&pod, &live).as_bytes());
        assert_eq!(
            mentioned(message.as_bytes()).collect::<Vec<_>>(),
            [&pod, &other]
        );
        assert!(ids.learn(&pod, "short").is_err());
    }

    #[test]
    fn a_container_is_in_doubt_while_its_pod_is_stopped() {
        let [pod, one, other] = ["a", "b", "c"].map(|digit| digit.repeat(DIGITS));
        let list = call("ListContainers", 7, "", "");
        let late = call("ListContainers", 20, "", "");
        let entries = [
            call("CreateContainer", 0, &pod, &one),
            call("CreateContainer", 3, &pod, &other),
            call("StopPodSandbox", 6, &pod, ""),
            list.clone(),
            late.clone(),
        ];
        let exited = |call: &Call| match call.at_ms {
            7 => vec![one.clone()],
            _ => vec![],
        };
        let facts = Facts::gather(&entries, exited);
        let (Entry::Call(list), Entry::Call(late)) = (list, late) else {
            unreachable!()
        };
        assert!(facts.in_doubt(&list, &other));
        assert!(!facts.in_doubt(&late, &other));
        assert!(!facts.ended(&one), "it was stopped");
        let facts = Facts::gather(&entries[..2], |_| vec![]);
        assert!(!facts.in_doubt(&list, &other));
    }
}
