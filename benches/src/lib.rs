//! A bench beside its floor; the benches themselves live in `benches/`.

pub mod inputs;

use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup};
use pod_resources::OnInvalid;
use sandboxer::live::Settings;

/// A sandboxer's settings, as on one thread by default.
pub fn settings() -> Settings {
    Settings {
        lives: Arc::default(),
        on_invalid: OnInvalid::Reject,
        exit_delay: Duration::ZERO,
        unknown_command: 127,
        max_sandboxes: usize::MAX,
        slowdown_percent: 0,
    }
}

/// Measures `bench` and, in the same group, the least that its work can cost.
pub fn beside(
    mut group: BenchmarkGroup<'_, WallTime>,
    bench: impl FnMut(&mut Bencher),
    floor: impl FnMut(&mut Bencher),
) {
    group.bench_function("bench", bench);
    group.bench_function("floor", floor);
    group.finish();
}
