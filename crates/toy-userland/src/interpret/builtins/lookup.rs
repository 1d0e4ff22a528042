//! `command` and `type`: how a name is resolved.

use super::invocation::Invocation;
use crate::outcome::Outcome;

pub(super) async fn command(call: Invocation<'_>) -> Outcome {
    let arguments = call.arguments("+vVp").await?;
    if !arguments.has('v') && !arguments.has('V') {
        call.shell.enter().await?;
        let outcome = call.shell.run_words(arguments.operands).await;
        call.shell.leave();
        return outcome;
    }
    let mut code = 0;
    for name in &arguments.operands {
        call.shell.step().await?;
        match call.shell.place_of(name) {
            Some(place) => call.write(format!("{place}\n").as_bytes()).await?,
            None => code = 127,
        }
    }
    Ok(code)
}

pub(super) async fn kind_of(mut call: Invocation<'_>) -> Outcome {
    let mut code = 0;
    for name in std::mem::take(&mut call.args) {
        call.shell.step().await?;
        let line = match call.shell.place_of(&name) {
            Some(place) if place.starts_with('/') => format!("{name} is {place}\n"),
            Some(_) if call.shell.functions.contains_key(&name) => {
                format!("{name} is a function\n")
            }
            Some(_) => format!("{name} is a shell builtin\n"),
            None => {
                code = 127;
                format!("{name}: not found\n")
            }
        };
        call.write(line.as_bytes()).await?;
    }
    Ok(code)
}
