//! `sh`: runs a script from its argument, from a file or from standard input in a new shell.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::super::interpreter::{Interpreter, PARSE_COST};
use super::invocation::Invocation;
use crate::outcome::{Outcome, exit_code};
use crate::world::Process;

/// Most bytes that are read at once from a script on standard input.
const MAX_LINE_BYTES: usize = 64 << 10;

pub(super) async fn sh(mut call: Invocation<'_>) -> Outcome {
    let mut args = std::mem::take(&mut call.args).into_iter().peekable();
    call.shell.spend(call.shell.variables.bytes()).await?;
    let mut shell = call.shell.program();
    let mut command = false;
    while let Some(option) = args.next_if(|argument| argument.starts_with(['-', '+'])) {
        let on = option.starts_with('-');
        match &option[1..] {
            "" | "-" => break,
            letters => {
                for letter in letters.chars() {
                    let name = match letter {
                        'c' => {
                            command = true;
                            continue;
                        }
                        'i' | 'l' | 's' => continue,
                        'o' => args.next().unwrap_or_default(),
                        letter => letter.to_string(),
                    };
                    if !shell.set_option(&name, on) {
                        call.complain(&format!("illegal option {option}")).await;
                        return Ok(2);
                    }
                }
            }
        }
    }
    call.shell.enter().await?;
    let signals = Arc::clone(&shell.signals);
    let listed = (!call.shell.replaced).then(|| {
        call.shell.directory.world.processes().start(Process {
            command: "sh".to_owned(),
            signals: Arc::clone(&signals),
        })
    });
    if let Some(listed) = &listed {
        shell.pid = listed.pid;
    }
    // On the heap: shells nest, and each one adds to the depth of the stack.
    let running: BoxFuture<'_, Outcome> = Box::pin(async {
        Ok(if command {
            match args.next() {
                Some(script) => {
                    shell.name = args.next().unwrap_or_else(|| call.called.clone());
                    shell.parameters = Arc::new(args.collect());
                    shell.run_script(&script).await
                }
                None => {
                    call.complain("-c requires an argument").await;
                    2
                }
            }
        } else if let Some(file) = args.next() {
            let outcome = call
                .shell
                .run_file(&file, file.clone(), args.collect())
                .await;
            exit_code(outcome, 0)
        } else {
            shell.name.clone_from(&call.called);
            if shell.has_terminal() {
                shell.interact().await?
            } else {
                from_input(&mut call, shell).await?
            }
        })
    });
    let code = match listed {
        // A shell of its own can be killed without its parent.
        Some(_) => tokio::select! {
            biased;
            signal = signals.killed() => signal.exit_code(),
            code = running => code?,
        },
        None => running.await?,
    };
    call.shell.leave();
    Ok(code)
}

/// Runs the script on standard input, command by command.
async fn from_input(call: &mut Invocation<'_>, mut shell: Interpreter) -> Outcome {
    let input = call.shell.descriptors.stdin.clone();
    let mut pending = String::new();
    loop {
        let line = {
            call.shell.step().await?;
            input.read_line(MAX_LINE_BYTES).await
        };
        let ended = line.is_empty();
        pending.push_str(&String::from_utf8_lossy(&line));
        if pending.is_empty() {
            break;
        }
        // An incomplete command waits for the next line.
        if !ended {
            call.shell.spend(pending.len() * PARSE_COST).await?;
            if !shell.is_complete(&pending) {
                continue;
            }
        }
        let script = std::mem::take(&mut pending);
        if let Some(code) = shell.run_line(&script).await {
            return Ok(code);
        }
        if ended {
            break;
        }
    }
    let status = shell.status;
    Ok(shell.finish(Ok(status)).await)
}
