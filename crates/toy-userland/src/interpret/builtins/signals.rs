//! `trap` and `wait`: signals and background commands.

use std::sync::Arc;

use super::invocation::Invocation;
use super::quote::quoted;
use crate::outcome::{Outcome, Unwind};
use crate::world::Signal;

pub(super) async fn trap(mut call: Invocation<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args);
    args.retain(|argument| argument != "--");
    if args.is_empty() {
        let traps = call.shell.traps.iter();
        let lines: Vec<String> = traps
            .map(|(signal, action)| format!("trap -- {} {}\n", quoted(action), signal.name()))
            .collect();
        call.write(lines.concat().as_bytes()).await?;
        return Ok(0);
    }
    let resets = args[0] == "-" || Signal::parse(&args[0]).is_some_and(|_| args.len() == 1);
    let action: Arc<str> = args[0].as_str().into();
    let names = if resets && args[0] != "-" {
        &args[..]
    } else {
        &args[1..]
    };
    for name in names {
        let Some(signal) = Signal::parse(name) else {
            let message = format!("trap: {name}: invalid signal specification");
            call.shell.complain(&message).await;
            return Err(Unwind::Failed(1));
        };
        let traps = Arc::make_mut(&mut call.shell.traps);
        if resets {
            traps.remove(&signal);
        } else {
            traps.insert(signal, Arc::clone(&action));
        }
        call.shell.signals.trap(signal, !resets);
    }
    Ok(0)
}

pub(super) async fn wait(mut call: Invocation<'_>) -> Outcome {
    let pids = std::mem::take(&mut call.args);
    if pids.is_empty() {
        return call.shell.wait_for(None).await;
    }
    let mut code = 0;
    for pid in pids {
        let Ok(pid) = pid.trim_start_matches('%').parse() else {
            return Err(call
                .shell
                .fatal(&format!("wait: Illegal number: {pid}"))
                .await);
        };
        code = call.shell.wait_for(Some(pid)).await?;
    }
    Ok(code)
}
