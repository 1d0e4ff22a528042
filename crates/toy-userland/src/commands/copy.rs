//! `cp` and `mv`.

use super::arguments::Arguments;
use super::call::Call;
use super::files::below;
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

pub(super) fn cp(call: &mut Call<'_>) -> u8 {
    let (arguments, pairs) = match pairs(call, "rRafpTLPd") {
        Ok(read) => read,
        Err(code) => return code,
    };
    let recursive = ['r', 'R', 'a']
        .into_iter()
        .any(|letter| arguments.has(letter));
    let mut code = 0;
    for (source, target) in pairs {
        if let Err(message) = copy(call, &source, &target, recursive) {
            code = call.fail(&message);
        }
    }
    code
}

fn copy(call: &Call<'_>, source: &str, target: &str, recursive: bool) -> Result<(), String> {
    let (from, to) = (call.path(source), call.path(target));
    let node = call.world().tree().look(&from);
    let node = node.map_err(|error| format!("can't stat '{source}': {error}"))?;
    if node.is_directory() && !recursive {
        return Err(format!("omitting directory '{source}'"));
    }
    if path::is_within(&to, &from) {
        return Err(format!("'{source}' and '{target}' are the same file"));
    }
    let mut all = vec![from.clone()];
    if node.is_directory() {
        all.extend(below(call, &from));
    }
    for path in all {
        copy_one(call, &path, &format!("{to}{}", &path[from.len()..]))
            .map_err(|error| format!("can't create '{target}': {error}"))?;
    }
    Ok(())
}

fn copy_one(call: &Call<'_>, from: &str, to: &str) -> Result<(), FileError> {
    let directory = &call.context.directory;
    let (user, now) = (directory.user(), directory.world.now());
    let mut tree = directory.world.tree();
    let node = tree.look(from)?;
    if node.is_directory() {
        return match tree.make_directory(to, user, now) {
            Err(FileError::Exists) => Ok(()),
            made => made,
        };
    }
    let node = tree.read(from, user)?;
    tree.open(to, OpenMode::Truncate, user, now)?;
    match node.kind {
        NodeKind::File(content) => tree.append(to, &content, now),
        NodeKind::Device(_) | NodeKind::Program | NodeKind::Directory => Ok(()),
    }
}

pub(super) fn mv(call: &mut Call<'_>) -> u8 {
    let (_, pairs) = match pairs(call, "fnT") {
        Ok(read) => read,
        Err(code) => return code,
    };
    let mut code = 0;
    for (source, target) in pairs {
        let (from, to) = (call.path(&source), call.path(&target));
        let user = call.user();
        let moved = call.world().tree().rename(&from, &to, user);
        if let Err(error) = moved {
            code = call.fail(&format!("can't rename '{source}': {error}"));
        }
    }
    code
}
