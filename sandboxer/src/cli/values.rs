//! Values of options whose library types have no `clap`.

use clap::ValueEnum;

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
