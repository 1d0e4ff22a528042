//! CPU time of a process and of everything that it started (proc(5)).
//!
//! The times of ended children are those that their parents have waited for. Nothing is lost
//! below a process that adopts orphans (`PR_SET_CHILD_SUBREAPER` in prctl(2)) and waits for them,
//! as [`crate::server::supervisor`] does: the shim of a container outlives the process that
//! containerd started.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use exposition::ProcessStat;

use super::cpu_time::CpuClock;

/// Returns the CPU time of a process, of its descendants, and of ended ones that any of them has
/// waited for; `None` if the process cannot be read.
///
/// The time of a process that exists is exact, and each time of ended children is rounded down to
/// 10 ms. A process that ends during the call may be missing.
pub fn cpu(root: u32) -> Option<Duration> {
    let all: HashMap<u32, ProcessStat> = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, ProcessStat::of(pid)?)))
        .collect();
    all.get(&root)?;
    let own = |pid: u32, stat: &ProcessStat| {
        let exact = CpuClock::of(pid).and_then(CpuClock::now);
        exact.unwrap_or(stat.user + stat.system) + stat.children
    };
    let below = all.iter().filter(|(pid, _)| is_below(**pid, root, &all));
    Some(below.map(|(pid, stat)| own(*pid, stat)).sum())
}

/// Returns whether a process is `root` or one of its descendants.
fn is_below(pid: u32, root: u32, all: &HashMap<u32, ProcessStat>) -> bool {
    let mut at = pid;
    // A pid that is used again during the scan could close a circle.
    for _ in 0..all.len() {
        if at == root {
            return true;
        }
        let parent = all
            .get(&at)
            .and_then(|stat| u32::try_from(stat.parent).ok());
        let Some(parent) = parent else {
            return false;
        };
        at = parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn descendants_count_while_they_run_and_after_their_end() {
        let burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        for script in [
            format!("sh -c '{burn}'; echo; read end"),
            format!("sh -c '{burn}; echo; read end'; true"),
        ] {
            let mut shell = Command::new("sh")
                .args(["-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
            lines.next().unwrap().unwrap();
            let own = CpuClock::of(shell.id()).and_then(CpuClock::now).unwrap();
            let all = cpu(shell.id()).unwrap();
            drop(shell.stdin.take());
            shell.wait().unwrap();
            assert!(
                all >= own + Duration::from_millis(10),
                "{script}: {all:?} {own:?}"
            );
        }
    }

    #[test]
    fn the_root_of_a_tree_is_below_itself_and_its_parent_is_not() {
        let own = ProcessStat::of(std::process::id()).unwrap();
        let all = HashMap::from([
            (7, ProcessStat { parent: 3, ..own }),
            (3, ProcessStat { parent: 1, ..own }),
        ]);
        assert!(is_below(7, 7, &all) && is_below(7, 3, &all));
        assert!(!is_below(3, 7, &all) && !is_below(9, 3, &all));
        let circle = HashMap::from([
            (7, ProcessStat { parent: 3, ..own }),
            (3, ProcessStat { parent: 7, ..own }),
        ]);
        assert!(!is_below(7, 5, &circle));
    }

    #[test]
    fn an_unknown_process_has_no_tree() {
        assert_eq!(cpu(u32::MAX), None);
    }
}
