//! Confines a thread, and all threads and processes that it starts, to some CPUs.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Returns the numbers of the CPUs on which this thread may run, in ascending order.
///
/// # Errors
/// If the kernel does not tell (`sched_getaffinity(2)`), as for a machine with more than
/// 1,024 CPUs.
pub fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|cpu| set.is_set(*cpu))
        .collect())
}

/// Confines this thread to these CPUs. Threads and processes inherit the set from the thread
/// that starts them.
///
/// # Errors
/// If the kernel refuses it (`sched_setaffinity(2)`), as for a CPU outside the set of the
/// control group.
pub fn confine(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in cpus.iter().filter(|cpu| **cpu < CpuSet::MAX_CPU) {
        set.set(*cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::thread;

    #[test]
    fn threads_and_processes_stay_on_the_cpu_of_their_starter() {
        let all = allowed().unwrap();
        let last = *all.last().unwrap();
        let (own, childs) = thread::spawn(move || {
            confine(&[last]).unwrap();
            let own = thread::spawn(|| allowed().unwrap()).join().unwrap();
            let status = Command::new("cat")
                .arg("/proc/self/status")
                .output()
                .unwrap();
            (own, String::from_utf8(status.stdout).unwrap())
        })
        .join()
        .unwrap();
        assert_eq!(own, [last]);
        assert!(
            childs.contains(&format!("Cpus_allowed_list:\t{last}\n")),
            "{childs}"
        );
        assert_eq!(allowed().unwrap(), all, "other threads are not confined");
    }

    #[test]
    fn a_cpu_that_is_not_there_is_refused() {
        thread::spawn(|| assert!(confine(&[CpuSet::MAX_CPU - 1]).is_err()))
            .join()
            .unwrap();
    }
}
