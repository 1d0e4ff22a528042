//! Programs that list and signal processes.

use std::time::Duration;

use super::call::Call;
use crate::outcome::Outcome;
use crate::world::Signal;

pub(super) fn ps(call: &mut Call<'_>) -> u8 {
    call.print("PID   USER     TIME  COMMAND\n");
    let uid = call.user().uid;
    let name = call.name_of(uid, "/etc/passwd");
    let user = name.unwrap_or_else(|| uid.to_string());
    let mut last = 0;
    for (pid, process) in call.world().processes().list() {
        call.print_line(&format!("{pid:>5} {user:<8}  0:00 {}", process.command));
        last = pid;
    }
    call.print_line(&format!(
        "{:>5} {user:<8}  0:00 ps",
        last.max(call.context.pid) + 1
    ));
    0
}

/// Time between two outputs of `top`, as in BusyBox.
const TOP_INTERVAL: Duration = Duration::from_secs(5);

pub(super) async fn top(mut call: Call<'_>) -> Outcome {
    let arguments = call.arguments_now("bHmn:d:").await?;
    let mut left = match arguments.value('n').map(str::parse::<u64>) {
        None => u64::MAX,
        Some(Ok(times)) => times,
        Some(Err(_)) => {
            call.complain("invalid number of times").await;
            return Ok(1);
        }
    };
    while left > 0 {
        ps(&mut call);
        call.flush().await?;
        left -= 1;
        if left > 0 {
            tokio::time::sleep(TOP_INTERVAL).await;
        }
    }
    Ok(0)
}

pub(super) fn pgrep(call: &mut Call<'_>) -> u8 {
    let arguments = match call.arguments("flxn") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let [wanted] = arguments.operands.as_slice() else {
        return call.fail("a pattern is needed");
    };
    let mut code = 1;
    for (pid, process) in call.world().processes().list() {
        let program = process.command.split(' ').next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        let text = if arguments.has('f') {
            process.command.as_str()
        } else {
            name
        };
        let found = if arguments.has('x') {
            text == wanted
        } else {
            text.contains(wanted.as_str())
        };
        if found && pid != call.context.pid {
            code = 0;
            let shown = if arguments.has('l') {
                format!("{pid} {name}")
            } else {
                pid.to_string()
            };
            call.print_line(&shown);
        }
    }
    code
}

pub(super) fn kill(call: &mut Call<'_>) -> u8 {
    let mut args = std::mem::take(&mut call.args).into_iter().peekable();
    let mut signal = Some(Signal::TERM);
    if let Some(option) = args.next_if(|argument| argument.starts_with('-')) {
        match option.as_str() {
            "-l" => {
                for (name, number) in Signal::names() {
                    call.print_line(&format!("{number:>2}) {name}"));
                }
                return 0;
            }
            "-s" | "-n" => signal = Signal::parse(&args.next().unwrap_or_default()),
            "--" => {}
            name => signal = Signal::parse(&name[1..]),
        }
    }
    let Some(signal) = signal else {
        return call.fail("bad signal name");
    };
    let pids: Vec<String> = args.filter(|argument| argument != "--").collect();
    if pids.is_empty() {
        return call.fail("you need to specify whom to kill");
    }
    let mut code = 0;
    for text in pids {
        let Ok(pid) = text.trim_start_matches('%').parse::<i64>() else {
            code = call.fail(&format!("invalid number '{text}'"));
            continue;
        };
        let pid = u32::try_from(pid).unwrap_or(0);
        let own = pid == call.context.pid;
        match call.world().processes().signals(pid) {
            Some(signals) if signal != Signal(0) => signals.send(signal),
            Some(_) => {}
            // A process beyond the listed ones is not in the table.
            None if own => call.context.signals.send(signal),
            None => code = call.fail(&format!("can't kill pid {text}: No such process")),
        }
    }
    code
}
