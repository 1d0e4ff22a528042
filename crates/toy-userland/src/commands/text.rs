//! Programs on text, most of them line by line.

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
    let (mut lines, code) = call.lines(&arguments.inputs()).await?;
    let number = |line: &[u8]| {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_start();
        let end = text
            .char_indices()
            .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')));
        let end = end.map_or(text.len(), |(at, _)| at);
        text[..end].parse::<i64>().unwrap_or(0)
    };
    if arguments.has('n') {
        lines.sort_by(|a, b| number(a).cmp(&number(b)).then_with(|| a.cmp(b)));
    } else {
        lines.sort();
    }
    if arguments.has('r') {
        lines.reverse();
    }
    if arguments.has('u') {
        lines.dedup();
    }
    write_lines(&mut call, lines).await?;
    Ok(code)
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
    let (lines, code) = call.lines(&arguments.inputs()).await?;
    let groups = lines.chunk_by(|a, b| a == b);
    let kept = groups.filter_map(|group| {
        let line = group.first()?;
        Some(if arguments.has('c') {
            [format!("{:>7} ", group.len()).as_bytes(), line].concat()
        } else {
            line.clone()
        })
    });
    let kept = kept.collect();
    write_lines(&mut call, kept).await?;
    Ok(code)
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
                let chars = line.chars().enumerate();
                chars
                    .filter(|(at, _)| is_in(&ranges, at + 1))
                    .map(|(_, c)| c)
                    .collect()
            } else if !line.contains(&delimiter) {
                if arguments.has('s') {
                    continue;
                }
                line.to_owned()
            } else {
                let fields = line.split(delimiter.as_str()).enumerate();
                let kept = fields
                    .filter(|(at, _)| is_in(&ranges, at + 1))
                    .map(|(_, field)| field);
                kept.collect::<Vec<_>>().join(&delimiter)
            };
            call.write(format!("{kept}\n").as_bytes()).await?;
        }
    }
    Ok(code)
}

fn is_in(ranges: &[(usize, usize)], number: usize) -> bool {
    ranges
        .iter()
        .any(|(first, last)| (*first..=*last).contains(&number))
}

/// Parses a list such as `1,3-5,7-` into ranges of first and last numbers.
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
    list.split(',').map(range).collect()
}

pub(super) async fn tr(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("+dsc").await?;
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
    let complement = arguments.has('c');
    let place = |byte: u8| match from.iter().position(|member| *member == byte) {
        Some(at) if !complement => Some(at),
        None if complement => Some(usize::MAX),
        _ => None,
    };
    let input = call.context.descriptors.stdin.clone();
    let mut before = None;
    loop {
        let chunk = call.chunk(&input).await?;
        if chunk.is_empty() {
            return Ok(0);
        }
        let mut translated = Vec::with_capacity(chunk.len());
        for byte in chunk {
            let at = place(byte);
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
