//! The commands that change the shell itself, XCU 2.15.

use std::sync::Arc;

use super::{Call, about};
use crate::interpret::{Outcome, Unwind, VariableError, Variables};
use crate::syntax::is_name;
use crate::world::{FileError, Signal};

/// The longest line that `read` reads, in bytes.
const MAX_READ_BYTES: usize = 64 << 10;

pub(super) async fn nothing(_: Call<'_>) -> Outcome {
    Ok(0)
}

/// A command's only operand as a number.
async fn number(call: &mut Call<'_>, otherwise: u32) -> Result<u32, Unwind> {
    let Some(text) = call.args.first().cloned() else {
        return Ok(otherwise);
    };
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => {
            let message = format!("{}: Illegal number: {text}", call.name);
            Err(call.shell.fatal(&message).await)
        }
    }
}

async fn code(call: &mut Call<'_>) -> Result<u8, Unwind> {
    let status = call.shell.status;
    let code = number(call, u32::from(status)).await?;
    // As exit(2) cuts it.
    Ok(u8::try_from(code & 0xff).unwrap_or(0))
}

pub(super) async fn exit(mut call: Call<'_>) -> Outcome {
    Err(Unwind::Exit(code(&mut call).await?))
}

pub(super) async fn return_from(mut call: Call<'_>) -> Outcome {
    Err(Unwind::Return(code(&mut call).await?))
}

pub(super) async fn leave_loop(mut call: Call<'_>) -> Outcome {
    match levels(&mut call).await? {
        0 => Ok(0),
        levels => Err(Unwind::Break(levels)),
    }
}

pub(super) async fn next_round(mut call: Call<'_>) -> Outcome {
    match levels(&mut call).await? {
        0 => Ok(0),
        levels => Err(Unwind::Continue(levels)),
    }
}

/// How many of the loops around are meant; there may be none.
async fn levels(call: &mut Call<'_>) -> Result<u32, Unwind> {
    let wanted = number(call, 1).await?.max(1);
    Ok(wanted.min(call.shell.loops()))
}

pub(super) async fn change_directory(mut call: Call<'_>) -> Outcome {
    let variable = |call: &Call<'_>, name: &str| call.shell.variables.get(name).map(str::to_owned);
    let operand = call
        .args
        .iter()
        .find(|argument| !matches!(argument.as_str(), "--" | "-L" | "-P"));
    let operand = operand.cloned();
    let back = operand.as_deref() == Some("-");
    let target = match operand {
        None => variable(&call, "HOME").unwrap_or_else(|| "/".to_owned()),
        Some(_) if back => match variable(&call, "OLDPWD") {
            Some(before) => before,
            None => {
                call.shell.complain("cd: OLDPWD not set").await;
                return Err(Unwind::Failed(2));
            }
        },
        Some(target) => target,
    };
    let path = call.shell.path(&target);
    let found = call.shell.world.tree().look(&path);
    let error = match found {
        Ok(node) if !node.is_directory() => Some(FileError::NotADirectory),
        Ok(node) if !node.allows(call.shell.user(), 1) => Some(FileError::Denied),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        call.shell
            .complain(&format!("cd: can't cd to {target}: {error}"))
            .await;
        return Err(Unwind::Failed(2));
    }
    let before = std::mem::replace(&mut call.shell.directory, path.clone());
    call.shell.assign("OLDPWD", &before).await?;
    call.shell.assign("PWD", &path).await?;
    if back {
        call.write(format!("{path}\n").as_bytes()).await?;
    }
    Ok(0)
}

/// Assigns and marks each operand, which is `name` or `name=value`.
async fn mark(
    mut call: Call<'_>,
    mark: fn(&mut Variables, &str) -> Result<(), VariableError>,
) -> Outcome {
    for operand in std::mem::take(&mut call.args) {
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

pub(super) async fn export(mut call: Call<'_>) -> Outcome {
    if call.args.is_empty() || call.args == ["-p"] {
        let exported = call.shell.variables.exported();
        let lines: Vec<String> = exported
            .map(|(name, value)| format!("export {name}={}\n", quoted(value)))
            .collect();
        call.write(lines.concat().as_bytes()).await?;
        return Ok(0);
    }
    mark(call, Variables::export).await
}

pub(super) async fn read_only(call: Call<'_>) -> Outcome {
    mark(call, Variables::make_read_only).await
}

pub(super) async fn local(call: Call<'_>) -> Outcome {
    for operand in &call.args {
        let name = operand
            .split_once('=')
            .map_or(operand.as_str(), |(name, _)| name);
        call.shell.make_local(name);
    }
    mark(call, |_, _| Ok(())).await
}

pub(super) async fn unset(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("vf").await?;
    for name in &arguments.operands {
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

/// A value as a shell can read it back.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\"'\"'"))
}

pub(super) async fn set(mut call: Call<'_>) -> Outcome {
    let args = std::mem::take(&mut call.args);
    if args.is_empty() {
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

pub(super) async fn shift(mut call: Call<'_>) -> Outcome {
    let by = usize::try_from(number(&mut call, 1).await?).unwrap_or(usize::MAX);
    let parameters = Arc::make_mut(&mut call.shell.parameters);
    if by > parameters.len() {
        return Ok(1);
    }
    parameters.drain(..by);
    Ok(0)
}

pub(super) async fn eval(mut call: Call<'_>) -> Outcome {
    let script = std::mem::take(&mut call.args).join(" ");
    call.shell.enter().await?;
    let list = call.shell.parse(&script).await?;
    let outcome = call.shell.list(&list).await;
    call.shell.leave();
    outcome
}

pub(super) async fn source(call: Call<'_>) -> Outcome {
    let Some(path) = call.args.first().cloned() else {
        return Err(call.shell.fatal(".: file argument required").await);
    };
    let script = match call.shell.text_of(&path) {
        Ok(script) => script,
        Err(error) => {
            let message = format!("{}: can't open '{}'", call.name, about(&path, error));
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

pub(super) async fn exec(mut call: Call<'_>) -> Outcome {
    let words = std::mem::take(&mut call.args);
    if words.is_empty() {
        return Ok(0);
    }
    call.shell.replaced = true;
    for signal in call.shell.traps.keys() {
        call.shell.signals.trap(*signal, false);
    }
    match call.shell.run_words(words).await {
        Ok(code) | Err(Unwind::Failed(code)) => Err(Unwind::Exit(code)),
        Err(unwind) => Err(unwind),
    }
}

pub(super) async fn command(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("+vVp").await?;
    if !arguments.has('v') && !arguments.has('V') {
        return call.shell.run_words(arguments.operands).await;
    }
    let mut code = 0;
    for name in &arguments.operands {
        match place_of(&call, name) {
            Some(place) => call.write(format!("{place}\n").as_bytes()).await?,
            None => code = 127,
        }
    }
    Ok(code)
}

/// What `command -v` says: the path of a program, the name of all else.
fn place_of(call: &Call<'_>, name: &str) -> Option<String> {
    if call.shell.functions.contains_key(name) {
        return Some(name.to_owned());
    }
    if name.contains('/') {
        let path = call.shell.path(name);
        return call.shell.world.tree().find(&path).map(|_| name.to_owned());
    }
    let entry = super::find(name)?;
    Some(if entry.shell_only {
        name.to_owned()
    } else {
        format!("/bin/{name}")
    })
}

pub(super) async fn kind_of(mut call: Call<'_>) -> Outcome {
    let mut code = 0;
    for name in std::mem::take(&mut call.args) {
        let line = match place_of(&call, &name) {
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

pub(super) async fn read(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("rp:t:").await?;
    let raw = arguments.has('r');
    let mut line = Vec::new();
    loop {
        call.shell.step().await?;
        let input = call.shell.descriptors.stdin.clone();
        let room = MAX_READ_BYTES.saturating_sub(line.len());
        let read = input.read_line(room).await;
        let ended = !read.ends_with(b"\n");
        line.extend_from_slice(&read);
        if ended {
            break;
        }
        line.pop();
        if raw || !line.ends_with(b"\\") {
            return assign_words(&mut call, &line, raw, &arguments.operands)
                .await
                .map(|()| 0);
        }
        line.pop();
    }
    assign_words(&mut call, &line, raw, &arguments.operands).await?;
    Ok(1)
}

async fn assign_words(
    call: &mut Call<'_>,
    line: &[u8],
    raw: bool,
    names: &[String],
) -> Result<(), Unwind> {
    let text = String::from_utf8_lossy(line);
    let text = if raw {
        text.into_owned()
    } else {
        text.replace('\\', "")
    };
    let separators = call
        .shell
        .variables
        .get("IFS")
        .unwrap_or(" \t\n")
        .to_owned();
    let is_separator = |c: char| separators.contains(c);
    let is_blank = |c: char| c.is_ascii_whitespace() && is_separator(c);
    let mut rest = text.trim_start_matches(is_blank);
    let reply = ["REPLY".to_owned()];
    let names = if names.is_empty() { &reply } else { names };
    for (index, name) in names.iter().enumerate() {
        if !is_name(name) {
            return Err(call
                .shell
                .fatal(&format!("read: {name}: bad variable name"))
                .await);
        }
        let word = if index + 1 == names.len() {
            rest.trim_end_matches(is_blank)
        } else {
            let end = rest.find(is_separator).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let after = after.trim_start_matches(is_blank);
            let one = after.chars().next().filter(|c| is_separator(*c));
            rest = match one {
                Some(c) if !rest[end..].starts_with(is_blank) => {
                    after[c.len_utf8()..].trim_start_matches(is_blank)
                }
                _ => after,
            };
            word
        };
        call.shell.assign(name, word).await?;
    }
    Ok(())
}

pub(super) async fn trap(mut call: Call<'_>) -> Outcome {
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

pub(super) async fn wait(mut call: Call<'_>) -> Outcome {
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
