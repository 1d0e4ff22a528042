//! LimitRange: defaults for containers, and bounds for containers and pods.
//!
//! The rules and the words are those of `plugin/pkg/admission/limitranger/admission.go` of
//! Kubernetes 1.36.

use inventory::api::{ObjectMeta, PodSpec, Quantities};
use kube_resources::Quantity;
use serde::Deserialize;

use crate::resources::{self, listed_errors};

/// Largest whole amount that also fits as thousandths (`MaxMilliValue` of apimachinery).
const MAX_MILLI_VALUE: u64 = i64::MAX as u64 / 1000;

/// Beginning of the annotation `kubernetes.io/limit-ranger`, which lists the defaults that were set.
const ANNOTATION: &str = "LimitRanger plugin set: ";

/// Limits of a namespace (`LimitRange`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct LimitRange {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// Limits.
    pub spec: LimitRangeSpec,
}

/// Limits by type (`LimitRangeSpec`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct LimitRangeSpec {
    /// Limits.
    pub limits: Vec<LimitRangeItem>,
}

/// Limits of one type (`LimitRangeItem`).
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LimitRangeItem {
    /// `Container`, `Pod` or `PersistentVolumeClaim`; claims are not looked at.
    #[serde(rename = "type")]
    pub kind: String,
    /// Largest amounts.
    pub max: Quantities,
    /// Smallest amounts.
    pub min: Quantities,
    /// Limits of containers that state none.
    pub default: Quantities,
    /// Requests of containers that state none.
    pub default_request: Quantities,
    /// Largest quotients of limit and request.
    pub max_limit_request_ratio: Quantities,
}

impl LimitRange {
    /// Applies the defaults of the API server (`SetDefaults_LimitRangeItem`): for containers, the
    /// default limit is the largest one, and the default request is the default limit, or else the
    /// smallest request.
    pub fn set_defaults(&mut self) {
        for item in &mut self.spec.limits {
            for amounts in [
                &mut item.max,
                &mut item.min,
                &mut item.default,
                &mut item.default_request,
                &mut item.max_limit_request_ratio,
            ] {
                resources::round_up(amounts);
            }
            if item.kind == "Container" {
                complete(&mut item.default, &item.max);
                complete(&mut item.default_request, &item.default);
                complete(&mut item.default_request, &item.min);
            }
        }
    }

    /// Sets the requests and limits that the containers of a pod do not state, and returns the
    /// annotation that lists them; `None` if there are none (`PodMutateLimitFunc`).
    pub fn mutate(&self, spec: &mut PodSpec) -> Option<String> {
        let (mut requests, mut limits) = (Quantities::new(), Quantities::new());
        for item in self.items("Container") {
            requests.extend(item.default_request.clone());
            limits.extend(item.default.clone());
        }
        let mut set = Vec::new();
        let regular = spec.containers.iter_mut().map(|c| ("container", c));
        let init = spec
            .init_containers
            .iter_mut()
            .map(|c| ("init container", c));
        for (kind, container) in regular.chain(init) {
            let resources = &mut container.resources;
            for (part, stated, defaults) in [
                ("request", &mut resources.requests, &requests),
                ("limit", &mut resources.limits, &limits),
            ] {
                let names = complete(stated, defaults);
                if !names.is_empty() {
                    let (names, name) = (names.join(", "), &container.name);
                    set.push(format!("{names} {part} for {kind} {name}"));
                }
            }
        }
        (!set.is_empty()).then(|| format!("{ANNOTATION}{}", set.join("; ")))
    }

    /// Returns the reasons why the limits refuse a pod, sorted; none if they admit it
    /// (`PodValidateLimitFunc`, which lists them in the random order of a map).
    pub fn validate(&self, spec: &PodSpec) -> Vec<String> {
        let mut reasons = Vec::new();
        for item in self.items("Container") {
            for container in spec.containers.iter().chain(&spec.init_containers) {
                let resources = &container.resources;
                item.validate(&resources.requests, &resources.limits, &mut reasons);
            }
        }
        for item in self.items("Pod") {
            let of_pod = |part| {
                let mut sum = resources::of_containers(spec, part);
                let is_pod_level = |name: &str| matches!(name, "cpu" | "memory");
                resources::override_with_pod_level(&mut sum, spec, part, is_pod_level);
                sum
            };
            let (requests, limits) = (of_pod(resources::requests), of_pod(resources::limits));
            item.validate(&requests, &limits, &mut reasons);
        }
        reasons.sort();
        reasons
    }

    fn items(&self, kind: &str) -> impl Iterator<Item = &LimitRangeItem> {
        self.spec
            .limits
            .iter()
            .filter(move |item| item.kind == kind)
    }
}

/// Returns the words with which the API server refuses a pod for these reasons
/// (`Aggregate.Error` of apimachinery, which lists equal reasons once).
pub fn refusal(reasons: &[String]) -> String {
    listed_errors(reasons)
}

/// Adds the amounts that are not stated, and returns the names of those, sorted.
fn complete(stated: &mut Quantities, defaults: &Quantities) -> Vec<String> {
    let mut names = Vec::new();
    for (name, quantity) in defaults {
        stated.entry(name.clone()).or_insert_with(|| {
            names.push(name.clone());
            *quantity
        });
    }
    names
}

impl LimitRangeItem {
    fn validate(&self, requests: &Quantities, limits: &Quantities, reasons: &mut Vec<String>) {
        let checks: [(&Quantities, CheckFn); 3] = [
            (&self.min, |check| check.min()),
            (&self.max, |check| check.max()),
            (&self.max_limit_request_ratio, |check| check.ratio()),
        ];
        for (bounds, check) in checks {
            reasons.extend(bounds.iter().filter_map(|(name, bound)| {
                check(&Check {
                    kind: &self.kind,
                    name,
                    bound: *bound,
                    request: requests.get(name).copied(),
                    limit: limits.get(name).copied(),
                })
            }));
        }
    }
}

/// Test of one bound, which returns the reason of a refusal.
type CheckFn = for<'a, 'b> fn(&'a Check<'b>) -> Option<String>;

/// One bound and the amounts that it holds for.
struct Check<'a> {
    kind: &'a str,
    name: &'a str,
    bound: Quantity,
    request: Option<Quantity>,
    limit: Option<Quantity>,
}

impl Check<'_> {
    /// Returns request, limit and bound in the finest common unit that does not overflow
    /// (`requestLimitEnforcedValues`).
    fn values(&self) -> (u64, u64, u64) {
        let all = [
            self.request.unwrap_or(Quantity::ZERO),
            self.limit.unwrap_or(Quantity::ZERO),
            self.bound,
        ];
        let fine = all.iter().all(|amount| amount.whole() <= MAX_MILLI_VALUE);
        let [request, limit, bound] =
            all.map(|amount| if fine { amount.milli() } else { amount.whole() });
        (request, limit, bound)
    }

    fn min(&self) -> Option<String> {
        let (request, limit, bound) = self.values();
        let words = format!(
            "minimum {} usage per {} is {}",
            self.name, self.kind, self.bound
        );
        match (self.request, self.limit) {
            (None, _) => Some(format!("{words}.  No request is specified")),
            (Some(stated), _) if request < bound => {
                Some(format!("{words}, but request is {stated}"))
            }
            (_, Some(stated)) if limit < bound => Some(format!("{words}, but limit is {stated}")),
            _ => None,
        }
    }

    fn max(&self) -> Option<String> {
        let (request, limit, bound) = self.values();
        let words = format!(
            "maximum {} usage per {} is {}",
            self.name, self.kind, self.bound
        );
        match (self.limit, self.request) {
            (None, _) => Some(format!("{words}.  No limit is specified")),
            (Some(stated), _) if limit > bound => Some(format!("{words}, but limit is {stated}")),
            (_, Some(stated)) if request > bound => {
                Some(format!("{words}, but request is {stated}"))
            }
            _ => None,
        }
    }

    fn ratio(&self) -> Option<String> {
        let (request, limit, _) = self.values();
        let words = format!(
            "{} max limit to request ratio per {} is {}",
            self.name, self.kind, self.bound
        );
        if self.request.is_none() || request == 0 {
            return Some(format!(
                "{words}, but no request is specified or request is 0"
            ));
        }
        if self.limit.is_none() || limit == 0 {
            return Some(format!("{words}, but no limit is specified or limit is 0"));
        }
        let ratio = limit as f64 / request as f64;
        let (observed, bound) = if self.bound.whole() <= MAX_MILLI_VALUE {
            (ratio * 1000.0, self.bound.milli() as f64)
        } else {
            (ratio, self.bound.whole() as f64)
        };
        (observed > bound).then(|| format!("{words}, but provided ratio is {ratio:.6}"))
    }
}
