//! Pods whose requests, limits, shares, quotas and OOM scores programs of Kubernetes computed
//! (`tests/data/golden/podfacts.json` names them).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;
use kube_resources::{MemoryRequest, Quantity, oom_memory_request};

use crate::{PodSum, Span};

/// Amounts by resource name: millicores, and bytes or devices.
type Amounts = BTreeMap<String, u64>;

#[derive(Deserialize)]
struct Facts {
    node_memory_bytes: u64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(rename = "spec")]
    manifest: Value,
    #[serde(skip)]
    spec: PodSpec,
    expect: Expected,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    #[serde(default)]
    init_containers: Vec<ContainerSpec>,
    #[serde(default)]
    overhead: BTreeMap<String, String>,
    #[serde(default)]
    resources: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSpec {
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
struct Expected {
    requests: Amounts,
    limits: Amounts,
    requests_without_overhead: Amounts,
    containers: Vec<Container>,
    qos: String,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    cpu_shares: i64,
    cpu_quota: i64,
    oom_score_adj: i64,
    limits: Amounts,
    requests_after_defaulting: Amounts,
}

fn facts() -> Facts {
    let mut facts: Facts =
        serde_json::from_str(include_str!("../../../../tests/data/golden/podfacts.json")).unwrap();
    for case in &mut facts.cases {
        case.spec = serde_json::from_value(case.manifest.clone()).unwrap();
    }
    facts
}

impl Case {
    /// Returns the containers in the order in which a kubelet starts them.
    fn containers(&self) -> impl Iterator<Item = (&Container, Span)> {
        let inits = &self.spec.init_containers;
        self.expect.containers.iter().enumerate().map(|(n, c)| {
            let init = inits.get(n).filter(|c| c.restart_policy.is_none());
            (c, init.map_or(Span::Pod, |_| Span::Init))
        })
    }

    fn overhead(&self, name: &str) -> Option<u64> {
        let quantity: Quantity = self.spec.overhead.get(name)?.parse().unwrap();
        Some(match name {
            "cpu" => u64::try_from(quantity.nanos().div_ceil(1_000_000)).unwrap(),
            _ => quantity.whole(),
        })
    }
}

impl Container {
    /// Returns what the container states, in the terms of the API server.
    fn info(&self) -> ResourceInfo {
        let limit = |name: &str| self.limits.get(name).copied().filter(|limit| *limit > 0);
        let request = |name: &str| self.requests_after_defaulting.get(name).copied();
        ResourceInfo {
            cpu_limit: limit("cpu").map(cores),
            cpu_request: request("cpu").map(cores),
            memory_limit: limit("memory"),
            memory_request: request("memory"),
            storage_limit: limit("ephemeral-storage"),
            ..ResourceInfo::default()
        }
    }
}

fn cores(millicores: u64) -> f64 {
    millicores as f64 / 1000.0
}

/// Returns the resources that a kubelet writes for these amounts
/// (`calculateLinuxResources`).
fn kubelet(cpu_request: u64, cpu_limit: u64, memory_limit: u64) -> LinuxContainerResources {
    let shares = (cpu_request * 1024 / 1000).clamp(2, 262_144);
    let quota = if cpu_limit == 0 {
        0
    } else {
        (cpu_limit * 100).max(1000)
    };
    LinuxContainerResources {
        cpu_shares: shares.cast_signed(),
        cpu_quota: quota.cast_signed(),
        cpu_period: 100_000,
        memory_limit_in_bytes: memory_limit.cast_signed(),
        ..LinuxContainerResources::default()
    }
}

#[test]
fn pods_request_the_larger_of_their_init_containers_and_the_sum_of_the_others() {
    for case in &facts().cases {
        let mut sum = PodSum::default();
        for (container, span) in case.containers() {
            sum.add(span, container.info());
        }
        let total = sum.total();
        let of_pod = case.spec.resources.as_ref();
        for (name, found) in [
            ("cpu", total.cpu_request.map(millicores)),
            ("memory", total.memory_request),
        ] {
            // A pod that states a resource itself has it from no container.
            if of_pod.is_none() {
                let expected = case.expect.requests_without_overhead.get(name).copied();
                assert_eq!(found, expected, "{}: {name}", case.name);
            }
        }
    }
}

#[test]
fn a_limit_is_the_pods_only_if_every_container_has_one() {
    let (mut limited, mut unlimited) = (0, 0);
    for case in facts().cases.iter().filter(|c| c.spec.resources.is_none()) {
        let mut sum = PodSum::default();
        for (container, span) in case.containers() {
            sum.add(span, container.info());
        }
        let total = sum.total();
        for (name, found) in [
            ("cpu", total.cpu_limit.map(millicores)),
            ("memory", total.memory_limit),
            ("ephemeral-storage", total.storage_limit),
        ] {
            let has_one = |c: &Container| c.limits.get(name).is_some_and(|limit| *limit > 0);
            let expected = if case.expect.containers.iter().all(has_one) {
                let overhead = case.overhead(name).unwrap_or(0);
                case.expect.limits.get(name).map(|limit| limit - overhead)
            } else {
                None
            };
            assert_eq!(found, expected, "{}: {name}", case.name);
            limited += usize::from(expected.is_some());
            unlimited += usize::from(expected.is_none() && case.expect.limits.contains_key(name));
        }
    }
    assert!(limited > 20 && unlimited > 5, "{limited} {unlimited}");
}

/// Returns millicores, rounded up as the facts are.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pods have a few cores, and never less than none"
)]
fn millicores(cores: f64) -> u64 {
    (cores * 1000.0 - 1e-6).ceil() as u64
}

#[test]
fn the_manifest_of_a_pod_states_its_effective_requests_and_limits() {
    for case in &facts().cases {
        let text = json!({"kind": "Pod", "spec": case.manifest}).to_string();
        let annotation = "kubectl.kubernetes.io/last-applied-configuration";
        let sandbox = Sandbox {
            config: Some(pod_config(&Value::Null, &json!({ annotation: text }))),
            ..Sandbox::default()
        };
        let found = sandbox.info();
        let name = &case.name;
        let requests = &case.expect.requests;
        let cpu = found.cpu_request.map(millicores);
        assert_eq!(cpu, requests.get("cpu").copied(), "{name}");
        let memory = found.memory_request;
        assert_eq!(memory, requests.get("memory").copied(), "{name}");
        let of_pod = |resource: &str| {
            let pod = case.spec.resources.as_ref();
            pod.is_some_and(|pod| pod["limits"][resource].is_string())
        };
        for (resource, found) in [
            ("cpu", found.cpu_limit.map(millicores)),
            ("memory", found.memory_limit),
            ("ephemeral-storage", found.storage_limit),
        ] {
            let has_one = |c: &Container| c.limits.get(resource).is_some_and(|limit| *limit > 0);
            let is_whole = of_pod(resource) || case.expect.containers.iter().all(has_one);
            let expected = case.expect.limits.get(resource).filter(|_| is_whole);
            assert_eq!(found, expected.copied(), "{name}: {resource}");
        }
    }
}

#[test]
fn a_pods_own_resources_of_a_kubelet_are_its_requests_and_limits_with_overhead() {
    for case in &facts().cases {
        let amount = |amounts: &Amounts, name: &str| amounts.get(name).copied().unwrap_or(0);
        let limit = |name| {
            // A kubelet sends the limits without overhead.
            let limit = amount(&case.expect.limits, name);
            limit
                - if limit > 0 {
                    case.overhead(name).unwrap_or(0)
                } else {
                    0
                }
        };
        let requested = amount(&case.expect.requests_without_overhead, "cpu");
        let (cpu, memory) = (case.overhead("cpu"), case.overhead("memory"));
        let config = PodSandboxConfig {
            linux: Some(LinuxPodSandboxConfig {
                resources: Some(kubelet(requested, limit("cpu"), limit("memory"))),
                overhead: cpu.map(|cpu| kubelet(cpu, cpu, memory.unwrap_or(0))),
                ..LinuxPodSandboxConfig::default()
            }),
            ..PodSandboxConfig::default()
        };
        let sandbox = Sandbox {
            config: Some(config),
            ..Sandbox::default()
        };
        let found = sandbox.info();
        // Shares state neither a request of 1m or 2m, nor one beyond 256 cores.
        let expected = amount(&case.expect.requests, "cpu");
        let expected = (expected > 2).then(|| cores(expected.min(256_000)));
        assert_eq!(found.cpu_request, expected, "{}", case.name);
        // The smallest quota that a kernel takes is a hundredth of a core.
        let limits = &case.expect.limits;
        let expected = limits.get("cpu").filter(|limit| **limit > 0);
        let expected = expected.map(|limit| cores((*limit).max(10)));
        assert_eq!(found.cpu_limit, expected, "{}", case.name);
        let expected = limits.get("memory").filter(|limit| **limit > 0);
        assert_eq!(found.memory_limit, expected.copied(), "{}", case.name);
    }
}

#[test]
fn shares_and_quotas_of_a_kubelet_are_the_millicores_that_they_were_made_of() {
    let mut seen = 0;
    for case in facts().cases.iter().filter(|c| c.spec.resources.is_none()) {
        for container in &case.expect.containers {
            let cri = LinuxContainerResources {
                cpu_shares: container.cpu_shares,
                cpu_quota: container.cpu_quota,
                cpu_period: 100_000,
                ..LinuxContainerResources::default()
            };
            let config = cri_api::v1::ContainerConfig {
                linux: Some(cri_api::v1::LinuxContainerConfig {
                    resources: Some(cri),
                    ..Default::default()
                }),
                ..Default::default()
            };
            let found = ResourceInfo::from_container_config(&config, OnInvalid::Reject);
            let found = found.unwrap().info;
            let stated = container.info();
            let request = stated.cpu_request.filter(|request| *request > 0.0025);
            let name = (&case.name, &container.name);
            assert_eq!(found.cpu_request, request.map(|r| r.min(256.0)), "{name:?}");
            let limit = stated.cpu_limit.map(|limit| limit.max(0.01));
            assert_eq!(found.cpu_limit, limit, "{name:?}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn the_oom_score_of_a_container_shows_its_memory_request() {
    let facts = facts();
    let (mut ranges, mut limits, mut none) = (0, 0, 0);
    let critical = |case: &Case| case.name == "node-critical";
    let stated = facts.cases.iter().filter(|c| c.spec.resources.is_none());
    for case in stated.filter(|case| !critical(case)) {
        for (n, container) in case.expect.containers.iter().enumerate() {
            let init = case.spec.init_containers.get(n);
            let is_sidecar = init.is_some_and(|init| init.restart_policy.is_some());
            let request = container.info().memory_request.unwrap_or(0);
            let shown = oom_memory_request(container.oom_score_adj, facts.node_memory_bytes);
            match shown {
                MemoryRequest::Nothing => {
                    assert_eq!(case.expect.qos, "BestEffort", "{}", case.name);
                    none += 1;
                }
                MemoryRequest::Limit => {
                    assert_eq!(case.expect.qos, "Guaranteed", "{}", case.name);
                    assert_eq!(Some(request), container.info().memory_limit);
                    limits += 1;
                }
                MemoryRequest::Between { least, most } => {
                    let in_range = (least..=most).contains(&request);
                    assert!(in_range || is_sidecar && request < least, "{}", case.name);
                    ranges += 1;
                }
                MemoryRequest::Unknown => panic!("{}", case.name),
            }
        }
    }
    assert!(
        ranges > 40 && limits > 2 && none > 5,
        "{ranges} {limits} {none}"
    );
}
