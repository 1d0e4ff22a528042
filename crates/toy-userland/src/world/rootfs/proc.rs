//! Files in `/proc`.

use std::fmt::Write;

use super::super::setup::{IdMap, Seccomp, Setup};

/// Returns the text of `/proc/PID/status`, proc_pid_status(5).
pub(super) fn status(setup: &Setup, pid: u32) -> String {
    let user = &setup.user;
    let (uid, gid) = (user.uid, user.gid);
    let groups = user.groups.iter().map(|group| format!("{group} "));
    let groups = groups.collect::<Vec<_>>().concat();
    let sets = setup.capabilities;
    let seccomp = match setup.seccomp {
        Seccomp::Disabled => 0,
        Seccomp::Filter => 2,
    };
    format!(
        "Name:\tsh\nUmask:\t0022\nState:\tR (running)\nTgid:\t{pid}\nNgid:\t0\nPid:\t{pid}\n\
         PPid:\t0\nTracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n\
         Gid:\t{gid}\t{gid}\t{gid}\t{gid}\nFDSize:\t64\nGroups:\t{groups}\n\
         Threads:\t1\nCapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\n\
         CapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t{seccomp}\n\
         Seccomp_filters:\t{}\n",
        sets.inheritable.0,
        sets.permitted.0,
        sets.effective.0,
        sets.bounding.0,
        sets.ambient.0,
        u8::from(setup.no_new_privileges),
        u8::from(seccomp == 2),
    )
}

/// Returns the text of `/proc/self/uid_map` or `gid_map`, user_namespaces(7). Without a map it
/// is that of the initial namespace: every id is itself.
pub(super) fn id_map(maps: &[IdMap]) -> String {
    const ALL: [IdMap; 1] = [IdMap {
        inside: 0,
        outside: 0,
        length: u32::MAX,
    }];
    let maps = if maps.is_empty() { &ALL } else { maps };
    let mut text = String::new();
    for map in maps {
        let IdMap {
            inside,
            outside,
            length,
        } = map;
        let _ = writeln!(text, "{inside:>10} {outside:>10} {length:>10}");
    }
    text
}

/// Returns the text of `/proc/cpuinfo`: the lines that programs count and read, with invented
/// values.
pub(super) fn cpuinfo(processors: u32) -> String {
    let mut text = String::new();
    for processor in 0..processors.clamp(1, MAX_SHOWN_PROCESSORS) {
        let _ = write!(
            text,
            "processor\t: {processor}\nvendor_id\t: ResourceSlot\nmodel name\t: simulated\n\
             cpu MHz\t\t: 1000.000\ncache size\t: 1024 KB\nphysical id\t: 0\n\
             core id\t\t: {processor}\ncpu cores\t: {processors}\nflags\t\t: fpu\n\n"
        );
    }
    text
}

/// Most processors that `/proc/cpuinfo` lists.
const MAX_SHOWN_PROCESSORS: u32 = 1024;

/// Returns the text of `/proc/meminfo`, proc_meminfo(5), of a machine that uses none of its
/// memory. As in a real container, a limit changes nothing in it.
pub(super) fn meminfo(bytes: u64) -> String {
    let all = bytes >> 10;
    let mut text = String::new();
    for (name, kilobytes) in [
        ("MemTotal", all),
        ("MemFree", all),
        ("MemAvailable", all),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
    ] {
        let _ = writeln!(text, "{:<15} {kilobytes:>8} kB", format!("{name}:"));
    }
    text
}
