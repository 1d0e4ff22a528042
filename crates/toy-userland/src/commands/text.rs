//! Programs on text, most of them line by line.

use std::collections::VecDeque;

use super::arguments::Arguments;
use super::call::Call;
use crate::outcome::{Outcome, Unwind};

pub(super) fn echo(call: &mut Call<'_>) -> u8 {
    let mut newline = true;
    let mut escapes = false;
    let is_option = |argument: &String| {
        let letters = argument.strip_prefix('-').unwrap_or_default();
        !letters.is_empty() && letters.chars().all(|c| matches!(c, 'n' | 'e' | 'E'))
    };
    let options = call
        .args
        .iter()
        .take_while(|argument| is_option(argument))
        .count();
    for letter in call.args[..options].concat().chars() {
        match letter {
            'n' => newline = false,
            'e' => escapes = true,
            'E' => escapes = false,
            _ => {}
        }
    }
    let text = call.args[options..].join(" ");
    if escapes {
        let (bytes, go_on) = super::printf::unescaped(&text);
        call.out.extend_from_slice(&bytes);
        newline &= go_on;
    } else {
        call.print(&text);
    }
    if newline {
        call.print("\n");
    }
    0
}

#[derive(Default)]
struct Counts {
    lines: usize,
    words: usize,
    bytes: usize,
}

pub(super) async fn wc(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("lwcm").await?;
    let given = |letter| arguments.has(letter);
    let all = !(given('l') || given('w') || given('c') || given('m'));
    let mut total = Counts::default();
    let mut code = 0;
    for operand in arguments.inputs() {
        let Some(input) = call.input(&operand).await else {
            code = 1;
            continue;
        };
        let mut counts = Counts::default();
        let mut in_word = false;
        loop {
            let chunk = call.chunk(&input).await?;
            if chunk.is_empty() {
                break;
            }
            counts.bytes += chunk.len();
            call.spend(2 * chunk.len()).await?;
            for byte in chunk {
                counts.lines += usize::from(byte == b'\n');
                let blank = byte.is_ascii_whitespace();
                counts.words += usize::from(!blank && !in_word);
                in_word = !blank;
            }
        }
        let name = if arguments.operands.is_empty() {
            ""
        } else {
            &operand
        };
        report(&mut call, &counts, all, &arguments, name).await?;
        total.lines += counts.lines;
        total.words += counts.words;
        total.bytes += counts.bytes;
    }
    if arguments.operands.len() > 1 {
        report(&mut call, &total, all, &arguments, "total").await?;
    }
    Ok(code)
}

async fn report(
    call: &mut Call<'_>,
    counts: &Counts,
    all: bool,
    arguments: &Arguments,
    name: &str,
) -> Result<(), Unwind> {
    let shown: Vec<usize> = [
        (all || arguments.has('l'), counts.lines),
        (all || arguments.has('w'), counts.words),
        (
            all || arguments.has('c') || arguments.has('m'),
            counts.bytes,
        ),
    ]
    .into_iter()
    .filter_map(|(wanted, count)| wanted.then_some(count))
    .collect();
    let mut line = match shown[..] {
        [one] => one.to_string(),
        _ => shown
            .iter()
            .map(|count| format!("{count:>9} "))
            .collect::<Vec<_>>()
            .concat(),
    };
    if shown.len() > 1 {
        line.pop();
    }
    if !name.is_empty() {
        line.push(' ');
        line.push_str(name);
    }
    line.push('\n');
    call.write(line.as_bytes()).await
}

pub(super) async fn sort(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("nru").await?;
    let (lines, code) = call.lines(&arguments.inputs()).await?;
    let mut keyed = Vec::with_capacity(lines.len());
    for line in lines {
        call.spend(LINE_COST).await?;
        let number = if arguments.has('n') {
            leading_number(&line)
        } else {
            0
        };
        keyed.push((number, line));
    }
    let keyed = sorted(&mut call, keyed).await?;
    let mut lines: Vec<Vec<u8>> = keyed.into_iter().map(|(_, line)| line).collect();
    if arguments.has('r') {
        lines.reverse();
    }
    if arguments.has('u') {
        lines.dedup();
    }
    write_lines(&mut call, lines).await?;
    Ok(code)
}

/// Cost of cutting a byte of a line, in bytes of text that are copied.
const CUT_COST: usize = 8;
/// Cost of handling a line besides its text, in bytes of text.
const LINE_COST: usize = 64;
/// Lines that are sorted in one go.
const SORTED_LINES: usize = 128;

/// Returns the number that a line starts with; 0 without one.
fn leading_number(line: &[u8]) -> i64 {
    let line = line.trim_ascii_start();
    let is_part = |(at, byte): &(usize, &u8)| byte.is_ascii_digit() || (*at == 0 && **byte == b'-');
    let end = line.iter().enumerate().take_while(is_part).count();
    let text = std::str::from_utf8(&line[..end]);
    text.ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// A line and the number that it is sorted by.
type Keyed = (i64, Vec<u8>);

/// Sorts lines by merging sorted runs, with a step now and then.
async fn sorted(call: &mut Call<'_>, lines: Vec<Keyed>) -> Result<Vec<Keyed>, Unwind> {
    let mut runs = VecDeque::new();
    let mut lines = lines.into_iter();
    loop {
        let mut run: Vec<Keyed> = lines.by_ref().take(SORTED_LINES).collect();
        if run.is_empty() {
            break;
        }
        call.spend(run.iter().map(|(_, line)| LINE_COST * 8 + line.len()).sum())
            .await?;
        run.sort();
        runs.push_back(run);
    }
    while let Some(left) = runs.pop_front() {
        match runs.pop_front() {
            Some(right) => runs.push_back(merged(call, left, right).await?),
            None => return Ok(left),
        }
    }
    Ok(Vec::new())
}

async fn merged(
    call: &mut Call<'_>,
    left: Vec<Keyed>,
    right: Vec<Keyed>,
) -> Result<Vec<Keyed>, Unwind> {
    let mut all = Vec::with_capacity(left.len() + right.len());
    let mut left = left.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    loop {
        let next = match (left.peek(), right.peek()) {
            (Some(one), Some(other)) if one <= other => left.next(),
            (_, Some(_)) => right.next(),
            (_, None) => left.next(),
        };
        let Some(line) = next else {
            return Ok(all);
        };
        call.spend(LINE_COST + line.1.len()).await?;
        all.push(line);
    }
}

async fn write_lines(call: &mut Call<'_>, lines: Vec<Vec<u8>>) -> Result<(), Unwind> {
    for mut line in lines {
        call.step().await?;
        line.push(b'\n');
        call.write(&line).await?;
    }
    Ok(())
}

pub(super) async fn uniq(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("c").await?;
    let mut code = 0;
    let mut group: Option<(usize, Vec<u8>)> = None;
    for operand in arguments.inputs() {
        let Some(input) = call.input(&operand).await else {
            code = 1;
            continue;
        };
        loop {
            let mut line = call.line(&input).await?;
            if line.is_empty() {
                break;
            }
            if line.ends_with(b"\n") {
                line.pop();
            }
            match &mut group {
                Some((count, same)) if *same == line => *count += 1,
                _ => {
                    if let Some(group) = group.replace((1, line)) {
                        write_group(&mut call, group, &arguments).await?;
                    }
                }
            }
        }
    }
    if let Some(group) = group {
        write_group(&mut call, group, &arguments).await?;
    }
    Ok(code)
}

/// Writes a line that stands for so many equal ones.
async fn write_group(
    call: &mut Call<'_>,
    (count, line): (usize, Vec<u8>),
    arguments: &Arguments,
) -> Result<(), Unwind> {
    let mut shown = Vec::new();
    if arguments.has('c') {
        shown.extend_from_slice(format!("{count:>7} ").as_bytes());
    }
    shown.extend_from_slice(&line);
    shown.push(b'\n');
    call.write(&shown).await
}

pub(super) async fn cut(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("d:f:c:s").await?;
    let list = arguments.value('f').or(arguments.value('c'));
    let Some(ranges) = list.and_then(ranges) else {
        call.complain("expected a list of bytes, characters, or fields")
            .await;
        return Ok(1);
    };
    let delimiter = arguments.value('d').unwrap_or("\t").to_owned();
    let mut code = 0;
    for operand in arguments.inputs() {
        let Some(input) = call.input(&operand).await else {
            code = 1;
            continue;
        };
        loop {
            let line = call.line(&input).await?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            let line = line.trim_end_matches('\n');
            let kept = if arguments.has('c') {
                chosen(line.chars(), &ranges).into_iter().collect()
            } else if !line.contains(&delimiter) {
                if arguments.has('s') {
                    continue;
                }
                line.to_owned()
            } else {
                chosen(line.split(delimiter.as_str()), &ranges).join(&delimiter)
            };
            call.spend(CUT_COST * line.len()).await?;
            call.write(format!("{kept}\n").as_bytes()).await?;
        }
    }
    Ok(code)
}

/// Returns the items whose numbers, from 1, are in the ranges.
fn chosen<T>(items: impl Iterator<Item = T>, ranges: &[(usize, usize)]) -> Vec<T> {
    let mut ranges = ranges.iter().copied().peekable();
    let mut kept = Vec::new();
    for (at, item) in items.enumerate() {
        let number = at + 1;
        while ranges.next_if(|(_, last)| *last < number).is_some() {}
        match ranges.peek() {
            None => break,
            Some((first, _)) if *first <= number => kept.push(item),
            Some(_) => {}
        }
    }
    kept
}

/// Parses a list such as `1,3-5,7-` into ranges of first and last numbers, in order and disjoint.
fn ranges(list: &str) -> Option<Vec<(usize, usize)>> {
    let range = |text: &str| match text.split_once('-') {
        None => {
            let number = text.parse().ok()?;
            Some((number, number))
        }
        Some((first, last)) => {
            let first = if first.is_empty() {
                1
            } else {
                first.parse().ok()?
            };
            let last = if last.is_empty() {
                usize::MAX
            } else {
                last.parse().ok()?
            };
            Some((first, last))
        }
    };
    let mut ranges: Vec<(usize, usize)> = list.split(',').map(range).collect::<Option<_>>()?;
    ranges.sort_unstable();
    let mut disjoint: Vec<(usize, usize)> = Vec::new();
    for (first, last) in ranges {
        match disjoint.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => disjoint.push((first, last)),
        }
    }
    Some(disjoint)
}

/// Longest set of `tr` as it is written.
const MAX_SET_BYTES: usize = 1024;

pub(super) async fn tr(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("+dsc").await?;
    if arguments
        .operands
        .iter()
        .any(|set| set.len() > MAX_SET_BYTES)
    {
        call.complain(&format!("a set of more than {MAX_SET_BYTES} bytes"))
            .await;
        return Ok(1);
    }
    let mut sets = arguments
        .operands
        .iter()
        .map(|operand| bytes_of_set(operand));
    let (from, to) = match (sets.next(), sets.next()) {
        (Some(from), to) if to.is_some() || arguments.has('d') || arguments.has('s') => {
            (from, to.unwrap_or_default())
        }
        _ => {
            call.complain("two sets are needed").await;
            return Ok(1);
        }
    };
    let mut places = [None; 256];
    for (at, member) in from.iter().enumerate().rev() {
        places[usize::from(*member)] = Some(at);
    }
    if arguments.has('c') {
        places = places.map(|place| match place {
            Some(_) => None,
            None => Some(usize::MAX),
        });
    }
    let input = call.context.descriptors.stdin.clone();
    let mut before = None;
    loop {
        let chunk = call.chunk(&input).await?;
        if chunk.is_empty() {
            return Ok(0);
        }
        let mut translated = Vec::with_capacity(chunk.len());
        for byte in chunk {
            let at = places[usize::from(byte)];
            if at.is_some() && arguments.has('d') {
                continue;
            }
            let byte = match (at, to.last()) {
                (Some(at), Some(last)) => to.get(at).copied().unwrap_or(*last),
                _ => byte,
            };
            if arguments.has('s') && at.is_some() && before == Some(byte) {
                continue;
            }
            before = Some(byte);
            translated.push(byte);
        }
        call.write(&translated).await?;
    }
}

/// Predicate of a character class.
type Class = fn(&u8) -> bool;

/// Returns the bytes of a set such as `a-z\n` or `[:upper:]`, in the order of the set.
fn bytes_of_set(text: &str) -> Vec<u8> {
    let (bytes, _) = super::printf::unescaped(text);
    let classes: [(&[u8], Class); 6] = [
        (b"[:lower:]", u8::is_ascii_lowercase),
        (b"[:upper:]", u8::is_ascii_uppercase),
        (b"[:digit:]", u8::is_ascii_digit),
        (b"[:alpha:]", u8::is_ascii_alphabetic),
        (b"[:alnum:]", u8::is_ascii_alphanumeric),
        (b"[:space:]", u8::is_ascii_whitespace),
    ];
    let mut set = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((first, after)) = rest.split_first() {
        if let Some((name, holds)) = classes.iter().find(|(name, _)| rest.starts_with(name)) {
            set.extend((0..=u8::MAX).filter(holds));
            rest = &rest[name.len()..];
            continue;
        }
        match after {
            [b'-', last, ..] if last >= first => {
                set.extend(*first..=*last);
                rest = &after[2..];
            }
            _ => {
                set.push(*first);
                rest = after;
            }
        }
    }
    set
}
