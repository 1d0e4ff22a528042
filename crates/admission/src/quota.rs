//! ResourceQuota: usage of pods, and bounds for the sum over a namespace.
//!
//! The rules and the words are those of
//! `apiserver/pkg/admission/plugin/resourcequota/controller.go` (`CheckRequest`) and of
//! `pkg/quota/v1/evaluator/core/pods.go` of Kubernetes 1.36.

use std::collections::{BTreeMap, BTreeSet};

use inventory::QosClass;
use inventory::api::{Container, ObjectMeta, PodSpec, Quantities};
use kube_resources::{Format, Quantity};
use serde::Deserialize;

use crate::resources;
use crate::scope::{ScopeRequirement, ScopeSelector};

/// Quota of a namespace (`ResourceQuota`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct ResourceQuota {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Bounds and scopes.
    pub spec: ResourceQuotaSpec,
}

/// Bounds of a quota and the pods for which they hold (`ResourceQuotaSpec`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceQuotaSpec {
    /// Bounds by key, such as `requests.cpu`.
    pub hard: Quantities,
    /// Scopes, all of which a pod must match.
    pub scopes: Option<Vec<String>>,
    /// Selectors of scopes, all of which a pod must match.
    pub scope_selector: Option<ScopeSelector>,
}

/// Usage of a pod by the keys of quotas, such as `limits.memory` or `count/pods`
/// (`PodUsageFunc`), with the pod's own share of every key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage(Quantities);

impl Usage {
    /// Returns the usage of a pod with the resources that it has after the defaults.
    pub fn of(spec: &PodSpec) -> Self {
        let (requests, limits) = (resources::pod_requests(spec), resources::pod_limits(spec));
        let mut usage = compute(&requests, &limits);
        usage.insert("count/pods".to_owned(), one());
        Self(usage)
    }

    /// Returns the amounts by key.
    pub fn amounts(&self) -> &Quantities {
        &self.0
    }
}

fn one() -> Quantity {
    Quantity::from_milli(1000)
}

/// Returns the usage of requests and limits by the keys of quotas (`podComputeUsageHelper`).
fn compute(requests: &Quantities, limits: &Quantities) -> Quantities {
    let mut usage = Quantities::from([("pods".to_owned(), one())]);
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(request) = requests.get(name) {
            usage.insert(name.to_owned(), *request);
            usage.insert(format!("requests.{name}"), *request);
        }
        if let Some(limit) = limits.get(name) {
            usage.insert(format!("limits.{name}"), *limit);
        }
    }
    for (name, request) in requests {
        if name.starts_with("hugepages-") {
            usage.insert(name.clone(), *request);
            usage.insert(format!("requests.{name}"), *request);
        } else if is_extended(name) {
            usage.insert(format!("requests.{name}"), *request);
        }
    }
    usage
}

/// Returns whether a resource is none of Kubernetes' own (`IsExtendedResourceName`, or a device
/// class).
fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") || name.starts_with(DEVICE_CLASS)
}

const DEVICE_CLASS: &str = "deviceclass.resource.kubernetes.io/";

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Returns whether a key of a quota counts something of pods (`MatchingResources`).
pub(crate) fn counts_pods(key: &str) -> bool {
    let requested = key.strip_prefix("requests.");
    match key {
        "count/pods"
        | "pods"
        | "cpu"
        | "memory"
        | "ephemeral-storage"
        | "requests.cpu"
        | "requests.memory"
        | "requests.ephemeral-storage"
        | "limits.cpu"
        | "limits.memory"
        | "limits.ephemeral-storage" => true,
        _ if key.starts_with("hugepages-") => true,
        _ => requested.is_some_and(|name| {
            name.starts_with("hugepages-") || !is_native(key) || name.starts_with(DEVICE_CLASS)
        }),
    }
}

/// Keys for which every container must state an amount (`validationSet`).
const REQUIRED: [&str; 6] = [
    "cpu",
    "limits.cpu",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.memory",
];

/// Quota together with the usage that counts against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    name: String,
    scopes: Vec<ScopeRequirement>,
    /// Keys in the order of their names.
    lines: Vec<Line>,
}

/// One key of a quota.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    key: String,
    hard: Quantity,
    /// Usage in billionths, exact even where it is above the largest quantity.
    used: u128,
    format: Format,
    peak: u128,
}

/// Part of a usage that one quota counts: amounts that are not zero, by line of the [`Ledger`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Share(Vec<(usize, Quantity)>);

impl Line {
    /// Returns an amount in the notation of the line.
    fn quantity(&self, nanos: u128) -> Quantity {
        Quantity::from_nanos(nanos, self.format)
    }
}

impl Ledger {
    /// Returns a ledger without usage.
    pub fn new(quota: &ResourceQuota) -> Self {
        let spec = &quota.spec;
        let mut hard = spec.hard.clone();
        resources::round_up(&mut hard);
        let plain = spec.scopes.iter().flatten();
        let mut scopes: Vec<_> = plain.map(|scope| ScopeRequirement::exists(scope)).collect();
        let selectors = spec.scope_selector.iter();
        scopes.extend(selectors.flat_map(|selector| selector.match_expressions.clone()));
        let line = |(key, hard)| Line {
            key,
            hard,
            used: 0,
            format: Format::DecimalSi,
            peak: 0,
        };
        Self {
            name: quota.metadata.name.clone(),
            scopes,
            lines: hard.into_iter().map(line).collect(),
        }
    }

    /// Returns the name of the quota.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns key, bound, usage and largest usage so far, in the order of the keys.
    pub fn lines(&self) -> impl Iterator<Item = (&str, Quantity, Quantity, Quantity)> {
        self.lines.iter().map(|line| {
            let (used, peak) = (line.quantity(line.used), line.quantity(line.peak));
            (line.key.as_str(), line.hard, used, peak)
        })
    }

    /// Returns the scopes.
    pub fn scopes(&self) -> &[ScopeRequirement] {
        &self.scopes
    }

    /// Returns whether the quota holds for pods with this spec (`Matches`): it counts something of
    /// pods, and the pod matches every scope.
    pub fn matches(&self, spec: &PodSpec, qos: QosClass) -> bool {
        self.lines.iter().any(|line| counts_pods(&line.key))
            && self.scopes.iter().all(|scope| scope.matches(spec, qos))
    }

    /// Returns the reason why the quota refuses pods with this spec at any usage: a container does
    /// not state an amount that the quota bounds (`Constraints`).
    pub fn constraints(&self, spec: &PodSpec) -> Option<String> {
        if resources::states_pod_level(spec) {
            return None;
        }
        let keys = self.lines.iter().map(|line| line.key.as_str());
        let required: Vec<&str> = keys.filter(|key| REQUIRED.contains(key)).collect();
        let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for container in spec.containers.iter().chain(&spec.init_containers) {
            let Container {
                name, resources, ..
            } = container;
            let stated = compute(&resources.requests, &resources.limits);
            for key in required.iter().filter(|key| !stated.contains_key(**key)) {
                missing.entry(key).or_default().insert(name);
            }
        }
        let parts: Vec<_> = missing
            .iter()
            .map(|(key, containers)| {
                let containers: Vec<_> = containers.iter().copied().collect();
                format!("{key} for: {}", containers.join(","))
            })
            .collect();
        (!parts.is_empty()).then(|| {
            let (name, parts) = (&self.name, parts.join("; "));
            format!("failed quota: {name}: must specify {parts}")
        })
    }

    /// Returns the part of a usage that the quota counts.
    pub fn share(&self, usage: &Usage) -> Share {
        let counted = self.lines.iter().enumerate().filter_map(|(place, line)| {
            let requested = usage.0.get(&line.key).filter(|amount| !amount.is_zero())?;
            Some((place, *requested))
        });
        Share(counted.collect())
    }

    /// Returns the reason why a usage does not fit beside the usage that there is.
    pub fn refuses(&self, share: &Share) -> Option<String> {
        let mut exceeded = self.counted(share).filter(|(line, requested)| {
            line.used.saturating_add(requested.nanos()) > line.hard.nanos()
        });
        let first = exceeded.next()?;
        let exceeded: Vec<_> = std::iter::once(first).chain(exceeded).collect();
        let listed = |amount: fn(&(&Line, Quantity)) -> Quantity| {
            resources::listed(exceeded.iter().map(|of| (of.0.key.as_str(), amount(of))))
        };
        Some(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            self.name,
            listed(|&(_, requested)| requested),
            listed(|(line, _)| line.quantity(line.used)),
            listed(|(line, _)| line.hard),
        ))
    }

    /// Counts the usage of a pod that was admitted, and returns the places of the lines that rose
    /// above all of their earlier usage, with that usage.
    pub fn charge(&mut self, share: &Share) -> Vec<(usize, Quantity)> {
        let mut raised = Vec::new();
        for &(place, requested) in &share.0 {
            let Some(line) = self.lines.get_mut(place) else {
                continue;
            };
            if line.used == 0 {
                line.format = requested.format();
            }
            line.used = line.used.saturating_add(requested.nanos());
            if line.used > line.peak {
                line.peak = line.used;
                raised.push((place, line.quantity(line.peak)));
            }
        }
        raised
    }

    /// Frees the usage of a pod that has left.
    pub fn release(&mut self, share: &Share) {
        for &(place, requested) in &share.0 {
            if let Some(line) = self.lines.get_mut(place) {
                line.used = line.used.saturating_sub(requested.nanos());
            }
        }
    }

    fn counted<'a>(&'a self, share: &'a Share) -> impl Iterator<Item = (&'a Line, Quantity)> {
        let shares = share.0.iter();
        shares.filter_map(|&(place, requested)| Some((self.lines.get(place)?, requested)))
    }
}
