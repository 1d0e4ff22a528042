//! Programs that copy or make a stream of bytes.

use super::arguments::Arguments;
use super::call::{Call, about};
use crate::outcome::{Outcome, Unwind};
use crate::streams::{Input, Output};
use crate::world::{OpenMode, Signal};

/// Most bytes that `tail` writes at once.
const FOLLOW_BYTES: usize = 16 << 10;
/// Time between two looks of `tail -f` at its file.
const FOLLOW_POLL: std::time::Duration = std::time::Duration::from_secs(1);

pub(super) async fn cat(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("nuvetAE").await?;
    let mut code = 0;
    let mut number = 0;
    for operand in arguments.inputs() {
        let Some(input) = call.input(&operand).await else {
            code = 1;
            continue;
        };
        if !arguments.has('n') {
            copy(&mut call, &input, usize::MAX).await?;
            continue;
        }
        loop {
            let line = call.line(&input).await?;
            if line.is_empty() {
                break;
            }
            number += 1;
            call.write(format!("{number:>6}\t").as_bytes()).await?;
            call.write(&line).await?;
        }
    }
    Ok(code)
}

/// Copies up to `at_most` bytes to standard output.
async fn copy(call: &mut Call<'_>, input: &Input, mut at_most: usize) -> Result<(), Unwind> {
    while at_most > 0 {
        call.step().await?;
        let bytes = input.read(at_most).await;
        if bytes.is_empty() {
            break;
        }
        at_most -= bytes.len();
        call.write(&bytes).await?;
    }
    Ok(())
}

/// The option `-n` or `-c` of `head` and `tail`. `-5` is short for `-n 5`.
struct Count {
    /// Number of lines or bytes.
    amount: usize,
    /// Whether the number has a plus before it: `tail` then counts from the start.
    from_start: bool,
    /// Whether bytes are counted, as `-c` asks, and not lines.
    bytes: bool,
}

/// Parses the options of `head` and `tail`. Without a count, it is ten lines.
async fn counted(call: &mut Call<'_>, known: &str) -> Result<(Arguments, Count), Unwind> {
    if let Some(first) = call.args.first_mut() {
        let digits = first.strip_prefix('-').unwrap_or_default();
        if digits.starts_with(|c: char| c.is_ascii_digit()) {
            *first = format!("-n{digits}");
        }
    }
    let arguments = call.arguments_now(known).await?;
    let bytes = arguments.has('c');
    let text = arguments
        .value(if bytes { 'c' } else { 'n' })
        .unwrap_or("10");
    let from_start = text.starts_with('+');
    let Some(amount) = size(text.trim_start_matches(['+', '-'])) else {
        call.complain(&format!("invalid number '{text}'")).await;
        return Err(Unwind::Failed(1));
    };
    let count = Count {
        amount,
        from_start,
        bytes,
    };
    Ok((arguments, count))
}

/// Parses a number with an optional unit such as `k`, `M` or `G`, in powers of 1,024.
fn size(text: &str) -> Option<usize> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit: usize = match &text[digits.len()..] {
        "" | "c" => 1,
        "b" => 512,
        "k" | "K" | "kB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

pub(super) async fn head(mut call: Call<'_>) -> Outcome {
    let (arguments, count) = counted(&mut call, "n:c:qv").await?;
    let inputs = arguments.inputs();
    let mut code = 0;
    for (index, operand) in inputs.iter().enumerate() {
        let Some(input) = call.input(operand).await else {
            code = 1;
            continue;
        };
        header(&mut call, &arguments, &inputs, index).await?;
        if count.bytes {
            copy(&mut call, &input, count.amount).await?;
            continue;
        }
        for _ in 0..count.amount {
            let line = call.line(&input).await?;
            if line.is_empty() {
                break;
            }
            call.write(&line).await?;
        }
    }
    Ok(code)
}

async fn header(
    call: &mut Call<'_>,
    arguments: &Arguments,
    inputs: &[String],
    index: usize,
) -> Result<(), Unwind> {
    if (inputs.len() > 1 && !arguments.has('q')) || arguments.has('v') {
        let before = if index > 0 { "\n" } else { "" };
        let header = format!("{before}==> {} <==\n", inputs[index]);
        call.write(header.as_bytes()).await?;
    }
    Ok(())
}

pub(super) async fn tail(mut call: Call<'_>) -> Outcome {
    let (arguments, count) = counted(&mut call, "n:c:fFqvs:").await?;
    let inputs = arguments.inputs();
    let mut code = 0;
    for (index, operand) in inputs.iter().enumerate() {
        let Some(input) = call.input(operand).await else {
            code = 1;
            continue;
        };
        header(&mut call, &arguments, &inputs, index).await?;
        let rest = last(&mut call, &input, &count).await?;
        for piece in rest.chunks(FOLLOW_BYTES) {
            call.write(piece).await?;
        }
    }
    let followed = inputs.last().filter(|operand| *operand != "-");
    if let (Some(operand), true) = (followed, arguments.has('f') || arguments.has('F')) {
        follow(&mut call, operand).await?;
    }
    Ok(code)
}

/// Reads to the end, and returns the last lines or bytes. Meanwhile it keeps at most twice
/// [`Limits::expansion_bytes`](crate::Limits::expansion_bytes) and one chunk. With a plus before
/// the count, it copies the input from that line or byte on to standard output instead, and
/// returns nothing.
async fn last(call: &mut Call<'_>, input: &Input, count: &Count) -> Result<Vec<u8>, Unwind> {
    let limit = call.context.limits.expansion_bytes;
    if count.from_start {
        let skipped = count.amount.saturating_sub(1);
        for _ in 0..skipped {
            let read = if count.bytes {
                input.read(1).await
            } else {
                call.line(input).await?
            };
            call.step().await?;
            if read.is_empty() {
                break;
            }
        }
        copy(call, input, usize::MAX).await?;
        return Ok(Vec::new());
    }
    let mut kept: Vec<u8> = Vec::new();
    loop {
        let chunk = call.chunk(input).await?;
        if chunk.is_empty() {
            break;
        }
        kept.extend_from_slice(&chunk);
        if kept.len() > 2 * limit {
            kept.drain(..kept.len() - limit);
        }
    }
    call.spend(kept.len()).await?;
    let start = if count.bytes {
        kept.len().saturating_sub(count.amount)
    } else {
        let body = kept.strip_suffix(b"\n").unwrap_or(&kept);
        let ends = body
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n');
        match count.amount.checked_sub(1) {
            Some(before) => ends.map(|(at, _)| at + 1).nth(before).unwrap_or(0),
            None => kept.len(),
        }
    };
    Ok(kept.split_off(start))
}

/// Copies each addition to a file to standard output, without end. A file that became shorter
/// is read from its start.
async fn follow(call: &mut Call<'_>, operand: &str) -> Result<(), Unwind> {
    let mut seen = call.context.directory.read_bytes(operand).len();
    loop {
        call.step().await?;
        tokio::time::sleep(FOLLOW_POLL).await;
        let now = call.context.directory.read_bytes(operand);
        if now.len() < seen {
            seen = 0;
        }
        for piece in now[seen..].chunks(FOLLOW_BYTES) {
            call.write(piece).await?;
        }
        seen = now.len();
    }
}

pub(super) async fn tee(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("ai").await?;
    let mode = if arguments.has('a') {
        OpenMode::Append
    } else {
        OpenMode::Truncate
    };
    let mut outputs = Vec::new();
    let mut code = 0;
    for operand in &arguments.operands {
        match call.context.directory.create(operand, mode) {
            Ok(output) => outputs.push(output),
            Err(error) => {
                call.complain(&about(operand, error)).await;
                code = 1;
            }
        }
    }
    let input = call.context.descriptors.stdin.clone();
    loop {
        let bytes = call.chunk(&input).await?;
        if bytes.is_empty() {
            return Ok(code);
        }
        call.write(&bytes).await?;
        for output in &outputs {
            let written = output.write(&bytes).await;
            call.written(written).await?;
        }
    }
}

pub(super) async fn yes(mut call: Call<'_>) -> Outcome {
    let line = match call.args.join(" ") {
        text if text.is_empty() => "y\n".to_owned(),
        text => text + "\n",
    };
    loop {
        call.step().await?;
        call.write(line.as_bytes()).await?;
    }
}

pub(super) async fn seq(mut call: Call<'_>) -> Outcome {
    let mut separator = "\n".to_owned();
    if call.args.first().is_some_and(|argument| argument == "-s") && call.args.len() > 1 {
        separator = call.args[1].clone();
        call.args.drain(..2);
    }
    let mut numbers = Vec::new();
    for argument in call.args.clone() {
        match argument.parse::<i64>() {
            Ok(number) => numbers.push(number),
            Err(_) => {
                call.complain(&format!("invalid number '{argument}'")).await;
                return Ok(1);
            }
        }
    }
    let (first, step, last) = match numbers[..] {
        [last] => (1, 1, last),
        [first, last] => (first, 1, last),
        [first, step, last] => (first, step, last),
        _ => {
            call.complain("wrong number of arguments").await;
            return Ok(1);
        }
    };
    if step == 0 {
        call.complain("zero increment").await;
        return Ok(1);
    }
    let mut next = Some(first);
    let mut written = false;
    while let Some(number) = next.filter(|n| if step > 0 { *n <= last } else { *n >= last }) {
        call.step().await?;
        let before = if written { separator.as_str() } else { "" };
        call.write(format!("{before}{number}").as_bytes()).await?;
        written = true;
        next = number.checked_add(step);
    }
    if written {
        call.write(b"\n").await?;
    }
    Ok(0)
}

pub(super) async fn dd(mut call: Call<'_>) -> Outcome {
    let (mut source, mut target) = ("-".to_owned(), None);
    let (mut block, mut blocks, mut quiet) = (512, usize::MAX, false);
    for argument in call.args.clone() {
        let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
        let number = size(value);
        match (name, number) {
            ("if", _) => source = value.to_owned(),
            ("of", _) => target = Some(value.to_owned()),
            ("bs", Some(bytes)) if bytes > 0 => block = bytes,
            ("count", Some(count)) => blocks = count,
            ("status", _) => quiet = value == "none",
            ("conv" | "oflag" | "iflag" | "ibs" | "obs", _) => {}
            _ => {
                call.complain(&format!("invalid argument '{argument}'"))
                    .await;
                return Ok(1);
            }
        }
    }
    // A block lies in memory, and so does a file in /dev/shm.
    let in_memory = target
        .as_deref()
        .is_some_and(|path| path.starts_with("/dev/shm/"));
    let is_endless = matches!(
        source.as_str(),
        "/dev/zero" | "/dev/random" | "/dev/urandom"
    );
    let file = if in_memory && is_endless {
        block.saturating_mul(blocks)
    } else {
        0
    };
    if !call.world().admits(file.saturating_add(block) as u64) {
        // The kernel kills the process, and with it the container.
        call.context.signals.send(Signal::KILL);
        return std::future::pending().await;
    }
    let Some(input) = call.input(&source).await else {
        return Ok(1);
    };
    let output = match target {
        None => call.context.descriptors.stdout.clone(),
        Some(path) => match call.context.directory.create(&path, OpenMode::Truncate) {
            Ok(output) => output,
            Err(error) => {
                call.complain(&format!("can't open '{path}': {error}"))
                    .await;
                return Ok(1);
            }
        },
    };
    let copied = copy_blocks(&mut call, &input, &output, block.saturating_mul(blocks)).await?;
    if !quiet {
        let (whole, part) = (copied / block, usize::from(copied % block > 0));
        let report = format!(
            "{whole}+{part} records in\n{whole}+{part} records out\n{copied} bytes copied\n"
        );
        // There is no other way to report a failed write.
        let _ = call
            .context
            .descriptors
            .stderr
            .write(report.as_bytes())
            .await;
    }
    Ok(0)
}

async fn copy_blocks(
    call: &mut Call<'_>,
    input: &Input,
    output: &Output,
    at_most: usize,
) -> Result<usize, Unwind> {
    let mut copied = 0;
    while copied < at_most {
        call.step().await?;
        let bytes = input.read(at_most - copied).await;
        if bytes.is_empty() {
            break;
        }
        copied += bytes.len();
        let written = output.write(&bytes).await;
        call.written(written).await?;
    }
    Ok(copied)
}
