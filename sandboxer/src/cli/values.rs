//! Values of options whose library types have no `clap`: words, addresses, numbers and sizes.

use std::path::Path;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, TypedValueParser};
use containerd_sandbox::SocketPath;
use options::bytes;
use sandboxer::live::{KubeletRoot, LogRoot};

/// Value of `--views`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViewMode {
    /// Before the change is acknowledged; sums and removals as with write-behind.
    WriteThrough,
    /// Within 100 ms; the view of a sandbox that is deleted earlier never touches the disk.
    WriteBehind,
    /// Never; files of an earlier run are removed at the start.
    Off,
}

impl From<ViewMode> for views::ViewMode {
    fn from(mode: ViewMode) -> Self {
        match mode {
            ViewMode::WriteThrough => Self::WriteThrough,
            ViewMode::WriteBehind => Self::WriteBehind,
            ViewMode::Off => Self::Off,
        }
    }
}

/// Value of `--on-invalid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnInvalid {
    /// Refuse the request that carries the value.
    Reject,
    /// Log a warning and go on without the value: the field is null unless another source
    /// states it.
    Warn,
}

impl From<OnInvalid> for pod_resources::OnInvalid {
    fn from(on_invalid: OnInvalid) -> Self {
        match on_invalid {
            OnInvalid::Reject => Self::Reject,
            OnInvalid::Warn => Self::Warn,
        }
    }
}

/// Value of `--cpu-weight-formula`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WeightFormula {
    /// 1 + (shares - 2) * 9999 / 262142: 1024 shares are the weight 39.
    Linear,
    /// 10^((l^2 + 125 l) / 612 - 7 / 34) with l = log2(shares): 1024 shares are the weight 100.
    Quadratic,
}

impl From<WeightFormula> for pod_resources::WeightFormula {
    fn from(formula: WeightFormula) -> Self {
        match formula {
            WeightFormula::Linear => Self::Linear,
            WeightFormula::Quadratic => Self::Quadratic,
        }
    }
}

/// Parses the directory for logs.
pub(crate) fn log_root(directory: &str) -> Result<LogRoot, containerd_sandbox::Error> {
    LogRoot::new(Path::new(directory))
}

/// Parses the directory of a kubelet.
pub(crate) fn kubelet_root(directory: &str) -> Result<KubeletRoot, containerd_sandbox::Error> {
    KubeletRoot::new(Path::new(directory))
}

/// Returns a parser of the address of a Unix socket.
pub(crate) fn socket() -> impl TypedValueParser<Value = SocketPath> {
    OsStringValueParser::new().try_map(|text| SocketPath::parse(&text))
}

/// Returns a parser of a number within a range.
pub(crate) fn between(least: usize, most: usize) -> impl TypedValueParser<Value = usize> {
    clap::value_parser!(u64)
        .range(wide(least)..=wide(most))
        .map(narrow)
}

/// Returns a parser of a number of bytes within a range, as [`bytes`].
pub(crate) fn bytes_between(
    least: usize,
    most: usize,
) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| match bytes(text)? {
        number if (wide(least)..=wide(most)).contains(&number) => Ok(narrow(number)),
        _ => Err(format!("not from {least} to {most} bytes")),
    }
}

/// Parses a number of bytes above zero.
pub(crate) fn some_bytes(text: &str) -> Result<u64, String> {
    match bytes(text)? {
        0 => Err("one byte at least is needed".to_owned()),
        number => Ok(number),
    }
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Converts a number of a range whose ends are of this type.
fn narrow(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_within_their_range() {
        assert!(some_bytes("0").is_err());
        assert_eq!(some_bytes("1KiB"), Ok(1 << 10));
        assert_eq!(bytes_between(1 << 10, 1 << 20)("1MiB"), Ok(1 << 20));
        assert!(bytes_between(1 << 10, 1 << 20)("1023").is_err());
    }
}
