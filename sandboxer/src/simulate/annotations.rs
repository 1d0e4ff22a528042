//! Annotations `resource-slot.kuasar.io/…`, by which pods and containers state their
//! behaviour.

use std::collections::BTreeMap;
use std::str::FromStr;

use containerd_sandbox::{Error, Result, quoted};

/// Prefix of the annotations' names.
pub(crate) const PREFIX: &str = "resource-slot.kuasar.io/";

/// Names of annotations on containers; on a pod they hold for all its containers.
const OF_CONTAINERS: [&str; 26] = [
    "cpu",
    "exec-code",
    "exec-output",
    "exit-after",
    "exit-code",
    "exit-jitter",
    "fail-create",
    "fail-start",
    "log-lines-per-second",
    "memory",
    "on-signal",
    "oom",
    "probe-body",
    "probe-delay",
    "probe-fail",
    "probe-jitter",
    "probe-ports",
    "probe-ready-after",
    "probe-ready-for",
    "probe-ready-jitter",
    "probe-services",
    "probe-status",
    "probe-unready",
    "start-delay",
    "start-jitter",
    "termination-message",
];

/// Names of annotations about a pod itself.
const OF_PODS: [&str; 4] = [
    "fail-pod-create",
    "fail-pod-start",
    "pod-start-delay",
    "pod-start-jitter",
];

/// Parsed annotations: values by name without the prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Annotations(BTreeMap<String, String>);

impl Annotations {
    /// Parses annotations; annotations with another prefix are ignored.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown name with the prefix.
    pub(crate) fn of<'a>(
        annotations: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self> {
        let mut parsed = Self::default();
        for (key, value) in annotations {
            if let Some(name) = key.strip_prefix(PREFIX) {
                parsed.add(name, value)?;
            }
        }
        Ok(parsed)
    }

    /// Adds one annotation, or replaces it.
    ///
    /// # Errors
    /// `InvalidArgument` for an unknown name.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<()> {
        if !OF_CONTAINERS.contains(&name) && !OF_PODS.contains(&name) {
            return Err(Error::invalid_argument(format!(
                "annotation {}: not known; {PREFIX} may be followed by {} or {}",
                quoted(&format!("{PREFIX}{name}")),
                OF_CONTAINERS.join(", "),
                OF_PODS.join(", "),
            )));
        }
        self.0.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// Returns these annotations overridden by those of `other`.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn says(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns the value of an annotation as `read` parses it. `right` describes valid
    /// values for the message.
    ///
    /// # Errors
    /// `InvalidArgument`, naming the annotation, its value and the valid values.
    pub(crate) fn get<T>(
        &self,
        name: &str,
        right: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        match read(text) {
            Some(value) => Ok(Some(value)),
            None => Err(Error::invalid_argument(format!(
                "annotation {PREFIX}{name} {}: {right} is needed",
                quoted(text)
            ))),
        }
    }

    /// Returns the value of an annotation parsed by [`FromStr`].
    ///
    /// # Errors
    /// As [`Annotations::get`].
    pub(crate) fn parsed<T: FromStr>(&self, name: &str, right: &str) -> Result<Option<T>> {
        self.get(name, right, |text| text.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(annotations: &[(&str, &str)]) -> Result<Annotations> {
        let owned = annotations
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Annotations::of(&owned.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn annotations_of_a_container_override_those_of_its_pod() {
        let pod = parsed(&[
            ("resource-slot.kuasar.io/exit-code", "1"),
            ("resource-slot.kuasar.io/oom", "true"),
            ("example.com/oom", "maybe"),
        ]);
        let own = parsed(&[("resource-slot.kuasar.io/exit-code", "2")]);
        let all = pod.unwrap().and(own.unwrap());
        assert_eq!(all.parsed("exit-code", "a number"), Ok(Some(2)));
        assert_eq!(all.parsed("oom", "true or false"), Ok(Some(true)));
    }

    #[test]
    fn an_unknown_annotation_is_refused_with_the_known_ones() {
        let error = parsed(&[("resource-slot.kuasar.io/exit-afer", "1s")]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("exit-afer") && error.contains("exit-after"),
            "{error}"
        );
    }
}
