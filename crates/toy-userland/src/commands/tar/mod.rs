//! `tar`, as `kubectl cp` uses it: archives of files and directories, without links.

mod header;

use std::time::{Duration, UNIX_EPOCH};

use super::arguments::Arguments;
use super::call::{Call, about};
use super::files::{FILE_COST, below};
use crate::outcome::{Outcome, Unwind};
use crate::streams::{Input, Output};
use crate::world::{FileError, NodeKind, OpenMode, path};
use header::{BLOCK_BYTES, Entry, Kind, MAX_NAME_BYTES, Member};

/// Letters of the options. `-f` and `-C` have a value; `-v` lists the names, `-m` leaves times as
/// they are, and `-o` the owners.
const OPTIONS: &str = "cxtf:C:vmpokhz";
/// Options in words that change nothing here.
const LONG: [&str; 4] = [
    "--no-same-owner",
    "--no-same-permissions",
    "--overwrite",
    "--warning=no-timestamp",
];

pub(super) async fn tar(mut call: Call<'_>) -> Outcome {
    normalise(&mut call.args);
    let keeps_owner = !call
        .args
        .iter()
        .any(|argument| argument == "--no-same-owner");
    call.args
        .retain(|argument| !LONG.contains(&argument.as_str()));
    let arguments = call.arguments_now(OPTIONS).await?;
    let file = arguments.value('f').unwrap_or("-").to_owned();
    if arguments.has('z') {
        call.complain("gzip is not supported").await;
        return Ok(1);
    }
    match ['c', 'x', 't'].map(|letter| arguments.has(letter)) {
        [true, false, false] => create(&mut call, &arguments, &file).await,
        [false, extracts, lists] if extracts != lists => {
            let Some(input) = call.input(&file).await else {
                return Ok(1);
            };
            read(&mut call, &arguments, &input, extracts, keeps_owner).await
        }
        _ => {
            call.complain("one of -c, -x and -t is needed").await;
            Ok(1)
        }
    }
}

/// Gives the first word its hyphen, which may be missing, and puts the options with a value at
/// its end: in `cfv - a` the value of `f` comes after all letters.
fn normalise(args: &mut [String]) {
    if let Some(first) = args.first_mut()
        && !first.starts_with('-')
    {
        let (last, mut letters): (Vec<char>, Vec<char>) = first
            .chars()
            .partition(|letter| matches!(letter, 'f' | 'C'));
        letters.extend(last);
        *first = std::iter::once('-').chain(letters).collect();
    }
}

/// Returns the directory of `-C`.
fn base(call: &Call<'_>, arguments: &Arguments) -> String {
    call.path(arguments.value('C').unwrap_or("."))
}

async fn create(call: &mut Call<'_>, arguments: &Arguments, file: &str) -> Outcome {
    if arguments.operands.is_empty() {
        call.complain("empty archive").await;
        return Ok(1);
    }
    let output = if file == "-" {
        call.context.descriptors.stdout.clone()
    } else {
        match call.context.directory.create(file, OpenMode::Truncate) {
            Ok(output) => output,
            Err(error) => {
                call.complain(&format!("can't open '{file}': {error}"))
                    .await;
                return Ok(1);
            }
        }
    };
    let base = base(call, arguments);
    let mut code = 0;
    let mut has_warned = false;
    for operand in &arguments.operands {
        let top = path::absolute(&base, operand);
        let member = operand.trim_start_matches('/').trim_end_matches('/');
        if operand.starts_with('/') && !has_warned {
            has_warned = true;
            call.complain("removing leading '/' from member names")
                .await;
        }
        let found = call.world().tree().look(&top);
        let mut all = vec![top.clone()];
        match found {
            Ok(node) if node.is_directory() => all.extend(below(call, &top).await?),
            Ok(_) => {}
            Err(error) => {
                call.complain(&about(operand, error)).await;
                code = 1;
                continue;
            }
        }
        for one in all {
            let rest = one.strip_prefix(top.as_str()).unwrap_or_default();
            let name = format!("{member}{rest}");
            let name = name.trim_start_matches('/');
            if arguments.has('v') {
                let line = format!("{name}\n");
                let errors = call.context.descriptors.stderr.clone();
                let written = errors.write(line.as_bytes()).await;
                call.written(written).await?;
            }
            if let Err(error) = add(call, &output, &one, name).await? {
                call.complain(&about(&one, error)).await;
                code = 1;
            }
        }
    }
    put(call, &output, &[0; 2 * BLOCK_BYTES]).await?;
    Ok(code)
}

/// Writes to the archive.
async fn put(call: &mut Call<'_>, output: &Output, bytes: &[u8]) -> Result<(), Unwind> {
    call.spend(bytes.len()).await?;
    let written = output.write(bytes).await;
    call.written(written).await
}

/// Adds a file or directory to the archive.
async fn add(
    call: &mut Call<'_>,
    output: &Output,
    from: &str,
    name: &str,
) -> Result<Result<(), FileError>, Unwind> {
    call.spend(FILE_COST).await?;
    let node = {
        let tree = call.world().tree();
        match tree.look(from) {
            Ok(node) if node.is_directory() => Ok(node),
            Ok(_) => tree.read(from, call.user()),
            Err(error) => Err(error),
        }
    };
    let node = match node {
        Ok(node) => node,
        Err(error) => return Ok(Err(error)),
    };
    let (kind, content) = match node.kind {
        NodeKind::Directory => (Kind::Directory, None),
        NodeKind::File(content) => (Kind::File, Some(content)),
        // Devices have no content, and a program is part of this userland. What was read is no
        // longer unread.
        NodeKind::Device(_) | NodeKind::Special(_) | NodeKind::Unread(_) | NodeKind::Program => {
            (Kind::File, None)
        }
    };
    if name.is_empty() {
        return Ok(Ok(()));
    }
    let bytes: &[u8] = content.as_ref().map_or(&[], |content| content);
    let modified = node.modified.duration_since(UNIX_EPOCH);
    let member = Member {
        name: name.to_owned(),
        kind,
        mode: node.mode,
        uid: node.uid,
        gid: node.gid,
        size: bytes.len(),
        modified: modified.unwrap_or_default().as_secs(),
    };
    put(call, output, &member.encode()).await?;
    for chunk in bytes.chunks(BLOCK_BYTES * 8) {
        put(call, output, chunk).await?;
    }
    put(call, output, &[0; BLOCK_BYTES][..padding(bytes.len())]).await?;
    Ok(Ok(()))
}

/// Returns the number of bytes that fill the last block of a content.
fn padding(size: usize) -> usize {
    size.next_multiple_of(BLOCK_BYTES) - size
}

/// Reads exactly so many bytes, or fewer at the end.
async fn exactly(call: &mut Call<'_>, input: &Input, count: usize) -> Result<Vec<u8>, Unwind> {
    let mut bytes = Vec::new();
    while bytes.len() < count {
        call.step().await?;
        let more = input.read(count - bytes.len()).await;
        if more.is_empty() {
            break;
        }
        bytes.extend(more);
    }
    Ok(bytes)
}

async fn read(
    call: &mut Call<'_>,
    arguments: &Arguments,
    input: &Input,
    extracts: bool,
    keeps_owner: bool,
) -> Outcome {
    let base = base(call, arguments);
    let mut code = 0;
    // The name that a member before states for the next one.
    let mut long_name = None;
    loop {
        let block = exactly(call, input, BLOCK_BYTES).await?;
        let entry = match <[u8; BLOCK_BYTES]>::try_from(block) {
            Ok(block) => Entry::decode(&block),
            Err(short) if short.is_empty() => break,
            Err(_) => {
                call.complain("short read").await;
                return Ok(1);
            }
        };
        let mut member = match entry {
            Ok(Some(Entry::Member(member))) => member,
            Ok(Some(Entry::LongName(size) | Entry::Extended(size))) if size > MAX_NAME_BYTES => {
                call.complain("name too long").await;
                return Ok(1);
            }
            Ok(Some(Entry::LongName(size))) => {
                let text = exactly(call, input, size + padding(size)).await?;
                long_name = header::text(text.get(..size).unwrap_or_default());
                continue;
            }
            Ok(Some(Entry::Extended(size))) => {
                let text = exactly(call, input, size + padding(size)).await?;
                long_name = header::path_of(text.get(..size).unwrap_or_default());
                continue;
            }
            Ok(None) => break,
            Err(error) => {
                call.complain(&error.to_string()).await;
                return Ok(1);
            }
        };
        if let Some(name) = long_name.take() {
            member.name = name;
        }
        let to = path::absolute(&base, member.name.trim_start_matches('/'));
        let is_wanted = arguments.operands.is_empty()
            || arguments.operands.iter().any(|wanted| {
                let wanted = wanted.trim_end_matches('/');
                let rest = member.name.strip_prefix(wanted);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
        let is_unsafe = member.name.split('/').any(|part| part == "..");
        if is_wanted && (arguments.has('v') || !extracts) {
            call.write(format!("{}\n", member.name).as_bytes()).await?;
        }
        let mut made = Ok(());
        let does_write = extracts && is_wanted;
        if does_write && is_unsafe {
            call.complain(&format!("name with '..' skipped: '{}'", member.name))
                .await;
            code = 1;
        } else if does_write && member.kind == Kind::Other {
            call.complain(&format!(
                "{}: links and devices are not supported",
                member.name
            ))
            .await;
            code = 1;
        } else if does_write {
            made = make(call, &to, member.kind);
        }
        let keeps = does_write && !is_unsafe && member.kind == Kind::File && made.is_ok();
        let copied = content(call, input, &member, keeps.then_some(to.as_str())).await?;
        let Some(written) = copied else {
            call.complain("short read").await;
            return Ok(1);
        };
        if let Err(error) = made.and(written) {
            call.complain(&format!("can't open '{}': {error}", member.name))
                .await;
            code = 1;
        } else if does_write && !is_unsafe && member.kind != Kind::Other {
            finish(
                call,
                &to,
                &member,
                !arguments.has('m'),
                keeps_owner && !arguments.has('o'),
            );
        }
    }
    // The writer of the archive may still be at its last blocks.
    while !call.chunk(input).await?.is_empty() {}
    Ok(code)
}

/// Makes a directory, or an empty file, with the missing directories above it.
fn make(call: &Call<'_>, to: &str, kind: Kind) -> Result<(), FileError> {
    let directory = &call.context.directory;
    let (user, now) = (directory.user(), directory.world.now());
    let mut tree = directory.world.tree();
    let above = to.match_indices('/').skip(1).map(|(at, _)| &to[..at]);
    for one in above.chain((kind == Kind::Directory).then_some(to)) {
        match tree.make_directory(one, user, now) {
            Ok(()) | Err(FileError::Exists) => {}
            Err(error) => return Err(error),
        }
    }
    if kind == Kind::File {
        tree.open(to, OpenMode::Truncate, user, now)?;
    }
    Ok(())
}

/// Reads the content of a member, and appends it to a file if there is one. Returns `None` if the
/// archive ends before.
async fn content(
    call: &mut Call<'_>,
    input: &Input,
    member: &Member,
    to: Option<&str>,
) -> Result<Option<Result<(), FileError>>, Unwind> {
    let mut left = member.size;
    let mut result = Ok(());
    while left > 0 {
        call.step().await?;
        let bytes = input.read(left).await;
        if bytes.is_empty() {
            return Ok(None);
        }
        left -= bytes.len();
        call.spend(bytes.len()).await?;
        if let Some(to) = to.filter(|_| result.is_ok()) {
            let world = &call.context.directory.world;
            let now = world.now();
            result = world.tree().append(to, &bytes, now);
        }
    }
    let padding = padding(member.size);
    let read = exactly(call, input, padding).await?;
    Ok((read.len() == padding).then_some(result))
}

/// Gives a file its mode, and its owner and time if they are kept. A failure leaves the file as it
/// is, as a file of another owner.
fn finish(call: &Call<'_>, to: &str, member: &Member, keeps_time: bool, keeps_owner: bool) {
    let user = call.user();
    let is_root = user.uid == 0;
    let _ = call.world().tree().change(to, user, |node| {
        node.mode = member.mode;
        if is_root && keeps_owner {
            node.uid = member.uid;
            node.gid = member.gid;
        }
        if keeps_time
            && let Some(time) = UNIX_EPOCH.checked_add(Duration::from_secs(member.modified))
        {
            node.modified = time;
        }
    });
}
