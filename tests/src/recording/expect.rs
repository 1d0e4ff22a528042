//! Compares the reply to a call with the recorded one, in the fields that a client needs.

use std::collections::HashMap;
use std::fmt::Debug;

use cri_api::v1::{self, ContainerState};
use prost::Message;

use super::Call;
use super::ids::Facts;

/// A call of the recording, and the replies to be compared: the recorded one with the ids of the
/// replay, and the one of the replay.
pub(super) struct Comparison<'a> {
    pub(super) call: &'a Call,
    pub(super) facts: &'a Facts,
    /// The recorded id of each id of the replay.
    pub(super) recorded: &'a HashMap<String, String>,
    pub(super) wanted: &'a [u8],
    pub(super) got: &'a [u8],
}

/// The outcome, or the first field in which the reply does not do.
pub(super) type Verdict = Result<(), String>;

fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, String> {
    M::decode(bytes).map_err(|e| e.to_string())
}

fn same<T: PartialEq + Debug>(field: &str, wanted: &T, got: &T) -> Verdict {
    if wanted == got {
        return Ok(());
    }
    Err(format!("{field} was {wanted:?} and is {got:?}"))
}

/// Compares fields of two messages by name.
macro_rules! fields {
    ($wanted:expr, $got:expr, $($field:ident),*) => {{
        $(same(stringify!($field), &$wanted.$field, &$got.$field)?;)*
    }};
}

fn by_id<T>(items: Vec<T>, id: impl Fn(&T) -> &String) -> HashMap<String, T> {
    let named = items.into_iter().map(|item| (id(&item).clone(), item));
    named.collect()
}

/// Returns the containers that the reply shows as ended.
pub(super) fn exited(call: &Call) -> Vec<String> {
    let ended = i32::from(ContainerState::ContainerExited);
    let Some(reply) = call.replies.first() else {
        return Vec::new();
    };
    match &*call.method {
        "ListContainers" => {
            let list = v1::ListContainersResponse::decode(&**reply).unwrap_or_default();
            let exited = list.containers.into_iter().filter(|one| one.state == ended);
            exited.map(|one| one.id).collect()
        }
        "ContainerStatus" => {
            let reply = v1::ContainerStatusResponse::decode(&**reply).unwrap_or_default();
            let exited = reply.status.into_iter().filter(|one| one.state == ended);
            exited.map(|one| one.id).collect()
        }
        _ => Vec::new(),
    }
}

impl Comparison<'_> {
    /// Compares the replies.
    ///
    /// # Errors
    /// The field in which the client would see something else.
    pub(super) fn verdict(&self) -> Verdict {
        match &*self.call.method {
            "Version" => {
                let (wanted, got) = self.decode::<v1::VersionResponse>()?;
                fields!(wanted, got, runtime_name, runtime_api_version);
                Ok(())
            }
            "Status" => self.status(),
            "ListPodSandbox" => self.pods(),
            "PodSandboxStatus" => self.pod(),
            "ListContainers" => self.containers(),
            "ContainerStatus" => {
                let (wanted, got) = self.decode::<v1::ContainerStatusResponse>()?;
                match (wanted.status, got.status) {
                    (Some(wanted), Some(got)) => self.container(&wanted, &got),
                    (wanted, got) => same("status", &wanted.is_some(), &got.is_some()),
                }
            }
            "PullImage" => {
                let (wanted, got) = self.decode::<v1::PullImageResponse>()?;
                same("image_ref", &wanted.image_ref, &got.image_ref)
            }
            "ImageStatus" => {
                let (wanted, got) = self.decode::<v1::ImageStatusResponse>()?;
                same("image", &wanted.image, &got.image)
            }
            "ListImages" => {
                let (wanted, got) = self.decode::<v1::ListImagesResponse>()?;
                let missing = wanted
                    .images
                    .iter()
                    .find(|image| !got.images.contains(image));
                missing.map_or(Ok(()), |image| Err(format!("{image:?} is not listed")))
            }
            "ExecSync" => {
                let (wanted, got) = self.decode::<v1::ExecSyncResponse>()?;
                fields!(wanted, got, exit_code, stdout, stderr);
                Ok(())
            }
            // Of the others the client needs that they succeed.
            _ => Ok(()),
        }
    }

    fn decode<M: Message + Default>(&self) -> Result<(M, M), String> {
        Ok((decode(self.wanted)?, decode(self.got)?))
    }

    /// Whether the reply may tell another state of this pod or container: a change went on
    /// meanwhile, or it had not been created yet.
    fn open(&self, live: &str) -> bool {
        let recorded = self.recorded.get(live);
        recorded.is_none_or(|id| self.facts.in_doubt(self.call, id))
    }

    /// Whether the container ended by itself.
    fn by_itself(&self, live: &str) -> bool {
        let recorded = self.recorded.get(live);
        recorded.is_some_and(|id| self.facts.ended(id))
    }

    /// Compares the states of a container, and returns whether they are the same. A container
    /// that ended by itself may be further.
    fn state(&self, live: &str, wanted: i32, got: i32) -> Result<bool, String> {
        if wanted == got {
            return Ok(true);
        }
        if self.open(live)
            || self.by_itself(live) && got == i32::from(ContainerState::ContainerExited)
        {
            return Ok(false);
        }
        let name = |state| ContainerState::try_from(state).map_or("unknown", |s| s.as_str_name());
        let (wanted, got) = (name(wanted), name(got));
        Err(format!("the state of {live} was {wanted} and is {got}"))
    }

    fn status(&self) -> Verdict {
        let (wanted, got) = self.decode::<v1::StatusResponse>()?;
        let conditions = |reply: v1::StatusResponse| {
            let status = reply.status.unwrap_or_default();
            let conditions = status.conditions.into_iter();
            conditions.map(|c| (c.r#type, c.status)).collect::<Vec<_>>()
        };
        same("conditions", &conditions(wanted), &conditions(got))
    }

    fn pods(&self) -> Verdict {
        let (wanted, got) = self.decode::<v1::ListPodSandboxResponse>()?;
        let got = by_id(got.items, |pod| &pod.id);
        let wanted = by_id(wanted.items, |pod| &pod.id);
        self.same_ids(&wanted, &got)?;
        for (id, wanted) in wanted.iter().filter(|(id, _)| !self.open(id)) {
            let Some(got) = got.get(id) else { continue };
            fields!(
                wanted,
                got,
                metadata,
                state,
                labels,
                annotations,
                runtime_handler
            );
            same("created_at > 0", &true, &(got.created_at > 0))?;
        }
        Ok(())
    }

    fn containers(&self) -> Verdict {
        let (wanted, got) = self.decode::<v1::ListContainersResponse>()?;
        let mut got = by_id(got.containers, |one| &one.id);
        let mut wanted = by_id(wanted.containers, |one| &one.id);
        let request: v1::ListContainersRequest = decode(&self.call.request)?;
        if request.filter.is_some_and(|filter| filter.state.is_some()) {
            // A container that has ended meanwhile is in a list of other states.
            wanted.retain(|id, _| got.contains_key(id) || !self.by_itself(id));
            got.retain(|id, _| wanted.contains_key(id) || !self.by_itself(id));
        }
        self.same_ids(&wanted, &got)?;
        for (id, wanted) in wanted.iter().filter(|(id, _)| !self.open(id)) {
            let Some(got) = got.get(id) else { continue };
            fields!(
                wanted,
                got,
                pod_sandbox_id,
                metadata,
                image,
                image_ref,
                labels,
                annotations
            );
            same("created_at > 0", &true, &(got.created_at > 0))?;
            self.state(id, wanted.state, got.state)?;
        }
        Ok(())
    }

    fn same_ids<T>(&self, wanted: &HashMap<String, T>, got: &HashMap<String, T>) -> Verdict {
        let lost = wanted
            .keys()
            .find(|id| !got.contains_key(*id) && !self.open(id));
        let unexpected = got
            .keys()
            .find(|id| !wanted.contains_key(*id) && !self.open(id));
        match (lost, unexpected) {
            (Some(id), _) => Err(format!("{id} is not listed")),
            (_, Some(id)) => Err(format!("{id} is listed")),
            _ => Ok(()),
        }
    }

    fn pod(&self) -> Verdict {
        let (wanted, got) = self.decode::<v1::PodSandboxStatusResponse>()?;
        let wanted_pod = wanted.status.unwrap_or_default();
        let got_pod = got.status.unwrap_or_default();
        fields!(
            wanted_pod,
            got_pod,
            id,
            metadata,
            labels,
            annotations,
            runtime_handler,
            linux
        );
        if !self.open(&wanted_pod.id) {
            same("state", &wanted_pod.state, &got_pod.state)?;
            let address = |pod: &v1::PodSandboxStatus| {
                pod.network
                    .as_ref()
                    .is_some_and(|network| !network.ip.is_empty())
            };
            same("has an address", &address(&wanted_pod), &address(&got_pod))?;
        }
        // The client takes the first status of a name for its newest attempt.
        let named = |statuses: &[v1::ContainerStatus]| {
            let certain = statuses.iter().filter(|one| !self.open(&one.id));
            certain.map(|one| one.metadata.clone()).collect::<Vec<_>>()
        };
        let (wanted, got) = (wanted.containers_statuses, got.containers_statuses);
        same("containers_statuses", &named(&wanted), &named(&got))?;
        let got = by_id(got, |one| &one.id);
        for wanted in wanted.iter().filter(|one| !self.open(&one.id)) {
            let Some(got) = got.get(&wanted.id) else {
                continue;
            };
            self.container(wanted, got)?;
        }
        Ok(())
    }

    fn container(&self, wanted: &v1::ContainerStatus, got: &v1::ContainerStatus) -> Verdict {
        fields!(
            wanted,
            got,
            id,
            metadata,
            image,
            image_ref,
            labels,
            annotations,
            mounts
        );
        if !self.state(&wanted.id, wanted.state, got.state)? || self.open(&wanted.id) {
            return Ok(());
        }
        fields!(wanted, got, exit_code, reason, resources);
        let times = |status: &v1::ContainerStatus| {
            [status.created_at, status.started_at, status.finished_at].map(|time| time > 0)
        };
        same(
            "has been created, started, finished",
            &times(wanted),
            &times(got),
        )?;
        let order = got.finished_at == 0
            || got.created_at <= got.started_at && got.started_at <= got.finished_at;
        // A container that was never started has no start before its end.
        same(
            "the times are in order",
            &true,
            &(order || got.started_at == 0),
        )
    }
}
