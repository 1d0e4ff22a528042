//! `env` and `printenv`, which show or change the environment, and `which`.

use std::sync::Arc;

use super::call::Call;
use crate::outcome::Outcome;

pub(super) async fn env(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("+iu:").await?;
    let mut variables = call.context.variables.of_program();
    let bytes = call.context.variables.bytes() + variables.bytes();
    call.spend(bytes).await?;
    if arguments.has('i') {
        let names: Vec<String> = variables
            .exported()
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in names {
            // A variable that the shell made read-only stays.
            let _ = variables.unset(&name);
        }
    }
    for name in arguments.values('u') {
        let _ = variables.unset(name);
    }
    let mut words = arguments.operands.into_iter().peekable();
    while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
        if variables
            .set(name, Some(value))
            .and_then(|()| variables.export(name))
            .is_err()
        {
            call.complain("out of memory").await;
            return Ok(1);
        }
        words.next();
    }
    let words: Vec<String> = words.collect();
    if words.is_empty() {
        let exported = variables.exported();
        let lines: Vec<String> = exported
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        call.write(lines.concat().as_bytes()).await?;
        return Ok(0);
    }
    Ok(call.context.host.run(words, variables).await)
}

pub(super) fn printenv(call: &mut Call<'_>) -> u8 {
    let names = call.args.clone();
    let variables = Arc::clone(&call.context.variables);
    if names.is_empty() {
        for (name, value) in variables.exported() {
            call.print_line(&format!("{name}={value}"));
        }
        return 0;
    }
    let mut code = 0;
    for name in &names {
        match variables.get(name).filter(|_| variables.is_exported(name)) {
            Some(value) => call.print_line(value),
            None => code = 1,
        }
    }
    code
}

pub(super) fn which(call: &mut Call<'_>) -> u8 {
    let mut code = 0;
    for name in call.args.clone() {
        let known = call.world().tree().is_program(&name);
        if known {
            call.print_line(&format!("/bin/{name}"));
        } else {
            code = 1;
        }
    }
    code
}
