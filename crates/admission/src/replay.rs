//! Policies over time: pods arrive, are admitted, changed or refused, and free their quota when
//! they leave.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use cel::Value;
use inventory::api::PodSpec;
use inventory::{Assumption, Pod, Template, Timestamp};

use crate::books::{Books, QuotaReport};
use crate::limit_range::refusal;
use crate::object::{named, object};
use crate::policies::{Namespace, Policies};
use crate::policy::{Findings, PodRequest, Requester};
use crate::quota::{Share, Usage};
use crate::resources::set_resource_defaults;

/// Admission plug-in that refuses a pod, in the order in which an API server asks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plugin {
    /// LimitRange.
    LimitRange,
    /// ValidatingAdmissionPolicy.
    Policy,
    /// ResourceQuota.
    ResourceQuota,
}

impl Plugin {
    /// Returns the name of the kind of object that decides.
    pub fn name(self) -> &'static str {
        match self {
            Self::LimitRange => "LimitRange",
            Self::Policy => "ValidatingAdmissionPolicy",
            Self::ResourceQuota => "ResourceQuota",
        }
    }
}

/// Decision on one pod.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Template with the defaults that LimitRange sets; that of the pod if it sets none.
    pub template: Arc<Template>,
    /// Defaults that LimitRange sets, in the words of its annotation; `None` if it sets none.
    pub changed: Option<Arc<str>>,
    /// Plug-in that refuses the pod and the API server's words; `None` if the pod is admitted.
    pub refused: Option<(Plugin, Arc<str>)>,
    /// Warnings of policies.
    pub warnings: Vec<String>,
}

/// Decisions on all pods of an input.
#[derive(Debug, Default)]
pub struct Replay {
    /// Decisions, in the order of the pods.
    pub decisions: Vec<Decision>,
    /// Quotas with their usage, in the order of namespaces and names.
    pub quotas: Vec<QuotaReport>,
    /// What was taken for granted, each once.
    pub assumptions: Vec<Assumption>,
}

/// What does not depend on the name of a pod.
struct Prepared {
    template: Arc<Template>,
    changed: Option<Arc<str>>,
    refused: Option<Arc<str>>,
    /// The pod without its name; `None` if there are no policies.
    object: Option<Value>,
    namespace: Namespace,
    /// Reason why a quota refuses the pod at any usage.
    unstated: Option<Arc<str>>,
    /// Places of the quotas that count the pod, and its share of each.
    shares: Arc<[(usize, Share)]>,
}

/// Decides on pods in the order of their arrival. A pod that leaves at the time at which another
/// arrives frees its quota first; one that ended when it arrived counts for no quota.
pub fn replay(pods: &[Pod], policies: &Policies, requester: &Requester) -> Replay {
    let mut run = Run {
        policies,
        requester,
        books: Books::new(policies.quotas()),
        prepared: HashMap::new(),
        all: Vec::new(),
        leaving: BinaryHeap::new(),
        assumptions: BTreeSet::new(),
    };
    let decisions = pods.iter().map(|pod| run.arrive(pod)).collect();
    Replay {
        decisions,
        quotas: run.books.reports(),
        assumptions: run.assumptions.into_iter().collect(),
    }
}

struct Run<'a> {
    policies: &'a Policies,
    requester: &'a Requester,
    books: Books,
    /// Places in `all` by namespace and template.
    prepared: HashMap<(Arc<str>, *const Template), usize>,
    all: Vec<Prepared>,
    /// Times at which pods leave, the place of their preparation, and whether they were admitted.
    leaving: BinaryHeap<Reverse<(Timestamp, usize, bool)>>,
    assumptions: BTreeSet<Assumption>,
}

/// Returns whether a container requests more than its limit.
fn exceeds_limit(spec: &PodSpec) -> bool {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    containers.map(|container| &container.resources).any(|of| {
        let limit = |name| of.limits.get(name);
        let mut requests = of.requests.iter();
        requests.any(|(name, request)| limit(name).is_some_and(|limit| request > limit))
    })
}

fn admitted(pod: &Pod) -> Decision {
    Decision {
        template: Arc::clone(&pod.template),
        changed: None,
        refused: None,
        warnings: Vec::new(),
    }
}

impl Run<'_> {
    fn arrive(&mut self, pod: &Pod) -> Decision {
        if let Some(now) = pod.arrival {
            self.release_until(now);
        }
        let place = self.place(pod);
        let Some(prepared) = self.all.get(place) else {
            return admitted(pod);
        };
        let mut decision = Decision {
            template: Arc::clone(&prepared.template),
            changed: prepared.changed.clone(),
            refused: None,
            warnings: Vec::new(),
        };
        let forbidden = |by, reason: &str| {
            let words = format!("pods \"{}\" is forbidden: {reason}", pod.name);
            Some((by, Arc::from(words)))
        };
        if let Some(reason) = &prepared.refused {
            decision.refused = forbidden(Plugin::LimitRange, reason);
            return decision;
        }
        if let Some(object) = &prepared.object {
            let findings = self.evaluate(pod, object, prepared);
            decision.warnings = findings.warnings;
            if let Some(denial) = findings.denials.first() {
                decision.refused = forbidden(Plugin::Policy, &denial.message);
                return decision;
            }
        }
        let ended = pod.departure.is_some() && pod.departure <= pod.arrival;
        if ended {
            return decision;
        }
        if let Some(reason) = &prepared.unstated {
            decision.refused = forbidden(Plugin::ResourceQuota, reason);
            return decision;
        }
        let shares = Arc::clone(&prepared.shares);
        let refused = self.books.admit(&shares, pod.arrival);
        if let Some(reason) = &refused {
            decision.refused = forbidden(Plugin::ResourceQuota, reason);
        }
        if let Some(departure) = pod.departure
            && !shares.is_empty()
        {
            let leaving = (departure, place, refused.is_none());
            self.leaving.push(Reverse(leaving));
        }
        decision
    }

    fn release_until(&mut self, now: Timestamp) {
        while let Some(&Reverse((departure, place, was_admitted))) = self.leaving.peek() {
            if departure > now {
                return;
            }
            self.leaving.pop();
            if let Some(prepared) = self.all.get(place) {
                self.books.release(&prepared.shares, was_admitted);
            }
        }
    }

    /// Returns the place of what the pods of this namespace and template have in common.
    fn place(&mut self, pod: &Pod) -> usize {
        let key = (Arc::clone(&pod.namespace), Arc::as_ptr(&pod.template));
        if let Some(place) = self.prepared.get(&key) {
            return *place;
        }
        let place = self.all.len();
        let prepared = self.prepare(pod);
        self.all.push(prepared);
        self.prepared.insert(key, place);
        place
    }

    fn prepare(&mut self, pod: &Pod) -> Prepared {
        let mut spec = pod.template.spec.clone();
        set_resource_defaults(&mut spec);
        let limits = self.policies.limits(&pod.namespace);
        let mut changed = None;
        for limit in limits {
            changed = limit.mutate(&mut spec).or(changed);
        }
        let reasons = limits
            .iter()
            .map(|limit| limit.validate(&spec))
            .find(|reasons| !reasons.is_empty());
        let effective = Template {
            raw: pod.template.raw.clone(),
            ..Template::new(pod.template.labels.clone(), spec)
        };
        if changed.is_some() && exceeds_limit(&effective.spec) {
            self.assume(
                "with the defaults of LimitRange, some pods request more than their limit; an API server finds such pods invalid, and here they are admitted",
            );
        }
        let namespace = self.policies.namespace(&pod.namespace);
        let object = (!self.policies.policies().is_empty()).then(|| {
            if namespace.is_assumed() {
                self.assume(format!(
                    "namespace {}, which the input does not have, has no labels but its name",
                    pod.namespace
                ));
            }
            if pod.template.raw.is_none() {
                self.assume(
                    "policies see only the fields of pods that decide a plan, where the input has no object of the Kubernetes API",
                );
            }
            object(&effective, changed.as_deref())
        });
        let usage = Usage::of(&effective.spec);
        let (unstated, shares) = self.books.counted(
            &pod.namespace,
            &effective.spec,
            effective.effective.qos,
            &usage,
        );
        let template = match changed {
            Some(_) => Arc::new(effective),
            None => Arc::clone(&pod.template),
        };
        Prepared {
            template,
            changed: changed.map(Arc::from),
            refused: reasons.map(|reasons| refusal(&reasons).into()),
            object,
            namespace,
            unstated: unstated.map(Arc::from),
            shares,
        }
    }

    fn assume(&mut self, text: impl Into<String>) {
        self.assumptions.insert(Assumption(text.into()));
    }

    fn evaluate(&self, pod: &Pod, object: &Value, prepared: &Prepared) -> Findings {
        let request = PodRequest {
            name: &pod.name,
            namespace: &pod.namespace,
            labels: &pod.template.labels,
            object: named(object, &pod.name, &pod.namespace, pod.uid.as_deref()),
            namespace_labels: &prepared.namespace.labels,
            namespace_object: prepared.namespace.value.clone(),
            requester: self.requester,
            params: self.policies.params(),
        };
        let mut findings = Findings::default();
        for policy in self.policies.policies() {
            policy.evaluate(&request, &mut findings);
        }
        findings
    }
}
