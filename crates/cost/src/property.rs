//! Properties by which costs are grouped.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use inventory::api::Labels;

use crate::allocation::Names;

/// Name of the group of containers without the property (`UnallocatedSuffix` in OpenCost).
pub const UNALLOCATED: &str = "__unallocated__";

/// Property of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// The whole cluster.
    Cluster,
    /// Node.
    Node,
    /// Namespace.
    Namespace,
    /// Kind and name of the workload, such as `deployment:web`.
    Owner,
    /// Kind of the workload.
    OwnerKind,
    /// Name of the workload, if it is of this kind.
    Workload(&'static str),
    /// Pod.
    Pod,
    /// Container.
    Container,
    /// Value of a label.
    Label(String),
}

/// Kinds of workloads that are properties by themselves (`GenerateKey` in
/// `core/pkg/opencost/allocationprops.go`).
const WORKLOADS: [&str; 4] = ["deployment", "statefulset", "daemonset", "job"];

/// Labels that have names of their own, with the labels (`NewLabelConfig`).
const ALIASES: [(&str, &str); 4] = [
    ("department", "department"),
    ("environment", "env"),
    ("product", "app"),
    ("team", "team"),
];

/// Reason why a text is no property.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is none of cluster, node, namespace, owner, controllerkind, deployment, statefulset, \
     daemonset, job, pod, container, team, department, environment, product, label:NAME"
)]
pub struct PropertyError(String);

impl FromStr for Property {
    type Err = PropertyError;

    fn from_str(text: &str) -> Result<Self, PropertyError> {
        let text = text.trim();
        if let Some(label) = text.strip_prefix("label:") {
            let label = label.trim();
            return match label {
                "" => Err(PropertyError(text.to_owned())),
                label => Ok(Self::Label(label.to_owned())),
            };
        }
        let lower = text.to_lowercase();
        let workload = WORKLOADS.iter().find(|kind| **kind == lower);
        let alias = ALIASES.iter().find(|(name, _)| *name == lower);
        Ok(match (&*lower, workload, alias) {
            ("cluster", ..) => Self::Cluster,
            ("node", ..) => Self::Node,
            ("namespace", ..) => Self::Namespace,
            ("owner" | "controller" | "workload", ..) => Self::Owner,
            ("controllerkind", ..) => Self::OwnerKind,
            ("pod", ..) => Self::Pod,
            ("container", ..) => Self::Container,
            (_, Some(kind), _) => Self::Workload(kind),
            (_, _, Some((_, label))) => Self::Label((*label).to_owned()),
            _ => return Err(PropertyError(text.to_owned())),
        })
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Node => f.write_str("node"),
            Self::Namespace => f.write_str("namespace"),
            Self::Owner => f.write_str("owner"),
            Self::OwnerKind => f.write_str("controllerkind"),
            Self::Workload(kind) => f.write_str(kind),
            Self::Pod => f.write_str("pod"),
            Self::Container => f.write_str("container"),
            Self::Label(label) => write!(f, "label:{label}"),
        }
    }
}

/// Returns the key of the group of a container: the values of the properties, separated by `/`.
pub fn key(by: &[Property], names: &Names, cluster: &str) -> String {
    let mut key = String::new();
    for (place, property) in by.iter().enumerate() {
        if place > 0 {
            key.push('/');
        }
        key.push_str(&value(property, names, cluster));
    }
    key
}

fn value<'a>(property: &Property, names: &'a Names, cluster: &'a str) -> Cow<'a, str> {
    let owner = names.owner.as_ref();
    let value = match property {
        Property::Cluster => Some(cluster.into()),
        Property::Node => names.node.as_deref().map(Into::into),
        Property::Namespace => Some((&*names.namespace).into()),
        Property::Owner => {
            owner.map(|(kind, name)| format!("{}:{name}", kind.to_lowercase()).into())
        }
        Property::OwnerKind => owner.map(|(kind, _)| kind.to_lowercase().into()),
        Property::Workload(wanted) => owner
            .filter(|(kind, _)| kind.eq_ignore_ascii_case(wanted))
            .map(|(_, name)| (&**name).into()),
        Property::Pod => Some((&*names.pod).into()),
        Property::Container => Some((&*names.container).into()),
        Property::Label(label) => find_label(&names.labels, label).map(Into::into),
    };
    value.unwrap_or(UNALLOCATED.into())
}

/// Returns the value of a label.
///
/// OpenCost knows labels from Prometheus, where `app.kubernetes.io/name` is
/// `app_kubernetes_io_name` (`SanitizeLabelName`); so both names find it.
fn find_label<'a>(labels: &'a Labels, wanted: &str) -> Option<&'a str> {
    let exact = labels.get(wanted);
    let sanitized = || {
        let mut all = labels.iter();
        all.find(|(name, _)| sanitized(name).eq(sanitized(wanted)))
            .map(|(_, value)| value)
    };
    exact.or_else(sanitized).map(|value| &**value)
}

fn sanitized(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| match c {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    })
}
