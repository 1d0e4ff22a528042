//! Resources of a pod, laid on containers so that a runtime that adds them up holds the resources
//! of the pod.

use inventory::api::{Container, Quantities};
use inventory::{Pod, ResourceName, amounts};

/// Fewest millicores that a runtime can be told: kubelet makes 2 shares, the least of the kernel,
/// of everything below (`MilliCPUToShares` in `pkg/kubelet/cm/helpers_linux.go`).
const FEWEST_MILLICORES: i64 = 3;

/// Most millicores that a runtime can be told: 262,144 shares (`MaxShares`, the same file).
const MOST_MILLICORES: i64 = 256_000;

/// Container as the runtime is told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Laid {
    pub name: String,
    pub image: String,
    pub cpu_request: Option<i64>,
    pub cpu_limit: Option<i64>,
    pub memory_request: Option<i64>,
    pub memory_limit: Option<i64>,
}

impl Laid {
    fn named(name: &str, image: &str) -> Self {
        Self {
            name: name.to_owned(),
            image: image.to_owned(),
            cpu_request: None,
            cpu_limit: None,
            memory_request: None,
            memory_limit: None,
        }
    }
}

/// Returns the containers of a pod that run together, with the resources of the pod: the first
/// container also has the resources that the pod requests beyond its containers, for overhead, init
/// containers or the pod as a whole. A pod that has less than the sum of its containers is one
/// container.
pub(super) fn lay(pod: &Pod) -> Vec<Laid> {
    let spec = &pod.template.spec;
    let sidecars = spec.init_containers.iter().filter(|init| init.is_sidecar());
    let running: Vec<&Container> = sidecars.chain(&spec.containers).collect();
    let mut laid: Vec<Laid> = running
        .iter()
        .map(|container| Laid::named(&container.name, &container.image))
        .collect();
    let fits = Part::ALL
        .iter()
        .all(|part| part.lay(pod, &running, &mut laid));
    if fits && !laid.is_empty() {
        return laid;
    }
    let image = running.first().map_or("", |container| &*container.image);
    let mut whole = Laid::named("pod", image);
    for part in Part::ALL {
        *part.of(&mut whole) = part.whole(pod);
    }
    vec![whole]
}

/// Returns whether a runtime that is told these containers holds the CPU request of the pod.
pub(super) fn is_exact(pod: &Pod, laid: &[Laid]) -> bool {
    let requests = laid.iter().filter_map(|container| container.cpu_request);
    let told = requests.filter(|request| (FEWEST_MILLICORES..=MOST_MILLICORES).contains(request));
    told.fold(0, i64::saturating_add) == pod.template.effective.requests.cpu().max(0)
}

/// One of the resources of a pod that a runtime is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    CpuRequest,
    CpuLimit,
    MemoryRequest,
    MemoryLimit,
}

impl Part {
    const ALL: [Self; 4] = [
        Self::CpuRequest,
        Self::CpuLimit,
        Self::MemoryRequest,
        Self::MemoryLimit,
    ];

    fn of(self, laid: &mut Laid) -> &mut Option<i64> {
        match self {
            Self::CpuRequest => &mut laid.cpu_request,
            Self::CpuLimit => &mut laid.cpu_limit,
            Self::MemoryRequest => &mut laid.memory_request,
            Self::MemoryLimit => &mut laid.memory_limit,
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::CpuRequest | Self::CpuLimit => ResourceName::CPU,
            Self::MemoryRequest | Self::MemoryLimit => ResourceName::MEMORY,
        }
    }

    fn is_limit(self) -> bool {
        matches!(self, Self::CpuLimit | Self::MemoryLimit)
    }

    /// Returns the fewest units that a runtime can be told of one container.
    fn fewest(self) -> i64 {
        match self {
            Self::CpuRequest => FEWEST_MILLICORES,
            _ => 1,
        }
    }

    /// Returns the amount of the whole pod, if it has one that a runtime can be told.
    fn whole(self, pod: &Pod) -> Option<i64> {
        let effective = &pod.template.effective;
        let amounts = if self.is_limit() {
            &effective.limits
        } else {
            &effective.requests
        };
        amounts.get(self.resource()).filter(|amount| *amount >= 1)
    }

    /// Returns the amount of a container; its limit is its request if it states none.
    fn stated(self, container: &Container) -> Option<i64> {
        let amount = |quantities: &Quantities| {
            let amount = amounts(quantities).get(self.resource());
            amount.filter(|amount| *amount >= 1)
        };
        let resources = &container.resources;
        if self.is_limit() {
            amount(&resources.limits)
        } else if resources.requests.contains_key(self.resource()) {
            amount(&resources.requests)
        } else {
            amount(&resources.limits)
        }
    }

    /// Lays the amount of the pod on its containers and returns whether it could.
    fn lay(self, pod: &Pod, running: &[&Container], laid: &mut [Laid]) -> bool {
        let amounts: Vec<_> = running
            .iter()
            .map(|container| {
                self.stated(container)
                    .filter(|amount| *amount >= self.fewest())
            })
            .collect();
        for (amount, laid) in amounts.iter().zip(&mut *laid) {
            *self.of(laid) = *amount;
        }
        if self.is_limit() && amounts.iter().any(Option::is_none) {
            // Without a limit of each container a runtime knows none of the pod, which has one
            // only if it states it for all of its containers.
            let of_pod = pod.template.spec.resources.as_ref();
            return !of_pod.is_some_and(|of_pod| of_pod.limits.contains_key(self.resource()));
        }
        let whole = self.whole(pod).unwrap_or(0);
        let sum = amounts
            .iter()
            .flatten()
            .copied()
            .fold(0, i64::saturating_add);
        let rest = whole.saturating_sub(sum);
        if rest <= 0 {
            return rest == 0;
        }
        // The first container that can be told the rest, else the first one.
        let place = amounts
            .iter()
            .position(|amount| amount.unwrap_or(0).saturating_add(rest) >= self.fewest());
        if let Some(laid) = laid.get_mut(place.unwrap_or(0)) {
            let amount = self.of(laid);
            *amount = Some(amount.unwrap_or(0).saturating_add(rest));
        }
        true
    }
}

/// Returns CPU shares for millicores (`MilliCPUToShares`).
pub(super) fn shares(millicores: Option<i64>) -> u64 {
    const NO_REQUEST: u64 = 2;
    let millicores = millicores.unwrap_or(0).clamp(0, MOST_MILLICORES);
    let shares = u64::try_from(millicores).unwrap_or(0) * 1024 / 1000;
    shares.max(NO_REQUEST)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use inventory::api::{Labels, PodSpec};
    use inventory::{Source, Template};
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: Value) -> Pod {
        let spec: PodSpec = serde_json::from_value(spec).unwrap();
        Pod {
            namespace: "shop".into(),
            name: "web".into(),
            uid: None,
            template: Arc::new(Template::new(Labels::new(), spec)),
            owner: None,
            node: None,
            arrival: None,
            departure: None,
            source: Source {
                file: "test".into(),
                line: 0,
            },
        }
    }

    fn container(requests: &Value, limits: &Value) -> Value {
        json!({"name": "c", "image": "i", "resources": {"requests": requests, "limits": limits}})
    }

    /// CPU request and limit, memory request and limit of each container.
    fn laid(spec: Value) -> Vec<[Option<i64>; 4]> {
        let row = |mut laid: Laid| Part::ALL.map(|part| *part.of(&mut laid));
        lay(&pod(spec)).into_iter().map(row).collect()
    }

    #[test]
    fn containers_keep_their_own_resources() {
        let spec = json!({"containers": [
            container(&json!({"cpu": "100m", "memory": "1k"}), &json!({"cpu": "1", "memory": "2k"})),
            container(&json!({"cpu": "50m"}), &json!({"memory": "3k"})),
        ]});
        assert_eq!(
            laid(spec),
            [
                [Some(100), Some(1000), Some(1000), Some(2000)],
                [Some(50), None, Some(3000), Some(3000)],
            ]
        );
    }

    #[test]
    fn the_first_container_has_what_the_pod_requests_beyond_its_containers() {
        let spec = json!({
            "overhead": {"cpu": "10m", "memory": "64"},
            "initContainers": [container(&json!({"cpu": "500m"}), &json!({}))],
            "containers": [
                container(&json!({"cpu": "100m", "memory": "1k"}), &json!({})),
                container(&json!({"cpu": "100m"}), &json!({})),
            ],
        });
        let expected = [
            [Some(410), None, Some(1064), None],
            [Some(100), None, None, None],
        ];
        assert_eq!(laid(spec), expected);
    }

    #[test]
    fn a_pod_below_the_sum_of_its_containers_is_one_container() {
        let each = || container(&json!({"cpu": "1"}), &json!({"cpu": "2"}));
        let spec = json!({
            "resources": {"limits": {"cpu": "3"}},
            "containers": [each(), each()],
        });
        assert_eq!(laid(spec), [[Some(2000), Some(3000), None, None]]);
        assert_eq!(laid(json!({})), [[None, None, None, None]]);
    }

    #[test]
    fn requests_too_small_to_be_told_are_told_together() {
        let tiny = || container(&json!({"cpu": "1m"}), &json!({}));
        let spec = json!({"containers": [tiny(), tiny(), tiny()]});
        assert_eq!(laid(spec.clone())[0][0], Some(3));
        let three = pod(spec);
        assert!(is_exact(&three, &lay(&three)));
        let one = pod(json!({"containers": [tiny()]}));
        assert!(!is_exact(&one, &lay(&one)));
    }

    #[test]
    fn shares_are_those_of_a_kubelet() {
        for (millicores, expected) in [
            (None, 2),
            (Some(1), 2),
            (Some(3), 3),
            (Some(100), 102),
            (Some(1000), 1024),
            (Some(i64::MAX), 262_144),
            (Some(-5), 2),
        ] {
            assert_eq!(shares(millicores), expected);
        }
    }
}
