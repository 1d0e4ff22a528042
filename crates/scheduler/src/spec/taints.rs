//! Taints of nodes: the plugins `TaintToleration` and `NodeUnschedulable`.
//!
//! The source is `ToleratesTaint` in `k8s.io/api/core/v1/toleration.go`. The operators `Lt` and
//! `Gt` tolerate nothing: their feature gate, `TaintTolerationComparisonOperators`, is off by
//! default up to Kubernetes 1.36.

use inventory::api::{Taint, Toleration};

/// Name of the taint that stands for an unschedulable node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// Returns the first taint that keeps a pod with these tolerations away.
pub(crate) fn untolerated<'a>(
    taints: &'a [Taint],
    tolerations: &[Toleration],
) -> Option<&'a Taint> {
    let mut hard = taints
        .iter()
        .filter(|taint| matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute"));
    hard.find(|taint| !tolerate(tolerations, taint))
}

/// Returns the number of taints that a pod should rather avoid.
pub(crate) fn intolerable(taints: &[Taint], tolerations: &[Toleration]) -> i64 {
    let soft = taints
        .iter()
        .filter(|taint| taint.effect == "PreferNoSchedule");
    let count = soft.filter(|taint| !tolerate(tolerations, taint)).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Returns whether a pod with these tolerations goes to a node that is marked unschedulable.
pub(crate) fn tolerate_unschedulable(tolerations: &[Toleration]) -> bool {
    let taint = Taint {
        key: UNSCHEDULABLE.to_owned(),
        value: String::new(),
        effect: "NoSchedule".to_owned(),
    };
    tolerate(tolerations, &taint)
}

fn tolerate(tolerations: &[Toleration], taint: &Taint) -> bool {
    tolerations
        .iter()
        .any(|toleration| tolerates(toleration, taint))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    (toleration.effect.is_empty() || toleration.effect == taint.effect)
        && (toleration.key.is_empty() || toleration.key == taint.key)
        && match toleration.operator.as_str() {
            "" | "Equal" => toleration.value == taint.value,
            "Exists" => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, operator: &str, value: &str, effect: &str) -> Toleration {
        Toleration {
            key: key.to_owned(),
            operator: operator.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
            toleration_seconds: None,
        }
    }

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        }
    }

    #[test]
    fn operators_tolerate_as_upstream() {
        let batch = taint("dedicated", "batch", "NoSchedule");
        for (toleration, expected) in [
            (toleration("dedicated", "", "batch", ""), true),
            (
                toleration("dedicated", "Equal", "batch", "NoSchedule"),
                true,
            ),
            (
                toleration("dedicated", "Equal", "batch", "NoExecute"),
                false,
            ),
            (toleration("dedicated", "Equal", "web", ""), false),
            (toleration("dedicated", "Exists", "", ""), true),
            (toleration("other", "Exists", "", ""), false),
            (toleration("", "Exists", "", ""), true),
            (toleration("", "Equal", "batch", ""), true),
            (toleration("dedicated", "Gt", "1", ""), false),
        ] {
            assert_eq!(tolerates(&toleration, &batch), expected, "{toleration:?}");
        }
    }

    #[test]
    fn soft_taints_are_counted_and_hard_ones_refuse() {
        let taints = [
            taint("a", "", "PreferNoSchedule"),
            taint("b", "", "PreferNoSchedule"),
            taint("c", "", "NoExecute"),
        ];
        let tolerations = [toleration("a", "Exists", "", "")];
        assert_eq!(intolerable(&taints, &tolerations), 1);
        assert_eq!(untolerated(&taints, &tolerations), Some(&taints[2]));
        assert_eq!(untolerated(&taints[..2], &tolerations), None);
    }

    #[test]
    fn an_unschedulable_node_is_a_taint() {
        assert!(!tolerate_unschedulable(&[]));
        let exists = toleration(UNSCHEDULABLE, "Exists", "", "NoSchedule");
        assert!(tolerate_unschedulable(&[exists]));
    }
}
