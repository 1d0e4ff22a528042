//! New requests as patches of the objects of the API.

use std::fmt::Write;

use serde_json::Value;

use crate::resize::WorkloadResize;

/// Patch of one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Name of its file: namespace, kind and name.
    pub file: String,
    /// Strategic merge patch as YAML, for `kubectl patch --patch-file` and for kustomize.
    pub yaml: String,
}

/// Version of the API, and path from the workload to the spec of its pods, by kind.
const KINDS: [(&str, &str, &[&str]); 8] = [
    ("Pod", "v1", &["spec"]),
    ("ReplicationController", "v1", &["spec", "template", "spec"]),
    ("Deployment", "apps/v1", &["spec", "template", "spec"]),
    ("StatefulSet", "apps/v1", &["spec", "template", "spec"]),
    ("DaemonSet", "apps/v1", &["spec", "template", "spec"]),
    ("ReplicaSet", "apps/v1", &["spec", "template", "spec"]),
    ("Job", "batch/v1", &["spec", "template", "spec"]),
    (
        "CronJob",
        "batch/v1",
        &["spec", "jobTemplate", "spec", "template", "spec"],
    ),
];

impl WorkloadResize {
    /// Returns the patch of the workload; `None` for a kind that is not one of Kubernetes itself.
    pub fn patch(&self) -> Option<Patch> {
        let (_, version, path) = KINDS.iter().find(|(kind, ..)| *kind == self.kind)?;
        let mut yaml = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            yaml,
            "apiVersion: {version}\nkind: {}\nmetadata:",
            self.kind
        );
        let _ = writeln!(yaml, "  name: {}", quoted(&self.name));
        let _ = writeln!(yaml, "  namespace: {}", quoted(&self.namespace));
        for (depth, key) in path.iter().enumerate() {
            let _ = writeln!(yaml, "{}{key}:", "  ".repeat(depth));
        }
        let indent = "  ".repeat(path.len());
        let _ = writeln!(yaml, "{indent}containers:");
        for container in &self.containers {
            let _ = writeln!(yaml, "{indent}- name: {}", quoted(&container.name));
            let _ = writeln!(yaml, "{indent}  resources:");
            for (kind, changes) in [
                ("requests", &container.requests),
                ("limits", &container.limits),
            ] {
                if changes.is_empty() {
                    continue;
                }
                let _ = writeln!(yaml, "{indent}    {kind}:");
                for (name, quantity) in changes {
                    let quantity = quantity.as_deref().map_or("null".to_owned(), quoted);
                    let _ = writeln!(yaml, "{indent}      {}: {quantity}", key(name));
                }
            }
        }
        Some(Patch {
            file: file_name(&[&self.namespace, &self.kind, &self.name]),
            yaml,
        })
    }
}

/// Writes text as a YAML scalar: a string of JSON is one.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// Writes the name of a resource, which needs no quotes if it is plain.
fn key(name: &str) -> String {
    let is_plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if is_plain && !name.is_empty() {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// Joins names to one of a file, in which neither a slash nor a leading dot remains.
fn file_name(parts: &[&str]) -> String {
    let keep = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | '-' | '.') => c,
        _ => '_',
    };
    let clean = |part: &&str| part.chars().map(keep).collect::<String>();
    let name = parts.iter().map(clean).collect::<Vec<_>>().join("_");
    format!("{}.yaml", name.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resize::ContainerResize;

    fn resize(kind: &str, name: &str) -> WorkloadResize {
        let changes = |cpu: Option<&str>| [("cpu".to_owned(), cpu.map(str::to_owned))].into();
        let container = |name: &str, limit| ContainerResize {
            name: name.to_owned(),
            requests: changes(Some("126m")),
            limits: limit,
        };
        WorkloadResize {
            namespace: "shop".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            containers: vec![container("app", changes(None)), container("yes", [].into())],
        }
    }

    #[test]
    fn a_patch_names_the_changes_alone() {
        let patch = resize("CronJob", "tidy").patch().unwrap();
        assert_eq!(patch.file, "shop_cronjob_tidy.yaml");
        let expected = r#"apiVersion: batch/v1
kind: CronJob
metadata:
  name: "tidy"
  namespace: "shop"
spec:
  jobTemplate:
    spec:
      template:
        spec:
          containers:
          - name: "app"
            resources:
              requests:
                cpu: "126m"
              limits:
                cpu: null
          - name: "yes"
            resources:
              requests:
                cpu: "126m"
"#;
        assert_eq!(patch.yaml, expected);
    }

    #[test]
    fn a_name_leads_out_of_no_directory() {
        let patch = resize("Pod", "../../etc/passwd: {").patch().unwrap();
        assert_eq!(patch.file, "shop_pod_.._.._etc_passwd___.yaml");
        assert!(patch.yaml.contains("  name: \"../../etc/passwd: {\"\n"));
        assert_eq!(resize("Rollout", "web").patch(), None);
    }
}
