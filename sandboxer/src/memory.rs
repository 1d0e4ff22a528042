//! Gives freed memory back to the kernel.

use std::time::Duration;

/// Time between two looks at the freed memory.
const PAUSE: Duration = Duration::from_secs(10);

/// Size of a block that mimalloc returns at once when it is freed. Blocks of up to 4 MiB are kept
/// for the next request of their size.
const BLOCK: usize = 8 << 20;

/// Gives freed memory back to the kernel for ever, also while no request comes.
///
/// mimalloc keeps freed memory for a second, and then gives it back when a large block is freed.
/// After a storm of requests there is no such block for a long time. This function allocates one
/// from time to time, and frees it without having touched it.
pub(crate) async fn give_back() {
    loop {
        tokio::time::sleep(PAUSE).await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK)));
    }
}

/// Returns the memory of this machine in bytes (`MemTotal` of `/proc/meminfo`), as a kubelet
/// reads it; 0 if it cannot be read.
pub(crate) fn of_machine() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    total(&text).unwrap_or(0)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_machine_is_read_in_bytes() {
        let text = "MemTotal:       16384 kB\nMemFree:  1 kB\n";
        assert_eq!(total(text), Some(16 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(of_machine() > 0);
    }
}
