//! Too few samples.

/// Too few samples, or too short a time, for a recommendation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not enough data: {points} points in {:.1} h", *.range as f64 / 3.6e12)]
pub struct Lack {
    /// Number of samples.
    pub points: usize,
    /// Recorded time, in nanoseconds.
    pub range: i64,
}
