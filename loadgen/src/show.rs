//! `loadgen plan`: what a run would ask for.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::PlanCommand;
use crate::plan::{self, Pod};

/// Writes a plan's hash, or one pod's requests.
///
/// # Errors
/// Whatever the writer says.
pub fn plan(command: &PlanCommand, out: &mut impl Write) -> io::Result<()> {
    let plan = command.plan.plan();
    match command.show {
        None => writeln!(out, "{}", plan::hash(&plan, command.plan.pods)?),
        Some(index) if index >= command.plan.pods => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "--show {index}: the plan has {} pods, from 0 to {}",
                command.plan.pods,
                command.plan.pods - 1
            ),
        )),
        Some(index) => {
            serde_json::to_writer_pretty(&mut *out, &pod(&plan.pod(index))?)?;
            writeln!(out)
        }
    }
}

fn pod(pod: &Pod) -> serde_json::Result<Value> {
    let containers = pod
        .containers
        .iter()
        .map(|container| {
            let config: Value = serde_json::from_slice(&pod.config_json(container)?)?;
            Ok(json!({
                "id": container.id,
                "signal": container.signal.number(),
                "expected_exit_status": container.signal.exit_status(),
                "expected_resource_info": container.resources.info(),
                "config.json": config,
            }))
        })
        .collect::<serde_json::Result<Vec<_>>>()?;
    Ok(json!({
        "index": pod.index,
        "sandbox_id": pod.sandbox_id,
        "pod_sandbox_config": pod.sandbox_config_message(),
        "expected_resource_info": pod.resources(),
        "containers": containers,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{ContainerRange, PlanArgs};
    use crate::plan::SignalChoice;

    fn shown(show: Option<u64>) -> String {
        String::from_utf8(written(show).unwrap()).unwrap()
    }

    fn written(show: Option<u64>) -> io::Result<Vec<u8>> {
        let plan = PlanArgs {
            pods: 10,
            containers: ContainerRange(1..=4),
            seed: 42,
            signal: SignalChoice::Mix,
        };
        let mut out = Vec::new();
        super::plan(&PlanCommand { plan, show }, &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_pod_outside_the_plan_is_refused() {
        let message = written(Some(10)).unwrap_err().to_string();
        assert!(message.contains("from 0 to 9"), "{message}");
    }

    #[test]
    fn without_an_index_it_is_one_line_with_the_hash() {
        assert_eq!(shown(None).trim_end().len(), 64);
    }

    #[test]
    fn a_shown_pod_is_the_planned_one() {
        let value: Value = serde_json::from_str(&shown(Some(3))).unwrap();
        assert_eq!(value["index"], 3);
        let config = &value["containers"][0]["config.json"];
        assert_eq!(
            config["annotations"]["io.kubernetes.cri.sandbox-id"],
            value["sandbox_id"]
        );
        assert!(value["pod_sandbox_config"]["metadata"]["uid"].is_string());
    }
}
