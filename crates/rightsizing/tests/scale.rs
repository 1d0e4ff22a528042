//! Speed on large inputs. Run with `cargo test --release -p rightsizing --test scale --
//! --ignored --nocapture`.

use std::time::{Duration, Instant};

use inventory::Timestamp;
use rightsizing::vpa::{Observation, Recommender};

const SAMPLES: i64 = 10_000_000;
const FLOOR: Duration = Duration::from_secs(10);

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "the time is measured")]
fn ten_million_samples_take_ten_seconds_on_one_core() {
    let begin = Instant::now();
    let mut recommender = Recommender::default();
    // 100 pods with one sample of CPU and one of memory every 15 seconds.
    for number in 0..SAMPLES / 2 {
        let (step, pod) = (number / 100, number % 100);
        let time = Timestamp::from_seconds(1_767_225_600 + 15 * step);
        let drawn = number.wrapping_mul(6_364_136_223_846_793_005) >> 40;
        let pod = usize::try_from(pod).unwrap();
        recommender.add(pod, time, Observation::Cpu(drawn.abs() % 3_000));
        recommender.add(pod, time, Observation::Memory(drawn.abs() << 8));
    }
    let target = recommender.estimate(1).target;
    let taken = begin.elapsed();
    println!("{SAMPLES} samples in {taken:?}: {target:?}");
    assert!(taken <= FLOOR, "MISSED: {taken:?}");
}
