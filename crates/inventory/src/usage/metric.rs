//! Metrics that are known, and the container of a series.

/// Quantity that a series measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// CPU time since a beginning, in seconds.
    CpuCounter,
    /// CPU in use, in cores.
    Cpu,
    /// Memory in use, in bytes.
    Memory,
    /// Number of kills for lack of memory since a beginning.
    OomCounter,
    /// Number of kills for lack of memory at a time.
    Oom,
}

/// Metrics of cAdvisor that are read.
const METRICS: [(&str, Quantity); 3] = [
    ("container_cpu_usage_seconds_total", Quantity::CpuCounter),
    ("container_memory_working_set_bytes", Quantity::Memory),
    ("container_oom_events_total", Quantity::OomCounter),
];

/// Returns the quantity of a metric. A name with a colon is that of a recording rule, such as
/// `node_namespace_pod_container:container_cpu_usage_seconds_total:sum_irate`, whose rates are
/// in cores.
pub(super) fn quantity(name: &str) -> Option<Quantity> {
    if !name.contains(':') {
        let found = METRICS.iter().find(|(metric, _)| *metric == name);
        return found.map(|(_, quantity)| *quantity);
    }
    let mut parts = name.split(':').skip(1);
    let metric = parts.next()?;
    let (_, quantity) = METRICS.iter().find(|(known, _)| *known == metric)?;
    match quantity {
        Quantity::CpuCounter if parts.next()?.contains("rate") => Some(Quantity::Cpu),
        Quantity::Memory => Some(Quantity::Memory),
        _ => None,
    }
}

/// Container of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Container {
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) name: String,
}

/// Labels of a series that decide something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SeriesLabels {
    pub(super) name: Option<String>,
    container: Container,
    cpu: Option<String>,
}

/// Subject of a series.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A container.
    Container(Container),
    /// A whole pod, or its pause container.
    Pod,
    /// Something that is no pod.
    Other,
}

impl SeriesLabels {
    /// Takes a label.
    pub(super) fn take(&mut self, key: &str, value: &str) {
        let place = match key {
            "__name__" => self.name.insert(String::new()),
            "namespace" => &mut self.container.namespace,
            // The second names are those of Kubernetes before 1.16.
            "pod" | "pod_name" => &mut self.container.pod,
            "container" | "container_name" => &mut self.container.name,
            "cpu" => self.cpu.insert(String::new()),
            _ => return,
        };
        value.clone_into(place);
    }

    /// Returns the subject.
    ///
    /// # Errors
    /// A description of a series of one CPU of several.
    pub(super) fn subject(&self) -> Result<Subject, String> {
        let Container {
            namespace,
            pod,
            name,
        } = &self.container;
        if namespace.is_empty() || pod.is_empty() {
            return Ok(Subject::Other);
        }
        if matches!(name.as_str(), "" | "POD") {
            return Ok(Subject::Pod);
        }
        match self.cpu.as_deref() {
            None | Some("" | "total") => Ok(Subject::Container(self.container.clone())),
            Some(cpu) => Err(format!(
                "the CPU {cpu:?} alone: the series of all CPUs together is needed (cpu=\"total\")"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_recorded_rates_are_known_by_their_names() {
        let recorded = "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_irate";
        for (name, expected) in [
            (
                "container_cpu_usage_seconds_total",
                Some(Quantity::CpuCounter),
            ),
            ("container_memory_working_set_bytes", Some(Quantity::Memory)),
            (recorded, Some(Quantity::Cpu)),
            (
                "node_namespace_pod_container:container_memory_working_set_bytes",
                Some(Quantity::Memory),
            ),
            ("a:container_cpu_usage_seconds_total:sum", None),
            ("a:container_cpu_usage_seconds_total", None),
            ("container_memory_rss", None),
        ] {
            assert_eq!(quantity(name), expected, "{name}");
        }
    }

    #[test]
    fn series_of_pods_and_nodes_are_told_from_those_of_containers() {
        let labels = |pairs: &[(&str, &str)]| {
            let mut labels = SeriesLabels::default();
            for (key, value) in pairs {
                labels.take(key, value);
            }
            labels
        };
        let pod = [("namespace", "n"), ("pod", "p")];
        let with = |more: &[(&str, &str)]| labels(&[&pod[..], more].concat());
        let container = Container {
            namespace: "n".into(),
            pod: "p".into(),
            name: "c".into(),
        };
        let expected = Ok(Subject::Container(container));
        assert_eq!(
            with(&[("container", "c"), ("cpu", "total")]).subject(),
            expected
        );
        assert_eq!(
            with(&[("container_name", "c"), ("id", "/x")]).subject(),
            expected
        );
        assert_eq!(with(&[("container", "POD")]).subject(), Ok(Subject::Pod));
        assert_eq!(with(&[]).subject(), Ok(Subject::Pod));
        assert_eq!(labels(&[("id", "/")]).subject(), Ok(Subject::Other));
        assert!(
            with(&[("container", "c"), ("cpu", "cpu01")])
                .subject()
                .is_err()
        );
    }
}
