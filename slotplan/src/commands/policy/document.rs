//! The document: decisions, refusals by namespace and team, quotas, evictions.

use std::collections::BTreeMap;

use admission::{Plugin, Policies, QuotaReport, Replay, Requester, at_peak};
use inventory::{Assumption, Inventory, Pod};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::answer::Header;
use crate::input::Input;

/// Number of pods that are named of the order of eviction of a node.
const EVICTED: usize = 5;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/policy/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Decisions of the API server on all pods.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    #[serde(flatten)]
    pub header: Header,
    /// User that creates the pods.
    pub user: String,
    /// Groups of the user.
    pub groups: Vec<String>,
    /// Numbers of policies that were read.
    pub policies: PolicyCounts,
    /// Numbers of pods by decision.
    pub pods: Totals,
    /// Namespaces with refused pods.
    pub refusals_by_namespace: Vec<Refusals>,
    /// Label by whose values `refusals_by_team` counts.
    pub team_label: String,
    /// Teams with refused pods.
    pub refusals_by_team: Vec<Refusals>,
    /// Reasons of refusals.
    pub reasons: Vec<Cause>,
    /// Defaults that LimitRange sets.
    pub changes: Vec<Change>,
    /// Bounds and usage of each ResourceQuota.
    pub quotas: Vec<Quota>,
    /// Orders of eviction, by node; empty without usage.
    pub evictions: Vec<Eviction>,
    /// Decision on every pod, in the order of arrival.
    pub decisions: Vec<PodDecision>,
}

/// Numbers of policies that were read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PolicyCounts {
    /// Number of LimitRanges.
    pub limit_ranges: usize,
    /// Number of ResourceQuotas.
    pub resource_quotas: usize,
    /// Number of ValidatingAdmissionPolicies.
    pub validating_admission_policies: usize,
}

/// Numbers of pods by decision.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// Number of pods.
    pub total: u64,
    /// Number of admitted pods.
    pub admitted: u64,
    /// Admitted pods for which LimitRange set defaults.
    pub changed: u64,
    /// Number of refused pods.
    pub refused: u64,
    /// Numbers of refused pods by the plugin that refused them.
    pub refused_by: ByPlugin,
    /// Number of pods with a warning.
    pub warned: u64,
    /// Admitted pods by class.
    pub qos: BTreeMap<&'static str, u64>,
}

/// Numbers of pods by the plugin that refused them.
#[derive(Debug, Default, Clone, Serialize, JsonSchema)]
pub(super) struct ByPlugin {
    /// Pods that LimitRange refuses.
    pub limit_range: u64,
    /// Pods that ValidatingAdmissionPolicy refuses.
    pub validating_admission_policy: u64,
    /// Pods that ResourceQuota refuses.
    pub resource_quota: u64,
}

impl ByPlugin {
    fn count(&mut self, plugin: Plugin) {
        match plugin {
            Plugin::LimitRange => self.limit_range += 1,
            Plugin::Policy => self.validating_admission_policy += 1,
            Plugin::ResourceQuota => self.resource_quota += 1,
        }
    }
}

/// Refusals of one namespace or team.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Refusals {
    /// Name of the namespace or team.
    pub name: String,
    /// Number of pods.
    pub pods: u64,
    /// Number of refused pods.
    pub refused: u64,
    #[serde(flatten)]
    pub by: ByPlugin,
}

/// Reason of refusals, without the name of the pod and without amounts that differ by pod.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Cause {
    /// Namespace of the pods.
    pub namespace: String,
    /// Plugin that refuses the pods.
    pub by: &'static str,
    /// Reason.
    pub reason: String,
    /// Number of refused pods.
    pub pods: u64,
    /// Words of the API server on the first of them.
    pub first: String,
}

/// Defaults that LimitRange sets for pods of one workload.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Change {
    /// Namespace of the pods.
    pub namespace: String,
    /// Workload, or the pod if it has none.
    pub workload: String,
    /// Number of pods.
    pub pods: u64,
    /// Fields that are set.
    pub set: String,
}

/// Bounds and usage of a ResourceQuota.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Quota {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Number of pods that the quota refuses.
    pub refused: u64,
    /// Bounds and usage, by key.
    pub keys: Vec<QuotaKey>,
}

/// Bound and usage of one key. Amounts are quantities of Kubernetes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct QuotaKey {
    /// Key, such as `requests.cpu`.
    pub key: String,
    /// Bound.
    pub hard: String,
    /// Usage at the end.
    pub used: String,
    /// Largest usage.
    pub peak: String,
    /// Time of the largest usage (RFC 3339, UTC); null for pods that are there from the
    /// start.
    pub peak_at: Option<String>,
    /// Smallest bound that would have refused no pod for want of room.
    pub sufficient: String,
    /// High-water marks over time.
    pub marks: Vec<Mark>,
    /// Parts of the larger of bound and sufficient bound, in thousandths.
    #[serde(skip)]
    pub shares: Shares,
}

/// Lengths of the bars of a key, in thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    pub hard: u64,
    pub peak: u64,
    pub sufficient: u64,
}

/// New largest usage of a key.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Mark {
    /// Time (RFC 3339, UTC); null for pods that are there from the start.
    pub time: Option<String>,
    /// Usage, as a quantity of Kubernetes.
    pub used: String,
}

/// Order of eviction of a node at its peak of memory.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Eviction {
    /// Name of the node; null for pods without one.
    pub node: Option<String>,
    /// Time of the peak (RFC 3339, UTC).
    pub time: String,
    /// Memory in use at the peak, in bytes.
    pub memory_bytes: i64,
    /// Number of pods in the order.
    pub pods: usize,
    /// First pods of the order.
    pub first: Vec<Evicted>,
}

/// Pod in an order of eviction.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Evicted {
    /// Namespace.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Class of quality of service.
    pub qos: &'static str,
    /// Priority.
    pub priority: i32,
    /// Memory in use, in bytes; null without a sample.
    pub memory_bytes: Option<i64>,
    /// Requested memory in bytes.
    pub request_bytes: i64,
}

/// Decision on one pod.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PodDecision {
    /// Namespace.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Time of the arrival (RFC 3339, UTC); absent for a pod that is there from the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival: Option<String>,
    /// `admitted`, `changed` or `refused`.
    pub decision: &'static str,
    /// Defaults that LimitRange sets; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
    /// Plugin that refuses the pod; absent if it is admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_by: Option<&'static str>,
    /// Message of the API server; absent if the pod is admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Warnings of policies; absent without any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Document {
    pub(super) fn new(
        input: &Input,
        policies: &Policies,
        requester: &Requester,
        replay: &Replay,
        team_label: &str,
    ) -> Self {
        let inventory = &input.inventory;
        let (limit_ranges, resource_quotas, validating_admission_policies) = policies.counts();
        let mut counts = Counts::default();
        for (pod, decision) in inventory.pods.iter().zip(&replay.decisions) {
            counts.add(pod, decision, team_label);
        }
        Self {
            header: header(input, policies, replay),
            user: requester.name.clone(),
            groups: requester.groups.clone(),
            policies: PolicyCounts {
                limit_ranges,
                resource_quotas,
                validating_admission_policies,
            },
            pods: counts.totals,
            refusals_by_namespace: refusals(counts.namespaces),
            team_label: team_label.to_owned(),
            refusals_by_team: refusals(counts.teams),
            reasons: counts.reasons.into_values().collect(),
            changes: counts.changes.into_values().collect(),
            quotas: replay.quotas.iter().map(quota).collect(),
            evictions: evictions(inventory, replay),
            decisions: counts.decisions,
        }
    }
}

fn header(input: &Input, policies: &Policies, replay: &Replay) -> Header {
    let mut assumptions = input.inventory.assumptions.clone();
    assumptions.extend(replay.assumptions.iter().cloned());
    if policies.is_empty() {
        let text = "the input has no LimitRange, ResourceQuota or ValidatingAdmissionPolicy";
        assumptions.push(Assumption(text.to_owned()));
    }
    for name in policies.unbound() {
        let text = format!("ValidatingAdmissionPolicy {name} has no binding and decides nothing");
        assumptions.push(Assumption(text));
    }
    Header::new(SCHEMA, &input.files, &assumptions)
}

/// Everything that is counted pod by pod.
#[derive(Default)]
struct Counts {
    totals: Totals,
    namespaces: BTreeMap<String, (u64, ByPlugin)>,
    teams: BTreeMap<String, (u64, ByPlugin)>,
    reasons: BTreeMap<(String, Plugin, String), Cause>,
    changes: BTreeMap<(String, String, String), Change>,
    decisions: Vec<PodDecision>,
}

impl Counts {
    fn add(&mut self, pod: &Pod, decision: &admission::Decision, team_label: &str) {
        let namespace = pod.namespace.to_string();
        let of_namespace = self.namespaces.entry(namespace.clone()).or_default();
        of_namespace.0 += 1;
        let team = pod.template.labels.get(team_label);
        let mut of_team = team.map(|team| self.teams.entry(team.clone()).or_default());
        if let Some(team) = &mut of_team {
            team.0 += 1;
        }
        self.totals.total += 1;
        self.totals.warned += u64::from(!decision.warnings.is_empty());
        if let Some((plugin, words)) = &decision.refused {
            self.totals.refused += 1;
            self.totals.refused_by.count(*plugin);
            of_namespace.1.count(*plugin);
            if let Some(team) = of_team {
                team.1.count(*plugin);
            }
            let reason = reason(*plugin, words);
            let key = (namespace.clone(), *plugin, reason.clone());
            let entry = self.reasons.entry(key).or_insert_with(|| Cause {
                namespace: namespace.clone(),
                by: plugin.name(),
                reason,
                pods: 0,
                first: words.to_string(),
            });
            entry.pods += 1;
        } else {
            self.totals.admitted += 1;
            let class = decision.template.effective.qos.name();
            *self.totals.qos.entry(class).or_default() += 1;
            if let Some(set) = &decision.changed {
                self.totals.changed += 1;
                self.change(pod, &namespace, set);
            }
        }
        self.decisions.push(shown(pod, decision));
    }

    fn change(&mut self, pod: &Pod, namespace: &str, set: &str) {
        let workload = match &pod.owner {
            Some(owner) => format!("{} {}", owner.kind, owner.name),
            None => format!("Pod {}", pod.name),
        };
        let set = set.strip_prefix("LimitRanger plugin set: ").unwrap_or(set);
        let key = (namespace.to_owned(), workload.clone(), set.to_owned());
        let entry = self.changes.entry(key).or_insert_with(|| Change {
            namespace: namespace.to_owned(),
            workload,
            pods: 0,
            set: set.to_owned(),
        });
        entry.pods += 1;
    }
}

/// Returns the words for a refusal without the pod's name and without the amounts of a quota.
fn reason(plugin: Plugin, words: &str) -> String {
    let words = words
        .split_once(" is forbidden: ")
        .map_or(words, |(_, reason)| reason);
    match (plugin, words.split_once(", requested: ")) {
        (Plugin::ResourceQuota, Some((quota, _))) => quota.to_owned(),
        _ => words.to_owned(),
    }
}

fn shown(pod: &Pod, decision: &admission::Decision) -> PodDecision {
    PodDecision {
        namespace: pod.namespace.to_string(),
        pod: pod.name.to_string(),
        arrival: pod.arrival.map(|time| time.to_string()),
        decision: match (&decision.refused, &decision.changed) {
            (Some(_), _) => "refused",
            (None, Some(_)) => "changed",
            (None, None) => "admitted",
        },
        changed: decision.changed.as_ref().map(ToString::to_string),
        refused_by: decision.refused.as_ref().map(|(plugin, _)| plugin.name()),
        message: decision
            .refused
            .as_ref()
            .map(|(_, words)| words.to_string()),
        warnings: decision.warnings.clone(),
    }
}

fn refusals(counts: BTreeMap<String, (u64, ByPlugin)>) -> Vec<Refusals> {
    let all = counts.into_iter().map(|(name, (pods, by))| Refusals {
        name,
        pods,
        refused: by.limit_range + by.validating_admission_policy + by.resource_quota,
        by,
    });
    all.filter(|of| of.refused > 0).collect()
}

fn quota(report: &QuotaReport) -> Quota {
    let key = |key: &admission::KeyReport| {
        let largest = key.hard.max(key.sufficient).nanos().max(1);
        let share = |amount: kube_resources::Quantity| {
            u64::try_from(amount.nanos().saturating_mul(1000) / largest).unwrap_or(1000)
        };
        QuotaKey {
            key: key.key.clone(),
            hard: key.hard.to_string(),
            used: key.used.to_string(),
            peak: key.peak.to_string(),
            peak_at: key.peak_at.map(|time| time.to_string()),
            sufficient: key.sufficient.to_string(),
            marks: key
                .marks
                .iter()
                .map(|(time, used)| Mark {
                    time: time.map(|time| time.to_string()),
                    used: used.to_string(),
                })
                .collect(),
            shares: Shares {
                hard: share(key.hard),
                peak: share(key.peak),
                sufficient: share(key.sufficient),
            },
        }
    };
    Quota {
        namespace: report.namespace.clone(),
        name: report.name.clone(),
        refused: report.refused,
        keys: report.keys.iter().map(key).collect(),
    }
}

/// Returns the order of eviction among the admitted pods, node by node.
fn evictions(inventory: &Inventory, replay: &Replay) -> Vec<Eviction> {
    if inventory.usage.is_empty() {
        return Vec::new();
    }
    let admitted = inventory.pods.iter().zip(&replay.decisions);
    let admitted = admitted.filter(|(_, decision)| decision.refused.is_none());
    let pods: Vec<Pod> = admitted
        .map(|(pod, decision)| Pod {
            template: decision.template.clone(),
            ..pod.clone()
        })
        .collect();
    let evicted = |candidate: &admission::Candidate| {
        let pod = pods.get(candidate.pod)?;
        Some(Evicted {
            namespace: pod.namespace.to_string(),
            pod: pod.name.to_string(),
            qos: pod.template.effective.qos.name(),
            priority: candidate.priority,
            memory_bytes: candidate.usage,
            request_bytes: candidate.request,
        })
    };
    let all = at_peak(&pods, &inventory.usage).into_iter();
    all.map(|pressure| Eviction {
        node: pressure.node.as_deref().map(str::to_owned),
        time: pressure.time.to_string(),
        memory_bytes: pressure.usage,
        pods: pressure.order.len(),
        first: pressure
            .order
            .iter()
            .take(EVICTED)
            .filter_map(evicted)
            .collect(),
    })
    .collect()
}
