//! Programs that describe the machine, the kernel and the mounts.

use super::call::Call;
use super::date::UPTIME_CLOCK;
use super::files::{FILE_COST, below};
use crate::outcome::Outcome;
use crate::world::{KERNEL_RELEASE, Mount, exchange_dot_and_slash};

/// Name of the processor architecture that `uname -m` prints.
const MACHINE: &str = std::env::consts::ARCH;

pub(super) fn arch(call: &mut Call<'_>) -> u8 {
    call.print_line(MACHINE);
    0
}

pub(super) fn uname(call: &mut Call<'_>) -> u8 {
    let arguments = match call.arguments("asnrvmpo") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let hostname = call.world().hostname();
    let fields = [
        ('s', "Linux"),
        ('n', hostname.as_str()),
        ('r', KERNEL_RELEASE),
        ('v', "#1 SMP"),
        ('m', MACHINE),
        ('o', "GNU/Linux"),
    ];
    let none = !fields.iter().any(|(letter, _)| arguments.has(*letter)) && !arguments.has('a');
    let shown = fields.into_iter().filter(|(letter, _)| {
        arguments.has('a') || arguments.has(*letter) || (none && *letter == 's')
    });
    let line = shown.map(|(_, text)| text).collect::<Vec<_>>().join(" ");
    call.print_line(&line);
    0
}

pub(super) fn nproc(call: &mut Call<'_>) -> u8 {
    let processors = call.world().setup().processors.max(1);
    call.print_line(&processors.to_string());
    0
}

pub(super) fn umask(call: &mut Call<'_>) -> u8 {
    if call.args.is_empty() {
        call.print_line("0022");
    }
    0
}

pub(super) fn uptime(call: &mut Call<'_>) -> u8 {
    let seconds = call.world().age().as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let clock = super::date::formatted(call.world().now(), UPTIME_CLOCK);
    call.print_line(&format!(
        " {clock} up {hours:>2}:{minutes:02},  load average: 0.00, 0.00, 0.00"
    ));
    0
}

pub(super) fn mount(call: &mut Call<'_>) -> u8 {
    if !call.args.is_empty() {
        call.fail("permission denied (are you root?)");
        return 1;
    }
    let mounts = call.world().tree().mounts().clone();
    for mount in mounts.iter() {
        let options = mount.shown_options();
        let (source, target, kind) = (&mount.source, &mount.target, &mount.kind);
        call.print_line(&format!("{source} on {target} type {kind} ({options})"));
    }
    0
}

pub(super) fn df(call: &mut Call<'_>) -> u8 {
    let arguments = match call.arguments("hkmPaT") {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let paths: Vec<String> = {
        let operands = arguments.operands.iter();
        operands.map(|operand| call.path(operand)).collect()
    };
    let shown: Vec<_> = {
        let tree = call.world().tree();
        let mounts = tree.mounts();
        let shown: Vec<&Mount> = if paths.is_empty() {
            let is_stored = |mount: &&Mount| !matches!(mount.kind.as_str(), "proc" | "sysfs");
            mounts.iter().filter(is_stored).collect()
        } else {
            paths.iter().filter_map(|path| mounts.of(path)).collect()
        };
        let row = |mount: &Mount| {
            let (source, target) = (mount.source.clone(), mount.target.clone());
            (source, tree.space(&target), target)
        };
        shown.into_iter().map(row).collect()
    };
    let (unit, title) = if arguments.has('m') {
        (1 << 20, "1M-blocks")
    } else {
        (1 << 10, "1K-blocks")
    };
    let lines: Vec<String> = shown
        .iter()
        .map(|(source, (total, used), target)| {
            let (all, taken) = (total / unit, used.div_ceil(unit));
            let free = all.saturating_sub(taken);
            let share = (taken * 100).div_ceil(all.max(1));
            format!("{source:<20} {all:>9} {taken:>9} {free:>9} {share:>3}% {target}")
        })
        .collect();
    call.print_line(&format!(
        "Filesystem           {title:>9}      Used Available Use% Mounted on"
    ));
    for line in lines {
        call.print_line(&line);
    }
    0
}

pub(super) async fn sysctl(call: &mut Call<'_>) -> Outcome {
    let arguments = match call.arguments("nweaq") {
        Ok(arguments) => arguments,
        Err(code) => return Ok(code),
    };
    let mut names = arguments.operands.clone();
    if arguments.has('a') {
        let all = below(call, "/proc/sys").await?;
        let below = all
            .iter()
            .filter_map(|path| path.strip_prefix("/proc/sys/"));
        names.extend(below.map(|path| path.chars().map(exchange_dot_and_slash).collect()));
    }
    let mut code = 0;
    for name in names {
        call.spend(FILE_COST + name.len()).await?;
        let (name, value) = match name.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (name.as_str(), None),
        };
        let relative: String = name.chars().map(exchange_dot_and_slash).collect();
        let path = format!("/proc/sys/{relative}");
        match call.read_text(&path) {
            Err(error) if !arguments.has('e') => {
                code = call.fail(&format!("error: '{path}': {error}"));
            }
            Ok(_) if value.is_some() => {
                code = call.fail(&format!(
                    "error setting key '{name}': Read-only file system"
                ));
            }
            Ok(text) if !text.is_empty() => {
                let text = text.trim_end();
                let line = if arguments.has('n') {
                    text.to_owned()
                } else {
                    format!("{name} = {text}")
                };
                call.print_line(&line);
            }
            _ => {}
        }
    }
    Ok(code)
}
