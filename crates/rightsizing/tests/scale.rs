//! Speed on large inputs. Run with `cargo test --release -p rightsizing --test scale --
//! --ignored --nocapture`.

use std::time::{Duration, Instant};

use inventory::{Sample, Timestamp};
use rightsizing::vpa::{Observation, Recommender};
use rightsizing::{ContainerUsage, Sizing, Span, Strategy, back_test, profile};

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
    assert!(target.cpu_millicores > 0);
    let verdict = if taken <= FLOOR { "met" } else { "MISSED" };
    println!("{verdict}: a recommendation from {SAMPLES} samples: {taken:.2?}, at most {FLOOR:?}");
    assert!(taken <= FLOOR);
}

#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "the time is measured")]
fn ten_million_samples_are_profiled_and_back_tested() {
    let begin = Instant::now();
    // 100 containers of two pods with a sample a minute for 35 days.
    let (minutes, mut steps) = (SAMPLES / 200, 0);
    let strategies = ["requested", "vpa", "krr", "percentile=95", "percentile=99"];
    let strategies = strategies.map(|name| name.parse::<Strategy>().unwrap());
    for number in 0..100 {
        let sample = |minute: i64| Sample {
            time: Timestamp::from_seconds(1_767_225_600 + 60 * minute),
            cpu_nanocores: Some((minute * 7_919 + number) % 3_000 * 1_000_000),
            memory_bytes: Some(((minute * 104_729 + number) % 4_000) << 20),
            oom_killed: false,
        };
        let pod: Vec<_> = (0..minutes).map(sample).collect();
        let span = Span {
            first: pod[0].time,
            last: pod[pod.len() - 1].time,
        };
        let container = ContainerUsage {
            name: "app".to_owned(),
            today: Sizing::default(),
            pods: vec![pod.clone(), pod],
        };
        profile(&container, 1, Strategy::Vpa, span);
        steps += back_test(&container, 1, &strategies, span, 86_400_000_000_000).steps;
    }
    println!("{SAMPLES} samples, {steps} steps in {:?}", begin.elapsed());
}
