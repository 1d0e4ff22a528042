//! `read`: reads a line into variables.

use super::super::fields::Separators;
use super::invocation::Invocation;
use crate::outcome::{Outcome, Unwind};
use crate::syntax::is_name;
use crate::variables::SEPARATORS;

/// Cost of splitting a byte, in bytes of text that are copied.
const READ_COST: usize = 8;
/// Longest line that `read` reads, in bytes.
const MAX_READ_BYTES: usize = 64 << 10;

pub(super) async fn read(mut call: Invocation<'_>) -> Outcome {
    let arguments = call.arguments("rp:t:").await?;
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
    call: &mut Invocation<'_>,
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
    let separators = Separators::new(call.shell.variables.get("IFS").unwrap_or(SEPARATORS));
    call.shell.spend(READ_COST * line.len()).await?;
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
