//! Measures a bench beside its floor.

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup};

/// Measures `bench` and, in the same group, the least that its work can cost.
pub(crate) fn beside(
    mut group: BenchmarkGroup<'_, WallTime>,
    bench: impl FnMut(&mut Bencher),
    floor: impl FnMut(&mut Bencher),
) {
    group.bench_function("bench", bench);
    group.bench_function("floor", floor);
    group.finish();
}
