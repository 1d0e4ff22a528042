//! Results for tests, made of measurements that nobody took.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::failure::Failure;
use crate::hdr_log::{LogWriter, Series};
use crate::operation::Operation;
use crate::process::ProcessUsage;
use crate::recorder::Recorder;
use crate::result::{
    self, Interval, Lag, LoadMode, LoadResult, OperationResult, PhaseResult, ProcessResult,
    RunResult, Sample, tests::example,
};
use crate::save::{self, HISTOGRAM_FILE};
use crate::tape::{INTERVAL, Part};

/// The operations of all made-up runs.
pub const OPERATIONS: &[Operation] = &[
    Operation::SandboxCreate,
    Operation::SandboxStart,
    Operation::TaskCreate,
    Operation::TaskStart,
    Operation::TaskKill,
    Operation::SandboxShutdown,
    Operation::PodStart,
    Operation::PodStartService,
    Operation::Pod,
    Operation::PodService,
];

/// A run, second by second.
pub struct MadeUp {
    /// Its result.
    pub result: RunResult,
    /// What was measured in each second.
    pub seconds: Vec<Part>,
    /// When it began.
    pub started: SystemTime,
}

/// When all made-up runs begin.
pub fn started() -> SystemTime {
    humantime::parse_rfc3339("2026-01-02T03:04:05.678Z").unwrap()
}

impl MadeUp {
    /// A run in which this was measured.
    pub fn of(seconds: Vec<Part>) -> Self {
        let mut whole = Part::default();
        for part in &seconds {
            whole.merge(part);
        }
        let measured = &whole.measured;
        let wall = INTERVAL * u32::try_from(seconds.len()).unwrap();
        let timeline = (0..)
            .zip(&seconds)
            .map(|(number, part)| interval(number, part));
        let result = RunResult {
            reasons: Vec::new(),
            valid: true,
            wall_s: wall.as_secs_f64(),
            totals: result::totals(measured, wall),
            operations: result::operations(measured, OPERATIONS),
            errors: result::errors(measured),
            timeline: timeline.collect(),
            phases: measured
                .phases()
                .iter()
                .map(|tally| phase(&tally.pod))
                .collect(),
            load: LoadResult {
                lag: Some(Lag::new(measured.lags())).filter(|lag| lag.max_ns > 0),
                ..example().load
            },
            ..example()
        };
        Self {
            result,
            seconds,
            started: started(),
        }
    }

    /// Writes its result and its histograms, of which all else in its directory is made.
    pub fn save(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        let file = File::create(dir.join(HISTOGRAM_FILE)).unwrap();
        let mut log = LogWriter::new(file, self.started).unwrap();
        for (number, part) in (0..).zip(&self.seconds) {
            log.interval(INTERVAL * number, INTERVAL, Series::of(part))
                .unwrap();
        }
        log.finish().unwrap();
        save::document(dir, &self.result).unwrap();
    }
}

fn interval(number: u32, part: &Part) -> Interval {
    let mut both = Recorder::default();
    both.merge(&part.measured);
    both.merge(&part.warm_up);
    let mut operations = result::operations(&both, OPERATIONS);
    operations.retain(|figures| figures.count > 0);
    Interval {
        start_s: f64::from(number),
        duration_s: 1.0,
        begun: both.histogram(Operation::Pod).len(),
        pods: both.histogram(Operation::Pod).len(),
        rpcs: both.rpcs(),
        errors: both.errors_in_all(),
        in_flight: 0,
        operations,
    }
}

fn phase(pod: &hdrhistogram::Histogram<u64>) -> PhaseResult {
    PhaseResult {
        name: "steady".to_owned(),
        measured: true,
        start_s: 0.0,
        duration_s: 1.0,
        offered: pod.len(),
        started: pod.len(),
        pod: OperationResult::new(Operation::Pod, pod, 0),
    }
}

/// How long the realistic run is, and its warm-up, in seconds.
const LENGTH: u32 = 60;
const WARM_UP: u32 = 10;

/// Pods per second, and how many may be under way.
const RATE: u32 = 400;
const SLOTS: usize = 64;

/// A minute of an open loop whose server stalls for half a second every five:
/// pods that find no room wait, which counts only from their intended start.
pub fn realistic() -> MadeUp {
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let mut slots = vec![0.0_f64; SLOTS];
    let mut seconds: Vec<Part> = (0..LENGTH).map(|_| Part::default()).collect();
    let (mut begun, mut ended) = (vec![0_u64; 61], vec![0_u64; 61]);
    let mut intended = 0.0;
    while intended < f64::from(LENGTH) {
        let warm_up = intended < f64::from(WARM_UP);
        let rate = f64::from(if warm_up { RATE / 4 } else { RATE });
        let slot = slots.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
        let start = intended.max(*slot);
        let noise = (0..6).map(|_| dice.random::<f64>()).sum::<f64>() / 3.0;
        let tail = if dice.random_bool(0.004) { 6.0 } else { 1.0 };
        let service = 0.009 * (noise * 1.2 - 0.9).exp() * tail;
        let stalled = (start % 5.0 < 0.5 && start > 4.0).then_some(0.5 - start % 5.0);
        let end = start + service + stalled.unwrap_or(0.0);
        *slot = end;
        let second = whole(end).min(seconds.len() - 1);
        begun[whole(start).min(60)] += 1;
        ended[whole(end).min(60)] += 1;
        record(&mut seconds[second], !warm_up, end - intended, end - start);
        seconds[second]
            .measured
            .lag(Duration::from_secs_f64(start - intended));
        if stalled.is_some() && dice.random_bool(0.01) {
            let failure = "deadline of 30s exceeded in <create> & \"start\" of 0a0b0c0d0e0f0a0b";
            seconds[second]
                .measured
                .failure(&Failure::wrong(Operation::TaskStart, failure));
        }
        intended += -(1.0 - dice.random::<f64>()).ln() / rate;
    }
    let mut made = MadeUp::of(seconds);
    describe(&mut made.result);
    let mut under_way = 0;
    for (number, interval) in made.result.timeline.iter_mut().enumerate() {
        under_way += begun[number];
        under_way -= ended[number];
        (interval.begun, interval.in_flight) = (begun[number], under_way);
    }
    made
}

fn whole(seconds: f64) -> usize {
    usize::try_from(Duration::from_secs_f64(seconds).as_secs()).unwrap()
}

fn record(part: &mut Part, counts: bool, pod_s: f64, service_s: f64) {
    if counts {
        part.measured
            .pod_of_phase(1, Duration::from_secs_f64(pod_s));
    } else {
        part.measured
            .pod_of_phase(0, Duration::from_secs_f64(pod_s));
    }
    let recorder = if counts {
        &mut part.measured
    } else {
        &mut part.warm_up
    };
    for (operation, share) in [
        (Operation::SandboxCreate, 0.3),
        (Operation::SandboxStart, 0.1),
        (Operation::TaskCreate, 0.3),
        (Operation::TaskStart, 0.08),
        (Operation::TaskKill, 0.05),
        (Operation::SandboxShutdown, 0.06),
        (Operation::PodStartService, 0.8),
        (Operation::PodService, 1.0),
    ] {
        recorder.success(operation, Duration::from_secs_f64(service_s * share));
    }
    recorder.success(Operation::PodStart, Duration::from_secs_f64(pod_s * 0.8));
    recorder.success(Operation::Pod, Duration::from_secs_f64(pod_s));
}

/// What the realistic run was, and what its processes used.
fn describe(result: &mut RunResult) {
    result.command_line = "loadgen run --scenario steady.toml --sandboxer-arg=--sync"
        .split(' ')
        .map(str::to_owned)
        .collect();
    result.wall_s = f64::from(LENGTH - WARM_UP);
    result.totals.pods_per_s = result.totals.pods as f64 / result.wall_s;
    result.totals.rpcs_per_s = result.totals.rpcs as f64 / result.wall_s;
    result.valid = false;
    result.reasons = vec![
        format!("{} errors", result.totals.errors),
        "the generator began pods up to 285ms late (p99), more than a tenth of their median \
         latency of 12.1ms: give it more CPU, or a lower rate"
            .to_owned(),
    ];
    result.scenario.pods = result.totals.pods;
    result.load = LoadResult {
        mode: LoadMode::Open,
        offered_pods_per_s: Some(f64::from(RATE)),
        started_pods_per_s: Some(f64::from(RATE) - 0.8),
        max_in_flight: SLOTS as u64,
        lag: result.load.lag,
    };
    for (number, phase) in result.phases.iter_mut().enumerate() {
        let warm_up = number == 0;
        phase.name = if warm_up { "warm-up" } else { "steady" }.to_owned();
        phase.measured = !warm_up;
        phase.start_s = if warm_up { 0.0 } else { f64::from(WARM_UP) };
        phase.duration_s = f64::from(if warm_up { WARM_UP } else { LENGTH - WARM_UP });
    }
    result.processes = [
        ("sandboxer", 0.7, 9),
        ("containerd", 1.0, 62),
        ("loadgen", 0.3, 24),
    ]
    .map(|(role, cores, mib)| process(role, cores, mib))
    .into();
}

fn process(role: &str, cores: f64, mib: u64) -> ProcessResult {
    let mut cpu_s = 0.0;
    let sample = |second: u32| {
        let stalled = second.is_multiple_of(5) && second > 4;
        let busy = if second < WARM_UP { 0.25 } else { 1.0 };
        cpu_s += cores * busy * if stalled { 0.6 } else { 1.0 };
        Sample {
            at_s: f64::from(second),
            cpu_s,
            rss_bytes: (mib << 20) + (u64::from(second) << 16),
            pss_bytes: None,
            threads: 3 + mib / 8,
            fds: Some(20 + mib + u64::from(second % 5) * mib / 3),
            ctx_switches: u64::from(second) * 900,
            read_bytes: Some(0),
            write_bytes: None,
        }
    };
    let samples: Vec<_> = (0..=LENGTH).map(sample).collect();
    ProcessResult {
        role: role.to_owned(),
        usage: ProcessUsage {
            cpu_user_s: cpu_s * 0.4,
            cpu_system_s: cpu_s * 0.6,
            max_rss_bytes: samples.last().map_or(0, |sample| sample.rss_bytes),
            voluntary_ctx_switches: 54_321,
            involuntary_ctx_switches: 1_234,
        },
        samples,
    }
}
