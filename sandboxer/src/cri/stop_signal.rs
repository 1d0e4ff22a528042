//! Stop signals of CRI as the numbers of Linux.

use cri_api::v1::Signal;
use slot::CriContainer;

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

/// Returns the signal that stops a container: that of its configuration, or else of its image, or
/// else SIGTERM.
pub(super) fn of(own: &CriContainer) -> Signal {
    let image = own.image.as_deref();
    match own.config.stop_signal() {
        Signal::RuntimeDefault => image
            .and_then(|image| of_image(&image.stop_signal))
            .unwrap_or(Signal::Sigterm),
        stated => stated,
    }
}

/// Returns the signal that an image states by its name or number, as `SIGQUIT`, `QUIT`, `3` or
/// `SIGRTMIN+3` (the `STOPSIGNAL` of a Dockerfile); `None` for another text.
pub(super) fn of_image(text: &str) -> Option<Signal> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let name = name.replace('+', "PLUS").replace('-', "MINUS");
    let by_name = Signal::from_str_name(&format!("SIGNAL_SIG{name}"));
    by_name.or_else(|| {
        let wanted = text.parse().ok()?;
        let mut all = (1..).map_while(|n| Signal::try_from(n).ok());
        all.find(|signal| number(*signal) == Some(wanted))
    })
}

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

    #[test]
    fn an_image_names_its_signal_as_a_dockerfile_does() {
        for (text, signal) in [
            ("SIGQUIT", Signal::Sigquit),
            ("quit", Signal::Sigquit),
            ("3", Signal::Sigquit),
            ("SIGRTMIN+3", Signal::Sigrtminplus3),
            ("RTMAX-1", Signal::Sigrtmaxminus1),
            ("37", Signal::Sigrtminplus3),
        ] {
            assert_eq!(of_image(text), Some(signal), "{text}");
        }
        for text in ["", "SIG", "0", "65", "SIGNAL_SIGTERM", "QUITE"] {
            assert_eq!(of_image(text), None, "{text}");
        }
    }

    #[test]
    fn a_container_is_stopped_by_its_own_signal_or_that_of_its_image() {
        let mut own = CriContainer {
            image: Some(Box::new(slot::ImageConfig {
                stop_signal: "SIGQUIT".to_owned(),
                ..slot::ImageConfig::default()
            })),
            config: cri_api::v1::ContainerConfig::default().into(),
            updated: None,
            image_id: String::new(),
            image_ref: String::new(),
            mounted_images: Vec::new(),
            created_at: slot::Timestamp::default(),
            started_at: None,
        };
        assert_eq!(of(&own), Signal::Sigquit);
        own.config = cri_api::v1::ContainerConfig {
            stop_signal: Signal::Sigusr1.into(),
            ..Default::default()
        }
        .into();
        assert_eq!(of(&own), Signal::Sigusr1);
        own.config = cri_api::v1::ContainerConfig::default().into();
        own.image = None;
        assert_eq!(of(&own), Signal::Sigterm);
    }
}
