//! Filters of lists. An object passes if it matches every field of the filter.

use std::collections::HashMap;

use containerd_sandbox::{Key, Result};
use cri_api::v1::{ContainerFilter, ContainerStatsFilter, PodSandboxFilter, PodSandboxStatsFilter};

use super::{Cri, status};
use crate::live::Found;
use slot::{CriPod, SandboxState, Slot};

/// Returns whether `labels` has every label of a filter.
pub(super) fn matches(
    selector: &HashMap<String, String>,
    labels: &HashMap<String, String>,
) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

/// Condition on one property.
enum Wanted<T> {
    Any,
    One(T),
    /// No object passes: the filter names one that does not exist.
    Nobody,
}

impl<T: PartialEq> Wanted<T> {
    fn admits(&self, id: &T) -> bool {
        match self {
            Self::Any => true,
            Self::One(wanted) => wanted == id,
            Self::Nobody => false,
        }
    }
}

impl<T> From<Option<T>> for Wanted<T> {
    fn from(found: Option<T>) -> Self {
        found.map_or(Self::Nobody, Self::One)
    }
}

/// Condition on pods.
pub(super) struct PodFilter {
    id: Wanted<Key>,
    state: Option<i32>,
    labels: HashMap<String, String>,
}

/// Condition on containers.
pub(super) struct ContainersFilter {
    id: Wanted<String>,
    pod: PodFilter,
    state: Option<i32>,
    labels: HashMap<String, String>,
}

impl PodFilter {
    /// Returns whether a pod passes. A pod whose creation is not answered yet never does.
    pub(super) fn admits(&self, key: &Key, slot: &Slot, pod: &CriPod) -> bool {
        slot.state != SandboxState::Created
            && self.id.admits(key)
            && self
                .state
                .is_none_or(|state| state == i32::from(status::pod_state(slot)))
            && matches(&self.labels, &pod.config.labels)
    }
}

impl ContainersFilter {
    /// Returns whether the containers of a pod may pass.
    pub(super) fn admits_pod(&self, key: &Key, slot: &Slot, pod: &CriPod) -> bool {
        self.pod.admits(key, slot, pod)
    }

    /// Returns whether a container passes, given that its pod does.
    pub(super) fn admits(&self, found: Found<'_>) -> bool {
        let container = found.container;
        let state = i32::from(status::container_state(&container.init));
        self.id.admits(&container.id)
            && self.state.is_none_or(|wanted| wanted == state)
            && matches(&self.labels, &found.cri.config.labels)
    }
}

impl Cri {
    /// Reads the filter of a list of pods. Its id may be the beginning of a pod's id.
    ///
    /// # Errors
    /// `InvalidArgument` if several pods' ids begin with the filter's id.
    pub(super) fn pod_filter(&self, filter: Option<PodSandboxFilter>) -> Result<PodFilter> {
        let filter = filter.unwrap_or_default();
        Ok(PodFilter {
            id: self.wanted_pod(&filter.id)?,
            state: filter.state.map(|state| state.state),
            labels: filter.label_selector,
        })
    }

    /// Reads the filter of a list of pods' usage, as [`Cri::pod_filter`] does.
    pub(super) fn pod_stats_filter(
        &self,
        filter: Option<PodSandboxStatsFilter>,
    ) -> Result<PodFilter> {
        let filter = filter.unwrap_or_default();
        Ok(PodFilter {
            id: self.wanted_pod(&filter.id)?,
            state: None,
            labels: filter.label_selector,
        })
    }

    /// Reads the filter of a list of containers.
    ///
    /// # Errors
    /// As [`Cri::pod_filter`].
    pub(super) fn container_filter(
        &self,
        filter: Option<ContainerFilter>,
    ) -> Result<ContainersFilter> {
        let filter = filter.unwrap_or_default();
        self.containers_filter(
            (&filter.id, &filter.pod_sandbox_id),
            filter.state.map(|state| state.state),
            filter.label_selector,
        )
    }

    /// Reads the filter of a list of containers' usage, as [`Cri::container_filter`] does.
    pub(super) fn container_stats_filter(
        &self,
        filter: Option<ContainerStatsFilter>,
    ) -> Result<ContainersFilter> {
        let filter = filter.unwrap_or_default();
        let ids = (filter.id.as_str(), filter.pod_sandbox_id.as_str());
        self.containers_filter(ids, None, filter.label_selector)
    }

    fn containers_filter(
        &self,
        (id, pod): (&str, &str),
        state: Option<i32>,
        labels: HashMap<String, String>,
    ) -> Result<ContainersFilter> {
        let id = match id {
            "" => Wanted::Any,
            id => {
                let found = self.find_container(id)?;
                found
                    .and_then(|one| one.read_cri(|c| c.container.id.clone()).ok())
                    .into()
            }
        };
        Ok(ContainersFilter {
            id,
            pod: PodFilter {
                id: self.wanted_pod(pod)?,
                state: None,
                labels: HashMap::new(),
            },
            state,
            labels,
        })
    }

    fn wanted_pod(&self, id: &str) -> Result<Wanted<Key>> {
        Ok(match id {
            "" => Wanted::Any,
            id => self.find_pod(id)?.map(|(key, _)| key).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_labels_of_a_selector_must_match() {
        let labels = |pairs: &[(&str, &str)]| -> HashMap<String, String> {
            let owned = |&(k, v): &(&str, &str)| (k.to_owned(), v.to_owned());
            pairs.iter().map(owned).collect()
        };
        let of_pod = labels(&[("app", "shop"), ("tier", "web")]);
        assert!(matches(&labels(&[]), &of_pod));
        assert!(matches(&labels(&[("app", "shop")]), &of_pod));
        assert!(!matches(
            &labels(&[("app", "shop"), ("tier", "db")]),
            &of_pod
        ));
        assert!(!matches(&labels(&[("zone", "")]), &of_pod));
    }
}
