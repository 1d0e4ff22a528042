//! Results for tests, from invented measurements.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::process::ProcessUsage;
use crate::process::Sample;
use crate::record::failure::Failure;
use crate::record::hdr_log::{LogWriter, Series};
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::{INTERVAL, Part};
use crate::result::directory::{self, HISTOGRAM_FILE};
use crate::result::environment::Environment;
use crate::result::header::{Document, Header};
use crate::result::{
    self, Interval, Lag, LoadMode, LoadResult, OperationResult, PhaseResult, ProcessResult,
    RunResult,
};

/// Returns the result of a short run with a few errors.
pub fn example() -> RunResult {
    let mut recorder = Recorder::default();
    for n in 1..=1000 {
        recorder.success(Operation::TaskCreate, Duration::from_micros(n));
    }
    recorder.success(Operation::Pod, Duration::from_millis(12));
    for _ in 0..2 {
        recorder.failure(&Failure::wrong(
            Operation::TaskState,
            "pid is 2, Start said 3",
        ));
    }
    recorder.failure(&Failure::wrong(
        Operation::TaskWait,
        "exit status 0, not 137",
    ));
    (0..3).for_each(|_| recorder.pod_failed());
    RunResult {
        header: Header {
            schema: RunResult::SCHEMA.to_owned(),
            schema_version: RunResult::VERSION,
            tool_version: "0.1.0".to_owned(),
            debug_build: None,
            command_line: vec!["loadgen".to_owned(), "run".to_owned()],
            started_at: "2026-01-02T03:04:05Z".to_owned(),
        },
        wall_s: 2.5,
        complete: true,
        valid: false,
        reasons: vec!["3 errors".to_owned()],
        scenario: scenario(),
        plan_hash: "ab".repeat(32),
        totals: result::totals(&recorder, Duration::from_millis(2500)),
        load: LoadResult {
            mode: LoadMode::Closed,
            offered_pods_per_s: None,
            started_pods_per_s: None,
            lag: None,
            max_in_flight: 4,
        },
        phases: Vec::new(),
        notes: Vec::new(),
        remarks: Vec::new(),
        hold: None,
        operations: result::operations(&recorder, Operation::OF_TASKS),
        wire: Vec::new(),
        figures: Vec::new(),
        errors: result::errors(&recorder),
        environment: Environment {
            kernel: "Linux 6.1".to_owned(),
            architecture: "x86_64".to_owned(),
            cpu_model: Some("Some CPU".to_owned()),
            cores: 2,
            memory_bytes: Some(8 << 30),
            temporary_files: "ext4".to_owned(),
            cgroup_version: Some(2),
            governor: Some("performance".to_owned()),
            clock_source: Some("tsc".to_owned()),
        },
        cpu_of_all: Vec::new(),
        processes: vec![ProcessResult {
            role: "sandboxer".to_owned(),
            usage: ProcessUsage {
                cpu_user_s: 0.5,
                cpu_system_s: 0.25,
                max_rss_bytes: 20 << 20,
                voluntary_ctx_switches: 10,
                involuntary_ctx_switches: 2,
            },
            samples: vec![Sample {
                at_s: 0.0,
                cpu_s: 0.25,
                rss_bytes: 18 << 20,
                pss_bytes: Some(17 << 20),
                threads: 3,
                fds: Some(20),
                ctx_switches: 4,
                read_bytes: Some(0),
                write_bytes: None,
            }],
        }],
        timeline: vec![Interval {
            start_s: 0.0,
            duration_s: 1.0,
            begun: 4,
            pods: 1,
            rpcs: 1000,
            errors: 3,
            in_flight: 4,
            operations: result::operations(&recorder, &[Operation::Pod]),
        }],
        spans: None,
        cpu_profile: None,
        calibration: None,
    }
}

/// Returns the scenario of the short run.
fn scenario() -> result::Scenario {
    result::Scenario {
        target: "ttrpc".to_owned(),
        endpoint: None,
        sandboxer: Some("resource-slot-sandboxer".to_owned()),
        sandboxer_args: Vec::new(),
        containerd: None,
        runtime_handler: None,
        image: None,
        network: None,
        software: Vec::new(),
        namespace: "k8s.io".to_owned(),
        name: "churn".to_owned(),
        document: "name = \"churn\"\n".to_owned(),
        seed: 42,
        pods: 4,
        part: None,
        connections: 4,
        threads: 1,
        timeout_s: 30.0,
    }
}

/// Operations of all invented runs.
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

/// An invented run, second by second.
pub struct RunFixture {
    /// Result of the run.
    pub result: RunResult,
    /// Measurements of each second.
    pub seconds: Vec<Part>,
    /// Start of the run.
    pub started: SystemTime,
}

/// Returns the start of all invented runs.
pub fn started() -> SystemTime {
    humantime::parse_rfc3339("2026-01-02T03:04:05.678Z").unwrap()
}

impl RunFixture {
    /// Creates a run with these measurements.
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

    /// Writes the result and the histograms, from which the other files of its directory
    /// are generated.
    pub fn save(&self, dir: &Path) {
        fs::create_dir_all(dir).unwrap();
        let file = File::create(dir.join(HISTOGRAM_FILE)).unwrap();
        let mut log = LogWriter::new(file, self.started).unwrap();
        for (number, part) in (0..).zip(&self.seconds) {
            log.interval(INTERVAL * number, INTERVAL, Series::of(part))
                .unwrap();
        }
        log.finish().unwrap();
        directory::document(dir, &self.result).unwrap();
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

/// Lengths of the realistic run and of its warm-up, in seconds.
const LENGTH: u32 = 60;
const WARM_UP: u32 = 10;

/// Pods per second, and the maximum number of pods in progress.
const RATE: u32 = 400;
const SLOTS: usize = 64;

/// Creates one minute of an open loop with a server that stalls for half a second every
/// five seconds. Pods beyond the maximum wait, which only the latencies from their
/// intended start show.
pub fn realistic() -> RunFixture {
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
    let mut made = RunFixture::of(seconds);
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

/// Adds the parameters of the realistic run and the usage of its processes.
fn describe(result: &mut RunResult) {
    result.header.command_line = "loadgen run --scenario steady.toml --sandboxer-arg=--sync"
        .split(' ')
        .map(str::to_owned)
        .collect();
    result.wall_s = f64::from(LENGTH - WARM_UP);
    result.totals.pods_per_s = result.totals.pods as f64 / result.wall_s;
    result.totals.rpcs_per_s = result.totals.rpcs as f64 / result.wall_s;
    result.valid = false;
    result.reasons = vec![
        format!("{} errors", result.totals.errors),
        "the generator began pods up to 285ms late (p99), which is over a twentieth of their \
         median latency of 12.1ms and of their p99: give it more CPU, or a lower rate"
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
