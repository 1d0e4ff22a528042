//! Programs that make, remove and change files, and that take paths apart.

use super::arguments::Arguments;
use super::call::{Call, about};
use crate::outcome::{Outcome, Unwind};
use crate::world::{FileError, Node, path};

pub(super) fn pwd(call: &mut Call<'_>) -> u8 {
    let directory = call.context.directory.path.clone();
    call.print_line(&directory);
    0
}

pub(super) fn basename(call: &mut Call<'_>) -> u8 {
    let args = call.args.clone();
    let (full, suffix) = match args.as_slice() {
        [full] => (full, ""),
        [full, suffix] => (full, suffix.as_str()),
        _ => return call.fail("usage: basename PATH [SUFFIX]"),
    };
    let name = path::base_name(full);
    let short = name.strip_suffix(suffix).filter(|short| !short.is_empty());
    call.print_line(short.unwrap_or(name));
    0
}

pub(super) fn dirname(call: &mut Call<'_>) -> u8 {
    let [full] = call.args.as_slice() else {
        return call.fail("usage: dirname PATH");
    };
    let trimmed = full.trim_end_matches('/');
    let directory = match trimmed.rsplit_once('/') {
        Some((directory, _)) => directory.trim_end_matches('/'),
        None if trimmed.is_empty() && !full.is_empty() => "",
        None => ".",
    };
    let directory = if directory.is_empty() { "/" } else { directory }.to_owned();
    call.print_line(&directory);
    0
}

/// Cost of an operation on a file besides its content, in bytes of text.
pub(super) const FILE_COST: usize = 512;

/// Runs an action for each operand, with a message for each one that fails. Returns the exit
/// code.
async fn for_each(
    call: &mut Call<'_>,
    operands: &[String],
    mut action: impl FnMut(&mut Call<'_>, &str) -> Result<(), String> + Send,
) -> Outcome {
    let mut code = 0;
    for operand in operands {
        call.spend(FILE_COST + operand.len()).await?;
        if let Err(message) = action(call, operand) {
            code = call.fail(&message);
        }
    }
    Ok(code)
}

/// Parses arguments with at least one operand.
fn operands(call: &mut Call<'_>, known: &str) -> Result<Arguments, u8> {
    let arguments = call.arguments(known)?;
    if arguments.operands.is_empty() {
        return Err(call.fail("an operand is needed"));
    }
    Ok(arguments)
}

pub(super) async fn touch(call: &mut Call<'_>) -> Outcome {
    let arguments = match operands(call, "camt:d:r:") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    for_each(call, &arguments.operands, |call, operand| {
        let directory = &call.context.directory;
        let (path, now) = (directory.absolute(operand), directory.world.now());
        let mut tree = directory.world.tree();
        if arguments.has('c') && tree.find(&path).is_none() {
            return Ok(());
        }
        tree.touch(&path, directory.user(), now)
            .map_err(|error| about(operand, error))
    })
    .await
}

pub(super) async fn mkdir(call: &mut Call<'_>) -> Outcome {
    let arguments = match operands(call, "pm:") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    let mode = match arguments.value('m').map(octal) {
        Some(None) => return Ok(call.fail("invalid mode")),
        Some(mode) => mode,
        None => None,
    };
    for_each(call, &arguments.operands, |call, operand| {
        let directory = &call.context.directory;
        let (target, now) = (directory.absolute(operand), directory.world.now());
        let mut tree = directory.world.tree();
        let refused = |error| format!("can't create directory '{operand}': {error}");
        if arguments.has('p') {
            for (end, _) in target.match_indices('/').skip(1) {
                let above = &target[..end];
                if tree.find(above).is_none() {
                    tree.make_directory(above, directory.user(), now)
                        .map_err(refused)?;
                }
            }
            if tree.find(&target).is_some_and(|node| node.is_directory()) {
                return Ok(());
            }
        }
        tree.make_directory(&target, directory.user(), now)
            .map_err(refused)?;
        match mode {
            Some(mode) => {
                let change = |node: &mut Node| node.mode = mode;
                tree.change(&target, directory.user(), change)
                    .map_err(refused)
            }
            None => Ok(()),
        }
    })
    .await
}

pub(super) async fn rmdir(call: &mut Call<'_>) -> Outcome {
    let arguments = match operands(call, "") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    for_each(call, &arguments.operands, |call, operand| {
        let path = call.path(operand);
        let mut tree = call.world().tree();
        let removed = match tree.look(&path) {
            Ok(node) if !node.is_directory() => Err(FileError::NotADirectory),
            Ok(_) => tree.remove(&path, call.user()),
            Err(error) => Err(error),
        };
        removed.map_err(|error| format!("'{operand}': {error}"))
    })
    .await
}

pub(super) async fn rm(call: &mut Call<'_>) -> Outcome {
    let arguments = match call.arguments("rRfi") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    let forced = arguments.has('f');
    if arguments.operands.is_empty() && !forced {
        return Ok(call.fail("an operand is needed"));
    }
    let recursive = arguments.has('r') || arguments.has('R');
    let mut code = 0;
    for operand in &arguments.operands {
        if let Err(message) = remove(call, operand, recursive, forced).await? {
            code = call.fail(&message);
        }
    }
    Ok(code)
}

async fn remove(
    call: &mut Call<'_>,
    operand: &str,
    recursive: bool,
    forced: bool,
) -> Result<Result<(), String>, Unwind> {
    let target = call.path(operand);
    let refused = |error| format!("can't remove '{operand}': {error}");
    let found = call.world().tree().look(&target);
    let node = match found {
        Ok(node) => node,
        Err(_) if forced => return Ok(Ok(())),
        Err(error) => return Ok(Err(refused(error))),
    };
    if node.is_directory() && !recursive {
        return Ok(Err(format!("'{operand}' is a directory")));
    }
    let mut all = vec![target.clone()];
    all.extend(below(call, &target).await?);
    // The content of a directory is removed before the directory.
    for path in all.iter().rev() {
        call.spend(FILE_COST + path.len()).await?;
        let removed = call.world().tree().remove(path, call.user());
        if let Err(error) = removed {
            return Ok(Err(refused(error)));
        }
    }
    Ok(Ok(()))
}

/// Returns all paths below a directory that the user may list. A directory comes before its
/// content.
pub(super) async fn below(call: &mut Call<'_>, directory: &str) -> Result<Vec<String>, Unwind> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let names = {
            let tree = call.world().tree();
            tree.list(&directory, call.user()).unwrap_or_default()
        };
        call.spend(FILE_COST * (1 + names.len()) / 2).await?;
        for name in names.iter().rev() {
            open.push(path::join(&directory, name));
        }
        found.push(directory);
    }
    found.remove(0);
    Ok(found)
}

pub(super) async fn chmod(call: &mut Call<'_>) -> Outcome {
    // A mode such as `-w` looks like an option.
    let mut args = std::mem::take(&mut call.args);
    let recursive = args.iter().any(|argument| argument == "-R");
    args.retain(|argument| !matches!(argument.as_str(), "-R" | "--"));
    let Some((text, operands)) = args.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Ok(call.fail("usage: chmod MODE FILE..."));
    };
    if changed_mode(text, 0, false).is_none() {
        return Ok(call.fail(&format!("invalid mode '{text}'")));
    }
    if call.world().denies(&["chmod", "fchmodat"]) {
        return forbidden(call, operands).await;
    }
    change(call, operands, recursive, &|node: &mut Node| {
        let directory = node.is_directory();
        node.mode = changed_mode(text, node.mode, directory).unwrap_or(node.mode);
    })
    .await
}

pub(super) async fn chown(call: &mut Call<'_>) -> Outcome {
    let Some((owner, operands, recursive)) = owner_and_files(call) else {
        return Ok(call.fail("usage: chown OWNER FILE..."));
    };
    let (user, group) = match owner.split_once([':', '.']) {
        Some((user, group)) => (user, group),
        None => (owner.as_str(), ""),
    };
    let mut found = |text: &str, file| match text {
        "" => Some(None),
        text => call.id_of(text, file).map(Some),
    };
    match (found(user, "/etc/passwd"), found(group, "/etc/group")) {
        (None, _) => Ok(call.fail(&format!("unknown user {user}"))),
        (_, None) => Ok(call.fail(&format!("unknown group {group}"))),
        (Some(uid), Some(gid)) => give(call, &operands, recursive, uid, gid).await,
    }
}

pub(super) async fn chgrp(call: &mut Call<'_>) -> Outcome {
    let Some((group, operands, recursive)) = owner_and_files(call) else {
        return Ok(call.fail("usage: chgrp GROUP FILE..."));
    };
    match call.id_of(&group, "/etc/group") {
        Some(gid) => give(call, &operands, recursive, None, Some(gid)).await,
        None => Ok(call.fail(&format!("unknown group {group}"))),
    }
}

fn owner_and_files(call: &Call<'_>) -> Option<(String, Vec<String>, bool)> {
    let arguments = Arguments::parse(&call.args, "Rhv").ok()?;
    let (owner, operands) = arguments.operands.split_first()?;
    (!operands.is_empty()).then(|| (owner.clone(), operands.to_vec(), arguments.has('R')))
}

/// Fails for each operand.
async fn forbidden(call: &mut Call<'_>, operands: &[String]) -> Outcome {
    for_each(call, operands, |_, operand| {
        Err(about(operand, FileError::NotPermitted))
    })
    .await
}

/// Changes the owner and group of files. Only root may change the owner; another user may set
/// a group that it is in.
async fn give(
    call: &mut Call<'_>,
    operands: &[String],
    recursive: bool,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Outcome {
    let user = call.user().clone();
    let own_group = gid.is_none_or(|gid| user.is_in(gid));
    let is_denied = call.world().denies(&["chown", "lchown", "fchownat"]);
    let is_other = uid.is_some_and(|uid| uid != user.uid) || !own_group;
    if is_denied || (user.uid != 0 && is_other) {
        return forbidden(call, operands).await;
    }
    change(call, operands, recursive, &|node: &mut Node| {
        node.uid = uid.unwrap_or(node.uid);
        node.gid = gid.unwrap_or(node.gid);
    })
    .await
}

async fn change(
    call: &mut Call<'_>,
    operands: &[String],
    recursive: bool,
    change: &(dyn Fn(&mut Node) + Sync),
) -> Outcome {
    let mut code = 0;
    for operand in operands {
        let target = call.path(operand);
        let mut all = vec![target.clone()];
        if recursive {
            all.extend(below(call, &target).await?);
        }
        for path in &all {
            call.spend(FILE_COST + path.len()).await?;
            let changed = call.world().tree().change(path, call.user(), change);
            if let Err(error) = changed {
                code = call.fail(&about(operand, error));
                break;
            }
        }
    }
    Ok(code)
}

fn octal(text: &str) -> Option<u16> {
    u16::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
}

/// Applies a change such as `755`, `u+x,go-w` or `a=rX` to the mode of a file or directory.
/// Returns `None` if the change cannot be parsed.
fn changed_mode(text: &str, mode: u16, directory: bool) -> Option<u16> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return octal(text);
    }
    let mut mode = mode;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = clause.split_at(at);
        let mut mask = 0;
        for letter in who.chars() {
            mask |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        let mask = if who.is_empty() { 0o777 } else { mask };
        let mut bits = 0;
        for letter in rest[1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if directory || mode & 0o111 != 0 => 0o111,
                'X' | 's' | 't' => 0,
                _ => return None,
            };
        }
        mode = match &rest[..1] {
            "+" => mode | (bits & mask),
            "-" => mode & !(bits & mask),
            _ => (mode & !mask) | (bits & mask),
        };
    }
    Some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_stated_by_number_or_by_change() {
        for (text, before, after) in [
            ("755", 0o644, Some(0o755)),
            ("+x", 0o644, Some(0o755)),
            ("u+x,go-r", 0o644, Some(0o700)),
            ("a=rw", 0o755, Some(0o666)),
            ("9", 0, None),
            ("77777", 0, None),
            ("z+x", 0, None),
            ("", 0, None),
        ] {
            assert_eq!(changed_mode(text, before, false), after, "{text}");
        }
    }
}
