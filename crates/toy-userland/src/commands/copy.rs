//! `cp` and `mv`.

use super::arguments::Arguments;
use super::call::Call;
use super::files::{FILE_COST, below};
use crate::outcome::{Outcome, Unwind};
use crate::world::{FileError, NodeKind, OpenMode, path};

/// Parses the arguments, and pairs each source with its target path.
fn pairs(call: &mut Call<'_>, known: &str) -> Result<(Arguments, Vec<(String, String)>), u8> {
    let arguments = call.arguments(known)?;
    let Some((target, sources)) = arguments.operands.split_last() else {
        return Err(call.fail("two operands are needed"));
    };
    if sources.is_empty() {
        return Err(call.fail("two operands are needed"));
    }
    let node = call.world().tree().find(&call.path(target));
    let into = node.is_some_and(|node| node.is_directory()) && !arguments.has('T');
    if !into && sources.len() > 1 {
        return Err(call.fail(&format!("target '{target}': {}", FileError::NotADirectory)));
    }
    let place = |source: &String| {
        let place = if into {
            path::join(target, path::base_name(source))
        } else {
            target.clone()
        };
        (source.clone(), place)
    };
    let pairs = sources.iter().map(place).collect();
    Ok((arguments, pairs))
}

pub(super) async fn cp(call: &mut Call<'_>) -> Outcome {
    let (arguments, pairs) = match pairs(call, "rRafpTLPd") {
        Ok(read) => read,
        Err(code) => return Ok(code),
    };
    let recursive = ['r', 'R', 'a']
        .into_iter()
        .any(|letter| arguments.has(letter));
    let mut code = 0;
    for (source, target) in pairs {
        if let Err(message) = copy(call, &source, &target, recursive).await? {
            code = call.fail(&message);
        }
    }
    Ok(code)
}

async fn copy(
    call: &mut Call<'_>,
    source: &str,
    target: &str,
    recursive: bool,
) -> Result<Result<(), String>, Unwind> {
    let (from, to) = (call.path(source), call.path(target));
    let found = call.world().tree().look(&from);
    let is_directory = match found {
        Ok(node) => node.is_directory(),
        Err(error) => return Ok(Err(format!("can't stat '{source}': {error}"))),
    };
    if is_directory && !recursive {
        return Ok(Err(format!("omitting directory '{source}'")));
    }
    if path::is_within(&to, &from) {
        return Ok(Err(format!("'{source}' and '{target}' are the same file")));
    }
    let mut all = vec![from.clone()];
    if is_directory {
        all.extend(below(call, &from).await?);
    }
    for path in all {
        let copied = copy_one(call, &path, &format!("{to}{}", &path[from.len()..]));
        match copied {
            Ok(bytes) => call.spend(FILE_COST + path.len() + bytes).await?,
            Err(error) => return Ok(Err(format!("can't create '{target}': {error}"))),
        }
    }
    Ok(Ok(()))
}

/// Copies one file, or makes one directory, and returns the bytes of the content.
fn copy_one(call: &Call<'_>, from: &str, to: &str) -> Result<usize, FileError> {
    let directory = &call.context.directory;
    let (user, now) = (directory.user(), directory.world.now());
    let mut tree = directory.world.tree();
    let node = tree.look(from)?;
    if node.is_directory() {
        return match tree.make_directory(to, user, now) {
            Ok(()) | Err(FileError::Exists) => Ok(0),
            Err(error) => Err(error),
        };
    }
    let node = tree.read(from, user)?;
    tree.open(to, OpenMode::Truncate, user, now)?;
    match node.kind {
        NodeKind::File(content) => {
            tree.append(to, &content, now)?;
            Ok(content.len())
        }
        _ => Ok(0),
    }
}

pub(super) async fn mv(call: &mut Call<'_>) -> Outcome {
    let (_, pairs) = match pairs(call, "fnT") {
        Ok(read) => read,
        Err(code) => return Ok(code),
    };
    let mut code = 0;
    for (source, target) in pairs {
        let (from, to) = (call.path(&source), call.path(&target));
        let user = call.user();
        let moved = call.world().tree().rename(&from, &to, user);
        match moved {
            Ok(files) => call.spend(FILE_COST * files).await?,
            Err(error) => code = call.fail(&format!("can't rename '{source}': {error}")),
        }
    }
    Ok(code)
}
