//! Policies that decide on pods before a command computes.

use std::sync::Arc;

use admission::{Policies, Requester};
use inventory::{Assumption, Inventory};

/// Lets the policies of an input decide on its pods: sets the defaults of LimitRange, and removes
/// the pods that are refused. Both are stated as assumptions.
///
/// # Errors
/// A policy that no API server accepts.
pub fn apply(inventory: &mut Inventory, requester: &Requester) -> anyhow::Result<()> {
    let policies = Policies::read(&inventory.objects)?;
    let replay = admission::replay(&inventory.pods, &policies, requester);
    let (mut changed, mut refused) = (0_u64, 0_u64);
    let mut admitted = Vec::with_capacity(inventory.pods.len());
    let pods = std::mem::take(&mut inventory.pods);
    for (mut pod, decision) in pods.into_iter().zip(&replay.decisions) {
        if decision.refused.is_some() {
            refused += 1;
            continue;
        }
        if decision.changed.is_some() {
            changed += 1;
            pod.template = Arc::clone(&decision.template);
        }
        admitted.push(pod);
    }
    inventory.pods = admitted;
    let mut assume = |text: String| inventory.assumptions.push(Assumption(text));
    if refused > 0 {
        assume(format!(
            "policies refuse {}, left out here (slotplan policy gives the reasons)",
            counted(refused)
        ));
    }
    if changed > 0 {
        assume(format!(
            "LimitRange sets default requests or limits of {}",
            counted(changed)
        ));
    }
    inventory.assumptions.extend(replay.assumptions);
    Ok(())
}

fn counted(count: u64) -> String {
    match count {
        1 => "1 pod".to_owned(),
        more => format!("{more} pods"),
    }
}
