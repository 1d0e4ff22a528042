//! Tests of the engine against a fake sandboxer: executed pods, counted pods, and their
//! times.

mod fake;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fake::{Fake, Lie, Listening};
use loadgen::connection::TtrpcConnection;
use loadgen::drive::bundle::Bundles;
use loadgen::drive::driver::{Tasks, TasksAt};
use loadgen::drive::engine::{Load, Measured, Observer, Shape};
use loadgen::record::operation::Operation;
use loadgen::record::tape::{Counters, Listener, Part};
use loadgen::result;
use loadgen::result::timeline::Timeline;
use loadgen::stop::Stop;
use loadgen::workload::plan::Plan;
use loadgen::workload::scenario::{
    Arrivals, Closed, Distribution, Lifecycle, Phase, PodShape, Rate,
};
use loadgen::workload::schedule::Schedule;
use tokio::task::JoinHandle;

const TIMEOUT: Duration = Duration::from_secs(30);

fn closed(concurrency: u32, pods: u64, warm_up_pods: u64, duration: Option<Duration>) -> Shape {
    Shape::Closed(Closed {
        concurrency,
        pods,
        warm_up_pods,
        duration,
    })
}

fn phase(name: &str, ms: u64, rate: f64, measured: bool) -> Phase {
    Phase {
        name: name.to_owned(),
        duration: Duration::from_millis(ms),
        rate: Rate::Constant(rate),
        arrivals: Arrivals::Constant,
        measured,
    }
}

fn open(phases: &[Phase]) -> Shape {
    Shape::Open {
        schedule: Arc::new(Schedule::new(phases, 1)),
        max_in_flight: 1000,
    }
}

struct Ran {
    measured: Measured,
    timeline: Timeline,
}

/// Runs a load against a listening fake until its end.
fn started(listening: &Listening, shape: Shape, stop: &Stop) -> JoinHandle<Ran> {
    let lifecycle = Lifecycle::For(Distribution::Constant(0));
    put_on(
        listening,
        shape,
        lifecycle,
        &[],
        stop,
        |timeline, counters| timeline.writer(counters, Operation::OF_TASKS),
    )
}

fn put_on<O: Observer>(
    listening: &Listening,
    shape: Shape,
    lifecycle: Lifecycle,
    stages: &[u64],
    stop: &Stop,
    observer: impl FnOnce(&Timeline, &[Arc<Counters>]) -> O + Send + 'static,
) -> JoinHandle<Ran> {
    let stages = stages.to_vec();
    let load = Load {
        timeout: TIMEOUT,
        plan: Plan::new(
            1,
            PodShape {
                lifecycle,
                ..PodShape::with_containers(0, 2)
            },
        ),
        shape,
        connections: 2,
        threads: 2,
        stages,
        turns: None,
        part: None,
        spans: None,
        speed: 1.0,
    };
    let bundles = Bundles::write(&load.plan, load.pods(), stop, |_| ()).unwrap();
    let at = TasksAt {
        socket: listening.socket.clone(),
        namespace: "k8s.io".to_owned(),
        timeout: TIMEOUT,
        bundles: Arc::new(bundles),
        must_state_resources: true,
    };
    let stop = stop.clone();
    tokio::task::spawn_blocking(move || {
        let (counters, timeline) = (load.counters(), Timeline::default());
        let observer = observer(&timeline, &counters);
        let measured = load
            .run::<Tasks<TtrpcConnection>>(&at, &stop, &counters, observer)
            .unwrap();
        Ran { measured, timeline }
    })
}

async fn run(fake: &Arc<Fake>, shape: Shape) -> Ran {
    let listening = Listening::start(fake).await;
    started(&listening, shape, &Stop::new()).await.unwrap()
}

/// Returns when this number of sandboxes has been created.
async fn created(fake: &Fake, count: usize) {
    let reached = async {
        while fake.created.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, reached).await.unwrap();
}

fn count(measured: &Measured, operation: Operation) -> u64 {
    measured.recorder.histogram(operation).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_up_is_run_but_does_not_count() {
    let fake = Fake::new(Lie::None);
    let ran = run(&fake, closed(4, 30, 10, None)).await;
    assert_eq!(ran.measured.pods, 40);
    assert_eq!(count(&ran.measured, Operation::Pod), 30);
    assert_eq!(count(&ran.measured, Operation::SandboxCreate), 30);
    assert_eq!(count(&ran.measured, Operation::PodService), 0);
    assert!(ran.measured.most_in_flight <= 4);
    assert_eq!(fake.left(), (0, 0));
    let shown = ran.timeline.intervals(TIMEOUT);
    assert_eq!(shown.iter().map(|second| second.pods).sum::<u64>(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_loop_ends_when_its_time_is_over() {
    let fake = Fake::new(Lie::None);
    let shape = closed(2, 1_000, 0, Some(Duration::ZERO));
    let ran = run(&fake, shape).await;
    assert!(ran.measured.timed_out && ran.measured.pods == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_runs_what_its_phases_bring() {
    let fake = Fake::new(Lie::None);
    let phases = [
        phase("warm-up", 300, 50.0, false),
        phase("steady", 500, 100.0, true),
    ];
    let shape = open(&phases);
    let ran = run(&fake, shape.clone()).await;
    let measured = &ran.measured;
    assert_eq!((measured.pods, count(measured, Operation::Pod)), (65, 50));
    assert_eq!(count(measured, Operation::PodService), 50);
    assert_eq!(count(measured, Operation::PodStart), 50);
    assert_eq!(measured.recorder.lags().len(), 50);
    let phases = result::phases(&shape, &measured.recorder);
    let offered: Vec<_> = phases.iter().map(|p| (p.offered, p.pod.count)).collect();
    assert_eq!(offered, [(15, 15), (50, 50)]);
    // The time from the intended start is never shorter than the time from the first
    // request.
    let mean = |operation| measured.recorder.histogram(operation).mean();
    assert!(mean(Operation::Pod) >= mean(Operation::PodService));
    assert_eq!(fake.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_an_open_loop_and_leaves_nothing() {
    let (fake, stop) = (Fake::new(Lie::None), Stop::new());
    let listening = Listening::start(&fake).await;
    let shape = open(&[phase("long", 60_000, 100.0, true)]);
    let running = started(&listening, shape, &stop);
    created(&fake, 5).await;
    stop.request();
    let pods = running.await.unwrap().measured.pods;
    assert!((5..6_000).contains(&pods), "{pods}");
    assert_eq!(fake.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_sandboxer_ends_an_open_loop() {
    let fake = Fake::new(Lie::None);
    let listening = Listening::start(&fake).await;
    let shape = open(&[phase("long", 60_000, 100.0, true)]);
    let running = started(&listening, shape, &Stop::new());
    created(&fake, 5).await;
    listening.die().await;
    let measured = running.await.unwrap().measured;
    assert!(measured.lost && measured.recorder.errors_in_all() > 0);
}

/// Observer that sends the announced number of held pods and the number of sandboxes.
struct AtHold(Arc<Fake>, std::sync::mpsc::Sender<(u64, usize)>);

impl Listener for AtHold {
    fn interval(&mut self, _number: u32, _part: &Part) {}

    fn held(&mut self, pods: u64) {
        self.1.send((pods, self.0.left().0)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn held_pods_are_all_there_at_each_stage() {
    let fake = Fake::new(Lie::None);
    let listening = Listening::start(&fake).await;
    let (tell, told) = std::sync::mpsc::channel();
    let observer = AtHold(Arc::clone(&fake), tell);
    let (shape, stages) = (closed(4, 50, 0, None), [10, 30, 50]);
    let ran = put_on(
        &listening,
        shape,
        Lifecycle::Held,
        &stages,
        &Stop::new(),
        |_, _| observer,
    );
    let measured = ran.await.unwrap().measured;
    assert_eq!((measured.pods, count(&measured, Operation::Pod)), (50, 50));
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [(10, 10), (30, 30), (50, 50)]);
    assert_eq!(fake.left(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_loop_can_hold_its_pods() {
    let fake = Fake::new(Lie::None);
    let listening = Listening::start(&fake).await;
    let shape = open(&[phase("all", 200, 250.0, true)]);
    let ran = put_on(
        &listening,
        shape,
        Lifecycle::Held,
        &[],
        &Stop::new(),
        |_, _| (),
    );
    let measured = ran.await.unwrap().measured;
    assert_eq!((measured.pods, measured.most_in_flight), (50, 50));
    assert_eq!(fake.left(), (0, 0));
}
