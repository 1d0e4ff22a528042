//! The addresses of pods on this machine: the route to them, and the listeners on them.

use anyhow::{Context, Result};
use sandboxer::cri::PodCidrs;
use sandboxer::probes::{Answers, Listeners, add_local, is_local};
use tracing::{info, warn};

use crate::cli::PodArgs;

/// Makes the addresses of pods local if `--pod-route` is given, and otherwise warns if probes are
/// to be answered and the addresses are not local.
///
/// # Errors
/// If the route is wanted and cannot be added.
pub(crate) fn prepare(args: &PodArgs, cidrs: &PodCidrs) -> Result<()> {
    for range in cidrs.ranges() {
        // The last address tells a shorter range from the whole.
        if is_local(range.network()) && is_local(range.broadcast()) {
            continue;
        }
        if args.route {
            add_local(*range).context("--pod-route: the capability CAP_NET_ADMIN is needed")?;
            info!("The addresses {range} of pods are local: added a route to lo, which stays");
        } else if args.answer_probes.is_on {
            warn!(
                "no probe reaches the addresses {range} of pods: they are not local; run \"ip \
                 route add local {range} dev lo\", or add --pod-route"
            );
        }
    }
    Ok(())
}

/// Starts to listen on the addresses of pods if `--answer-probes` is given.
///
/// # Errors
/// If the system has no thread left.
pub(crate) fn listen(
    args: &PodArgs,
    answers: Answers,
    cidrs: &PodCidrs,
) -> Result<Option<Listeners>> {
    if !args.answer_probes.is_on {
        return Ok(None);
    }
    let listeners = Listeners::start(answers, cidrs.ranges()).context("--answer-probes")?;
    Ok(Some(listeners))
}
