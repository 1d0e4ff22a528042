//! `loadgen plan` and `loadgen scenarios`: output without a load.

use std::io::Write;

use serde_json::{Value, json};

use crate::commands::cli::{PlanCommand, ScenariosCommand};
use crate::commands::run;
use crate::drive::engine::Shape;
use crate::workload::plan::{self, Plan, Pod};
use crate::workload::scenario::{self, Scenario};

/// Writes the hash of a plan, or the requests of one pod.
///
/// # Errors
/// If there is no such scenario or pod, or the writer fails.
pub fn plan(command: &PlanCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let scenario = command.scenario.resolve(run::DEFAULT)?;
    let (plan, pods) = (Plan::of(&scenario), Shape::of(&scenario).pods());
    Ok(match command.show {
        None if command.json => {
            let hash = plan::hash(&plan, pods)?.to_string();
            let summary = json!({ "plan_hash": hash, "pods": pods, "seed": scenario.seed });
            serde_json::to_writer_pretty(&mut *out, &summary)?;
            writeln!(out)
        }
        None => writeln!(out, "{}", plan::hash(&plan, pods)?),
        Some(index) if index >= pods => anyhow::bail!(
            "--show {index}: the plan has {pods} pods, from 0 to {}",
            pods.saturating_sub(1)
        ),
        Some(index) => {
            serde_json::to_writer_pretty(&mut *out, &pod(&plan.pod(index))?)?;
            writeln!(out)
        }
    }?)
}

/// Writes the list of scenarios, or one of them.
///
/// # Errors
/// If there is no such scenario, or the writer fails.
pub fn scenarios(command: &ScenariosCommand, out: &mut impl Write) -> anyhow::Result<()> {
    if let Some(name) = &command.print {
        write!(out, "{}", Scenario::find(name)?)?;
        return Ok(());
    }
    let mut list = Vec::new();
    for name in scenario::names() {
        let description = Scenario::find(name)?.description;
        if command.json {
            list.push(json!({ "name": name, "description": description }));
        } else {
            writeln!(out, "{name:<10} {description}")?;
        }
    }
    if command.json {
        serde_json::to_writer_pretty(&mut *out, &list)?;
        writeln!(out)?;
    }
    Ok(())
}

fn pod(pod: &Pod) -> serde_json::Result<Value> {
    let containers = pod
        .containers
        .iter()
        .map(|container| {
            let config: Value = serde_json::from_slice(&pod.config_json(container)?)?;
            Ok(json!({
                "id": container.id,
                "signal": container.end.number(),
                "expected_exit_status": container.end.exit_status(),
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
    use crate::commands::cli::OverrideArgs;
    use crate::commands::cli::ScenarioArgs;

    fn shown(show: Option<u64>) -> String {
        String::from_utf8(written(show).unwrap()).unwrap()
    }

    fn written(show: Option<u64>) -> anyhow::Result<Vec<u8>> {
        let scenario = ScenarioArgs {
            scenario: None,
            overrides: OverrideArgs {
                pods: Some(10),
                ..OverrideArgs::default()
            },
        };
        let mut out = Vec::new();
        let json = false;
        super::plan(
            &PlanCommand {
                scenario,
                show,
                json,
            },
            &mut out,
        )?;
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
