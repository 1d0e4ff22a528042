//! Builtins that change the flow of a script, POSIX XCU 2.15.

use super::invocation::Invocation;
use crate::outcome::{Outcome, Unwind};

pub(super) async fn nothing(_: Invocation<'_>) -> Outcome {
    Ok(0)
}

async fn code(call: &mut Invocation<'_>) -> Result<u8, Unwind> {
    let status = call.shell.status;
    let code = call.number(u32::from(status)).await?;
    // exit(2) keeps the low eight bits.
    Ok(u8::try_from(code & 0xff).unwrap_or(0))
}

pub(super) async fn exit(mut call: Invocation<'_>) -> Outcome {
    let code = code(&mut call).await?;
    call.shell.is_exiting = true;
    Err(Unwind::Exit(code))
}

pub(super) async fn return_from(mut call: Invocation<'_>) -> Outcome {
    Err(Unwind::Return(code(&mut call).await?))
}

pub(super) async fn leave_loop(mut call: Invocation<'_>) -> Outcome {
    match levels(&mut call).await? {
        0 => Ok(0),
        levels => Err(Unwind::Break(levels)),
    }
}

pub(super) async fn next_round(mut call: Invocation<'_>) -> Outcome {
    match levels(&mut call).await? {
        0 => Ok(0),
        levels => Err(Unwind::Continue(levels)),
    }
}

/// Returns the number of loops to leave or continue, at most as many as there are.
async fn levels(call: &mut Invocation<'_>) -> Result<u32, Unwind> {
    let wanted = call.number(1).await?.max(1);
    Ok(wanted.min(call.shell.loops()))
}

pub(super) async fn eval(mut call: Invocation<'_>) -> Outcome {
    let script = std::mem::take(&mut call.args).join(" ");
    call.shell.enter().await?;
    let list = call.shell.parse(&script).await?;
    let outcome = call.shell.list(&list).await;
    call.shell.leave();
    outcome
}

pub(super) async fn source(call: Invocation<'_>) -> Outcome {
    let Some(path) = call.args.first().cloned() else {
        return Err(call.shell.fatal(".: file argument required").await);
    };
    let script = match call.shell.read_script(&path).await? {
        Ok(script) => script,
        Err(error) => {
            let message = format!("{}: can't open '{path}: {error}'", call.name);
            return Err(call.shell.fatal(&message).await);
        }
    };
    call.shell.enter().await?;
    let list = call.shell.parse(&script).await?;
    let outcome = call.shell.list(&list).await;
    call.shell.leave();
    match outcome {
        Err(Unwind::Return(code)) => Ok(code),
        outcome => outcome,
    }
}

pub(super) async fn exec(mut call: Invocation<'_>) -> Outcome {
    let words = std::mem::take(&mut call.args);
    if words.is_empty() {
        return Ok(0);
    }
    call.shell.replaced = true;
    for signal in call.shell.traps.keys() {
        call.shell.signals.trap(*signal, false);
    }
    call.shell.enter().await?;
    match call.shell.run_words(words).await {
        Ok(code) | Err(Unwind::Failed(code)) => {
            call.shell.is_exiting = true;
            Err(Unwind::Exit(code))
        }
        Err(unwind) => Err(unwind),
    }
}
