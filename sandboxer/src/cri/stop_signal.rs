//! Stop signals of CRI as the numbers of Linux.

use cri_api::v1::Signal;

/// Numbers by the names of CRI, on x86 and Arm (signal(7)).
const NUMBERS: [(&str, u32); 34] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("IO", 29),
    ("IOT", 6),
    ("KILL", 9),
    ("PIPE", 13),
    ("POLL", 29),
    ("PROF", 27),
    ("PWR", 30),
    ("QUIT", 3),
    ("SEGV", 11),
    ("STKFLT", 16),
    ("STOP", 19),
    ("SYS", 31),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("USR1", 10),
    ("USR2", 12),
    ("VTALRM", 26),
    ("WINCH", 28),
    ("XCPU", 24),
    ("XFSZ", 25),
];

/// First and last real-time signal as the C library counts them; the kernel's first two are its
/// own.
const RTMIN: u32 = 34;
const RTMAX: u32 = 64;

/// Returns the number of a stop signal; `None` for the default of the runtime.
pub(super) fn number(signal: Signal) -> Option<u32> {
    let name = signal.as_str_name().strip_prefix("SIGNAL_SIG")?;
    let counted = |from: &str| name.strip_prefix(from).map(|n| n.parse().unwrap_or(0));
    match name {
        "RTMIN" => Some(RTMIN),
        "RTMAX" => Some(RTMAX),
        _ => counted("RTMINPLUS")
            .map(|n: u32| RTMIN + n)
            .or_else(|| counted("RTMAXMINUS").map(|n: u32| RTMAX - n.min(RTMAX)))
            .or_else(|| {
                let known = NUMBERS.iter().find(|(known, _)| *known == name);
                known.map(|(_, number)| *number)
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_of_cri_has_its_number() {
        let all: Vec<_> = (0..=65).map(|n| Signal::try_from(n).unwrap()).collect();
        assert_eq!(number(all[0]), None);
        let numbers: Vec<u32> = all[1..].iter().map(|s| number(*s).unwrap()).collect();
        assert_eq!(numbers[22], 15);
        assert_eq!(numbers[31], 28);
        // The real-time signals are in order and without a gap.
        let real_time: Vec<u32> = (34..=64).collect();
        assert_eq!(numbers[34..], real_time);
    }
}
