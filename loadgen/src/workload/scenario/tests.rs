use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text, "s.toml").map_err(|error| error.to_string())
}

#[test]
fn shipped_scenarios_are_valid_and_have_the_names_they_are_found_by() {
    for name in names() {
        let scenario = Scenario::find(name).unwrap();
        assert_eq!(scenario.name, name);
        assert!(scenario.description.ends_with(['.', '?']), "{name}");
        assert_eq!(parse(&scenario.to_string()).unwrap(), scenario);
    }
}

#[test]
fn churn_is_the_scenario_of_a_run_without_options() {
    let churn = Scenario::find("churn").unwrap();
    assert_eq!((churn.seed, churn.connections, churn.threads), (42, 4, 1));
    assert_eq!(churn.timeout, Duration::from_secs(30));
    assert_eq!(churn.pods, PodShape::default());
    let closed = Closed {
        concurrency: 64,
        pods: 2000,
        warm_up_pods: 0,
        duration: None,
    };
    assert_eq!(churn.load, LoadShape::Closed(closed));
}

#[test]
fn an_unknown_name_is_answered_with_the_known_ones() {
    let message = Scenario::find("chrun").unwrap_err().to_string();
    assert!(message.contains("did you mean \"churn\"?"), "{message}");
    assert!(message.contains("smoke, churn, burst"), "{message}");
    let message = Scenario::find("./no/such.toml").unwrap_err().to_string();
    assert!(message.contains("./no/such.toml"), "{message}");
}

/// Wrong documents, each with a part of the expected message and its place.
const WRONG: &[(&str, &str)] = &[
    ("nam = \"a\"\n[load]", "s.toml:1:1: unknown field `nam`"),
    (
        "name = \"a\"\n[load]\nconcurency = 8",
        "did you mean \"concurrency\"?",
    ),
    ("name = \"a\"", "missing field `load`"),
    ("name = \"A b\"\n[load]", "s.toml:1:8: name is \"A b\""),
    (
        "name = \"a\"\n[load]\nconcurrency = 0",
        "s.toml:3:15: concurrency is 0, not from 1",
    ),
    (
        "name = \"a\"\n[load]\nconcurrency = \"x\"",
        "s.toml:3:15: concurrency: invalid type: string \"x\", expected a whole number",
    ),
    (
        "name = \"a\"\n[load]\npods = -1",
        "s.toml:3:8: pods is -1, not from 1 to 100000000",
    ),
    (
        "name = \"a\"\n[load]\nthreads = 4294967297",
        "threads is 4294967297, not from 1 to 256",
    ),
    ("name = \"a\"\nseed = -1\n[load]", "s.toml:2:8: seed: "),
    (
        "name = \"a\"\nload = 3",
        "s.toml:2:8: load: invalid type: integer `3`, expected a table",
    ),
    (
        "name = \"a\"\n[load]\nphases = [{ name = \"p\", duration = 5, rate = 1 }]",
        "s.toml:3:36: duration: invalid type: integer `5`, expected a string",
    ),
    (
        "name = \"a\"\n[load]\nduration = \"0s\"",
        "s.toml:3:12: duration is \"0s\"",
    ),
    (
        "name = \"a\"\n[load]\ntimeout = \"soon\"",
        "s.toml:3:11: timeout is \"soon\"",
    ),
    (
        "name = \"a\"\n[load]\nmax_in_flight = 3",
        "belongs to an open loop",
    ),
    (
        "name = \"a\"\n[pods]\ncontainers = [3, 2]\n[load]",
        "s.toml:3:14: containers has the minimum 3",
    ),
    (
        "name = \"a\"\n[pods]\ncontainers = 1001\n[load]",
        "goes from 1001 to 1001",
    ),
    (
        "name = \"a\"\n[pods]\ncpu_millicores = 5\n[load]",
        "beyond what it may be, 10",
    ),
    (
        "name = \"a\"\n[pods]\npids = { unifrom = [1, 2] }\n[load]",
        "unknown form \"unifrom\"",
    ),
    (
        "name = \"a\"\n[pods]\npids = { normal = { mean = 1, sd = 1, min = 1 } }\n[load]",
        "lacks max",
    ),
    (
        "name = \"a\"\n[pods]\npids = { normal = { mean = 1, sd = 1, min = 90, max = 99 } }\n[load]",
        "hardly ever",
    ),
    (
        "name = \"a\"\n[pods]\npids = { normal = { mean = 50, sd = 1e6, min = 50, max = 51 } }\n[load]",
        "in 0.00 % of draws",
    ),
    (
        "name = \"a\"\n[pods]\npids = { log_normal = { median = 9, sigma = 0.5, min = 99, max = 999 } }\n[load]",
        "pids.log_normal hardly ever",
    ),
    (
        "name = \"a\"\n[pods]\npids = { log_normal = { median = 9, sigma = inf, min = 1, max = 999 } }\n[load]",
        "has inf, not a number",
    ),
    (
        "name = \"a\"\n[pods]\ncpu_millicores = 256001\n[load]",
        "beyond what it may be, 10 to 256000",
    ),
    (
        "name = \"a\"\n[pods]\npids = { zipf = { exponent = 0, values = [1] } }\n[load]",
        "not a number above 0",
    ),
    (
        "name = \"a\"\n[pods]\npids = { choice = [[5, 0]] }\n[load]",
        "no weight above 0",
    ),
    (
        "name = \"a\"\n[pods]\nsignal = \"hup\"\n[load]",
        "s.toml:3:10: signal is \"hup\"",
    ),
    (
        "name = \"a\"\n[pods]\nlife = \"long\"\n[load]",
        "life is \"long\"",
    ),
    (
        "name = \"a\"\n[pods]\nlife = { crash_loop = { restarts = 1 } }\n[load]",
        "lacks exit_after_ms",
    ),
    (
        "name = \"a\"\n[pods]\nlife = { crash_loop = { restarts = 1, exit_after_ms = \"1s\" } }\n[load]",
        "life.crash_loop.exit_after_ms is \"1s\", not a number",
    ),
    (
        "name = \"a\"\n[pods]\nlife = { job = { exit_after_ms = 5, exit_code = [0, 256] } }\n[load]",
        "s.toml:3:8: life.job.exit_code goes from 0 to 256, beyond what it may be, 0 to 255",
    ),
    (
        "name = \"a\"\n[pods]\nlife = { job = { exit_after_ms = 5 } }\n[load]",
        "life.job lacks exit_code",
    ),
    (
        "name = \"a\"\n[pods]\nlife = { restart_always = { hold = 60, exit_after_ms = 5, exit_code = 0 } }\n[load]",
        "life.restart_always.hold is 60, not a time such as",
    ),
    (
        "name = \"a\"\n[pods]\nlife = { restart_always = { hold = \"0s\", exit_after_ms = 5, exit_code = 0 } }\n[load]",
        "life.restart_always.hold is \"0s\", which is no time at all",
    ),
    (
        "name = \"a\"\n[pods]\nlife = \"1500us\"\n[load]",
        "not in whole milliseconds",
    ),
    (
        "name = \"a\"\n[pods]\nlife = \"31d\"\n[load]",
        "life goes from 2678400000",
    ),
    (
        "name = \"a\"\n[load]\nphases = []",
        "s.toml:2:1: no phase is measured",
    ),
    (
        "name = \"a\"\n[load]\npods = 5\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = 1",
        "s.toml:3:8: pods belongs to a closed loop",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = 0",
        "s.toml:5:8: rate is 0",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = nan",
        "rate has nan",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = { ramp = [0, 0] }",
        "never rises",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = { steps = [] }",
        "not a list",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = 1\narrivals = \"odd\"",
        "s.toml:6:12: arrivals is \"odd\"",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"1s\"\nrate = 1\nmeasured = false",
        "no phase is measured",
    ),
    (
        "name = \"a\"\n[[load.phases]]\nname = \"p\"\nduration = \"2d\"\nrate = 1000000",
        "more than 100000000",
    ),
    ("name = ", "s.toml:1:"),
];

#[test]
fn an_error_names_the_value_and_its_place() {
    for (text, expected) in WRONG {
        let message = parse(text).unwrap_err();
        assert!(
            message.contains(expected),
            "{text:?}\n{message}\nnot {expected}"
        );
        assert!(message.starts_with("s.toml:"), "{message}");
    }
}

fn distributions() -> impl Strategy<Value = Distribution> {
    let range = (10..500_u64, 50..500_u64).prop_map(|(min, width)| (min, min + width));
    prop_oneof![
        (10..1000_u64).prop_map(Distribution::Constant),
        range
            .clone()
            .prop_map(|(min, max)| Distribution::Uniform(min, max)),
        range
            .clone()
            .prop_map(|(min, max)| Distribution::LogUniform(min, max)),
        (range.clone(), 0.1..100.0_f64).prop_map(|((min, max), sd)| Distribution::Normal {
            mean: f64::midpoint(min as f64, max as f64),
            sd,
            min,
            max,
        }),
        (range, 0.1..2.0_f64).prop_map(|((min, max), sigma)| Distribution::LogNormal {
            median: f64::midpoint(min as f64, max as f64),
            sigma,
            min,
            max,
        }),
        (0.1..3.0_f64, prop::collection::vec(10..1000_u64, 1..5))
            .prop_map(|(exponent, values)| Distribution::Zipf { exponent, values }),
        prop::collection::vec((10..1000_u64, 1..9_u32), 1..5).prop_map(Distribution::Choice),
    ]
}

fn loads() -> impl Strategy<Value = LoadShape> {
    let closed = (
        1..100_u32,
        1..9999_u64,
        0..99_u64,
        prop::option::of(1..9999_u64),
    )
        .prop_map(|(concurrency, pods, warm_up_pods, ms)| {
            LoadShape::Closed(Closed {
                concurrency,
                pods,
                warm_up_pods,
                duration: ms.map(Duration::from_millis),
            })
        });
    let rate = prop_oneof![
        (0.1..1000.0_f64).prop_map(Rate::Constant),
        (0.0..100.0_f64, 0.1..100.0_f64).prop_map(|(from, to)| Rate::Ramp(from, to)),
        prop::collection::vec(0.1..1000.0_f64, 1..5).prop_map(Rate::Steps),
    ];
    let phase = ("[a-z \"\\\\é]{1,9}", 1..9999_u64, rate, any::<bool>()).prop_map(
        |(name, ms, rate, poisson)| Phase {
            name,
            duration: Duration::from_millis(ms),
            rate,
            arrivals: if poisson {
                Arrivals::Poisson
            } else {
                Arrivals::Constant
            },
            measured: true,
        },
    );
    let open =
        (prop::collection::vec(phase, 1..4), 1..999_u32).prop_map(|(phases, max_in_flight)| {
            LoadShape::Open {
                phases,
                max_in_flight,
            }
        });
    prop_oneof![closed, open]
}

proptest! {
    #[test]
    fn a_printed_scenario_reads_back(
        name in "[a-z0-9-]{1,12}",
        description in ".{0,40}",
        subject in proptest::option::of(".{0,20}"),
        seed: u64,
        cpu_millicores in distributions(),
        stay in distributions(),
        load in loads(),
        kind in 0..4,
    ) {
        let exit_code = Distribution::Choice(vec![(0, 9), (255, 1)]);
        let hold = Duration::from_millis(90_500);
        let lifecycle = match kind {
            0 => Lifecycle::For(stay),
            1 => Lifecycle::CrashLoop { restarts: 2, exit_after_ms: stay },
            2 => Lifecycle::Job { exit_after_ms: stay, exit_code },
            _ => Lifecycle::RestartAlways { hold, exit_after_ms: stay, exit_code },
        };
        let scenario = Scenario {
            name,
            description,
            subject,
            seed,
            pods: PodShape { cpu_millicores, lifecycle, ..PodShape::default() },
            load,
            connections: 3,
            threads: 2,
            timeout: Duration::from_millis(1500),
        };
        let text = scenario.to_string();
        prop_assert_eq!(parse(&text).map_err(|e| format!("{e}\n{text}")), Ok(scenario));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }
}
