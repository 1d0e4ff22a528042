//! `ls`, `stat` and `find`, which list files.

use std::ops::ControlFlow;

use super::call::Call;
use super::date::{MAX_FORMAT_BYTES, formatted};
use super::files::{FILE_COST, below};
use crate::outcome::{Outcome, Unwind};
use crate::pattern::{Goal, Pattern};
use crate::world::{Node, NodeKind, Special, path};

/// Comparisons of a pattern with a name that count as a step.
const COMPARISONS_PER_STEP: usize = 2048;
/// Cost of a byte of a format, in bytes of text that are copied.
const FORMAT_COST: usize = 16;

pub(super) async fn ls(call: &mut Call<'_>) -> Outcome {
    let arguments = match call.arguments("1aAlhdRnFprtS") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    let operands = match arguments.operands.as_slice() {
        [] => vec![".".to_owned()],
        operands => operands.to_vec(),
    };
    let mut code = 0;
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for operand in operands {
        call.spend(FILE_COST + operand.len()).await?;
        let found = call.world().tree().look(&call.path(&operand));
        match found {
            Ok(node) if node.is_directory() && !arguments.has('d') => directories.push(operand),
            Ok(node) => files.push((operand, node)),
            Err(error) => code = call.fail(&format!("{operand}: {error}")),
        }
    }
    let long = arguments.has('l') || arguments.has('n');
    let several = !files.is_empty() || directories.len() > 1 || arguments.has('R');
    let mut blank = !files.is_empty();
    entries(call, files, long).await?;
    if arguments.has('R') {
        let mut all = Vec::new();
        for directory in directories {
            let root = call.path(&directory);
            let start = root.trim_end_matches('/').len();
            let within = below(call, &root).await?;
            let shown = directory.trim_end_matches('/').to_owned();
            all.push(directory);
            for path in within {
                call.spend(FILE_COST + path.len()).await?;
                let found = call.world().tree().find(&path);
                if found.is_some_and(|node| node.is_directory()) {
                    all.push(format!("{shown}{}", &path[start..]));
                }
            }
        }
        directories = all;
    }
    for directory in directories {
        let target = call.path(&directory);
        let names = call.world().tree().list(&target, call.user());
        let names = match names {
            Ok(names) => names,
            Err(error) => {
                code = call.fail(&format!("can't open '{directory}': {error}"));
                continue;
            }
        };
        if several {
            let before = if blank { "\n" } else { "" };
            call.print(&format!("{before}{directory}:\n"));
        }
        blank = true;
        let dots = if arguments.has('a') {
            &[".", ".."][..]
        } else {
            &[]
        };
        let hidden = arguments.has('a') || arguments.has('A');
        let names = dots.iter().map(ToString::to_string).chain(names);
        let listed: Vec<(String, Node)> = {
            let tree = call.world().tree();
            let node = |name: &String| tree.find(&path::absolute(&target, name));
            let shown = names.filter(|name| hidden || !name.starts_with('.'));
            shown
                .filter_map(|name| node(&name).map(|node| (name, node)))
                .collect()
        };
        if long {
            call.print("total 0\n");
        }
        entries(call, listed, long).await?;
    }
    Ok(code)
}

async fn entries(
    call: &mut Call<'_>,
    entries: Vec<(String, Node)>,
    long: bool,
) -> Result<(), Unwind> {
    for (name, node) in entries {
        call.spend(FILE_COST + name.len()).await?;
        if long {
            let owner = owner(call, &node);
            let (mode, size) = (mode(&node), node.size());
            let time = formatted(node.modified, "%b %e %H:%M");
            call.print(&format!("{mode}    1 {owner} {size:>9} {time} "));
        }
        call.print_line(&name);
    }
    Ok(())
}

fn owner(call: &mut Call<'_>, node: &Node) -> String {
    let mut named = |id: u32, file| call.name_of(id, file).unwrap_or_else(|| id.to_string());
    let user = named(node.uid, "/etc/passwd");
    let group = named(node.gid, "/etc/group");
    format!("{user:<8} {group:<8}")
}

/// Returns the type and the permission bits of a file in the form of `ls -l`.
fn mode(node: &Node) -> String {
    let kind = match node.kind {
        NodeKind::Directory => 'd',
        NodeKind::Device(_) | NodeKind::Special(Special::Character) => 'c',
        NodeKind::Special(Special::Block) => 'b',
        NodeKind::Special(Special::Fifo) => 'p',
        NodeKind::Special(Special::Socket) => 's',
        NodeKind::File(_) | NodeKind::Unread(_) | NodeKind::Program => '-',
    };
    let letters = ['r', 'w', 'x'].into_iter().cycle().take(9);
    let bits = (0..9).rev().map(|bit| node.mode >> bit & 1 == 1);
    let mut text: String = std::iter::once(kind)
        .chain(
            letters
                .zip(bits)
                .map(|(letter, set)| if set { letter } else { '-' }),
        )
        .collect();
    if node.mode & 0o1000 != 0 {
        let last = if text.ends_with('x') { 't' } else { 'T' };
        text.pop();
        text.push(last);
    }
    text
}

pub(super) async fn stat(call: &mut Call<'_>) -> Outcome {
    let arguments = match call.arguments("c:L") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    let mut code = 0;
    let format = arguments.value('c').unwrap_or(
        "  File: %n\n  Size: %s\t%F\nAccess: (0%a/%A)  Uid: (%u/%U)   Gid: (%g/%G)\nModify: %y",
    );
    if format.len() > MAX_FORMAT_BYTES {
        return Ok(call.fail(&format!("a format of more than {MAX_FORMAT_BYTES} bytes")));
    }
    for operand in &arguments.operands {
        call.spend(FILE_COST + FORMAT_COST * format.len()).await?;
        if call.out.len() > call.context.limits.expansion_bytes {
            return Ok(call.fail("out of memory"));
        }
        let found = call.world().tree().look(&call.path(operand));
        let node = match found {
            Ok(node) => node,
            Err(error) => {
                code = call.fail(&format!("can't stat '{operand}': {error}"));
                continue;
            }
        };
        let text = stat_text(call, format, operand, &node);
        call.print_line(&text);
    }
    Ok(code)
}

fn stat_text(call: &mut Call<'_>, format: &str, name: &str, node: &Node) -> String {
    let mut named = |id: u32, file| {
        call.name_of(id, file)
            .unwrap_or_else(|| "UNKNOWN".to_owned())
    };
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let part = match chars.next() {
            Some('n') => name.to_owned(),
            Some('s') => node.size().to_string(),
            Some('a') => format!("{:o}", node.mode),
            Some('A') => mode(node),
            Some('u') => node.uid.to_string(),
            Some('g') => node.gid.to_string(),
            Some('U') => named(node.uid, "/etc/passwd"),
            Some('G') => named(node.gid, "/etc/group"),
            Some('F') => match &node.kind {
                NodeKind::Directory => "directory",
                NodeKind::Device(_) | NodeKind::Special(Special::Character) => {
                    "character special file"
                }
                NodeKind::Special(Special::Block) => "block special file",
                NodeKind::Special(Special::Fifo) => "fifo",
                NodeKind::Special(Special::Socket) => "socket",
                NodeKind::File(_) | NodeKind::Unread(_) if node.size() == 0 => "regular empty file",
                NodeKind::File(_) | NodeKind::Unread(_) | NodeKind::Program => "regular file",
            }
            .to_owned(),
            Some('Y') => formatted(node.modified, "%s"),
            Some('y') => formatted(node.modified, "%F %T.%N +0000"),
            Some('%') | None => "%".to_owned(),
            Some(other) => format!("%{other}"),
        };
        text.push_str(&part);
    }
    text
}

/// Runs `find` with the tests `-name`, `-type` and `-maxdepth`.
pub(super) async fn find(call: &mut Call<'_>) -> Outcome {
    let args = std::mem::take(&mut call.args);
    let split = args
        .iter()
        .position(|argument| argument.starts_with('-'))
        .unwrap_or(args.len());
    let (roots, tests) = args.split_at(split);
    let (mut name, mut kind, mut depth) = (None, None, usize::MAX);
    let mut tests = tests.iter();
    while let Some(test) = tests.next() {
        let operand = (test != "-print").then(|| tests.next()).flatten();
        match (test.as_str(), operand) {
            ("-print", _) => {}
            ("-name", Some(pattern)) => name = Some(pattern.clone()),
            ("-type", Some(letter)) => kind = Some(letter.clone()),
            ("-maxdepth", Some(number)) => match number.parse() {
                Ok(number) => depth = number,
                Err(_) => return Ok(call.fail(&format!("invalid number '{number}'"))),
            },
            _ => return Ok(call.fail(&format!("unrecognized: {test}"))),
        }
    }
    let roots = if roots.is_empty() {
        vec![".".to_owned()]
    } else {
        roots.to_vec()
    };
    let name = match name.as_deref().map(Pattern::new) {
        Some(Ok(name)) => Some(name),
        Some(Err(error)) => return Ok(call.fail(&error.to_string())),
        None => None,
    };
    let mut code = 0;
    for shown in roots {
        let root = call.path(&shown);
        if call.world().tree().find(&root).is_none() {
            code = call.fail(&format!("{shown}: No such file or directory"));
            continue;
        }
        let mut all = vec![root.clone()];
        all.extend(below(call, &root).await?);
        for path in all {
            call.spend(FILE_COST + path.len()).await?;
            let rest = &path[root.trim_end_matches('/').len()..];
            let level = rest.matches('/').count();
            let node = call.world().tree().find(&path);
            let typed = |node: &Node| match kind.as_deref() {
                Some("d") => node.is_directory(),
                Some("f") => node.is_file(),
                Some("b" | "c" | "p" | "s") => kind
                    .as_deref()
                    .is_some_and(|kind| mode(node).starts_with(kind)),
                Some(_) => false,
                None => true,
            };
            let named = match &name {
                Some(name) => matches(call, name, path::base_name(&path)).await?,
                None => true,
            };
            if level <= depth && named && node.is_some_and(|node| typed(&node)) {
                let rest = if path == root { "" } else { rest };
                call.print_line(&format!("{}{rest}", trimmed(&shown, rest)));
            }
        }
    }
    Ok(code)
}

/// Returns whether a pattern matches a name.
async fn matches(call: &mut Call<'_>, pattern: &Pattern, name: &str) -> Result<bool, Unwind> {
    let mut matching = pattern.matching(Goal::Whole, name);
    loop {
        let found = matching.work(COMPARISONS_PER_STEP);
        if let ControlFlow::Break(found) = found {
            return Ok(found.is_some());
        }
        call.step().await?;
    }
}

/// Returns a root operand without its trailing slash if `rest`, which starts with one, follows.
fn trimmed<'s>(shown: &'s str, rest: &str) -> &'s str {
    if rest.is_empty() {
        shown
    } else {
        shown.trim_end_matches('/')
    }
}
