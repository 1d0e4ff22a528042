//! The parser of `/proc/PID/stat`, proc_pid_stat(5).
//!
//! The six fields in use are found in twenty lines. The crate procfs would replace them by some
//! thousands, and read the other 46 fields, too, at each scrape.

use std::fs;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

/// The fields of `/proc/PID/stat` that are in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// Process id of the parent.
    pub parent: u64,
    /// CPU time in user mode, threads that have ended included.
    pub user: Duration,
    /// CPU time in the kernel, threads that have ended included.
    pub system: Duration,
    /// CPU time of ended children that the process has waited for, in user mode and in the kernel,
    /// with that of their own such children.
    pub children: Duration,
    /// Number of threads.
    pub threads: u64,
    /// Time from the boot of the machine to the start of the process.
    pub started: Duration,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
}

impl ProcessStat {
    /// Reads the fields of the process with this id; `None` if they cannot be read.
    ///
    /// ```
    /// use exposition::ProcessStat;
    ///
    /// let own = ProcessStat::of(std::process::id()).unwrap();
    /// assert!(own.threads >= 1 && own.resident_bytes > 0);
    /// ```
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Parses the text of the file; `None` if a field is missing or not a number.
    pub fn parse(text: &str) -> Option<Self> {
        // The second field, the name of the program in parentheses, may hold blanks and
        // parentheses of its own.
        let (_, after_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        // The manual numbers the fields from 1, and the first one here is number 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let time = |number: usize| {
            let seconds = field(number)? as f64 / clock_ticks_per_second() as f64;
            Duration::try_from_secs_f64(seconds).ok()
        };
        Some(Self {
            parent: field(4)?,
            user: time(14)?,
            system: time(15)?,
            children: time(16)? + time(17)?,
            threads: field(20)?,
            started: time(22)?,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)?.saturating_mul(page_size() as u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_after_any_program_name() {
        let text = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 140 150 16 17 18 19 20 21 220 230 240 25";
        let stat = ProcessStat::parse(text).unwrap();
        let ticks = |count: f64| Duration::from_secs_f64(count / clock_ticks_per_second() as f64);
        assert_eq!((stat.user, stat.system), (ticks(140.0), ticks(150.0)));
        assert_eq!((stat.parent, stat.children), (1, ticks(33.0)));
        assert_eq!((stat.threads, stat.started), (20, ticks(220.0)));
        assert_eq!(stat.virtual_bytes, 230);
        assert_eq!(stat.resident_bytes, 240 * page_size() as u64);
    }

    #[test]
    fn a_text_without_all_fields_is_refused() {
        for text in ["7 (a) S 1 2", "7 (a) S 1 2 3 4 5 6 7 8 9 10 x 15", "7", ""] {
            assert_eq!(ProcessStat::parse(text), None, "{text}");
        }
    }
}
