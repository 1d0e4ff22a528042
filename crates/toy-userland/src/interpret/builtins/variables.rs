//! Builtins on variables, positional parameters and options, POSIX XCU 2.15.

use std::sync::Arc;

use super::invocation::Invocation;
use super::quote::quoted;
use crate::outcome::Outcome;
use crate::syntax::is_name;
use crate::variables::{VariableError, Variables};

/// Parameters that `shift` moves for the cost of an operand.
const SHIFT_SHARE: usize = 16;
/// Cost of an operand besides its text, in bytes of text.
const OPERAND_COST: usize = 256;

/// Assigns and marks the variable of each operand. An operand is `name` or `name=value`.
async fn mark(
    mut call: Invocation<'_>,
    mark: fn(&mut Variables, &str) -> Result<(), VariableError>,
) -> Outcome {
    for operand in std::mem::take(&mut call.args) {
        call.shell.spend(OPERAND_COST + operand.len()).await?;
        call.shell.spend_on_variables().await?;
        let (name, value) = match operand.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (operand.as_str(), None),
        };
        if !is_name(name) {
            let message = format!("{}: {name}: bad variable name", call.name);
            return Err(call.shell.fatal(&message).await);
        }
        if let Some(value) = value {
            call.shell.assign(name, value).await?;
        }
        if let Err(error) = mark(Arc::make_mut(&mut call.shell.variables), name) {
            return Err(call.shell.fatal(&format!("{name}: {error}")).await);
        }
    }
    Ok(0)
}

pub(super) async fn export(call: Invocation<'_>) -> Outcome {
    if call.args.is_empty() || call.args == ["-p"] {
        call.shell.spend(call.shell.variables.bytes()).await?;
        let exported = call.shell.variables.exported();
        let lines: Vec<String> = exported
            .map(|(name, value)| format!("export {name}={}\n", quoted(value)))
            .collect();
        call.write(lines.concat().as_bytes()).await?;
        return Ok(0);
    }
    mark(call, Variables::export).await
}

pub(super) async fn read_only(call: Invocation<'_>) -> Outcome {
    mark(call, Variables::make_read_only).await
}

pub(super) async fn local(call: Invocation<'_>) -> Outcome {
    for operand in &call.args {
        let name = operand
            .split_once('=')
            .map_or(operand.as_str(), |(name, _)| name);
        call.shell.make_local(name);
    }
    mark(call, |_, _| Ok(())).await
}

pub(super) async fn unset(call: Invocation<'_>) -> Outcome {
    let arguments = call.arguments("vf").await?;
    for name in &arguments.operands {
        call.shell.spend(OPERAND_COST + name.len()).await?;
        call.shell.spend_on_variables().await?;
        if arguments.has('f') {
            Arc::make_mut(&mut call.shell.functions).remove(name);
            continue;
        }
        if let Err(error) = Arc::make_mut(&mut call.shell.variables).unset(name) {
            return Err(call.shell.fatal(&format!("unset: {name}: {error}")).await);
        }
    }
    Ok(0)
}

pub(super) async fn set(mut call: Invocation<'_>) -> Outcome {
    let args = std::mem::take(&mut call.args);
    if args.is_empty() {
        call.shell.spend(call.shell.variables.bytes()).await?;
        let all = call.shell.variables.all();
        let lines: Vec<String> = all
            .map(|(name, value)| format!("{name}={}\n", quoted(value)))
            .collect();
        call.write(lines.concat().as_bytes()).await?;
        return Ok(0);
    }
    let mut rest = args.iter();
    while let Some(argument) = rest.next() {
        let (on, letters) = match (argument.strip_prefix('-'), argument.strip_prefix('+')) {
            (Some("-"), _) => {
                call.shell.parameters = Arc::new(rest.cloned().collect());
                return Ok(0);
            }
            (Some(letters), _) if !letters.is_empty() => (true, letters),
            (_, Some(letters)) if !letters.is_empty() => (false, letters),
            _ => {
                let parameters = std::iter::once(argument).chain(rest).cloned();
                call.shell.parameters = Arc::new(parameters.collect());
                return Ok(0);
            }
        };
        for letter in letters.chars() {
            let name = match letter {
                'o' => rest.next().map_or("", String::as_str).to_owned(),
                letter => letter.to_string(),
            };
            if !call.shell.set_option(&name, on) {
                let message = format!("set: illegal option {argument} {name}");
                return Err(call.shell.fatal(message.trim_end()).await);
            }
        }
    }
    Ok(0)
}

pub(super) async fn shift(call: Invocation<'_>) -> Outcome {
    let by = usize::try_from(call.number(1).await?).unwrap_or(usize::MAX);
    let copied = call.shell.parameters.len().saturating_mul(OPERAND_COST);
    call.shell.spend(copied / SHIFT_SHARE).await?;
    let parameters = Arc::make_mut(&mut call.shell.parameters);
    if by > parameters.len() {
        return Ok(1);
    }
    parameters.drain(..by);
    Ok(0)
}
