//! `cd`: changes the working directory.

use super::invocation::Invocation;
use crate::outcome::{Outcome, Unwind};
use crate::world::FileError;

pub(super) async fn change_directory(call: Invocation<'_>) -> Outcome {
    let variable =
        |call: &Invocation<'_>, name: &str| call.shell.variables.get(name).map(str::to_owned);
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
    let path = call.shell.directory.absolute(&target);
    let found = call.shell.directory.world.tree().look(&path);
    let error = match found {
        Ok(node) if !node.is_directory() => Some(FileError::NotADirectory),
        Ok(node) if !node.allows(call.shell.directory.user(), 1) => Some(FileError::Denied),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        call.shell
            .complain(&format!("cd: can't cd to {target}: {error}"))
            .await;
        return Err(Unwind::Failed(2));
    }
    let before = std::mem::replace(&mut call.shell.directory.path, path.clone());
    call.shell.assign("OLDPWD", &before).await?;
    call.shell.assign("PWD", &path).await?;
    if back {
        call.write(format!("{path}\n").as_bytes()).await?;
    }
    Ok(0)
}
